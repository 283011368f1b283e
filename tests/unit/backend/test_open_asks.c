#include "unit.h"

#include "backend/open_asks.h"

static void test_asks_are_found_by_our_number_and_by_the_servers_id(void **state)
{
	struct open_asks a;

	(void)state;
	open_asks_init(&a);
	struct open_ask *one = open_asks_add(&a, SPAN("1")), *text = open_asks_add(&a, SPAN("\"1\""));
	assert_int_equal(one->id, 1);
	assert_ptr_equal(open_asks_find(&a, 2), text);
	assert_ptr_equal(open_asks_find_own(&a, SPAN("1")), one);
	assert_ptr_equal(open_asks_find_own(&a, SPAN("\"1\"")), text);
	open_asks_remove(&a, one);
	assert_null(open_asks_find(&a, 1));
	assert_null(open_asks_find_own(&a, SPAN("1")));
	assert_int_equal(open_asks_add(&a, SPAN("1"))->id, 3);
	open_asks_clear(&a);
}

static void test_what_is_lost_is_told_once_and_not_found_any_more(void **state)
{
	struct open_asks a;

	(void)state;
	open_asks_init(&a);
	open_asks_add(&a, SPAN("1"));
	open_asks_add(&a, SPAN("2"));
	open_asks_lose(&a);
	assert_null(open_asks_find(&a, 1));
	open_asks_add(&a, SPAN("1"));
	assert_int_equal(open_asks_take_lost(&a), 1);
	assert_int_equal(open_asks_take_lost(&a), 2);
	assert_int_equal(open_asks_take_lost(&a), 0);
	assert_non_null(open_asks_find(&a, 3));
	open_asks_clear(&a);
}

static void test_there_is_a_bound(void **state)
{
	struct open_asks a;

	(void)state;
	open_asks_init(&a);
	for (int i = 0; i < OPEN_ASKS_MAX; i++)
		assert_non_null(open_asks_add(&a, SPAN("1")));
	assert_null(open_asks_add(&a, SPAN("1")));
	open_asks_remove(&a, open_asks_find(&a, 7));
	assert_non_null(open_asks_add(&a, SPAN("1")));
	open_asks_clear(&a);
}

static void test_an_answer_has_the_servers_id_and_is_one_line(void **state)
{
	struct pieces outcome = pieces_of(SPAN("\"error\":{\"code\":1,\n\"message\":\"no\"}"));
	struct buf out = { 0 };
	struct open_asks a;

	(void)state;
	open_asks_init(&a);
	open_ask_put_answer(&out, open_asks_add(&a, SPAN("\"\\u0041\"")), &outcome);
	assert_span(
	        buf_span(&out), "{\"jsonrpc\":\"2.0\",\"id\":\"\\u0041\",\"error\":{\"code\":1, \"message\":\"no\"}}");
	buf_free(&out);
	open_asks_clear(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asks_are_found_by_our_number_and_by_the_servers_id),
		cmocka_unit_test(test_what_is_lost_is_told_once_and_not_found_any_more),
		cmocka_unit_test(test_there_is_a_bound),
		cmocka_unit_test(test_an_answer_has_the_servers_id_and_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
