#include <sys/ioctl.h>

#include "backend/stdio_private.h"

/*
 * The first words with a process: which kind of revision it speaks (probe.h), and the handshake in that.
 */

/* --- finding out --- */

/* What it has not read yet is still in the pipe. */
static bool has_read_a_word(const struct stdio *s)
{
	int unread = 0;

	return s->in != NULL && ioctl(watch_fd(s->in), FIONREAD, &unread) == 0 &&
	       (size_t)unread < s->said - s->outbox.own_bytes;
}

static void silent(void *arg);

static void wait_for_answer(struct stdio *s)
{
	msec_t share = s->life.conf.startup_timeout_ms / 3;

	timer_set_in(loop_sched(s->loop), &s->silence, share < PROBE_SILENCE_MS ? share : PROBE_SILENCE_MS, silent, s);
}

static void do_step(struct stdio *s, struct probe_step step, uint64_t id, const struct message *m)
{
	s->probe = step.next;
	switch (step.action) {
	case PROBE_DO_NOTHING:
		return;
	case PROBE_DO_DISCOVER:
		handshake_reset(&s->handshake);
		handshake_discover(&s->handshake);
		s->discover_id = s->handshake.initialize_id;
		if (step.next == PROBE_ASKING)
			wait_for_answer(s);
		return;
	case PROBE_DO_INITIALIZE:
		handshake_reset(&s->handshake);
		handshake_start(&s->handshake);
		return;
	case PROBE_DO_ACCEPT:
	case PROBE_DO_FAIL:
		if (m != NULL)
			handshake_answer(&s->handshake, id, m, stdio_now(s));
		return;
	case PROBE_DO_ANOTHER:
		log_info(
		        &s->log, "backend_probed", "the server ends when it is asked to discover: it is started again");
		stdio_step(s, LIFE_EV_ANOTHER);
		return;
	}
}

/* One that has not read it yet is only slow to start. */
static void silent(void *arg)
{
	struct stdio *s = arg;

	if (has_read_a_word(s))
		do_step(s, probe_on(s->probe, PROBE_EV_SILENT, s->known), 0, NULL);
	else
		wait_for_answer(s);
}

void stdio_begin(struct stdio *s)
{
	s->said = 0;
	do_step(s, probe_begin(s->known, s->old_first), 0, NULL);
}

void stdio_begun(struct stdio *s)
{
	timer_stop(loop_sched(s->loop), &s->silence);
	s->probe = PROBE_OFF;
	s->discover_id = 0;
}

static int64_t code_of(const struct message *m)
{
	int64_t code = 0;

	if (m->kind == MESSAGE_ERROR && !json_to_i64(json_member(m->error, "code"), &code))
		code = 0;
	return code;
}

static enum probe_event discovered(const struct message *m)
{
	if (handshake_names_modern(m))
		return PROBE_EV_MODERN;
	return code_of(m) == RPC_VERSION_UNSUPPORTED && handshake_invites_modern(m) ? PROBE_EV_NAMES_US
	                                                                            : PROBE_EV_NOT_MODERN;
}

static enum probe_event initialized(const struct message *m)
{
	int64_t code = code_of(m);

	if (m->kind == MESSAGE_RESULT)
		return PROBE_EV_LEGACY;
	return code == RPC_VERSION_UNSUPPORTED || code == RPC_METHOD_NOT_FOUND || handshake_invites_modern(m)
	               ? PROBE_EV_NOT_LEGACY
	               : PROBE_EV_REFUSED;
}

bool stdio_first_answer(struct stdio *s, uint64_t id, const struct message *m)
{
	enum probe_event event;

	if (id == s->discover_id) {
		s->discover_id = 0;
		event = discovered(m);
	} else if (id == s->handshake.initialize_id) {
		event = initialized(m);
	} else {
		return false;
	}
	timer_stop(loop_sched(s->loop), &s->silence);
	do_step(s, probe_on(s->probe, event, s->known), id, m);
	return true;
}

bool stdio_ends_at_discover(struct stdio *s)
{
	if (s->life.state != LIFE_STARTING || s->discover_id == 0 || !has_read_a_word(s))
		return false;
	struct probe_step step = probe_on(s->probe, PROBE_EV_EXIT, s->known);
	do_step(s, step, 0, NULL);
	return step.action == PROBE_DO_ANOTHER;
}

/* --- the handshake's port --- */

static uint64_t send_request(void *arg, enum method method, struct span params)
{
	return stdio_request(arg, method, params);
}

static void send_notification(void *arg, enum method method)
{
	stdio_notify(arg, method, SPAN_NONE);
}

static void on_hello(void *arg, const struct backend_hello *hello)
{
	struct stdio *s = arg;

	s->base.events->hello(s->base.arg, hello);
}

static void on_list(void *arg, enum list_kind kind, struct item_list *list)
{
	struct stdio *s = arg;

	log_debug(&s->log, "backend_list", "a list of the server is there", F_STR("list", list_member(kind)),
	        F_INT("items", list->count));
	s->base.events->list(s->base.arg, kind, list);
}

/* What a new process has to know before the calls come. */
static void tell_wanted(struct stdio *s)
{
	if (s->handshake.modern) {
		stdio_listen(s);
		return;
	}
	wanted_each(thing, &s->wanted) stdio_tell_wanted(s, thing->kind, wanted_text(thing), true);
	wanted_refuse(&s->wanted, WANTED_TASK, stdio_said, s);
}

static void on_done(void *arg, const char *fault)
{
	struct stdio *s = arg;

	if (fault != NULL) {
		standing_explain(&s->standing, "%s", fault);
		log_warn(&s->log, "backend_handshake_failed", "the server did not get through its start",
		        F_STR("error", fault));
		stdio_step(s, LIFE_EV_REFUSED);
		return;
	}
	log_info(&s->log, "backend_ready", "the server is ready",
	        F_SPAN("revision", revision_name(s->handshake.hello.revision)), F_INT("pid", child_pid(s->child)),
	        F_MS("took_ms", mono_diff(stdio_now(s), s->spawned_at)));
	tell_wanted(s);
	outbox_fit(&s->outbox, stdio_line_era(s));
	if (s->handshake.modern && s->handshake.hello.subscribe)
		outbox_set_aside(&s->outbox, METHOD_RESOURCES_SUBSCRIBE);
	stdio_answer_aside_soon(s);
	stdio_step(s, LIFE_EV_UP);
}

static void on_warning(void *arg, enum list_kind kind, const char *sentence)
{
	struct stdio *s = arg;

	log_warn(&s->log, "backend_list_fault", sentence, F_STR("list", list_member(kind)));
}

const struct handshake_port stdio_handshake_port = {
	.request = send_request,
	.notify = send_notification,
	.hello = on_hello,
	.list = on_list,
	.done = on_done,
	.warn = on_warning,
};
