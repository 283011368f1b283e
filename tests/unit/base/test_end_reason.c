#include "unit.h"

#include "base/end_reason.h"

static void test_every_reason_is_complete_and_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (enum end_reason why = (enum end_reason)0; why < END_REASON_COUNT; why++) {
		assert_true(strlen(end_reason_name(why)) > 0);
		assert_true(strlen(end_reason_sentence(why)) > 0);
		assert_in_range(end_reason_http_status(why), 200, 599);
		for (enum end_reason other = (enum end_reason)0; other < why; other++)
			assert_string_not_equal(end_reason_name(why), end_reason_name(other));
	}
}

/* Words that clients and dashboards rely on. */
static void test_names_are_those_of_the_contract(void **state)
{
	(void)state;
	assert_string_equal(end_reason_name(END_DRAINING), "draining");
	assert_string_equal(end_reason_name(END_BACKEND_EXITED), "backend_exited");
	assert_string_equal(end_reason_name(END_BACKEND_TIMEOUT), "backend_timeout");
	assert_string_equal(end_reason_name(END_BACKEND_UNAVAILABLE), "backend_unavailable");
	assert_string_equal(end_reason_name(END_OVERLOADED), "overloaded");
	assert_string_equal(end_reason_name(END_MESSAGE_TOO_LARGE), "message_too_large");
	assert_string_equal(end_reason_name(END_BAD_ANSWER), "bad_answer");
	assert_string_equal(end_reason_name(END_CANCELLED), "cancelled");
	assert_string_equal(end_reason_name(END_CLIENT_GONE), "client_gone");
	assert_int_equal(end_reason_http_status(END_DRAINING), 503);
	assert_int_equal(end_reason_http_status(END_OVERLOADED), 503);
	assert_string_equal(outcome_name(OUTCOME_KNOWN), "known");
	assert_string_equal(outcome_name(OUTCOME_NOT_SENT), "not_sent");
	assert_string_equal(outcome_name(OUTCOME_UNKNOWN), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_reason_is_complete_and_has_a_name_of_its_own),
		cmocka_unit_test(test_names_are_those_of_the_contract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
