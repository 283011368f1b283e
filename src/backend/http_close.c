#include "backend/http_private.h"

#define FAST_MS 500 /* for the last words when there is no time */

/*
 * The end of a session. By the ladder: what we still have to say is said first (cancellations, for instance), then the
 * session is ended by a DELETE; within the time that `stop` allows, for nobody has to answer. One that fell because it
 * cannot be reached is left as it is.
 */

static void end_own(struct list *trips)
{
	struct list all;

	list_move_all(trips, &all);
	for (struct list *node; (node = list_take_first(&all)) != NULL;) {
		struct http_trip *t = list_entry(node, struct http_trip, node);
		if (t->role == TRIP_CALL || t->role == TRIP_NOTE || t->role == TRIP_BYE)
			list_append(trips, node);
		else
			http_trip_end(t);
	}
}

static bool has_notes(const struct http_backend *b)
{
	list_each (node, &b->trips)
		if (list_entry(node, struct http_trip, node)->role == TRIP_NOTE)
			return true;
	return !list_is_empty(&b->gated);
}

/* While draining, whoever cannot be reached any more for new requests may still finish those that it has. */
static bool waits_for_calls(const struct http_backend *b)
{
	return b->life.state == LIFE_STOPPING && b->life.last && !b->asked && b->way != HTTP_WAY_SSE &&
	       pending_count(&b->pending) > 0;
}

static void gone(void *arg)
{
	struct http_backend *b = arg;

	if (waits_for_calls(b))
		return;
	timer_stop(loop_sched(b->loop), &b->close_timer);
	if (b->bye != NULL)
		http_trip_end(b->bye);
	b->closing = b->bye_said = b->left_as_it_is = false;
	http_session_forget(b);
	http_asks_end(b);
	http_step(b, LIFE_EV_GONE);
	if (b->life.state == LIFE_ENDED)
		http_trips_end(b);
}

static void gone_soon(struct http_backend *b)
{
	post_set(loop_sched(b->loop), &b->gone_post, gone, b);
}

static void on_close_timer(void *arg)
{
	gone_soon(arg);
}

static void say_bye(struct http_backend *b)
{
	struct pieces nothing = { .n = 0 };

	b->bye_said = true;
	if (buf_size(&b->session.id) == 0 || b->way == HTTP_WAY_SSE) {
		gone_soon(b);
		return;
	}
	b->bye = http_trip_new(b, TRIP_BYE, &nothing);
	http_trip_start(b->bye);
}

void http_close_on(struct http_backend *b)
{
	if (!b->closing)
		return;
	if (b->left_as_it_is)
		gone_soon(b);
	else if (!b->bye_said && !has_notes(b))
		say_bye(b);
}

void http_bye_is_over(struct http_backend *b)
{
	gone_soon(b);
}

static msec_t time_for(const struct http_backend *b, enum http_close how)
{
	const struct backend_conf *conf = b->base.conf;
	msec_t whole = conf->stop_eof_ms + conf->stop_term_ms;

	if (whole > b->stop_most_ms)
		whole = b->stop_most_ms;
	return how == HTTP_CLOSE_FAST && whole > FAST_MS ? FAST_MS : whole;
}

void http_close(struct http_backend *b, enum http_close how)
{
	struct sched *sched = loop_sched(b->loop);
	bool first = !b->closing;

	b->closing = true;
	b->healing = false;
	if (first) {
		http_news_close(b, false);
		http_news_close(b, true);
		handshake_reset(&b->handshake);
		handshake_reset(&b->second);
		end_own(&b->trips);
		end_own(&b->gated);
	}
	if (how == HTTP_CLOSE_AT_ONCE) {
		b->left_as_it_is = true;
		gone_soon(b);
		return;
	}
	mono_t end = mono_add(http_now(b), time_for(b, how));
	if (!timer_is_set(&b->close_timer) || mono_diff(b->close_timer.at, end) > 0)
		timer_set(sched, &b->close_timer, end, on_close_timer, b);
	http_close_on(b);
}
