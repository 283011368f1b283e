#include "unit.h"

#include "backend/rate.h"

static unsigned allowed(struct rate *r, unsigned tries, int64_t now)
{
	unsigned n = 0;

	while (tries-- > 0)
		n += rate_allows(r, (mono_t){ now });
	return n;
}

static void test_a_burst_passes_the_rest_is_counted_and_time_brings_more(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r, 100, (mono_t){ 5000 });
	assert_int_equal(allowed(&r, 150, 5000), 100);
	assert_int_equal(rate_take_suppressed(&r), 50);
	assert_int_equal(rate_take_suppressed(&r), 0);
	assert_int_equal(allowed(&r, 10, 5009), 0);
	assert_int_equal(allowed(&r, 10, 5010), 1);
	assert_int_equal(allowed(&r, 100, 5500), 49);
	assert_int_equal(allowed(&r, 1000, 3600000), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_passes_the_rest_is_counted_and_time_brings_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
