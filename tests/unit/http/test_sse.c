#include "unit.h"

#include "http/sse.h"

#define MAX 64

/* Reads `text` in pieces of `step` bytes and writes each event down as "type|id|data;". */
static enum sse_verdict read_all(struct span text, size_t step, struct buf *out)
{
	struct sse_reader r = { 0 };
	struct sse_event event;
	enum sse_verdict verdict = SSE_MORE;

	while (text.n > 0 && verdict != SSE_TOO_LARGE) {
		struct span in = span_cut(text, step);
		text = span_skip(text, in.n);
		while ((verdict = sse_next(&r, &in, MAX, &event)) == SSE_EVENT)
			buf_printf(
			        out, "%.*s|%.*s|%.*s;", SPAN_ARG(event.type), SPAN_ARG(event.id), SPAN_ARG(event.data));
	}
	sse_reader_clear(&r);
	return verdict;
}

static const struct {
	const char *what;
	struct span text, events;
} rows[] = {
#define ROW(what, text, events)                    \
	{                                          \
		what, { text, sizeof(text) - 1 },  \
		{                                  \
			events, sizeof(events) - 1 \
		}                                  \
	}
	/* clang-format off */
	ROW("one event",                    "data: a\n\n",                          "message||a;"),
	ROW("without the space",            "data:a\n\n",                           "message||a;"),
	ROW("one space only is taken",      "data:  a\n\n",                         "message|| a;"),
	ROW("CRLF",                         "data: a\r\n\r\n",                      "message||a;"),
	ROW("CR",                           "data: a\r\rdata: b\r\r",               "message||a;message||b;"),
	ROW("mixed line ends",              "data: a\rdata: b\n\r\n",               "message||a\nb;"),
	ROW("several data lines",           "data: a\ndata: b\ndata:\n\n",          "message||a\nb\n;"),
	ROW("a type",                       "event: x\ndata: a\n\ndata: b\n\n",     "x||a;message||b;"),
	ROW("the last id stays",            "id: 1\ndata: a\n\ndata: b\n\n",        "message|1|a;message|1|b;"),
	ROW("an id without data is kept",   "id: 2\n\ndata: a\n\n",                 "message|2|a;"),
	ROW("an empty id resets",           "id: 1\ndata: a\n\nid\ndata: b\n\n",    "message|1|a;message||b;"),
	ROW("an id with NUL is ignored",    "id: 1\nid: 2\0\ndata: a\n\n",          "message|1|a;"),
	ROW("comments",                     ": hello\n\n:\ndata: a\n\n",            "message||a;"),
	ROW("no data, no event",            "event: x\n\ndata: a\n\n",              "message||a;"),
	ROW("empty data is an event",       "data\n\n",                             "message||;"),
	ROW("an unknown field",             "x: y\ndata: a\n\n",                    "message||a;"),
	ROW("a byte order mark",            "\xef\xbb\xbf" "data: a\n\n",           "message||a;"),
	ROW("a mark later on is no mark",   "data: b\n\n\xef\xbb\xbf" "data: a\n\n", "message||b;"),
	ROW("an unfinished event",          "data: a\n\ndata: b\n",                 "message||a;"),
/* clang-format on */
#undef ROW
};

static void test_events_come_out_the_same_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t step = 1; step <= rows[i].text.n; step++) {
			struct buf out = { 0 };
			assert_int_equal(read_all(rows[i].text, step, &out), SSE_MORE);
			if (!span_eq(buf_span(&out), rows[i].events))
				fail_msg("%s, cut at %zu: got \"%.*s\"", rows[i].what, step, SPAN_ARG(buf_span(&out)));
			buf_free(&out);
		}
}

static void test_retry_is_remembered(void **state)
{
	struct sse_reader r = { 0 };
	struct sse_event event;
	struct span in = SPAN("retry: 1500\nretry: soon\n\n");

	(void)state;
	assert_int_equal(sse_next(&r, &in, MAX, &event), SSE_MORE);
	assert_int_equal(r.retry_ms, 1500);
	sse_reader_clear(&r);
}

static void test_a_line_and_an_event_are_bounded(void **state)
{
	static const char line[] = "data: 0123456789012345678901234567890123456789\n";
	struct buf text = { 0 }, out = { 0 };

	(void)state;
	buf_add(&text, span_of(line));
	assert_int_equal(read_all(buf_span(&text), 5, &out), SSE_MORE);
	buf_add(&text, span_of(line));
	assert_int_equal(read_all(buf_span(&text), 5, &out), SSE_TOO_LARGE);
	buf_reset(&text);
	buf_add(&text, span_cut(span_of(line), sizeof(line) - 2));
	buf_add(&text, span_of(line));
	assert_int_equal(read_all(buf_span(&text), 5, &out), SSE_TOO_LARGE);
	assert_int_equal(read_all(buf_span(&text), 500, &out), SSE_TOO_LARGE);
	buf_free(&text);
	buf_free(&out);
}

static void test_what_is_written_can_be_read(void **state)
{
	struct buf text = { 0 }, out = { 0 };

	(void)state;
	sse_put(&text, &(struct sse_event){ .type = SPAN("x"), .id = SPAN("7"), .data = SPAN("a\nb\r\nc\rd") });
	sse_put(&text, &(struct sse_event){ .data = SPAN("") });
	assert_span(buf_span(&text), "event: x\nid: 7\ndata: a\ndata: b\ndata: c\ndata: d\n\ndata: \n\n");
	assert_int_equal(read_all(buf_span(&text), 3, &out), SSE_MORE);
	assert_span(buf_span(&out), "x|7|a\nb\nc\nd;message|7|;");
	buf_free(&text);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_come_out_the_same_however_they_are_cut),
		cmocka_unit_test(test_retry_is_remembered),
		cmocka_unit_test(test_a_line_and_an_event_are_bounded),
		cmocka_unit_test(test_what_is_written_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
