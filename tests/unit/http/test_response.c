#include "unit.h"

#include <stdio.h>

#include "http/response.h"

#define HEAD_MAX 512
#define OK "HTTP/1.1 200 OK\r\n"
#define TEXT(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct response_head head;

static void test_the_parts_of_a_head_are_found(void **state)
{
	struct span text = SPAN("HTTP/1.1 404 Not  Found\r\nContent-Type: text/event-stream \r\n"
	                        "content-length: 12\r\nX-Empty:\r\n\r\nbody");
	size_t scanned = 0, used = 0;

	(void)state;
	assert_int_equal(response_head_parse(text, HEAD_MAX, &scanned, &head, &used), HEAD_DONE);
	assert_int_equal(used, text.n - 4);
	assert_int_equal(head.status, 404);
	assert_span(head.reason, "Not  Found");
	assert_int_equal(head.minor, 1);
	assert_true(head.keep_alive);
	assert_true(head.has_length);
	assert_int_equal(head.content_length, 12);
	assert_int_equal(head.field_count, 3);
	assert_span(response_get(&head, SPAN("content-type")), "text/event-stream");
	assert_span(response_get(&head, SPAN("X-EMPTY")), "");
	assert_false(span_is_set(response_get(&head, SPAN("Location"))));
}

static const struct {
	struct span text;
	enum head_verdict verdict;
	const char *sentence;
} probes[] = {
	/* clang-format off */
	{ TEXT("HTTP/1.1 200 OK\r\n\r\n"),               HEAD_DONE, NULL },
	{ TEXT("HTTP/1.1 200 \r\n\r\n"),                 HEAD_DONE, NULL },
	{ TEXT("HTTP/1.1 200\r\n\r\n"),                  HEAD_DONE, NULL },
	{ TEXT("HTTP/1.0 599 \xff\r\n\r\n"),             HEAD_DONE, NULL },
	{ TEXT("HTTP/1.1 100 Continue\r\n\r\n"),         HEAD_DONE, NULL },
	{ TEXT(""),                                      HEAD_MORE, NULL },
	{ TEXT("HTTP/1"),                                HEAD_MORE, NULL },
	{ TEXT("HTTP/1.1 200 OK\r\n"),                   HEAD_MORE, NULL },
	{ TEXT("HTTP/1.1 200 OK\r\n\r"),                 HEAD_MORE, NULL },
	{ TEXT("\r\nHTTP/1.1 200 OK\r\n\r\n"),           HEAD_BAD, "does not begin with an HTTP status line" },
	{ TEXT("<html>"),                                HEAD_BAD, "does not begin with an HTTP status line" },
	{ TEXT("SSH-2.0-x\r\n"),                         HEAD_BAD, "does not begin with an HTTP status line" },
	{ TEXT("http/1.1 200 OK\r\n\r\n"),               HEAD_BAD, "does not begin with an HTTP status line" },
	{ TEXT("HTTP/2.0 200 OK\r\n\r\n"),               HEAD_BAD, "does not begin with an HTTP status line" },
	{ TEXT("HTTP/1.2 200 OK\r\n\r\n"),               HEAD_BAD, "another version" },
	{ TEXT("HTTP/1.1  200 OK\r\n\r\n"),              HEAD_BAD, "not a number from 100 to 599" },
	{ TEXT("HTTP/1.1\t200 OK\r\n\r\n"),              HEAD_BAD, "does not begin with an HTTP status line" },
	{ TEXT("HTTP/1.1 99 OK\r\n\r\n"),                HEAD_BAD, "not a number from 100 to 599" },
	{ TEXT("HTTP/1.1 099 OK\r\n\r\n"),               HEAD_BAD, "not a number from 100 to 599" },
	{ TEXT("HTTP/1.1 600 OK\r\n\r\n"),               HEAD_BAD, "not a number from 100 to 599" },
	{ TEXT("HTTP/1.1 +20 OK\r\n\r\n"),               HEAD_BAD, "not a number from 100 to 599" },
	{ TEXT("HTTP/1.1 2000 OK\r\n\r\n"),              HEAD_BAD, "status line is not valid" },
	{ TEXT("HTTP/1.1 200OK\r\n\r\n"),                HEAD_BAD, "status line is not valid" },
	{ TEXT("HTTP/1.1 200 O\0K\r\n\r\n"),             HEAD_BAD, "status line is not valid" },
	{ TEXT("HTTP/1.1 200 O\rK\r\n\r\n"),             HEAD_BAD, "status line is not valid" },
	{ TEXT("HTTP/1.1 \r\n\r\n"),                     HEAD_BAD, "does not begin with an HTTP status line" },
	{ TEXT("HTTP/1.1 200 OK\n\n"),                   HEAD_BAD, "bare LF" },
	{ TEXT(OK "A: b\n\r\n"),                         HEAD_BAD, "bare LF" },
	{ TEXT(OK " A: b\r\n\r\n"),                      HEAD_BAD, "name is not valid" },
	{ TEXT(OK "A: b\r\n c\r\n\r\n"),                 HEAD_BAD, "name is not valid" },
	{ TEXT(OK "A : b\r\n\r\n"),                      HEAD_BAD, "name is not valid" },
	{ TEXT(OK "A\r\n\r\n"),                          HEAD_BAD, "name is not valid" },
	{ TEXT(OK ": b\r\n\r\n"),                        HEAD_BAD, "name is not valid" },
	{ TEXT(OK "A: \x01\r\n\r\n"),                    HEAD_BAD, "control character" },
	{ TEXT(OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"), HEAD_BAD, "more than one Content-Length" },
	{ TEXT(OK "Content-Length: 3, 3\r\n\r\n"),       HEAD_BAD, "not a number" },
	{ TEXT(OK "Content-Length: -3\r\n\r\n"),         HEAD_BAD, "not a number" },
	{ TEXT(OK "Content-Length: 9223372036854775808\r\n\r\n"), HEAD_BAD, "not a number" },
	{ TEXT(OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), HEAD_BAD, "both" },
	{ TEXT(OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), HEAD_BAD, "both" },
	{ TEXT(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"), HEAD_BAD, "only transfer coding" },
	{ TEXT(OK "Transfer-Encoding: chunked, chunked\r\n\r\n"), HEAD_BAD, "chunked once only" },
	{ TEXT(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), HEAD_BAD, "chunked once only" },
	{ TEXT(OK "Transfer-Encoding:\r\n\r\n"),         HEAD_BAD, "not valid" },
	{ TEXT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), HEAD_BAD, "HTTP/1.0 has no" },
	/* clang-format on */
};

static void expect(size_t row, enum head_verdict verdict)
{
	if (verdict != probes[row].verdict)
		fail_msg("row %zu: verdict %d, %s", row, verdict, verdict == HEAD_BAD ? head.sentence : "no fault");
	if (verdict == HEAD_BAD && strstr(head.sentence, probes[row].sentence) == NULL)
		fail_msg("row %zu: %s", row, head.sentence);
}

static void test_each_head_has_one_reading_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t row = 0; row < ROWS(probes); row++) {
		size_t scanned = 0, used = 0;
		expect(row, response_head_parse(probes[row].text, HEAD_MAX, &scanned, &head, &used));
		enum head_verdict verdict = HEAD_MORE;
		scanned = 0;
		for (size_t n = 0; verdict == HEAD_MORE && n <= probes[row].text.n; n++)
			verdict = response_head_parse(span_cut(probes[row].text, n), HEAD_MAX, &scanned, &head, &used);
		expect(row, verdict);
	}
}

static void test_a_head_is_bounded(void **state)
{
	char text[4096];
	size_t scanned = 0, used = 0;
	int n = snprintf(text, sizeof(text), OK "X: %0600d\r\n\r\n", 1);

	(void)state;
	assert_int_equal(
	        response_head_parse((struct span){ text, (size_t)n }, HEAD_MAX, &scanned, &head, &used), HEAD_BAD);
	assert_non_null(strstr(head.sentence, "too large"));
	n = snprintf(text, sizeof(text), OK);
	for (int i = 0; i <= HEAD_FIELDS_MAX; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "A: b\r\n");
	n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
	scanned = 0;
	assert_int_equal(
	        response_head_parse((struct span){ text, (size_t)n }, sizeof(text), &scanned, &head, &used), HEAD_BAD);
	assert_non_null(strstr(head.sentence, "too many fields"));
}

static void test_how_a_body_ends(void **state)
{
	static const struct {
		struct span text;
		bool answers_head;
		enum response_body body;
		bool keep_alive;
	} rows[] = {
		/* clang-format off */
		{ TEXT(OK "Content-Length: 3\r\n\r\n"),                      false, RESPONSE_LENGTH, true },
		{ TEXT(OK "Content-Length: 0\r\n\r\n"),                      false, RESPONSE_NO_BODY, true },
		{ TEXT(OK "Content-Length: 3\r\n\r\n"),                      true,  RESPONSE_NO_BODY, true },
		{ TEXT(OK "Transfer-Encoding: Chunked\r\n\r\n"),             false, RESPONSE_CHUNKED, true },
		{ TEXT(OK "Transfer-Encoding: chunked\r\n\r\n"),             true,  RESPONSE_NO_BODY, true },
		{ TEXT(OK "\r\n"),                                           false, RESPONSE_UNTIL_CLOSE, true },
		{ TEXT(OK "Connection: x, Close\r\n\r\n"),                   false, RESPONSE_UNTIL_CLOSE, false },
		{ TEXT("HTTP/1.0 200 OK\r\n\r\n"),                           false, RESPONSE_UNTIL_CLOSE, false },
		{ TEXT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"), false, RESPONSE_UNTIL_CLOSE, true },
		{ TEXT("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"), false, RESPONSE_NO_BODY, true },
		{ TEXT("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"), false, RESPONSE_NO_BODY, true },
		{ TEXT("HTTP/1.1 103 Early Hints\r\n\r\n"),                  false, RESPONSE_NO_BODY, true },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		size_t scanned = 0, used = 0;
		assert_int_equal(response_head_parse(rows[i].text, HEAD_MAX, &scanned, &head, &used), HEAD_DONE);
		assert_int_equal(response_body(&head, rows[i].answers_head), rows[i].body);
		assert_int_equal(head.keep_alive, rows[i].keep_alive);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_parts_of_a_head_are_found),
		cmocka_unit_test(test_each_head_has_one_reading_however_it_is_cut),
		cmocka_unit_test(test_a_head_is_bounded),
		cmocka_unit_test(test_how_a_body_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
