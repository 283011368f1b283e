#include "stdio_rig.h"

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

static void test_a_descendant_that_holds_the_pipe_holds_up_nobody(void **state)
{
	struct call c, next;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	call(&r, &c, "leave");
	expect_end(&c, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	call(&r, &next, "echo");
	expect_end(&next, END_RESULT, OUTCOME_KNOWN);
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
		{ "complain", "exited with code 8; the last it said: \"no such directory\"", 10000 },
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

static void test_after_no_more_a_process_that_dies_is_the_last(void **state)
{
	struct call held, killer, late;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	submit_tool(&r, &held, "hold");
	r.b->ops->no_more(r.b);
	call(&r, &killer, "exit"); /* the process that is there goes on */
	expect_end(&held, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	assert_true(run_until(&r, is_stopped));
	call(&r, &late, "echo");
	expect_end(&late, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	assert_int_equal(stats_of(&r).starts, 1);
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

static void test_a_new_configuration_changes_the_times_of_a_process_that_runs(void **state)
{
	struct backend_conf shorter;
	struct rig r;
	struct call c;

	(void)state;
	rig_open(&r, "ok");
	r.conf.stop_eof_ms = r.conf.stop_term_ms = 60000;
	r.conf.idle = IDLE_NEVER;
	rig_new(&r);
	call(&r, &c, "stubborn");
	int pid = stats_of(&r).pid;
	shorter = r.conf;
	shorter.stop_eof_ms = shorter.stop_term_ms = 20;
	r.b->ops->configure(r.b, &shorter);
	assert_int_equal(stats_of(&r).pid, pid);
	stop(&r, BACKEND_STOP_LADDER);
	assert_true(run_until(&r, is_stopped));
	rig_end(&r);
}

static void test_a_new_idle_time_counts_from_the_last_use(void **state)
{
	struct backend_conf brief;
	struct rig r;

	(void)state;
	rig_open(&r, "ok");
	r.conf.idle = IDLE_NEVER;
	rig_new(&r);
	start(&r);
	assert_true(run_until(&r, is_ready));
	brief = r.conf;
	brief.idle = IDLE_FIXED;
	brief.idle_ms = 20;
	r.b->ops->configure(r.b, &brief);
	assert_true(run_until(&r, is_idle));
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

static void test_a_server_that_ends_at_discover_is_started_again_at_once(void **state)
{
	struct rig r;
	struct call c;

	(void)state;
	rig_start(&r, "ends at discover");
	assert_int_equal(stats_of(&r).starts, 2);
	assert_int_equal(stats_of(&r).restarts, 0);
	assert_false(notes_have(&r, "backoff"));
	call(&r, &c, "exit");
	assert_true(run_until(&r, is_backoff));
	assert_true(run_until(&r, is_ready));
	assert_int_equal(stats_of(&r).starts, 3); /* it is known by now */
	rig_end(&r);
}

static void test_the_last_process_is_not_replaced_because_it_ends_at_discover(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "ends at discover");
	rig_new(&r);
	start(&r);
	r.b->ops->no_more(r.b);
	assert_true(run_until(&r, is_stopped));
	assert_int_equal(stats_of(&r).starts, 1);
	rig_end(&r);
}

static void test_a_server_that_says_nothing_to_discover_is_asked_to_initialize(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "ignores discover");
	r.conf.startup_timeout_ms = 3000;
	rig_new(&r);
	start(&r);
	assert_true(run_until(&r, is_ready));
	assert_int_equal(stats_of(&r).starts, 1);
	rig_end(&r);
}

static void test_a_modern_server_gets_all_that_each_request_needs(void **state)
{
	struct rig r;
	struct call waiting, c;

	(void)state;
	rig_open(&r, "modern");
	rig_new(&r);
	submit_tool(&r, &waiting, "echo");
	await(&r, &waiting);
	expect_end(&waiting, END_RESULT, OUTCOME_KNOWN);
	assert_non_null(strstr(waiting.answer, "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\""));
	assert_true(waiting.call.modern);
	call(&r, &c, "echo");
	assert_non_null(strstr(c.answer, "\"io.modelcontextprotocol/clientCapabilities\":{}"));
	assert_true(notes_have(&r, "\"toolsListChanged\":true"));
	r.b->ops->tell(r.b, METHOD_SET_LEVEL, SPAN("{\"level\":\"debug\"}"));
	call(&r, &c, "echo");
	assert_false(notes_have(&r, "logging/setLevel"));
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_server_that_ends_at_discover_is_started_again_at_once),
		cmocka_unit_test(test_the_last_process_is_not_replaced_because_it_ends_at_discover),
		cmocka_unit_test(test_a_server_that_says_nothing_to_discover_is_asked_to_initialize),
		cmocka_unit_test(test_a_modern_server_gets_all_that_each_request_needs),
		cmocka_unit_test(test_calls_of_a_process_that_dies_end_at_once_and_it_comes_back),
		cmocka_unit_test(test_an_answer_that_is_still_in_the_pipe_counts),
		cmocka_unit_test(test_a_descendant_that_holds_the_pipe_holds_up_nobody),
		cmocka_unit_test(test_a_process_that_closes_a_pipe_is_replaced),
		cmocka_unit_test(test_calls_that_were_not_sent_survive_the_process),
		cmocka_unit_test(test_after_5_failed_starts_calls_fail_at_once),
		cmocka_unit_test(test_a_start_that_fails_is_told_with_its_reason),
		cmocka_unit_test(test_a_command_that_is_not_there_is_told_in_a_sentence),
		cmocka_unit_test(test_a_server_with_a_call_in_flight_is_not_idle),
		cmocka_unit_test(test_a_call_during_the_idle_stop_waits_for_the_next_process),
		cmocka_unit_test(test_a_server_that_was_never_started_stops_with_an_event),
		cmocka_unit_test(test_a_polite_stop_ends_queued_calls_at_once_and_sent_ones_with_the_process),
		cmocka_unit_test(test_after_no_more_a_process_that_dies_is_the_last),
		cmocka_unit_test(test_a_stop_can_be_hurried),
		cmocka_unit_test(test_a_new_configuration_changes_the_times_of_a_process_that_runs),
		cmocka_unit_test(test_a_new_idle_time_counts_from_the_last_use),
		cmocka_unit_test(test_a_stop_during_start_backoff_and_idleness_is_obeyed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
