#include "unit.h"

#include "mcp/revision.h"

static void test_each_revision_is_found_by_its_date(void **state)
{
	(void)state;
	for (int r = 0; r < REVISION_COUNT; r++)
		assert_int_equal(revision_parse(revision_name((enum revision)r)), r);
	assert_span(revision_name(REVISION_NEWEST_LEGACY), "2025-11-25");
}

static void test_revisions_are_in_the_order_of_time(void **state)
{
	(void)state;
	for (int r = 1; r < REVISION_COUNT; r++) {
		struct span earlier = revision_name((enum revision)(r - 1)), later = revision_name((enum revision)r);
		assert_true(memcmp(earlier.p, later.p, later.n) < 0);
	}
}

static void test_other_dates_are_no_revision(void **state)
{
	(void)state;
	assert_int_equal(revision_parse(SPAN("2026-07-29")), REVISION_NONE);
	assert_int_equal(revision_parse(SPAN("2025-06-18 ")), REVISION_NONE);
	assert_int_equal(revision_parse(SPAN("")), REVISION_NONE);
	assert_int_equal(revision_parse(SPAN_NONE), REVISION_NONE);
}

static void test_what_is_known_is_agreed_to_and_else_the_newest_is_offered(void **state)
{
	(void)state;
	assert_int_equal(revision_negotiate(SPAN("2024-11-05")), REVISION_2024_11_05);
	assert_int_equal(revision_negotiate(SPAN("2025-11-25")), REVISION_2025_11_25);
	assert_int_equal(revision_negotiate(SPAN("2026-07-28")), REVISION_2025_11_25);
	assert_int_equal(revision_negotiate(SPAN("1999-01-01")), REVISION_2025_11_25);
	assert_int_equal(revision_negotiate(SPAN_NONE), REVISION_2025_11_25);
}

static void test_the_newest_date_alone_is_modern(void **state)
{
	(void)state;
	for (int r = REVISION_NONE; r < REVISION_COUNT; r++) {
		assert_int_equal(revision_is_modern((enum revision)r), r == REVISION_2026_07_28);
		assert_int_equal(revision_is_legacy((enum revision)r), r >= 0 && r < REVISION_2026_07_28);
	}
}

static void test_batches_are_of_one_revision_only(void **state)
{
	(void)state;
	for (int r = 0; r < REVISION_COUNT; r++)
		assert_int_equal(revision_has_batches((enum revision)r), r == REVISION_2025_03_26);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_revision_is_found_by_its_date),
		cmocka_unit_test(test_revisions_are_in_the_order_of_time),
		cmocka_unit_test(test_other_dates_are_no_revision),
		cmocka_unit_test(test_what_is_known_is_agreed_to_and_else_the_newest_is_offered),
		cmocka_unit_test(test_the_newest_date_alone_is_modern),
		cmocka_unit_test(test_batches_are_of_one_revision_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
