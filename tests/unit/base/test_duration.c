#include "unit.h"

#include "base/duration.h"

static void test_a_number_and_a_unit_are_a_duration(void **state)
{
	/* clang-format off */
	static const struct { const char *text; msec_t ms; } rows[] = {
		{ "0",       0 },       { "0s",        0 },      { "250ms", 250 },     { "5s",    5000 },
		{ "2m",      120000 },  { "1h",        3600000 }, { "30",    30000 },   { "1.5s",  1500 },
		{ "0.25",    250 },     { "1.5m",      90000 },  { "168h",  604800000 }, { "0.001s", 1 },
		{ "007s",    7000 },    { "2.000000s", 2000 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		msec_t ms = -1;
		assert_true(duration_parse(span_of(rows[i].text), &ms));
		assert_int_equal(ms, rows[i].ms);
	}
}

static void test_anything_else_is_not(void **state)
{
	static const char *const rows[] = { "", "s", "ms", "m", " 5s", "5s ", "5 s", "-5s", "+5s", "5S", "5sec", "5d",
		"1e3", "0x10", ".5s", "5.s", "1.2.3s", "1.5ms", "0.0001s", "1.0000000s",
		"0.00000000000000000000000000000s", "2m30s", "169h", "604801", "18446744073709551616",
		"99999999999999999999999h", "never" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		msec_t ms;
		if (duration_parse(span_of(rows[i]), &ms))
			fail_msg("\"%s\" was taken for %lld ms", rows[i], (long long)ms);
	}
}

static void test_a_duration_is_written_in_the_largest_unit_without_a_fraction(void **state)
{
	/* clang-format off */
	static const struct { msec_t ms; const char *text; } rows[] = {
		{ 0, "0s" }, { 1, "1ms" }, { 1500, "1500ms" }, { 2000, "2s" }, { 90000, "90s" }, { 120000, "2m" },
		{ 3600000, "1h" }, { 604800000, "168h" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(duration_text(rows[i].ms).text, rows[i].text);
}

static void test_seconds_have_no_more_digits_than_they_need(void **state)
{
	/* clang-format off */
	static const struct { msec_t ms; const char *text; } rows[] = {
		{ 0, "0 s" }, { 1, "0.001 s" }, { 250, "0.25 s" }, { 13500, "13.5 s" }, { 90000, "90 s" }, { 100000, "100 s" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(seconds_text(rows[i].ms).text, rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_number_and_a_unit_are_a_duration),
		cmocka_unit_test(test_anything_else_is_not),
		cmocka_unit_test(test_a_duration_is_written_in_the_largest_unit_without_a_fraction),
		cmocka_unit_test(test_seconds_have_no_more_digits_than_they_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
