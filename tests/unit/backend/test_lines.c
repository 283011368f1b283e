#include "unit.h"

#include <stdlib.h>

#include "backend/lines.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What came out, as text: a line as it is, one that is too long as "first...last(size)"; each followed by '|'. */
static void note(struct buf *out, enum lines_got got, const struct line *line)
{
	buf_add(out, line->text);
	if (got == LINES_TOO_LONG)
		buf_printf(out, "...%.*s(%zu)", SPAN_ARG(line->last), line->size);
	buf_add_char(out, '|');
}

/* Each read is a block of its own, so that ASan sees whoever keeps a span of it. */
static void feed(struct lines *l, struct span read, struct buf *out)
{
	char *copy = malloc(read.n + 1);
	struct span bytes = { copy, read.n };
	struct line line;
	enum lines_got got;

	memcpy(copy, read.p, read.n);
	while ((got = lines_next(l, &bytes, &line)) != LINES_MORE)
		note(out, got, &line);
	assert_int_equal(bytes.n, 0);
	free(copy);
}

/* `text` in reads of `cut` bytes. */
static void run(struct span text, size_t max, size_t cut, struct buf *out)
{
	struct lines l;
	struct line line;
	enum lines_got got;

	lines_init(&l, max);
	for (; text.n > 0; text = span_skip(text, cut))
		feed(&l, span_cut(text, cut), out);
	if ((got = lines_end(&l, &line)) != LINES_MORE)
		note(out, got, &line);
	assert_int_equal(lines_end(&l, &line), LINES_MORE);
	lines_clear(&l);
}

static const struct case_ {
	const char *text, *lines;
} cases[] = {
	/* clang-format off */
	{ "",                        "" },
	{ "one\n",                   "one|" },
	{ "one\ntwo\nthree\n",       "one|two|three|" },
	{ "one\r\ntwo\r\n",          "one|two|" },
	{ "\n\r\n\none\n\n\r\n",     "one|" },
	{ "no end",                  "no end|" },
	{ "one\r",                   "one|" },
	{ "\r",                      "" },
	{ "a\rb\n",                  "a\rb|" },
	{ "a\r\r\n",                 "a\r|" },
	{ "12345678\nx\n",           "12345678|x|" },
	{ "12345678\r\nx\n",         "12345678|x|" },
	{ "12345678\r",              "12345678|" },
	{ "123456789\nx\n",          "12345678...123456789(9)|x|" },
	{ "123456789\r\nx\n",        "12345678...123456789(9)|x|" },
	{ "1234567\r\r\nx\n",        "1234567\r|x|" },
	{ "12345678\r\r\nx\n",       "12345678...12345678\r(9)|x|" },
	{ "123456789abcdef",         "12345678...123456789abcdef(15)|" },
	{ "one\n123456789abcdef\r\n123456789abcdef\n\ntwo\n",
	  "one|12345678...123456789abcdef(15)|12345678...123456789abcdef(15)|two|" },
	/* clang-format on */
};

static void test_however_the_bytes_are_cut_the_lines_are_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t cut = 1; cut <= strlen(cases[i].text) + 1; cut++) {
			struct buf out = { 0 };
			run(span_of(cases[i].text), 8, cut, &out);
			assert_span_is(buf_span(&out), span_of(cases[i].lines));
			buf_free(&out);
		}
}

static void test_of_a_line_that_is_too_long_both_ends_are_kept(void **state)
{
	struct buf text = { 0 }, whole = { 0 };

	(void)state;
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "%d,", i);
	buf_add(&text, SPAN("end\r\nnext\n"));
	run(buf_span(&text), 3000, buf_size(&text), &whole);
	assert_int_equal(buf_size(&whole), LINES_ENDS + strlen("...") + LINES_ENDS + strlen("(8893)|next|"));
	assert_true(span_starts(buf_span(&whole), SPAN("0,1,2,3,")));
	assert_span(span_skip(buf_span(&whole), buf_size(&whole) - 24), "998,1999,end(8893)|next|");
	for (size_t cut = 1; cut < 1200; cut += 7) {
		struct buf out = { 0 };
		run(buf_span(&text), 3000, cut, &out);
		assert_span_is(buf_span(&out), buf_span(&whole));
		buf_free(&out);
	}
	buf_free(&whole);
	buf_free(&text);
}

static void test_a_whole_line_is_handed_out_in_place(void **state)
{
	struct span text = SPAN("one\ntwo\nthr"), rest = text;
	struct lines l;
	struct line line;

	(void)state;
	lines_init(&l, 100);
	assert_int_equal(lines_next(&l, &rest, &line), LINES_LINE);
	assert_ptr_equal(line.text.p, text.p);
	assert_int_equal(lines_next(&l, &rest, &line), LINES_LINE);
	assert_ptr_equal(line.text.p, text.p + 4);
	assert_int_equal(lines_next(&l, &rest, &line), LINES_MORE);
	assert_int_equal(buf_size(&l.held), 3);
	lines_clear(&l);
	assert_null(l.held.mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_however_the_bytes_are_cut_the_lines_are_the_same),
		cmocka_unit_test(test_of_a_line_that_is_too_long_both_ends_are_kept),
		cmocka_unit_test(test_a_whole_line_is_handed_out_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
