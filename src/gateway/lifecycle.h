/*
 * The lifecycle: steps the table of phase.h by signals, deadlines and what the gateway tells, and does the actions. One
 * budget is computed at the stop signal; everything after that is a point in time of it.
 *
 * It is told of the world through functions that main's parts fill in, so that the simulator can run it as it is.
 */
#ifndef SLUICE_GATEWAY_LIFECYCLE_H
#define SLUICE_GATEWAY_LIFECYCLE_H

#include "gateway/budget.h"
#include "gateway/gateway.h"
#include "gateway/phase.h"
#include "gateway/timeline.h"

struct lifecycle;

struct lifecycle_ops {
	/* Connection: close on answers, or no longer. */
	void (*announce)(void *arg, bool on);
	/* Connections that rest between two requests end: what comes on them from now on would be refused. */
	void (*end_resting)(void *arg);
	/* When a request head but a probe's was read last. */
	mono_t (*last_request)(void *arg);
	/* Ends connections and listeners in good order; lifecycle_fronts_done follows. */
	void (*close_fronts)(void *arg, mono_t deadline);
	/* SIGKILL to all groups that are left, at once. */
	void (*kill_backends)(void *arg);
	/* When the signal came that the loop may have read late; MONO_NEVER: not known. */
	mono_t (*signalled)(void *arg);
	/* Ends the process by force at that point, should it still be there. */
	void (*arm_backstop)(void *arg, mono_t at);
	/* The phase may be another now, and what comes with it has been done. */
	void (*phase)(void *arg);
	/* All is over. */
	void (*exit)(void *arg);
};

/* `longest_*`: the stop times of the server whose sum is the longest, for the budget. */
struct lifecycle *lifecycle_new(const struct lifecycle_conf *conf, msec_t longest_eof_ms, msec_t longest_term_ms,
        struct gateway *gw, struct sched *sched, const struct lifecycle_ops *ops, void *arg, const struct logger *lg);
void lifecycle_free(struct lifecycle **l);

/* Listeners are up: starts the backends. */
void lifecycle_start(struct lifecycle *l);

/* TERM_ALONE: SIGTERM to a front with a single client (stdio). Lame-duck is for those who have to hear that they must
 * go elsewhere; that client has nowhere to go, and kills us two seconds after its SIGTERM (interface.md, section 5). */
enum stop_signal { STOP_TERM, STOP_TERM_ALONE, STOP_INT, STOP_STDIN_EOF, STOP_QUIT };
void lifecycle_stop(struct lifecycle *l, enum stop_signal what);
void lifecycle_fronts_done(struct lifecycle *l);

/*
 * A new configuration, for a stop that has not begun. The budget of one that has stays as it is, whatever may be
 * written in the file by then.
 */
void lifecycle_reconfigure(
        struct lifecycle *l, const struct lifecycle_conf *conf, msec_t longest_eof_ms, msec_t longest_term_ms);

/*
 * /drain: lame-duck without an end, until a signal goes on from there or a cancel leads back. Once or twice is the
 * same. `hook`: the grace period begins now, in a preStop hook; the first one says when (a kubelet that was restarted
 * runs it again, and the earlier moment is the safe one). False for a cancel that comes too late: there is no way back
 * from a signal.
 */
void lifecycle_drain(struct lifecycle *l, bool hook);
bool lifecycle_drain_cancel(struct lifecycle *l);

/* Lame-duck is over, or would be without a signal to wait for, and no call is in flight. */
bool lifecycle_is_drained(const struct lifecycle *l);

/* The same with what there is to say about it. */
struct drain_state {
	bool drained;
	unsigned in_flight;
	msec_t since_ms; /* so long ago lame-duck began; -1: it has not */
	msec_t left_ms;  /* of the budget, until we are gone; -1: neither a signal nor a hook has begun it */
};
void lifecycle_drain_state(const struct lifecycle *l, struct drain_state *out);

/* Somebody who waits for that; embedded in what is theirs. */
struct drain_wait {
	struct list node; /* in the lifecycle */
	struct timer timeout;
	struct lifecycle *lifecycle;
	void (*done)(
	        void *arg); /* drained, cancelled, time is up, or we leave: lifecycle_is_drained tells. Once, later */
	void *arg;
};

#define DRAIN_WAITS_MAX 64

/* `timeout_ms` < 0: lameDuck.max. A hook waits at most until servers must be stopped. False: DRAIN_WAITS_MAX wait
 * already, and `done` will not be called. */
bool lifecycle_wait(struct lifecycle *l, struct drain_wait *w, msec_t timeout_ms, void (*done)(void *arg), void *arg);
void lifecycle_wait_cancel(struct drain_wait *w); /* `done` will not be called */

enum phase lifecycle_phase(const struct lifecycle *l);

/* For people: how the stop goes that has begun, or how one would go. `reason`: NULL without one. */
struct lifecycle_view {
	const char *phase, *reason;
	msec_t phase_ms; /* so long ago it began */
	struct timeline timeline;
};
void lifecycle_view(const struct lifecycle *l, struct lifecycle_view *view);

/* Started once: what /startupz says. Started and not draining: what /readyz says. */
bool lifecycle_is_started(const struct lifecycle *l);
bool lifecycle_is_ready(const struct lifecycle *l);

/* For the last line (interface.md, 4), what only the lifecycle knows. */
struct lifecycle_summary {
	const char *reason; /* SIGTERM, SIGINT, SIGQUIT, stdin_eof, fatal (startDeadline) */
	msec_t elapsed_ms, budget_ms;
	uint64_t completed, aborted, refused; /* calls since the signal */
	bool forced;
};
void lifecycle_summary(const struct lifecycle *l, struct lifecycle_summary *out);

#endif
