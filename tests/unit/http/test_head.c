#include "unit.h"

#include <stdio.h>

#include "http/head.h"

#define HEAD_MAX 1024

static struct request_head head;

static enum head_verdict parse(struct span text)
{
	size_t scanned = 0, used = 0;
	enum head_verdict verdict = request_head_parse(text, HEAD_MAX, &scanned, &head, &used);

	if (verdict == HEAD_DONE)
		assert_int_equal(used, text.n);
	return verdict;
}

static void expect_status(struct span text, int status)
{
	enum head_verdict verdict = parse(text);
	int got = verdict == HEAD_BAD ? head.status : 0;

	if (got != status)
		fail_msg("\"%.*s\": got %d, wanted %d", SPAN_ARG(text), got, status);
}

static void test_the_parts_of_a_head_are_found(void **state)
{
	(void)state;
	assert_int_equal(parse(SPAN("POST /mcp?a=1&b HTTP/1.1\r\nHost: example.org:8080\r\nAccept:\t text/html \t\r\n"
	                            "Content-Length: 42\r\nX-Empty:\r\n\r\n")),
	        HEAD_DONE);
	assert_span(head.method, "POST");
	assert_span(head.target, "/mcp?a=1&b");
	assert_span(head.path, "/mcp");
	assert_span(head.query, "a=1&b");
	assert_span(head.host, "example.org:8080");
	assert_int_equal(head.minor, 1);
	assert_true(head.keep_alive);
	assert_true(head.has_length);
	assert_int_equal(head.content_length, 42);
	assert_false(head.chunked);
	assert_false(head.expects_continue);
	assert_int_equal(head.field_count, 4);
	assert_span(head_get(&head, SPAN("accept")), "text/html");
	assert_span(head_get(&head, SPAN("X-EMPTY")), "");
	assert_false(span_is_set(head_get(&head, SPAN("Origin"))));
	assert_int_equal(head_count(&head, SPAN("host")), 1);
}

static void test_the_forms_of_a_target(void **state)
{
	static const struct {
		struct span line;
		const char *path, *query;
	} rows[] = {
#define ROW(line, path, query) { { line, sizeof(line) - 1 }, path, query }
		ROW("GET / HTTP/1.1", "/", NULL),
		ROW("GET /? HTTP/1.1", "/", ""),
		ROW("GET /a%20b?c?d HTTP/1.1", "/a%20b", "c?d"),
		ROW("GET //a HTTP/1.1", "//a", NULL),
		ROW("GET /a?{x}|[y] HTTP/1.1", "/a", "{x}|[y]"),
		ROW("GET http://h HTTP/1.1", "/", NULL),
		ROW("GET http://h?q HTTP/1.1", "/", "q"),
		ROW("GET HTTP://H/a?q HTTP/1.1", "/a", "q"),
		ROW("OPTIONS * HTTP/1.1", "*", NULL),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		int n = snprintf(text, sizeof(text), "%.*s\r\nHost: h\r\n\r\n", SPAN_ARG(rows[i].line));
		assert_int_equal(parse((struct span){ text, (size_t)n }), HEAD_DONE);
		assert_span_is(head.path, span_of(rows[i].path));
		assert_true(span_eq(head.query, span_of(rows[i].query)));
		assert_int_equal(span_is_set(head.query), rows[i].query != NULL);
		assert_span(head.host, "h");
	}
}

static void test_a_bad_request_line_is_refused(void **state)
{
	static const struct {
		const char *line;
		int status;
	} rows[] = {
		{ "GET", 400 },
		{ "GET ", 400 },
		{ "GET /", 400 },
		{ "GET / ", 400 },
		{ " GET / HTTP/1.1", 400 },
		{ "GET  / HTTP/1.1", 400 },
		{ "GET /  HTTP/1.1", 400 },
		{ "GET / HTTP/1.1 ", 400 },
		{ "GET\t/ HTTP/1.1", 400 },
		{ "G(T / HTTP/1.1", 400 },
		{ "GET / http/1.1", 400 },
		{ "GET / HTTP/1.10", 400 },
		{ "GET / HTTP/1,1", 400 },
		{ "GET / HTTP/11", 400 },
		{ "GET / HTTP/1.2", 505 },
		{ "GET / HTTP/0.9", 505 },
		{ "PRI * HTTP/2.0", 505 },
		{ "GET mcp HTTP/1.1", 400 },
		{ "GET * HTTP/1.1", 400 },
		{ "GET /a#b HTTP/1.1", 400 },
		{ "GET /a\\b HTTP/1.1", 400 },
		{ "GET /a<b HTTP/1.1", 400 },
		{ "GET /\x7f HTTP/1.1", 400 },
		{ "GET /\xc3\xa9 HTTP/1.1", 400 },
		{ "GET /% HTTP/1.1", 400 },
		{ "GET /%4 HTTP/1.1", 400 },
		{ "GET /%4x HTTP/1.1", 400 },
		{ "GET /%41%zz HTTP/1.1", 400 },
		{ "GET ftp://h/ HTTP/1.1", 400 },
		{ "GET http:/h/ HTTP/1.1", 400 },
		{ "GET http:///a HTTP/1.1", 400 },
		{ "GET http://u@h/ HTTP/1.1", 400 },
		{ "GET http://h:x/ HTTP/1.1", 400 },
		{ "CONNECT h:443 HTTP/1.1", 400 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		int n = snprintf(text, sizeof(text), "%s\r\nHost: h\r\n\r\n", rows[i].line);
		expect_status((struct span){ text, (size_t)n }, rows[i].status);
	}
}

static void test_hosts_that_are_valid_and_hosts_that_are_not(void **state)
{
	static const struct {
		const char *host;
		int status;
	} rows[] = {
		{ "localhost", 0 },
		{ "127.0.0.1:8080", 0 },
		{ "[::1]", 0 },
		{ "[::1]:80", 0 },
		{ "my_svc.ns", 0 },
		{ "h:", 0 },
		{ "[::1", 400 },
		{ "[]", 400 },
		{ "[g]", 400 },
		{ "[::1]x", 400 },
		{ "h:80:80", 400 },
		{ ":80", 400 },
		{ "h h", 400 },
		{ "h:-1", 400 },
		{ "h?x", 400 },
		{ "h:999999", 400 },
		{ "\xc3\xa9", 400 },
		{ "[fe80::1%25eth0]", 400 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i].host);
		expect_status((struct span){ text, (size_t)n }, rows[i].status);
	}
}

static void test_how_long_the_connection_lives(void **state)
{
	static const struct {
		const char *version, *fields;
		bool keep_alive;
	} rows[] = {
		{ "1.1", "", true },
		{ "1.1", "Connection: close\r\n", false },
		{ "1.1", "Connection: Keep-Alive, CLOSE\r\n", false },
		{ "1.1", "Connection: close\r\nConnection: keep-alive\r\n", false },
		{ "1.1", "Connection: x-close\r\n", true },
		{ "1.0", "", false },
		{ "1.0", "Connection: keep-alive\r\n", true },
		{ "1.0", "Connection: keep-alive, close\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		int n = snprintf(
		        text, sizeof(text), "GET / HTTP/%s\r\nHost: h\r\n%s\r\n", rows[i].version, rows[i].fields);
		expect_status((struct span){ text, (size_t)n }, 0);
		assert_int_equal(head.keep_alive, rows[i].keep_alive);
	}
}

static void test_an_http_1_0_request_needs_no_host(void **state)
{
	(void)state;
	expect_status(SPAN("GET / HTTP/1.0\r\n\r\n"), 0);
	assert_int_equal(head.minor, 0);
	assert_false(span_is_set(head.host));
	expect_status(SPAN("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
}

static void test_expectations(void **state)
{
	(void)state;
	expect_status(SPAN("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n"), 0);
	assert_true(head.expects_continue);
	expect_status(
	        SPAN("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"), 0);
	assert_true(head.expects_continue);
	expect_status(SPAN("GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n"), 0);
	assert_false(head.expects_continue); /* there is no body to wait for */
	expect_status(SPAN("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"), 0);
	assert_false(head.expects_continue); /* RFC 9110, 10.1.1 */
	expect_status(SPAN("POST / HTTP/1.1\r\nHost: h\r\nExpect: wonders\r\n\r\n"), 417);
}

static void test_a_chunked_body_is_announced_in_any_case(void **state)
{
	(void)state;
	expect_status(SPAN("POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: Chunked \r\n\r\n"), 0);
	assert_true(head.chunked);
	assert_false(head.has_length);
}

static void test_a_few_empty_lines_may_come_first(void **state)
{
	(void)state;
	expect_status(SPAN("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
	expect_status(SPAN("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
	expect_status(SPAN("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
	assert_int_equal(parse(SPAN("\r")), HEAD_MORE);
	assert_int_equal(parse(SPAN("\r\n\r")), HEAD_MORE);
}

static void test_what_is_not_http_is_refused_at_the_first_byte(void **state)
{
	(void)state;
	expect_status(SPAN("\x16\x03\x01"), 400); /* a TLS hello */
	expect_status(SPAN("{"), 400);
	assert_int_equal(parse(SPAN("G")), HEAD_MORE);
	assert_int_equal(parse(SPAN("")), HEAD_MORE);
}

static void test_the_size_of_a_head_is_bounded(void **state)
{
	char text[HEAD_MAX + 64];
	size_t at = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\nX: ");

	(void)state;
	memset(text + at, 'x', sizeof(text) - at);
	memcpy(text + HEAD_MAX - 4, "\r\n\r\n", 4);
	expect_status((struct span){ text, HEAD_MAX }, 0);
	memcpy(text + HEAD_MAX - 4, "xxxx\r\n\r\n", 8);
	assert_int_equal(parse((struct span){ text, HEAD_MAX }), HEAD_MORE);
	expect_status((struct span){ text, HEAD_MAX + 4 }, 431);
	memset(text + 5, 'x', sizeof(text) - 5);
	expect_status((struct span){ text, HEAD_MAX + 1 }, 414);
}

static void test_the_number_of_fields_is_bounded(void **state)
{
	char text[HEAD_MAX];
	size_t at = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n");

	(void)state;
	for (unsigned i = 1; i < HEAD_FIELDS_MAX; i++, at += 4)
		memcpy(text + at, "A:\r\n", 4);
	memcpy(text + at, "\r\nA:\r\n\r\n", 8);
	expect_status((struct span){ text, at + 2 }, 0);
	assert_int_equal(head.field_count, HEAD_FIELDS_MAX);
	memcpy(text + at, "A:\r\n\r\n", 6);
	expect_status((struct span){ text, at + 6 }, 431);
}

static void test_lists_are_searched_by_whole_tokens(void **state)
{
	(void)state;
	assert_true(list_has_token(SPAN("application/json, text/event-stream"), SPAN("text/event-stream")));
	assert_true(list_has_token(SPAN("a ,\tText/HTML ; q=0.5"), SPAN("text/html")));
	assert_false(list_has_token(SPAN("text/htmlx"), SPAN("text/html")));
	assert_false(list_has_token(SPAN(""), SPAN("a")));
	assert_false(list_has_token(SPAN_NONE, SPAN("a")));
}

static void test_statuses_have_phrases(void **state)
{
	(void)state;
	assert_string_equal(status_phrase(200), "OK");
	assert_string_equal(status_phrase(404), "Not Found");
	assert_string_equal(status_phrase(599), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_parts_of_a_head_are_found),
		cmocka_unit_test(test_the_forms_of_a_target),
		cmocka_unit_test(test_a_bad_request_line_is_refused),
		cmocka_unit_test(test_hosts_that_are_valid_and_hosts_that_are_not),
		cmocka_unit_test(test_how_long_the_connection_lives),
		cmocka_unit_test(test_an_http_1_0_request_needs_no_host),
		cmocka_unit_test(test_expectations),
		cmocka_unit_test(test_a_chunked_body_is_announced_in_any_case),
		cmocka_unit_test(test_a_few_empty_lines_may_come_first),
		cmocka_unit_test(test_what_is_not_http_is_refused_at_the_first_byte),
		cmocka_unit_test(test_the_size_of_a_head_is_bounded),
		cmocka_unit_test(test_the_number_of_fields_is_bounded),
		cmocka_unit_test(test_lists_are_searched_by_whole_tokens),
		cmocka_unit_test(test_statuses_have_phrases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
