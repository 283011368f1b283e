/* What a client sends, and what it hears: the bounds and deadlines of requests. */
#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_fixture.h"

static int set_up(void **state)
{
	static struct fixture f;

	fixture_init(&f);
	f.conf.header_timeout_ms = 150;
	f.conf.body_timeout_ms = 150;
	f.conf.idle_timeout_ms = 300;
	f.conf.max_body_bytes = 100000;
	fixture_start(&f);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	fixture_stop(*state);
	return 0;
}

#define POST(path, fields) "POST " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

static void test_a_request_is_answered_and_the_connection_kept(void **state)
{
	int fd = client_open(*state);

	client_send(fd, POST("/echo", "Content-Length: 5\r\n") "hello");
	assert_false(client_expect(fd, 200, "POST /echo hello"));
	client_send(fd, "GET /echo?x HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_false(client_expect(fd, 200, "GET /echo "));
	close(fd);
}

static void test_a_request_may_come_byte_by_byte(void **state)
{
	static const char *const texts[] = {
		POST("/echo", "Content-Length: 5\r\n") "hello",
		POST("/echo", "Transfer-Encoding: chunked\r\n") "2\r\nhe\r\n3;x\r\nllo\r\n0\r\nT: u\r\n\r\n",
	};
	int fd = client_open(*state);

	for (size_t i = 0; i < 2; i++) {
		for (const char *p = texts[i]; *p != '\0'; p++) {
			client_send_span(fd, (struct span){ p, 1 });
			usleep(200);
		}
		client_expect(fd, 200, "POST /echo hello");
	}
	close(fd);
}

static void test_a_long_body_arrives_whole(void **state)
{
	struct buf text = { 0 }, wanted = { 0 };
	int fd = client_open(*state);

	for (int chunked = 0; chunked < 2; chunked++) {
		buf_reset(&text);
		buf_reset(&wanted);
		buf_add(&wanted, SPAN("POST /echo "));
		for (int i = 0; i < 9000; i++)
			buf_printf(&wanted, "%08d\n", i);
		struct span body = span_skip(buf_span(&wanted), 11);
		if (chunked)
			buf_printf(&text, POST("/echo", "Transfer-Encoding: chunked\r\n") "%zx\r\n%.*s\r\n0\r\n\r\n",
			        body.n, SPAN_ARG(body));
		else
			buf_printf(&text, POST("/echo", "Content-Length: %zu\r\n") "%.*s", body.n, SPAN_ARG(body));
		buf_add_char(&wanted, '\0');
		client_send_span(fd, buf_span(&text));
		client_expect(fd, 200, buf_span(&wanted).p);
	}
	buf_free(&text);
	buf_free(&wanted);
	close(fd);
}

static void test_what_is_refused_hears_why_and_the_connection_ends_in_order(void **state)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\nHost: a\n\n", 400 },
		{ "\x16\x03\x01\x02", 400 },
		{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
		{ POST("/", "Transfer-Encoding: gzip\r\n"), 501 },
		{ POST("/", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n", 400 },
		{ POST("/", "Transfer-Encoding: chunked\r\n") "x\r\n", 400 },
		{ POST("/", "Content-Length: 3\r\nExpect: wonders\r\n"), 417 },
		{ POST("/", "Content-Length: 100001\r\n"), 413 },
		{ POST("/unwanted", "Content-Length: 3\r\n"), 404 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = client_open(f);
		client_send(fd, rows[i].text);
		assert_true(client_expect(fd, rows[i].status, NULL));
		client_send(fd, "what was still under way"); /* is read and thrown away: no reset */
		shutdown(fd, SHUT_WR);
		client_expect_end(fd);
	}
	fixture_await_connections(f, 0);
	assert_int_equal(f->seen.requests, 0);
}

static void test_a_head_that_is_too_large_is_refused(void **state)
{
	char text[6000];
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nX: "), fd = client_open(*state);

	memset(text + n, 'x', sizeof(text) - (size_t)n);
	client_send_span(fd, (struct span){ text, sizeof(text) });
	assert_true(client_expect(fd, 431, NULL));
	client_expect_end(fd);
}

static void test_a_chunked_body_that_is_too_large_is_refused(void **state)
{
	static char zeros[100001];
	int fd = client_open(*state);

	client_send(fd, POST("/", "Transfer-Encoding: chunked\r\n") "186a1\r\n");
	client_send_span(fd, (struct span){ zeros, sizeof(zeros) });
	assert_true(client_expect(fd, 413, NULL));
	client_expect_end(fd);
}

static void test_a_refused_request_without_a_body_to_come_keeps_the_connection(void **state)
{
	int fd = client_open(*state);

	client_send(fd, POST("/unwanted", "Content-Length: 3\r\n") "abc");
	assert_false(client_expect(fd, 404, "Not Found\n"));
	client_send(fd, POST("/echo", "Content-Length: 3\r\n") "abc");
	client_expect(fd, 200, "POST /echo abc");
	close(fd);
}

static void test_an_expected_continue_comes_before_the_body(void **state)
{
	int fd = client_open(*state);

	client_send(fd, POST("/echo", "Content-Length: 3\r\nExpect: 100-continue\r\n"));
	client_expect(fd, 100, "");
	client_send(fd, "abc");
	client_expect(fd, 200, "POST /echo abc");
	client_send(fd, POST("/echo", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"));
	client_expect(fd, 100, "");
	client_send(fd, "3\r\nabc\r\n0\r\n\r\n");
	client_expect(fd, 200, "POST /echo abc");
	close(fd);
}

static void test_no_continue_when_the_body_has_come_or_is_not_wanted(void **state)
{
	int fd = client_open(*state);

	client_send(fd, POST("/echo", "Content-Length: 3\r\nExpect: 100-continue\r\n") "abc");
	client_expect(fd, 200, "POST /echo abc");
	client_send(fd, POST("/echo", "Content-Length: 3\r\nExpect: 100-continue\r\n") "a");
	usleep(20000);
	client_send(fd, "bc");
	client_expect(fd, 200, "POST /echo abc");
	client_send(fd, POST("/unwanted", "Content-Length: 3\r\nExpect: 100-continue\r\n"));
	assert_true(client_expect(fd, 404, NULL));
	client_expect_end(fd);
}

/* A byte now and then does not move the deadlines: they are totals. */
static void trickle(int fd, const char *text)
{
	for (; *text != '\0'; text++) {
		if (send(fd, text, 1, MSG_NOSIGNAL) != 1)
			return;
		usleep(20000);
	}
}

static void test_a_head_has_a_deadline(void **state)
{
	int fd = client_open(*state);

	trickle(fd, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_expect(fd, 408, NULL));
	client_expect_end(fd);
}

static void test_a_body_has_a_deadline(void **state)
{
	int fd = client_open(*state);

	client_send(fd, POST("/echo", "Content-Length: 20\r\n"));
	trickle(fd, "0123456789abcdefghi");
	assert_true(client_expect(fd, 408, NULL));
	client_expect_end(fd);
}

static void test_the_deadline_of_a_body_does_not_bind_its_answer(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f), other = client_open(f);

	client_send(fd, POST("/hold", "Content-Length: 3\r\n") "abc");
	client_send(other, POST("/echo", "Content-Length: 3\r\n"));
	client_expect(other, 408, NULL);
	close(other);
	fixture_await(f, &f->seen.held_count, 1);
	assert_int_equal(f->seen.gone, 0);
	usleep(350000); /* beyond the idle timeout too */
	fixture_call(f, fixture_look);
	assert_int_equal(f->seen.gone, 0);
	close(fd);
}

static void test_an_idle_connection_is_closed_without_a_word(void **state)
{
	int fresh = client_open(*state), used = client_open(*state);

	client_send(used, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
	client_expect(used, 200, NULL);
	client_expect_end(fresh);
	client_expect_end(used);
}

static void test_too_much_waiting_means_503(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, POST("/echo", "Content-Length: 99999\r\n"));
	assert_true(client_expect(fd, 503, NULL));
	client_expect_end(fd);
}

static void test_bodies_that_are_too_much_together_are_refused(void **state)
{
	struct fixture *f = *state;
	static char bytes[30000];
	int first = client_open(f), second = client_open(f);

	client_send(first, POST("/echo", "Content-Length: 40000\r\n"));
	client_send(second, POST("/echo", "Transfer-Encoding: chunked\r\n") "9c40\r\n");
	client_send_span(first, (struct span){ bytes, sizeof(bytes) });
	usleep(20000);
	client_send_span(second, (struct span){ bytes, sizeof(bytes) });
	assert_true(client_expect(second, 503, NULL));
	client_expect_end(second);
	client_send_span(first, (struct span){ bytes, 10000 });
	client_expect(first, 200, NULL);
	close(first);
	fixture_await_connections(f, 0);
	assert_int_equal(f->stats.buffered_bytes, 0);
}

static int set_up_little_memory(void **state)
{
	static struct fixture f;

	fixture_init(&f);
	f.conf.max_buffered_bytes = 50000;
	fixture_start(&f);
	*state = &f;
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_request_is_answered_and_the_connection_kept),
		TEST(test_a_request_may_come_byte_by_byte),
		TEST(test_a_long_body_arrives_whole),
		TEST(test_what_is_refused_hears_why_and_the_connection_ends_in_order),
		TEST(test_a_head_that_is_too_large_is_refused),
		TEST(test_a_chunked_body_that_is_too_large_is_refused),
		TEST(test_a_refused_request_without_a_body_to_come_keeps_the_connection),
		TEST(test_an_expected_continue_comes_before_the_body),
		TEST(test_no_continue_when_the_body_has_come_or_is_not_wanted),
		TEST(test_a_head_has_a_deadline),
		TEST(test_a_body_has_a_deadline),
		TEST(test_the_deadline_of_a_body_does_not_bind_its_answer),
		TEST(test_an_idle_connection_is_closed_without_a_word),
		cmocka_unit_test_setup_teardown(test_too_much_waiting_means_503, set_up_little_memory, tear_down),
		cmocka_unit_test_setup_teardown(
		        test_bodies_that_are_too_much_together_are_refused, set_up_little_memory, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
