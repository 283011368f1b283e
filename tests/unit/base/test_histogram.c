#include "unit.h"

#include "base/histogram.h"

static void test_a_duration_falls_into_the_first_range_that_holds_it(void **state)
{
	struct histogram h = { 0 };

	(void)state;
	histogram_add(&h, 0);
	histogram_add(&h, 1);
	histogram_add(&h, 2);
	histogram_add(&h, 3);
	histogram_add(&h, 600000);
	histogram_add(&h, 600001);
	assert_int_equal(h.at[0], 2);
	assert_int_equal(h.at[1], 1);
	assert_int_equal(h.at[2], 1);
	assert_int_equal(h.at[HISTOGRAM_BOUNDS - 1], 1);
	assert_int_equal(h.at[HISTOGRAM_BOUNDS], 1);
	assert_int_equal(histogram_count(&h), 6);
	assert_int_equal(h.sum_ms, 1200007);
}

static void test_a_clock_that_went_back_adds_nothing_to_the_sum(void **state)
{
	struct histogram h = { 0 };

	(void)state;
	histogram_add(&h, -5);
	assert_int_equal(histogram_count(&h), 1);
	assert_int_equal(h.at[0], 1);
	assert_int_equal(h.sum_ms, 0);
}

static void test_bounds_ascend_from_a_millisecond_to_ten_minutes(void **state)
{
	(void)state;
	assert_int_equal(histogram_bounds_ms[0], 1);
	for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++)
		assert_true(histogram_bounds_ms[i] > histogram_bounds_ms[i - 1]);
	assert_int_equal(histogram_bounds_ms[HISTOGRAM_BOUNDS - 1], 600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_duration_falls_into_the_first_range_that_holds_it),
		cmocka_unit_test(test_a_clock_that_went_back_adds_nothing_to_the_sum),
		cmocka_unit_test(test_bounds_ascend_from_a_millisecond_to_ten_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
