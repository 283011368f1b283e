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

struct lifecycle;

struct lifecycle_ops {
	/* Connection: close on answers, or no longer. */
	void (*announce)(void *arg, bool on);
	/* When a request head but a probe's was read last. */
	mono_t (*last_request)(void *arg);
	/* Ends connections and listeners in good order; lifecycle_fronts_done follows. */
	void (*close_fronts)(void *arg, mono_t deadline);
	/* SIGKILL to all groups that are left, at once. */
	void (*kill_backends)(void *arg);
	/* All is over. */
	void (*exit)(void *arg);
};

/* `longest_*`: the stop times of the server whose sum is the longest, for the budget. */
struct lifecycle *lifecycle_new(const struct lifecycle_conf *conf, msec_t longest_eof_ms, msec_t longest_term_ms,
        struct gateway *gw, struct sched *sched, const struct lifecycle_ops *ops, void *arg, const struct logger *lg);
void lifecycle_free(struct lifecycle **l);

/* Listeners are up: logs the plan of the end, and starts the backends. */
void lifecycle_start(struct lifecycle *l);

/* The configuration was read again. Too late once a request to stop has set the budget; startDeadline is of the start
 * and stays as it was. */
void lifecycle_reconfigure(
        struct lifecycle *l, const struct lifecycle_conf *conf, msec_t longest_eof_ms, msec_t longest_term_ms);

enum stop_signal { STOP_TERM, STOP_INT, STOP_STDIN_EOF, STOP_QUIT };
void lifecycle_stop(struct lifecycle *l, enum stop_signal what);
void lifecycle_fronts_done(struct lifecycle *l);

enum phase lifecycle_phase(const struct lifecycle *l);

/*
 * /drain (interface.md, 3): lame-duck without an end, which a stop signal goes on with. `hook`: this is a preStop hook,
 * and the grace period began now. Asking again changes nothing, nor does asking after a stop signal; of several hooks
 * the first counts, because a kubelet that was restarted runs them again, and too early an end is the safe one.
 */
void lifecycle_drain(struct lifecycle *l, bool hook);

/* Back to where we were; the hook is forgotten. False: somebody asked us to stop, and there is no way back. */
bool lifecycle_cancel_drain(struct lifecycle *l);

struct lifecycle_drain {
	bool drained; /* lame-duck is over, or would be by its rule, and nothing is in flight */
	unsigned in_flight;
	msec_t since_ms; /* so long ago lame-duck began; -1: it did not */
	msec_t left_ms;  /* of the budget, until we are gone; -1: neither a signal nor a hook has begun it */
};
void lifecycle_drain_state(const struct lifecycle *l, struct lifecycle_drain *out);

/*
 * Somebody waits until all is drained. `over` is called once, from the loop: then, or when the drain was cancelled, or
 * when the time is up (a hook is not left to eat what the signal after it needs), and always before the process leaves.
 * Owned by who waits; zeroed it is idle.
 */
struct drain_wait {
	struct list node;
	struct lifecycle *lifecycle;
	struct timer timeout;
	void (*over)(void *arg);
	void *arg;
};
void lifecycle_wait(struct lifecycle *l, struct drain_wait *w, msec_t timeout_ms, void (*over)(void *arg), void *arg);
void lifecycle_stop_waiting(struct drain_wait *w);
msec_t lifecycle_wait_default(const struct lifecycle *l); /* lameDuck.max */

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
