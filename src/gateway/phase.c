#include "gateway/phase.h"

#include <assert.h>

/* clang-format off */
#define DO(action) PHASE_DO_##action
#define GO(phase, todo) { .set = true, .next = PHASE_##phase, .actions = (todo) }
#define NEVER { .set = true, .never = true }

#define REFUSE (DO(ANNOUNCE) | DO(REFUSE_NEW))
#define LEAVE_NOW (DO(FORCED) | DO(REFUSE_NEW) | DO(CUT_CALLS) | DO(KILL_BACKENDS) | DO(EXIT))

static const struct phase_step table[PHASE_COUNT][PHASE_EVENT_COUNT] = {
[PHASE_STARTING] = {
	[PHASE_EV_STARTED]        = GO(READY,             0),
	[PHASE_EV_START_DEADLINE] = GO(DRAINING,          DO(SET_BUDGET) | REFUSE | DO(STOP_UNREADY)),
	[PHASE_EV_DRAIN]          = GO(STARTING_HELD,     DO(ANNOUNCE)),
	[PHASE_EV_DRAIN_CANCEL]   = GO(STARTING,          0),
	[PHASE_EV_SIGTERM]        = GO(DRAINING,          DO(SET_BUDGET) | REFUSE | DO(STOP_UNREADY)),
	[PHASE_EV_SIGINT]         = GO(DRAINING,          DO(SET_BUDGET) | REFUSE | DO(STOP_UNREADY)),
	[PHASE_EV_STDIN_EOF]      = GO(DRAINING,          DO(SET_BUDGET) | REFUSE), /* what was piped in may wait for a start */
	[PHASE_EV_AGAIN]          = NEVER,
	[PHASE_EV_NOW]            = GO(EXITING,           DO(SET_BUDGET) | LEAVE_NOW),
	[PHASE_EV_LAME_DUCK_OVER] = NEVER,
	[PHASE_EV_CALLS_DONE]     = GO(STARTING,          0),
	[PHASE_EV_STOP_TIME]      = NEVER,
	[PHASE_EV_BACKENDS_DONE]  = NEVER,
	[PHASE_EV_END_TIME]       = NEVER,
	[PHASE_EV_FRONTS_DONE]    = NEVER,
},
[PHASE_READY] = {
	[PHASE_EV_STARTED]        = GO(READY,             0),
	[PHASE_EV_START_DEADLINE] = GO(READY,             0), /* met; a loss later is another matter */
	[PHASE_EV_DRAIN]          = GO(LAME_DUCK_HELD,    DO(ANNOUNCE)),
	[PHASE_EV_DRAIN_CANCEL]   = GO(READY,             0),
	[PHASE_EV_SIGTERM]        = GO(LAME_DUCK,         DO(SET_BUDGET) | DO(ANNOUNCE) | DO(ARM_LAME_DUCK)),
	[PHASE_EV_SIGINT]         = GO(DRAINING,          DO(SET_BUDGET) | REFUSE),
	[PHASE_EV_STDIN_EOF]      = GO(DRAINING,          DO(SET_BUDGET) | REFUSE),
	[PHASE_EV_AGAIN]          = NEVER,
	[PHASE_EV_NOW]            = GO(EXITING,           DO(SET_BUDGET) | LEAVE_NOW),
	[PHASE_EV_LAME_DUCK_OVER] = NEVER,
	[PHASE_EV_CALLS_DONE]     = GO(READY,             0),
	[PHASE_EV_STOP_TIME]      = NEVER,
	[PHASE_EV_BACKENDS_DONE]  = NEVER,
	[PHASE_EV_END_TIME]       = NEVER,
	[PHASE_EV_FRONTS_DONE]    = NEVER,
},
[PHASE_STARTING_HELD] = {
	[PHASE_EV_STARTED]        = GO(LAME_DUCK_HELD,    0),
	[PHASE_EV_START_DEADLINE] = GO(DRAINING,          DO(SET_BUDGET) | DO(REFUSE_NEW) | DO(STOP_UNREADY)),
	[PHASE_EV_DRAIN]          = GO(STARTING_HELD,     0),
	[PHASE_EV_DRAIN_CANCEL]   = GO(STARTING,          DO(UNANNOUNCE)),
	[PHASE_EV_SIGTERM]        = GO(DRAINING,          DO(SET_BUDGET) | DO(REFUSE_NEW) | DO(STOP_UNREADY)), /* nobody was sent here */
	[PHASE_EV_SIGINT]         = GO(DRAINING,          DO(SET_BUDGET) | DO(REFUSE_NEW) | DO(STOP_UNREADY)),
	[PHASE_EV_STDIN_EOF]      = GO(DRAINING,          DO(SET_BUDGET) | DO(REFUSE_NEW)),
	[PHASE_EV_AGAIN]          = NEVER,
	[PHASE_EV_NOW]            = GO(EXITING,           DO(SET_BUDGET) | LEAVE_NOW),
	[PHASE_EV_LAME_DUCK_OVER] = NEVER,
	[PHASE_EV_CALLS_DONE]     = GO(STARTING_HELD,     0),
	[PHASE_EV_STOP_TIME]      = NEVER,
	[PHASE_EV_BACKENDS_DONE]  = NEVER,
	[PHASE_EV_END_TIME]       = NEVER,
	[PHASE_EV_FRONTS_DONE]    = NEVER,
},
[PHASE_LAME_DUCK_HELD] = {
	[PHASE_EV_STARTED]        = GO(LAME_DUCK_HELD,    0),
	[PHASE_EV_START_DEADLINE] = GO(LAME_DUCK_HELD,    0),
	[PHASE_EV_DRAIN]          = GO(LAME_DUCK_HELD,    0),
	[PHASE_EV_DRAIN_CANCEL]   = GO(READY,             DO(UNANNOUNCE)),
	[PHASE_EV_SIGTERM]        = GO(LAME_DUCK,         DO(SET_BUDGET) | DO(ARM_LAME_DUCK)),
	[PHASE_EV_SIGINT]         = GO(DRAINING,          DO(SET_BUDGET) | DO(REFUSE_NEW)),
	[PHASE_EV_STDIN_EOF]      = GO(DRAINING,          DO(SET_BUDGET) | DO(REFUSE_NEW)),
	[PHASE_EV_AGAIN]          = NEVER,
	[PHASE_EV_NOW]            = GO(EXITING,           DO(SET_BUDGET) | LEAVE_NOW),
	[PHASE_EV_LAME_DUCK_OVER] = NEVER,
	[PHASE_EV_CALLS_DONE]     = GO(LAME_DUCK_HELD,    0),
	[PHASE_EV_STOP_TIME]      = NEVER,
	[PHASE_EV_BACKENDS_DONE]  = NEVER,
	[PHASE_EV_END_TIME]       = NEVER,
	[PHASE_EV_FRONTS_DONE]    = NEVER,
},
[PHASE_LAME_DUCK] = {
	[PHASE_EV_STARTED]        = GO(LAME_DUCK,         0),
	[PHASE_EV_START_DEADLINE] = GO(LAME_DUCK,         0),
	[PHASE_EV_DRAIN]          = GO(LAME_DUCK,         0),
	[PHASE_EV_DRAIN_CANCEL]   = GO(LAME_DUCK,         0), /* no way back from a signal */
	[PHASE_EV_SIGTERM]        = GO(LAME_DUCK,         0),
	[PHASE_EV_SIGINT]         = GO(LAME_DUCK,         0),
	[PHASE_EV_STDIN_EOF]      = GO(DRAINING,          DO(REFUSE_NEW)), /* nothing new can come */
	[PHASE_EV_AGAIN]          = GO(HURRYING,          DO(FORCED) | DO(REFUSE_NEW) | DO(HURRY_CALLS)),
	[PHASE_EV_NOW]            = GO(EXITING,           LEAVE_NOW),
	[PHASE_EV_LAME_DUCK_OVER] = GO(DRAINING,          DO(REFUSE_NEW)),
	[PHASE_EV_CALLS_DONE]     = GO(LAME_DUCK,         0), /* more may come */
	[PHASE_EV_STOP_TIME]      = GO(STOPPING_BACKENDS, DO(REFUSE_NEW) | DO(CUT_CALLS) | DO(STOP_BACKENDS)),
	[PHASE_EV_BACKENDS_DONE]  = NEVER,
	[PHASE_EV_END_TIME]       = GO(EXITING,           LEAVE_NOW),
	[PHASE_EV_FRONTS_DONE]    = NEVER,
},
[PHASE_DRAINING] = {
	[PHASE_EV_STARTED]        = GO(DRAINING,          0),
	[PHASE_EV_START_DEADLINE] = GO(DRAINING,          0),
	[PHASE_EV_DRAIN]          = GO(DRAINING,          0),
	[PHASE_EV_DRAIN_CANCEL]   = GO(DRAINING,          0),
	[PHASE_EV_SIGTERM]        = GO(DRAINING,          0), /* the first signal, after START_DEADLINE */
	[PHASE_EV_SIGINT]         = GO(DRAINING,          0),
	[PHASE_EV_STDIN_EOF]      = GO(DRAINING,          0),
	[PHASE_EV_AGAIN]          = GO(HURRYING,          DO(FORCED) | DO(HURRY_CALLS)),
	[PHASE_EV_NOW]            = GO(EXITING,           LEAVE_NOW),
	[PHASE_EV_LAME_DUCK_OVER] = GO(DRAINING,          0),
	[PHASE_EV_CALLS_DONE]     = GO(STOPPING_BACKENDS, DO(STOP_BACKENDS)),
	[PHASE_EV_STOP_TIME]      = GO(STOPPING_BACKENDS, DO(CUT_CALLS) | DO(STOP_BACKENDS)),
	[PHASE_EV_BACKENDS_DONE]  = GO(DRAINING,          0), /* STOP_UNREADY found all of them unready */
	[PHASE_EV_END_TIME]       = GO(EXITING,           LEAVE_NOW),
	[PHASE_EV_FRONTS_DONE]    = NEVER,
},
[PHASE_HURRYING] = {
	[PHASE_EV_STARTED]        = GO(HURRYING,          0),
	[PHASE_EV_START_DEADLINE] = GO(HURRYING,          0),
	[PHASE_EV_DRAIN]          = GO(HURRYING,          0),
	[PHASE_EV_DRAIN_CANCEL]   = GO(HURRYING,          0),
	[PHASE_EV_SIGTERM]        = GO(HURRYING,          0),
	[PHASE_EV_SIGINT]         = GO(HURRYING,          0),
	[PHASE_EV_STDIN_EOF]      = GO(HURRYING,          0),
	[PHASE_EV_AGAIN]          = NEVER,
	[PHASE_EV_NOW]            = GO(EXITING,           LEAVE_NOW),
	[PHASE_EV_LAME_DUCK_OVER] = GO(HURRYING,          0),
	[PHASE_EV_CALLS_DONE]     = GO(STOPPING_BACKENDS, DO(STOP_FAST)),
	[PHASE_EV_STOP_TIME]      = GO(STOPPING_BACKENDS, DO(CUT_CALLS) | DO(STOP_FAST)),
	[PHASE_EV_BACKENDS_DONE]  = GO(HURRYING,          0),
	[PHASE_EV_END_TIME]       = GO(EXITING,           LEAVE_NOW),
	[PHASE_EV_FRONTS_DONE]    = NEVER,
},
[PHASE_STOPPING_BACKENDS] = {
	[PHASE_EV_STARTED]        = GO(STOPPING_BACKENDS, 0),
	[PHASE_EV_START_DEADLINE] = GO(STOPPING_BACKENDS, 0),
	[PHASE_EV_DRAIN]          = GO(STOPPING_BACKENDS, 0),
	[PHASE_EV_DRAIN_CANCEL]   = GO(STOPPING_BACKENDS, 0),
	[PHASE_EV_SIGTERM]        = GO(STOPPING_BACKENDS, 0),
	[PHASE_EV_SIGINT]         = GO(STOPPING_BACKENDS, 0),
	[PHASE_EV_STDIN_EOF]      = GO(STOPPING_BACKENDS, 0),
	[PHASE_EV_AGAIN]          = GO(STOPPING_BACKENDS, DO(FORCED) | DO(HURRY_END) | DO(STOP_FAST)),
	[PHASE_EV_NOW]            = GO(EXITING,           LEAVE_NOW),
	[PHASE_EV_LAME_DUCK_OVER] = GO(STOPPING_BACKENDS, 0),
	[PHASE_EV_CALLS_DONE]     = GO(STOPPING_BACKENDS, 0), /* by CUT_CALLS */
	[PHASE_EV_STOP_TIME]      = GO(STOPPING_BACKENDS, 0), /* the calls were done before it */
	[PHASE_EV_BACKENDS_DONE]  = GO(EXITING,           DO(CLOSE_FRONTS)),
	[PHASE_EV_END_TIME]       = GO(EXITING,           LEAVE_NOW),
	[PHASE_EV_FRONTS_DONE]    = NEVER,
},
[PHASE_EXITING] = {
	[PHASE_EV_STARTED]        = GO(EXITING,           0),
	[PHASE_EV_START_DEADLINE] = GO(EXITING,           0),
	[PHASE_EV_DRAIN]          = GO(EXITING,           0),
	[PHASE_EV_DRAIN_CANCEL]   = GO(EXITING,           0),
	[PHASE_EV_SIGTERM]        = GO(EXITING,           0),
	[PHASE_EV_SIGINT]         = GO(EXITING,           0),
	[PHASE_EV_STDIN_EOF]      = GO(EXITING,           0),
	[PHASE_EV_AGAIN]          = GO(EXITING,           DO(FORCED) | DO(HURRY_END)), /* a reader may be slow, or not read at all */
	[PHASE_EV_NOW]            = GO(EXITING,           DO(FORCED) | DO(EXIT)),
	[PHASE_EV_LAME_DUCK_OVER] = GO(EXITING,           0),
	[PHASE_EV_CALLS_DONE]     = GO(EXITING,           0),
	[PHASE_EV_STOP_TIME]      = GO(EXITING,           0),
	[PHASE_EV_BACKENDS_DONE]  = GO(EXITING,           0),
	[PHASE_EV_END_TIME]       = GO(EXITING,           DO(EXIT)),
	[PHASE_EV_FRONTS_DONE]    = GO(EXITING,           DO(EXIT)),
},
};
/* clang-format on */

struct phase_step phase_cell(enum phase now, enum phase_event event)
{
	assert(now < PHASE_COUNT && event < PHASE_EVENT_COUNT);
	return table[now][event];
}

struct phase_step phase_next(enum phase now, enum phase_event event)
{
	struct phase_step step = phase_cell(now, event);

	assert(step.set && !step.never);
	return step;
}

const char *phase_name(enum phase p)
{
	static const char *const names[PHASE_COUNT] = {
#define X(symbol, name) [PHASE_##symbol] = name,
		PHASES(X)
#undef X
	};

	assert(p < PHASE_COUNT);
	return names[p];
}

const char *phase_event_name(enum phase_event e)
{
	static const char *const names[PHASE_EVENT_COUNT] = {
#define X(symbol, name) [PHASE_EV_##symbol] = name,
		PHASE_EVENTS(X)
#undef X
	};

	assert(e < PHASE_EVENT_COUNT);
	return names[e];
}
