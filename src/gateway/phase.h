/*
 * The gateway's phases as a table: phase x event -> phase, actions. Pure; lifecycle.c steps it and does the actions,
 * and so does the simulator. Every cell is filled: "nothing" is written down, and what cannot happen is a "never".
 *
 * Two phases have twins that look the same from outside, because the way that leads on differs:
 *
 *	STARTING  ->  READY  ->  LAME_DUCK  ->  DRAINING -> STOPPING_BACKENDS -> EXITING
 *	   |             |          /              |             /
 *	STARTING_HELD -> LAME_DUCK_HELD        HURRYING (second signal)
 *	        (/drain, and back)
 *
 * Who steps the table counts the requests to stop: the first is SIGTERM, SIGINT or STDIN_EOF; of the signals after it
 * one is AGAIN and the others are NOW; the end of stdin is STDIN_EOF at any time. An event that an action brings about
 * at once (nothing is in flight, no backend to stop) is posted, never fed in while other actions are still to be done.
 */
#ifndef SLUICE_GATEWAY_PHASE_H
#define SLUICE_GATEWAY_PHASE_H

#include <stdbool.h>

/* clang-format off */
/*  symbol             name in /status, logs and metrics */
#define PHASES(X) \
	X(STARTING,          "starting")          /* serving, not ready yet */ \
	X(READY,             "ready") \
	X(STARTING_HELD,     "lame_duck")         /* told to drain by /drain before it was ready */ \
	X(LAME_DUCK_HELD,    "lame_duck")         /* by /drain: without an end, and there is a way back */ \
	X(LAME_DUCK,         "lame_duck")         /* serving everything, telling the world to go elsewhere */ \
	X(DRAINING,          "draining")          /* new requests are refused; calls in flight go on */ \
	X(HURRYING,          "draining")          /* ... for one more second */ \
	X(STOPPING_BACKENDS, "stopping_backends") /* no call is in flight any more; the ladders are at work */ \
	X(EXITING,           "exiting")           /* connections end, the last words are written */
#define PHASE_EVENTS(X) \
	X(STARTED,        "started")        /* required servers are up, eager ones were tried */ \
	X(START_DEADLINE, "start_deadline") /* lifecycle.startDeadline is over and a required server is not up: exit 69 */ \
	X(DRAIN,          "drain")          /* asked by /drain: lame-duck without an end */ \
	X(DRAIN_CANCEL,   "drain_cancel")   /* ... and back */ \
	X(SIGTERM,        "SIGTERM")        /* the first stop signal: by way of lame-duck */ \
	X(SIGINT,         "SIGINT")         /* the first stop signal of a person: no lame-duck */ \
	X(STDIN_EOF,      "stdin_eof")      /* the one client of a stdio front has said its last: no lame-duck */ \
	X(AGAIN,          "second_signal")  /* fast stop */ \
	X(NOW,            "third_signal")   /* ..., or SIGQUIT */ \
	X(LAME_DUCK_OVER, "lame_duck_over") /* by its rule */ \
	X(CALLS_DONE,     "calls_done")     /* the last call in flight has ended, or there was none at REFUSE_NEW */ \
	X(STOP_TIME,      "stop_time")      /* the point STOP of the budget */ \
	X(BACKENDS_DONE,  "backends_done")  /* all are gone */ \
	X(END_TIME,       "end_time")       /* the point END */ \
	X(FRONTS_DONE,    "fronts_done")    /* connections are closed */
#define PHASE_ACTIONS(X) \
	X(FORCED,         0)  /* remember for the last line */ \
	X(SET_BUDGET,     1)  /* compute the deadlines, arm STOP, END and the backstop, log the plan */ \
	X(ANNOUNCE,       2)  /* Connection: close; standalone GET streams end; unready */ \
	X(UNANNOUNCE,     3)  /* back to normal */ \
	X(ARM_LAME_DUCK,  4) \
	X(REFUSE_NEW,     5)  /* new requests get 503 draining, no process is spawned; wait for the calls in flight */ \
	X(STOP_UNREADY,   6)  /* STOP_FAST, but only backends that are not initialized yet */ \
	X(HURRY_CALLS,    7)  /* STOP is in 1 s, if that is earlier; END and the backstop move with it */ \
	X(HURRY_END,      8)  /* END is in 750 ms, if that is earlier; the backstop moves with it */ \
	X(CUT_CALLS,      9)  /* calls in flight end with `draining` now; FORCED if there was one */ \
	X(STOP_BACKENDS, 10)  /* by the ladder */ \
	X(STOP_FAST,     11)  /* EOF and SIGTERM together, SIGKILL after 500 ms */ \
	X(KILL_BACKENDS, 12)  /* SIGKILL to the groups */ \
	X(CLOSE_FRONTS,  13)  /* end idle connections, linger where it is due (at most 1 s) */ \
	X(EXIT,          14)  /* accept() to EAGAIN, close the listeners, flush and leave; does not come back */
/* clang-format on */

#define X(symbol, name) PHASE_##symbol,
enum phase { PHASES(X) PHASE_COUNT };
#undef X

#define X(symbol, name) PHASE_EV_##symbol,
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
