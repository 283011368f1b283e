#include "backend/http_private.h"

/*
 * Streams for what belongs to no call. A legacy server may offer one by GET, a modern one has subscriptions/listen.
 * They end and are opened again, for as long as the server is up; one that is refused for good is not asked for again.
 */

static struct http_news *news_of(struct http_backend *b, bool modern)
{
	return &b->news[modern];
}

void http_news_init(struct http_backend *b)
{
	for (int i = 0; i < 2; i++)
		b->news[i] = (struct http_news){ .b = b, .modern = i == 1 };
}

static struct http_trip *make_listen(struct http_backend *b)
{
	struct buf params = { 0 };

	wanted_put_listen(&params, &b->handshake.hello, !b->handshake.without_lists, &b->wanted);
	struct http_trip *t = http_own(b, TRIP_NEWS, METHOD_LISTEN, buf_span(&params), true);
	buf_free(&params);
	wanted_listening(&b->wanted, &b->handshake.hello, t->id);
	if (!b->handshake.hello.tasks_extension)
		wanted_refuse(&b->wanted, WANTED_TASK, http_said, b);
	return t;
}

static struct http_trip *make_get(struct http_news *n)
{
	struct pieces nothing = { .n = 0 };
	struct http_trip *t = http_trip_new(n->b, TRIP_NEWS, &nothing);

	if (buf_size(&n->last_id) > 0)
		buf_add(&t->sse.id, buf_span(&n->last_id));
	return t;
}

static void open_now(void *arg)
{
	struct http_news *n = arg;

	n->trip = n->modern ? make_listen(n->b) : make_get(n);
	http_trip_go(n->trip);
}

static bool wants_anything(const struct http_backend *b)
{
	wanted_each(thing, &b->wanted) if (http_wants_by_listening(b, thing->kind)) return true;
	return false;
}

/* Anew: for another session, or a server that has come back. */
void http_news_open(struct http_backend *b, bool modern)
{
	struct http_news *n = news_of(b, modern);

	if (b->way == HTTP_WAY_SSE || n->trip != NULL || b->life.state != LIFE_READY)
		return;
	if (modern && b->handshake.without_lists && !wants_anything(b))
		return; /* there is nothing to hear */
	n->none = false;
	n->failures = 0;
	open_now(n);
}

static void opened(void *arg)
{
	struct http_backend *b = arg;

	if (!timer_is_set(&b->opening))
		return;
	timer_stop(loop_sched(b->loop), &b->opening);
	http_release(b);
}

static void opens_late(void *arg)
{
	http_release(arg);
}

/*
 * What a server tells or asks on the stream of a session is lost when nobody has opened it, and many servers ask there
 * in the midst of a call. So the first calls of a session wait for the answer to the GET, which may be that there is no
 * such stream.
 */
void http_news_hold(struct http_backend *b)
{
	timer_set_in(loop_sched(b->loop), &b->opening, HTTP_OPENING_MS, opens_late, b);
}

void http_news_open_first(struct http_backend *b)
{
	http_news_open(b, false);
	if (news_of(b, false)->trip == NULL)
		opened(b);
}

void http_news_close(struct http_backend *b, bool modern)
{
	struct http_news *n = news_of(b, modern);

	if (!modern)
		timer_stop(loop_sched(b->loop), &b->opening);
	timer_stop(loop_sched(b->loop), &n->timer);
	if (n->trip != NULL)
		http_trip_end(n->trip);
	if (n->old != NULL)
		http_trip_end(n->old);
	buf_free(&n->last_id);
	n->retry_ms = 0;
}

/* The old stream goes when the new one is acknowledged, so that nothing is missed between the two. */
void http_news_renew(struct http_backend *b)
{
	struct http_news *n = news_of(b, true);

	timer_stop(loop_sched(b->loop), &n->timer);
	if (n->trip != NULL && n->old != NULL) {
		http_trip_end(n->trip); /* not acknowledged yet */
	} else {
		n->old = n->trip;
		n->trip = NULL;
	}
	http_news_open(b, true);
	if (n->trip == NULL && n->old != NULL)
		http_trip_end(n->old);
}

void http_news_acknowledged(struct http_trip *t, const struct message *m)
{
	struct http_news *n = news_of(t->b, t->modern);

	if (n->trip != t)
		return;
	if (n->old != NULL)
		http_trip_end(n->old);
	wanted_acknowledged(&t->b->wanted, t->id, m->params, http_said, t->b);
}

void http_news_head(struct http_trip *t)
{
	struct http_news *n = news_of(t->b, t->modern);

	if (t->status / 100 == 2)
		n->failures = 0;
	if (!t->modern)
		opened(t->b);
}

/* 405 is the answer of a server that has none; the others say that asking again is of no use (D2, D3). */
static bool is_refused(const struct http_trip *t, enum fetch_end why)
{
	return why == FETCH_DONE && t->status >= 400 && t->status < 500 && t->status != 408 && t->status != 409 &&
	       t->status != 429;
}

static msec_t wait_ms(struct http_news *n)
{
	msec_t wait = n->retry_ms > 0 ? (msec_t)n->retry_ms : HTTP_RETRY_MS;

	for (unsigned i = 1; i < n->failures && wait < HTTP_RETRY_MOST_MS; i++)
		wait *= 2;
	return wait < HTTP_RETRY_MOST_MS ? wait : HTTP_RETRY_MOST_MS;
}

static void remember_place(struct http_news *n, struct http_trip *t)
{
	if (t->sse.retry_ms > 0)
		n->retry_ms = t->sse.retry_ms;
	buf_reset(&n->last_id);
	buf_add(&n->last_id, buf_span(&t->sse.id));
}

void http_news_over(struct http_trip *t, enum fetch_end why)
{
	struct http_backend *b = t->b;
	struct http_news *n = news_of(b, t->modern);
	bool lost = !t->modern && why == FETCH_DONE && t->status == 404 && buf_size(&b->session.id) > 0 &&
	            t->session == b->session.serial;

	if (t != n->trip) {
		http_trip_end(t);
		return;
	}
	if (!t->modern)
		opened(b);
	remember_place(n, t);
	/* A modern server that does not answer the listen, but says no in the body, has no news either. */
	n->none = is_refused(t, why) || (t->modern && why == FETCH_DONE && t->body == BODY_JSON && t->answered);
	n->failures++;
	if (n->none && t->modern)
		wanted_answered(&b->wanted, t->id, false, http_said, b);
	http_trip_end(t);
	if (b->life.state != LIFE_READY || b->healing)
		return;
	if (lost)
		http_session_lost(b);
	else if (!n->none)
		timer_set_in(loop_sched(b->loop), &n->timer, wait_ms(n), open_now, n);
}
