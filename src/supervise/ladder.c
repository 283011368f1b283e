#include "supervise/ladder.h"

#include <assert.h>

static const char *const state_names[] = {
#define X(name) [LADDER_##name] = #name,
	LADDER_STATES(X)
#undef X
};

static const char *const event_names[] = {
#define X(name) [LADDER_EV_##name] = #name,
	LADDER_EVENTS(X)
#undef X
};

/* clang-format off */
#define DO(action) LADDER_DO_##action
#define GO(state, what) { .set = true, .next = LADDER_##state, .actions = (what) }
#define STAY(state)     { .set = true, .next = LADDER_##state }
#define NEVER(state)    { .set = true, .never = true, .next = LADDER_##state }

/* Every way of asking closes stdin; every first way into KILL_SENT counts. */
#define KILL_NOW  (DO(KILL_GROUP) | DO(ARM_KILL) | DO(COUNT_KILLED))
/* The group dies while the leader's zombie still keeps its number from being used again (setsid(2), kill(2)). */
#define FINISH    (DO(KILL_GROUP) | DO(REAP) | DO(DISARM) | DO(TELL_GONE))

static const struct ladder_step table[LADDER_STATE_COUNT][LADDER_EVENT_COUNT] = {
	[LADDER_RUNNING] = {
		[LADDER_EV_STOP]       = GO(EOF_SENT,  DO(CLOSE_STDIN) | DO(ARM_EOF)),
		[LADDER_EV_STOP_FAST]  = GO(TERM_SENT, DO(CLOSE_STDIN) | DO(TERM_GROUP) | DO(ARM_FAST)),
		[LADDER_EV_KILL]       = GO(KILL_SENT, DO(CLOSE_STDIN) | KILL_NOW),
		[LADDER_EV_TIME]       = NEVER(RUNNING),
		[LADDER_EV_EXIT]       = GO(EXITED,    DO(TERM_GROUP) | DO(ARM_OUTPUT)), /* a crash: whoever is left */
		[LADDER_EV_OUTPUT_END] = STAY(RUNNING),                                  /* the owner decides */
	},
	[LADDER_EOF_SENT] = {
		[LADDER_EV_STOP]       = STAY(EOF_SENT),
		[LADDER_EV_STOP_FAST]  = GO(TERM_SENT, DO(TERM_GROUP) | DO(ARM_FAST)),
		[LADDER_EV_KILL]       = GO(KILL_SENT, KILL_NOW),
		[LADDER_EV_TIME]       = GO(TERM_SENT, DO(TERM_GROUP) | DO(ARM_TERM)),
		[LADDER_EV_EXIT]       = GO(EXITED,    DO(TERM_GROUP) | DO(ARM_TERM)), /* its family has `term`, too */
		[LADDER_EV_OUTPUT_END] = STAY(EOF_SENT),
	},
	[LADDER_TERM_SENT] = {
		[LADDER_EV_STOP]       = STAY(TERM_SENT),
		[LADDER_EV_STOP_FAST]  = GO(TERM_SENT, DO(ARM_FAST)), /* shortens; never lengthens */
		[LADDER_EV_KILL]       = GO(KILL_SENT, KILL_NOW),
		[LADDER_EV_TIME]       = GO(KILL_SENT, KILL_NOW),
		[LADDER_EV_EXIT]       = GO(EXITED,    DO(KEEP_TIMER)), /* the rest of `term` is its family's */
		[LADDER_EV_OUTPUT_END] = STAY(TERM_SENT),
	},
	[LADDER_KILL_SENT] = {
		[LADDER_EV_STOP]       = STAY(KILL_SENT),
		[LADDER_EV_STOP_FAST]  = STAY(KILL_SENT),
		[LADDER_EV_KILL]       = STAY(KILL_SENT),
		[LADDER_EV_TIME]       = GO(KILL_SENT, DO(KILL_GROUP) | DO(ARM_KILL)), /* stuck in the kernel: go on */
		[LADDER_EV_EXIT]       = GO(EXITED,    DO(ARM_OUTPUT)),
		[LADDER_EV_OUTPUT_END] = STAY(KILL_SENT),
	},
	[LADDER_EXITED] = {
		[LADDER_EV_STOP]       = STAY(EXITED),
		[LADDER_EV_STOP_FAST]  = GO(EXITED,    DO(ARM_FAST)),
		[LADDER_EV_KILL]       = GO(GONE, FINISH),
		[LADDER_EV_TIME]       = GO(GONE, FINISH),
		[LADDER_EV_EXIT]       = NEVER(EXITED),
		[LADDER_EV_OUTPUT_END] = GO(GONE, FINISH),
	},
	[LADDER_GONE] = {
		[LADDER_EV_STOP]       = STAY(GONE),
		[LADDER_EV_STOP_FAST]  = STAY(GONE),
		[LADDER_EV_KILL]       = STAY(GONE),
		[LADDER_EV_TIME]       = NEVER(GONE),
		[LADDER_EV_EXIT]       = NEVER(GONE),
		[LADDER_EV_OUTPUT_END] = STAY(GONE),
	},
};
/* clang-format on */

struct ladder_step ladder_cell(enum ladder_state state, enum ladder_event event)
{
	assert(state < LADDER_STATE_COUNT && event < LADDER_EVENT_COUNT);
	return table[state][event];
}

struct ladder_step ladder_next(enum ladder_state state, enum ladder_event event)
{
	struct ladder_step step = ladder_cell(state, event);

	assert(step.set && !step.never);
	return step;
}

const char *ladder_state_name(enum ladder_state s)
{
	assert(s < LADDER_STATE_COUNT);
	return state_names[s];
}

const char *ladder_event_name(enum ladder_event e)
{
	assert(e < LADDER_EVENT_COUNT);
	return event_names[e];
}
