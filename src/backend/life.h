/*
 * The life of a backend, as a pure table: state x event -> state, actions. Around it the arithmetic that goes with it:
 * how long to wait before the next try, when calls fail at once, when a server that nobody uses is stopped. No I/O, no
 * clock and no randomness of its own: stdio.c steps it and does the actions, and the simulator does the same to
 * servers that do not exist. The owner embeds a struct life; it holds no memory.
 */
#ifndef SLUICE_BACKEND_LIFE_H
#define SLUICE_BACKEND_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* What the rest of the program sees of it. */
/* clang-format off */
#define BACKEND_STATES(X) \
	X(STOPPED,  "stopped")  /* not running and not wanted: never started yet, or asked to stop */ \
	X(STARTING, "starting") /* spawning or connecting, initialize, first lists */ \
	X(READY,    "ready") \
	X(BACKOFF,  "backoff")  /* the last try failed or the process died; the next try has its time */ \
	X(IDLE,     "idle")     /* stopped for want of use; the next call brings it back. Counts as up */ \
	X(STOPPING, "stopping") /* the ladder is at work */

/* What it is in truth, and as what it is shown. */
#define LIFE_STATES(X) \
	X(STOPPED,  STOPPED)  /* never started yet */ \
	X(STARTING, STARTING) /* the process runs, the handshake is on its way */ \
	X(READY,    READY) \
	X(FALLING,  BACKOFF)  /* it died, or broke and is being ended; answers that it still wrote are read */ \
	X(BACKOFF,  BACKOFF)  /* no process; the next try has its time */ \
	X(PARKING,  IDLE)     /* the ladder of an idle stop is at work */ \
	X(WAKING,   STARTING) /* the old process is being ended, and another one is started when it is gone */ \
	X(IDLE,     IDLE)     /* no process, for want of use */ \
	X(STOPPING, STOPPING) /* asked to stop; the ladder is at work */ \
	X(ENDED,    STOPPED)  /* asked to stop, and gone. Nothing starts it again */

#define LIFE_EVENTS(X) \
	X(WANT)      /* somebody wants it: asked to start, or a call came */ \
	X(NO_SPAWN)  /* the process could not be started */ \
	X(UP)        /* the handshake is complete */ \
	X(REFUSED)   /* the handshake failed */ \
	X(ANOTHER)   /* this process does not go on, but another one may: it is to be spoken to differently */ \
	X(MUTE)      /* its stdout is at end of file: no answer can come any more */ \
	X(DEAF)      /* its stdin refuses writes */ \
	X(EXIT)      /* the process has ended; what it wrote may still be in the pipe */ \
	X(GONE)      /* reaped and swept, pipes are closed */ \
	X(TIME)      /* the timer: of the startup, of the next try, of idleness */ \
	X(NO_MORE)   /* no process is started any more: the one that there is, if any, is the last */ \
	X(STOP)      /* asked to stop: by the ladder, fast, at once */ \
	X(STOP_FAST) \
	X(STOP_KILL)

/* In the order in which they are to be done: those that may lead to the next event come last. */
#define LIFE_ACTIONS(X) \
	X(COUNT_FAILURE, 0) /* done by life_on itself, like the next two */ \
	X(COUNT_SUCCESS, 1) \
	X(COUNT_DEATH, 2) \
	X(DISARM, 3) \
	X(ARM_STARTUP, 4) X(ARM_BACKOFF, 5) X(ARM_IDLE, 6) /* the one timer, at the point that life_on tells */ \
	X(FAIL_SENT, 7)     /* calls of which the process has seen a byte: backend_exited, unknown */ \
	X(FAIL_QUEUED, 8)   /* calls that wait: backend_unavailable, not sent */ \
	X(FLUSH, 9)         /* calls that wait are written */ \
	X(LADDER, 10) X(FAST, 11) X(KILL, 12) /* child_stop */ \
	X(SPAWN, 13)        /* and begin the handshake */
/* clang-format on */

#define X(symbol, name) BACKEND_##symbol,
enum backend_state { BACKEND_STATES(X) BACKEND_STATE_COUNT };
#undef X

#define X(symbol, shown) LIFE_##symbol,
enum life_state { LIFE_STATES(X) LIFE_STATE_COUNT };
#undef X

#define X(symbol) LIFE_EV_##symbol,
enum life_event { LIFE_EVENTS(X) LIFE_EVENT_COUNT };
#undef X

enum life_action {
#define X(symbol, bit) LIFE_DO_##symbol = 1 << (bit),
	LIFE_ACTIONS(X)
#undef X
};

enum idle_rule { IDLE_ADAPTIVE, IDLE_NEVER, IDLE_FIXED };

#define LIFE_HOPELESS 5 /* starts that failed in a row, from which on calls fail at once */
#define LIFE_BACKOFF_FIRST_MS 100
#define LIFE_BACKOFF_MOST_MS 30000

struct life_conf {
	msec_t startup_timeout_ms; /* one attempt */
	enum idle_rule idle;
	msec_t idle_ms;                  /* IDLE_FIXED */
	msec_t min_idle_ms, max_idle_ms; /* IDLE_ADAPTIVE */
};

struct life {
	struct life_conf conf;
	enum life_state state;
	bool last;         /* there was a NO_MORE */
	unsigned failures; /* starts that failed in a row */
	unsigned falls;    /* failures and deaths since it last proved its health; they set the delay */
	msec_t delay_ms;   /* the last one */
	mono_t up_at;      /* when it last became ready */
	bool answered;     /* a call since then */
	unsigned in_flight;
	bool held;     /* in use though no call is in flight */
	uint64_t uses; /* calls since `first_use` */
	mono_t first_use, last_use;
};

struct life_step {
	bool set;   /* every cell of the table is */
	bool never; /* this cannot happen: our mistake */
	enum life_state next;
	unsigned actions; /* in the order of their bits */
	mono_t at;        /* for ARM_...; MONO_NEVER: leave the timer idle */
};

void life_init(struct life *l, const struct life_conf *conf);

/*
 * An event has come: steps the state and returns what to do. `random` spreads the delays of ARM_BACKOFF. Asserts that
 * the cell is not a "never".
 */
struct life_step life_on(struct life *l, enum life_event event, mono_t now, uint64_t random);

/* The next `random` for life_on, by splitmix64: for jitter only. `state` begins as a seed. */
uint64_t life_random(uint64_t *state);

/* Why it is in the state that it is shown in: `fault` for BACKOFF, empty when there is nothing to say. */
const char *life_why(const struct life *l, const char *fault);

/* The cell as it stands, for tests. */
struct life_step life_cell(enum life_state state, enum life_event event);

/* True when a call that comes now fails at once instead of waiting for the server. */
bool life_refuses(const struct life *l);

static inline bool life_has_process(const struct life *l)
{
	return l->state != LIFE_STOPPED && l->state != LIFE_BACKOFF && l->state != LIFE_IDLE && l->state != LIFE_ENDED;
}

/* Each call, from submit to its end; `answered`: by the server. */
void life_call_begins(struct life *l, mono_t now);
void life_call_ends(struct life *l, mono_t now, bool answered);

/* When it has been idle for long enough, if no call comes; MONO_NEVER: not ready, never, or it is in use. */
mono_t life_idle_at(const struct life *l);

/* The wait before the next try after the `falls`th fall in a row, from 1. */
msec_t life_backoff_ms(unsigned falls, uint64_t random);

enum backend_state life_shown(enum life_state s);
const char *backend_state_name(enum backend_state s);
const char *life_state_name(enum life_state s);
const char *life_event_name(enum life_event e);

#endif
