#include "unit.h"

#include "backend/wanted.h"

static void test_what_is_wanted_is_kept_once_and_in_order(void **state)
{
	struct span seen[3];
	struct wanted w;
	int n = 0;

	(void)state;
	wanted_init(&w);
	assert_false(wanted_any(&w));
	assert_true(wanted_set(&w, SPAN("\"b\""), true));
	assert_true(wanted_set(&w, SPAN("\"a\""), true));
	assert_false(wanted_set(&w, SPAN("\"b\""), true));
	wanted_each(uri, &w) seen[n++] = wanted_text(uri);
	assert_int_equal(n, 2);
	assert_span(seen[0], "\"b\"");
	assert_span(seen[1], "\"a\"");
	assert_true(wanted_set(&w, SPAN("\"b\""), false));
	assert_false(wanted_set(&w, SPAN("\"b\""), false));
	assert_true(wanted_any(&w));
	wanted_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_wanted_is_kept_once_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
