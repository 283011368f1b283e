/*
 * How a server on a pipe is spoken to, found out with its first words, as a pure table: state x event -> state, what to
 * do. `server/discover` is asked first, and `initialize` only when that was declined or not answered for a while: the
 * two are never sent together, for there are servers that end at any request before `initialize`, and a modern one
 * takes an `initialize` for a wish to speak the old way. Whoever does not know discover says so at once, so it costs
 * such a server one round trip, or that wait, or one process; and only once, for what was found out is remembered.
 */
#ifndef SLUICE_BACKEND_PROBE_H
#define SLUICE_BACKEND_PROBE_H

#include <stdbool.h>

#define PROBE_SILENCE_MS 3000 /* at most, without an answer to discover that it has read */

/* clang-format off */
#define PROBE_STATES(X) \
	X(OFF)     /* no process, or it is found out, or it has failed */ \
	X(SURE)    /* discover is asked of a server that has answered it before */ \
	X(ASKING)  /* discover is asked, for the first time */ \
	X(TURNED)  /* initialize is asked, since it did not want discover, or has not answered it yet */ \
	X(LATE)    /* the same, and meanwhile it has answered discover as a modern server */ \
	X(OLD)     /* initialize was the first word */ \
	X(LAST)    /* discover is asked, since it did not want initialize */

#define PROBE_EVENTS(X) \
	X(MODERN)     /* it says by discover that it speaks the modern revision */ \
	X(NOT_MODERN) /* any other answer to discover */ \
	X(NAMES_US)   /* an error to discover that names the revision that we asked with as one that it speaks */ \
	X(SILENT)     /* none, for a while */ \
	X(LEGACY)     /* initialize has its result */ \
	X(NOT_LEGACY) /* initialize has an error that says that it knows no such thing */ \
	X(REFUSED)    /* initialize has another error */ \
	X(EXIT)       /* the process has ended; it had read discover, and not answered it */

#define PROBE_ACTIONS(X) \
	X(NOTHING) \
	X(DISCOVER)   /* ask it */ \
	X(INITIALIZE) /* ask it */ \
	X(ACCEPT)     /* the answer is what the handshake goes on with */ \
	X(FAIL)       /* this start has failed, with that answer or without one */ \
	X(ANOTHER)    /* another process, to be asked to initialize first */
/* clang-format on */

#define X(symbol) PROBE_##symbol,
enum probe_state { PROBE_STATES(X) PROBE_STATE_COUNT };
#undef X

#define X(symbol) PROBE_EV_##symbol,
enum probe_event { PROBE_EVENTS(X) PROBE_EVENT_COUNT };
#undef X

#define X(symbol) PROBE_DO_##symbol,
enum probe_action { PROBE_ACTIONS(X) };
#undef X

enum probe_verdict { VERDICT_NONE, VERDICT_YES, VERDICT_NO };

/* What is known of a server, from one process to the next; shared by all processes of one configuration. */
struct probe_known {
	enum probe_verdict modern, legacy;
	bool shy; /* a process of it has ended when it was asked to discover, or was never heard of again */
};

struct probe_step {
	bool set; /* every cell of the table is */
	enum probe_state next;
	enum probe_action action;
};

/* A new process; `old_first`: the client behind it speaks a legacy revision, so that is tried first. */
struct probe_step probe_begin(const struct probe_known *known, bool old_first);

struct probe_step probe_on(enum probe_state now, enum probe_event event, struct probe_known *known);

/* It was not ready in time. */
void probe_timed_out(enum probe_state now, struct probe_known *known);

/* The cell as it stands, for tests. */
struct probe_step probe_cell(enum probe_state now, enum probe_event event);

#endif
