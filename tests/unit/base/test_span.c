#include "unit.h"

#include <stdlib.h>

static void test_text_of_nothing_is_not_there(void **state)
{
	(void)state;
	assert_false(span_is_set(span_of(NULL)));
	assert_false(span_is_set(SPAN_NONE));
	assert_true(span_is_set(SPAN("")));
	assert_true(span_eq(SPAN_NONE, SPAN(""))); /* equal as text all the same */
	assert_null(span_dup(SPAN_NONE));
}

static void test_equality_and_beginnings(void **state)
{
	(void)state;
	assert_true(span_eq(SPAN("abc"), span_of("abc")));
	assert_false(span_eq(SPAN("abc"), SPAN("abd")));
	assert_false(span_eq(SPAN("abc"), SPAN("ab")));
	assert_true(span_eq(SPAN("a\0b"), SPAN("a\0b")));
	assert_false(span_eq(SPAN("a\0b"), SPAN("a\0c")));
	assert_true(span_starts(SPAN("abc"), SPAN("ab")));
	assert_true(span_starts(SPAN("abc"), SPAN("")));
	assert_false(span_starts(SPAN("ab"), SPAN("abc")));
}

static void test_case_is_ascii_only(void **state)
{
	(void)state;
	assert_true(span_eq_nocase(SPAN("Content-Length"), SPAN("content-LENGTH")));
	assert_false(span_eq_nocase(SPAN("a"), SPAN("ab")));
	assert_false(span_eq_nocase(SPAN("@"), SPAN("`"))); /* 0x20 apart, but no letters */
	assert_false(span_eq_nocase(SPAN("["), SPAN("{")));
	assert_false(span_eq_nocase(SPAN("\xc3\x84"), SPAN("\xc3\xa4"))); /* A and a with dots, in UTF-8 */
}

static void test_cutting_stays_inside(void **state)
{
	struct span s = SPAN("hello");

	(void)state;
	assert_span(span_skip(s, 2), "llo");
	assert_span(span_skip(s, 9), "");
	assert_ptr_equal(span_skip(s, 9).p, s.p + 5);
	assert_span(span_cut(s, 2), "he");
	assert_span(span_cut(s, 9), "hello");
	assert_span(span_between(s.p + 1, span_end(s)), "ello");
	assert_int_equal(span_find(s, 'l'), 2);
	assert_int_equal(span_find(s, 'x'), 5);
	assert_int_equal(span_find(SPAN_NONE, 'x'), 0);
}

static void test_trimming_takes_spaces_and_tabs_only(void **state)
{
	(void)state;
	assert_span(span_trim(SPAN(" \t a b \t")), "a b");
	assert_span(span_trim(SPAN("\ra\n")), "\ra\n");
	assert_span(span_trim(SPAN(" \t ")), "");
	assert_span(span_trim(SPAN("")), "");
}

static void test_parts_between_separators(void **state)
{
	static const struct row {
		struct span text;
		const char *parts[4];
	} rows[] = {
		{ SPAN("a,b"), { "a", "b" } },
		{ SPAN("a"), { "a" } },
		{ SPAN(""), { "" } },
		{ SPAN(","), { "", "" } },
		{ SPAN("a,,b"), { "a", "", "b" } },
		{ SPAN("a,"), { "a", "" } },
		{ { NULL, 0 }, { NULL } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span rest = rows[i].text, part;
		for (const char *const *wanted = rows[i].parts; *wanted != NULL; wanted++) {
			assert_true(span_next(&rest, ',', &part));
			assert_span_is(part, span_of(*wanted));
		}
		assert_false(span_next(&rest, ',', &part));
	}
}

static void test_numbers_are_digits_within_a_bound(void **state)
{
	static const struct row {
		const char *text;
		uint64_t most, value;
		bool fine;
	} rows[] = {
		{ "0", 0, 0, true },
		{ "1", 0, 0, false },
		{ "007", 10, 7, true },
		{ "255", 255, 255, true },
		{ "256", 255, 0, false },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX, true },
		{ "18446744073709551616", UINT64_MAX, 0, false },
		{ "99999999999999999999999", UINT64_MAX, 0, false },
		{ "", 10, 0, false },
		{ "+1", 10, 0, false },
		{ "-1", 10, 0, false },
		{ " 1", 10, 0, false },
		{ "1 ", 10, 0, false },
		{ "0x1", 10, 0, false },
		{ "1.0", 10, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t value = 0;
		if (span_to_u64(span_of(rows[i].text), rows[i].most, &value) != rows[i].fine)
			fail_msg("\"%s\"", rows[i].text);
		assert_int_equal(value, rows[i].value);
	}
}

static void test_a_copy_ends_in_nul(void **state)
{
	char *copy = span_dup(span_cut(SPAN("hello"), 4));
	char *empty = span_dup(SPAN(""));

	(void)state;
	assert_string_equal(copy, "hell");
	assert_string_equal(empty, "");
	free(copy);
	free(empty);
}

static void test_globs(void **state)
{
	static const struct row {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{ "abc", "abc", true },
		{ "abc", "abcd", false },
		{ "abcd", "abc", false },
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "anything", true },
		{ "**", "", true },
		{ "a*", "a", true },
		{ "a*c", "abbbc", true },
		{ "a*c", "abbb", false },
		{ "*_file", "read_file", true },
		{ "read_*", "write_file", false },
		{ "*a*b*", "xxaxxbxx", true },
		{ "*a*b*", "xxbxxaxx", false },
		{ "a*ab", "aaab", true }, /* the first fit is not the right one */
		{ "?", "a", false },      /* nothing but the star is special */
		{ "[a]", "a", false },
		{ "\\*", "*", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (span_glob(span_of(rows[i].pattern), span_of(rows[i].text)) != rows[i].matches)
			fail_msg("%s on %s", rows[i].pattern, rows[i].text);
}

/* With backtracking over every star this would take for ever. */
static void test_a_hostile_glob_is_quick(void **state)
{
	char text[2000];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_false(span_glob(SPAN("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"), (struct span){ text, sizeof(text) }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_of_nothing_is_not_there),
		cmocka_unit_test(test_equality_and_beginnings),
		cmocka_unit_test(test_case_is_ascii_only),
		cmocka_unit_test(test_cutting_stays_inside),
		cmocka_unit_test(test_trimming_takes_spaces_and_tabs_only),
		cmocka_unit_test(test_parts_between_separators),
		cmocka_unit_test(test_numbers_are_digits_within_a_bound),
		cmocka_unit_test(test_a_copy_ends_in_nul),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_a_hostile_glob_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
