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
	struct buf notes; /* a line for each state and notification */
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

static void on_state(void *arg, enum backend_state now, const char *why, unsigned failures)
{
	struct rig *r = arg;

	assert_false(r->down);
	r->state = now;
	r->failures = failures;
	snprintf(r->why, sizeof(r->why), "%s", why);
	buf_printf(&r->notes, "%s\n", backend_state_name(now));
}

static void on_hello(void *arg, const struct backend_hello *hello)
{
	struct rig *r = arg;

	assert_false(r->down);
	assert_true(hello->tools);
	r->hellos++;
}

static void on_list(void *arg, enum list_kind kind, struct item_list *list)
{
	struct rig *r = arg;

	assert_false(r->down);
	if (kind != LIST_TOOLS)
		return;
	r->lists++;
	r->tools = (int)list->count;
}

static void on_note(void *arg, const struct message *m)
{
	struct rig *r = arg;

	assert_false(r->down);
	buf_printf(&r->notes, "%.*s\n", SPAN_ARG(m->text));
}

static const struct backend_events events = { on_state, on_hello, on_list, on_note };

static void on_progress(struct backend_call *call, const struct message *m)
{
	struct call *c = list_entry(call, struct call, call);

	assert_false(c->r->down);
	assert_true(span_is_set(m->token));
	c->progress++;
}

static void on_ended(struct backend_call *call, enum end_reason why, enum outcome outcome, const struct message *answer)
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

static void tick(void *arg)
{
	struct rig *r = arg;

	if (r->until(r) || mono_past(r->patience, loop_now(r->loop))) {
		loop_stop(r->loop);
		return;
	}
	timer_set_in(loop_sched(r->loop), &r->tick, TICK_MS, tick, r);
}

static bool run_until(struct rig *r, bool (*until)(struct rig *r))
{
	r->until = until;
	r->patience = mono_add(clock_mono(), PATIENCE_MS);
	timer_set_in(loop_sched(r->loop), &r->tick, TICK_MS, tick, r);
	loop_run(r->loop);
	return until(r);
}

static bool is_ready(struct rig *r)
{
	return r->state == BACKEND_READY;
}

static bool is_idle(struct rig *r)
{
	return r->state == BACKEND_IDLE;
}

static bool is_backoff(struct rig *r)
{
	return r->state == BACKEND_BACKOFF;
}

static bool is_stopped(struct rig *r)
{
	return r->state == BACKEND_STOPPED;
}

static bool is_hopeless(struct rig *r)
{
	return r->failures >= 5 && strcmp(r->why, r->wanted_why) == 0;
}

static bool is_explained(struct rig *r)
{
	return r->state == BACKEND_BACKOFF && strcmp(r->why, r->wanted_why) == 0;
}

static bool has_ended(struct rig *r)
{
	return r->awaited->ends > 0;
}

static bool waited_a_while(struct rig *r)
{
	return mono_past(mono_add(r->patience, 200 - PATIENCE_MS), loop_now(r->loop));
}

static bool has_no_call(struct rig *r)
{
	struct backend_stats stats;

	r->b->ops->stats(r->b, &stats);
	return stats.in_flight == 0;
}

static bool has_no_process(struct rig *r)
{
	struct backend_stats stats;

	r->b->ops->stats(r->b, &stats);
	return stats.pid == 0;
}

static struct backend_stats stats_of(struct rig *r)
{
	struct backend_stats stats;

	r->b->ops->stats(r->b, &stats);
	return stats;
}

static const char *fake_server(void)
{
	static char path[PATH_MAX + 64];
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	snprintf(path, sizeof(path), "%s/backend/fake_stdio_server", dirname(self));
	return path;
}

static void rig_open(struct rig *r, const char *start)
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

static void rig_new(struct rig *r)
{
	r->b = stdio_backend_new(r->loop, r->supervisor, &r->conf, &events, r, &(struct logger){ 0 }, 1);
}

static void start(struct rig *r)
{
	r->down = true;
	r->b->ops->start(r->b);
	r->down = false;
}

/* A server that is ready. */
static void rig_start(struct rig *r, const char *how)
{
	rig_open(r, how);
	rig_new(r);
	start(r);
	assert_true(run_until(r, is_ready));
}

static void stop(struct rig *r, enum backend_stop how)
{
	r->down = true;
	r->b->ops->stop(r->b, how);
	r->down = false;
}

static void rig_end(struct rig *r)
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

static void submit(struct rig *r, struct call *c, const char *params)
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

static void submit_tool(struct rig *r, struct call *c, const char *tool)
{
	char params[100];

	snprintf(params, sizeof(params), "\"name\":\"%s\"", tool);
	submit(r, c, params);
}

static enum outcome cancel(struct rig *r, struct call *c)
{
	r->down = true;
	enum outcome outcome = r->b->ops->cancel(r->b, &c->call, SPAN("\"no more\""));
	r->down = false;
	return outcome;
}

static void expect_end(const struct call *c, enum end_reason why, enum outcome outcome)
{
	if (c->ends != 1 || c->why != why || c->outcome != outcome)
		fail_msg("%d ends, %s, %s; wanted %s, %s", c->ends, end_reason_name(c->why), outcome_name(c->outcome),
		        end_reason_name(why), outcome_name(outcome));
}

static void await(struct rig *r, const struct call *c)
{
	r->awaited = c;
	assert_true(run_until(r, has_ended));
}

/* One call of the tool, to its end. */
static void call(struct rig *r, struct call *c, const char *tool)
{
	submit_tool(r, c, tool);
	await(r, c);
}

static bool notes_have(struct rig *r, const char *text)
{
	buf_add_char(&r->notes, '\0');
	r->notes.to--;
	return strstr(r->notes.mem, text) != NULL;
}

/* --- serving --- */

static void test_the_server_is_started_and_serves_calls_under_ids_of_our_own(void **state)
{
	struct rig r;
	struct call c;

	(void)state;
	rig_start(&r, "ok");
	assert_int_equal(r.hellos, 1);
	assert_int_equal(r.tools, 1);
	submit(&r, &c, "\"name\":\"echo\",\"x\":1.0,\"_meta\":{\"progressToken\":\"t\"}");
	assert_true(run_until(&r, has_no_call));
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	assert_string_equal(c.answer,
	        "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"request\":{\"jsonrpc\":\"2.0\",\"id\":3,"
	        "\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"x\":1.0,\"_meta\":{\"progressToken\":3}}}}}");
	call(&r, &c, "error");
	expect_end(&c, END_SERVER_ERROR, OUTCOME_KNOWN);
	rig_end(&r);
}

static void test_a_call_starts_a_lazy_server_and_waits_for_it(void **state)
{
	enum { N = 300 };
	static struct call calls[N];
	struct rig r;

	(void)state;
	rig_open(&r, "ok");
	rig_new(&r);
	for (int i = 0; i < N; i++)
		submit_tool(&r, &calls[i], "echo");
	assert_int_equal(stats_of(&r).in_flight, N);
	assert_true(run_until(&r, has_no_call));
	for (int i = 0; i < N; i++)
		expect_end(&calls[i], END_RESULT, OUTCOME_KNOWN);
	assert_int_equal(stats_of(&r).starts, 1);
	rig_end(&r);
}

static void test_answers_may_come_in_any_order(void **state)
{
	struct call held[3], release;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	for (int i = 0; i < 3; i++)
		submit_tool(&r, &held[i], "hold");
	call(&r, &release, "release");
	for (int i = 0; i < 3; i++)
		expect_end(&held[i], END_RESULT, OUTCOME_KNOWN);
	expect_end(&release, END_RESULT, OUTCOME_KNOWN);
	rig_end(&r);
}

static void test_lines_that_are_nobodys_are_skipped_and_counted(void **state)
{
	struct call c, next;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	call(&r, &c, "noise");
	call(&r, &next, "echo");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	assert_string_equal(c.answer, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":1}");
	expect_end(&next, END_RESULT, OUTCOME_KNOWN);
	assert_true(notes_have(&r, "\"data\":1"));
	assert_int_equal(stats_of(&r).dropped, 8);
	rig_end(&r);
}

static void test_progress_reaches_the_call_that_planted_a_token_and_no_other(void **state)
{
	struct call with, without;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	submit(&r, &with, "\"name\":\"progress\",\"_meta\":{\"progressToken\":1}");
	submit(&r, &without, "\"name\":\"progress\"");
	assert_true(run_until(&r, has_no_call));
	assert_int_equal(with.progress, 1);
	assert_int_equal(without.progress, 0);
	rig_end(&r);
}

static void test_requests_of_the_server_are_answered_and_never_taken_for_answers(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	call(&r, &c, "ask");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	assert_true(notes_have(&r, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"));
	assert_true(notes_have(&r, "\"id\":3,\"error\":{\"code\":-32601,"));
	rig_end(&r);
}

static void test_an_answer_that_cannot_be_read_ends_its_call(void **state)
{
	struct call huge, bad, next;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	submit_tool(&r, &huge, "huge");
	submit_tool(&r, &bad, "bad");
	call(&r, &next, "echo");
	expect_end(&huge, END_MESSAGE_TOO_LARGE, OUTCOME_UNKNOWN);
	expect_end(&bad, END_BAD_ANSWER, OUTCOME_UNKNOWN);
	expect_end(&next, END_RESULT, OUTCOME_KNOWN);
	rig_end(&r);
}

static void test_batches_are_taken_from_a_server_of_2025_03_26_only(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_start(&r, "batches");
	call(&r, &c, "batch");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	assert_true(notes_have(&r, "\"data\":1"));
	rig_end(&r);
	rig_start(&r, "ok");
	submit_tool(&r, &c, "batch");
	struct call next;
	submit_tool(&r, &next, "exit");
	assert_true(run_until(&r, has_no_call));
	expect_end(&c, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	rig_end(&r);
}

static bool has_two_tools(struct rig *r)
{
	return r->tools == 2;
}

static bool has_four_tools(struct rig *r)
{
	return r->tools == 4;
}

static void test_a_changed_list_is_fetched_anew_and_not_for_each_word_of_it(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	assert_int_equal(r.lists, 1);
	call(&r, &c, "grow");
	assert_true(run_until(&r, has_two_tools));
	call(&r, &c, "grow");
	call(&r, &c, "grow");
	assert_true(run_until(&r, has_four_tools));
	assert_in_range(r.lists, 3, 6);
	rig_end(&r);
}

static void test_a_flood_on_stderr_blocks_nobody(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	call(&r, &c, "stderr");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	rig_end(&r);
}

static void test_answers_to_a_server_that_does_not_read_them_are_bounded(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	call(&r, &c, "ping_flood");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	assert_in_range(stats_of(&r).dropped, 10000, 30000); /* of 50,000: 1 MiB and a pipe full were kept */
	call(&r, &c, "echo");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	rig_end(&r);
}

static void test_items_without_a_name_are_left_away(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, "odd");
	assert_int_equal(r.tools, 1);
	rig_end(&r);
}

static bool has_level(struct rig *r)
{
	return notes_have(r, "\"method\":\"logging/setLevel\",\"params\":{\"level\":\"debug\"}");
}

static void test_what_is_told_to_the_server_arrives(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	r.b->ops->tell(r.b, METHOD_SET_LEVEL, SPAN("{\"level\":\"debug\"}"));
	assert_true(run_until(&r, has_level));
	rig_end(&r);
}

/* --- limits and cancelling --- */

static void test_more_calls_than_the_limit_are_refused(void **state)
{
	struct call a, b, c;
	struct rig r;

	(void)state;
	rig_open(&r, "ok");
	r.conf.max_in_flight = 2;
	rig_new(&r);
	submit_tool(&r, &a, "echo");
	submit_tool(&r, &b, "echo");
	submit_tool(&r, &c, "echo");
	assert_int_equal(c.ends, 0);
	assert_true(run_until(&r, has_no_call));
	expect_end(&a, END_RESULT, OUTCOME_KNOWN);
	expect_end(&b, END_RESULT, OUTCOME_KNOWN);
	expect_end(&c, END_OVERLOADED, OUTCOME_NOT_SENT);
	call(&r, &c, "echo");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	rig_end(&r);
}

static bool was_told_of_cancel(struct rig *r)
{
	return notes_have(
	        r, "\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":3,\"reason\":\"no more\"}");
}

static void test_a_cancelled_call_is_forgotten_and_the_server_told_if_it_knows_it(void **state)
{
	struct call sent, unsent, release;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	submit_tool(&r, &sent, "hold");
	call(&r, &release, "echo");
	submit_tool(&r, &unsent, "hold");
	assert_int_equal(cancel(&r, &unsent), OUTCOME_NOT_SENT);
	assert_int_equal(cancel(&r, &sent), OUTCOME_UNKNOWN);
	assert_true(run_until(&r, was_told_of_cancel));
	assert_int_equal(stats_of(&r).in_flight, 0);
	call(&r, &release, "release"); /* the late answer of the cancelled one is dropped */
	assert_int_equal(stats_of(&r).dropped, 1);
	assert_int_equal(sent.ends + unsent.ends, 0);
	rig_end(&r);
}

static void test_a_call_whose_end_is_due_can_still_be_cancelled(void **state)
{
	struct call a, b;
	struct rig r;

	(void)state;
	rig_open(&r, "ok");
	r.conf.max_in_flight = 1;
	rig_new(&r);
	submit_tool(&r, &a, "echo");
	submit_tool(&r, &b, "echo");
	assert_int_equal(cancel(&r, &b), OUTCOME_NOT_SENT);
	assert_true(run_until(&r, has_no_call));
	assert_int_equal(b.ends, 0);
	rig_end(&r);
}

/* --- death and restart --- */

static void test_calls_of_a_process_that_dies_end_at_once_and_it_comes_back(void **state)
{
	struct call held, killer, next;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	submit_tool(&r, &held, "hold");
	call(&r, &killer, "exit");
	expect_end(&held, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	expect_end(&killer, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	r.wanted_why = "exited with code 3";
	assert_true(run_until(&r, is_explained));
	assert_int_equal(r.failures, 0);
	call(&r, &next, "echo"); /* waits for the next process */
	expect_end(&next, END_RESULT, OUTCOME_KNOWN);
	assert_int_equal(stats_of(&r).restarts, 1);
	assert_string_equal(stats_of(&r).last_error, "exited with code 3");
	assert_int_equal(r.hellos, 2);
	rig_end(&r);
}

static void test_an_answer_that_is_still_in_the_pipe_counts(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	call(&r, &c, "answer_and_exit");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	rig_end(&r);
}

static void test_a_process_that_closes_a_pipe_is_replaced(void **state)
{
	static const struct {
		const char *tool;
		enum end_reason why;
	} cases[] = { { "close_stdout", END_BACKEND_EXITED }, { "close_stdin", END_RESULT } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct call c, next;
		struct rig r;
		rig_open(&r, "ok");
		r.conf.stop_eof_ms = 50;
		rig_new(&r);
		call(&r, &c, cases[i].tool);
		expect_end(&c, cases[i].why, cases[i].why == END_RESULT ? OUTCOME_KNOWN : OUTCOME_UNKNOWN);
		call(&r, &next, "echo");
		if (next.why != END_RESULT) /* it may have been written before the pipe was closed */
			call(&r, &next, "echo");
		expect_end(&next, END_RESULT, OUTCOME_KNOWN);
		assert_int_equal(stats_of(&r).restarts, 1);
		rig_end(&r);
	}
}

/* The server stops reading; so much is submitted that its pipe is full; then it is killed. */
static void test_calls_that_were_not_sent_survive_the_process(void **state)
{
	enum { N = 40 };
	static struct call calls[N];
	static char params[5000];
	struct call stall;
	struct rig r;
	int sent = 0;

	(void)state;
	rig_open(&r, "ok");
	r.conf.max_message_bytes = 1000000;
	rig_new(&r);
	start(&r);
	assert_true(run_until(&r, is_ready));
	submit_tool(&r, &stall, "stall");
	snprintf(params, sizeof(params), "\"name\":\"echo\",\"x\":\"%04900d\"", 1);
	for (int i = 0; i < N; i++)
		submit(&r, &calls[i], params);
	while (calls[0].call.unsent != NULL)
		run_until(&r, is_ready);
	kill(stats_of(&r).pid, SIGKILL);
	assert_true(run_until(&r, has_no_call));
	expect_end(&stall, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	for (int i = 0; i < N; i++) {
		bool lost = calls[i].why == END_BACKEND_EXITED;
		sent += lost;
		assert_int_equal(lost, i < sent); /* from the front */
		expect_end(&calls[i], lost ? END_BACKEND_EXITED : END_RESULT, lost ? OUTCOME_UNKNOWN : OUTCOME_KNOWN);
	}
	assert_in_range(sent, 1, N - 1);
	rig_end(&r);
}

static void test_after_5_failed_starts_calls_fail_at_once(void **state)
{
	struct call waiting, next;
	struct rig r;

	(void)state;
	rig_open(&r, "refuse");
	rig_new(&r);
	submit_tool(&r, &waiting, "echo");
	r.wanted_why = "initialize: error -32602: \"no\"";
	assert_true(run_until(&r, is_hopeless));
	expect_end(&waiting, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	call(&r, &next, "echo");
	expect_end(&next, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	assert_int_equal(stats_of(&r).failures, 5);
	rig_end(&r);
}

static void test_a_start_that_fails_is_told_with_its_reason(void **state)
{
	static const struct {
		const char *start, *why;
		msec_t timeout;
	} cases[] = {
		{ "refuse", "initialize: error -32602: \"no\"", 10000 },
		{ "die", "exited with code 7", 10000 },
		{ "silent", "not ready within 50 ms", 50 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig r;
		rig_open(&r, cases[i].start);
		r.conf.startup_timeout_ms = cases[i].timeout;
		rig_new(&r);
		start(&r);
		r.wanted_why = cases[i].why;
		assert_true(run_until(&r, is_explained));
		assert_in_range(r.failures, 1, 2);
		rig_end(&r);
	}
}

static void test_a_command_that_is_not_there_is_told_in_a_sentence(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "ok");
	r.argv[0] = "/nowhere/server";
	rig_new(&r);
	start(&r);
	assert_true(run_until(&r, is_backoff));
	assert_non_null(strstr(r.why, "/nowhere/server"));
	assert_int_equal(r.failures, 1);
	rig_end(&r);
}

/* --- idleness --- */

static void test_a_server_with_a_call_in_flight_is_not_idle(void **state)
{
	struct call held, release;
	struct rig r;

	(void)state;
	rig_open(&r, "ok");
	r.conf.idle = IDLE_FIXED;
	r.conf.idle_ms = 30;
	rig_new(&r);
	submit_tool(&r, &held, "hold");
	run_until(&r, waited_a_while);
	assert_int_equal(r.state, BACKEND_READY);
	submit_tool(&r, &release, "release");
	assert_true(run_until(&r, is_idle));
	expect_end(&held, END_RESULT, OUTCOME_KNOWN);
	assert_true(run_until(&r, has_no_process));
	assert_int_equal(r.tools, 1); /* stays listed: nobody told otherwise */
	call(&r, &held, "echo");
	expect_end(&held, END_RESULT, OUTCOME_KNOWN);
	assert_int_equal(stats_of(&r).starts, 2);
	assert_int_equal(stats_of(&r).restarts, 0);
	rig_end(&r);
}

static void test_a_call_during_the_idle_stop_waits_for_the_next_process(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_open(&r, "ok");
	r.conf.idle = IDLE_FIXED;
	r.conf.idle_ms = 30;
	r.conf.stop_eof_ms = r.conf.stop_term_ms = 50;
	rig_new(&r);
	call(&r, &c, "stubborn");
	assert_true(run_until(&r, is_idle));
	assert_false(has_no_process(&r));
	call(&r, &c, "echo");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	assert_int_equal(stats_of(&r).starts, 2);
	rig_end(&r);
}

/* --- stopping --- */

static void test_a_server_that_was_never_started_stops_with_an_event(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_open(&r, "ok");
	rig_new(&r);
	stop(&r, BACKEND_STOP_LADDER);
	assert_true(run_until(&r, is_stopped));
	start(&r);
	call(&r, &c, "echo");
	expect_end(&c, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	assert_int_equal(stats_of(&r).starts, 0);
	rig_end(&r);
}

static void test_a_polite_stop_ends_queued_calls_at_once_and_sent_ones_with_the_process(void **state)
{
	struct call sent, queued, late, first;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	submit_tool(&r, &sent, "hold");
	call(&r, &first, "echo");
	submit_tool(&r, &queued, "echo");
	stop(&r, BACKEND_STOP_LADDER);
	submit_tool(&r, &late, "echo");
	assert_int_equal(queued.ends + sent.ends + late.ends, 0);
	assert_true(run_until(&r, is_stopped));
	expect_end(&queued, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	expect_end(&late, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	expect_end(&sent, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	assert_true(notes_have(&r, "ready\nstopping\nstopped\n"));
	rig_end(&r);
}

static void test_a_stop_can_be_hurried(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_open(&r, "ok");
	r.conf.stop_eof_ms = r.conf.stop_term_ms = 60000;
	rig_new(&r);
	call(&r, &c, "stubborn");
	stop(&r, BACKEND_STOP_LADDER);
	run_until(&r, waited_a_while);
	assert_int_equal(r.state, BACKEND_STOPPING);
	stop(&r, BACKEND_STOP_FAST);
	assert_true(run_until(&r, is_stopped));
	rig_end(&r);
}

static void test_a_stop_during_start_backoff_and_idleness_is_obeyed(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "silent");
	rig_new(&r);
	start(&r);
	run_until(&r, waited_a_while);
	stop(&r, BACKEND_STOP_LADDER);
	assert_true(run_until(&r, is_stopped));
	rig_end(&r);
	rig_open(&r, "die");
	rig_new(&r);
	start(&r);
	assert_true(run_until(&r, is_backoff));
	stop(&r, BACKEND_STOP_LADDER);
	assert_true(run_until(&r, is_stopped));
	rig_end(&r);
	rig_open(&r, "ok");
	r.conf.idle = IDLE_FIXED;
	rig_new(&r);
	start(&r);
	assert_true(run_until(&r, is_idle));
	stop(&r, BACKEND_STOP_LADDER);
	assert_true(run_until(&r, is_stopped));
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_server_is_started_and_serves_calls_under_ids_of_our_own),
		cmocka_unit_test(test_a_call_starts_a_lazy_server_and_waits_for_it),
		cmocka_unit_test(test_answers_may_come_in_any_order),
		cmocka_unit_test(test_lines_that_are_nobodys_are_skipped_and_counted),
		cmocka_unit_test(test_progress_reaches_the_call_that_planted_a_token_and_no_other),
		cmocka_unit_test(test_requests_of_the_server_are_answered_and_never_taken_for_answers),
		cmocka_unit_test(test_an_answer_that_cannot_be_read_ends_its_call),
		cmocka_unit_test(test_batches_are_taken_from_a_server_of_2025_03_26_only),
		cmocka_unit_test(test_a_changed_list_is_fetched_anew_and_not_for_each_word_of_it),
		cmocka_unit_test(test_a_flood_on_stderr_blocks_nobody),
		cmocka_unit_test(test_answers_to_a_server_that_does_not_read_them_are_bounded),
		cmocka_unit_test(test_items_without_a_name_are_left_away),
		cmocka_unit_test(test_what_is_told_to_the_server_arrives),
		cmocka_unit_test(test_more_calls_than_the_limit_are_refused),
		cmocka_unit_test(test_a_cancelled_call_is_forgotten_and_the_server_told_if_it_knows_it),
		cmocka_unit_test(test_a_call_whose_end_is_due_can_still_be_cancelled),
		cmocka_unit_test(test_calls_of_a_process_that_dies_end_at_once_and_it_comes_back),
		cmocka_unit_test(test_an_answer_that_is_still_in_the_pipe_counts),
		cmocka_unit_test(test_a_process_that_closes_a_pipe_is_replaced),
		cmocka_unit_test(test_calls_that_were_not_sent_survive_the_process),
		cmocka_unit_test(test_after_5_failed_starts_calls_fail_at_once),
		cmocka_unit_test(test_a_start_that_fails_is_told_with_its_reason),
		cmocka_unit_test(test_a_command_that_is_not_there_is_told_in_a_sentence),
		cmocka_unit_test(test_a_server_with_a_call_in_flight_is_not_idle),
		cmocka_unit_test(test_a_call_during_the_idle_stop_waits_for_the_next_process),
		cmocka_unit_test(test_a_server_that_was_never_started_stops_with_an_event),
		cmocka_unit_test(test_a_polite_stop_ends_queued_calls_at_once_and_sent_ones_with_the_process),
		cmocka_unit_test(test_a_stop_can_be_hurried),
		cmocka_unit_test(test_a_stop_during_start_backoff_and_idleness_is_obeyed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
