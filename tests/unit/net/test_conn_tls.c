/* Two conns under TLS, one at each end of a socket pair; or one of them, and the test at the other end by hand. */
#include "unit.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certs.h"
#include "net/conn.h"
#include "net/tls_session.h"

#define WRITE_TIMEOUT_MS 200
#define HANDSHAKE_MS 2000
#define MUCH ((size_t)4 << 20)

struct side {
	struct conn conn;
	size_t waiting;
	int secured, sent, lost, closed, hung_up;
	struct buf got;
	size_t room;   /* of one read */
	bool finishes; /* when the other side has */
	enum conn_io last_read;
	struct err error; /* as told when it was lost */
};

struct scene {
	struct loop *loop;
	struct cert authority, stranger, server, client, elsewhere;
	struct tls_context *of_server, *of_client;
	struct side s, c;
	int peer; /* the test's own end, or -1 */
	struct timer timer;
	struct post post;
	void (*in_loop)(struct scene *scene);
};

static void on_readable(void *arg)
{
	struct side *side = arg;
	size_t n;

	side->last_read = conn_read(&side->conn, buf_reserve(&side->got, side->room), side->room, &n);
	buf_added(&side->got, n);
	if (side->last_read == CONN_END && side->finishes)
		conn_finish(&side->conn);
	else if (side->last_read == CONN_END)
		conn_watch(&side->conn, WATCH_RESET);
	if (side->last_read == CONN_FAILED) {
		err_set(&side->error, "%s", conn_error(&side->conn));
		conn_close(&side->conn);
	}
}

static void on_hung_up(void *arg)
{
	struct side *side = arg;

	side->hung_up++;
	conn_watch(&side->conn, WATCH_RESET);
}

static void on_sent(void *arg)
{
	((struct side *)arg)->sent++;
}

static void on_lost(void *arg)
{
	struct side *side = arg;

	side->lost++;
	err_set(&side->error, "%s", conn_error(&side->conn));
}

static void on_closed(void *arg)
{
	((struct side *)arg)->closed++;
}

static void on_secured(void *arg)
{
	struct side *side = arg;

	side->secured++;
	assert_false(conn_is_securing(&side->conn));
}

static const struct conn_events events = {
	.readable = on_readable,
	.hung_up = on_hung_up,
	.sent = on_sent,
	.lost = on_lost,
	.closed = on_closed,
	.secured = on_secured,
};

static struct tls_context *server_context(const struct cert *c, const char *client_ca)
{
	const struct tls_server_conf conf = { .cert = c->pem, .key = c->key, .client_ca = client_ca };
	struct err e;
	struct tls_context *t = tls_server_new(&conf, NULL, &e);

	if (t == NULL)
		fail_msg("%s", e.text);
	return t;
}

static struct tls_context *client_context(const char *ca, const struct cert *c)
{
	const struct tls_client_conf conf = {
		.ca = ca, .cert = c != NULL ? c->pem : NULL, .key = c != NULL ? c->key : NULL
	};
	struct err e;
	struct tls_context *t = tls_client_new(&conf, NULL, &e);

	if (t == NULL)
		fail_msg("%s", e.text);
	return t;
}

/* What all tests share is made once: keys take a while under valgrind. */
static int set_up_all(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	cert_make(&scene->authority, NULL, NULL, -1, 10);
	cert_make(&scene->stranger, NULL, NULL, -1, 10);
	cert_make(&scene->server, "DNS:gateway.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1", &scene->authority, -1, 10);
	cert_make(&scene->client, "DNS:client.test", &scene->authority, -1, 10);
	cert_make(&scene->elsewhere, "DNS:client.test", &scene->stranger, -1, 10);
	*state = scene;
	return 0;
}

static int tear_down_all(void **state)
{
	struct scene *scene = *state;

	cert_clear(&scene->authority);
	cert_clear(&scene->stranger);
	cert_clear(&scene->server);
	cert_clear(&scene->client);
	cert_clear(&scene->elsewhere);
	free(scene);
	return 0;
}

static int set_up(void **state)
{
	struct scene *scene = *state;
	struct err e;

	scene->loop = loop_new(&e);
	scene->peer = -1;
	scene->of_server = server_context(&scene->server, NULL);
	scene->of_client = client_context(scene->authority.pem, NULL);
	return 0;
}

static void close_side(struct side *side)
{
	if (side->conn.loop != NULL)
		conn_close(&side->conn);
	assert_int_equal(side->waiting, 0);
	buf_free(&side->got);
	*side = (struct side){ 0 };
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	close_side(&scene->s);
	close_side(&scene->c);
	tls_context_unref(&scene->of_server);
	tls_context_unref(&scene->of_client);
	loop_free(&scene->loop);
	if (scene->peer >= 0)
		close(scene->peer);
	return 0;
}

static void open_side(struct scene *scene, struct side *side, int fd)
{
	side->room = 65536;
	assert_true(conn_open(&side->conn, scene->loop, fd, &events, side, WRITE_TIMEOUT_MS, &side->waiting));
	conn_watch(&side->conn, WATCH_READ);
}

static void open_both(struct scene *scene, const char *name)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	open_side(scene, &scene->s, ends[0]);
	open_side(scene, &scene->c, ends[1]);
	conn_start_tls(&scene->s.conn, scene->of_server, NULL, HANDSHAKE_MS);
	conn_start_tls(&scene->c.conn, scene->of_client, name, HANDSHAKE_MS);
}

static void open_server(struct scene *scene, msec_t handshake_ms)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	open_side(scene, &scene->s, ends[0]);
	conn_start_tls(&scene->s.conn, scene->of_server, NULL, handshake_ms);
	scene->peer = ends[1];
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct scene *scene, msec_t ms)
{
	timer_set(loop_sched(scene->loop), &scene->timer, mono_add(clock_mono(), ms), stop_loop, scene->loop);
	loop_run(scene->loop);
	timer_stop(loop_sched(scene->loop), &scene->timer);
}

/* For five seconds at most. */
static void await(struct scene *scene, const int *counter, int wanted)
{
	for (int i = 0; i < 2500 && *counter < wanted; i++)
		run_for(scene, 2);
	assert_int_equal(*counter, wanted);
}

static void await_bytes(struct scene *scene, const struct side *side, size_t wanted)
{
	for (int i = 0; i < 5000 && buf_size(&side->got) < wanted; i++)
		run_for(scene, 1);
	assert_int_equal(buf_size(&side->got), wanted);
}

static void run_post(void *arg)
{
	struct scene *scene = arg;

	scene->in_loop(scene);
}

static void do_in_loop(struct scene *scene, void (*call)(struct scene *scene))
{
	scene->in_loop = call;
	post_set(loop_sched(scene->loop), &scene->post, run_post, scene);
	run_for(scene, 5);
}

static void secure_both(struct scene *scene)
{
	open_both(scene, "gateway.test");
	await(scene, &scene->s.secured, 1);
	await(scene, &scene->c.secured, 1);
}

/* ---- the handshake ---- */

static void test_what_is_sent_at_once_waits_for_the_handshake(void **state)
{
	struct scene *scene = *state;

	open_both(scene, "gateway.test");
	assert_true(conn_is_securing(&scene->c.conn));
	conn_send(&scene->c.conn, (struct span[]){ SPAN("hel"), SPAN("lo") }, 2);
	conn_queue(&scene->c.conn, (struct span[]){ SPAN(" there") }, 1);
	assert_int_equal(conn_queued(&scene->c.conn), 11);
	await_bytes(scene, &scene->s, 11);
	assert_span(buf_span(&scene->s.got), "hello there");
	assert_int_equal(scene->c.sent, 1);
	assert_int_equal(scene->c.secured, 1);
	assert_int_equal(scene->s.secured, 1);
	assert_int_equal(scene->s.sent, 0); /* its tickets are no business of its owner's */
	assert_int_equal(conn_queued(&scene->c.conn), 0);
}

static void send_both(struct scene *scene)
{
	conn_send(&scene->s.conn, (struct span[]){ SPAN("from"), SPAN(""), SPAN(" the server") }, 3);
	assert_int_equal(conn_queued(&scene->s.conn), 0); /* it has left already */
	conn_queue(&scene->c.conn, (struct span[]){ SPAN("from the "), SPAN("client") }, 2);
	assert_int_equal(conn_queued(&scene->c.conn), 15);
	assert_int_equal(scene->c.waiting, 15);
}

static void test_both_send_and_read(void **state)
{
	struct scene *scene = *state;

	secure_both(scene);
	do_in_loop(scene, send_both);
	await_bytes(scene, &scene->s, 15);
	await_bytes(scene, &scene->c, 15);
	assert_span(buf_span(&scene->c.got), "from the server");
	assert_span(buf_span(&scene->s.got), "from the client");
	assert_int_equal(scene->s.sent, 0);
	assert_int_equal(scene->c.sent, 1);
}

static void expect_secured(struct scene *scene, const char *name)
{
	open_both(scene, name);
	await(scene, &scene->c.secured, 1);
	close_side(&scene->s);
	close_side(&scene->c);
	run_for(scene, 1);
}

static void test_names_and_addresses_are_verified(void **state)
{
	struct scene *scene = *state;

	expect_secured(scene, "gateway.test");
	expect_secured(scene, "GATEWAY.test.");
	expect_secured(scene, "one.wild.test");
	expect_secured(scene, "127.0.0.1");
	expect_secured(scene, "::1");
	expect_secured(scene, "[::1]");
}

static void expect_refused(struct scene *scene, const char *name, const char *sentence)
{
	open_both(scene, name);
	await(scene, &scene->c.lost, 1);
	if (strstr(scene->c.error.text, sentence) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", scene->c.error.text, sentence);
	await(scene, &scene->c.closed, 1);
	assert_int_equal(scene->c.secured, 0);
	close_side(&scene->s);
	close_side(&scene->c);
	run_for(scene, 1);
}

static void test_another_name_is_refused(void **state)
{
	struct scene *scene = *state;

	expect_refused(scene, "elsewhere.test", "the certificate of elsewhere.test is not accepted: hostname mismatch");
	expect_refused(scene, "127.0.0.2", "the certificate of 127.0.0.2 is not accepted: IP address mismatch");
	expect_refused(scene, "two.one.wild.test", "mismatch");
	tls_context_unref(&scene->of_client);
	scene->of_client = client_context(scene->stranger.pem, NULL);
	expect_refused(scene, "gateway.test", "the certificate of gateway.test is not accepted");
}

static void test_a_refusal_reaches_the_other_side_as_an_alert(void **state)
{
	struct scene *scene = *state;

	open_both(scene, "elsewhere.test");
	await(scene, &scene->s.lost, 1);
	assert_non_null(strstr(scene->s.error.text, "alert"));
	await(scene, &scene->s.closed, 1);
}

static void test_an_expired_certificate_is_refused(void **state)
{
	struct scene *scene = *state;
	struct cert old = { 0 };

	cert_make(&old, "DNS:gateway.test", &scene->authority, -10, -1);
	tls_context_unref(&scene->of_server);
	scene->of_server = server_context(&old, NULL);
	expect_refused(scene, "gateway.test", "certificate has expired");
	cert_clear(&old);
}

static void test_a_client_that_shows_its_certificate_is_welcome(void **state)
{
	struct scene *scene = *state;

	tls_context_unref(&scene->of_server);
	tls_context_unref(&scene->of_client);
	scene->of_server = server_context(&scene->server, scene->authority.pem);
	scene->of_client = client_context(scene->authority.pem, &scene->client);
	secure_both(scene);
	do_in_loop(scene, send_both);
	await_bytes(scene, &scene->s, 15);
}

/* The client has done its part of a TLS 1.3 handshake before the server looks at what it shows. */
static void expect_client_refused(struct scene *scene, const struct cert *c, const char *sentence)
{
	tls_context_unref(&scene->of_client);
	scene->of_client = client_context(scene->authority.pem, c);
	open_both(scene, "gateway.test");
	await(scene, &scene->s.lost, 1);
	if (strstr(scene->s.error.text, sentence) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", scene->s.error.text, sentence);
	await(scene, &scene->s.closed, 1);
	assert_int_equal(scene->s.secured, 0);
	assert_int_equal(scene->c.last_read, CONN_FAILED);
	assert_non_null(strstr(scene->c.error.text, "alert"));
	close_side(&scene->s);
	close_side(&scene->c);
	run_for(scene, 1);
}

static void test_a_client_without_a_good_certificate_is_refused(void **state)
{
	struct scene *scene = *state;

	tls_context_unref(&scene->of_server);
	scene->of_server = server_context(&scene->server, scene->authority.pem);
	expect_client_refused(scene, NULL, "did not return a certificate");
	expect_client_refused(scene, &scene->elsewhere, "the certificate of the client is not accepted");
}

static size_t drain_peer(struct scene *scene, struct buf *out)
{
	size_t total = 0;

	for (;;) {
		ssize_t n = recv(scene->peer, buf_reserve(out, 65536), 65536, 0);
		if (n <= 0)
			return total;
		buf_added(out, (size_t)n);
		total += (size_t)n;
	}
}

static void test_garbage_is_answered_with_an_alert(void **state)
{
	struct scene *scene = *state;
	struct buf out = { 0 };

	open_server(scene, HANDSHAKE_MS);
	assert_int_equal(send(scene->peer, "\x16\x03\x01\xff\xff garbage", 13, 0), 13);
	await(scene, &scene->s.lost, 1);
	assert_string_not_equal(scene->s.error.text, "");
	run_for(scene, 10);
	assert_true(drain_peer(scene, &out) >= 7);
	assert_int_equal(buf_span(&out).p[0], 21); /* an alert */
	shutdown(scene->peer, SHUT_WR);
	await(scene, &scene->s.closed, 1);
	buf_free(&out);
}

static void test_who_speaks_plainly_is_answered_so(void **state)
{
	struct scene *scene = *state;
	struct buf out = { 0 };

	open_server(scene, HANDSHAKE_MS);
	conn_answer_plain(&scene->s.conn, SPAN("speak TLS\n"));
	assert_int_equal(send(scene->peer, "DELETE / HTTP/1.1\r\n\r\n", 21, 0), 21);
	await(scene, &scene->s.lost, 1);
	assert_string_equal(scene->s.error.text, "the client speaks no TLS");
	run_for(scene, 10);
	drain_peer(scene, &out);
	assert_span(buf_span(&out), "speak TLS\n");
	shutdown(scene->peer, SHUT_WR);
	await(scene, &scene->s.closed, 1);
	buf_free(&out);
}

static void test_an_end_before_the_handshake_is_one(void **state)
{
	struct scene *scene = *state;

	open_server(scene, HANDSHAKE_MS);
	run_for(scene, 5);
	shutdown(scene->peer, SHUT_WR);
	await(scene, &scene->s.lost, 1);
	assert_string_equal(scene->s.error.text, "the client closed the connection during the TLS handshake");
	await(scene, &scene->s.closed, 1);
}

static void test_a_reset_before_the_handshake_is_the_end(void **state)
{
	struct scene *scene = *state;

	open_server(scene, HANDSHAKE_MS);
	assert_int_equal(send(scene->peer, "\x16\x03", 2, 0), 2);
	run_for(scene, 5);
	close(scene->peer);
	scene->peer = -1;
	await(scene, &scene->s.closed, 1);
	assert_int_equal(scene->s.lost, 1);
}

/* A byte now and then keeps nobody waiting longer. */
static void test_a_handshake_has_a_deadline(void **state)
{
	struct scene *scene = *state;
	run_for(scene, 1); /* the loop's time is that of its last turn */
	mono_t begin = clock_mono();

	open_server(scene, 100);
	for (int i = 0; i < 500 && scene->s.lost == 0; i++) {
		(void)!send(scene->peer, i == 0 ? "\x16" : i == 1 ? "\x03" : "\x01", 1, MSG_NOSIGNAL);
		run_for(scene, 5);
	}
	assert_int_equal(scene->s.lost, 1);
	assert_true(mono_diff(clock_mono(), begin) >= 50);
	assert_string_equal(scene->s.error.text, "the TLS handshake took longer than 100ms");
	assert_int_equal(scene->s.conn.state, CONN_LINGERING);
	shutdown(scene->peer, SHUT_WR);
	await(scene, &scene->s.closed, 1);
}

static void finish_client(struct scene *scene)
{
	conn_queue(&scene->c.conn, (struct span[]){ SPAN("bye") }, 1);
	conn_finish(&scene->c.conn);
}

static void test_a_conn_that_is_finished_in_its_handshake_says_what_it_had_to(void **state)
{
	struct scene *scene = *state;

	open_both(scene, "gateway.test");
	scene->s.finishes = true;
	finish_client(scene);
	await(scene, &scene->s.closed, 1);
	await(scene, &scene->c.closed, 1);
	assert_span(buf_span(&scene->s.got), "bye");
	assert_int_equal(scene->c.lost, 0);
	assert_int_equal(scene->s.last_read, CONN_END);
}

/* ---- at work ---- */

static char *much(void)
{
	char *bytes = malloc(MUCH);

	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = (char)(i * 31 >> 4);
	return bytes;
}

static void send_much(struct scene *scene)
{
	char *bytes = much();

	conn_send(&scene->s.conn, (struct span[]){ { bytes, 10 }, { bytes + 10, MUCH - 10 } }, 2);
	assert_true(conn_queued(&scene->s.conn) > 0);
	assert_int_equal(scene->s.waiting, conn_queued(&scene->s.conn));
	free(bytes);
}

static void expect_much(const struct side *side)
{
	assert_int_equal(buf_size(&side->got), MUCH);
	for (size_t i = 0; i < MUCH; i++)
		if (buf_span(&side->got).p[i] != (char)(i * 31 >> 4))
			fail_msg("byte %zu is wrong", i);
}

static void test_much_arrives_in_order(void **state)
{
	struct scene *scene = *state;

	secure_both(scene);
	do_in_loop(scene, send_much);
	await_bytes(scene, &scene->c, MUCH);
	expect_much(&scene->c);
	assert_int_equal(scene->s.sent, 1);
	assert_int_equal(scene->s.lost, 0);
}

/* It looks away for most of the time. */
static void test_a_slow_reader_gets_everything_in_order(void **state)
{
	struct scene *scene = *state;

	secure_both(scene);
	conn_watch(&scene->c.conn, 0);
	do_in_loop(scene, send_much);
	assert_true(conn_queued(&scene->s.conn) > MUCH / 2);
	for (int i = 0; i < 5000 && buf_size(&scene->c.got) < MUCH; i++) {
		conn_watch(&scene->c.conn, i % 2 == 0 ? WATCH_READ : 0);
		run_for(scene, 1);
	}
	conn_watch(&scene->c.conn, WATCH_READ);
	await_bytes(scene, &scene->c, MUCH);
	expect_much(&scene->c);
	assert_int_equal(scene->s.sent, 1);
}

static void send_some(struct scene *scene)
{
	static const char bytes[20000];

	conn_send(&scene->s.conn, &(struct span){ bytes, sizeof(bytes) }, 1);
}

/* What TLS has opened and the owner not yet read makes no socket readable. */
static void test_what_was_read_ahead_is_not_forgotten(void **state)
{
	struct scene *scene = *state;

	secure_both(scene);
	scene->c.room = 7;
	do_in_loop(scene, send_some);
	await_bytes(scene, &scene->c, 20000);
	conn_watch(&scene->c.conn, 0);
	do_in_loop(scene, send_some);
	assert_int_equal(buf_size(&scene->c.got), 20000);
	conn_watch(&scene->c.conn, WATCH_READ);
	run_for(scene, 1);
	conn_watch(&scene->c.conn, 0);
	run_for(scene, 1);
	conn_watch(&scene->c.conn, WATCH_READ);
	await_bytes(scene, &scene->c, 40000);
}

static void test_a_reader_that_takes_nothing_is_lost(void **state)
{
	struct scene *scene = *state;

	secure_both(scene);
	conn_watch(&scene->c.conn, 0);
	do_in_loop(scene, send_much);
	await(scene, &scene->s.lost, 1);
	assert_int_equal(scene->s.waiting, 0);
	assert_int_equal(scene->s.closed, 0);
	assert_int_equal(scene->s.conn.state, CONN_LINGERING);
	conn_close(&scene->c.conn);
	await(scene, &scene->s.closed, 1);
}

static void break_client(struct scene *scene)
{
	close(watch_release(&scene->c.conn.watch));
}

static void test_a_broken_connection_is_lost_and_closed(void **state)
{
	struct scene *scene = *state;

	secure_both(scene);
	conn_watch(&scene->s.conn, 0);
	do_in_loop(scene, break_client);
	do_in_loop(scene, send_some);
	await(scene, &scene->s.closed, 1);
	assert_int_equal(scene->s.lost, 1);
}

/* ---- the end ---- */

static void test_the_end_is_told_before_the_socket_ends(void **state)
{
	struct scene *scene = *state;

	secure_both(scene);
	do_in_loop(scene, finish_client);
	assert_int_equal(scene->c.conn.state, CONN_LINGERING);
	assert_span(buf_span(&scene->s.got), "bye");
	assert_int_equal(scene->s.last_read, CONN_END);
	assert_false(conn_is_cut(&scene->s.conn));
	assert_int_equal(scene->c.closed, 0);
	conn_finish(&scene->s.conn);
	await(scene, &scene->s.closed, 1);
	await(scene, &scene->c.closed, 1);
	assert_int_equal(scene->c.lost, 0);
	assert_int_equal(scene->s.lost, 0);
}

static void say_end(struct scene *scene)
{
	conn_say_end(&scene->s.conn);
	conn_close(&scene->s.conn);
}

static void test_an_end_at_once_is_told_as_well(void **state)
{
	struct scene *scene = *state;

	secure_both(scene);
	do_in_loop(scene, say_end);
	run_for(scene, 5);
	assert_int_equal(scene->c.last_read, CONN_END);
	assert_string_equal(scene->c.error.text, "");
}

/* A client of the test's own, for what a conn never does. */
static enum tls_io write_wire(struct scene *scene, struct tls_session *hand)
{
	struct buf *wire = tls_session_wire(hand);
	size_t n = buf_size(wire);

	if (n > 0) {
		assert_int_equal(send(scene->peer, buf_span(wire).p, n, 0), n);
		buf_take(wire, n);
	}
	run_for(scene, 5);
	return TLS_BLOCKED;
}

static struct tls_session *secure_by_hand(struct scene *scene)
{
	open_server(scene, HANDSHAKE_MS);
	struct tls_session *hand = tls_session_new(scene->of_client, scene->peer, "gateway.test");

	for (int i = 0; i < 10 && tls_session_handshake(hand) == TLS_BLOCKED; i++)
		write_wire(scene, hand);
	write_wire(scene, hand);
	await(scene, &scene->s.secured, 1);
	return hand;
}

static void answer(struct scene *scene)
{
	conn_send(&scene->s.conn, (struct span[]){ SPAN("answer") }, 1);
	conn_finish(&scene->s.conn);
}

static void expect_answer(struct scene *scene, struct tls_session *hand)
{
	char text[64];
	size_t n = 0, total = 0;

	run_for(scene, 5);
	while (tls_session_read(hand, text + total, sizeof(text) - total, &n) == TLS_OK)
		total += n;
	assert_span(((struct span){ text, total }), "answer");
	assert_int_equal(tls_session_read(hand, text, sizeof(text), &n), TLS_END);
}

static void test_who_has_said_its_end_may_still_read(void **state)
{
	struct scene *scene = *state;
	struct tls_session *hand = secure_by_hand(scene);

	tls_session_write(hand, SPAN("question"));
	tls_session_say_end(hand);
	write_wire(scene, hand);
	assert_span(buf_span(&scene->s.got), "question");
	assert_int_equal(scene->s.last_read, CONN_END);
	assert_int_equal(scene->s.closed, 0);
	do_in_loop(scene, answer);
	expect_answer(scene, hand);
	assert_int_equal(scene->s.conn.state, CONN_LINGERING); /* the socket has not ended */
	shutdown(scene->peer, SHUT_WR);
	await(scene, &scene->s.closed, 1);
	tls_session_free(&hand);
}

static void test_an_end_of_the_socket_alone_is_one_too(void **state)
{
	struct scene *scene = *state;
	struct tls_session *hand = secure_by_hand(scene);

	tls_session_write(hand, SPAN("question"));
	write_wire(scene, hand);
	shutdown(scene->peer, SHUT_WR);
	run_for(scene, 5);
	assert_int_equal(scene->s.last_read, CONN_END);
	assert_true(conn_is_cut(&scene->s.conn));
	do_in_loop(scene, answer);
	expect_answer(scene, hand);
	await(scene, &scene->s.closed, 1);
	assert_int_equal(scene->s.lost, 0);
	tls_session_free(&hand);
}

static void test_a_hangup_behind_unread_bytes_is_heard(void **state)
{
	struct scene *scene = *state;
	struct tls_session *hand = secure_by_hand(scene);

	conn_watch(&scene->s.conn, WATCH_HANGUP);
	tls_session_write(hand, SPAN("question"));
	write_wire(scene, hand);
	assert_int_equal(scene->s.hung_up, 0);
	shutdown(scene->peer, SHUT_WR);
	run_for(scene, 5);
	assert_int_equal(scene->s.hung_up, 1);
	tls_session_free(&hand);
}

static void test_a_forged_record_ends_it(void **state)
{
	struct scene *scene = *state;
	struct tls_session *hand = secure_by_hand(scene);

	tls_session_write(hand, SPAN("question"));
	write_wire(scene, hand);
	assert_int_equal(send(scene->peer, "\x17\x03\x03\x00\x20 thirty-two bytes that say nothing.", 38, 0), 38);
	run_for(scene, 5);
	assert_span(buf_span(&scene->s.got), "question");
	assert_int_equal(scene->s.last_read, CONN_FAILED);
	assert_non_null(strstr(scene->s.error.text, "TLS failed"));
	tls_session_free(&hand);
}

static SSL *secure_by_openssl(struct scene *scene, SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);

	open_server(scene, HANDSHAKE_MS);
	SSL_set_fd(ssl, scene->peer);
	for (int i = 0; i < 10 && SSL_connect(ssl) != 1; i++)
		run_for(scene, 5);
	await(scene, &scene->s.secured, 1);
	return ssl;
}

static void push(struct scene *scene, SSL *ssl, int done)
{
	if (done <= 0 && SSL_get_error(ssl, done) == SSL_ERROR_WANT_WRITE)
		run_for(scene, 1);
}

/* New keys again and again: each costs us a little, none is data, and they are answered without being read. */
static void test_a_stream_of_new_keys_is_borne(void **state)
{
	struct scene *scene = *state;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = secure_by_openssl(scene, ctx);
	int written = 0;

	for (int i = 0; i < 3000; i++) {
		if (SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
			push(scene, ssl, SSL_do_handshake(ssl));
	}
	for (int i = 0; i < 2000 && written <= 0; i++) {
		written = SSL_write(ssl, "question", 8);
		push(scene, ssl, written);
	}
	assert_int_equal(written, 8);
	await_bytes(scene, &scene->s, 8);
	assert_int_equal(scene->s.lost, 0);
	assert_true(scene->s.waiting <= 1 << 20);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void test_a_context_may_go_while_connections_hold_it(void **state)
{
	struct scene *scene = *state;

	open_both(scene, "gateway.test");
	tls_context_unref(&scene->of_server);
	tls_context_unref(&scene->of_client);
	await(scene, &scene->c.secured, 1);
	await(scene, &scene->s.secured, 1);
	do_in_loop(scene, send_both);
	await_bytes(scene, &scene->s, 15);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_sent_at_once_waits_for_the_handshake),
		TEST(test_both_send_and_read),
		TEST(test_names_and_addresses_are_verified),
		TEST(test_another_name_is_refused),
		TEST(test_a_refusal_reaches_the_other_side_as_an_alert),
		TEST(test_an_expired_certificate_is_refused),
		TEST(test_a_client_that_shows_its_certificate_is_welcome),
		TEST(test_a_client_without_a_good_certificate_is_refused),
		TEST(test_garbage_is_answered_with_an_alert),
		TEST(test_who_speaks_plainly_is_answered_so),
		TEST(test_an_end_before_the_handshake_is_one),
		TEST(test_a_reset_before_the_handshake_is_the_end),
		TEST(test_a_handshake_has_a_deadline),
		TEST(test_a_conn_that_is_finished_in_its_handshake_says_what_it_had_to),
		TEST(test_much_arrives_in_order),
		TEST(test_a_slow_reader_gets_everything_in_order),
		TEST(test_what_was_read_ahead_is_not_forgotten),
		TEST(test_a_reader_that_takes_nothing_is_lost),
		TEST(test_a_broken_connection_is_lost_and_closed),
		TEST(test_the_end_is_told_before_the_socket_ends),
		TEST(test_an_end_at_once_is_told_as_well),
		TEST(test_who_has_said_its_end_may_still_read),
		TEST(test_an_end_of_the_socket_alone_is_one_too),
		TEST(test_a_hangup_behind_unread_bytes_is_heard),
		TEST(test_a_forged_record_ends_it),
		TEST(test_a_stream_of_new_keys_is_borne),
		TEST(test_a_context_may_go_while_connections_hold_it),
	};

	return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
