/* What the handler answers, and what arrives. */
#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_fixture.h"

static int set_up(void **state)
{
	static struct fixture f;

	fixture_init(&f);
	fixture_start(&f);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	fixture_stop(*state);
	return 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_1_0(path, fields) "GET " path " HTTP/1.0\r\n" fields "\r\n"

static void expect_in_head(const struct answer *a, const char *text, bool wanted)
{
	struct span head = buf_span(&a->head);
	bool there = memmem(head.p, head.n, text, strlen(text)) != NULL;

	if (there != wanted)
		fail_msg("%s \"%s\" in %.*s", wanted ? "no" : "there is", text, SPAN_ARG(head));
}

static void test_an_answer_has_a_length_and_a_date(void **state)
{
	int fd = client_open(*state);
	struct buf in = { 0 };
	struct answer a;

	client_send(fd, GET("/echo"));
	client_read(fd, &in, &a);
	expect_in_head(&a, "HTTP/1.1 200 OK\r\n", true);
	expect_in_head(&a, "\r\nContent-Type: text/plain\r\n", true);
	expect_in_head(&a, "\r\nContent-Length: 10\r\n", true);
	expect_in_head(&a, " GMT\r\n", true);
	expect_in_head(&a, "Connection", false);
	answer_clear(&a);
	close(fd);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
	int fd = client_open(*state);
	struct buf in = { 0 }, text = { 0 };
	struct answer a;
	char wanted[32];

	for (int i = 0; i < 300; i++)
		buf_printf(&text, GET("/%d"), i);
	client_send_span(fd, buf_span(&text));
	for (int i = 0; i < 300; i++) {
		client_read(fd, &in, &a);
		snprintf(wanted, sizeof(wanted), "GET /%d ", i);
		assert_span_is(buf_span(&a.body), span_of(wanted));
		answer_clear(&a);
	}
	assert_int_equal(buf_size(&in), 0);
	buf_free(&in);
	buf_free(&text);
	close(fd);
}

static void end_first(struct fixture *f)
{
	exchange_reply(f->held[0], 200, NULL, 0, SPAN("first"));
}

static void test_what_is_pipelined_behind_a_pending_answer_waits(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	struct buf in = { 0 };
	struct answer a;

	client_send(fd, GET("/hold") GET("/2"));
	fixture_await(f, &f->seen.held_count, 1);
	client_send(fd, GET("/3"));
	usleep(20000);
	fixture_call(f, fixture_look);
	assert_int_equal(f->seen.requests, 1);
	fixture_call(f, end_first);
	for (int i = 1; i <= 3; i++) {
		client_read(fd, &in, &a);
		assert_span_is(buf_span(&a.body), span_of((const char *[]){ "first", "GET /2 ", "GET /3 " }[i - 1]));
		answer_clear(&a);
	}
	buf_free(&in);
	close(fd);
}

static void test_pipelined_large_answers_do_not_pile_up(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	struct buf in = { 0 };
	struct answer a;

	for (int i = 0; i < 40; i++)
		client_send(fd, GET("/big/1000000"));
	usleep(50000);
	fixture_call(f, fixture_look);
	assert_in_range(f->stats.buffered_bytes, 0, 2500000);
	for (int i = 0; i < 40; i++) {
		client_read(fd, &in, &a);
		assert_int_equal(buf_size(&a.body), 1000000);
		answer_clear(&a);
	}
	fixture_call(f, fixture_look);
	assert_int_equal(f->stats.buffered_bytes, 0);
	buf_free(&in);
	close(fd);
}

static void stream_two(struct fixture *f)
{
	exchange_send(f->held[0], (struct span[]){ SPAN("one"), SPAN(" ") }, 2);
	exchange_send(f->held[0], (struct span[]){ SPAN("") }, 1); /* no chunk of size 0: that would be the end */
	exchange_send(f->held[0], (struct span[]){ SPAN("two") }, 1);
	exchange_end(f->held[0]);
}

static void test_a_stream_comes_in_chunks(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/stream"));
	fixture_await(f, &f->seen.held_count, 1);
	fixture_call(f, stream_two);
	assert_false(client_expect(fd, 200, "one two"));
	client_send(fd, GET("/echo"));
	assert_false(client_expect(fd, 200, "GET /echo "));
	fixture_call(f, fixture_look);
	assert_int_equal(f->seen.gone, 0);
	close(fd);
}

static void test_a_stream_to_an_old_client_ends_with_the_connection(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	char text[512] = "";
	ssize_t n, total = 0;

	client_send(fd, GET_1_0("/stream", "Connection: keep-alive\r\n"));
	fixture_await(f, &f->seen.held_count, 1);
	fixture_call(f, stream_two);
	while ((n = recv(fd, text + total, sizeof(text) - 1 - (size_t)total, 0)) > 0)
		total += n;
	assert_int_equal(n, 0);
	assert_non_null(strstr(text, "Connection: close\r\n"));
	assert_null(strstr(text, "Transfer-Encoding"));
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\none two");
	close(fd);
}

static void test_an_old_client_may_ask_to_stay(void **state)
{
	int fd = client_open(*state);
	struct buf in = { 0 };
	struct answer a;

	client_send(fd, GET_1_0("/echo", "Connection: keep-alive\r\n"));
	client_read(fd, &in, &a);
	expect_in_head(&a, "\r\nConnection: keep-alive\r\n", true);
	answer_clear(&a);
	client_send(fd, GET_1_0("/echo", ""));
	assert_true(client_expect(fd, 200, "GET /echo "));
	client_expect_end(fd);
}

static void test_a_wish_to_close_is_granted(void **state)
{
	int fd = client_open(*state);

	client_send(fd, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/never"));
	assert_true(client_expect(fd, 200, "GET /echo "));
	client_expect_end(fd);
}

static void test_head_is_answered_without_its_body(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	char text[512] = "";

	client_send(fd, "HEAD /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "\r\nContent-Length: 11\r\n"));
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	client_expect_end(fd);
	fd = client_open(f);
	client_send(fd, "HEAD /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	fixture_await(f, &f->seen.held_count, 1);
	fixture_call(f, stream_two);
	memset(text, 0, sizeof(text));
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	client_expect_end(fd);
}

static void test_no_content_has_no_length(void **state)
{
	int fd = client_open(*state);
	struct buf in = { 0 };
	struct answer a;

	client_send(fd, GET("/nothing") GET("/echo"));
	client_read(fd, &in, &a);
	assert_int_equal(a.status, 204);
	expect_in_head(&a, "Content-Length", false);
	answer_clear(&a);
	client_read(fd, &in, &a);
	assert_span(buf_span(&a.body), "GET /echo ");
	answer_clear(&a);
	buf_free(&in);
	close(fd);
}

static void reply_in_forty_parts(struct fixture *f)
{
	struct span parts[40];

	for (int i = 0; i < 40; i++)
		parts[i] = SPAN("ab");
	exchange_reply_parts(f->held[0], 404, (struct http_header[]){ { "X-One", SPAN("1") }, { "X-None", SPAN_NONE } },
	        2, parts, 40);
}

static void test_an_answer_may_have_many_parts(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	struct buf in = { 0 };
	struct answer a;

	client_send(fd, GET("/hold"));
	fixture_await(f, &f->seen.held_count, 1);
	fixture_call(f, reply_in_forty_parts);
	client_read(fd, &in, &a);
	assert_int_equal(a.status, 404);
	assert_int_equal(buf_size(&a.body), 80);
	expect_in_head(&a, "\r\nX-One: 1\r\n", true);
	expect_in_head(&a, "X-None", false);
	answer_clear(&a);
	close(fd);
}

static void test_a_large_answer_arrives_whole(void **state)
{
	int fd = client_open(*state);
	struct buf in = { 0 };
	struct answer a;

	client_send(fd, GET("/big/20000000"));
	client_read(fd, &in, &a);
	assert_true(a.whole);
	assert_int_equal(buf_size(&a.body), 20000000);
	answer_clear(&a);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_an_answer_has_a_length_and_a_date),
		TEST(test_pipelined_requests_are_answered_in_order),
		TEST(test_what_is_pipelined_behind_a_pending_answer_waits),
		TEST(test_pipelined_large_answers_do_not_pile_up),
		TEST(test_a_stream_comes_in_chunks),
		TEST(test_a_stream_to_an_old_client_ends_with_the_connection),
		TEST(test_an_old_client_may_ask_to_stay),
		TEST(test_a_wish_to_close_is_granted),
		TEST(test_head_is_answered_without_its_body),
		TEST(test_no_content_has_no_length),
		TEST(test_an_answer_may_have_many_parts),
		TEST(test_a_large_answer_arrives_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
