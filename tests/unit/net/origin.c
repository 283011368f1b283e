#include "unit.h"

#include "origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

static const struct origin_line answer_ok = { .text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" };

struct origin_conn {
	struct conn conn;
	struct origin *origin;
	struct list node;
	struct buf in;
	const struct origin_line *line; /* being answered */
	size_t said;
	struct timer timer;
	bool gone, deaf, tunnel;
};

/* The server */

static void destroy(void *object)
{
	free(object);
}

static void go(struct origin_conn *c)
{
	if (c->gone)
		return;
	c->gone = true;
	list_unlink(&c->node);
	c->origin->open--;
	timer_stop(loop_sched(c->origin->loop), &c->timer);
	buf_free(&c->in);
	loop_bury(c->origin->loop, c, destroy);
}

static void cut(struct origin_conn *c, bool reset)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (reset)
		setsockopt(c->conn.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	conn_close(&c->conn);
	go(c);
}

static void work(struct origin_conn *c);

static void say(struct origin_conn *c, struct span text)
{
	if (text.n > 0)
		conn_send(&c->conn, &text, 1);
}

static void say_more(struct origin_conn *c, size_t n)
{
	static char x[65536];

	memset(x, 'x', sizeof(x));
	for (; n > 0; n -= n < sizeof(x) ? n : sizeof(x))
		say(c, (struct span){ x, n < sizeof(x) ? n : sizeof(x) });
}

static void go_on(void *arg)
{
	struct origin_conn *c = arg;
	const struct origin_line *line = c->line;
	struct span rest = span_skip(span_of(line->text), c->said);
	struct span part = line->slice > 0 ? span_cut(rest, line->slice) : rest;

	c->said += part.n;
	say(c, part);
	if (part.n < rest.n) {
		timer_set_in(loop_sched(c->origin->loop), &c->timer, line->delay_ms > 0 ? line->delay_ms : 1, go_on, c);
		return;
	}
	say_more(c, line->more);
	c->line = NULL;
	if (c->tunnel && line->then == THEN_KEEP) {
		c->tunnel = false;
		conn_start_tls(&c->conn, c->origin->tls, NULL, 10000);
	}
	if (line->then == THEN_KEEP)
		work(c);
	else if (line->then == THEN_CLOSE)
		conn_finish(&c->conn);
	else
		cut(c, true);
}

static void answer(struct origin_conn *c, const struct origin_line *line)
{
	c->line = line;
	c->said = 0;
	if (line->delay_ms > 0)
		timer_set_in(loop_sched(c->origin->loop), &c->timer, line->delay_ms, go_on, c);
	else
		go_on(c);
}

/* The size of the first request, 0 while it is not whole. */
static size_t request_size(struct span text, bool early)
{
	static struct request_head head;
	size_t scanned = 0, used = 0;

	if (span_starts(text, SPAN("CONNECT "))) {
		const char *end = memmem(text.p, text.n, "\r\n\r\n", 4);
		return end != NULL ? (size_t)(end + 4 - text.p) : 0;
	}
	if (text.n == 0 || request_head_parse(text, 65536, &scanned, &head, &used) == HEAD_MORE)
		return 0;
	assert_int_not_equal(used, 0);
	if (early)
		return text.n;
	return text.n >= used + head.content_length ? used + (size_t)head.content_length : 0;
}

static void work(struct origin_conn *c)
{
	struct origin *o = c->origin;

	if (c->gone || c->deaf || c->line != NULL || c->conn.state != CONN_OPEN)
		return;
	const struct origin_line *line = o->next < o->line_count ? &o->lines[o->next] : &answer_ok;
	size_t size = request_size(buf_span(&c->in), line->early);
	if (size == 0)
		return;
	c->deaf = line->early;
	o->next++;
	o->requests++;
	c->tunnel = o->tunnels && span_starts(buf_span(&c->in), SPAN("CONNECT "));
	struct buf *last = c->tunnel ? &o->connect : &o->last;
	buf_free(last);
	buf_add(last, span_cut(buf_span(&c->in), size));
	buf_take(&c->in, size);
	answer(c, line);
}

static void on_readable(void *arg)
{
	struct origin_conn *c = arg;
	char bytes[16384];
	size_t n;

	switch (conn_read(&c->conn, bytes, sizeof(bytes), &n)) {
	case CONN_BLOCKED:
		break;
	case CONN_OK:
		buf_add(&c->in, (struct span){ bytes, n });
		work(c);
		break;
	case CONN_END:
	case CONN_FAILED:
		cut(c, false);
		break;
	}
}

static void nothing(void *arg)
{
	(void)arg;
}

static void on_closed(void *arg)
{
	go(arg);
}

static const struct conn_events conn_events = {
	.readable = on_readable,
	.hung_up = nothing,
	.sent = nothing,
	.lost = nothing,
	.closed = on_closed,
};

static void on_accepted(void *arg, int fd, const struct address *peer)
{
	struct origin *o = arg;
	struct origin_conn *c = NEW(struct origin_conn);

	(void)peer;
	assert_true(conn_open(&c->conn, o->loop, fd, &conn_events, c, 60000, &o->queued));
	c->origin = o;
	o->accepted++;
	o->open++;
	list_append(&o->conns, &c->node);
	if (o->tls != NULL && !o->tunnels)
		conn_start_tls(&c->conn, o->tls, NULL, 10000);
	conn_watch(&c->conn, o->holds ? 0 : WATCH_READ);
	if (o->greeting != NULL)
		say(c, span_of(o->greeting));
	if (o->shuts)
		cut(c, false);
}

static const struct listener_events listener_events = { .accepted = on_accepted };

void origin_open(struct origin *o, struct loop *l, const char *address, const struct origin_line *lines, size_t n)
{
	const struct logger silent = { .log = NULL };
	char text[ADDRESS_TEXT_MAX];
	struct err e;

	*o = (struct origin){ .loop = l, .lines = lines, .line_count = n };
	list_init(&o->conns);
	o->listener = listener_open(l, span_of(address), &listener_events, o, &silent, &e);
	if (o->listener == NULL)
		fail_msg("%s", e.text);
	address_format(listener_address(o->listener), text);
	o->port = (unsigned)atoi(strrchr(text, ':') + 1);
}

void origin_cut_all(struct origin *o, bool reset)
{
	for (struct list *node; (node = list_first(&o->conns)) != NULL;)
		cut(list_entry(node, struct origin_conn, node), reset);
}

void origin_say(struct origin *o, const char *text)
{
	say(list_entry(o->conns.prev, struct origin_conn, node), span_of(text));
}

void origin_close(struct origin *o)
{
	listener_close(&o->listener);
	origin_cut_all(o, false);
	buf_free(&o->last);
	buf_free(&o->connect);
	tls_context_unref(&o->tls);
}

/* The scene */

void scene_init(struct scene *s, const struct origin_line *lines, size_t n)
{
	struct err e;

	*s = (struct scene){ .conf = { HTTP_CLIENT_DEFAULTS } };
	s->loop = loop_new(&e);
	s->resolver = resolver_new(s->loop, NULL);
	origin_open(&s->origin, s->loop, "127.0.0.1:0", lines, n);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", s->origin.port);
	assert_true(url_parse(span_of(s->url), &s->conf.origin, &e));
}

void scene_start(struct scene *s)
{
	const struct logger silent = { .log = NULL, .module = "http" };
	struct err e;

	s->client = http_client_new(s->loop, s->resolver, &s->conf, &silent, &e);
	if (s->client == NULL)
		fail_msg("%s", e.text);
}

void scene_end(struct scene *s)
{
	http_client_free(&s->client);
	origin_close(&s->origin);
	resolver_free(&s->resolver);
	timer_stop(loop_sched(s->loop), &s->patience);
	loop_free(&s->loop);
}

static void give_up(void *arg)
{
	const struct scene *s = arg;

	fail_msg("%u fetches have not ended", s->running);
}

void scene_run(struct scene *s)
{
	if (s->running == 0)
		return;
	timer_set_in(loop_sched(s->loop), &s->patience, 20000, give_up, s);
	loop_run(s->loop);
	timer_stop(loop_sched(s->loop), &s->patience);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

void scene_run_for(struct scene *s, msec_t ms)
{
	struct timer timer = { 0 };

	timer_set_in(loop_sched(s->loop), &timer, ms, stop, s->loop);
	loop_run(s->loop);
	timer_stop(loop_sched(s->loop), &timer);
}

void scene_run_until(struct scene *s, bool (*yes)(void *arg), void *arg)
{
	for (int i = 0; i < 2000; i++) {
		if (yes(arg))
			return;
		scene_run_for(s, 5);
	}
	fail_msg("it has not happened");
}

/* Fetches */

static void on_head(void *arg, const struct response_head *head)
{
	struct got *g = arg;

	assert_int_equal(g->ends, 0);
	g->heads++;
	g->status = head->status;
	snprintf(g->type, sizeof(g->type), "%.*s", SPAN_ARG(response_get(head, SPAN("Content-Type"))));
	if (g->cancel_at_head) {
		http_fetch_cancel(&g->fetch);
		if (--g->scene->running == 0)
			loop_stop(g->scene->loop);
	}
	if (g->pause_at_head)
		http_fetch_pause(&g->fetch, true);
}

static void on_body(void *arg, struct span bytes)
{
	struct got *g = arg;

	assert_int_equal(g->heads, 1);
	assert_int_equal(g->ends, 0);
	assert_true(bytes.n > 0);
	g->pieces++;
	if (g->cancel_at_piece) {
		http_fetch_cancel(&g->fetch);
		if (--g->scene->running == 0)
			loop_stop(g->scene->loop);
	}
	if (g->pause_at_piece)
		http_fetch_pause(&g->fetch, true);
	buf_add(&g->body, bytes); /* the span is good until we return, whatever was called */
}

static void on_ended(void *arg, enum fetch_end why, bool sent, const char *sentence)
{
	struct got *g = arg;

	assert_false(http_fetch_is_active(&g->fetch));
	g->ends++;
	g->why = why;
	g->sent = sent;
	snprintf(g->sentence, sizeof(g->sentence), "%s", sentence);
	if (g->again_at_end) {
		const struct http_fetch_request r = GET("/again");
		g->again_at_end = false;
		g->heads = g->ends = g->pieces = 0;
		buf_free(&g->body);
		http_fetch_start(&g->fetch, g->scene->client, &r, g->fetch.events, g);
		return;
	}
	if (--g->scene->running == 0)
		loop_stop(g->scene->loop);
}

static const struct http_fetch_events events = { on_head, on_body, on_ended };

void got_start(struct got *g, struct scene *s, const struct http_fetch_request *r)
{
	g->scene = s;
	s->running++;
	http_fetch_start(&g->fetch, s->client, r, &events, g);
	assert_int_equal(g->heads + g->pieces + g->ends, 0);
}

void got_get(struct got *g, struct scene *s, const char *target)
{
	const struct http_fetch_request r = { .method = SPAN("GET"), .target = span_of(target) };

	got_start(g, s, &r);
}

void got_clear(struct got *g)
{
	assert_false(http_fetch_is_active(&g->fetch));
	buf_free(&g->body);
	*g = (struct got){ 0 };
}

void got_expect(const struct got *g, enum fetch_end why, int status, const char *body)
{
	if (g->ends != 1 || g->why != why || g->status != status)
		fail_msg("%u ends, %s: %s, status %d", g->ends, fetch_end_name(g->why), g->sentence, g->status);
	if (body != NULL)
		assert_span_is(buf_span(&g->body), span_of(body));
}
