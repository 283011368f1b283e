
#include "backend/http_private.h"

/* --- calls that end with it --- */

static void call_ended_later(
        struct http_backend *b, struct backend_call *call, enum end_reason why, enum outcome outcome)
{
	if (call->trip != NULL)
		http_trip_end(call->trip);
	http_call_left(b, call, false);
	pending_end_later(&b->pending, call, why, outcome);
}

static bool was_sent(const struct http_trip *t)
{
	return !http_fetch_is_active(&t->fetch) || http_fetch_was_sent(&t->fetch);
}

/*
 * An HTTP server that cannot be reached for new requests may well go on with those that it has: their streams say how
 * they end. Only when we end ourselves, or when the one stream of HTTP+SSE is gone, nothing can come any more.
 */
static void fail_sent(struct http_backend *b)
{
	if (b->life.state != LIFE_ENDED && b->way != HTTP_WAY_SSE)
		return;
	list_each (node, &b->pending.calls) {
		struct backend_call *call = list_entry(node, struct backend_call, node);
		if (call->trip == NULL || call->trip->held)
			continue;
		if (was_sent(call->trip))
			call_ended_later(b, call, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
		else if (b->life.state == LIFE_ENDED)
			call_ended_later(b, call, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
		else {
			http_fetch_cancel(&call->trip->fetch);
			http_trip_hold(call->trip);
		}
	}
}

static void fail_queued(struct http_backend *b)
{
	list_each (node, &b->pending.calls) {
		struct backend_call *call = list_entry(node, struct backend_call, node);
		if (call->trip != NULL && call->trip->held)
			call_ended_later(b, call, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	}
}

/* --- its life --- */

static void timer_fired(void *arg)
{
	struct http_backend *b = arg;

	if (b->life.state == LIFE_STARTING)
		standing_explain(&b->standing, "not ready within %lld ms", (long long)b->life.conf.startup_timeout_ms);
	http_step(b, LIFE_EV_TIME);
}

void http_arm(struct http_backend *b, mono_t at)
{
	timer_set(loop_sched(b->loop), &b->timer, at, timer_fired, b);
}

static void state_changed(struct http_backend *b, enum life_state from, enum life_event event)
{
	if (b->life.state == LIFE_FALLING || b->life.state == LIFE_BACKOFF)
		b->fell = true;
	standing_changed(&b->standing, from, event);
}

/* How the session is to be ended, now that there is one to be ended. */
static enum http_close how_to_close(unsigned todo)
{
	if (todo & LIFE_DO_LADDER)
		return HTTP_CLOSE_LADDER;
	return todo & LIFE_DO_FAST ? HTTP_CLOSE_FAST : HTTP_CLOSE_AT_ONCE;
}

static bool is_leaving(const struct http_backend *b)
{
	return life_has_process(&b->life) && !http_is_talking(b);
}

void http_step(struct http_backend *b, enum life_event event)
{
	enum life_state from = b->life.state;
	struct life_step step = life_on(&b->life, event, http_now(b), life_random(&b->random));
	unsigned todo = step.actions;
	bool closes = todo & (LIFE_DO_LADDER | LIFE_DO_FAST | LIFE_DO_KILL);

	if (b->life.state != from)
		state_changed(b, from, event);
	if (todo & LIFE_DO_DISARM)
		timer_stop(loop_sched(b->loop), &b->timer);
	if (todo & (LIFE_DO_ARM_STARTUP | LIFE_DO_ARM_BACKOFF | LIFE_DO_ARM_IDLE))
		http_arm(b, step.at);
	if (todo & LIFE_DO_FAIL_SENT)
		fail_sent(b);
	if (todo & LIFE_DO_FAIL_QUEUED)
		fail_queued(b);
	if (todo & LIFE_DO_FLUSH)
		http_release(b);
	if (is_leaving(b) && (closes || !b->closing))
		http_close(b, how_to_close(todo));
	if (todo & LIFE_DO_SPAWN)
		http_begin(b);
}
