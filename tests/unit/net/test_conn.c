/* One end of a socket pair is the conn, the other the test. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"

#define PATIENCE_MS 20000 /* on a machine that has much else to do */
#define IMPATIENCE_MS 60  /* of one that waits for a reader no longer */

/* Turns the loop until that is so. */
#define run_until(s, so)                                                 \
	do {                                                             \
		mono_t until = mono_add(clock_mono(), PATIENCE_MS);      \
		while (!(so)) {                                          \
			assert_true(mono_diff(until, clock_mono()) > 0); \
			run_for((s), 1);                                 \
		}                                                        \
	} while (0)

struct scene {
	struct loop *loop;
	struct conn conn;
	int peer;
	size_t waiting;
	int readable, hung_up, sent, lost, closed;
	char got[65536];
	size_t got_size;
	enum conn_io last_read;
	struct timer timer;
	struct post post;
	void (*in_loop)(struct scene *s);
};

static void on_readable(void *arg)
{
	struct scene *s = arg;
	size_t n;

	s->readable++;
	s->last_read = conn_read(&s->conn, s->got + s->got_size, sizeof(s->got) - s->got_size, &n);
	s->got_size += n;
	if (s->last_read == CONN_END)
		conn_watch(&s->conn, WATCH_RESET);
	if (s->last_read == CONN_FAILED)
		conn_close(&s->conn);
}

static void on_hung_up(void *arg)
{
	struct scene *s = arg;

	s->hung_up++;
	conn_watch(&s->conn, WATCH_RESET);
}

static void on_sent(void *arg)
{
	((struct scene *)arg)->sent++;
}

static void on_lost(void *arg)
{
	((struct scene *)arg)->lost++;
}

static void on_closed(void *arg)
{
	struct scene *s = arg;

	s->closed++;
	loop_stop(s->loop);
}

static const struct conn_events events = {
	.readable = on_readable, .hung_up = on_hung_up, .sent = on_sent, .lost = on_lost, .closed = on_closed
};

static int set_up_with(void **state, msec_t write_timeout_ms)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct err e;
	int ends[2];

	s->loop = loop_new(&e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	s->peer = ends[1];
	assert_true(conn_open(&s->conn, s->loop, ends[0], &events, s, write_timeout_ms, &s->waiting));
	conn_watch(&s->conn, WATCH_READ);
	*state = s;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, PATIENCE_MS);
}

static int set_up_impatient(void **state)
{
	return set_up_with(state, IMPATIENCE_MS);
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	conn_close(&s->conn);
	conn_close(&s->conn); /* twice is fine */
	assert_int_equal(s->waiting, 0);
	loop_free(&s->loop);
	close(s->peer);
	free(s);
	return 0;
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct scene *s, msec_t ms)
{
	timer_set(loop_sched(s->loop), &s->timer, mono_add(clock_mono(), ms), stop_loop, s->loop);
	loop_run(s->loop);
	timer_stop(loop_sched(s->loop), &s->timer);
}

static void run_post(void *arg)
{
	struct scene *s = arg;

	s->in_loop(s);
	s->in_loop = NULL;
}

/* Does `call` in the loop, and lets that turn a little longer. */
static void do_in_loop(struct scene *s, void (*call)(struct scene *s))
{
	s->in_loop = call;
	post_set(loop_sched(s->loop), &s->post, run_post, s);
	run_until(s, s->in_loop == NULL);
	run_for(s, 5);
}

static size_t drain_peer(struct scene *s, struct buf *out)
{
	size_t total = 0;

	for (;;) {
		ssize_t n = recv(s->peer, buf_reserve(out, 65536), 65536, 0);
		if (n <= 0)
			return total;
		buf_added(out, (size_t)n);
		total += (size_t)n;
	}
}

static void send_hello(struct scene *s)
{
	conn_send(&s->conn, (struct span[]){ SPAN("hel"), SPAN(""), SPAN("lo") }, 3);
	assert_int_equal(conn_queued(&s->conn), 0); /* it has left already */
}

static void queue_two(struct scene *s)
{
	conn_queue(&s->conn, (struct span[]){ SPAN("one ") }, 1);
	conn_send(&s->conn, (struct span[]){ SPAN("two") }, 1);
	assert_int_equal(conn_queued(&s->conn), 7);
	assert_int_equal(s->waiting, 7);
}

static void test_what_is_sent_leaves_at_once_and_what_is_queued_with_the_turn(void **state)
{
	struct scene *s = *state;
	struct buf out = { 0 };

	do_in_loop(s, send_hello);
	assert_int_equal(s->sent, 0);
	do_in_loop(s, queue_two);
	run_until(s, s->sent == 1);
	drain_peer(s, &out);
	assert_span(buf_span(&out), "helloone two");
	buf_free(&out);
}

static void send_much(struct scene *s)
{
	static char bytes[4 << 20];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 31 >> 4);
	conn_send(&s->conn, (struct span[]){ { bytes, 10 }, { bytes + 10, sizeof(bytes) - 10 } }, 2);
	assert_true(conn_queued(&s->conn) > 0);
}

static void test_a_slow_reader_gets_everything_in_order(void **state)
{
	struct scene *s = *state;
	struct buf out = { 0 };
	size_t total = 0;

	do_in_loop(s, send_much);
	run_until(s, (total += drain_peer(s, &out)) >= 4 << 20);
	assert_int_equal(total, 4 << 20);
	for (size_t i = 0; i < total; i++)
		if (buf_span(&out).p[i] != (char)(i * 31 >> 4))
			fail_msg("byte %zu is wrong", i);
	run_until(s, s->sent == 1);
	assert_int_equal(s->lost, 0);
	buf_free(&out);
}

static void test_a_reader_that_takes_nothing_is_lost(void **state)
{
	struct scene *s = *state;

	do_in_loop(s, send_much);
	run_until(s, s->lost == 1);
	assert_int_equal(s->waiting, 0);
	assert_int_equal(s->closed, 0); /* it lingers, so that no RST is sent */
	assert_int_equal(s->conn.state, CONN_LINGERING);
	close(s->peer);
	s->peer = -1;
	run_until(s, s->closed == 1);
}

static void test_a_broken_connection_is_lost_and_closed(void **state)
{
	struct scene *s = *state;

	conn_watch(&s->conn, 0); /* so that the write is what notices */
	close(s->peer);
	s->peer = -1;
	do_in_loop(s, queue_two);
	run_until(s, s->closed == 1);
	assert_int_equal(s->lost, 1);
	assert_int_equal(s->sent, 0);
}

static void finish(struct scene *s)
{
	conn_queue(&s->conn, (struct span[]){ SPAN("bye") }, 1);
	conn_finish(&s->conn);
	conn_finish(&s->conn); /* twice is fine */
	assert_int_equal(s->conn.state, CONN_FINISHING);
}

static void test_the_end_waits_for_the_other_side(void **state)
{
	struct scene *s = *state;
	char text[8];

	do_in_loop(s, finish);
	run_until(s, s->conn.state == CONN_LINGERING);
	assert_int_equal(recv(s->peer, text, sizeof(text), 0), 3);
	assert_int_equal(recv(s->peer, text, sizeof(text), 0), 0);
	assert_int_equal(send(s->peer, "late", 4, MSG_NOSIGNAL), 4); /* thrown away */
	run_for(s, 5);
	assert_int_equal(s->closed, 0);
	shutdown(s->peer, SHUT_WR);
	run_until(s, s->closed == 1);
	assert_int_equal(s->lost, 0);
	assert_int_equal(s->readable, 0);
}

static void test_the_end_waits_for_a_second(void **state)
{
	struct scene *s = *state;
	mono_t begin = clock_mono();

	do_in_loop(s, finish);
	run_until(s, s->closed == 1);
	assert_true(mono_diff(clock_mono(), begin) >= 900);
}

static void test_a_flood_ends_the_waiting(void **state)
{
	struct scene *s = *state;
	static const char flood[65536];

	do_in_loop(s, finish);
	run_until(s, (send(s->peer, flood, sizeof(flood), MSG_NOSIGNAL), s->closed == 1));
}

static void test_a_side_that_has_closed_already_is_not_waited_for(void **state)
{
	struct scene *s = *state;
	char text[8];

	shutdown(s->peer, SHUT_WR);
	run_until(s, s->last_read == CONN_END);
	do_in_loop(s, finish);
	run_until(s, s->closed == 1);
	assert_int_equal(recv(s->peer, text, sizeof(text), 0), 3);
}

static void test_bytes_are_read(void **state)
{
	struct scene *s = *state;

	assert_int_equal(send(s->peer, "abc", 3, 0), 3);
	run_until(s, s->readable == 1);
	assert_int_equal(s->got_size, 3);
	assert_memory_equal(s->got, "abc", 3);
}

static void test_a_hangup_behind_unread_bytes_is_heard(void **state)
{
	struct scene *s = *state;

	conn_watch(&s->conn, WATCH_HANGUP);
	assert_int_equal(send(s->peer, "abc", 3, 0), 3);
	run_for(s, 5);
	assert_int_equal(s->hung_up, 0);
	shutdown(s->peer, SHUT_WR);
	run_until(s, s->hung_up == 1);
	assert_int_equal(s->readable, 0);
}

static void test_the_table_is_complete_and_its_states_have_names(void **state)
{
	(void)state;
	assert_true(conn_life_is_complete());
	assert_string_equal(conn_state_name(CONN_OPEN), "OPEN");
	assert_string_equal(conn_state_name(CONN_CLOSED), "CLOSED");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_sent_leaves_at_once_and_what_is_queued_with_the_turn),
		TEST(test_a_slow_reader_gets_everything_in_order),
		cmocka_unit_test_setup_teardown(test_a_reader_that_takes_nothing_is_lost, set_up_impatient, tear_down),
		TEST(test_a_broken_connection_is_lost_and_closed),
		TEST(test_the_end_waits_for_the_other_side),
		TEST(test_the_end_waits_for_a_second),
		TEST(test_a_flood_ends_the_waiting),
		TEST(test_a_side_that_has_closed_already_is_not_waited_for),
		TEST(test_bytes_are_read),
		TEST(test_a_hangup_behind_unread_bytes_is_heard),
		cmocka_unit_test(test_the_table_is_complete_and_its_states_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
