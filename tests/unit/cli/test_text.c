/* Text of a server on a terminal: nothing in it may drive the terminal, and columns are counted as they are seen. */
#include "unit.h"

#include "cli/text.h"

static void assert_put(void (*put)(struct buf *out, struct span text), struct span text, struct span wanted)
{
	struct buf out = { 0 };

	put(&out, text);
	assert_span_is(buf_span(&out), wanted);
	buf_free(&out);
}

static void test_a_line_has_single_spaces_and_none_at_its_ends(void **state)
{
	(void)state;
	assert_put(text_put_line, SPAN(""), SPAN(""));
	assert_put(text_put_line, SPAN(" \n "), SPAN(""));
	assert_put(text_put_line, SPAN("  a\r\n\tb  c\xe2\x80\xa8 d\n"), SPAN("a b c d"));
}

static void test_a_block_keeps_its_lines_and_tabs(void **state)
{
	(void)state;
	assert_put(text_put_block, SPAN(" a\r\n\n\tb \n"), SPAN(" a\n\n\tb \n"));
}

static void test_what_would_drive_the_terminal_is_replaced(void **state)
{
	static const struct span harmful[] = {
		{ "\033", 1 },
		{ "\0", 1 },
		{ "\b", 1 },
		{ "\177", 1 },
		{ "\xc2\x9b", 2 },     /* CSI in one character */
		{ "\xe2\x80\xae", 3 }, /* from right to left */
		{ "\xe2\x81\xa6", 3 },
		{ "\xff", 1 }, /* no UTF-8 */
		{ "\xe2\x82", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++) {
		assert_put(text_put_line, harmful[i], SPAN("\xef\xbf\xbd"));
		assert_put(text_put_block, harmful[i], SPAN("\xef\xbf\xbd"));
	}
	assert_put(text_put_block, SPAN("a\rb"),
	        SPAN("a\xef\xbf\xbd"
	             "b"));
}

static void test_other_characters_stay_as_they_are(void **state)
{
	const struct span text = SPAN("a\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80 e\xcc\x81 \xc2\xa0");

	(void)state;
	assert_put(text_put_line, text, text);
	assert_put(text_put_block, text, text);
}

static void test_columns_are_those_that_are_seen(void **state)
{
	(void)state;
	assert_int_equal(text_width(SPAN("")), 0);
	assert_int_equal(text_width(SPAN("abc")), 3);
	assert_int_equal(text_width(SPAN("\xc3\xa9")), 1);
	assert_int_equal(text_width(SPAN("e\xcc\x81")), 1);
	assert_int_equal(text_width(SPAN("\xe6\x97\xa5\xe6\x9c\xac")), 4);
	assert_int_equal(text_width(SPAN("\xf0\x9f\x98\x80")), 2);
}

static void test_a_cut_text_fits_and_says_that_it_is_cut(void **state)
{
	static const struct {
		struct span text;
		unsigned columns;
		struct span wanted;
	} rows[] = {
		{ { "abc", 3 }, 3, { "abc", 3 } }, { { "abcd", 4 }, 3, { "ab\xe2\x80\xa6", 5 } },
		{ { "abcd", 4 }, 1, { "\xe2\x80\xa6", 3 } }, { { "abcd", 4 }, 0, { "", 0 } },
		{ { "\xe6\x97\xa5\xe6\x9c\xac", 6 }, 3, { "\xe6\x97\xa5\xe2\x80\xa6", 6 } },
		{ { "\xe6\x97\xa5\xe6\x9c\xac", 6 }, 2, { "\xe2\x80\xa6", 3 } }, /* no half characters */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = { 0 };
		text_put_cut(&out, rows[i].text, rows[i].columns);
		assert_span_is(buf_span(&out), rows[i].wanted);
		buf_free(&out);
	}
}

static void test_members_are_decoded_and_empty_when_they_are_no_text(void **state)
{
	const struct span object = SPAN("{\"a\":\"x\\ny\",\"b\":1,\"c\":\"\"}");
	struct buf room = { 0 };

	(void)state;
	assert_span(text_of_member(&room, object, "a"), "x\ny");
	assert_span(text_of_member(&room, object, "b"), "");
	assert_span(text_of_member(&room, object, "c"), "");
	assert_span(text_of_member(&room, object, "d"), "");
	assert_span(text_of_member(&room, SPAN("[\"a\"]"), "a"), "");
	assert_span(text_of_json(&room, SPAN("12e3")), "12e3");
	buf_free(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_has_single_spaces_and_none_at_its_ends),
		cmocka_unit_test(test_a_block_keeps_its_lines_and_tabs),
		cmocka_unit_test(test_what_would_drive_the_terminal_is_replaced),
		cmocka_unit_test(test_other_characters_stay_as_they_are),
		cmocka_unit_test(test_columns_are_those_that_are_seen),
		cmocka_unit_test(test_a_cut_text_fits_and_says_that_it_is_cut),
		cmocka_unit_test(test_members_are_decoded_and_empty_when_they_are_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
