/*
 * The one budget: from the moment of the stop signal to the kubelet's SIGKILL, cut into phases as absolute points in
 * time, once. Pure arithmetic; docs/lifecycle.md tells it with a picture.
 *
 *	G = gracePeriod - preStop    END = T0 + G - margin (margin at most G/4)
 *	B = longest (stop.eof + stop.term) + 500 ms, at most half of END - T0; its parts are scaled alike
 *	STOP = END - B    lame-duck ends by its rule, at the latest at min(T0 + lameDuck.max, STOP)
 *	the backstop fires at T0 + G - margin/2
 *
 * When T0 is a preStop hook's own word (/drain?hook=1), G is the whole gracePeriod, for the hook's time counts by
 * itself; what is at most a quarter or half is then so of the time that the hook has left. And whatever a hook takes,
 *the kubelet gives 2 s between SIGTERM and SIGKILL (kuberuntime_container.go, minimumGracePeriodInSeconds).
 */
#ifndef SLUICE_GATEWAY_BUDGET_H
#define SLUICE_GATEWAY_BUDGET_H

#include "base/buf.h"
#include "base/clock.h"

#define STOP_SLACK_MS 500     /* of B: SIGKILL, reaping and sweeping */
#define KUBELET_LEAST_MS 2000 /* that a hook leaves in any case */

struct lifecycle_conf {
	msec_t grace_ms, pre_stop_ms;
	msec_t lame_duck_min_ms, lame_duck_quiet_ms, lame_duck_max_ms;
	msec_t margin_ms;
	msec_t start_deadline_ms; /* 0: none */
	bool ready_while_draining;
	bool fail_on_required_loss;
	bool strict_exit;
	const char *termination_log; /* NULL: the default place, if it can be written */
};

/* What did not fit and was cut; each is a warning at start. */
enum budget_clip {
	CLIP_MARGIN = 1,    /* margin was more than a quarter of G */
	CLIP_STOP = 2,      /* the servers' stop times were scaled down */
	CLIP_LAME_DUCK = 4, /* lameDuck.max (or .min) ends at STOP */
	CLIP_PRE_STOP = 8   /* preStop takes the whole grace period, but for KUBELET_LEAST_MS */
};

/* How it came to the stop. Without a drain before it, all three are the moment of the signal. */
struct budget_start {
	mono_t t0;        /* the grace period began: the signal, or the hook before it */
	mono_t signal;    /* not before t0 */
	mono_t lame_duck; /* the world has been told to go elsewhere since then; not after the signal */
	bool hook;        /* t0 is a hook's own word */
};

struct budget {
	mono_t t0;
	mono_t lame_duck_min;             /* not earlier than this */
	mono_t lame_duck_end;             /* at the latest */
	mono_t stop;                      /* backends begin to stop */
	mono_t end;                       /* we are gone */
	mono_t backstop;                  /* we are gone, by force */
	mono_t killed;                    /* the kubelet's SIGKILL */
	msec_t stop_eof_ms, stop_term_ms; /* scaled caps for every server's own stop times */
	unsigned clipped;
};

/* For the warning. */
const char *budget_clip_sentence(enum budget_clip clip);

/* `longest_eof_ms` and `longest_term_ms`: of the server whose sum is the longest; both 0 when there is none. No
 * duration is longer than 2^31 ms (24 days), which the configuration sees to. */
struct budget budget_from(const struct lifecycle_conf *conf, msec_t longest_eof_ms, msec_t longest_term_ms,
        const struct budget_start *start);

/* The same for a signal at `t0` without a drain before it. */
struct budget budget_at(const struct lifecycle_conf *conf, msec_t longest_eof_ms, msec_t longest_term_ms, mono_t t0);

/* From the signal to the backstop, whatever the servers' stop times are. */
msec_t budget_backstop_ms(const struct lifecycle_conf *conf);

/* The plan as a timeline for people, as `sluice check` prints it: each phase, its start, its bound, what is left. */
void budget_print(const struct budget *b, const struct lifecycle_conf *conf, struct buf *out);

#endif
