#include <assert.h>
#include <stdio.h>

#include "base/duration.h"
#include "http/grammar.h"
#include "net/http_client_private.h"

#define X(name) [FETCH_##name] = #name,
static const char *const end_names[] = { FETCH_ENDS(X) };
#undef X

const char *fetch_end_name(enum fetch_end why)
{
	return end_names[why];
}

/* Deadlines */

static mono_t in(const struct http_fetch *f, msec_t ms)
{
	return ms > 0 ? mono_add(loop_now(f->client->loop), ms) : MONO_NEVER;
}

static void timer_rang(void *arg);

static void arm(struct http_fetch *f)
{
	mono_t at = mono_min(f->deadline, f->total);
	bool sooner = !timer_is_set(&f->timer) || at.ms < f->timer.at.ms;

	if (sooner)
		timer_set(loop_sched(f->client->loop), &f->timer, at, timer_rang, f);
}

static void set_deadline(struct http_fetch *f, msec_t ms)
{
	f->deadline = in(f, ms);
	arm(f);
}

/* The connection, if there is one, is in the middle of something. */
static void leave(struct http_fetch *f)
{
	struct http_client *c = f->client;
	struct http_client_conn *l = f->conn;

	http_fetch_drop(f);
	if (l == NULL)
		return;
	l->fetch = NULL;
	http_client_conn_happens(l, LINK_CLOSE);
	http_client_serve(c);
}

static void time_out(struct http_fetch *f, const char *what)
{
	struct duration_text waited = duration_text(mono_diff(loop_now(f->client->loop), f->started_at));
	char sentence[128];

	snprintf(sentence, sizeof(sentence), "%s (%s after the request began)", what, waited.text);
	leave(f);
	f->events->ended(f->arg, FETCH_TIMEOUT, f->sent, sentence);
}

static void timer_rang(void *arg)
{
	struct http_fetch *f = arg;
	mono_t now = loop_now(f->client->loop);

	if (mono_past(f->total, now))
		time_out(f, "the answer was not whole in time");
	else if (!mono_past(f->deadline, now))
		arm(f);
	else if (f->conn == NULL)
		time_out(f, "no connection was free or could be made in time");
	else if (!f->conn->has_head)
		time_out(f, "the server did not begin to answer in time");
	else
		time_out(f, "nothing more came of the answer for too long");
}

/* The end */

void http_fetch_drop(struct http_fetch *f)
{
	http_client_wait_no_more(f->client, f);
	timer_stop(loop_sched(f->client->loop), &f->timer);
	post_cancel(&f->post);
	buf_free(&f->request);
	f->conn = NULL;
	f->active = false;
}

void http_fetch_end(struct http_fetch *f, enum fetch_end why, const char *sentence)
{
	http_fetch_drop(f);
	f->events->ended(f->arg, why, f->sent, sentence);
}

void http_fetch_unreachable(void *arg)
{
	struct http_fetch *f = arg;

	http_fetch_end(f, FETCH_UNREACHABLE, f->client->sentence);
}

/* Of a kept connection one cannot know that the server has just closed it, so a request that cannot have been seen is
 * sent again, and one that may be seen twice too; once, and on a connection of which we know better. */
static bool may_try_again(const struct http_fetch *f, const struct http_client_conn *l)
{
	if (l->why != FETCH_LOST || f->retried || l->begun)
		return false;
	return !f->sent || (f->idempotent && l->used);
}

void http_fetch_lost(struct http_fetch *f, struct http_client_conn *l)
{
	struct http_client *c = f->client;

	f->conn = NULL;
	if (may_try_again(f, l)) {
		f->retried = true;
		c->retried++;
		http_client_suspect(c);
		http_client_wait(c, f, true);
		set_deadline(f, f->connect_timeout_ms);
		http_client_serve(c);
		return;
	}
	http_client_serve(c);
	http_fetch_end(f, l->why, l->sentence);
}

void http_fetch_cancel(struct http_fetch *f)
{
	if (f->active)
		leave(f);
}

/* The answer */

void http_fetch_got_head(struct http_fetch *f)
{
	buf_free(&f->request);
	f->head_at = loop_now(f->client->loop);
	set_deadline(f, f->paused ? 0 : f->idle_timeout_ms);
}

void http_fetch_got_some(struct http_fetch *f)
{
	if (!f->paused)
		set_deadline(f, f->idle_timeout_ms);
}

/* What was kept comes first, so the socket is not looked at before. */
static void resume(void *arg)
{
	struct http_client_conn *l = arg;

	if (l->state == LINK_BUSY)
		http_client_read_kept(l);
}

void http_fetch_pause(struct http_fetch *f, bool on)
{
	struct http_client_conn *l = f->conn;

	if (!f->active || f->paused == on)
		return;
	f->paused = on;
	if (l == NULL)
		return;
	if (l->has_head)
		set_deadline(f, on ? 0 : f->idle_timeout_ms);
	if (on)
		http_client_conn_pause(l);
	else
		post_set(loop_sched(f->client->loop), &l->again, resume, l);
}

void http_fetch_extend(struct http_fetch *f, msec_t total_timeout_ms)
{
	if (!f->active)
		return;
	f->total = in(f, total_timeout_ms);
	arm(f);
}

/* The request */

/* Only when nothing at all was taken is it known that nobody has seen it. Under TLS what is queued is longer than it.
 */
void http_fetch_sent(struct http_fetch *f, struct http_client_conn *l)
{
	const struct span request = buf_span(&f->request);

	f->conn = l;
	f->sent_at = loop_now(f->client->loop);
	conn_send(&l->conn, &request, 1);
	f->sent |= l->conn.blocked || conn_queued(&l->conn) < request.n;
	if (f->sent && !f->idempotent)
		buf_free(&f->request);
	set_deadline(f, f->first_timeout_ms);
}

static bool is_valid(const struct http_fetch_request *r)
{
	if (r->method.n == 0 || !span_is(r->method, CHAR_TOKEN))
		return false;
	if (!span_starts(r->target, SPAN("/")) || !span_is(r->target, CHAR_TARGET))
		return false;
	for (size_t i = 0; i < r->field_count; i++)
		if (r->fields[i].name.n == 0 || !span_is(r->fields[i].name, CHAR_TOKEN) ||
		        !span_is(r->fields[i].value, CHAR_VALUE))
			return false;
	return true;
}

static size_t body_size(const struct http_fetch_request *r)
{
	size_t size = 0;

	for (size_t i = 0; i < r->body_parts; i++)
		size += r->body[i].n;
	return size;
}

/* Enough for all of it but a few digits: so that it is copied once. */
static size_t guess_size(const struct http_client *c, const struct http_fetch_request *r)
{
	size_t size = r->method.n + r->target.n + c->absolute.n + c->line.n + 64;

	for (size_t i = 0; i < r->field_count; i++)
		size += r->fields[i].name.n + r->fields[i].value.n + 4;
	return size + body_size(r);
}

static void put_fields(struct buf *out, const struct http_fetch_request *r)
{
	for (size_t i = 0; i < r->field_count; i++) {
		if (!span_is_set(r->fields[i].value))
			continue;
		buf_add(out, r->fields[i].name);
		buf_add(out, SPAN(": "));
		buf_add(out, r->fields[i].value);
		buf_add(out, SPAN("\r\n"));
	}
}

/* RFC 9110, 8.6: a method that means to have a body says so when it has none. */
static bool says_length(const struct http_fetch_request *r)
{
	return r->body_parts > 0 || span_eq(r->method, SPAN("POST")) || span_eq(r->method, SPAN("PUT"));
}

static void put_request(struct buf *out, const struct http_client *c, const struct http_fetch_request *r)
{
	buf_reserve(out, guess_size(c, r));
	buf_add(out, r->method);
	buf_add_char(out, ' ');
	buf_add(out, c->absolute);
	buf_add(out, r->target);
	buf_add(out, c->line);
	put_fields(out, r);
	if (says_length(r)) {
		buf_add(out, SPAN("Content-Length: "));
		buf_add_u64(out, body_size(r));
		buf_add(out, SPAN("\r\n"));
	}
	buf_add(out, SPAN("\r\n"));
	for (size_t i = 0; i < r->body_parts; i++)
		buf_add(out, r->body[i]);
}

static void end_invalid(void *arg)
{
	http_fetch_end(arg, FETCH_INVALID, "the request has a method, a target or a field that HTTP cannot carry");
}

static void end_overloaded(void *arg)
{
	http_fetch_end(arg, FETCH_OVERLOADED, "too many requests wait for a connection");
}

static void begin(struct http_fetch *f, struct http_client *c, const struct http_fetch_request *r)
{
	*f = (struct http_fetch){ .client = c,
		.events = f->events,
		.arg = f->arg,
		.deadline = MONO_NEVER,
		.total = MONO_NEVER,
		.connect_timeout_ms = r->connect_timeout_ms,
		.first_timeout_ms = r->first_timeout_ms,
		.idle_timeout_ms = r->idle_timeout_ms,
		.started_at = loop_now(c->loop),
		.active = true,
		.idempotent = r->idempotent,
		.is_head = span_eq(r->method, SPAN("HEAD")) };
	c->fetches++;
}

void http_fetch_start(struct http_fetch *f, struct http_client *c, const struct http_fetch_request *r,
        const struct http_fetch_events *events, void *arg)
{
	bool valid = is_valid(r);

	assert(!f->active);
	f->events = events;
	f->arg = arg;
	begin(f, c, r);
	if (!valid || c->waiting_count >= c->conf.max_waiting) {
		list_append(&c->refused, &f->node);
		if (valid)
			post_set(loop_sched(c->loop), &f->post, end_overloaded, f);
		else
			post_set(loop_sched(c->loop), &f->post, end_invalid, f);
		return;
	}
	put_request(&f->request, c, r);
	f->total = in(f, r->total_timeout_ms);
	set_deadline(f, f->connect_timeout_ms);
	http_client_wait(c, f, false);
	http_client_serve(c);
}
