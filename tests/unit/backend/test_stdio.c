#include "stdio_rig.h"

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
	        "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"request\":{\"jsonrpc\":\"2.0\",\"id\":4,"
	        "\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"x\":1.0,\"_meta\":{\"progressToken\":4}}}}}");
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
	assert_string_equal(c.answer, "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":1}");
	expect_end(&next, END_RESULT, OUTCOME_KNOWN);
	assert_true(notes_have(&r, "\"data\":1"));
	assert_int_equal(stats_of(&r).dropped, 7); /* progress of no call goes up: it may be of a task */
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
	r.reply = "\"result\":{\"roots\":\n[]}";
	call(&r, &c, "ask");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	assert_true(notes_have(&r, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"));
	assert_true(notes_have(&r, "asks 1 \"roots/list\"\n"));
	assert_true(notes_have(&r, "\"id\":4,\"result\":{\"roots\": []}}"));
	assert_false(notes_have(&r, "asks no more"));
	rig_end(&r);
}

static void test_a_server_takes_its_request_back(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	call(&r, &c, "take_back");
	assert_true(notes_have(&r, "asks 1 \"roots/list\"\nasks no more 1\n"));
	assert_int_equal(stats_of(&r).dropped, 1);
	rig_end(&r);
}

static void test_what_a_server_asked_ends_with_its_process(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	call(&r, &c, "ask_and_exit");
	expect_end(&c, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	assert_true(run_until(&r, is_backoff));
	assert_true(notes_have(&r, "asks no more 1\n"));
	rig_end(&r);
}

static void test_open_requests_of_a_server_are_bounded(void **state)
{
	struct call c;
	struct rig r;

	(void)state;
	rig_start(&r, "ok");
	call(&r, &c, "ask_much");
	assert_true(notes_have(&r, "\"id\":\"m256\",\"error\":{\"code\":-32603,"));
	assert_int_equal(r.asked, 256);
	stop(&r, BACKEND_STOP_LADDER);
	assert_true(run_until(&r, is_stopped));
	assert_true(notes_have(&r, "asks no more 1\n"));
	assert_true(notes_have(&r, "asks no more 256\n"));
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
	        r, "\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":4,\"reason\":\"no more\"}");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_server_is_started_and_serves_calls_under_ids_of_our_own),
		cmocka_unit_test(test_a_call_starts_a_lazy_server_and_waits_for_it),
		cmocka_unit_test(test_answers_may_come_in_any_order),
		cmocka_unit_test(test_lines_that_are_nobodys_are_skipped_and_counted),
		cmocka_unit_test(test_progress_reaches_the_call_that_planted_a_token_and_no_other),
		cmocka_unit_test(test_requests_of_the_server_are_answered_and_never_taken_for_answers),
		cmocka_unit_test(test_a_server_takes_its_request_back),
		cmocka_unit_test(test_what_a_server_asked_ends_with_its_process),
		cmocka_unit_test(test_open_requests_of_a_server_are_bounded),
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
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
