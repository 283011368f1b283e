/* The pool: which fetch gets which connection, what happens when one goes, and the ways to an origin. */
#include "unit.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certs.h"
#include "net/http_client_private.h"
#include "origin.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct http_client_stats stats_of(const struct scene *s)
{
	struct http_client_stats stats;

	http_client_stats(s->client, &stats);
	return stats;
}

static void get_one(struct scene *s, const char *target)
{
	struct got g = { 0 };

	got_get(&g, s, target);
	scene_run(s);
	got_expect(&g, FETCH_DONE, 200, "ok");
	got_clear(&g);
}

static void test_no_cell_of_the_table_was_forgotten(void **state)
{
	(void)state;
	assert_true(link_life_is_complete());
	assert_string_equal(link_state_name(LINK_SECURING), "SECURING");
	assert_string_equal(fetch_end_name(FETCH_UNREACHABLE), "UNREACHABLE");
}

static void test_a_connection_is_used_again(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, NULL, 0);
	scene_start(&s);
	for (int i = 0; i < 10; i++)
		get_one(&s, "/");
	assert_int_equal(s.origin.accepted, 1);
	assert_int_equal(stats_of(&s).reused, 9);
	assert_int_equal(stats_of(&s).opened, 1);
	assert_int_equal(stats_of(&s).fetches, 10);
	scene_end(&s);
}

static void test_fetches_beyond_the_bound_wait_and_all_are_served(void **state)
{
	static struct got got[200];
	struct scene s;

	(void)state;
	scene_init(&s, NULL, 0);
	s.conf.max_connections = 4;
	scene_start(&s);
	for (size_t i = 0; i < ROWS(got); i++)
		got_get(&got[i], &s, "/");
	assert_int_equal(stats_of(&s).connections, 4);
	assert_int_equal(stats_of(&s).waiting, 200);
	scene_run(&s);
	for (size_t i = 0; i < ROWS(got); i++) {
		got_expect(&got[i], FETCH_DONE, 200, "ok");
		got_clear(&got[i]);
	}
	assert_int_equal(s.origin.accepted, 4);
	assert_int_equal(s.origin.requests, 200);
	assert_int_equal(stats_of(&s).idle, 4);
	scene_end(&s);
}

static void test_who_comes_when_too_many_wait_is_told_so_at_once(void **state)
{
	const struct origin_line lines[] = { { .text = ANSWER, .delay_ms = 50 } };
	struct scene s;
	struct got got[5] = { 0 };

	(void)state;
	scene_init(&s, lines, 1);
	s.conf.max_connections = 1;
	s.conf.max_waiting = 3;
	scene_start(&s);
	for (size_t i = 0; i < 5; i++)
		got_get(&got[i], &s, "/");
	scene_run(&s);
	for (size_t i = 0; i < 5; i++) {
		if (i < 3)
			got_expect(&got[i], FETCH_DONE, 200, "ok");
		else
			got_expect(&got[i], FETCH_OVERLOADED, 0, "");
		assert_int_equal(got[i].sent, i < 3);
		got_clear(&got[i]);
	}
	scene_end(&s);
}

static void test_a_fetch_does_not_wait_for_ever_for_a_connection(void **state)
{
	const struct origin_line lines[] = { { .text = ANSWER, .delay_ms = 1000 } };
	const struct http_fetch_request r = { .method = SPAN("GET"), .target = SPAN("/"), .connect_timeout_ms = 50 };
	struct scene s;
	struct got first = { 0 }, second = { 0 };

	(void)state;
	scene_init(&s, lines, 1);
	s.conf.max_connections = 1;
	scene_start(&s);
	got_get(&first, &s, "/");
	got_start(&second, &s, &r);
	scene_run(&s);
	got_expect(&first, FETCH_DONE, 200, "ok");
	got_expect(&second, FETCH_TIMEOUT, 0, "");
	assert_false(second.sent);
	assert_non_null(strstr(second.sentence, "no connection"));
	got_clear(&first);
	got_clear(&second);
	scene_end(&s);
}

static void test_a_cancelled_fetch_makes_room_for_one_that_waits(void **state)
{
	const struct origin_line lines[] = { { .text = NULL } };
	struct scene s;
	struct got first = { 0 }, second = { 0 };

	(void)state;
	scene_init(&s, lines, 1);
	s.conf.max_connections = 1;
	scene_start(&s);
	got_get(&first, &s, "/");
	got_get(&second, &s, "/");
	scene_run_for(&s, 50);
	http_fetch_cancel(&first.fetch);
	s.running--;
	scene_run(&s);
	got_expect(&second, FETCH_DONE, 200, "ok");
	assert_int_equal(first.ends, 0);
	got_clear(&first);
	got_clear(&second);
	scene_end(&s);
}

/* Connections that go */

static void test_an_idle_connection_that_has_gone_is_not_used(void **state)
{
	struct scene s;

	(void)state;
	for (int how = 0; how < 4; how++) {
		scene_init(&s, NULL, 0);
		scene_start(&s);
		get_one(&s, "/");
		origin_cut_all(&s.origin, how % 2 == 1);
		if (how >= 2)
			scene_run_for(&s, 30);
		else
			usleep(20000); /* so that nobody but the look before its use can see it */
		get_one(&s, "/");
		assert_int_equal(s.origin.accepted, 2);
		assert_int_equal(stats_of(&s).retried, 0);
		assert_int_equal(stats_of(&s).connections, 1);
		scene_end(&s);
	}
}

static bool has_none(void *arg)
{
	return stats_of(arg).connections == 0;
}

static void test_an_idle_connection_goes_when_its_time_is_over_or_it_says_something(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, NULL, 0);
	s.conf.idle_connection_ms = 60;
	scene_start(&s);
	get_one(&s, "/");
	assert_int_equal(stats_of(&s).idle, 1);
	scene_run_until(&s, has_none, &s);
	scene_end(&s);

	scene_init(&s, NULL, 0);
	scene_start(&s);
	get_one(&s, "/");
	origin_say(&s.origin, ANSWER);
	scene_run_until(&s, has_none, &s);
	scene_end(&s);
}

/* The server takes the request on a kept connection and closes: whether it has worked on it nobody knows. */
static void test_what_was_sent_is_sent_again_only_if_it_may_be_done_twice(void **state)
{
	static const struct {
		struct origin_line lines[4];
		bool idempotent;
		enum fetch_end why;
		unsigned requests;
	} rows[] = {
		{ { { .text = ANSWER }, { .then = THEN_CLOSE }, { .text = ANSWER } }, false, FETCH_LOST, 2 },
		{ { { .text = ANSWER }, { .then = THEN_RESET }, { .text = ANSWER } }, false, FETCH_LOST, 2 },
		{ { { .text = ANSWER }, { .then = THEN_CLOSE }, { .text = ANSWER } }, true, FETCH_DONE, 3 },
		{ { { .text = ANSWER }, { .then = THEN_RESET }, { .text = ANSWER } }, true, FETCH_DONE, 3 },
		{ { { .text = ANSWER }, { .then = THEN_RESET }, { .then = THEN_RESET } }, true, FETCH_LOST, 3 },
		{ { { .text = ANSWER }, { .text = "HTTP/1.1 2", .then = THEN_CLOSE } }, true, FETCH_LOST, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct scene s;
		struct got g = { 0 };
		const struct span body = SPAN("body");
		const struct http_fetch_request r = { .method = SPAN("POST"),
			.target = SPAN("/"),
			.body = &body,
			.body_parts = 1,
			.idempotent = rows[i].idempotent };
		scene_init(&s, rows[i].lines, 4);
		scene_start(&s);
		get_one(&s, "/");
		got_start(&g, &s, &r);
		scene_run(&s);
		if (g.why != rows[i].why || s.origin.requests != rows[i].requests)
			fail_msg("row %zu: %s, %s, %u requests", i, fetch_end_name(g.why), g.sentence,
			        s.origin.requests);
		assert_true(g.sent);
		assert_int_equal(g.ends, 1);
		got_clear(&g);
		scene_end(&s);
	}
}

static void test_the_first_request_of_a_connection_is_not_repeated(void **state)
{
	const struct origin_line lines[] = { { .then = THEN_RESET } };
	const struct http_fetch_request r = { .method = SPAN("GET"), .target = SPAN("/"), .idempotent = true };
	struct scene s;
	struct got g = { 0 };

	(void)state;
	scene_init(&s, lines, 1);
	scene_start(&s);
	got_start(&g, &s, &r);
	scene_run(&s);
	got_expect(&g, FETCH_LOST, 0, "");
	assert_int_equal(s.origin.requests, 1);
	got_clear(&g);
	scene_end(&s);
}

static void test_renewed_connections_are_not_used_again(void **state)
{
	const struct origin_line lines[] = { { .text = ANSWER }, { .text = ANSWER, .delay_ms = 50 } };
	struct scene s;
	struct got busy = { 0 }, waiting = { 0 };

	(void)state;
	scene_init(&s, lines, 2);
	scene_start(&s);
	get_one(&s, "/");
	http_client_renew(s.client);
	assert_int_equal(stats_of(&s).connections, 0);
	got_get(&busy, &s, "/");
	scene_run_for(&s, 20);
	got_get(&waiting, &s, "/");
	http_client_renew(s.client);
	scene_run(&s);
	got_expect(&busy, FETCH_DONE, 200, "ok");
	got_expect(&waiting, FETCH_DONE, 200, "ok");
	assert_int_equal(stats_of(&s).connections, 1);
	got_clear(&busy);
	got_clear(&waiting);
	scene_end(&s);
}

/* Connections that cannot be made */

static void test_all_who_wait_hear_that_nothing_leads_there(void **state)
{
	struct scene s;
	struct got got[20] = { 0 };

	(void)state;
	scene_init(&s, NULL, 0);
	listener_close(&s.origin.listener);
	s.conf.max_connections = 2;
	scene_start(&s);
	for (size_t i = 0; i < ROWS(got); i++)
		got_get(&got[i], &s, "/");
	http_fetch_cancel(&got[7].fetch);
	s.running--;
	scene_run(&s);
	for (size_t i = 0; i < ROWS(got); i++) {
		if (i != 7) {
			got_expect(&got[i], FETCH_UNREACHABLE, 0, "");
			assert_non_null(strstr(got[i].sentence, "refused"));
			assert_false(got[i].sent);
		}
		got_clear(&got[i]);
	}
	assert_int_equal(stats_of(&s).connections, 0);
	scene_end(&s);
}

static void test_a_name_that_is_not_there_is_said_to_be_so(void **state)
{
	struct scene s;
	struct got g = { 0 };
	struct err e;

	(void)state;
	scene_init(&s, NULL, 0);
	assert_true(url_parse(SPAN("http://not.there.invalid"), &s.conf.origin, &e));
	scene_start(&s);
	got_get(&g, &s, "/");
	scene_run(&s);
	got_expect(&g, FETCH_UNREACHABLE, 0, "");
	assert_non_null(strstr(g.sentence, "not.there.invalid"));
	got_clear(&g);
	scene_end(&s);
}

/* A full backlog: the kernel drops what comes. */
static void test_a_server_that_is_silent_is_not_waited_for_longer_than_allowed(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(in);
	int deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), filler[3];
	struct scene s;
	struct got g = { 0 };

	(void)state;
	assert_int_equal(bind(deaf, (struct sockaddr *)(void *)&in, sizeof(in)), 0);
	listen(deaf, 0);
	getsockname(deaf, (struct sockaddr *)(void *)&in, &size);
	for (int i = 0; i < 3; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(filler[i], (struct sockaddr *)(void *)&in, sizeof(in));
	}
	scene_init(&s, NULL, 0);
	s.conf.origin.port = ntohs(in.sin_port);
	s.conf.connect_timeout_ms = 100;
	scene_start(&s);
	got_get(&g, &s, "/");
	scene_run(&s);
	got_expect(&g, FETCH_UNREACHABLE, 0, "");
	assert_non_null(strstr(g.sentence, "took longer than 100ms"));
	got_clear(&g);
	scene_end(&s);
	for (int i = 0; i < 3; i++)
		close(filler[i]);
	close(deaf);
}

static void test_a_server_that_closes_what_it_accepts_is_not_connected_to_for_ever(void **state)
{
	struct scene s;
	struct got g = { 0 };

	(void)state;
	scene_init(&s, NULL, 0);
	s.origin.shuts = true;
	scene_start(&s);
	got_get(&g, &s, "/");
	scene_run(&s);
	got_expect(&g, FETCH_LOST, 0, "");
	assert_true(s.origin.accepted <= 2);
	got_clear(&g);
	scene_end(&s);
}

static void test_a_server_that_speaks_first_is_none_of_ours(void **state)
{
	struct scene s;
	struct got g = { 0 };

	(void)state;
	scene_init(&s, NULL, 0);
	s.origin.greeting = "220 mail.test ready\r\n";
	scene_start(&s);
	got_get(&g, &s, "/");
	scene_run(&s);
	got_expect(&g, FETCH_BAD_ANSWER, 0, "");
	got_clear(&g);
	scene_end(&s);
}

static void test_one_stream_that_is_open_does_not_keep_a_failure_from_being_told(void **state)
{
	const struct origin_line lines[] = { { .text = "HTTP/1.1 200 OK\r\n\r\n" } };
	struct scene s;
	struct got stream = { 0 }, got[3] = { 0 };

	(void)state;
	scene_init(&s, lines, 1);
	scene_start(&s);
	got_get(&stream, &s, "/stream");
	scene_run_for(&s, 50);
	assert_int_equal(stream.heads, 1);
	listener_close(&s.origin.listener);
	for (size_t i = 0; i < 3; i++)
		got_get(&got[i], &s, "/");
	s.running--;
	scene_run(&s);
	for (size_t i = 0; i < 3; i++) {
		got_expect(&got[i], FETCH_UNREACHABLE, 0, "");
		got_clear(&got[i]);
	}
	assert_int_equal(stream.ends, 0);
	http_fetch_cancel(&stream.fetch);
	got_clear(&stream);
	scene_end(&s);
}

static void test_a_client_may_go_with_all_that_it_has(void **state)
{
	const struct origin_line lines[] = { { .text = "HTTP/1.1 200 OK\r\n\r\nabc" }, { .text = NULL } };

	(void)state;
	for (int ms = 0; ms < 60; ms += 20) {
		const struct http_fetch_request invalid = { .method = SPAN(""), .target = SPAN("/") };
		struct scene s;
		struct got got[6] = { 0 };
		scene_init(&s, lines, 2);
		s.conf.max_connections = 3;
		scene_start(&s);
		for (size_t i = 0; i < 5; i++)
			got_get(&got[i], &s, "/");
		if (ms > 0)
			scene_run_for(&s, ms);
		got_start(&got[5], &s, &invalid);
		http_client_free(&s.client);
		unsigned heard[6];
		for (size_t i = 0; i < 6; i++)
			heard[i] = got[i].heads + got[i].pieces + got[i].ends;
		scene_run_for(&s, 20);
		for (size_t i = 0; i < 6; i++) {
			assert_int_equal(heard[i], got[i].heads + got[i].pieces + got[i].ends);
			got_clear(&got[i]);
		}
		scene_end(&s);
	}
}

/* The ways to an origin */

static void test_an_origin_by_ipv6(void **state)
{
	struct scene s;
	char url[64], wanted[128];
	struct err e;

	(void)state;
	scene_init(&s, NULL, 0);
	origin_close(&s.origin);
	origin_open(&s.origin, s.loop, "[::1]:0", NULL, 0);
	snprintf(url, sizeof(url), "http://[::1]:%u", s.origin.port);
	assert_true(url_parse(span_of(url), &s.conf.origin, &e));
	scene_start(&s);
	get_one(&s, "/");
	snprintf(wanted, sizeof(wanted), "GET / HTTP/1.1\r\nHost: [::1]:%u\r\n\r\n", s.origin.port);
	assert_span_is(buf_span(&s.origin.last), span_of(wanted));
	scene_end(&s);
}

static void test_localhost_is_reached_at_either_address(void **state)
{
	struct scene s;
	char url[64];
	struct err e;

	(void)state;
	scene_init(&s, NULL, 0);
	snprintf(url, sizeof(url), "http://localhost:%u", s.origin.port);
	assert_true(url_parse(span_of(url), &s.conf.origin, &e));
	scene_start(&s);
	get_one(&s, "/");
	scene_end(&s);
}

static void test_a_proxy_is_asked_for_the_whole_url(void **state)
{
	struct scene s;
	struct url proxy;
	struct err e;
	char url[64];

	(void)state;
	scene_init(&s, NULL, 0);
	snprintf(url, sizeof(url), "http://us%%65r:pass%%3a@127.0.0.1:%u", s.origin.port);
	assert_true(url_parse(span_of(url), &proxy, &e));
	assert_true(url_parse(SPAN("http://origin.test:81/"), &s.conf.origin, &e));
	s.conf.proxy = &proxy;
	scene_start(&s);
	get_one(&s, "/a?b");
	assert_span(buf_span(&s.origin.last), "GET http://origin.test:81/a?b HTTP/1.1\r\nHost: origin.test:81\r\n"
	                                      "Proxy-Authorization: Basic dXNlcjpwYXNzOg==\r\n\r\n");
	scene_end(&s);
}

struct tls_scene {
	struct scene s;
	struct cert authority, server;
	struct tls_context *trust;
	struct url proxy;
	char proxy_url[64];
};

static void tls_scene_init(struct tls_scene *t, const struct origin_line *lines, size_t n, const char *names)
{
	struct err e;

	*t = (struct tls_scene){ 0 };
	cert_make(&t->authority, NULL, NULL, -1, 10);
	cert_make(&t->server, names, &t->authority, -1, 10);
	scene_init(&t->s, lines, n);
	const struct tls_server_conf server = { .cert = t->server.pem, .key = t->server.key };
	const struct tls_client_conf client = { .ca = t->authority.pem };
	t->s.origin.tls = tls_server_new(&server, NULL, &e);
	t->trust = tls_client_new(&client, NULL, &e);
	snprintf(t->s.url, sizeof(t->s.url), "https://127.0.0.1:%u", t->s.origin.port);
	assert_true(url_parse(span_of(t->s.url), &t->s.conf.origin, &e));
	t->s.conf.tls = t->trust;
}

static void tls_scene_end(struct tls_scene *t)
{
	scene_end(&t->s);
	tls_context_unref(&t->trust);
	cert_clear(&t->authority);
	cert_clear(&t->server);
}

static void test_an_origin_under_tls(void **state)
{
	const struct origin_line lines[] = {
		{ .text = ANSWER },
		{ .text = ANSWER },
		{ .text = "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n", .more = 3000000 },
		{ .text = "HTTP/1.1 200 OK\r\n\r\nok", .then = THEN_CLOSE },
	};
	struct tls_scene t;
	struct got g = { 0 };

	(void)state;
	tls_scene_init(&t, lines, 4, "IP:127.0.0.1");
	scene_start(&t.s);
	get_one(&t.s, "/");
	scene_run_for(&t.s, 30); /* session tickets come, and are no reason to close */
	get_one(&t.s, "/");
	assert_int_equal(t.s.origin.accepted, 1);
	got_get(&g, &t.s, "/");
	scene_run(&t.s);
	got_expect(&g, FETCH_DONE, 200, NULL);
	assert_int_equal(buf_size(&g.body), 3000000);
	got_clear(&g);
	get_one(&t.s, "/");
	assert_int_equal(stats_of(&t.s).connections, 0);
	tls_scene_end(&t);
}

static void test_a_pause_under_tls_loses_nothing(void **state)
{
	const struct origin_line lines[] = { { .text = "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n",
		.more = 3000000 } };
	struct tls_scene t;
	struct got g = { .pause_at_head = true, .pause_at_piece = true };

	(void)state;
	tls_scene_init(&t, lines, 1, "IP:127.0.0.1");
	scene_start(&t.s);
	got_get(&g, &t.s, "/");
	for (int i = 0; i < 3000 && g.ends == 0; i++) {
		scene_run_for(&t.s, 1);
		http_fetch_pause(&g.fetch, false);
	}
	got_expect(&g, FETCH_DONE, 200, NULL);
	assert_int_equal(buf_size(&g.body), 3000000);
	got_clear(&g);
	tls_scene_end(&t);
}

static void test_a_certificate_for_somebody_else_is_refused(void **state)
{
	struct tls_scene t;
	struct got g = { 0 };

	(void)state;
	tls_scene_init(&t, NULL, 0, "DNS:other.test");
	scene_start(&t.s);
	got_get(&g, &t.s, "/");
	scene_run(&t.s);
	got_expect(&g, FETCH_UNREACHABLE, 0, "");
	assert_false(g.sent);
	assert_non_null(strstr(g.sentence, "certificate"));
	assert_int_equal(t.s.origin.requests, 0);
	got_clear(&g);
	tls_scene_end(&t);

	tls_scene_init(&t, NULL, 0, "DNS:other.test");
	t.s.conf.tls_name = SPAN("other.test");
	scene_start(&t.s);
	get_one(&t.s, "/");
	tls_scene_end(&t);
}

static void test_https_needs_a_tls_context_and_a_proxy_none(void **state)
{
	const struct logger silent = { .log = NULL };
	struct scene s;
	struct url proxy;
	struct err e;

	(void)state;
	scene_init(&s, NULL, 0);
	assert_true(url_parse(SPAN("https://a"), &s.conf.origin, &e));
	assert_null(http_client_new(s.loop, s.resolver, &s.conf, &silent, &e));
	assert_true(url_parse(SPAN("http://a"), &s.conf.origin, &e));
	assert_true(url_parse(SPAN("https://proxy"), &proxy, &e));
	s.conf.proxy = &proxy;
	assert_null(http_client_new(s.loop, s.resolver, &s.conf, &silent, &e));
	scene_end(&s);
}

static void through_a_tunnel(struct tls_scene *t)
{
	struct err e;

	t->s.origin.tunnels = true;
	snprintf(t->proxy_url, sizeof(t->proxy_url), "http://u:p@127.0.0.1:%u", t->s.origin.port);
	assert_true(url_parse(span_of(t->proxy_url), &t->proxy, &e));
	assert_true(url_parse(SPAN("https://origin.test/"), &t->s.conf.origin, &e));
	t->s.conf.proxy = &t->proxy;
	scene_start(&t->s);
}

static void test_a_tunnel_leads_through_a_proxy_to_an_origin_under_tls(void **state)
{
	const struct origin_line lines[] = { { .text = "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n",
		.slice = 5 } };
	struct tls_scene t;

	(void)state;
	tls_scene_init(&t, lines, 1, "DNS:origin.test");
	through_a_tunnel(&t);
	get_one(&t.s, "/a?b");
	get_one(&t.s, "/a?b");
	assert_span(buf_span(&t.s.origin.connect), "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n"
	                                           "Proxy-Authorization: Basic dTpw\r\n\r\n");
	assert_span(buf_span(&t.s.origin.last), "GET /a?b HTTP/1.1\r\nHost: origin.test\r\n\r\n");
	assert_int_equal(t.s.origin.accepted, 1);
	tls_scene_end(&t);
}

static void test_a_tunnel_that_is_refused_is_told_of(void **state)
{
	static const struct {
		struct origin_line line;
		const char *sentence;
	} rows[] = {
		{ { .text = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n" },
		        "refused a tunnel to origin.test:443: 407 Proxy Authentication Required" },
		{ { .text = "HTTP/1.1 200 OK\r\n\r\ngarbage" }, "said more than it should" },
		{ { .text = "SSH-2.0" }, "status line" },
		{ { .text = "HTTP/1.1 2", .then = THEN_CLOSE }, "closed the connection" },
		{ { .then = THEN_RESET }, "connection" },
		{ { .text = "HTTP/1.1 200 OK\r\n" }, "the proxy's answer for origin.test:443 took longer than" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct tls_scene t;
		struct got g = { 0 };
		tls_scene_init(&t, &rows[i].line, 1, "DNS:origin.test");
		t.s.conf.connect_timeout_ms = i == 5 ? 1000 : 10000;
		through_a_tunnel(&t);
		t.s.origin.tunnels = false;
		tls_context_unref(&t.s.origin.tls);
		got_get(&g, &t.s, "/");
		scene_run(&t.s);
		got_expect(&g, FETCH_UNREACHABLE, 0, "");
		if (strstr(g.sentence, rows[i].sentence) == NULL)
			fail_msg("row %zu: %s", i, g.sentence);
		assert_false(g.sent);
		got_clear(&g);
		tls_scene_end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_cell_of_the_table_was_forgotten),
		cmocka_unit_test(test_a_connection_is_used_again),
		cmocka_unit_test(test_fetches_beyond_the_bound_wait_and_all_are_served),
		cmocka_unit_test(test_who_comes_when_too_many_wait_is_told_so_at_once),
		cmocka_unit_test(test_a_fetch_does_not_wait_for_ever_for_a_connection),
		cmocka_unit_test(test_a_cancelled_fetch_makes_room_for_one_that_waits),
		cmocka_unit_test(test_an_idle_connection_that_has_gone_is_not_used),
		cmocka_unit_test(test_an_idle_connection_goes_when_its_time_is_over_or_it_says_something),
		cmocka_unit_test(test_what_was_sent_is_sent_again_only_if_it_may_be_done_twice),
		cmocka_unit_test(test_the_first_request_of_a_connection_is_not_repeated),
		cmocka_unit_test(test_renewed_connections_are_not_used_again),
		cmocka_unit_test(test_all_who_wait_hear_that_nothing_leads_there),
		cmocka_unit_test(test_a_name_that_is_not_there_is_said_to_be_so),
		cmocka_unit_test(test_a_server_that_is_silent_is_not_waited_for_longer_than_allowed),
		cmocka_unit_test(test_a_server_that_closes_what_it_accepts_is_not_connected_to_for_ever),
		cmocka_unit_test(test_a_server_that_speaks_first_is_none_of_ours),
		cmocka_unit_test(test_one_stream_that_is_open_does_not_keep_a_failure_from_being_told),
		cmocka_unit_test(test_a_client_may_go_with_all_that_it_has),
		cmocka_unit_test(test_an_origin_by_ipv6),
		cmocka_unit_test(test_localhost_is_reached_at_either_address),
		cmocka_unit_test(test_a_proxy_is_asked_for_the_whole_url),
		cmocka_unit_test(test_an_origin_under_tls),
		cmocka_unit_test(test_a_pause_under_tls_loses_nothing),
		cmocka_unit_test(test_a_certificate_for_somebody_else_is_refused),
		cmocka_unit_test(test_https_needs_a_tls_context_and_a_proxy_none),
		cmocka_unit_test(test_a_tunnel_leads_through_a_proxy_to_an_origin_under_tls),
		cmocka_unit_test(test_a_tunnel_that_is_refused_is_told_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
