/* A server of which each client has a part of its own. What is behind are puppets that do what the test says. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/isolated.h"
#include "base/mem.h"

struct puppet {
	struct backend base; /* first */
	const struct backend_for *whom;
	unsigned in_flight;
	struct buf down;
	bool freed;
};

struct rig {
	struct sched sched;
	struct backend_conf conf;
	struct backend *b;
	struct puppet *made[16];
	int count;
	struct buf up;
};

struct noted {
	struct backend_call call;
	struct backend_client client;
	int ends;
	enum end_reason why;
	enum outcome outcome;
};

/* ---- puppets ---- */

static struct puppet *puppet_of(const struct backend *b)
{
	return (struct puppet *)(void *)(uintptr_t)b;
}

static void puppet_start(struct backend *b)
{
	buf_printf(&puppet_of(b)->down, "start\n");
}

static void puppet_submit(struct backend *b, struct backend_call *call, const struct message *m, struct splice name)
{
	(void)m;
	(void)name;
	call->link = puppet_of(b)->whom->link;
	puppet_of(b)->in_flight++;
	buf_printf(&puppet_of(b)->down, "submit\n");
}

static enum outcome puppet_cancel(struct backend *b, struct backend_call *call, struct span reason)
{
	(void)call;
	(void)reason;
	puppet_of(b)->in_flight--;
	buf_printf(&puppet_of(b)->down, "cancel\n");
	return OUTCOME_UNKNOWN;
}

static void puppet_answer(struct backend *b, uint64_t ask, const struct pieces *outcome)
{
	(void)outcome;
	buf_printf(&puppet_of(b)->down, "answer %llu\n", (unsigned long long)ask);
}

static void puppet_tell(struct backend *b, enum method method, struct span params)
{
	(void)method;
	buf_printf(&puppet_of(b)->down, "tell %.*s\n", SPAN_ARG(params));
}

static void puppet_notify(struct backend *b, uint64_t session, enum method method, struct span params)
{
	(void)method;
	(void)params;
	buf_printf(&puppet_of(b)->down, "notify %llu\n", (unsigned long long)session);
}

static void puppet_stop(struct backend *b, enum backend_stop how)
{
	buf_printf(&puppet_of(b)->down, "stop %d\n", how);
}

static void puppet_no_more(struct backend *b)
{
	buf_printf(&puppet_of(b)->down, "no more\n");
}

static void puppet_limit_stop(struct backend *b, msec_t eof_ms, msec_t term_ms)
{
	buf_printf(&puppet_of(b)->down, "limit %lld %lld\n", (long long)eof_ms, (long long)term_ms);
}

static void puppet_configure(struct backend *b, const struct backend_conf *conf)
{
	b->conf = conf;
	buf_printf(&puppet_of(b)->down, "configure %s %lld\n", conf->idle == IDLE_FIXED ? "fixed" : "other",
	        (long long)conf->stop_eof_ms);
}

static void puppet_stats(const struct backend *b, struct backend_stats *stats)
{
	*stats = (struct backend_stats){ .in_flight = puppet_of(b)->in_flight, .starts = 1, .processes = 1 };
}

static void puppet_free(struct backend *b)
{
	puppet_of(b)->freed = true;
	buf_free(&puppet_of(b)->down);
}

static const struct backend_ops ops = {
	.start = puppet_start,
	.submit = puppet_submit,
	.cancel = puppet_cancel,
	.answer = puppet_answer,
	.tell = puppet_tell,
	.notify = puppet_notify,
	.stop = puppet_stop,
	.no_more = puppet_no_more,
	.limit_stop = puppet_limit_stop,
	.configure = puppet_configure,
	.stats = puppet_stats,
	.free = puppet_free,
};

static struct backend *make(void *arg, const struct backend_conf *conf, const struct backend_for *whom,
        const struct backend_events *events, void *events_arg)
{
	struct rig *r = arg;
	struct puppet *p = NEW(struct puppet);

	assert_true(r->count < 16);
	p->base = (struct backend){ &ops, conf, events, events_arg };
	p->whom = whom;
	r->made[r->count++] = p;
	return &p->base;
}

/* ---- what comes up ---- */

static void note_state(void *arg, enum backend_state now, const char *why, unsigned failures)
{
	(void)why;
	(void)failures;
	buf_printf(&((struct rig *)arg)->up, "%s\n", backend_state_name(now));
}

static void note_hello(void *arg, const struct backend_hello *hello)
{
	(void)hello;
	buf_printf(&((struct rig *)arg)->up, "hello\n");
}

static void note_list(void *arg, enum list_kind kind, struct item_list *list)
{
	(void)kind;
	item_list_free(list);
	buf_printf(&((struct rig *)arg)->up, "list\n");
}

static void note_notification(void *arg, const struct backend_link *from, const struct message *m)
{
	(void)m;
	buf_printf(&((struct rig *)arg)->up, "from %llu\n", (unsigned long long)from->session);
}

static uint64_t last_ask;

static void note_ask(void *arg, const struct backend_ask *ask, const struct message *m)
{
	(void)m;
	last_ask = ask->id;
	buf_printf(&((struct rig *)arg)->up, "ask from %llu\n", (unsigned long long)ask->link->session);
}

static void note_ask_ended(void *arg, uint64_t id)
{
	assert_int_equal(id, last_ask);
	buf_printf(&((struct rig *)arg)->up, "no ask\n");
}

static void note_agreed(void *arg, uint64_t session, enum wanted_kind kind, struct span text, bool yes)
{
	(void)kind;
	buf_printf(&((struct rig *)arg)->up, "%s %.*s for %llu\n", yes ? "agrees" : "refuses", SPAN_ARG(text),
	        (unsigned long long)session);
}

static const struct backend_events events = {
	.state = note_state,
	.hello = note_hello,
	.list = note_list,
	.notification = note_notification,
	.agreed = note_agreed,
	.ask = note_ask,
	.ask_ended = note_ask_ended,
};

static void note_end(struct backend_call *call, enum end_reason why, enum outcome outcome, const struct message *answer)
{
	struct noted *n = list_entry(call, struct noted, call);

	assert_null(answer);
	n->ends++;
	n->why = why;
	n->outcome = outcome;
}

static const struct backend_sink sink = { .ended = note_end };

/* ---- the rig ---- */

static void rig_open(struct rig *r)
{
	const struct isolated_maker maker = { .make = make, .arg = r };

	*r = (struct rig){ .conf = { .name = "s", .max_processes = 2, .idle = IDLE_ADAPTIVE, .stop_eof_ms = 500 } };
	sched_init(&r->sched, (mono_t){ 1000 });
	r->b = isolated_backend_new(&r->sched, &r->conf, &maker, &events, r, &(struct logger){ 0 });
	assert_int_equal(r->count, 1);
	assert_false(r->made[0]->whom->without_lists);
}

static void set_state(struct rig *r, int i, enum backend_state state)
{
	r->made[i]->base.events->state(r->made[i]->base.arg, state, "", 0);
	sched_run_posts(&r->sched);
}

static void expect(struct buf *notes, const char *wanted)
{
	if (!span_eq(buf_span(notes), span_of(wanted)))
		fail_msg("got:\n%.*s\nwanted:\n%s", SPAN_ARG(buf_span(notes)), wanted);
	buf_free(notes);
}

static void rig_close(struct rig *r)
{
	r->b->ops->stop(r->b, BACKEND_STOP_KILL);
	for (int i = 0; i < r->count; i++)
		if (!r->made[i]->freed)
			set_state(r, i, BACKEND_STOPPED);
	r->b->ops->free(r->b);
	for (int i = 0; i < r->count; i++) {
		assert_true(r->made[i]->freed);
		free(r->made[i]);
	}
	buf_free(&r->up);
	sched_clear(&r->sched);
}

static void submit(struct rig *r, struct noted *n, uint64_t session, unsigned capabilities)
{
	struct message m = { .kind = MESSAGE_REQUEST };

	*n = (struct noted){
		.client = { .session = session, .revision = REVISION_2025_11_25, .capabilities = capabilities }
	};
	n->call = (struct backend_call){ .sink = &sink, .client = &n->client };
	r->b->ops->submit(r->b, &n->call, &m, (struct splice){ SPAN_NONE, SPAN_NONE });
	sched_run_posts(&r->sched);
}

/* ---- tests ---- */

static void test_each_session_has_a_member_and_the_lists_come_from_the_main_one(void **state)
{
	struct noted a, b, again;
	struct item_list list = { .text = mem_alloc(1) };
	struct rig r;

	(void)state;
	rig_open(&r);
	r.b->ops->start(r.b);
	expect(&r.made[0]->down, "start\n");
	submit(&r, &a, 1, CLIENT_ROOTS);
	submit(&r, &b, 2, CLIENT_SAMPLING);
	submit(&r, &again, 1, CLIENT_ROOTS);
	assert_int_equal(r.count, 3);
	assert_int_equal(r.made[1]->whom->capabilities, CLIENT_ROOTS);
	assert_true(r.made[1]->whom->without_lists);
	expect(&r.made[1]->down, "submit\nsubmit\n");
	expect(&r.made[2]->down, "submit\n");
	assert_ptr_equal(a.call.link, again.call.link);
	assert_int_equal(b.call.link->session, 2);
	set_state(&r, 0, BACKEND_READY);
	set_state(&r, 1, BACKEND_READY);
	r.made[0]->base.events->hello(r.made[0]->base.arg, &(struct backend_hello){ 0 });
	r.made[1]->base.events->hello(r.made[1]->base.arg, &(struct backend_hello){ 0 });
	r.made[1]->base.events->list(r.made[1]->base.arg, LIST_TOOLS, &list);
	r.made[1]->base.events->notification(r.made[1]->base.arg, r.made[1]->whom->link, NULL);
	r.made[1]->base.events->agreed(r.made[1]->base.arg, 7, WANTED_RESOURCE, SPAN("u"), true);
	expect(&r.up, "ready\nhello\nfrom 1\nagrees u for 7\n");
	assert_int_equal(r.b->ops->cancel(r.b, &b.call, SPAN_NONE), OUTCOME_UNKNOWN);
	expect(&r.made[2]->down, "cancel\n");
	rig_close(&r);
}

static void test_clients_without_a_session_share_by_what_they_can_do(void **state)
{
	struct noted a, b, c;
	struct rig r;

	(void)state;
	rig_open(&r);
	submit(&r, &a, 0, CLIENT_SAMPLING);
	submit(&r, &b, 0, 0);
	submit(&r, &c, 0, CLIENT_SAMPLING);
	assert_int_equal(r.count, 3);
	assert_ptr_equal(a.call.link, c.call.link);
	assert_int_equal(a.call.link->session, 0);
	rig_close(&r);
}

static void test_there_are_at_most_so_many(void **state)
{
	struct noted a, b, c, d;
	struct rig r;

	(void)state;
	rig_open(&r);
	submit(&r, &a, 1, 0);
	submit(&r, &b, 2, 0);
	submit(&r, &c, 3, 0);
	assert_int_equal(c.ends, 1);
	assert_int_equal(c.why, END_OVERLOADED);
	assert_int_equal(c.outcome, OUTCOME_NOT_SENT);
	r.made[1]->in_flight = 0;
	r.b->ops->end_session(r.b, 1);
	submit(&r, &d, 3, 0);
	assert_int_equal(d.ends, 0);
	assert_int_equal(r.count, 4);
	/* those that are on their way out are bounded too */
	r.made[2]->in_flight = r.made[3]->in_flight = 0;
	r.b->ops->end_session(r.b, 2);
	submit(&r, &a, 4, 0);
	assert_int_equal(r.count, 5);
	r.b->ops->end_session(r.b, 3);
	submit(&r, &b, 5, 0);
	assert_int_equal(b.why, END_OVERLOADED);
	set_state(&r, 1, BACKEND_STOPPED);
	submit(&r, &b, 5, 0);
	assert_int_equal(b.ends, 0);
	rig_close(&r);
}

static void test_a_call_that_was_refused_can_be_cancelled_before_it_is_told(void **state)
{
	struct noted n = { .client = { .session = 9 } };
	struct message m = { .kind = MESSAGE_REQUEST };
	struct rig r;

	(void)state;
	rig_open(&r);
	r.b->ops->no_more(r.b);
	n.call = (struct backend_call){ .sink = &sink, .client = &n.client };
	r.b->ops->submit(r.b, &n.call, &m, (struct splice){ SPAN_NONE, SPAN_NONE });
	assert_int_equal(r.b->ops->cancel(r.b, &n.call, SPAN_NONE), OUTCOME_NOT_SENT);
	sched_run_posts(&r.sched);
	assert_int_equal(n.ends, 0);
	submit(&r, &n, 9, 0);
	assert_int_equal(n.why, END_BACKEND_UNAVAILABLE);
	rig_close(&r);
}

static void test_a_member_ends_with_its_session_when_its_calls_have(void **state)
{
	struct noted a, b;
	struct rig r;

	(void)state;
	rig_open(&r);
	submit(&r, &a, 1, 0);
	submit(&r, &b, 2, 0);
	r.made[1]->in_flight = 0;
	buf_free(&r.made[1]->down);
	buf_free(&r.made[2]->down);
	r.b->ops->end_session(r.b, 1);
	expect(&r.made[1]->down, "stop 0\n");
	r.b->ops->limit_stop(r.b, 100, 100);
	r.b->ops->end_session(r.b, 2);
	expect(&r.made[2]->down, "limit 100 100\nconfigure fixed 100\n");
	r.b->ops->configure(r.b, &r.conf);
	expect(&r.made[2]->down, "configure fixed 100\n");
	r.made[2]->in_flight = 0;
	set_state(&r, 2, BACKEND_IDLE);
	expect(&r.made[2]->down, "stop 0\n");
	set_state(&r, 2, BACKEND_STOPPED);
	assert_true(r.made[2]->freed);
	expect(&r.up, "");
	rig_close(&r);
}

static void test_a_member_that_is_idle_or_falls_without_a_call_ends(void **state)
{
	struct noted a, b;
	struct rig r;

	(void)state;
	rig_open(&r);
	submit(&r, &a, 1, 0);
	submit(&r, &b, 2, 0);
	buf_free(&r.made[1]->down);
	set_state(&r, 1, BACKEND_BACKOFF); /* a call waits for the next try */
	expect(&r.made[1]->down, "");
	r.made[1]->in_flight = r.made[2]->in_flight = 0;
	set_state(&r, 1, BACKEND_BACKOFF);
	expect(&r.made[1]->down, "stop 0\n");
	set_state(&r, 2, BACKEND_IDLE);
	expect(&r.made[2]->down, "submit\nstop 0\n");
	submit(&r, &a, 1, 0);
	assert_int_equal(r.count, 4);
	rig_close(&r);
}

static void set_failures(struct rig *r, unsigned failures)
{
	const struct backend *main = &r->made[0]->base;

	main->events->state(main->arg, failures > 0 ? BACKEND_BACKOFF : BACKEND_READY, "", failures);
}

static void test_clients_do_not_try_by_themselves_what_has_failed_again_and_again(void **state)
{
	struct noted a, b;
	struct rig r;

	(void)state;
	rig_open(&r);
	set_failures(&r, LIFE_HOPELESS - 1);
	submit(&r, &a, 1, 0);
	assert_int_equal(r.count, 2);
	set_failures(&r, LIFE_HOPELESS);
	submit(&r, &b, 2, 0);
	assert_int_equal(r.count, 2);
	assert_int_equal(b.ends, 1);
	assert_int_equal(b.why, END_BACKEND_UNAVAILABLE);
	assert_int_equal(b.outcome, OUTCOME_NOT_SENT);
	submit(&r, &a, 1, 0); /* there is one already */
	assert_int_equal(a.ends, 0);
	set_failures(&r, 0);
	submit(&r, &b, 2, 0);
	assert_int_equal(r.count, 3);
	assert_int_equal(b.ends, 0);
	rig_close(&r);
}

static void test_it_has_stopped_when_all_have(void **state)
{
	struct noted a;
	struct rig r;

	(void)state;
	rig_open(&r);
	submit(&r, &a, 1, 0);
	r.b->ops->no_more(r.b);
	set_state(&r, 0, BACKEND_STOPPED); /* it had no process, the member has: the gateway must not leave yet */
	expect(&r.up, "stopping\n");
	submit(&r, &a, 1, 0);
	assert_int_equal(a.ends, 0);
	r.b->ops->stop(r.b, BACKEND_STOP_FAST);
	expect(&r.made[1]->down, "submit\nno more\nsubmit\nstop 1\n");
	set_state(&r, 1, BACKEND_STOPPED);
	expect(&r.up, "stopped\n");
	rig_close(&r);
}

static void test_what_members_ask_is_answered_to_the_right_one(void **state)
{
	const struct pieces outcome = { 0 };
	struct noted a, b;
	struct rig r;

	(void)state;
	rig_open(&r);
	submit(&r, &a, 1, 0);
	submit(&r, &b, 2, 0);
	buf_free(&r.made[1]->down);
	for (int i = 1; i < 3; i++) {
		struct backend_ask ask = { .id = 5, .link = r.made[i]->whom->link };
		r.made[i]->base.events->ask(r.made[i]->base.arg, &ask, NULL);
		if (i == 1)
			r.b->ops->answer(r.b, last_ask, &outcome);
	}
	expect(&r.up, "ask from 1\nask from 2\n");
	expect(&r.made[1]->down, "answer 5\n");
	r.made[2]->base.events->ask_ended(r.made[2]->base.arg, 5);
	expect(&r.up, "no ask\n");
	r.b->ops->answer(r.b, (uint64_t)77 << 40 | 5, &outcome);
	rig_close(&r);
}

static void test_what_is_told_reaches_all_and_those_that_come_later(void **state)
{
	struct noted a, b;
	struct rig r;

	(void)state;
	rig_open(&r);
	submit(&r, &a, 1, 0);
	expect(&r.made[0]->down, "start\n"); /* it is in use now */
	buf_free(&r.made[1]->down);
	r.b->ops->tell(r.b, METHOD_SET_LEVEL, SPAN("{1}"));
	expect(&r.made[0]->down, "tell {1}\n");
	expect(&r.made[1]->down, "tell {1}\n");
	submit(&r, &b, 2, 0);
	set_state(&r, 2, BACKEND_READY);
	expect(&r.made[2]->down, "submit\ntell {1}\n");
	r.b->ops->notify(r.b, 2, METHOD_ROOTS_CHANGED, SPAN_NONE);
	r.b->ops->notify(r.b, 3, METHOD_ROOTS_CHANGED, SPAN_NONE);
	expect(&r.made[2]->down, "notify 2\n");
	expect(&r.made[1]->down, "");
	rig_close(&r);
}

static void test_the_figures_are_of_all(void **state)
{
	struct backend_stats stats;
	struct noted a, b;
	struct rig r;

	(void)state;
	rig_open(&r);
	submit(&r, &a, 1, 0);
	submit(&r, &b, 2, 0);
	r.b->ops->stats(r.b, &stats);
	assert_int_equal(stats.in_flight, 2);
	assert_int_equal(stats.processes, 3);
	set_state(&r, 1, BACKEND_STOPPED);
	r.b->ops->stats(r.b, &stats);
	assert_int_equal(stats.starts, 3);
	assert_int_equal(stats.processes, 2);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_session_has_a_member_and_the_lists_come_from_the_main_one),
		cmocka_unit_test(test_clients_without_a_session_share_by_what_they_can_do),
		cmocka_unit_test(test_there_are_at_most_so_many),
		cmocka_unit_test(test_a_call_that_was_refused_can_be_cancelled_before_it_is_told),
		cmocka_unit_test(test_a_member_ends_with_its_session_when_its_calls_have),
		cmocka_unit_test(test_a_member_that_is_idle_or_falls_without_a_call_ends),
		cmocka_unit_test(test_clients_do_not_try_by_themselves_what_has_failed_again_and_again),
		cmocka_unit_test(test_it_has_stopped_when_all_have),
		cmocka_unit_test(test_what_members_ask_is_answered_to_the_right_one),
		cmocka_unit_test(test_what_is_told_reaches_all_and_those_that_come_later),
		cmocka_unit_test(test_the_figures_are_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
