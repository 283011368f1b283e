/*
 * The gateway's phases as a table: phase x event -> phase, actions. Pure; lifecycle.c steps it and does the actions,
 * and so does the simulator. Every cell is filled: "nothing" is written down, and what cannot happen is a "never".
 */
#ifndef SLUICE_GATEWAY_PHASE_H
#define SLUICE_GATEWAY_PHASE_H

#include <stdbool.h>

/* clang-format off */
#define PHASES(X) \
	X(STARTING,          "starting")          /* serving, not ready yet */ \
	X(READY,             "ready") \
	X(LAME_DUCK,         "lame_duck")         /* serving everything, telling the world to go elsewhere */ \
	X(DRAINING,          "draining")          /* new requests are refused; calls in flight go on */ \
	X(STOPPING_BACKENDS, "stopping_backends") /* no call is in flight any more; the ladders are at work */ \
	X(EXITING,           "exiting")           /* connections end, the last words are written */
#define PHASE_EVENTS(X) \
	X(STARTED)         /* required servers are up, eager ones were tried */ \
	X(DRAIN)           /* asked by /drain: lame-duck without an end */ \
	X(DRAIN_CANCEL)    /* ... and back */ \
	X(SIGTERM)         /* the first stop signal: by way of lame-duck */ \
	X(SIGINT)          /* the first stop signal of a person, or the end of stdin: no lame-duck */ \
	X(AGAIN)           /* the second signal: fast stop */ \
	X(NOW)             /* the third, or SIGQUIT */ \
	X(LAME_DUCK_OVER)  /* by its rule */ \
	X(CALLS_DONE)      /* the last call in flight has ended */ \
	X(STOP_TIME)       /* the point STOP of the budget */ \
	X(BACKENDS_DONE)   /* all are gone */ \
	X(END_TIME)        /* the point END */ \
	X(FRONTS_DONE)     /* connections are closed */
#define PHASE_ACTIONS(X) \
	X(SET_BUDGET, 0)      /* compute the deadlines, arm STOP and END, log the plan */ \
	X(ANNOUNCE, 1)        /* Connection: close; standalone GET streams end */ \
	X(UNANNOUNCE, 2)      /* back to ready */ \
	X(ARM_LAME_DUCK, 3) \
	X(REFUSE_NEW, 4)      /* new requests get 503 draining from here on; start to wait for the calls in flight */ \
	X(HURRY_CALLS, 5)     /* calls in flight get 1 s more */ \
	X(CUT_CALLS, 6)       /* calls in flight end with `draining` now */ \
	X(STOP_BACKENDS, 7)   /* by the ladder */ \
	X(STOP_FAST, 8)       /* EOF and SIGTERM together, SIGKILL after 500 ms */ \
	X(KILL_BACKENDS, 9)   /* SIGKILL to the groups */ \
	X(CLOSE_FRONTS, 10)   /* linger, drain accept(), close */ \
	X(EXIT, 11)           /* flush and leave */ \
	X(FORCED, 12)         /* remember for the last line */
/* clang-format on */

#define X(symbol, name) PHASE_##symbol,
enum phase { PHASES(X) PHASE_COUNT };
#undef X

#define X(symbol) PHASE_EV_##symbol,
enum phase_event { PHASE_EVENTS(X) PHASE_EVENT_COUNT };
#undef X

enum phase_action {
#define X(symbol, bit) PHASE_DO_##symbol = 1 << (bit),
	PHASE_ACTIONS(X)
#undef X
};

struct phase_step {
	bool set, never;
	enum phase next;
	unsigned actions; /* to be done in the order of their bits */
};

struct phase_step phase_next(enum phase now, enum phase_event event); /* asserts that the cell is not a "never" */
struct phase_step phase_cell(enum phase now, enum phase_event event);

const char *phase_name(enum phase p);
const char *phase_event_name(enum phase_event e);

#endif
