#include "backend/streamable_http.h"

#include <assert.h>
#include <stdlib.h>

#include "backend/http_private.h"
#include "base/mem.h"
#include "json/write.h"

#define COMPLAINTS_PER_S 10 /* lines in the log about what it sends */

static struct http_backend *http_of(struct backend *b)
{
	return (struct http_backend *)(void *)b;
}

void http_call_left(struct http_backend *b, struct backend_call *call, bool answered)
{
	pending_forget(&b->pending, call);
	life_call_ends(&b->life, http_now(b), answered);
	if (b->life.state == LIFE_READY && b->life.in_flight == 0 && !timer_is_set(&b->timer))
		http_arm(b, life_idle_at(&b->life));
}

static void start(struct backend *base)
{
	http_step(http_of(base), LIFE_EV_WANT);
}

/* One message that fits the limits always finds room in an empty queue. */
static bool is_full(const struct http_backend *b, const struct message *m)
{
	const struct backend_conf *conf = b->base.conf;

	return pending_count(&b->pending) >= conf->max_in_flight ||
	       (b->held_bytes > 0 && b->held_bytes + m->text.n > conf->max_message_bytes);
}

static void submit(struct backend *base, struct backend_call *call, const struct message *m, struct splice name)
{
	struct http_backend *b = http_of(base);

	assert(m->kind == MESSAGE_REQUEST && !list_is_linked(&call->node));
	if (life_refuses(&b->life)) {
		pending_end_later(&b->pending, call, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
		return;
	}
	if (is_full(b, m)) {
		pending_end_later(&b->pending, call, END_OVERLOADED, OUTCOME_NOT_SENT);
		return;
	}
	pending_add(&b->pending, call);
	call->link = b->link;
	call->wants_progress = span_is_set(m->progress_token);
	life_call_begins(&b->life, http_now(b));
	struct http_trip *t = http_trip_of_call(b, call, m, name);
	if (http_may_go(b, t)) {
		http_trip_go(t);
		return;
	}
	http_trip_hold(t);
	http_step(b, LIFE_EV_WANT);
}

static void send_cancelled(struct http_backend *b, uint64_t id, struct span reason)
{
	struct buf params = { 0 };
	struct json_writer w = json_writer(&params);

	json_open(&w, '{');
	json_member_int(&w, "requestId", (int64_t)id);
	if (json_type_of(reason) == JSON_STRING)
		json_member_raw(&w, "reason", reason);
	json_close(&w, '}');
	http_note(b, METHOD_CANCELLED, buf_span(&params));
	buf_free(&params);
}

/* In the modern revision the end of the stream is the word. */
static enum outcome cancel(struct backend *base, struct backend_call *call, struct span reason)
{
	struct http_backend *b = http_of(base);
	struct http_trip *t = call->trip;
	uint64_t id = call->id;

	if (!pending_is_in_flight(call)) { /* its end was due in this very turn */
		pending_forget(&b->pending, call);
		return call->outcome;
	}
	bool waits = t->held || (http_fetch_is_active(&t->fetch) && !http_fetch_was_sent(&t->fetch) && !t->resuming);
	bool modern = t->modern;
	http_trip_end(t);
	http_call_left(b, call, false);
	if (!waits && !modern && life_has_process(&b->life))
		send_cancelled(b, id, reason);
	http_close_on(b);
	return waits ? OUTCOME_NOT_SENT : OUTCOME_UNKNOWN;
}

/* A modern server hears all that it has to know with each request. */
static bool has_session(const struct http_backend *b)
{
	return b->life.state == LIFE_READY && !b->healing && (b->way != HTTP_WAY_MODERN || b->second_is_up);
}

static void tell(struct backend *base, enum method method, struct span params)
{
	struct http_backend *b = http_of(base);

	if (has_session(b))
		http_request(b, method, params, false);
}

static void notify(struct backend *base, uint64_t session, enum method method, struct span params)
{
	struct http_backend *b = http_of(base);

	if (session == b->link->session && has_session(b))
		http_note(b, method, params);
}

static void want_updates(
        struct backend *base, uint64_t session, enum wanted_kind kind, struct span text, bool wanted, bool say)
{
	struct http_backend *b = http_of(base);

	if (session == b->link->session)
		http_want_updates(b, kind, text, wanted, say);
}

static void answer(struct backend *base, uint64_t ask, const struct pieces *outcome)
{
	http_ask_answer(http_of(base), ask, outcome);
}

static void end_session(struct backend *base, uint64_t session)
{
	(void)base;
	(void)session;
}

static void stop(struct backend *base, enum backend_stop how)
{
	struct http_backend *b = http_of(base);

	b->asked = true;
	http_step(b, backend_stop_event(how));
	http_close_on(b);
}

static void no_more(struct backend *base)
{
	http_step(http_of(base), LIFE_EV_NO_MORE);
}

static void limit_stop(struct backend *base, msec_t eof_ms, msec_t term_ms)
{
	struct http_backend *b = http_of(base);

	if (eof_ms + term_ms < b->stop_most_ms)
		b->stop_most_ms = eof_ms + term_ms;
}

static bool has_header(const struct backend_conf *conf, struct span name)
{
	for (const char *const *h = conf->headers; h != NULL && h[0] != NULL; h += 2)
		if (span_eq_nocase(span_of(h[0]), name))
			return true;
	return false;
}

static void take_conf(struct http_backend *b, const struct backend_conf *conf)
{
	b->base.conf = conf;
	b->log.about = F_STR("backend", conf->name);
	b->has_agent = has_header(conf, SPAN("User-Agent"));
	b->life.conf = backend_life_conf(conf);
}

static void configure(struct backend *base, const struct backend_conf *conf)
{
	struct http_backend *b = http_of(base);

	take_conf(b, conf);
	b->handshake.page_limit_ms = conf->startup_timeout_ms;
	if (b->life.state == LIFE_READY)
		http_arm(b, life_idle_at(&b->life));
}

static void stats(const struct backend *base, struct backend_stats *stats)
{
	const struct http_backend *b = (const struct http_backend *)(const void *)base;

	*stats = (struct backend_stats){
		.state = life_shown(b->life.state),
		.in_flight = b->life.in_flight,
		.failures = b->life.failures,
		.starts = b->starts,
		.restarts = b->restarts,
		.dropped = b->dropped,
		.processes = buf_size(&b->session.id) > 0,
		.transport = b->way != HTTP_WAY_UNKNOWN ? http_way_name(b->way) : NULL,
		.last_error = b->standing.why[0] != '\0' ? b->standing.why : NULL,
	};
}

static void stop_timers(struct http_backend *b)
{
	struct sched *sched = loop_sched(b->loop);

	timer_stop(sched, &b->timer);
	timer_stop(sched, &b->close_timer);
	timer_stop(sched, &b->opening);
	timer_stop(sched, &b->changed_timer);
	timer_stop(sched, &b->news[0].timer);
	timer_stop(sched, &b->news[1].timer);
	standing_clear(&b->standing);
	post_cancel(&b->gone_post);
	post_cancel(&b->asks_post);
	post_cancel(&b->renew_post);
}

static void free_backend(struct backend *base)
{
	struct http_backend *b = http_of(base);

	assert(life_shown(b->life.state) == BACKEND_STOPPED);
	http_trips_end(b);
	stop_timers(b);
	handshake_clear(&b->handshake);
	handshake_clear(&b->second);
	open_asks_clear(&b->asks);
	wanted_clear(&b->wanted);
	pending_clear(&b->pending);
	buf_free(&b->session.id);
	buf_free(&b->endpoint);
	buf_free(&b->scratch);
	http_site_release(&b->site);
	loop_bury(b->loop, b, free);
}

static bool ends_are_due(const struct backend *base)
{
	const struct http_backend *b = (const struct http_backend *)(const void *)base;

	return !list_is_empty(&b->pending.ending);
}

static const struct backend_ops ops = {
	.start = start,
	.submit = submit,
	.cancel = cancel,
	.answer = answer,
	.end_session = end_session,
	.tell = tell,
	.notify = notify,
	.want_updates = want_updates,
	.stop = stop,
	.no_more = no_more,
	.limit_stop = limit_stop,
	.configure = configure,
	.stats = stats,
	.free = free_backend,
};

struct backend *streamable_http_new(struct http_sites *sites, const struct backend_conf *conf,
        const struct backend_events *events, void *arg, const struct logger *lg, uint64_t seed)
{
	struct http_backend *b = NEW(struct http_backend);
	struct loop *l = sites->loop;

	b->base = (struct backend){ .ops = &ops, .conf = conf, .events = events, .arg = arg };
	b->link = &b->own_link;
	b->loop = l;
	b->site = http_site_of(sites, conf, lg);
	b->log = *lg;
	b->random = seed;
	b->stop_most_ms = INT32_MAX;
	b->session.revision = REVISION_NONE;
	life_init(&b->life, &(struct life_conf){ 0 });
	standing_init(&b->standing, &b->base, &b->life, loop_sched(l), &b->log, ends_are_due);
	take_conf(b, conf);
	handshake_init(&b->handshake, conf->max_message_bytes, conf->startup_timeout_ms, &http_handshake_port, b);
	handshake_init(&b->second, conf->max_message_bytes, conf->startup_timeout_ms, &http_second_port, b);
	b->second.without_lists = true;
	b->handshake.declares = b->second.declares = backend_shared_capabilities(conf);
	pending_init(&b->pending, loop_sched(l));
	list_init(&b->trips);
	list_init(&b->held);
	list_init(&b->gated);
	open_asks_init(&b->asks);
	wanted_init(&b->wanted);
	http_news_init(b);
	rate_init(&b->complaints, COMPLAINTS_PER_S, loop_now(l));
	return &b->base;
}

void streamable_http_dedicate(struct backend *base, const struct backend_for *whom)
{
	struct http_backend *b = http_of(base);

	assert(b->life.state == LIFE_STOPPED);
	b->link = whom->link;
	b->handshake.declares = b->second.declares = whom->capabilities;
	b->handshake.without_lists = whom->without_lists;
}

bool streamable_http_stands_alone(const struct backend *base, const struct backend_client *client)
{
	const struct http_backend *b = (const struct http_backend *)(const void *)base;

	return b->way == HTTP_WAY_MODERN && (b->site->modern_only || revision_is_modern(client->revision));
}
