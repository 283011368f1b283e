/* The lifecycle with the real gateway, one server that does what a test says, and time that a test moves. */
#include "gateway/lifecycle.h"

#include <string.h>

#include "base/mem.h"
#include "unit.h"

#define SECONDS(n) ((msec_t)((n)*1000))

struct rig {
	struct sched sched;
	struct gateway *gw;
	struct lifecycle *l;
	struct session *session;
	struct backend server;
	struct list calls; /* at the server */
	struct post stopped, closed;
	mono_t last_request;
	bool announced, left;
	unsigned rests_ended;
	unsigned ended[END_REASON_COUNT]; /* as the clients heard it */
};

static const char *const argv[] = { "server", NULL };
static const struct backend_conf server_conf = {
	.name = "s",
	.startup = STARTUP_REQUIRED,
	.request_timeout_ms = SECONDS(3600),
	.max_request_timeout_ms = SECONDS(3600),
	.stop_eof_ms = SECONDS(2),
	.stop_term_ms = SECONDS(2),
	.argv = argv,
};
static const struct lifecycle_conf defaults = {
	.grace_ms = SECONDS(30),
	.lame_duck_min_ms = SECONDS(5),
	.lame_duck_quiet_ms = SECONDS(2),
	.lame_duck_max_ms = SECONDS(10),
	.margin_ms = SECONDS(2),
};

/* ---- the server ---- */

static struct rig *rig_of(struct backend *b)
{
	return list_entry(b, struct rig, server);
}

static void server_is(struct rig *r, enum backend_state state)
{
	r->server.events->state(r->server.arg, state, "", 0);
}

static void on_start(struct backend *b)
{
	(void)b;
}

static void on_submit(struct backend *b, struct backend_call *call, const struct message *m, struct splice name)
{
	(void)m;
	(void)name;
	list_append(&rig_of(b)->calls, &call->node);
}

static enum outcome on_cancel(struct backend *b, struct backend_call *call, struct span reason)
{
	(void)b;
	(void)reason;
	list_unlink(&call->node);
	return OUTCOME_UNKNOWN;
}

static void on_tell(struct backend *b, enum method method, struct span params)
{
	(void)b;
	(void)method;
	(void)params;
}

static void on_stopped(void *arg)
{
	server_is(arg, BACKEND_STOPPED);
}

static void on_stop(struct backend *b, enum backend_stop how)
{
	(void)how;
	post_set(&rig_of(b)->sched, &rig_of(b)->stopped, on_stopped, rig_of(b));
}

static void on_no_more(struct backend *b)
{
	(void)b;
}

static void on_limit_stop(struct backend *b, msec_t eof_ms, msec_t term_ms)
{
	(void)b;
	(void)eof_ms;
	(void)term_ms;
}

static void on_stats(const struct backend *b, struct backend_stats *stats)
{
	(void)b;
	*stats = (struct backend_stats){ 0 };
}

static void on_free(struct backend *b)
{
	(void)b;
}

static const struct backend_ops server_ops = {
	.start = on_start,
	.submit = on_submit,
	.cancel = on_cancel,
	.tell = on_tell,
	.stop = on_stop,
	.no_more = on_no_more,
	.limit_stop = on_limit_stop,
	.stats = on_stats,
	.free = on_free,
};

/* ---- a client ---- */

static void on_message(void *arg, const struct pieces *json)
{
	(void)arg;
	(void)json;
}

static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct rig *r = arg;

	(void)json;
	r->ended[why]++;
}

static const struct reply_port port = { .message = on_message, .ended = on_ended };

/* False: refused. */
static bool call(struct rig *r)
{
	const struct span text =
	        SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"s__t\"}}");
	struct buf error = { 0 };
	enum end_reason why;
	struct message_fault fault;
	struct message m;

	assert_true(message_parse(text, 16, &m, &fault));
	r->last_request = r->sched.now;
	bool accepted =
	        gateway_submit(r->gw, r->session, SCOPE_ALL, &m, &port, r, &(struct refusal){ &why, &error }) != NULL;
	buf_free(&error);
	return accepted;
}

static void answer(struct rig *r)
{
	struct backend_call *c = list_entry(list_take_first(&r->calls), struct backend_call, node);
	struct message_fault fault;
	struct message m;

	assert_true(message_parse(SPAN("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}"), 16, &m, &fault));
	c->sink->ended(c, END_RESULT, OUTCOME_KNOWN, &m);
}

/* ---- the world of the lifecycle ---- */

static void on_announce(void *arg, bool on)
{
	((struct rig *)arg)->announced = on;
}

static void on_end_resting(void *arg)
{
	((struct rig *)arg)->rests_ended++;
}

static mono_t on_last_request(void *arg)
{
	return ((struct rig *)arg)->last_request;
}

static void on_closed(void *arg)
{
	lifecycle_fronts_done(((struct rig *)arg)->l);
}

static void on_close_fronts(void *arg, mono_t deadline)
{
	struct rig *r = arg;

	(void)deadline;
	post_set(&r->sched, &r->closed, on_closed, r);
}

static void on_kill(void *arg)
{
	(void)arg;
}

static mono_t on_signalled(void *arg)
{
	(void)arg;
	return MONO_NEVER;
}

static void on_arm_backstop(void *arg, mono_t at)
{
	(void)arg;
	(void)at;
}

static void on_phase(void *arg)
{
	(void)arg;
}

static void on_exit_now(void *arg)
{
	((struct rig *)arg)->left = true;
}

static const struct lifecycle_ops ops = {
	.announce = on_announce,
	.end_resting = on_end_resting,
	.last_request = on_last_request,
	.close_fronts = on_close_fronts,
	.kill_backends = on_kill,
	.signalled = on_signalled,
	.arm_backstop = on_arm_backstop,
	.phase = on_phase,
	.exit = on_exit_now,
};

static void settle(struct rig *r)
{
	while (!list_is_empty(&r->sched.posts))
		sched_run_posts(&r->sched);
}

/* Time goes on, in the steps in which something happens. */
static void pass(struct rig *r, msec_t ms)
{
	mono_t until = mono_add(r->sched.now, ms);

	settle(r);
	while (mono_past(sched_first(&r->sched), until)) {
		sched_run_timers(&r->sched, sched_first(&r->sched));
		settle(r);
	}
	sched_run_timers(&r->sched, until);
	settle(r);
}

static struct rig *make(const struct lifecycle_conf *conf)
{
	static const struct session_conf sessions = { .idle_timeout_ms = SECONDS(36000), .max = 10, .required = true };
	const struct gateway_conf gateway = {
		.servers = &server_conf,
		.server_count = 1,
		.prefixed = true,
		.page_items = 100,
		.max_in_flight = 100,
		.max_in_flight_per_session = 100,
		.version = "test",
		.fail_on_required_loss = conf->fail_on_required_loss,
	};
	struct rig *r = NEW(struct rig);
	struct logger silent = { 0 };

	sched_init(&r->sched, (mono_t){ SECONDS(1000) });
	list_init(&r->calls);
	struct sessions *all = sessions_new(&sessions, NULL, &r->sched, 1);
	r->gw = gateway_new(&gateway, &r->sched, all, &silent);
	r->session = session_create_local(all, &(struct session_info){ 0 });
	r->server =
	        (struct backend){ &server_ops, &server_conf, &gateway_backend_events, gateway_backend_arg(r->gw, 0) };
	gateway_attach(r->gw, 0, &r->server);
	r->l = lifecycle_new(
	        conf, server_conf.stop_eof_ms, server_conf.stop_term_ms, r->gw, &r->sched, &ops, r, &silent);
	lifecycle_start(r->l);
	pass(r, 0);
	return r;
}

/* Ready, and nobody has asked for anything in a while. */
static struct rig *make_ready(const struct lifecycle_conf *conf)
{
	struct rig *r = make(conf);

	server_is(r, BACKEND_READY);
	pass(r, SECONDS(60));
	assert_true(lifecycle_is_ready(r->l));
	return r;
}

static void end(struct rig *r)
{
	for (int i = 0; i < 3 && !r->left; i++)
		lifecycle_stop(r->l, STOP_TERM);
	pass(r, SECONDS(3600));
	assert_true(r->left);
	lifecycle_free(&r->l);
	gateway_free(&r->gw);
	sched_clear(&r->sched);
	free(r);
}

static void phase_is(const struct rig *r, const char *wanted)
{
	assert_string_equal(phase_name(lifecycle_phase(r->l)), wanted);
}

/* Nothing changes until shortly before that, and it has then. */
#define CHANGES_AT(r, seconds, condition)        \
	do {                                     \
		pass((r), SECONDS(seconds) - 1); \
		assert_false(condition);         \
		pass((r), 2);                    \
		assert_true(condition);          \
	} while (0)

/* ---- a drain and its ways on ---- */

static void test_a_drain_lasts_and_serves_until_it_is_cancelled(void **state)
{
	struct rig *r = make_ready(&defaults);
	struct drain_state d;

	(void)state;
	lifecycle_drain(r->l, false);
	pass(r, SECONDS(3600));
	phase_is(r, "lame_duck");
	assert_true(r->announced && !lifecycle_is_ready(r->l) && lifecycle_is_started(r->l));
	assert_true(call(r));
	lifecycle_drain_state(r->l, &d);
	assert_true(!d.drained && d.in_flight == 1 && d.since_ms == SECONDS(3600) && d.left_ms == -1);
	assert_true(lifecycle_drain_cancel(r->l));
	assert_true(!r->announced && lifecycle_is_ready(r->l));
	lifecycle_drain_state(r->l, &d);
	assert_true(!d.drained && d.since_ms == -1);
	end(r);
}

static void test_a_cancelled_drain_is_ready_also_with_a_required_server_down(void **state)
{
	struct rig *r = make_ready(&defaults);

	(void)state;
	lifecycle_drain(r->l, false);
	server_is(r, BACKEND_BACKOFF);
	pass(r, SECONDS(60));
	assert_true(lifecycle_drain_cancel(r->l) && lifecycle_is_ready(r->l));
	end(r);
}

static void test_time_spent_in_a_drain_counts_towards_lame_duck(void **state)
{
	struct rig *r = make_ready(&defaults);

	(void)state;
	lifecycle_drain(r->l, false);
	pass(r, SECONDS(3));
	lifecycle_stop(r->l, STOP_TERM);
	assert_false(lifecycle_drain_cancel(r->l));
	phase_is(r, "lame_duck");
	CHANGES_AT(r, 2, r->left); /* min of 5 s; nothing is in flight */
	end(r);
}

static void test_a_drain_that_was_long_enough_leaves_nothing_to_wait_for(void **state)
{
	struct rig *r = make_ready(&defaults);

	(void)state;
	lifecycle_drain(r->l, false);
	pass(r, SECONDS(600));
	assert_true(call(r));
	assert_int_equal(r->rests_ended, 0); /* in lame-duck all is as before */
	lifecycle_stop(r->l, STOP_TERM);
	pass(r, 1);
	phase_is(r, "draining");
	assert_int_equal(r->rests_ended, 1);
	CHANGES_AT(r, 23.5 - 0.001, r->ended[END_DRAINING] == 1); /* T0 is the signal */
	end(r);
}

/* Hook, then the signal so long after it: so long after the hook calls are cut. */
static void hook_then_signal(double signal, double cut, double gone)
{
	struct rig *r = make_ready(&defaults);
	mono_t hook = r->sched.now;

	assert_true(call(r));
	lifecycle_drain(r->l, true);
	pass(r, SECONDS(signal));
	assert_false(r->left);
	lifecycle_stop(r->l, STOP_TERM);
	CHANGES_AT(r, cut - signal, r->ended[END_DRAINING] == 1);
	assert_true(r->left && mono_diff(r->sched.now, hook) <= SECONDS(gone));
	end(r);
}

static void test_a_hook_is_the_beginning_of_the_grace_period(void **state)
{
	(void)state;
	hook_then_signal(0, 23.5, 28);
	hook_then_signal(10, 23.5, 28);
	hook_then_signal(20, 24, 28); /* 8 s are left but for margin: half of them */
}

static void test_a_hook_that_ate_the_grace_period_leaves_two_seconds(void **state)
{
	(void)state;
	hook_then_signal(29, 29.75, 31);
	hook_then_signal(31, 31.75, 33);
	hook_then_signal(600, 600.75, 602);
}

static void test_a_hook_that_runs_again_does_not_prolong_the_budget(void **state)
{
	struct rig *r = make_ready(&defaults);

	(void)state;
	assert_true(call(r));
	lifecycle_drain(r->l, false);
	pass(r, SECONDS(4));
	lifecycle_drain(r->l, true);
	pass(r, SECONDS(8));
	lifecycle_drain(r->l, true);
	pass(r, SECONDS(2));
	lifecycle_stop(r->l, STOP_TERM);
	lifecycle_drain(r->l, true);
	CHANGES_AT(r, 23.5 - 10, r->ended[END_DRAINING] == 1);
	end(r);
}

static void test_a_cancel_forgets_the_hook(void **state)
{
	struct rig *r = make_ready(&defaults);

	(void)state;
	assert_true(call(r));
	lifecycle_drain(r->l, true);
	pass(r, SECONDS(20));
	assert_true(lifecycle_drain_cancel(r->l));
	lifecycle_stop(r->l, STOP_TERM);
	CHANGES_AT(r, 23.5, r->ended[END_DRAINING] == 1);
	end(r);
}

static void test_a_hook_alone_never_ends_the_process(void **state)
{
	struct rig *r = make_ready(&defaults);
	struct drain_state d;

	(void)state;
	lifecycle_drain(r->l, true);
	lifecycle_drain_state(r->l, &d);
	assert_int_equal(d.left_ms, SECONDS(28));
	pass(r, SECONDS(86400));
	phase_is(r, "lame_duck");
	assert_true(call(r));
	end(r);
}

/* ---- before the start is over ---- */

static void test_a_drain_while_starting_goes_on_with_the_start(void **state)
{
	struct rig *r = make(&defaults);

	(void)state;
	lifecycle_drain(r->l, false);
	phase_is(r, "lame_duck");
	server_is(r, BACKEND_READY);
	pass(r, 1);
	assert_true(lifecycle_is_started(r->l) && !lifecycle_is_ready(r->l));
	assert_true(lifecycle_drain_cancel(r->l) && lifecycle_is_ready(r->l));
	end(r);
}

static void test_sigterm_after_a_drain_while_starting_ends_at_once(void **state)
{
	struct rig *r = make(&defaults);

	(void)state;
	lifecycle_drain(r->l, true);
	assert_true(lifecycle_is_drained(r->l));
	lifecycle_stop(r->l, STOP_TERM);
	pass(r, 1);
	assert_true(r->left);
	end(r);
}

static void test_a_start_deadline_that_was_met_does_not_end_a_drain(void **state)
{
	struct lifecycle_conf conf = defaults;
	struct rig *r;

	(void)state;
	conf.start_deadline_ms = SECONDS(90);
	r = make_ready(&conf);
	lifecycle_drain(r->l, false);
	pass(r, SECONDS(600));
	phase_is(r, "lame_duck");
	end(r);
}

static void test_a_start_deadline_ends_a_drain_that_never_was_ready(void **state)
{
	struct lifecycle_conf conf = defaults;
	struct lifecycle_summary sum;

	(void)state;
	conf.start_deadline_ms = SECONDS(90);
	struct rig *r = make(&conf);
	lifecycle_drain(r->l, false);
	CHANGES_AT(r, 90, r->left);
	lifecycle_summary(r->l, &sum);
	assert_string_equal(sum.reason, "fatal");
	end(r);
}

/* The deadline was nobody's signal: the calls keep their time when the first one comes. */
static void test_the_first_signal_after_a_missed_start_deadline_hurries_nobody(void **state)
{
	struct lifecycle_conf conf = defaults;
	struct lifecycle_summary sum;

	(void)state;
	conf.start_deadline_ms = SECONDS(90);
	struct rig *r = make(&conf);
	assert_true(call(r));
	pass(r, SECONDS(91));
	phase_is(r, "draining");
	lifecycle_stop(r->l, STOP_TERM);
	pass(r, SECONDS(5));
	phase_is(r, "draining");
	lifecycle_stop(r->l, STOP_TERM);
	CHANGES_AT(r, 1, r->ended[END_DRAINING] == 1);
	lifecycle_summary(r->l, &sum);
	assert_string_equal(sum.reason, "fatal");
	end(r);
}

/* ---- who waits ---- */

struct waiting {
	struct drain_wait wait;
	unsigned done;
};

static void on_done(void *arg)
{
	((struct waiting *)arg)->done++;
}

static void wait_for(struct rig *r, struct waiting *w, double seconds)
{
	*w = (struct waiting){ 0 };
	assert_true(lifecycle_wait(r->l, &w->wait, seconds < 0 ? -1 : SECONDS(seconds), on_done, w));
	assert_int_equal(w->done, 0);
}

static void test_a_wait_is_over_when_lame_duck_would_be_and_nothing_is_in_flight(void **state)
{
	struct rig *r = make_ready(&defaults);
	struct waiting w;

	(void)state;
	lifecycle_drain(r->l, false);
	wait_for(r, &w, 60);
	CHANGES_AT(r, 5, w.done == 1);
	assert_true(lifecycle_is_drained(r->l));
	wait_for(r, &w, 60);
	pass(r, 0);
	assert_int_equal(w.done, 1);
	end(r);
}

static void test_a_wait_is_prolonged_by_requests_and_by_calls(void **state)
{
	struct rig *r = make_ready(&defaults);
	struct waiting w;

	(void)state;
	lifecycle_drain(r->l, false);
	wait_for(r, &w, 60);
	pass(r, SECONDS(4));
	assert_true(call(r));
	answer(r);
	CHANGES_AT(r, 2, w.done == 1); /* quiet */
	assert_true(call(r));
	wait_for(r, &w, 60);
	pass(r, SECONDS(50));
	assert_int_equal(w.done, 0);
	answer(r);
	pass(r, 0);
	assert_int_equal(w.done, 1);
	end(r);
}

static void test_a_wait_has_an_end_that_defaults_to_the_longest_lame_duck(void **state)
{
	struct rig *r = make_ready(&defaults);
	struct waiting w;

	(void)state;
	assert_true(call(r));
	lifecycle_drain(r->l, false);
	wait_for(r, &w, -1);
	CHANGES_AT(r, 10, w.done == 1);
	assert_false(lifecycle_is_drained(r->l));
	wait_for(r, &w, 3);
	CHANGES_AT(r, 3, w.done == 1);
	end(r);
}

static void test_a_hook_does_not_wait_for_so_long_that_the_signal_finds_no_time(void **state)
{
	struct rig *r = make_ready(&defaults);
	struct waiting w;

	(void)state;
	assert_true(call(r));
	lifecycle_drain(r->l, true);
	wait_for(r, &w, 3600);
	CHANGES_AT(r, 23.5, w.done == 1);
	end(r);
}

static void test_a_cancel_ends_a_wait(void **state)
{
	struct rig *r = make_ready(&defaults);
	struct waiting w;

	(void)state;
	lifecycle_drain(r->l, false);
	wait_for(r, &w, 60);
	lifecycle_drain_cancel(r->l);
	pass(r, 0);
	assert_int_equal(w.done, 1);
	assert_false(lifecycle_is_drained(r->l));
	end(r);
}

static void test_a_wait_goes_on_after_the_signal_and_never_beyond_the_process(void **state)
{
	struct rig *r = make_ready(&defaults);
	struct waiting w, late;

	(void)state;
	assert_true(call(r));
	lifecycle_stop(r->l, STOP_TERM);
	wait_for(r, &w, 3600);
	wait_for(r, &late, 3600);
	pass(r, SECONDS(12));
	phase_is(r, "draining");
	assert_int_equal(w.done, 0);
	lifecycle_wait_cancel(&w.wait);
	CHANGES_AT(r, 11.5, late.done == 1);
	assert_int_equal(w.done, 0);
	end(r);
}

static void test_a_third_signal_answers_who_waits(void **state)
{
	struct rig *r = make_ready(&defaults);
	struct waiting w;

	(void)state;
	assert_true(call(r));
	lifecycle_drain(r->l, false);
	wait_for(r, &w, 3600);
	lifecycle_stop(r->l, STOP_QUIT);
	pass(r, 0);
	assert_true(w.done == 1 && r->left);
	end(r);
}

static void test_no_more_than_a_bound_may_wait(void **state)
{
	static struct waiting all[DRAIN_WAITS_MAX];
	struct rig *r = make_ready(&defaults);
	struct waiting more = { 0 };

	(void)state;
	lifecycle_drain(r->l, false);
	for (size_t i = 0; i < DRAIN_WAITS_MAX; i++)
		wait_for(r, &all[i], 60);
	assert_false(lifecycle_wait(r->l, &more.wait, 0, on_done, &more));
	lifecycle_wait_cancel(&all[3].wait);
	wait_for(r, &more, 60);
	pass(r, SECONDS(6));
	for (size_t i = 0; i < DRAIN_WAITS_MAX; i++)
		assert_int_equal(all[i].done, i != 3);
	assert_int_equal(more.done, 1);
	end(r);
}

/* ---- a configuration that was read again ---- */

static void test_a_new_configuration_counts_until_the_signal(void **state)
{
	struct lifecycle_conf conf = defaults;
	struct rig *r = make_ready(&defaults);

	(void)state;
	assert_true(call(r));
	conf.grace_ms = SECONDS(60);
	lifecycle_reconfigure(r->l, &conf, SECONDS(1), SECONDS(1));
	lifecycle_stop(r->l, STOP_TERM);
	lifecycle_reconfigure(r->l, &defaults, SECONDS(2), SECONDS(2));
	CHANGES_AT(r, 55.5, r->ended[END_DRAINING] == 1);
	end(r);
}

/* ---- readiness ---- */

static void test_losing_a_required_server_does_not_flap_readiness(void **state)
{
	struct rig *r = make_ready(&defaults);

	(void)state;
	server_is(r, BACKEND_BACKOFF);
	pass(r, SECONDS(3600));
	assert_true(lifecycle_is_ready(r->l) && gateway_is_degraded(r->gw));
	server_is(r, BACKEND_READY);
	assert_true(lifecycle_is_ready(r->l) && !gateway_is_degraded(r->gw));
	end(r);
}

static void test_a_loss_fails_readiness_after_30_s_if_that_is_asked_for(void **state)
{
	struct lifecycle_conf conf = defaults;
	struct rig *r;

	(void)state;
	conf.fail_on_required_loss = true;
	r = make_ready(&conf);
	server_is(r, BACKEND_BACKOFF);
	pass(r, SECONDS(10));
	server_is(r, BACKEND_STARTING);
	server_is(r, BACKEND_BACKOFF); /* a try that failed is the same loss */
	CHANGES_AT(r, 20, !lifecycle_is_ready(r->l));
	assert_true(lifecycle_is_started(r->l));
	server_is(r, BACKEND_READY);
	assert_true(lifecycle_is_ready(r->l));
	server_is(r, BACKEND_BACKOFF);
	pass(r, SECONDS(29));
	assert_true(lifecycle_is_ready(r->l));
	end(r);
}

/* ---- the last line ---- */

static void test_the_summary_counts_each_call_that_ended_after_the_signal_once(void **state)
{
	struct rig *r = make_ready(&defaults);
	struct lifecycle_summary sum;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(call(r));
	answer(r);
	answer(r);
	lifecycle_stop(r->l, STOP_TERM);
	answer(r);
	assert_true(call(r));
	pass(r, SECONDS(12));
	assert_false(call(r));
	pass(r, SECONDS(12));
	lifecycle_summary(r->l, &sum);
	assert_int_equal(sum.completed, 1);
	assert_int_equal(sum.aborted, 3);
	assert_int_equal(sum.refused, 1);
	end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_drain_lasts_and_serves_until_it_is_cancelled),
		cmocka_unit_test(test_a_cancelled_drain_is_ready_also_with_a_required_server_down),
		cmocka_unit_test(test_time_spent_in_a_drain_counts_towards_lame_duck),
		cmocka_unit_test(test_a_drain_that_was_long_enough_leaves_nothing_to_wait_for),
		cmocka_unit_test(test_a_hook_is_the_beginning_of_the_grace_period),
		cmocka_unit_test(test_a_hook_that_ate_the_grace_period_leaves_two_seconds),
		cmocka_unit_test(test_a_hook_that_runs_again_does_not_prolong_the_budget),
		cmocka_unit_test(test_a_cancel_forgets_the_hook),
		cmocka_unit_test(test_a_hook_alone_never_ends_the_process),
		cmocka_unit_test(test_a_drain_while_starting_goes_on_with_the_start),
		cmocka_unit_test(test_sigterm_after_a_drain_while_starting_ends_at_once),
		cmocka_unit_test(test_the_first_signal_after_a_missed_start_deadline_hurries_nobody),
		cmocka_unit_test(test_a_start_deadline_that_was_met_does_not_end_a_drain),
		cmocka_unit_test(test_a_start_deadline_ends_a_drain_that_never_was_ready),
		cmocka_unit_test(test_a_wait_is_over_when_lame_duck_would_be_and_nothing_is_in_flight),
		cmocka_unit_test(test_a_wait_is_prolonged_by_requests_and_by_calls),
		cmocka_unit_test(test_a_wait_has_an_end_that_defaults_to_the_longest_lame_duck),
		cmocka_unit_test(test_a_hook_does_not_wait_for_so_long_that_the_signal_finds_no_time),
		cmocka_unit_test(test_a_cancel_ends_a_wait),
		cmocka_unit_test(test_a_wait_goes_on_after_the_signal_and_never_beyond_the_process),
		cmocka_unit_test(test_a_third_signal_answers_who_waits),
		cmocka_unit_test(test_no_more_than_a_bound_may_wait),
		cmocka_unit_test(test_a_new_configuration_counts_until_the_signal),
		cmocka_unit_test(test_losing_a_required_server_does_not_flap_readiness),
		cmocka_unit_test(test_a_loss_fails_readiness_after_30_s_if_that_is_asked_for),
		cmocka_unit_test(test_the_summary_counts_each_call_that_ended_after_the_signal_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
