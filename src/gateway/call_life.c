#include "gateway/call_life.h"

#include <assert.h>

/* clang-format off */
#define GO(state, todo) { .set = true, .next = CALL_##state, .actions = (todo) }
#define NEVER           { .set = true, .never = true }
#define TAKE_BACK CALL_DO_TAKE_BACK
#define FORGET CALL_DO_FORGET_PORT
#define POST CALL_DO_POST_END
#define END CALL_DO_END
#define DROP CALL_DO_DROP

static const struct call_step table[CALL_STATE_COUNT][CALL_EVENT_COUNT] = {
	[CALL_NEW] = {
		[CALL_EV_HOLD]        = GO(HELD, 0),
		[CALL_EV_SEND]        = GO(AT_BACKEND, 0),
		[CALL_EV_ANSWER]      = GO(ENDING, POST),
		[CALL_EV_BACKEND_END] = NEVER,
		[CALL_EV_TIMEOUT]     = NEVER,
		[CALL_EV_CANCEL]      = NEVER,
		[CALL_EV_GONE]        = NEVER,
		[CALL_EV_CUT]         = NEVER,
		[CALL_EV_INPUT]       = NEVER,
		[CALL_EV_PARK]        = NEVER,
		[CALL_EV_RESUME]      = NEVER,
		[CALL_EV_POSTED]      = NEVER,
	},
	[CALL_HELD] = {
		[CALL_EV_HOLD]        = GO(HELD, 0),
		[CALL_EV_SEND]        = NEVER,
		[CALL_EV_ANSWER]      = GO(ENDING, POST),
		[CALL_EV_BACKEND_END] = NEVER,
		[CALL_EV_TIMEOUT]     = NEVER,
		[CALL_EV_CANCEL]      = GO(ENDING, POST),
		[CALL_EV_GONE]        = GO(ENDED, FORGET | END),
		[CALL_EV_CUT]         = GO(ENDING, POST),
		[CALL_EV_INPUT]       = NEVER,
		[CALL_EV_PARK]        = NEVER,
		[CALL_EV_RESUME]      = NEVER,
		[CALL_EV_POSTED]      = NEVER,
	},
	[CALL_AT_BACKEND] = {
		[CALL_EV_HOLD]        = NEVER,
		[CALL_EV_SEND]        = GO(AT_BACKEND, 0),
		[CALL_EV_ANSWER]      = NEVER,
		[CALL_EV_BACKEND_END] = GO(ENDED, END),
		[CALL_EV_TIMEOUT]     = GO(ENDED, TAKE_BACK | END),
		[CALL_EV_CANCEL]      = GO(ENDING, TAKE_BACK | POST),
		[CALL_EV_GONE]        = GO(DETACHED, FORGET),
		[CALL_EV_CUT]         = GO(ENDING, TAKE_BACK | POST),
		[CALL_EV_INPUT]       = GO(ASKING, 0),
		[CALL_EV_PARK]        = GO(PARKED, FORGET),
		[CALL_EV_RESUME]      = NEVER,
		[CALL_EV_POSTED]      = NEVER,
	},
	[CALL_DETACHED] = {
		[CALL_EV_HOLD]        = NEVER,
		[CALL_EV_SEND]        = GO(DETACHED, 0),
		[CALL_EV_ANSWER]      = NEVER,
		[CALL_EV_BACKEND_END] = GO(ENDED, END),
		[CALL_EV_TIMEOUT]     = GO(ENDED, TAKE_BACK | END),
		[CALL_EV_CANCEL]      = GO(ENDED, TAKE_BACK | END),
		[CALL_EV_GONE]        = NEVER,
		[CALL_EV_CUT]         = GO(ENDED, TAKE_BACK | END),
		[CALL_EV_INPUT]       = GO(ENDED, END),
		[CALL_EV_PARK]        = NEVER,
		[CALL_EV_RESUME]      = NEVER,
		[CALL_EV_POSTED]      = NEVER,
	},
	[CALL_PARKED] = {
		[CALL_EV_HOLD]        = NEVER,
		[CALL_EV_SEND]        = NEVER,
		[CALL_EV_ANSWER]      = NEVER,
		[CALL_EV_BACKEND_END] = GO(KEPT, 0),
		[CALL_EV_TIMEOUT]     = GO(ENDED, TAKE_BACK | DROP),
		[CALL_EV_CANCEL]      = NEVER,
		[CALL_EV_GONE]        = NEVER,
		[CALL_EV_CUT]         = GO(ENDED, TAKE_BACK | DROP),
		[CALL_EV_INPUT]       = NEVER,
		[CALL_EV_PARK]        = NEVER,
		[CALL_EV_RESUME]      = GO(AT_BACKEND, 0),
		[CALL_EV_POSTED]      = NEVER,
	},
	[CALL_ASKING] = {
		[CALL_EV_HOLD]        = NEVER,
		[CALL_EV_SEND]        = GO(AT_BACKEND, 0),
		[CALL_EV_ANSWER]      = GO(ENDING, POST),
		[CALL_EV_BACKEND_END] = NEVER,
		[CALL_EV_TIMEOUT]     = GO(ENDED, END),
		[CALL_EV_CANCEL]      = GO(ENDING, POST),
		[CALL_EV_GONE]        = GO(ENDED, FORGET | END),
		[CALL_EV_CUT]         = GO(ENDING, POST),
		[CALL_EV_INPUT]       = NEVER,
		[CALL_EV_PARK]        = NEVER,
		[CALL_EV_RESUME]      = NEVER,
		[CALL_EV_POSTED]      = NEVER,
	},
	[CALL_KEPT] = {
		[CALL_EV_HOLD]        = NEVER,
		[CALL_EV_SEND]        = NEVER,
		[CALL_EV_ANSWER]      = NEVER,
		[CALL_EV_BACKEND_END] = NEVER,
		[CALL_EV_TIMEOUT]     = GO(ENDED, DROP),
		[CALL_EV_CANCEL]      = NEVER,
		[CALL_EV_GONE]        = NEVER,
		[CALL_EV_CUT]         = GO(ENDED, DROP),
		[CALL_EV_INPUT]       = NEVER,
		[CALL_EV_PARK]        = NEVER,
		[CALL_EV_RESUME]      = GO(ENDING, POST),
		[CALL_EV_POSTED]      = NEVER,
	},
	[CALL_ENDING] = {
		[CALL_EV_HOLD]        = NEVER,
		[CALL_EV_SEND]        = NEVER,
		[CALL_EV_ANSWER]      = NEVER,
		[CALL_EV_BACKEND_END] = NEVER,
		[CALL_EV_TIMEOUT]     = NEVER,
		[CALL_EV_CANCEL]      = GO(ENDING, 0),
		[CALL_EV_GONE]        = GO(ENDING, FORGET),
		[CALL_EV_CUT]         = GO(ENDING, 0),
		[CALL_EV_INPUT]       = NEVER,
		[CALL_EV_PARK]        = NEVER,
		[CALL_EV_RESUME]      = NEVER,
		[CALL_EV_POSTED]      = GO(ENDED, END),
	},
	[CALL_ENDED] = {
		[CALL_EV_HOLD]        = NEVER,
		[CALL_EV_SEND]        = NEVER,
		[CALL_EV_ANSWER]      = NEVER,
		[CALL_EV_BACKEND_END] = NEVER,
		[CALL_EV_TIMEOUT]     = NEVER,
		[CALL_EV_CANCEL]      = NEVER,
		[CALL_EV_GONE]        = NEVER,
		[CALL_EV_CUT]         = NEVER,
		[CALL_EV_INPUT]       = NEVER,
		[CALL_EV_PARK]        = NEVER,
		[CALL_EV_RESUME]      = NEVER,
		[CALL_EV_POSTED]      = NEVER,
	},
};
/* clang-format on */

struct call_step call_cell(enum call_state now, enum call_event event)
{
	assert(now < CALL_STATE_COUNT && event < CALL_EVENT_COUNT);
	return table[now][event];
}

struct call_step call_next(enum call_state now, enum call_event event)
{
	struct call_step step = call_cell(now, event);

	assert(step.set && !step.never);
	return step;
}

const char *call_state_name(enum call_state s)
{
#define X(symbol) [CALL_##symbol] = #symbol,
	static const char *const names[] = { CALL_STATES(X) };
#undef X

	assert(s < CALL_STATE_COUNT);
	return names[s];
}

const char *call_event_name(enum call_event e)
{
#define X(symbol) [CALL_EV_##symbol] = #symbol,
	static const char *const names[] = { CALL_EVENTS(X) };
#undef X

	assert(e < CALL_EVENT_COUNT);
	return names[e];
}
