/* Columns: they line up, give way in the right order, and never leave spaces at the end of a line. */
#include "unit.h"

#include "cli/table.h"

static const struct table_column plain[] = { { .head = NULL }, { .least = 4 }, { .least = 6 } };
static const struct table_column headed[] = { { .head = "NAME", .colour = "36" }, { .head = "N", .right = true } };

static void fill(struct table *t, const char *const *cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		table_add(t, span_of(cells[i]));
}

static void assert_printed(struct table *t, unsigned width, bool colour, struct span wanted)
{
	struct buf out = { 0 };

	table_print(t, width, colour, &out);
	assert_span_is(buf_span(&out), wanted);
	buf_free(&out);
}

static void test_columns_line_up(void **state)
{
	static const char *const cells[] = { "a", "bb", "ccc", "dddd", "", "e", "f", "gg", "" };
	struct table t = table_new(plain, 3);

	(void)state;
	fill(&t, cells, 9);
	assert_printed(&t, 80, false, SPAN("  a     bb  ccc\n  dddd      e\n  f     gg\n"));
	table_clear(&t);
}

static void test_a_wide_character_takes_two_columns(void **state)
{
	static const char *const cells[] = { "\xe6\x97\xa5", "b", "c", "abc", "b", "c" };
	struct table t = table_new(plain, 3);

	(void)state;
	fill(&t, cells, 6);
	assert_printed(&t, 80, false, SPAN("  \xe6\x97\xa5   b  c\n  abc  b  c\n"));
	table_clear(&t);
}

static void test_the_last_column_gives_way_first_and_the_first_one_never(void **state)
{
	static const char *const cells[] = { "abcdefgh", "abcdefgh", "abcdefgh" };
	static const struct {
		unsigned width;
		struct span wanted;
	} rows[] = {
		{ 30, { "  abcdefgh  abcdefgh  abcdefgh\n", 31 } },
		{ 29, { "  abcdefgh  abcdefgh  abcdef\xe2\x80\xa6\n", 32 } },
		{ 28, { "  abcdefgh  abcdefgh  abcde\xe2\x80\xa6\n", 31 } },
		{ 26, { "  abcdefgh  abcde\xe2\x80\xa6  abcde\xe2\x80\xa6\n", 31 } },
		{ 10, { "  abcdefgh  abc\xe2\x80\xa6  abcde\xe2\x80\xa6\n", 29 } },
		{ 0, { "  abcdefgh  abc\xe2\x80\xa6  abcde\xe2\x80\xa6\n", 29 } },
	};
	struct table t = table_new(plain, 3);

	(void)state;
	fill(&t, cells, 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_printed(&t, rows[i].width, false, rows[i].wanted);
	table_clear(&t);
}

static void test_heads_and_numbers(void **state)
{
	static const char *const cells[] = { "x", "7", "longer", "1234" };
	struct table t = table_new(headed, 2);

	(void)state;
	fill(&t, cells, 4);
	assert_printed(&t, 80, false, SPAN("  NAME       N\n  x          7\n  longer  1234\n"));
	assert_printed(&t, 80, true,
	        SPAN("  \033[1mNAME\033[0m       \033[1mN\033[0m\n"
	             "  \033[36mx\033[0m          7\n"
	             "  \033[36mlonger\033[0m  1234\n"));
	table_clear(&t);
}

static void test_a_cell_is_one_harmless_line(void **state)
{
	struct table t = table_new(plain, 1);

	(void)state;
	table_add(&t, SPAN(" a\n\n b\033[2J "));
	assert_printed(&t, 80, false, SPAN("  a b\xef\xbf\xbd[2J\n"));
	table_clear(&t);
}

static void test_a_table_without_rows_prints_nothing_but_its_heads(void **state)
{
	struct table empty = table_new(plain, 3), heads = table_new(headed, 2);

	(void)state;
	assert_printed(&empty, 80, false, SPAN(""));
	assert_printed(&heads, 80, false, SPAN("  NAME  N\n"));
	table_clear(&empty);
	table_clear(&heads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_line_up),
		cmocka_unit_test(test_a_wide_character_takes_two_columns),
		cmocka_unit_test(test_the_last_column_gives_way_first_and_the_first_one_never),
		cmocka_unit_test(test_heads_and_numbers),
		cmocka_unit_test(test_a_cell_is_one_harmless_line),
		cmocka_unit_test(test_a_table_without_rows_prints_nothing_but_its_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
