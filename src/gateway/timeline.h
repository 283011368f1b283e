/*
 * A stop as a timeline for people: which phase lasts from when to when, as planned and as it came. Pure arithmetic on
 * the budget and on the moments at which phases began.
 */
#ifndef SLUICE_GATEWAY_TIMELINE_H
#define SLUICE_GATEWAY_TIMELINE_H

#include "gateway/budget.h"

/* clang-format off */
#define TIMELINE_STEPS(X) \
	X(LAME_DUCK,         "lame_duck") \
	X(DRAINING,          "draining") \
	X(STOPPING_BACKENDS, "stopping_backends") \
	X(EXITING,           "exiting") /* the rest, until the kubelet's SIGKILL */
/* clang-format on */
#define X(symbol, name) TIMELINE_##symbol,
enum timeline_step { TIMELINE_STEPS(X) TIMELINE_STEP_COUNT };
#undef X
const char *timeline_step_name(enum timeline_step step);

/* In ms since `t0`. What is over ended where the next one began; what is to come is as planned. */
struct timeline_span {
	msec_t from_ms, to_ms;
	bool begun, over;
};

struct timeline {
	bool begun;        /* the budget runs; else it is what a signal now would mean */
	msec_t elapsed_ms; /* since t0; 0 when it is not begun */
	msec_t end_ms, killed_ms;
	struct timeline_span spans[TIMELINE_STEP_COUNT];
};

/* `entered`: when each step began, MONO_NEVER for those that have not; not looked at unless `begun`. */
void timeline_make(
        struct timeline *t, const struct budget *b, bool begun, const mono_t entered[TIMELINE_STEP_COUNT], mono_t now);

#endif
