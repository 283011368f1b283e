#include "net/http_conn.h"

#include <unistd.h>

#include "base/mem.h"

#define STEPS_PER_TURN 64
#define AHEAD_MAX 16384 /* bytes read ahead of an answer that is pending */
#define BODY_READ_MAX (256 * 1024)
#define FRESH_MS 250 /* while closing: how long a connection may take to send what it was opened for */
#define HALF_MS 1000 /* ... and to complete a request or a TLS handshake that has begun */

static void pump(struct http_conn *c, struct span fresh);
static void settle(struct http_conn *c);

static void pump_again(void *arg)
{
	pump(arg, SPAN(""));
}

void http_conn_look_again(struct http_conn *c)
{
	post_set(loop_sched(c->conn.loop), &c->again, pump_again, c);
}

/* The end of a connection */

static void destroy(void *object)
{
	free(object);
}

static void count_buffers(struct http_conn *c)
{
	size_t now = buf_size(&c->in) + buf_size(&c->body);

	c->server->buffered += now - c->counted;
	c->counted = now;
}

/* The descriptor is closed. An exchange that its handler still holds keeps the memory. */
static void detach(struct http_conn *c)
{
	timer_stop(loop_sched(c->conn.loop), &c->timer);
	buf_free(&c->in);
	buf_free(&c->body);
	count_buffers(c);
	http_server_conn_ended(c->server, c);
	c->server = NULL;
	if (!c->exchange.active)
		loop_bury(c->conn.loop, c, destroy);
}

/* Without a server it was detached already, and only the exchange kept it. */
void http_conn_release(struct http_conn *c)
{
	c->exchange.active = false;
	if (c->server == NULL)
		loop_bury(c->conn.loop, c, destroy);
}

static void over(struct http_conn *c)
{
	c->stage = STAGE_OVER;
	c->deadline = MONO_NEVER;
	post_cancel(&c->again);
}

/* Tells the exchange that its client has gone; from events only, never from inside a call of the handler's. */
static void tell_gone(struct http_conn *c)
{
	struct http_exchange *ex = &c->exchange;

	over(c);
	if (!ex->active)
		return;
	ex->lost = ex->gone == NULL;
	ex->active = ex->lost;
	if (!ex->lost)
		ex->gone(ex->gone_arg);
}

void http_conn_close(struct http_conn *c)
{
	tell_gone(c);
	conn_close(&c->conn);
	detach(c);
}

/* No more requests: what is queued is sent, then the connection ends in order. */
static void end(struct http_conn *c)
{
	over(c);
	if (c->server->pumping != c) {
		buf_free(&c->in);
		buf_free(&c->body);
		count_buffers(c);
	}
	conn_finish(&c->conn);
}

/* Deadlines */

static void deadline_came(void *arg);

void http_conn_set_deadline(struct http_conn *c, mono_t at)
{
	bool sooner = !timer_is_set(&c->timer) || at.ms < c->timer.at.ms;

	c->deadline = at;
	if (sooner)
		timer_set(loop_sched(c->conn.loop), &c->timer, at, deadline_came, c);
}

static enum conn_io read_some(struct http_conn *c, struct span *fresh);

/* Closes a connection between two requests, unless the next one has come meanwhile: that is answered first. */
static void close_idle(struct http_conn *c)
{
	struct span fresh;

	if (read_some(c, &fresh) == CONN_OK) {
		pump(c, fresh);
		return;
	}
	conn_say_end(&c->conn);
	http_conn_close(c);
}

static void deadline_came(void *arg)
{
	struct http_conn *c = arg;

	if (!mono_past(c->deadline, loop_now(c->conn.loop)))
		http_conn_set_deadline(c, c->deadline);
	else if (c->stage == STAGE_BODY)
		http_request_refuse(c, 408, "the request's body did not come in time");
	else if (c->begun)
		http_request_refuse(c, 408, "the request's head did not come in time");
	else if (conn_queued(&c->conn) > 0)
		http_conn_set_deadline(
		        c, http_conn_in(c, c->server->conf.idle_timeout_ms)); /* the write timeout is in charge */
	else
		close_idle(c);
}

/* Reading */

/* Works on what was kept and what has come: in place if nothing was kept. */
static void pump(struct http_conn *c, struct span fresh)
{
	struct http_server *s = c->server;
	bool kept = buf_size(&c->in) > 0;
	int steps = 0;

	if (kept)
		buf_add(&c->in, fresh);
	s->rest = kept ? buf_span(&c->in) : fresh;
	s->pumping = c;
	while (steps < STEPS_PER_TURN && http_request_step(c))
		steps++;
	s->pumping = NULL;
	if (kept)
		buf_take(&c->in, buf_size(&c->in) - s->rest.n);
	else
		buf_add(&c->in, s->rest);
	if (c->stage == STAGE_OVER)
		buf_free(&c->body);
	else if (steps == STEPS_PER_TURN)
		http_conn_look_again(c);
	settle(c);
}

void http_conn_answered(struct http_conn *c)
{
	struct http_server *s = c->server;

	c->exchange.active = false;
	if (c->exchange.closing || (s->closing && http_request_is_last(c))) {
		end(c);
		return;
	}
	c->stage = STAGE_HEAD;
	http_conn_set_deadline(c, http_conn_in(c, s->closing ? FRESH_MS : s->conf.idle_timeout_ms));
	if (s->pumping != c && (buf_size(&c->in) > 0 || c->conn.ended || c->hung_up))
		http_conn_look_again(c);
}

/* Waiting for the client */

static unsigned wanted_events(const struct http_conn *c)
{
	if (c->conn.ended)
		return WATCH_RESET;
	if (!http_conn_is_our_turn(c) || buf_size(&c->in) < AHEAD_MAX)
		return WATCH_READ;
	return c->hung_up ? WATCH_RESET : WATCH_HANGUP;
}

static void tell_half_closed(struct http_conn *c)
{
	struct http_exchange *ex = &c->exchange;
	void (*half_closed)(void *) = ex->half_closed;

	ex->half_closed = NULL;
	if (half_closed != NULL)
		half_closed(ex->half_closed_arg);
}

/* Ends each event: what to wait for now. A client that has closed its half may still read (RFC 9112, 9.6): it gets the
 * answers that it waits for, unless it is known to have left by that. */
static void settle(struct http_conn *c)
{
	count_buffers(c);
	if (c->stage == STAGE_OVER || list_is_linked(&c->again.node))
		return;
	if (c->stage == STAGE_BODY && !http_server_has_room(c->server, 0)) {
		http_request_refuse(
		        c, 503, "too much is waiting here"); /* what a head announces is not set aside for it */
		return;
	}
	if (c->stage == STAGE_BUSY && c->exchange.heeds_fin && (c->conn.ended || c->hung_up)) {
		http_conn_close(c);
		return;
	}
	if (c->stage == STAGE_BUSY && (c->conn.ended || c->hung_up))
		tell_half_closed(c);
	if (c->stage == STAGE_OVER)
		return;
	if (c->conn.ended && !http_conn_is_our_turn(c)) {
		end(c);
		return;
	}
	if (c->stage == STAGE_HEAD && !c->begun && buf_size(&c->in) > 0 && !http_conn_is_our_turn(c)) {
		c->begun = true;
		http_conn_set_deadline(c, http_conn_in(c, c->server->conf.header_timeout_ms));
	}
	conn_watch(&c->conn, wanted_events(c));
}

/* A long body goes where it will stay, all else where it may be parsed in place. */
static enum conn_io read_some(struct http_conn *c, struct span *fresh)
{
	struct http_server *s = c->server;
	size_t kept = buf_size(&c->in), room = SCRATCH_BYTES, n = 0;
	enum conn_io io;

	*fresh = SPAN("");
	if (c->stage == STAGE_BODY && c->need > 0) {
		room = c->need - kept < BODY_READ_MAX ? c->need - kept : BODY_READ_MAX;
		io = conn_read(&c->conn, buf_reserve(&c->in, room), room, &n);
		buf_added(&c->in, n);
		return io;
	}
	if (http_conn_is_our_turn(c))
		room = kept < AHEAD_MAX ? AHEAD_MAX - kept : 0;
	if (room == 0)
		return CONN_BLOCKED;
	io = conn_read(&c->conn, s->scratch, room, &n);
	*fresh = (struct span){ s->scratch, n };
	return io;
}

static void conn_readable(void *arg)
{
	struct http_conn *c = arg;
	struct span fresh;

	switch (read_some(c, &fresh)) {
	case CONN_BLOCKED:
		break;
	case CONN_END:
		settle(c);
		break;
	case CONN_FAILED:
		http_conn_close(c);
		break;
	case CONN_OK:
		pump(c, fresh);
		break;
	}
}

static void conn_hung_up(void *arg)
{
	struct http_conn *c = arg;

	c->hung_up = true;
	settle(c);
}

/* Pipelined requests may have waited for that, or the client's end behind them. */
static void conn_sent(void *arg)
{
	struct http_conn *c = arg;

	if (c->stage == STAGE_HEAD && buf_size(&c->in) > 0)
		pump(c, SPAN(""));
	else
		settle(c);
}

static void conn_lost(void *arg)
{
	struct http_conn *c = arg;
	const char *why = conn_error(&c->conn);

	if (why[0] != '\0')
		http_server_tls_failed(c->server, c->peer, why);
	tell_gone(c);
}

/* While closing a client has as long to send its request as over a plain connection. */
static void conn_secured(void *arg)
{
	struct http_conn *c = arg;

	if (c->server->closing && c->stage == STAGE_HEAD)
		http_conn_set_deadline(c, http_conn_in(c, FRESH_MS));
}

static void conn_closed(void *arg)
{
	detach(arg);
}

static const struct conn_events events = {
	.readable = conn_readable,
	.hung_up = conn_hung_up,
	.sent = conn_sent,
	.lost = conn_lost,
	.closed = conn_closed,
	.secured = conn_secured,
};

/* Beginning, and winding down */

static msec_t first_timeout_ms(const struct http_conn *c)
{
	if (!c->server->closing)
		return c->server->conf.idle_timeout_ms;
	return conn_is_securing(&c->conn) ? HALF_MS : FRESH_MS;
}

static void start_tls(struct http_conn *c)
{
	conn_start_tls(&c->conn, c->server->tls, NULL, c->server->conf.header_timeout_ms);
	conn_answer_plain(&c->conn, http_answer_plain());
}

void http_conn_accept(struct http_server *s, int fd, const struct address *peer, bool refused)
{
	struct http_conn *c = NEW(struct http_conn);

	if (!conn_open(&c->conn, s->loop, fd, &events, c, s->conf.write_timeout_ms, &s->queued)) {
		close(fd);
		free(c);
		return;
	}
	c->server = s;
	c->refused = refused;
	c->deadline = MONO_NEVER;
	address_format(peer, c->peer);
	http_server_conn_began(s, c);
	if (s->tls != NULL)
		start_tls(c);
	if (refused) {
		const struct span answer = http_answer_overloaded();
		conn_watch(&c->conn, WATCH_READ);
		conn_send(&c->conn, &answer, 1);
		end(c);
		return;
	}
	http_conn_set_deadline(c, http_conn_in(c, first_timeout_ms(c)));
	conn_watch(&c->conn, WATCH_READ);
}

void http_conn_end_rest(struct http_conn *c)
{
	bool rests = c->used && c->stage == STAGE_HEAD && !c->begun && buf_size(&c->in) == 0;

	if (rests && conn_queued(&c->conn) == 0)
		close_idle(c);
}

void http_conn_wind_down(struct http_conn *c)
{
	if (c->stage == STAGE_BODY || (c->stage == STAGE_HEAD && c->begun))
		http_conn_set_deadline(c, mono_min(c->deadline, http_conn_in(c, HALF_MS)));
	else if (c->stage != STAGE_HEAD || conn_queued(&c->conn) > 0)
		return;
	else if (c->used)
		close_idle(c);
	else
		http_conn_set_deadline(c, http_conn_in(c, first_timeout_ms(c)));
}

bool http_conn_owes(const struct http_conn *c)
{
	return c->conn.owes && conn_queued(&c->conn) > 0 && !c->exchange.forever;
}
