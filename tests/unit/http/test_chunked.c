#include "unit.h"

#include "http/chunked.h"

/* Decodes `text` in pieces of `step` bytes; the payload is added to `out`, *rest is what was not used. */
static enum chunked_verdict decode(struct span text, size_t step, struct buf *out, struct span *rest)
{
	struct chunked c = { 0 };
	enum chunked_verdict verdict = CHUNKED_MORE;

	while (text.n > 0 && verdict == CHUNKED_MORE) {
		struct span in = span_cut(text, step), data;
		text = span_skip(text, in.n);
		while ((verdict = chunked_next(&c, &in, &data)) == CHUNKED_DATA)
			buf_add(out, data);
		text = (struct span){ text.p - in.n, text.n + in.n };
	}
	*rest = text;
	return verdict;
}

static void test_a_body_comes_out_the_same_however_it_is_cut(void **state)
{
	struct span text = SPAN("5\r\nhello\r\n1;a=b\r\n,\r\n0006\r\n world\r\n0\r\nX: y\r\n\r\nGET /");

	(void)state;
	for (size_t step = 1; step <= text.n; step++) {
		struct buf out = { 0 };
		struct span rest;
		assert_int_equal(decode(text, step, &out, &rest), CHUNKED_DONE);
		assert_span(buf_span(&out), "hello, world");
		assert_span(rest, "GET /");
		buf_free(&out);
	}
}

static void test_what_is_malformed_is_refused(void **state)
{
	static const struct span rows[] = {
#define ROW(text) { text, sizeof(text) - 1 }
		ROW("\r\n"),
		ROW("g\r\n"),
		ROW(" 3\r\n"),
		ROW("3 ;x\r\n"),
		ROW("3\n"),
		ROW("3\rx"),
		ROW("3;\n"),
		ROW("3;\x01\r\n"),
		ROW("00000000000000003\r\n"),
		ROW("3\r\nabc0\r\n\r\n"),
		ROW("3\r\nabc\n0\r\n\r\n"),
		ROW("3\r\nabc\rx"),
		ROW("0\r\n: y\r\n\r\n"),
		ROW("0\r\n X: y\r\n\r\n"),
		ROW("0\r\nX\r\n\r\n"),
		ROW("0\r\nX: y\n\r\n"),
		ROW("0\r\nX: \0\r\n\r\n"),
		ROW("0\r\n\n"),
		ROW("0\r\n\rx"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = { 0 };
		struct span rest;
		if (decode(rows[i], 1, &out, &rest) != CHUNKED_BAD)
			fail_msg("\"%.*s\" was taken", SPAN_ARG(rows[i]));
		buf_free(&out);
	}
}

/* Every state, brought about by what stands before, with a byte of every class. */
static void test_every_byte_in_every_state(void **state)
{
	static const char bytes[] = "aG:; \r\n\"\x01";
	static const struct {
		const char *before, *verdicts; /* of each byte: . goes on, x is refused, D is the end */
	} rows[] = {
		{ "", ".xxxxxxxx" },
		{ "1", ".xx.x.xxx" },
		{ "1;", "......x.x" },
		{ "1\r", "xxxxxx.xx" },
		{ "1\r\n", "........." },
		{ "1\r\nx", "xxxxx.xxx" },
		{ "1\r\nx\r", "xxxxxx.xx" },
		{ "0\r\n", "..xxx.xxx" },
		{ "0\r\nX", "...xxxxxx" },
		{ "0\r\nX:", "......x.x" },
		{ "0\r\nX:\r", "xxxxxx.xx" },
		{ "0\r\n\r", "xxxxxxDxx" },
		{ "0\r\n\r\n", "DDDDDDDDD" },
		{ "x", "xxxxxxxxx" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t j = 0; j < sizeof(bytes) - 1; j++) {
			struct chunked c = { 0 };
			struct span in = span_of(rows[i].before), byte = { bytes + j, 1 }, data;
			while (chunked_next(&c, &in, &data) == CHUNKED_DATA)
				;
			enum chunked_verdict verdict = chunked_next(&c, &byte, &data);
			char shown = verdict == CHUNKED_BAD ? 'x' : verdict == CHUNKED_DONE ? 'D' : '.';
			if (shown != rows[i].verdicts[j])
				fail_msg("\"%s\" and byte %zu: %c", rows[i].before, j, shown);
		}
}

static void test_a_body_that_has_not_ended_wants_more(void **state)
{
	static const struct span rows[] = {
#define ROW(text) { text, sizeof(text) - 1 }
		ROW("3"),
		ROW("3\r"),
		ROW("3\r\n"),
		ROW("3\r\nab"),
		ROW("3\r\nabc\r"),
		ROW("0\r\n"),
		ROW("0\r\nX: y\r\n"),
		ROW("0\r\n\r"),
		ROW("ffffffffffffffff\r\nabc"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = { 0 };
		struct span rest;
		assert_int_equal(decode(rows[i], 2, &out, &rest), CHUNKED_MORE);
		assert_int_equal(rest.n, 0);
		buf_free(&out);
	}
}

static enum chunked_verdict decode_padded(struct span before, char filler, size_t n, struct span after)
{
	struct buf text = { 0 }, out = { 0 };
	struct span rest;

	buf_add(&text, before);
	memset(buf_reserve(&text, n), filler, n);
	buf_added(&text, n);
	buf_add(&text, after);
	enum chunked_verdict verdict = decode(buf_span(&text), 512, &out, &rest);
	buf_free(&text);
	buf_free(&out);
	return verdict;
}

static void test_extensions_and_trailers_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(decode_padded(SPAN("0;"), 'x', 1000, SPAN("\r\n\r\n")), CHUNKED_DONE);
	assert_int_equal(decode_padded(SPAN("0;"), 'x', 2000, SPAN("\r\n\r\n")), CHUNKED_BAD);
	assert_int_equal(decode_padded(SPAN("0\r\nX:"), 'x', 8000, SPAN("\r\n\r\n")), CHUNKED_DONE);
	assert_int_equal(decode_padded(SPAN("0\r\nX:"), 'x', 9000, SPAN("\r\n\r\n")), CHUNKED_BAD);
}

static void test_the_end_stays_the_end(void **state)
{
	struct chunked c = { 0 };
	struct span in = SPAN("0\r\n\r\nx"), data;

	(void)state;
	assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_DONE);
	assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_DONE);
	assert_span(in, "x");
}

static void test_what_is_written_can_be_read(void **state)
{
	static const size_t sizes[] = { 1, 9, 10, 15, 16, 255, 4096, 70000 };
	char bytes[70000] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf text = { 0 }, out = { 0 };
		struct span rest;
		chunked_put_head(&text, sizes[i]);
		buf_add(&text, (struct span){ bytes, sizes[i] });
		buf_add(&text, SPAN("\r\n"));
		buf_add(&text, CHUNKED_END);
		assert_int_equal(decode(buf_span(&text), 1000, &out, &rest), CHUNKED_DONE);
		assert_int_equal(buf_size(&out), sizes[i]);
		buf_free(&text);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_body_comes_out_the_same_however_it_is_cut),
		cmocka_unit_test(test_what_is_malformed_is_refused),
		cmocka_unit_test(test_every_byte_in_every_state),
		cmocka_unit_test(test_a_body_that_has_not_ended_wants_more),
		cmocka_unit_test(test_extensions_and_trailers_are_bounded),
		cmocka_unit_test(test_the_end_stays_the_end),
		cmocka_unit_test(test_what_is_written_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
