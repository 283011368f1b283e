/*
 * The stop ladder of one child process, as a pure table: close its stdin and wait, SIGTERM its group and wait, SIGKILL
 * its group, reap it, sweep what it left. It also knows a child that ends on its own. It takes events and says what to
 * do; child.c does it, and the simulator does it to children that do not exist.
 */
#ifndef SLUICE_SUPERVISE_LADDER_H
#define SLUICE_SUPERVISE_LADDER_H

#include <stdbool.h>

/* clang-format off */
#define LADDER_STATES(X) \
	X(RUNNING)   /* nobody asked it to stop */ \
	X(EOF_SENT)  /* its stdin is closed; it has `eof` to leave */ \
	X(TERM_SENT) /* the group got SIGTERM; it has `term` to leave */ \
	X(KILL_SENT) /* the group got SIGKILL */ \
	X(EXITED)    /* the leader is a zombie that we keep; its family leaves, the rest of stdout is read, in bounded time */ \
	X(GONE)      /* reaped and swept: the end */
#define LADDER_EVENTS(X) \
	X(STOP)       /* go down step by step */ \
	X(STOP_FAST)  /* EOF and SIGTERM together, SIGKILL after `fast` */ \
	X(KILL)       /* SIGKILL now */ \
	X(TIME)       /* the timer of the present step is up */ \
	X(EXIT)       /* the leader has ended */ \
	X(OUTPUT_END) /* its stdout is at end of file */
/*
 * ARM_FAST after SIGTERM never moves the timer that is set to a later point. KEEP_TIMER: the one that runs is that of
 * the next state. TELL_GONE comes when orphans are swept.
 */
#define LADDER_ACTIONS(X) \
	X(CLOSE_STDIN, 0) X(TERM_GROUP, 1) X(KILL_GROUP, 2) X(REAP, 3) \
	X(ARM_EOF, 4) X(ARM_TERM, 5) X(ARM_FAST, 6) X(ARM_KILL, 7) X(ARM_OUTPUT, 8) X(DISARM, 9) \
	X(TELL_GONE, 10) X(COUNT_KILLED, 11) X(KEEP_TIMER, 12)
/* clang-format on */

#define X(name) LADDER_##name,
enum ladder_state { LADDER_STATES(X) LADDER_STATE_COUNT };
#undef X

#define X(name) LADDER_EV_##name,
enum ladder_event { LADDER_EVENTS(X) LADDER_EVENT_COUNT };
#undef X

enum ladder_action {
#define X(name, bit) LADDER_DO_##name = 1 << (bit),
	LADDER_ACTIONS(X)
#undef X
};

struct ladder_step {
	bool set;   /* every cell of the table is */
	bool never; /* this cannot happen: our mistake */
	enum ladder_state next;
	unsigned actions; /* to be done in the order of their bits */
};

/* Asserts that the cell is not a "never". */
struct ladder_step ladder_next(enum ladder_state state, enum ladder_event event);

/* The cell as it stands, for tests. */
struct ladder_step ladder_cell(enum ladder_state state, enum ladder_event event);

const char *ladder_state_name(enum ladder_state s);
const char *ladder_event_name(enum ladder_event e);

#endif
