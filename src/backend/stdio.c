#include "backend/stdio.h"

#include <assert.h>
#include <stdlib.h>

#include "backend/stdio_private.h"
#include "base/mem.h"

#define OUTPUT_MS 500       /* the rest of stdout, when a descendant holds it open after the exit */
#define COMPLAINTS_PER_S 10 /* lines in the log about what it writes */

static struct stdio *stdio_of(struct backend *b)
{
	return (struct stdio *)(void *)b;
}

void stdio_call_left(struct stdio *s, struct backend_call *call, bool answered)
{
	if (call->unsent != NULL)
		outbox_remove(&s->outbox, call->unsent);
	pending_forget(&s->pending, call);
	life_call_ends(&s->life, stdio_now(s), answered);
	if (s->life.state == LIFE_READY && s->life.in_flight == 0 && !timer_is_set(&s->timer))
		stdio_arm(s, life_idle_at(&s->life));
}

static void start(struct backend *b)
{
	stdio_step(stdio_of(b), LIFE_EV_WANT);
}

/* One message that fits the limits always finds room in an empty queue. */
static bool is_full(const struct stdio *s, const struct message *m)
{
	const struct backend_conf *conf = s->base.conf;

	return pending_count(&s->pending) >= conf->max_in_flight ||
	       (s->outbox.call_bytes > 0 && s->outbox.call_bytes + m->text.n > conf->max_message_bytes);
}

static void send_call(struct stdio *s, struct outgoing *line)
{
	if (stdio_answers_itself(s, line->method)) {
		outbox_put_aside(&s->outbox, line);
		stdio_answer_aside_soon(s);
		return;
	}
	outbox_add(&s->outbox, line);
	stdio_write_soon(s);
}

static void submit(struct backend *b, struct backend_call *call, const struct message *m, struct splice name)
{
	struct stdio *s = stdio_of(b);

	assert(m->kind == MESSAGE_REQUEST && !list_is_linked(&call->node));
	if (life_refuses(&s->life)) {
		pending_end_later(&s->pending, call, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
		return;
	}
	if (is_full(s, m)) {
		pending_end_later(&s->pending, call, END_OVERLOADED, OUTCOME_NOT_SENT);
		return;
	}
	pending_add(&s->pending, call);
	call->link = s->link;
	life_call_begins(&s->life, stdio_now(s));
	call->wants_progress = span_is_set(m->progress_token);
	if (s->life.state == LIFE_READY) {
		send_call(s, outgoing_request(call, m, name, stdio_line_era(s)));
		return;
	}
	outbox_hold(&s->outbox, outgoing_request(call, m, name, LINE_AS_IT_CAME));
	stdio_step(s, LIFE_EV_WANT);
}

static enum outcome cancel(struct backend *b, struct backend_call *call, struct span reason)
{
	struct stdio *s = stdio_of(b);
	uint64_t id = call->id;

	if (!pending_is_in_flight(call)) { /* its end was due in this very turn */
		pending_forget(&s->pending, call);
		return call->outcome;
	}
	enum outcome outcome = call->unsent != NULL ? OUTCOME_NOT_SENT : OUTCOME_UNKNOWN;
	stdio_call_left(s, call, false);
	if (outcome == OUTCOME_UNKNOWN)
		stdio_cancel(s, id, reason);
	return outcome;
}

static void answer(struct backend *b, uint64_t id, const struct pieces *outcome)
{
	struct stdio *s = stdio_of(b);
	struct open_ask *ask = open_asks_find(&s->asks, id);
	struct buf line = { 0 };

	if (ask == NULL)
		return;
	open_ask_put_answer(&line, ask, outcome);
	open_asks_remove(&s->asks, ask);
	stdio_send(s, buf_span(&line));
	buf_free(&line);
}

/* One process is for one client, or for all: nothing is kept here for a session. */
static void end_session(struct backend *b, uint64_t session)
{
	(void)b;
	(void)session;
}

static void tell(struct backend *b, enum method method, struct span params)
{
	struct stdio *s = stdio_of(b);

	if (s->life.state == LIFE_READY && !s->handshake.modern) /* a modern one is told with each request */
		stdio_request(s, method, params);
}

static void notify(struct backend *b, uint64_t session, enum method method, struct span params)
{
	struct stdio *s = stdio_of(b);

	if (session == s->link->session && s->life.state == LIFE_READY && !s->handshake.modern)
		stdio_notify(s, method, params);
}

static void want_updates(
        struct backend *b, uint64_t session, enum wanted_kind kind, struct span text, bool wanted, bool tell)
{
	struct stdio *s = stdio_of(b);

	if (session != s->link->session || (!wanted_set(&s->wanted, kind, text, wanted) && wanted))
		return;
	s->life.held = wanted_any(&s->wanted);
	if (s->life.state == LIFE_READY) {
		if (s->handshake.modern)
			stdio_listen_renew_soon(s);
		else if (tell)
			stdio_tell_wanted(s, kind, text, wanted);
		stdio_arm(s, life_idle_at(&s->life));
	} else if (wanted) {
		stdio_step(s, LIFE_EV_WANT);
	}
}

static void stop(struct backend *b, enum backend_stop how)
{
	stdio_step(stdio_of(b), backend_stop_event(how));
}

static void no_more(struct backend *b)
{
	stdio_step(stdio_of(b), LIFE_EV_NO_MORE);
}

/* Kept for a process that is started later: the stop may come while the server is on its way up. */
static void limit_stop(struct backend *b, msec_t eof_ms, msec_t term_ms)
{
	struct stdio *s = stdio_of(b);
	struct child_conf *conf = &s->child_conf;

	s->stop_is_near = true;
	conf->stop_eof_ms = eof_ms < conf->stop_eof_ms ? eof_ms : conf->stop_eof_ms;
	conf->stop_term_ms = term_ms < conf->stop_term_ms ? term_ms : conf->stop_term_ms;
	if (s->child != NULL)
		child_limit_stop(s->child, eof_ms, term_ms);
}

static void take_conf(struct stdio *s, const struct backend_conf *conf)
{
	s->base.conf = conf;
	s->log.about = F_STR("backend", conf->name);
	s->child_conf = (struct child_conf){
		.name = conf->name,
		.argv = conf->argv,
		.env = conf->env,
		.cwd = conf->cwd,
		.stop_eof_ms = conf->stop_eof_ms,
		.stop_term_ms = conf->stop_term_ms,
		.output_ms = OUTPUT_MS,
	};
	s->life.conf = backend_life_conf(conf);
}

static void configure(struct backend *b, const struct backend_conf *conf)
{
	struct stdio *s = stdio_of(b);

	take_conf(s, conf);
	s->handshake.page_limit_ms = conf->startup_timeout_ms;
	if (s->child != NULL)
		child_set_stop(s->child, conf->stop_eof_ms, conf->stop_term_ms);
	if (s->life.state == LIFE_READY)
		stdio_arm(s, life_idle_at(&s->life));
}

static void stats(const struct backend *b, struct backend_stats *stats)
{
	const struct stdio *s = (const struct stdio *)(const void *)b;

	*stats = (struct backend_stats){
		.state = life_shown(s->life.state),
		.in_flight = s->life.in_flight,
		.failures = s->life.failures,
		.starts = s->starts,
		.restarts = s->restarts,
		.dropped = s->dropped,
		.pid = s->child != NULL ? child_pid(s->child) : 0,
		.processes = s->child != NULL,
		.transport = "stdio",
		.last_error = s->standing.why[0] != '\0' ? s->standing.why : NULL,
	};
}

static void free_backend(struct backend *b)
{
	struct stdio *s = stdio_of(b);

	assert(life_shown(s->life.state) == BACKEND_STOPPED);
	timer_stop(loop_sched(s->loop), &s->timer);
	timer_stop(loop_sched(s->loop), &s->changed_timer);
	post_cancel(&s->write_post);
	standing_clear(&s->standing);
	post_cancel(&s->asks_post);
	post_cancel(&s->aside_post);
	stdio_begun(s);
	stdio_listen_stop(s);
	open_asks_clear(&s->asks);
	wanted_clear(&s->wanted);
	handshake_clear(&s->handshake);
	outbox_clear(&s->outbox);
	pending_clear(&s->pending);
	loop_bury(s->loop, s, free);
}

static bool ends_are_due(const struct backend *b)
{
	const struct stdio *s = (const struct stdio *)(const void *)b;

	return !list_is_empty(&s->pending.ending);
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

struct backend *stdio_backend_new(struct loop *l, struct supervisor *supervisor, const struct backend_conf *conf,
        const struct backend_events *events, void *arg, const struct logger *lg, uint64_t seed)
{
	struct stdio *s = NEW(struct stdio);

	s->base = (struct backend){ .ops = &ops, .conf = conf, .events = events, .arg = arg };
	s->loop = l;
	s->supervisor = supervisor;
	s->log = *lg;
	s->random = seed;
	life_init(&s->life, &(struct life_conf){ 0 });
	standing_init(&s->standing, &s->base, &s->life, loop_sched(l), &s->log, ends_are_due);
	take_conf(s, conf);
	handshake_init(&s->handshake, conf->max_message_bytes, conf->startup_timeout_ms, &stdio_handshake_port, s);
	s->handshake.declares = backend_shared_capabilities(conf);
	s->link = &s->own_link;
	s->known = &s->own_known;
	pending_init(&s->pending, loop_sched(l));
	open_asks_init(&s->asks);
	wanted_init(&s->wanted);
	outbox_init(&s->outbox);
	rate_init(&s->complaints, COMPLAINTS_PER_S, loop_now(l));
	return &s->base;
}

void stdio_backend_dedicate(struct backend *b, const struct backend_for *whom)
{
	struct stdio *s = stdio_of(b);

	assert(s->life.state == LIFE_STOPPED);
	s->link = whom->link;
	s->handshake.declares = whom->capabilities;
	s->handshake.without_lists = whom->without_lists;
	s->old_first = whom->legacy;
	if (whom->known != NULL)
		s->known = whom->known;
}
