/*
 * What the tests of the stdio backend share: a loop with one backend whose server is fake_stdio_server, everything that
 * it tells written down, and calls that note their ends. Each upcall checks that no downward call is on the stack.
 */
#ifndef SLUICE_TESTS_STDIO_RIG_H
#define SLUICE_TESTS_STDIO_RIG_H

#include "unit.h"

#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/stdio.h"
#include "base/buf.h"

#define PATIENCE_MS 20000
#define TICK_MS 2

struct rig {
	struct loop *loop;
	struct supervisor *supervisor;
	struct backend_conf conf;
	const char *argv[3];
	struct backend *b;
	bool down; /* a downward call is on the stack: no upcall may come */
	bool (*until)(struct rig *r);
	const struct call *awaited;
	const char *wanted_why;
	mono_t patience;
	struct timer tick;
	/* what was told */
	enum backend_state state;
	char why[300];
	unsigned failures;
	int hellos, lists, tools;
	struct buf notes;  /* a line for each state, notification, ask and end of one */
	const char *reply; /* to each ask, at once; NULL: none */
	uint64_t asked;    /* the last one */
};

struct call {
	struct backend_call call;
	struct rig *r;
	int ends, progress;
	enum end_reason why;
	enum outcome outcome;
	char answer[400];
};

/* --- upcalls --- */

static inline void on_state(void *arg, enum backend_state now, const char *why, unsigned failures)
{
	struct rig *r = arg;

	assert_false(r->down);
	r->state = now;
	r->failures = failures;
	snprintf(r->why, sizeof(r->why), "%s", why);
	buf_printf(&r->notes, "%s\n", backend_state_name(now));
}

static inline void on_hello(void *arg, const struct backend_hello *hello)
{
	struct rig *r = arg;

	assert_false(r->down);
	assert_true(hello->tools);
	r->hellos++;
}

static inline void on_list(void *arg, enum list_kind kind, struct item_list *list)
{
	struct rig *r = arg;

	assert_false(r->down);
	if (kind != LIST_TOOLS)
		return;
	r->lists++;
	r->tools = (int)list->count;
}

static inline void on_note(void *arg, const struct backend_link *from, const struct message *m)
{
	struct rig *r = arg;

	assert_int_equal(from->session, 0);
	assert_false(r->down);
	buf_printf(&r->notes, "%.*s\n", SPAN_ARG(m->text));
}

static inline void on_ask(void *arg, const struct backend_ask *ask, const struct message *m)
{
	struct rig *r = arg;

	assert_false(r->down);
	assert_null(ask->call);
	assert_int_equal(ask->link->session, 0);
	assert_true(ask->id > r->asked);
	r->asked = ask->id;
	buf_printf(&r->notes, "asks %llu %.*s\n", (unsigned long long)ask->id, SPAN_ARG(m->method));
	if (r->reply == NULL)
		return;
	struct pieces outcome = pieces_of(span_of(r->reply));
	r->b->ops->answer(r->b, ask->id, &outcome);
	r->b->ops->answer(r->b, ask->id, &outcome); /* is ignored */
}

static inline void on_ask_ended(void *arg, uint64_t id)
{
	struct rig *r = arg;

	assert_false(r->down);
	buf_printf(&r->notes, "asks no more %llu\n", (unsigned long long)id);
}

static inline void on_agreed(void *arg, uint64_t session, enum wanted_kind kind, struct span text, bool yes)
{
	struct rig *r = arg;

	assert_int_equal(session, 0);
	assert_false(r->down);
	buf_printf(&r->notes, "%s %s%.*s\n", yes ? "agrees" : "refuses", kind == WANTED_TASK ? "task " : "",
	        SPAN_ARG(text));
}

static const struct backend_events events = {
	.state = on_state,
	.hello = on_hello,
	.list = on_list,
	.notification = on_note,
	.agreed = on_agreed,
	.ask = on_ask,
	.ask_ended = on_ask_ended,
};

static inline void on_progress(struct backend_call *call, const struct message *m)
{
	struct call *c = list_entry(call, struct call, call);

	assert_false(c->r->down);
	assert_true(span_is_set(m->token));
	c->progress++;
}

static inline void on_ended(
        struct backend_call *call, enum end_reason why, enum outcome outcome, const struct message *answer)
{
	struct call *c = list_entry(call, struct call, call);

	assert_false(c->r->down);
	assert_int_equal(outcome == OUTCOME_KNOWN, answer != NULL);
	assert_false(list_is_linked(&call->node));
	c->ends++;
	c->why = why;
	c->outcome = outcome;
	if (answer != NULL)
		snprintf(c->answer, sizeof(c->answer), "%.*s", SPAN_ARG(answer->text));
}

static const struct backend_sink sink = { .progress = on_progress, .ended = on_ended };

/* --- running --- */

static inline void tick(void *arg)
{
	struct rig *r = arg;

	if (r->until(r) || mono_past(r->patience, loop_now(r->loop))) {
		loop_stop(r->loop);
		return;
	}
	timer_set_in(loop_sched(r->loop), &r->tick, TICK_MS, tick, r);
}

static inline bool run_until(struct rig *r, bool (*until)(struct rig *r))
{
	r->until = until;
	r->patience = mono_add(clock_mono(), PATIENCE_MS);
	timer_set_in(loop_sched(r->loop), &r->tick, TICK_MS, tick, r);
	loop_run(r->loop);
	return until(r);
}

static inline bool is_ready(struct rig *r)
{
	return r->state == BACKEND_READY;
}

static inline bool is_idle(struct rig *r)
{
	return r->state == BACKEND_IDLE;
}

static inline bool is_backoff(struct rig *r)
{
	return r->state == BACKEND_BACKOFF;
}

static inline bool is_stopped(struct rig *r)
{
	return r->state == BACKEND_STOPPED;
}

static inline bool is_hopeless(struct rig *r)
{
	return r->failures >= 5 && strcmp(r->why, r->wanted_why) == 0;
}

static inline bool is_explained(struct rig *r)
{
	return r->state == BACKEND_BACKOFF && strcmp(r->why, r->wanted_why) == 0;
}

static inline bool has_ended(struct rig *r)
{
	return r->awaited->ends > 0;
}

static inline bool waited_a_while(struct rig *r)
{
	return mono_past(mono_add(r->patience, 200 - PATIENCE_MS), loop_now(r->loop));
}

static inline bool has_no_call(struct rig *r)
{
	struct backend_stats stats;

	r->b->ops->stats(r->b, &stats);
	return stats.in_flight == 0;
}

static inline bool has_no_process(struct rig *r)
{
	struct backend_stats stats;

	r->b->ops->stats(r->b, &stats);
	return stats.pid == 0;
}

static inline struct backend_stats stats_of(struct rig *r)
{
	struct backend_stats stats;

	r->b->ops->stats(r->b, &stats);
	return stats;
}

static inline const char *fake_server(void)
{
	static char path[PATH_MAX + 64];
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	snprintf(path, sizeof(path), "%s/backend/fake_stdio_server", dirname(self));
	return path;
}

static inline void rig_open(struct rig *r, const char *start)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	struct err e;

	*r = (struct rig){ .state = BACKEND_STATE_COUNT, .argv = { fake_server(), start, NULL } };
	r->conf = (struct backend_conf){
		.name = "fake",
		.startup_timeout_ms = 10000,
		.idle = IDLE_NEVER,
		.stop_eof_ms = 2000,
		.stop_term_ms = 2000,
		.argv = r->argv,
		.env = env,
		.max_in_flight = 1000,
		.max_message_bytes = 100000,
		.max_depth = 128,
	};
	r->loop = loop_new(&e);
	assert_non_null(r->loop);
	r->supervisor = supervisor_new(r->loop, &(struct logger){ 0 }, &e);
	assert_non_null(r->supervisor);
}

static inline void rig_new(struct rig *r)
{
	r->b = stdio_backend_new(r->loop, r->supervisor, &r->conf, &events, r, &(struct logger){ 0 }, 1);
}

static inline void start(struct rig *r)
{
	r->down = true;
	r->b->ops->start(r->b);
	r->down = false;
}

/* A server that is ready. */
static inline void rig_start(struct rig *r, const char *how)
{
	rig_open(r, how);
	rig_new(r);
	start(r);
	assert_true(run_until(r, is_ready));
}

static inline void stop(struct rig *r, enum backend_stop how)
{
	r->down = true;
	r->b->ops->stop(r->b, how);
	r->down = false;
}

static inline void rig_end(struct rig *r)
{
	if (r->state != BACKEND_STOPPED || !has_no_process(r)) {
		stop(r, BACKEND_STOP_KILL);
		assert_true(run_until(r, is_stopped));
	}
	assert_true(has_no_call(r));
	r->b->ops->free(r->b);
	buf_free(&r->notes);
	timer_stop(loop_sched(r->loop), &r->tick);
	supervisor_free(&r->supervisor);
	loop_free(&r->loop);
}

static inline void submit(struct rig *r, struct call *c, const char *params)
{
	struct message m;
	struct message_fault fault;
	struct buf text = { 0 };

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":\"c1\",\"method\":\"tools/call\",\"params\":{%s}}", params);
	assert_true(message_parse(buf_span(&text), 128, &m, &fault));
	*c = (struct call){ .call.sink = &sink, .r = r };
	r->down = true;
	r->b->ops->submit(r->b, &c->call, &m, (struct splice){ SPAN_NONE, SPAN_NONE });
	r->down = false;
	buf_free(&text);
}

static inline void submit_tool(struct rig *r, struct call *c, const char *tool)
{
	char params[100];

	snprintf(params, sizeof(params), "\"name\":\"%s\"", tool);
	submit(r, c, params);
}

static inline enum outcome cancel(struct rig *r, struct call *c)
{
	r->down = true;
	enum outcome outcome = r->b->ops->cancel(r->b, &c->call, SPAN("\"no more\""));
	r->down = false;
	return outcome;
}

static inline void expect_end(const struct call *c, enum end_reason why, enum outcome outcome)
{
	if (c->ends != 1 || c->why != why || c->outcome != outcome)
		fail_msg("%d ends, %s, %s; wanted %s, %s", c->ends, end_reason_name(c->why), outcome_name(c->outcome),
		        end_reason_name(why), outcome_name(outcome));
}

static inline void await(struct rig *r, const struct call *c)
{
	r->awaited = c;
	assert_true(run_until(r, has_ended));
}

/* One call of the tool, to its end. */
static inline void call(struct rig *r, struct call *c, const char *tool)
{
	submit_tool(r, c, tool);
	await(r, c);
}

static inline bool notes_have(struct rig *r, const char *text)
{
	buf_add_char(&r->notes, '\0');
	r->notes.to--;
	return strstr(r->notes.mem, text) != NULL;
}

#endif
