/* Clients that leave, that do not read, that send too much. */
#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "net_fixture.h"

#define WRITE_TIMEOUT_MS 1000 /* of a server that waits for a reader no longer */

static int set_up_with(void **state, msec_t write_timeout_ms, msec_t idle_timeout_ms)
{
	static struct fixture f;

	fixture_init(&f);
	f.conf.write_timeout_ms = write_timeout_ms;
	f.conf.idle_timeout_ms = idle_timeout_ms;
	fixture_start(&f);
	*state = &f;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, PATIENCE_MS, PATIENCE_MS);
}

static int set_up_impatient(void **state)
{
	return set_up_with(state, WRITE_TIMEOUT_MS, PATIENCE_MS);
}

static int set_up_hasty(void **state)
{
	return set_up_with(state, WRITE_TIMEOUT_MS, WRITE_TIMEOUT_MS);
}

static int tear_down(void **state)
{
	fixture_stop(*state);
	return 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void close_with_reset(int fd)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void reply_to_held(struct fixture *f)
{
	exchange_reply(f->held[0], 200, NULL, 0, SPAN("late"));
}

static void test_a_reset_while_the_answer_is_pending_is_noticed(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/hold"));
	fixture_await(f, &f->seen.held_count, 1);
	close_with_reset(fd);
	fixture_await(f, &f->seen.gone, 1);
	fixture_await_connections(f, 0);
}

static void test_a_half_closed_client_gets_its_answer(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/hold"));
	shutdown(fd, SHUT_WR);
	fixture_await(f, &f->seen.held_count, 1);
	usleep(20000);
	fixture_call(f, reply_to_held);
	assert_true(client_expect(fd, 200, "late"));
	client_expect_end(fd);
	fixture_await_connections(f, 0);
	assert_int_equal(f->seen.gone, 0);
}

static void test_a_half_close_is_told_once_whenever_it_comes(void **state)
{
	struct fixture *f = *state;
	int early = client_open(f), late = client_open(f), never = client_open(f);

	client_send(early, GET("/hold"));
	shutdown(early, SHUT_WR);
	fixture_await(f, &f->seen.half_closed, 1);
	client_send(never, GET("/hold"));
	client_send(late, GET("/stream"));
	fixture_await(f, &f->seen.held_count, 3);
	assert_int_equal(f->seen.half_closed, 1);
	shutdown(late, SHUT_WR);
	fixture_await(f, &f->seen.half_closed, 2);
	usleep(20000);
	fixture_call(f, fixture_look);
	assert_int_equal(f->seen.half_closed, 2);
	assert_int_equal(f->seen.gone, 0);
	close_with_reset(early);
	close_with_reset(late);
	close_with_reset(never);
	fixture_await(f, &f->seen.gone, 3);
}

static void test_a_reset_after_a_half_close_is_noticed(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/hold"));
	shutdown(fd, SHUT_WR);
	fixture_await(f, &f->seen.held_count, 1);
	usleep(20000);
	close_with_reset(fd);
	fixture_await(f, &f->seen.gone, 1);
}

static void test_all_that_was_sent_before_a_half_close_is_answered(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	struct buf in = { 0 };
	struct answer a;

	client_send(fd, GET("/hold") GET("/2") GET("/3"));
	shutdown(fd, SHUT_WR);
	fixture_await(f, &f->seen.held_count, 1);
	usleep(20000);
	fixture_call(f, reply_to_held);
	for (int i = 0; i < 3; i++) {
		client_read(fd, &in, &a);
		assert_int_equal(a.status, 200);
		assert_int_equal(a.closing, i == 2);
		answer_clear(&a);
	}
	buf_free(&in);
	client_expect_end(fd);
}

static void test_a_half_close_ends_a_stream_that_has_no_end(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/forever"));
	fixture_await(f, &f->seen.held_count, 1);
	close(fd);
	fixture_await(f, &f->seen.gone, 1);
	fixture_await_connections(f, 0);
}

static void test_a_half_close_that_came_first_ends_it_too(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/forever"));
	shutdown(fd, SHUT_WR);
	fixture_await(f, &f->seen.gone, 1);
	close(fd);
}

static void test_a_half_close_ends_an_answer_that_heeds_it(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/heed"));
	fixture_await(f, &f->seen.held_count, 1);
	shutdown(fd, SHUT_WR);
	fixture_await(f, &f->seen.gone, 1);
	fixture_await_connections(f, 0);
	close(fd);
}

static void await_buffered(struct fixture *f)
{
	const mono_t until = mono_add(clock_mono(), PATIENCE_MS);

	do
		fixture_call(f, fixture_look);
	while (f->stats.buffered_bytes == 0 && mono_diff(until, clock_mono()) > 0);
}

static void test_a_client_that_floods_while_it_waits_is_not_read(void **state)
{
	struct fixture *f = *state;
	static char flood[1 << 16];
	int fd = client_open(f);
	size_t sent = 0;

	memset(flood, 'G', sizeof(flood));
	client_send(fd, GET("/hold"));
	fixture_await(f, &f->seen.held_count, 1);
	for (ssize_t n; (n = send(fd, flood, sizeof(flood), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0; usleep(1000))
		sent += (size_t)n;
	await_buffered(f);
	assert_in_range(f->stats.buffered_bytes, 1, 70000);
	assert_true(sent > 70000);
	close_with_reset(fd); /* noticed although nothing is read */
	fixture_await(f, &f->seen.gone, 1);
}

static void test_a_flood_that_ends_does_not_keep_a_stream(void **state)
{
	struct fixture *f = *state;
	static char flood[40000];
	int fd = client_open(f);

	memset(flood, 'G', sizeof(flood));
	client_send(fd, GET("/forever"));
	client_send_span(fd, (struct span){ flood, sizeof(flood) });
	fixture_await(f, &f->seen.held_count, 1);
	usleep(20000);
	fixture_call(f, fixture_look);
	assert_int_equal(f->seen.gone, 0);
	shutdown(fd, SHUT_WR);
	fixture_await(f, &f->seen.gone, 1);
	close(fd);
}

static void test_requests_beyond_what_is_read_ahead_are_answered(void **state)
{
	struct fixture *f = *state;
	struct buf text = { 0 }, in = { 0 };
	struct answer a;
	int fd = client_open(f);

	client_send(fd, GET("/hold"));
	fixture_await(f, &f->seen.held_count, 1);
	for (int i = 0; i < 2000; i++)
		buf_add(&text, SPAN(GET("/x")));
	client_send_span(fd, buf_span(&text));
	shutdown(fd, SHUT_WR);
	usleep(20000);
	fixture_call(f, reply_to_held);
	for (int i = 0; i <= 2000; i++) {
		client_read(fd, &in, &a);
		assert_int_equal(a.status, 200);
		answer_clear(&a);
	}
	client_expect_end(fd);
	buf_free(&text);
	buf_free(&in);
}

static void test_a_half_close_behind_large_answers_ends_when_they_are_taken(void **state)
{
	struct fixture *f = *state;
	struct buf in = { 0 };
	struct answer a;
	int fd = client_open(f);
	mono_t begin = clock_mono();

	client_send(fd, GET("/big/8000000") GET("/big/8000000"));
	shutdown(fd, SHUT_WR);
	usleep(20000);
	for (int i = 0; i < 2; i++) {
		client_read(fd, &in, &a);
		assert_int_equal(buf_size(&a.body), 8000000);
		answer_clear(&a);
	}
	client_expect_end(fd);
	assert_true(mono_diff(clock_mono(), begin) < PATIENCE_MS); /* not by the idle timeout */
	buf_free(&in);
}

static void stream_much(struct fixture *f)
{
	static char bytes[8 << 20];

	exchange_send(f->held[0], &(struct span){ bytes, sizeof(bytes) }, 1);
}

static void look_at_waiting(struct fixture *f)
{
	assert_true(exchange_waiting(f->held[0]) > 1 << 20);
}

static void test_a_reader_that_takes_nothing_is_gone_after_the_write_timeout(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	char bytes[4096];
	ssize_t n;

	client_send(fd, GET("/stream"));
	fixture_await(f, &f->seen.held_count, 1);
	fixture_call(f, stream_much);
	fixture_call(f, look_at_waiting);
	fixture_call(f, fixture_look);
	assert_int_equal(f->seen.gone, 0);
	fixture_await(f, &f->seen.gone, 1);
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		;
	assert_int_equal(n, 0); /* cut off, but not reset */
	close(fd);
	fixture_await_connections(f, 0);
}

static void test_a_reader_that_is_merely_slow_is_waited_for(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f), small = 65536;
	char bytes[65536];
	size_t total = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	client_send(fd, GET("/big/8000000") GET("/echo"));
	for (int i = 0; i < 40; i++) { /* twice both timeouts */
		usleep(WRITE_TIMEOUT_MS / 20 * 1000);
		total += (size_t)recv(fd, bytes, sizeof(bytes), 0);
	}
	while (total < 8000000) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
		assert_true(n > 0);
		total += (size_t)n;
	}
	fixture_call(f, fixture_look);
	assert_int_equal(f->seen.gone, 0);
	close(fd);
}

static void test_an_exchange_nobody_watches_can_be_answered_after_the_client_left(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/silent"));
	fixture_await(f, &f->seen.held_count, 1);
	close_with_reset(fd);
	fixture_await_connections(f, 0);
	fixture_call(f, reply_to_held);
}

static void stream_to_held(struct fixture *f)
{
	const struct span part = SPAN("x");

	exchange_stream(f->held[0], 200, NULL, 0);
	exchange_forever(f->held[0]);
	exchange_send(f->held[0], &part, 1);
	assert_int_equal(exchange_waiting(f->held[0]), 0);
	exchange_end(f->held[0]);
}

static void test_or_streamed_to(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/silent"));
	fixture_await(f, &f->seen.held_count, 1);
	close_with_reset(fd);
	fixture_await_connections(f, 0);
	fixture_call(f, stream_to_held);
}

static void stream_much_to_held(struct fixture *f)
{
	exchange_stream(f->held[0], 200, NULL, 0);
	stream_much(f);
}

static size_t left_to_take; /* of what was streamed */

static void look_at_left(struct fixture *f)
{
	left_to_take = exchange_waiting(f->held[0]);
}

static void end_held(struct fixture *f)
{
	exchange_end(f->held[0]);
}

static void test_or_ended_while_its_connection_lingers(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/silent"));
	fixture_await(f, &f->seen.held_count, 1);
	fixture_call(f, stream_much_to_held);
	do { /* until the write timeout */
		usleep(5000);
		fixture_call(f, look_at_left);
	} while (left_to_take > 0);
	fixture_call(f, end_held);
	close(fd);
	fixture_await_connections(f, 0);
}

static void count_gone(void *arg)
{
	((struct fixture *)arg)->live.gone++;
}

static void listen_late(struct fixture *f)
{
	exchange_on_gone(f->held[0], count_gone, f);
	assert_int_equal(f->live.gone, 0); /* not from inside the call */
}

static void test_who_asks_late_hears_later_in_the_turn(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_send(fd, GET("/silent"));
	fixture_await(f, &f->seen.held_count, 1);
	close_with_reset(fd);
	fixture_await_connections(f, 0);
	fixture_call(f, listen_late);
	fixture_await(f, &f->seen.gone, 1);
}

static void free_server(struct fixture *f)
{
	http_server_free(&f->server);
}

static void test_an_exchange_outlives_its_server(void **state)
{
	struct fixture *f = *state;
	int silent = client_open(f), hold = client_open(f);

	client_send(silent, GET("/silent"));
	fixture_await(f, &f->seen.held_count, 1);
	client_send(hold, GET("/hold"));
	fixture_await(f, &f->seen.held_count, 2);
	fixture_call(f, free_server);
	fixture_call(f, fixture_look);
	assert_int_equal(f->seen.gone, 1);
	fixture_call(f, reply_to_held);
	close(silent);
	close(hold);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_reset_while_the_answer_is_pending_is_noticed),
		TEST(test_a_half_closed_client_gets_its_answer),
		TEST(test_a_half_close_is_told_once_whenever_it_comes),
		TEST(test_a_reset_after_a_half_close_is_noticed),
		TEST(test_all_that_was_sent_before_a_half_close_is_answered),
		TEST(test_a_half_close_ends_a_stream_that_has_no_end),
		TEST(test_a_half_close_that_came_first_ends_it_too),
		TEST(test_a_half_close_ends_an_answer_that_heeds_it),
		TEST(test_a_client_that_floods_while_it_waits_is_not_read),
		TEST(test_a_flood_that_ends_does_not_keep_a_stream),
		TEST(test_requests_beyond_what_is_read_ahead_are_answered),
		TEST(test_a_half_close_behind_large_answers_ends_when_they_are_taken),
		cmocka_unit_test_setup_teardown(
		        test_a_reader_that_takes_nothing_is_gone_after_the_write_timeout, set_up_impatient, tear_down),
		cmocka_unit_test_setup_teardown(
		        test_a_reader_that_is_merely_slow_is_waited_for, set_up_hasty, tear_down),
		TEST(test_an_exchange_nobody_watches_can_be_answered_after_the_client_left),
		TEST(test_or_streamed_to),
		cmocka_unit_test_setup_teardown(
		        test_or_ended_while_its_connection_lingers, set_up_impatient, tear_down),
		TEST(test_who_asks_late_hears_later_in_the_turn),
		TEST(test_an_exchange_outlives_its_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
