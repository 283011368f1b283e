/*
 * The requests that other servers were seen to read in two ways, each with the answer that is wanted here. A request
 * is fed as a whole and byte by byte: how it is cut into packets may not change what it says.
 */
#include "unit.h"

#include "http/chunked.h"
#include "http/head.h"

#define HEAD_MAX 16384

static const struct {
	const char *what;
	struct span text;
	int wanted; /* 200, or the status that refuses it */
} probes[] = {
#define POST "POST /mcp HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define PROBE(what, text, wanted)                        \
	{                                                \
		what, { text, sizeof(text) - 1 }, wanted \
	}
	/* clang-format off */
	PROBE("a plain body",                POST HOST "Content-Length: 3\r\n\r\nabc", 200),
	PROBE("a chunked body",              POST HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200),
	PROBE("length and chunked",          POST HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
	PROBE("chunked and length",          POST HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
	PROBE("two different lengths",       POST HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
	PROBE("the same length twice",       POST HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
	PROBE("lengths in a list",           POST HOST "Content-Length: 3, 3\r\n\r\nabc", 400),
	PROBE("length with a sign",          POST HOST "Content-Length: +3\r\n\r\nabc", 400),
	PROBE("negative length",             POST HOST "Content-Length: -3\r\n\r\nabc", 400),
	PROBE("hexadecimal length",          POST HOST "Content-Length: 0x3\r\n\r\nabc", 400),
	PROBE("length with a space inside",  POST HOST "Content-Length: 1 0\r\n\r\nabc", 400),
	PROBE("empty length",                POST HOST "Content-Length: \r\n\r\n", 400),
	PROBE("length beyond 64 bits",       POST HOST "Content-Length: 18446744073709551619\r\n\r\nabc", 400),
	PROBE("space before the colon",      POST HOST "Content-Length : 3\r\n\r\nabc", 400),
	PROBE("tab before the colon",        POST HOST "Content-Length\t: 3\r\n\r\nabc", 400),
	PROBE("folded line",                 POST HOST "X: a\r\n b\r\n\r\n", 400),
	PROBE("fold before the first field", POST " X: a\r\n" HOST "\r\n", 400),
	PROBE("head with bare LFs",          "GET / HTTP/1.1\nHost: a\n\n", 400),
	PROBE("one bare LF",                 "GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
	PROBE("bare LF as the empty line",   "GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
	PROBE("NUL in a value",              POST HOST "X: a\0b\r\n\r\n", 400),
	PROBE("NUL in a name",               POST HOST "X\0Y: a\r\n\r\n", 400),
	PROBE("bare CR in a value",          POST HOST "X: a\rb\r\n\r\n", 400),
	PROBE("bare CR before the CRLF",     POST HOST "X: a\r\r\n\r\n", 400),
	PROBE("control character",           POST HOST "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n", 400),
	PROBE("xchunked",                    POST HOST "Transfer-Encoding: xchunked\r\n\r\n", 501),
	PROBE("chunked, identity",           POST HOST "Transfer-Encoding: chunked, identity\r\n\r\n", 501),
	PROBE("gzip, chunked",               POST HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
	PROBE("identity",                    POST HOST "Transfer-Encoding: identity\r\n\r\n", 501),
	PROBE("chunked twice",               POST HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400),
	PROBE("chunked in two fields",       POST HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
	PROBE("chunked with a comma",        POST HOST "Transfer-Encoding: chunked,\r\n\r\n", 400),
	PROBE("chunked with a parameter",    POST HOST "Transfer-Encoding: chunked;q=1\r\n\r\n", 400),
	PROBE("empty coding",                POST HOST "Transfer-Encoding: \r\n\r\n", 400),
	PROBE("chunked in HTTP/1.0",         "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
	PROBE("chunk size with 0x",          POST HOST "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400),
	PROBE("chunk size with a sign",      POST HOST "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n", 400),
	PROBE("chunk size with a space",     POST HOST "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", 400),
	PROBE("chunk size without digits",   POST HOST "Transfer-Encoding: chunked\r\n\r\n;x\r\nabc\r\n0\r\n\r\n", 400),
	PROBE("chunk size beyond 64 bits",   POST HOST "Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", 400),
	PROBE("chunk size with a bare LF",   POST HOST "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400),
	PROBE("chunk longer than its size",  POST HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
	PROBE("LF inside an extension",      POST HOST "Transfer-Encoding: chunked\r\n\r\n3;\n\r\nabc\r\n0\r\n\r\n", 400),
	PROBE("a legal chunk extension",     POST HOST "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n", 200),
	PROBE("a quoted chunk extension",    POST HOST "Transfer-Encoding: chunked\r\n\r\n3;x=\"y;z\"\r\nabc\r\n0\r\n\r\n", 200),
	PROBE("a trailer",                   POST HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", 200),
	PROBE("a malformed trailer",         POST HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n", 400),
	PROBE("no Host",                     "GET / HTTP/1.1\r\n\r\n", 400),
	PROBE("two Hosts",                   "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
	PROBE("empty Host",                  "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
	PROBE("Host with a path",            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
	PROBE("Host with a user",            "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
	PROBE("Host in a list",              "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
	PROBE("Host with a bad port",        "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400),
	PROBE("another host in the target",  "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
/* clang-format on */
#undef PROBE
};

static int read_body(struct request_head *head, struct span rest)
{
	struct chunked c = { 0 };
	struct span data;

	if (!head->chunked)
		return rest.n == head->content_length ? 200 : 0;
	for (;;) {
		switch (chunked_next(&c, &rest, &data)) {
		case CHUNKED_DATA:
			break;
		case CHUNKED_DONE:
			return rest.n == 0 ? 200 : 0;
		case CHUNKED_BAD:
			return 400;
		case CHUNKED_MORE:
			return 0;
		}
	}
}

/* 0 while nothing can be said. */
static int answer(struct span text, size_t *scanned)
{
	struct request_head head;
	size_t used;

	switch (request_head_parse(text, HEAD_MAX, scanned, &head, &used)) {
	case HEAD_DONE:
		return read_body(&head, span_skip(text, used));
	case HEAD_BAD:
		assert_non_null(head.sentence);
		return head.status;
	case HEAD_MORE:
		break;
	}
	return 0;
}

static void expect(const char *what, int got, int wanted)
{
	if (got != wanted)
		fail_msg("%s: got %d, wanted %d", what, got, wanted);
}

static void test_what_could_be_read_in_two_ways_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		size_t scanned = 0;
		expect(probes[i].what, answer(probes[i].text, &scanned), probes[i].wanted);
	}
}

static void test_the_verdict_does_not_depend_on_the_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		size_t scanned = 0;
		int status = 0;
		for (size_t n = 1; n <= probes[i].text.n && status == 0; n++)
			status = answer(span_cut(probes[i].text, n), &scanned);
		expect(probes[i].what, status, probes[i].wanted);
	}
}

static void test_a_header_line_of_64_kilobytes_is_refused(void **state)
{
	static char text[65536] = POST HOST "X: ";
	size_t scanned = 0;

	(void)state;
	memset(text + strlen(text), 'a', sizeof(text) - strlen(text));
	assert_int_equal(answer((struct span){ text, sizeof(text) }, &scanned), 431);
}

static void test_two_pipelined_requests_are_two(void **state)
{
	struct span text = SPAN("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	struct request_head head;
	size_t scanned = 0, used;

	(void)state;
	assert_int_equal(request_head_parse(text, HEAD_MAX, &scanned, &head, &used), HEAD_DONE);
	assert_span(head.path, "/1");
	text = span_skip(text, used);
	scanned = 0;
	assert_int_equal(request_head_parse(text, HEAD_MAX, &scanned, &head, &used), HEAD_DONE);
	assert_span(head.path, "/2");
	assert_int_equal(used, text.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_could_be_read_in_two_ways_is_refused),
		cmocka_unit_test(test_the_verdict_does_not_depend_on_the_packets),
		cmocka_unit_test(test_a_header_line_of_64_kilobytes_is_refused),
		cmocka_unit_test(test_two_pipelined_requests_are_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
