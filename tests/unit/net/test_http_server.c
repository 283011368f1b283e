/* The server as a whole: its bound of connections, its statistics, and its end. */
#include "unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_fixture.h"

static int set_up(void **state)
{
	static struct fixture f;

	fixture_init(&f);
	f.conf.max_connections = 4;
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

static void test_a_connection_too_many_hears_503(void **state)
{
	struct fixture *f = *state;
	int fds[4], more[100];

	for (int i = 0; i < 4; i++)
		fds[i] = client_open(f);
	fixture_await_connections(f, 4);
	for (int i = 0; i < 100; i++) {
		more[i] = client_open(f);
		client_send(more[i], GET("/echo"));
	}
	for (int i = 0; i < 100; i++) {
		assert_true(client_expect(more[i], 503, "too many connections are open\r\n"));
		close(more[i]);
	}
	fixture_call(f, fixture_look);
	assert_int_equal(f->seen.requests, 0);
	close(fds[0]);
	fixture_await_connections(f, 3);
	fds[0] = client_open(f);
	client_send(fds[0], GET("/echo"));
	client_expect(fds[0], 200, NULL);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

static void test_the_statistics_count(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/echo"));
	client_expect(fd, 200, NULL);
	fixture_call(f, fixture_look);
	struct http_server_stats first = f->stats;
	assert_int_equal(first.connections, 1);
	assert_int_equal(first.accepted, 1);
	assert_int_equal(first.requests, 1);
	assert_int_equal(first.late_connections, 0);
	assert_int_equal(first.buffered_bytes, 0);
	client_send(fd, GET("/echo"));
	client_expect(fd, 200, NULL);
	fixture_call(f, fixture_look);
	assert_int_equal(f->stats.requests, 2);
	close(fd);
}

static void announce(struct fixture *f)
{
	http_server_announce_close(f->server, true);
}

static void test_the_close_is_announced_with_the_last_answer(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f), late;
	struct buf in = { 0 };
	struct answer a;

	client_send(fd, GET("/echo"));
	assert_false(client_expect(fd, 200, NULL));
	fixture_call(f, announce);
	client_send(fd, GET("/1") "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
	                          "POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
	                          "POST /4 HTTP/1.1\r\nHost: ");
	for (int i = 1; i <= 3; i++) {
		client_read(fd, &in, &a);
		assert_int_equal(a.status, 200);
		assert_int_equal(a.closing, i == 3);
		answer_clear(&a);
	}
	buf_free(&in);
	client_expect_end(fd);
	late = client_open(f);
	client_send(late, GET("/echo"));
	assert_true(client_expect(late, 200, NULL));
	close(late);
	fixture_call(f, fixture_look);
	assert_int_equal(f->stats.late_connections, 1);
}

static void on_done(void *arg)
{
	((struct fixture *)arg)->live.closed++;
}

static void close_within_a_second(struct fixture *f)
{
	http_server_close(f->server, mono_add(loop_now(f->loop), 1000), on_done, f);
	assert_int_equal(f->live.closed, 0);
}

static void close_within_a_tenth(struct fixture *f)
{
	http_server_close(f->server, mono_add(loop_now(f->loop), 100), on_done, f);
}

static void reply_to_held(struct fixture *f)
{
	exchange_reply(f->held[0], 200, NULL, 0, SPAN("late"));
}

static void end_held_stream(struct fixture *f)
{
	exchange_end(f->held[1]);
}

static void leave(struct fixture *f)
{
	http_server_leave(f->server);
}

/* It waits in the backlog until the very end, and its request is not looked at. */
static void connect_and_leave(struct fixture *f)
{
	f->clients[0] = client_open(f);
	client_send(f->clients[0], GET("/echo"));
	leave(f);
}

static void test_a_server_without_clients_closes_at_once_and_listens_on(void **state)
{
	struct fixture *f = *state;
	struct timeval quick = { .tv_usec = 200000 };
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	mono_t begin = clock_mono();

	fixture_call(f, close_within_a_second);
	fixture_await(f, &f->seen.closed, 1);
	assert_in_range(mono_diff(clock_mono(), begin), 10, 500);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &quick, sizeof(quick)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)(void *)&to, sizeof(to)), -1);
	assert_int_equal(errno, EINPROGRESS); /* neither accepted nor refused: it tries again by itself */
	close(fd);
}

static void test_who_is_in_the_backlog_at_the_very_end_gets_a_word(void **state)
{
	struct fixture *f = *state;

	fixture_call(f, connect_and_leave);
	assert_true(client_expect(f->clients[0], 503, "the gateway has stopped\r\n"));
	client_expect_end(f->clients[0]);
}

static void test_closing_ends_the_idle_and_waits_for_the_busy(void **state)
{
	struct fixture *f = *state;
	int idle = client_open(f), busy = client_open(f), stream = client_open(f), during;

	client_send(idle, GET("/echo"));
	client_expect(idle, 200, NULL);
	client_send(busy, GET("/hold"));
	fixture_await(f, &f->seen.held_count, 1);
	client_send(stream, GET("/stream"));
	fixture_await(f, &f->seen.held_count, 2);
	fixture_call(f, close_within_a_second);
	client_expect_end(idle);
	during = client_open(f); /* still accepted, and served */
	client_send(during, GET("/echo"));
	assert_true(client_expect(during, 200, "GET /echo "));
	client_expect_end(during);
	fixture_call(f, reply_to_held);
	assert_true(client_expect(busy, 200, "late"));
	client_expect_end(busy);
	fixture_call(f, fixture_look);
	assert_int_equal(f->seen.closed, 0);
	fixture_call(f, end_held_stream);
	assert_false(client_expect(stream, 200, "")); /* its head was out before */
	client_expect_end(stream);
	fixture_await(f, &f->seen.closed, 1);
}

static bool stays(void *arg, uint64_t owner)
{
	(void)arg;
	return owner == 7;
}

static void end_resting(struct fixture *f)
{
	http_server_end_resting(f->server, stays, NULL);
}

static void test_connections_that_rest_end_but_those_of_an_owner_that_stays(void **state)
{
	struct fixture *f = *state;
	int rests = client_open(f), owned = client_open(f), fresh = client_open(f);

	client_send(rests, GET("/echo"));
	client_expect(rests, 200, NULL);
	client_send(owned, GET("/own"));
	client_expect(owned, 200, NULL);
	fixture_call(f, end_resting);
	client_expect_end(rests);
	client_send(owned, GET("/echo"));
	client_expect(owned, 200, NULL);
	client_send(fresh, GET("/echo"));
	client_expect(fresh, 200, NULL);
	close(owned), close(fresh);
}

static void test_connections_that_are_at_work_do_not_rest(void **state)
{
	struct fixture *f = *state;
	int begun = client_open(f), busy = client_open(f);

	client_send(begun, GET("/echo"));
	client_expect(begun, 200, NULL);
	client_send(begun, "GET /echo HTTP/1.1\r\nHo");
	client_send(busy, GET("/hold"));
	fixture_await(f, &f->seen.held_count, 1);
	fixture_call(f, end_resting);
	client_send(begun, "st: a\r\n\r\n");
	client_expect(begun, 200, NULL);
	fixture_call(f, reply_to_held);
	client_expect(busy, 200, "late");
	close(begun), close(busy);
}

/* The loop does not turn meanwhile: the request is still unread when the rest ends. */
static void send_and_end_resting(struct fixture *f)
{
	client_send(f->clients[0], GET("/echo"));
	end_resting(f);
}

static void test_a_request_that_waits_unread_is_answered_when_rests_end(void **state)
{
	struct fixture *f = *state;
	int fd = f->clients[0] = client_open(f);

	client_send(fd, GET("/echo"));
	client_expect(fd, 200, NULL);
	fixture_call(f, send_and_end_resting);
	client_expect(fd, 200, "GET /echo ");
	close(fd);
}

/* The loop does not turn meanwhile: the request is still unread when closing begins. */
static void send_and_close(struct fixture *f)
{
	client_send(f->clients[0], GET("/echo"));
	close_within_a_second(f);
}

static void test_a_request_that_waits_unread_is_answered_before_the_end(void **state)
{
	struct fixture *f = *state;
	int fd = f->clients[0] = client_open(f);

	client_send(fd, GET("/echo"));
	client_expect(fd, 200, NULL);
	fixture_call(f, send_and_close);
	client_expect(fd, 200, "GET /echo ");
	client_expect_end(fd);
	fixture_await(f, &f->seen.closed, 1);
}

/* The loop does not turn while they connect: they wait in the backlog when closing begins. */
static void connect_and_close(struct fixture *f)
{
	for (int i = 0; i < 3; i++) {
		int fd = client_open(f);
		client_send(fd, GET("/echo"));
		f->clients[i] = fd;
	}
	close_within_a_second(f);
}

static void test_the_backlog_is_served(void **state)
{
	struct fixture *f = *state;

	fixture_call(f, connect_and_close);
	for (int i = 0; i < 3; i++) {
		assert_true(client_expect(f->clients[i], 200, "GET /echo "));
		client_expect_end(f->clients[i]);
	}
	fixture_await(f, &f->seen.closed, 1);
}

static void test_the_deadline_cuts_what_is_left(void **state)
{
	struct fixture *f = *state;
	int busy = client_open(f);
	mono_t begin = clock_mono();
	char byte;

	client_send(busy, GET("/hold"));
	fixture_await(f, &f->seen.held_count, 1);
	fixture_call(f, close_within_a_tenth);
	fixture_await(f, &f->seen.closed, 1);
	assert_in_range(mono_diff(clock_mono(), begin), 90, 600);
	assert_int_equal(f->seen.gone, 1);
	assert_true(recv(busy, &byte, 1, 0) <= 0);
	close(busy);
}

static void test_a_connection_that_says_nothing_does_not_hold_up_the_end(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	mono_t begin = clock_mono();

	fixture_await_connections(f, 1);
	fixture_call(f, close_within_a_second);
	fixture_await(f, &f->seen.closed, 1);
	assert_in_range(mono_diff(clock_mono(), begin), 200, 600);
	client_expect_end(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_connection_too_many_hears_503),
		TEST(test_the_statistics_count),
		TEST(test_the_close_is_announced_with_the_last_answer),
		TEST(test_a_server_without_clients_closes_at_once_and_listens_on),
		TEST(test_who_is_in_the_backlog_at_the_very_end_gets_a_word),
		TEST(test_closing_ends_the_idle_and_waits_for_the_busy),
		TEST(test_connections_that_rest_end_but_those_of_an_owner_that_stays),
		TEST(test_connections_that_are_at_work_do_not_rest),
		TEST(test_a_request_that_waits_unread_is_answered_when_rests_end),
		TEST(test_a_request_that_waits_unread_is_answered_before_the_end),
		TEST(test_the_backlog_is_served),
		TEST(test_the_deadline_cuts_what_is_left),
		TEST(test_a_connection_that_says_nothing_does_not_hold_up_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
