#include "cli/service.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/environment.h"
#include "loop/notify.h"

#define STATUS_EVERY_MS 2000 /* at most; and only when there is something new to say */
#define SPARE_MS 2000        /* of a stop, after the moment when the backstop would have ended us */
#define USEC_PER_MS 1000

struct service {
	struct service_conf conf;
	struct notify *notify;
	bool ready, reloading, stopping; /* what it was told last */
	struct buf status;               /* likewise */
	struct timer timer;
};

struct service_manager service_manager_find(const char *const *environment)
{
	const char *socket = environment_get(environment, SPAN("NOTIFY_SOCKET"));
	const char *limit = environment_get(environment, SPAN("WATCHDOG_USEC"));
	const char *pid = environment_get(environment, SPAN("WATCHDOG_PID"));
	uint64_t whose = (uint64_t)getpid(), usec = 0;

	if (limit != NULL &&
	        (pid == NULL || (span_to_u64(span_of(pid), INT32_MAX, &whose) && whose == (uint64_t)getpid())))
		(void)span_to_u64(span_of(limit), INT64_MAX, &usec);
	unsetenv("NOTIFY_SOCKET"); /* the texts stay where they are */
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return (struct service_manager){ .notify_socket = socket, .watchdog_ms = (msec_t)(usec / USEC_PER_MS) };
}

/* ---- the line for people ---- */

static bool is_stopping(const struct service *s)
{
	switch (lifecycle_phase(s->conf.lifecycle)) {
	case PHASE_STARTING:
	case PHASE_READY:
	case PHASE_STARTING_HELD:
	case PHASE_LAME_DUCK_HELD:
		return false;
	default:
		return true;
	}
}

static void add_missing(const struct service *s, struct buf *out)
{
	struct buf lines = { 0 };
	struct span rest, line;

	gateway_missing(s->conf.gw, &lines);
	rest = buf_span(&lines);
	if (rest.n > 0 && span_next(&rest, '\n', &line))
		buf_printf(out, "; waiting for %.*s", SPAN_ARG(line));
	buf_free(&lines);
}

static void write_status(const struct service *s, struct buf *out)
{
	struct gateway_state state;

	gateway_state(s->conf.gw, &state);
	buf_printf(out, "%s: %u of %u servers connected, %u calls in flight",
	        phase_name(lifecycle_phase(s->conf.lifecycle)), state.connected, state.configured, state.in_flight);
	if (!lifecycle_is_started(s->conf.lifecycle) && !is_stopping(s))
		add_missing(s, out);
}

static void tell_status(void *arg)
{
	struct service *s = arg;
	struct buf now = { 0 };

	write_status(s, &now);
	if (!span_eq(buf_span(&now), buf_span(&s->status))) {
		notify_send(s->notify, "STATUS=%.*s", SPAN_ARG(buf_span(&now)));
		buf_reset(&s->status);
		buf_add(&s->status, buf_span(&now));
	}
	buf_free(&now);
	timer_set_in(loop_sched(s->conf.loop), &s->timer, STATUS_EVERY_MS, tell_status, s);
}

/* ---- what it acts on ---- */

/* The manager's own limit may be shorter than what is configured here: it then waits so much longer. */
static void tell_stopping(struct service *s)
{
	mono_t last = backstop_at(s->conf.backstop);
	msec_t left_ms = last.ms != MONO_NEVER.ms ? mono_diff(last, loop_now(s->conf.loop)) : 0;

	s->stopping = true;
	notify_send(s->notify, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64, (left_ms + SPARE_MS) * USEC_PER_MS);
}

static void tell_ready(struct service *s)
{
	s->ready = true;
	notify_send(s->notify, "READY=1");
}

void service_phase_changed(struct service *s)
{
	if (s == NULL)
		return;
	if (!s->stopping && is_stopping(s))
		tell_stopping(s);
	else if (!s->ready && !s->stopping && lifecycle_is_started(s->conf.lifecycle))
		tell_ready(s);
	tell_status(s);
}

/* Before it is ready and while it stops, "ready again" would not be true. */
void service_reloading(struct service *s)
{
	if (s == NULL || !s->ready || s->stopping)
		return;
	s->reloading = true;
	notify_send(s->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_us());
}

void service_reloaded(struct service *s)
{
	if (s == NULL || !s->reloading || s->stopping)
		return;
	s->reloading = false;
	notify_send(s->notify, "READY=1");
}

struct service *service_new(const struct service_manager *m, const struct service_conf *conf)
{
	struct notify *notify = notify_open(conf->loop, m->notify_socket, &conf->log);

	if (notify == NULL)
		return NULL;
	struct service *s = NEW(struct service);
	*s = (struct service){ .conf = *conf, .notify = notify };
	notify_send(notify, "EXTEND_TIMEOUT_USEC=%" PRId64, conf->start_limit_ms * USEC_PER_MS);
	notify_watchdog(notify, m->watchdog_ms);
	tell_status(s);
	return s;
}
