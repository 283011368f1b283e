#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "backend/stdio_private.h"
#include "base/fd.h"

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
		probe_timed_out(s->probe, s->known);
	if (s->life.state == LIFE_STARTING)
		standing_explain(&s->standing, "not ready within %lld ms", (long long)s->life.conf.startup_timeout_ms);
	stdio_step(s, LIFE_EV_TIME);
}

void stdio_arm(struct stdio *s, mono_t at)
{
	timer_set(loop_sched(s->loop), &s->timer, at, timer_fired, s);
}

static void state_changed(struct stdio *s, enum life_state from, enum life_event event)
{
	if (!stdio_is_talking(s)) {
		handshake_reset(&s->handshake);
		stdio_begun(s);
		stdio_listen_stop(s);
		stdio_lose_asks(s);
	}
	if (s->life.state == LIFE_FALLING || s->life.state == LIFE_BACKOFF)
		s->fell = true;
	standing_changed(&s->standing, from, event);
}

static void spawn(struct stdio *s);

void stdio_step(struct stdio *s, enum life_event event)
{
	enum life_state from = s->life.state;
	struct life_step step = life_on(&s->life, event, stdio_now(s), life_random(&s->random));
	unsigned todo = step.actions;

	if (s->life.state != from)
		state_changed(s, from, event);
	if (todo & LIFE_DO_DISARM)
		timer_stop(loop_sched(s->loop), &s->timer);
	if (todo & (LIFE_DO_ARM_STARTUP | LIFE_DO_ARM_BACKOFF | LIFE_DO_ARM_IDLE))
		stdio_arm(s, step.at);
	if (todo & LIFE_DO_FAIL_SENT)
		fail_sent(s);
	if (todo & LIFE_DO_FAIL_QUEUED)
		fail_queued(s);
	if (todo & LIFE_DO_FLUSH) {
		outbox_release(&s->outbox);
		stdio_write_soon(s);
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

/*
 * What is left then is the rest of a line, and our own last words, such as notifications/cancelled. They are written
 * first, however slowly it reads: it would not see the end before it has read what is in the pipe anyway.
 */
void stdio_close_stdin(void *arg)
{
	struct stdio *s = arg;
	bool listens = s->in != NULL && s->life.state != LIFE_FALLING;

	if (listens && outbox_write(&s->outbox, watch_fd(s->in)) == OUTBOX_BLOCKED)
		watch_set(s->in, WATCH_WRITE);
	else
		watch_close(&s->in);
}

/* Who does not get through its start has often said why: a directory that it cannot write to, a module that is missing.
 */
static void add_last_words(struct stdio *s)
{
	size_t n = strlen(s->standing.why);

	if (s->err != NULL)
		stdio_on_stderr(s, WATCH_READ);
	if (s->stderr_log.last[0] != '\0')
		snprintf(s->standing.why + n, sizeof(s->standing.why) - n, "; the last it said: \"%s\"",
		        s->stderr_log.last);
}

static void explain_exit(struct stdio *s, const struct child_exit *how)
{
	if (how->signaled)
		standing_explain(&s->standing, "killed by signal %d (%s)", how->code, strsignal(how->code));
	else
		standing_explain(&s->standing, "exited with code %d", how->code);
	if (s->life.state == LIFE_STARTING || s->life.failures > 0)
		add_last_words(s);
	log_info(&s->log, "backend_exited", "the server's process has ended without being asked to",
	        F_STR("how", s->standing.why), F_INT("in_flight", s->life.in_flight));
	s->died = true;
	standing_tell_anyway(&s->standing);
}

/* It ended on its own, though the end of a pipe was seen first; SIGTERM may have been ours if it lived to see it. */
static bool is_better_reason(const struct stdio *s, const struct child_exit *how)
{
	bool ours = how->killed || (how->asked && how->signaled && how->code == SIGTERM);

	return s->life.state == LIFE_FALLING && s->pipe_broke && !ours;
}

static void exited(void *arg, const struct child_exit *how)
{
	struct stdio *s = arg;

	if (stdio_ends_at_discover(s))
		return;
	if (stdio_is_talking(s) || is_better_reason(s, how))
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

/* Takes the descriptors over; false: the kernel cannot watch them. */
static bool watch_pipes(struct stdio *s, int in, int out, int err)
{
	s->in = watch_open(s->loop, in, stdio_on_writable, s);
	s->out = watch_open(s->loop, out, stdio_on_stdout, s);
	s->err = watch_open(s->loop, err, stdio_on_stderr, s);
	if (s->in != NULL && s->out != NULL && s->err != NULL) {
		watch_set(s->out, WATCH_READ);
		watch_set(s->err, WATCH_READ);
		return true;
	}
	standing_explain(&s->standing, "cannot watch its pipes: %s", strerror(errno));
	if (s->in == NULL)
		fd_close(&in);
	if (s->out == NULL)
		fd_close(&out);
	if (s->err == NULL)
		fd_close(&err);
	return false;
}

/*
 * A SIGTERM for the whole group (systemd's KillMode=control-group) may reach the server a moment before us. So an end
 * is called a crash when the next try is due and nobody has asked us to stop meanwhile.
 */
static void tell_crash(struct stdio *s)
{
	if (s->died && !s->stop_is_near)
		log_warn(&s->log, "backend_crashed", "the server has crashed and is started again",
		        F_STR("how", s->standing.why));
	s->died = false;
}

static void spawn(struct stdio *s)
{
	static const struct child_events events = { .exited = exited, .gone = gone };
	int in, out, err;
	struct err e;

	tell_crash(s);
	s->starts++;
	s->restarts += s->fell;
	s->fell = s->blocked = s->pipe_broke = false;
	s->spawned_at = stdio_now(s);
	s->child = child_spawn(s->supervisor, &s->child_conf, &events, s, &in, &out, &err, &e);
	if (s->child == NULL) {
		standing_explain(&s->standing, "%s", e.text);
		log_warn(&s->log, "backend_spawn_failed", "the server could not be started", F_ERR(&e));
		stdio_step(s, LIFE_EV_NO_SPAWN);
		return;
	}
	child_on_close_stdin(s->child, stdio_close_stdin);
	lines_init(&s->lines, s->base.conf->max_message_bytes);
	stderr_log_init(&s->stderr_log, &s->log, stdio_now(s));
	if (watch_pipes(s, in, out, err))
		stdio_begin(s);
	else
		stdio_step(s, LIFE_EV_REFUSED);
}
