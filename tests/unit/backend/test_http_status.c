#include "backend/http_status.h"

#include "unit.h"

static void test_every_status_has_a_verdict(void **state)
{
	(void)state;
	for (int status = 100; status <= 599; status++) {
		const struct http_verdict *v = http_verdict(status);
		assert_non_null(v->sentence);
		assert_int_not_equal(v->outcome, OUTCOME_KNOWN);
		assert_true(v->why == END_BACKEND_UNAVAILABLE || v->why == END_BAD_ANSWER);
	}
}

static void test_what_was_refused_before_it_was_looked_at_may_be_asked_again(void **state)
{
	static const int before[] = { 401, 403, 404, 405, 406, 408, 413, 415, 421, 429, 503, 302 };
	static const int after[] = { 200, 400, 409, 422, 500, 502, 504 };

	(void)state;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		assert_int_equal(http_verdict(before[i])->outcome, OUTCOME_NOT_SENT);
	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++)
		assert_int_equal(http_verdict(after[i])->outcome, OUTCOME_UNKNOWN);
}

static void test_only_a_server_that_cannot_work_is_unwell(void **state)
{
	(void)state;
	assert_true(http_verdict(503)->unwell);
	assert_true(http_verdict(500)->unwell);
	assert_true(http_verdict(429)->unwell);
	assert_false(http_verdict(401)->unwell);
	assert_false(http_verdict(404)->unwell);
	assert_false(http_verdict(301)->unwell);
}

static void test_a_server_of_the_old_transport_refuses_the_post_itself(void **state)
{
	(void)state;
	assert_true(http_status_is_no_post(400));
	assert_true(http_status_is_no_post(404));
	assert_true(http_status_is_no_post(405));
	assert_false(http_status_is_no_post(401));
	assert_false(http_status_is_no_post(403));
	assert_false(http_status_is_no_post(429));
	assert_false(http_status_is_no_post(503));
	assert_false(http_status_is_no_post(200));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_status_has_a_verdict),
		cmocka_unit_test(test_what_was_refused_before_it_was_looked_at_may_be_asked_again),
		cmocka_unit_test(test_only_a_server_that_cannot_work_is_unwell),
		cmocka_unit_test(test_a_server_of_the_old_transport_refuses_the_post_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
