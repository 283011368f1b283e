/*
 * The life of a call as a table: an accepted call ends exactly once, whatever happens to it and in which order.
 * Pure; call.c steps it.
 */
#ifndef SLUICE_GATEWAY_CALL_LIFE_H
#define SLUICE_GATEWAY_CALL_LIFE_H

#include <stdbool.h>

/* clang-format off */
#define CALL_STATES(X) \
	X(NEW)        /* accepted, not yet routed */ \
	X(HELD)       /* a list that waits for servers not tried yet */ \
	X(AT_BACKEND) /* queued for a backend or sent to it */ \
	X(DETACHED)   /* the same, and the client is gone: nobody waits for the answer */ \
	X(PARKED)     /* the same, and the client has been told to come back with something that the server asks for */ \
	X(ASKING)     /* between two times at a modern server: its legacy client is asked for what that needs */ \
	X(KEPT)       /* the server is done with it, but the client has not come back yet */ \
	X(ENDING)     /* its end is known and posted */ \
	X(ENDED)
#define CALL_EVENTS(X) \
	X(HOLD)        /* wait for servers */ \
	X(SEND)        /* handed to a backend, or to the next one that may have the resource */ \
	X(ANSWER)      /* the gateway's own answer, or its own error */ \
	X(BACKEND_END) /* the backend's last word */ \
	X(TIMEOUT)     /* requestTimeout or maxRequestTimeout */ \
	X(CANCEL)      /* the client's notifications/cancelled */ \
	X(GONE)        /* the client left */ \
	X(CUT)         /* the gateway stops */ \
	X(INPUT)       /* a modern server wants it again, with something of its client's */ \
	X(PARK)        /* its request is answered with what the server asks */ \
	X(RESUME)      /* the client is back, with another request */ \
	X(POSTED)      /* the posted end has its turn */
#define CALL_ACTIONS(X) \
	X(TAKE_BACK, 0)   /* the backend forgets it, and tells the server if it was sent */ \
	X(FORGET_PORT, 1) /* nobody is told any more */ \
	X(POST_END, 2)    /* we are inside a call from above: tell later in this turn */ \
	X(END, 3)         /* count, tell the port, free */ \
	X(DROP, 4)        /* free: its request has had its answer, and is counted */
/* clang-format on */

#define X(symbol) CALL_##symbol,
enum call_state { CALL_STATES(X) CALL_STATE_COUNT };
#undef X

#define X(symbol) CALL_EV_##symbol,
enum call_event { CALL_EVENTS(X) CALL_EVENT_COUNT };
#undef X

#define X(symbol, bit) CALL_DO_##symbol = 1 << (bit),
enum call_action { CALL_ACTIONS(X) };
#undef X

struct call_step {
	bool set, never;
	enum call_state next;
	unsigned actions; /* to be done in the order of their bits */
};

struct call_step call_next(enum call_state now, enum call_event event); /* asserts that the cell is not a "never" */
struct call_step call_cell(enum call_state now, enum call_event event);

const char *call_state_name(enum call_state s);
const char *call_event_name(enum call_event e);

#endif
