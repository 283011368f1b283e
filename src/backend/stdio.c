#include "backend/stdio.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/stdio_private.h"
#include "base/fd.h"
#include "base/mem.h"
#include "json/write.h"

#define OUTPUT_MS 500           /* the rest of stdout, when a descendant holds it open after the exit */
#define OWN_BYTES_MAX (1 << 20) /* our own messages to a server that does not read */
#define COMPLAINTS_PER_S 10     /* lines in the log about what it writes */
#define CHANGED_EVERY_MS 200    /* lists are asked for anew at most so often */

static struct stdio *stdio_of(struct backend *b)
{
	return (struct stdio *)(void *)b;
}

/* splitmix64, for jitter only */
static uint64_t next_random(struct stdio *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* A process is there to talk to: not one that is being ended. */
static bool is_talking(const struct stdio *s)
{
	return s->life.state == LIFE_STARTING || s->life.state == LIFE_READY;
}

void stdio_explain(struct stdio *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(s->why, sizeof(s->why), format, ap);
	va_end(ap);
}

/* --- news for the gateway, posted --- */

static const char *why_now(const struct stdio *s)
{
	switch (life_shown(s->life.state)) {
	case BACKEND_BACKOFF:
		return s->why;
	case BACKEND_IDLE:
		return "not in use";
	case BACKEND_STOPPING:
	case BACKEND_STOPPED:
		return "asked to stop";
	default:
		return "";
	}
}

static void tell_soon(struct stdio *s);

static void tell_state(void *arg)
{
	struct stdio *s = arg;
	enum backend_state now = life_shown(s->life.state);
	const char *why = why_now(s);

	if (!list_is_empty(&s->pending.ending)) { /* ends of calls come first */
		tell_soon(s);
		return;
	}
	if (now == s->told && s->life.failures == s->told_failures && !s->tell_anyway)
		return;
	log_info(&s->log, "backend_state", "the server's state changed", F_STR("from", backend_state_name(s->told)),
	        F_STR("to", backend_state_name(now)), F_STR("why", why), F_INT("failures", s->life.failures));
	s->told = now;
	s->told_failures = s->life.failures;
	s->tell_anyway = false;
	s->base.events->state(s->base.arg, now, why, s->life.failures);
}

static void tell_soon(struct stdio *s)
{
	post_set(loop_sched(s->loop), &s->tell_post, tell_state, s);
}

static void call_ended_later(struct stdio *s, struct backend_call *call, enum end_reason why, enum outcome outcome)
{
	stdio_call_left(s, call, false);
	pending_end_later(&s->pending, call, why, outcome);
}

static void fail_sent(struct stdio *s)
{
	list_each (node, &s->pending.calls) {
		struct backend_call *call = list_entry(node, struct backend_call, node);
		if (call->unsent == NULL)
			call_ended_later(s, call, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	}
}

static void fail_queued(struct stdio *s)
{
	list_each (node, &s->pending.calls) {
		struct backend_call *call = list_entry(node, struct backend_call, node);
		if (call->unsent != NULL)
			call_ended_later(s, call, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	}
}

/* --- its life --- */

static void timer_fired(void *arg)
{
	struct stdio *s = arg;

	if (s->life.state == LIFE_STARTING)
		stdio_explain(s, "not ready within %lld ms", (long long)s->life.conf.startup_timeout_ms);
	stdio_step(s, LIFE_EV_TIME);
}

static void arm(struct stdio *s, mono_t at)
{
	struct sched *sched = loop_sched(s->loop);

	if (at.ms == MONO_NEVER.ms)
		timer_stop(sched, &s->timer);
	else
		timer_set(sched, &s->timer, at, timer_fired, s);
}

static void state_changed(struct stdio *s, enum life_state from, enum life_event event)
{
	log_debug(&s->log, "backend_life", "a step of the server's life", F_STR("from", life_state_name(from)),
	        F_STR("event", life_event_name(event)), F_STR("to", life_state_name(s->life.state)));
	if (!is_talking(s))
		handshake_reset(&s->handshake);
	if (s->life.state == LIFE_FALLING || s->life.state == LIFE_BACKOFF)
		s->fell = true;
	if (s->life.state == LIFE_ENDED)
		s->tell_anyway = true;
}

static void write_soon(struct stdio *s);
static void spawn(struct stdio *s);

void stdio_step(struct stdio *s, enum life_event event)
{
	enum life_state from = s->life.state;
	struct life_step step = life_on(&s->life, event, stdio_now(s), next_random(s));
	unsigned todo = step.actions;

	if (s->life.state != from)
		state_changed(s, from, event);
	if (todo & LIFE_DO_DISARM)
		timer_stop(loop_sched(s->loop), &s->timer);
	if (todo & (LIFE_DO_ARM_STARTUP | LIFE_DO_ARM_BACKOFF | LIFE_DO_ARM_IDLE))
		arm(s, step.at);
	if (todo & LIFE_DO_FAIL_SENT)
		fail_sent(s);
	if (todo & LIFE_DO_FAIL_QUEUED)
		fail_queued(s);
	if (s->life.state != from || todo & LIFE_DO_COUNT_FAILURE)
		tell_soon(s);
	if (todo & LIFE_DO_FLUSH) {
		outbox_release(&s->outbox);
		write_soon(s);
	}
	if (todo & LIFE_DO_LADDER)
		child_stop(s->child, CHILD_STOP_LADDER);
	if (todo & LIFE_DO_FAST)
		child_stop(s->child, CHILD_STOP_FAST);
	if (todo & LIFE_DO_KILL)
		child_stop(s->child, CHILD_STOP_KILL);
	if (todo & LIFE_DO_SPAWN)
		spawn(s);
}

/* --- its process --- */

static void close_stdin(void *arg)
{
	struct stdio *s = arg;

	/* What is left then are our own last words, such as notifications/cancelled. */
	if (s->in != NULL && (s->life.state == LIFE_STOPPING || s->life.state == LIFE_PARKING))
		outbox_write(&s->outbox, watch_fd(s->in));
	watch_close(&s->in);
}

static void explain_exit(struct stdio *s, const struct child_exit *how)
{
	if (how->signaled)
		stdio_explain(s, "killed by signal %d (%s)", how->code, strsignal(how->code));
	else
		stdio_explain(s, "exited with code %d", how->code);
	log_warn(&s->log, "backend_exited", "the server's process ended without being asked to", F_STR("how", s->why),
	        F_INT("in_flight", s->life.in_flight));
	s->tell_anyway = true; /* a better reason than the one of a moment ago */
	tell_soon(s);
}

static void exited(void *arg, const struct child_exit *how)
{
	struct stdio *s = arg;

	if (is_talking(s) || (s->life.state == LIFE_FALLING && !how->killed && s->pipe_broke))
		explain_exit(s, how);
	stdio_step(s, LIFE_EV_EXIT);
}

static void gone(void *arg, const struct child_exit *how)
{
	struct stdio *s = arg;

	log_debug(&s->log, "backend_gone", "the server's process is gone", F_BOOL("signaled", how->signaled),
	        F_INT("code", how->code), F_BOOL("killed", how->killed));
	watch_close(&s->in);
	watch_close(&s->out);
	watch_close(&s->err);
	stderr_log_end(&s->stderr_log, stdio_now(s));
	stderr_log_clear(&s->stderr_log);
	lines_clear(&s->lines);
	outbox_recall(&s->outbox);
	s->child = NULL;
	stdio_step(s, LIFE_EV_GONE);
}

static void writable(void *arg, unsigned events);

/* Takes the descriptors over; false: the kernel cannot watch them. */
static bool watch_pipes(struct stdio *s, int in, int out, int err)
{
	s->in = watch_open(s->loop, in, writable, s);
	s->out = watch_open(s->loop, out, stdio_on_stdout, s);
	s->err = watch_open(s->loop, err, stdio_on_stderr, s);
	if (s->in != NULL && s->out != NULL && s->err != NULL) {
		watch_set(s->out, WATCH_READ);
		watch_set(s->err, WATCH_READ);
		return true;
	}
	stdio_explain(s, "cannot watch its pipes: %s", strerror(errno));
	if (s->in == NULL)
		fd_close(&in);
	if (s->out == NULL)
		fd_close(&out);
	if (s->err == NULL)
		fd_close(&err);
	return false;
}

static void spawn(struct stdio *s)
{
	static const struct child_events events = { .exited = exited, .gone = gone };
	int in, out, err;
	struct err e;

	s->starts++;
	s->restarts += s->fell;
	s->fell = s->blocked = s->pipe_broke = false;
	s->spawned_at = stdio_now(s);
	s->child = child_spawn(s->supervisor, &s->child_conf, &events, s, &in, &out, &err, &e);
	if (s->child == NULL) {
		stdio_explain(s, "%s", e.text);
		log_warn(&s->log, "backend_spawn_failed", "the server could not be started", F_ERR(&e));
		stdio_step(s, LIFE_EV_NO_SPAWN);
		return;
	}
	child_on_close_stdin(s->child, close_stdin);
	lines_init(&s->lines, s->base.conf->max_message_bytes);
	stderr_log_init(&s->stderr_log, &s->log, stdio_now(s));
	if (watch_pipes(s, in, out, err))
		handshake_start(&s->handshake);
	else
		stdio_step(s, LIFE_EV_REFUSED);
}

/* --- writing --- */

static void write_lines(void *arg)
{
	struct stdio *s = arg;

	if (s->in == NULL || !is_talking(s))
		return;
	enum outbox_verdict verdict = outbox_write(&s->outbox, watch_fd(s->in));
	s->blocked = verdict == OUTBOX_BLOCKED;
	if (verdict == OUTBOX_BROKEN) {
		watch_close(&s->in);
		stdio_explain(s, "closed its stdin");
		s->pipe_broke = true;
		stdio_step(s, LIFE_EV_DEAF);
		return;
	}
	watch_set(s->in, s->blocked ? WATCH_WRITE : 0);
}

static void writable(void *arg, unsigned events)
{
	(void)events;
	write_lines(arg);
}

static void write_soon(struct stdio *s)
{
	if (!s->blocked)
		post_set(loop_sched(s->loop), &s->write_post, write_lines, s);
}

void stdio_send(struct stdio *s, struct span json)
{
	if (!is_talking(s) || s->outbox.own_bytes > OWN_BYTES_MAX) {
		s->dropped++;
		return;
	}
	outbox_add(&s->outbox, outgoing_text(json));
	write_soon(s);
}

uint64_t stdio_request(struct stdio *s, enum method method, struct span params)
{
	uint64_t id = pending_next_id(&s->pending);
	struct buf json = { 0 };
	struct json_writer w = json_writer(&json);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_int(&w, "id", (int64_t)id);
	json_member_text(&w, "method", method_name(method));
	if (span_is_set(params))
		json_member_raw(&w, "params", params);
	json_close(&w, '}');
	stdio_send(s, buf_span(&json));
	buf_free(&json);
	return id;
}

void stdio_notify(struct stdio *s, enum method method, struct span params)
{
	struct buf json = { 0 };
	struct json_writer w = json_writer(&json);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_text(&w, "method", method_name(method));
	if (span_is_set(params))
		json_member_raw(&w, "params", params);
	json_close(&w, '}');
	stdio_send(s, buf_span(&json));
	buf_free(&json);
}

/* --- calls --- */

void stdio_call_left(struct stdio *s, struct backend_call *call, bool answered)
{
	if (call->unsent != NULL)
		outbox_remove(&s->outbox, call->unsent);
	pending_forget(&s->pending, call);
	life_call_ends(&s->life, stdio_now(s), answered);
	if (s->life.state == LIFE_READY && s->life.in_flight == 0 && !timer_is_set(&s->timer))
		arm(s, life_idle_at(&s->life));
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
	       (s->outbox.bytes > 0 && s->outbox.bytes + m->text.n > conf->max_message_bytes);
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
	life_call_begins(&s->life, stdio_now(s));
	struct outgoing *line = outgoing_request(call, m, name);
	call->wants_progress = span_is_set(m->progress_token);
	if (s->life.state == LIFE_READY) {
		outbox_add(&s->outbox, line);
		write_soon(s);
		return;
	}
	outbox_hold(&s->outbox, line);
	stdio_step(s, LIFE_EV_WANT);
}

static void send_cancelled(struct stdio *s, uint64_t id, struct span reason)
{
	struct buf params = { 0 };
	struct json_writer w = json_writer(&params);

	json_open(&w, '{');
	json_member_int(&w, "requestId", (int64_t)id);
	if (json_type_of(reason) == JSON_STRING)
		json_member_raw(&w, "reason", reason);
	json_close(&w, '}');
	stdio_notify(s, METHOD_CANCELLED, buf_span(&params));
	buf_free(&params);
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
		send_cancelled(s, id, reason);
	return outcome;
}

static void tell(struct backend *b, enum method method, struct span params)
{
	struct stdio *s = stdio_of(b);

	if (s->life.state == LIFE_READY)
		stdio_request(s, method, params);
}

static void stop(struct backend *b, enum backend_stop how)
{
	static const enum life_event events[] = {
		[BACKEND_STOP_LADDER] = LIFE_EV_STOP,
		[BACKEND_STOP_FAST] = LIFE_EV_STOP_FAST,
		[BACKEND_STOP_KILL] = LIFE_EV_STOP_KILL,
	};

	stdio_step(stdio_of(b), events[how]);
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
		.last_error = s->why[0] != '\0' ? s->why : NULL,
	};
}

static void free_backend(struct backend *b)
{
	struct stdio *s = stdio_of(b);

	assert(life_shown(s->life.state) == BACKEND_STOPPED);
	timer_stop(loop_sched(s->loop), &s->timer);
	timer_stop(loop_sched(s->loop), &s->changed_timer);
	post_cancel(&s->write_post);
	post_cancel(&s->tell_post);
	handshake_clear(&s->handshake);
	outbox_clear(&s->outbox);
	pending_clear(&s->pending);
	loop_bury(s->loop, s, free);
}

static const struct backend_ops ops = {
	.start = start,
	.submit = submit,
	.cancel = cancel,
	.tell = tell,
	.stop = stop,
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
	s->told = BACKEND_STOPPED;
	s->child_conf = (struct child_conf){
		.name = conf->name,
		.argv = conf->argv,
		.env = conf->env,
		.cwd = conf->cwd,
		.stop_eof_ms = conf->stop_eof_ms,
		.stop_term_ms = conf->stop_term_ms,
		.output_ms = OUTPUT_MS,
	};
	life_init(&s->life, &(struct life_conf){ conf->startup_timeout_ms, conf->idle, conf->idle_ms, conf->min_idle_ms,
	                            conf->max_idle_ms });
	handshake_init(&s->handshake, conf->max_message_bytes, conf->startup_timeout_ms, &stdio_handshake_port, s);
	pending_init(&s->pending, loop_sched(l));
	outbox_init(&s->outbox);
	rate_init(&s->complaints, COMPLAINTS_PER_S, loop_now(l));
	return &s->base;
}
