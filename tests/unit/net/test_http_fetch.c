/* One request and its answer: what is sent, and what is made of what comes. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "origin.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static void test_a_request_is_written_as_it_should_be(void **state)
{
	struct scene s;
	struct got g = { 0 };
	const struct span body[] = { SPAN("{\"a\":"), SPAN("1}") };
	const struct head_field fields[] = {
		{ SPAN("Accept"), SPAN("application/json") },
		{ SPAN("X-Not-There"), SPAN_NONE },
		{ SPAN("X-Empty"), SPAN("") },
	};
	struct http_fetch_request r = { .method = SPAN("POST"),
		.target = SPAN("/mcp?a=b"),
		.fields = fields,
		.field_count = 3,
		.body = body,
		.body_parts = 2 };
	char wanted[256];

	(void)state;
	scene_init(&s, NULL, 0);
	scene_start(&s);
	got_start(&g, &s, &r);
	scene_run(&s);
	got_expect(&g, FETCH_DONE, 200, "ok");
	assert_true(g.sent);
	snprintf(wanted, sizeof(wanted),
	        "POST /mcp?a=b HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: application/json\r\nX-Empty: \r\n"
	        "Content-Length: 7\r\n\r\n{\"a\":1}",
	        s.origin.port);
	assert_span_is(buf_span(&s.origin.last), span_of(wanted));
	got_clear(&g);
	r = (struct http_fetch_request){ .method = SPAN("POST"), .target = SPAN("/") };
	got_start(&g, &s, &r);
	scene_run(&s);
	snprintf(wanted, sizeof(wanted), "POST / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: 0\r\n\r\n",
	        s.origin.port);
	assert_span_is(buf_span(&s.origin.last), span_of(wanted));
	got_clear(&g);
	got_get(&g, &s, "/");
	scene_run(&s);
	snprintf(wanted, sizeof(wanted), "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", s.origin.port);
	assert_span_is(buf_span(&s.origin.last), span_of(wanted));
	got_clear(&g);
	scene_end(&s);
}

static void test_what_no_request_can_hold_is_not_sent(void **state)
{
	static const struct head_field bad_name = { { "A b", 3 }, { "c", 1 } },
	                               bad_value = { { "A", 1 }, { "b\r\nC: d", 7 } };
	const struct http_fetch_request rows[] = {
		{ .method = SPAN(""), .target = SPAN("/") },
		{ .method = SPAN("GET x"), .target = SPAN("/") },
		{ .method = SPAN("GET"), .target = SPAN("") },
		{ .method = SPAN("GET"), .target = SPAN("http://b/") },
		{ .method = SPAN("GET"), .target = SPAN("/ HTTP/1.1\r\nX: y") },
		{ .method = SPAN("GET"), .target = SPAN("/"), .fields = &bad_name, .field_count = 1 },
		{ .method = SPAN("GET"), .target = SPAN("/"), .fields = &bad_value, .field_count = 1 },
	};
	struct scene s;
	struct got g = { 0 };

	(void)state;
	scene_init(&s, NULL, 0);
	scene_start(&s);
	for (size_t i = 0; i < ROWS(rows); i++) {
		got_start(&g, &s, &rows[i]);
		scene_run(&s);
		got_expect(&g, FETCH_INVALID, 0, "");
		assert_false(g.sent);
		got_clear(&g);
	}
	assert_int_equal(s.origin.accepted, 0);
	scene_end(&s);
}

static const struct {
	const char *text;
	enum origin_then then;
	bool head_method;
	enum fetch_end why;
	int status;
	const char *body;
	bool kept;
	const char *sentence; /* a part of it */
	bool has_garbage;     /* behind its end, where its fetch may not meet it */
} answers[] = {
	/* clang-format off */
	{ OK "Content-Length: 3\r\n\r\nabc", THEN_KEEP, false, FETCH_DONE, 200, "abc", true, "", false },
	{ OK "Content-Length: 0\r\n\r\n", THEN_KEEP, false, FETCH_DONE, 200, "", true, "", false },
	{ OK "Content-Length: 3\r\nConnection: close\r\n\r\nabc", THEN_KEEP, false, FETCH_DONE, 200, "abc", false, "", false },
	{ OK "Content-Length: 3\r\n\r\nabcGARBAGE", THEN_KEEP, false, FETCH_DONE, 200, "abc", false, "", true },
	{ "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", THEN_KEEP, false, FETCH_DONE, 302, "", true, "", false },
	{ "HTTP/1.1 204 No Content\r\n\r\n", THEN_KEEP, false, FETCH_DONE, 204, "", true, "", false },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", THEN_KEEP, false, FETCH_DONE, 304, "", true, "", false },
	{ OK "Content-Length: 5\r\n\r\n", THEN_KEEP, true, FETCH_DONE, 200, "", true, "", false },
	{ CHUNKED "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n", THEN_KEEP, false, FETCH_DONE, 200, "abcde", true, "", false },
	{ CHUNKED "0\r\n\r\n", THEN_KEEP, false, FETCH_DONE, 200, "", true, "", false },
	{ CHUNKED "3\r\nabc\r\n0\r\n\r\nHTTP", THEN_KEEP, false, FETCH_DONE, 200, "abc", false, "", true },
	{ OK "\r\nabc", THEN_CLOSE, false, FETCH_DONE, 200, "abc", false, "", false },
	{ OK "\r\n", THEN_CLOSE, false, FETCH_DONE, 200, "", false, "", false },
	{ "HTTP/1.0 200 OK\r\n\r\nabc", THEN_CLOSE, false, FETCH_DONE, 200, "abc", false, "", false },
	{ "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", THEN_KEEP, false, FETCH_DONE, 200, "abc", false, "", false },
	{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc", THEN_KEEP, false, FETCH_DONE, 200, "abc", true, "", false },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK "Content-Length: 1\r\n\r\na", THEN_KEEP, false, FETCH_DONE, 200, "a", true, "", false },
	{ "HTTP/1.1 101 Switching Protocols\r\n\r\n", THEN_KEEP, false, FETCH_BAD_ANSWER, 0, "", false, "without being asked", false },
	{ "SSH-2.0-OpenSSH\r\n", THEN_KEEP, false, FETCH_BAD_ANSWER, 0, "", false, "status line", false },
	{ OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", THEN_KEEP, false, FETCH_BAD_ANSWER, 0, "", false, "more than one Content-Length", false },
	{ OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", THEN_KEEP, false, FETCH_BAD_ANSWER, 0, "", false, "both", false },
	{ OK "A: b\r\n c\r\n\r\n", THEN_KEEP, false, FETCH_BAD_ANSWER, 0, "", false, "name is not valid", false },
	{ CHUNKED "3\r\nabcX", THEN_KEEP, false, FETCH_BAD_ANSWER, 200, "abc", false, "chunked as it should be", false },
	{ CHUNKED "x", THEN_KEEP, false, FETCH_BAD_ANSWER, 200, "", false, "chunked as it should be", false },
	{ NULL, THEN_CLOSE, false, FETCH_LOST, 0, "", false, "before it answered", false },
	{ NULL, THEN_RESET, false, FETCH_LOST, 0, "", false, "before it answered", false },
	{ "HTTP/1.1 2", THEN_CLOSE, false, FETCH_LOST, 0, "", false, "in the head", false },
	{ "HTTP/1.1 100 Continue\r\n\r\n", THEN_CLOSE, false, FETCH_LOST, 0, "", false, "in the head", false },
	{ OK "Content-Length: 3\r\n\r\nab", THEN_CLOSE, false, FETCH_LOST, 200, "ab", false, "in the middle", false },
	{ CHUNKED "3\r\nabc\r\n", THEN_CLOSE, false, FETCH_LOST, 200, "abc", false, "in the middle", false },
	{ CHUNKED "3\r\nabc\r\n0\r\n", THEN_CLOSE, false, FETCH_LOST, 200, "abc", false, "in the middle", false },
	/* clang-format on */
};

static void try_answer(size_t row, size_t slice)
{
	struct scene s;
	struct got g = { 0 };
	struct origin_line line = { .text = answers[row].text, .then = answers[row].then };
	const struct http_fetch_request r = { .method = answers[row].head_method ? SPAN("HEAD") : SPAN("GET"),
		.target = SPAN("/") };
	struct http_client_stats stats;

	line.slice = slice;
	scene_init(&s, &line, 1);
	scene_start(&s);
	got_start(&g, &s, &r);
	scene_run(&s);
	http_client_stats(s.client, &stats);
	if (g.why != answers[row].why || g.status != answers[row].status ||
	        !span_eq(buf_span(&g.body), span_of(answers[row].body)) || stats.idle != answers[row].kept ||
	        strstr(g.sentence, answers[row].sentence) == NULL)
		fail_msg("row %zu, slice %zu: %s, %s, status %d, \"%.*s\", kept %zu", row, slice, fetch_end_name(g.why),
		        g.sentence, g.status, SPAN_ARG(buf_span(&g.body)), stats.idle);
	assert_true(g.sent);
	assert_int_equal(stats.connections, stats.idle);
	got_clear(&g);
	scene_end(&s);
}

static void test_each_answer_is_what_it_is(void **state)
{
	(void)state;
	for (size_t row = 0; row < ROWS(answers); row++)
		try_answer(row, 0);
}

static void test_each_answer_is_the_same_when_it_comes_byte_by_byte(void **state)
{
	(void)state;
	for (size_t row = 0; row < ROWS(answers); row++)
		if (!answers[row].has_garbage)
			try_answer(row, 1);
}

static void test_a_head_is_bounded(void **state)
{
	static char text[70000];
	const struct origin_line lines[] = { { .text = text }, { .text = OK "X: y\r\n", .more = 100000 } };
	struct scene s;
	struct got g = { 0 };

	(void)state;
	for (int i = 0; i < 20; i++)
		memcpy(text + i * 25, "HTTP/1.1 100 Continue\r\n\r\n", 26);
	scene_init(&s, lines, 2);
	scene_start(&s);
	got_get(&g, &s, "/");
	scene_run(&s);
	got_expect(&g, FETCH_BAD_ANSWER, 0, "");
	got_clear(&g);
	got_get(&g, &s, "/");
	scene_run(&s);
	got_expect(&g, FETCH_BAD_ANSWER, 0, "");
	assert_non_null(strstr(g.sentence, "too large"));
	got_clear(&g);
	scene_end(&s);
}

static void test_a_big_body_comes_whole(void **state)
{
	const struct origin_line lines[] = { { .text = OK "Content-Length: 8000000\r\n\r\n", .more = 8000000 } };
	struct scene s;
	struct got g = { 0 };

	(void)state;
	scene_init(&s, lines, 1);
	scene_start(&s);
	got_get(&g, &s, "/");
	scene_run(&s);
	got_expect(&g, FETCH_DONE, 200, NULL);
	assert_int_equal(buf_size(&g.body), 8000000);
	got_clear(&g);
	scene_end(&s);
}

static void test_a_big_request_goes_whole(void **state)
{
	static char big[6000000];
	const struct span body = { big, sizeof(big) };
	const struct http_fetch_request r = {
		.method = SPAN("POST"), .target = SPAN("/"), .body = &body, .body_parts = 1
	};
	struct scene s;
	struct got g = { 0 };

	(void)state;
	memset(big, 'y', sizeof(big));
	scene_init(&s, NULL, 0);
	scene_start(&s);
	got_start(&g, &s, &r);
	scene_run(&s);
	got_expect(&g, FETCH_DONE, 200, "ok");
	assert_true(buf_size(&s.origin.last) > sizeof(big));
	got_clear(&g);
	scene_end(&s);
}

static void test_an_answer_before_the_end_of_the_request_is_taken(void **state)
{
	static char big[6000000];
	const struct span body = { big, sizeof(big) };
	const struct http_fetch_request r = {
		.method = SPAN("POST"), .target = SPAN("/"), .body = &body, .body_parts = 1
	};
	const struct origin_line lines[] = {
		{ .text = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig", .early = true },
		{ .text = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig",
		        .early = true,
		        .then = THEN_RESET },
	};
	struct scene s;
	struct got g = { 0 };
	struct http_client_stats stats;

	(void)state;
	scene_init(&s, lines, 2);
	scene_start(&s);
	got_start(&g, &s, &r);
	scene_run(&s);
	got_expect(&g, FETCH_DONE, 413, "big");
	http_client_stats(s.client, &stats);
	assert_int_equal(stats.connections, 0);
	got_clear(&g);
	got_start(&g, &s, &r);
	scene_run(&s);
	assert_int_equal(g.ends, 1);
	assert_true(g.why == FETCH_DONE || g.why == FETCH_LOST); /* a reset may overtake the answer */
	assert_true(g.sent);
	got_clear(&g);
	scene_end(&s);
}

/* Deadlines */

static void test_a_server_that_does_not_take_the_request_is_left(void **state)
{
	static char big[12000000];
	const struct span body = { big, sizeof(big) };
	const struct http_fetch_request r = {
		.method = SPAN("POST"), .target = SPAN("/"), .body = &body, .body_parts = 1
	};
	struct scene s;
	struct got g = { 0 };

	(void)state;
	scene_init(&s, NULL, 0);
	s.origin.holds = true;
	s.conf.write_timeout_ms = 100;
	scene_start(&s);
	got_start(&g, &s, &r);
	scene_run(&s);
	got_expect(&g, FETCH_LOST, 0, "");
	assert_string_equal(g.sentence, "the server did not take the request in time");
	assert_true(g.sent);
	got_clear(&g);
	scene_end(&s);
}

static void test_deadlines_end_a_fetch(void **state)
{
	const struct origin_line lines[] = {
		{ .text = OK, .delay_ms = 5000 },
		{ .text = OK },
		{ .text = OK "Content-Length: 5\r\n\r\nab" },
		{ .text = OK "Content-Length: 50\r\n\r\n0123456789012345678901234567890123456789",
		        .slice = 1,
		        .delay_ms = 30 },
	};
	static const struct {
		msec_t first, idle, total;
		int status;
		const char *sentence;
	} rows[] = {
		{ 60, 5000, 5000, 0, "did not begin to answer" },
		{ 60, 5000, 5000, 0, "did not begin to answer" },
		{ 5000, 60, 5000, 200, "nothing more came" },
		{ 10000, 10000, 200, 0, "not whole in time" },
	};
	struct scene s;
	struct got g = { 0 };
	struct http_client_stats stats;

	(void)state;
	scene_init(&s, lines, ROWS(lines));
	scene_start(&s);
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct http_fetch_request r = { .method = SPAN("GET"),
			.target = SPAN("/"),
			.first_timeout_ms = rows[i].first,
			.idle_timeout_ms = rows[i].idle,
			.total_timeout_ms = rows[i].total };
		got_start(&g, &s, &r);
		scene_run(&s);
		got_expect(&g, FETCH_TIMEOUT, rows[i].status, NULL);
		if (strstr(g.sentence, rows[i].sentence) == NULL)
			fail_msg("row %zu: %s", i, g.sentence);
		assert_true(g.sent);
		http_client_stats(s.client, &stats);
		assert_int_equal(stats.connections, 0);
		got_clear(&g);
	}
	scene_end(&s);
}

static void test_a_stream_may_live_as_long_as_something_comes(void **state)
{
	const struct origin_line lines[] = {
		{ .text = CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n1\r\ne\r\n0\r\n\r\n",
		        .slice = 6,
		        .delay_ms = 40 },
	};
	const struct http_fetch_request r = {
		.method = SPAN("GET"), .target = SPAN("/"), .first_timeout_ms = 3000, .idle_timeout_ms = 2000
	};
	struct scene s;
	struct got g = { 0 };

	(void)state;
	scene_init(&s, lines, 1);
	scene_start(&s);
	got_start(&g, &s, &r);
	scene_run(&s);
	got_expect(&g, FETCH_DONE, 200, "abcde");
	assert_true(g.pieces >= 4);
	got_clear(&g);
	scene_end(&s);
}

static void test_a_total_deadline_can_be_moved(void **state)
{
	const struct origin_line lines[] = {
		{ .text = OK "Content-Length: 1\r\n\r\na", .delay_ms = 300 },
		{ .text = OK "Content-Length: 1\r\n\r\na", .delay_ms = 5000 },
	};
	const struct http_fetch_request r = { .method = SPAN("GET"), .target = SPAN("/"), .total_timeout_ms = 100 },
	                                none = GET("/");
	struct scene s;
	struct got g = { 0 };

	(void)state;
	scene_init(&s, lines, 2);
	scene_start(&s);
	got_start(&g, &s, &r);
	http_fetch_extend(&g.fetch, 10000);
	scene_run(&s);
	got_expect(&g, FETCH_DONE, 200, "a");
	got_clear(&g);
	got_start(&g, &s, &none);
	http_fetch_extend(&g.fetch, 50);
	scene_run(&s);
	got_expect(&g, FETCH_TIMEOUT, 0, "");
	http_fetch_extend(&g.fetch, 50);
	got_clear(&g);
	scene_end(&s);
}

/* Cancelling and pausing */

static void test_a_fetch_can_be_cancelled_at_every_point(void **state)
{
	const struct origin_line lines[] = {
		{ .text = CHUNKED "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", .slice = 7, .delay_ms = 2 },
	};

	(void)state;
	for (int point = 0; point < 16; point++) {
		struct scene s;
		struct got g = { 0 }, after = { 0 };
		scene_init(&s, lines, 1);
		scene_start(&s);
		got_get(&g, &s, "/");
		if (point > 0)
			scene_run_for(&s, point * 2);
		http_fetch_cancel(&g.fetch);
		http_fetch_cancel(&g.fetch);
		unsigned heard = g.heads + g.pieces + g.ends;
		s.running = 0;
		got_get(&after, &s, "/after");
		scene_run(&s);
		scene_run_for(&s, 10);
		assert_int_equal(heard, g.heads + g.pieces + g.ends);
		assert_int_equal(after.why, FETCH_DONE);
		got_clear(&g);
		got_clear(&after);
		scene_end(&s);
	}
}

static void test_a_fetch_can_be_cancelled_by_what_it_hears(void **state)
{
	const struct origin_line lines[] = {
		{ .text = OK "Content-Length: 3\r\n\r\nabc" },
		{ .text = CHUNKED "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n" },
		{ .text = OK "Content-Length: 3\r\n\r\nabc", .slice = 1 },
		{ .text = CHUNKED "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", .slice = 1 },
	};
	struct scene s;
	struct got g = { 0 };
	struct http_client_stats stats;

	(void)state;
	scene_init(&s, lines, ROWS(lines));
	scene_start(&s);
	for (size_t i = 0; i < ROWS(lines); i++) {
		g.cancel_at_head = i % 2 == 0;
		g.cancel_at_piece = i % 2 == 1;
		got_get(&g, &s, "/");
		scene_run(&s);
		scene_run_for(&s, 20);
		assert_int_equal(g.heads, 1);
		assert_int_equal(g.pieces, i % 2);
		assert_int_equal(g.ends, 0);
		http_client_stats(s.client, &stats);
		assert_int_equal(stats.connections, 0);
		got_clear(&g);
	}
	scene_end(&s);
}

static bool is_stuck(void *arg)
{
	struct scene *s = arg;
	size_t before = s->origin.queued;

	scene_run_for(s, 50);
	return before > 0 && s->origin.queued == before;
}

static void test_a_pause_holds_the_server_up(void **state)
{
	const struct origin_line lines[] = { { .text = OK "Content-Length: 30000000\r\n\r\n", .more = 30000000 } };
	const struct http_fetch_request r = { .method = SPAN("GET"), .target = SPAN("/"), .idle_timeout_ms = 400 };
	struct scene s;
	struct got g = { .pause_at_piece = true };

	(void)state;
	scene_init(&s, lines, 1);
	scene_start(&s);
	got_start(&g, &s, &r);
	scene_run_until(&s, is_stuck, &s);
	assert_int_equal(g.pieces, 1);
	assert_true(s.origin.queued > 10000000);
	scene_run_for(&s, 600); /* the idle deadline rests */
	assert_int_equal(g.ends, 0);
	g.pause_at_piece = false;
	http_fetch_pause(&g.fetch, false);
	scene_run(&s);
	got_expect(&g, FETCH_DONE, 200, NULL);
	assert_int_equal(buf_size(&g.body), 30000000);
	got_clear(&g);
	scene_end(&s);
}

static void test_a_pause_keeps_each_answer_as_it_is(void **state)
{
	(void)state;
	for (size_t row = 0; row < ROWS(answers); row++) {
		struct scene s;
		struct got g = { .pause_at_head = true, .pause_at_piece = true };
		struct origin_line line = { .text = answers[row].text, .then = answers[row].then };
		const struct http_fetch_request r = { .method = answers[row].head_method ? SPAN("HEAD") : SPAN("GET"),
			.target = SPAN("/") };
		scene_init(&s, &line, 1);
		scene_start(&s);
		got_start(&g, &s, &r);
		for (int i = 0; i < 200 && g.ends == 0; i++) {
			scene_run_for(&s, 3);
			unsigned pieces = g.pieces;
			if (g.fetch.paused) {
				scene_run_for(&s, 3);
				assert_int_equal(g.pieces, pieces);
			}
			http_fetch_pause(&g.fetch, false);
		}
		if (g.why != answers[row].why || !span_eq(buf_span(&g.body), span_of(answers[row].body)))
			fail_msg("row %zu: %s, %s", row, fetch_end_name(g.why), g.sentence);
		got_clear(&g);
		scene_end(&s);
	}
}

static void test_a_paused_fetch_can_be_cancelled(void **state)
{
	const struct origin_line lines[] = { { .text = CHUNKED "3\r\nabc\r\n0\r\n\r\n" } };
	struct scene s;
	struct got g = { .pause_at_head = true };

	(void)state;
	scene_init(&s, lines, 1);
	scene_start(&s);
	got_get(&g, &s, "/");
	scene_run_for(&s, 30);
	assert_int_equal(g.heads, 1);
	http_fetch_pause(&g.fetch, false);
	http_fetch_cancel(&g.fetch);
	scene_run_for(&s, 30);
	assert_int_equal(g.pieces + g.ends, 0);
	got_clear(&g);
	scene_end(&s);
}

static void test_a_fetch_may_begin_again_when_it_has_ended(void **state)
{
	struct scene s;
	struct got g = { .again_at_end = true };

	(void)state;
	scene_init(&s, NULL, 0);
	scene_start(&s);
	got_get(&g, &s, "/");
	scene_run(&s);
	got_expect(&g, FETCH_DONE, 200, "ok");
	assert_true(span_starts(buf_span(&s.origin.last), SPAN("GET /again ")));
	assert_int_equal(s.origin.accepted, 1);
	got_clear(&g);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_is_written_as_it_should_be),
		cmocka_unit_test(test_what_no_request_can_hold_is_not_sent),
		cmocka_unit_test(test_each_answer_is_what_it_is),
		cmocka_unit_test(test_each_answer_is_the_same_when_it_comes_byte_by_byte),
		cmocka_unit_test(test_a_head_is_bounded),
		cmocka_unit_test(test_a_big_body_comes_whole),
		cmocka_unit_test(test_a_big_request_goes_whole),
		cmocka_unit_test(test_an_answer_before_the_end_of_the_request_is_taken),
		cmocka_unit_test(test_a_server_that_does_not_take_the_request_is_left),
		cmocka_unit_test(test_deadlines_end_a_fetch),
		cmocka_unit_test(test_a_stream_may_live_as_long_as_something_comes),
		cmocka_unit_test(test_a_total_deadline_can_be_moved),
		cmocka_unit_test(test_a_fetch_can_be_cancelled_at_every_point),
		cmocka_unit_test(test_a_fetch_can_be_cancelled_by_what_it_hears),
		cmocka_unit_test(test_a_pause_holds_the_server_up),
		cmocka_unit_test(test_a_pause_keeps_each_answer_as_it_is),
		cmocka_unit_test(test_a_paused_fetch_can_be_cancelled),
		cmocka_unit_test(test_a_fetch_may_begin_again_when_it_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
