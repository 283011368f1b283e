#include "backend/life.h"

#include <assert.h>

#define GO(state, do)                                              \
	{                                                          \
		.set = true, .next = LIFE_##state, .actions = (do) \
	}
#define NEVER                              \
	{                                  \
		.set = true, .never = true \
	}

#define DO(name) LIFE_DO_##name
#define NOTHING 0
#define LAUNCH (DO(ARM_STARTUP) | DO(SPAWN))
#define FAILED (DO(COUNT_FAILURE) | DO(DISARM))
#define DIED (DO(COUNT_DEATH) | DO(DISARM))

/*
 * What a peer or a late event can bring about is never a "never": an UP or REFUSED that comes while the process is
 * being ended is ignored, and so is a pipe that breaks then.
 */
/* clang-format off */
static const struct life_step table[LIFE_STATE_COUNT][LIFE_EVENT_COUNT] = {
	[LIFE_STOPPED] = {
		[LIFE_EV_WANT]      = GO(STARTING, LAUNCH),
		[LIFE_EV_NO_SPAWN]  = NEVER,
		[LIFE_EV_UP]        = NEVER,
		[LIFE_EV_REFUSED]   = NEVER,
		[LIFE_EV_ANOTHER]   = NEVER,
		[LIFE_EV_MUTE]      = NEVER,
		[LIFE_EV_DEAF]      = NEVER,
		[LIFE_EV_EXIT]      = NEVER,
		[LIFE_EV_GONE]      = NEVER,
		[LIFE_EV_TIME]      = NEVER,
		[LIFE_EV_NO_MORE]   = GO(ENDED,    NOTHING),
		[LIFE_EV_STOP]      = GO(ENDED,    NOTHING),
		[LIFE_EV_STOP_FAST] = GO(ENDED,    NOTHING),
		[LIFE_EV_STOP_KILL] = GO(ENDED,    NOTHING),
	},
	[LIFE_STARTING] = {
		[LIFE_EV_WANT]      = GO(STARTING, NOTHING),
		[LIFE_EV_NO_SPAWN]  = GO(BACKOFF,  FAILED | DO(ARM_BACKOFF)),
		[LIFE_EV_UP]        = GO(READY,    DO(COUNT_SUCCESS) | DO(DISARM) | DO(ARM_IDLE) | DO(FLUSH)),
		[LIFE_EV_REFUSED]   = GO(FALLING,  FAILED | DO(FAST)),
		[LIFE_EV_ANOTHER]   = GO(WAKING,   DO(DISARM) | DO(FAST)),
		[LIFE_EV_MUTE]      = GO(FALLING,  FAILED | DO(FAST)),
		[LIFE_EV_DEAF]      = GO(FALLING,  FAILED | DO(FAST)),
		[LIFE_EV_EXIT]      = GO(FALLING,  FAILED),
		[LIFE_EV_GONE]      = NEVER,
		[LIFE_EV_TIME]      = GO(FALLING,  FAILED | DO(FAST)),
		[LIFE_EV_NO_MORE]   = GO(STARTING, NOTHING),
		/* interface.md, 5: not yet initialized, so it gets EOF and SIGTERM together */
		[LIFE_EV_STOP]      = GO(STOPPING, DO(DISARM) | DO(FAIL_QUEUED) | DO(FAST)),
		[LIFE_EV_STOP_FAST] = GO(STOPPING, DO(DISARM) | DO(FAIL_QUEUED) | DO(FAST)),
		[LIFE_EV_STOP_KILL] = GO(STOPPING, DO(DISARM) | DO(FAIL_QUEUED) | DO(KILL)),
	},
	[LIFE_READY] = {
		[LIFE_EV_WANT]      = GO(READY,    NOTHING),
		[LIFE_EV_NO_SPAWN]  = NEVER,
		[LIFE_EV_UP]        = NEVER,
		[LIFE_EV_REFUSED]   = NEVER,
		[LIFE_EV_ANOTHER]   = NEVER,
		[LIFE_EV_MUTE]      = GO(FALLING,  DIED | DO(FAIL_SENT) | DO(LADDER)),
		[LIFE_EV_DEAF]      = GO(FALLING,  DIED | DO(LADDER)),
		[LIFE_EV_EXIT]      = GO(FALLING,  DIED),
		[LIFE_EV_GONE]      = NEVER,
		[LIFE_EV_TIME]      = GO(PARKING,  DO(LADDER)),
		[LIFE_EV_NO_MORE]   = GO(READY,    NOTHING),
		[LIFE_EV_STOP]      = GO(STOPPING, DO(DISARM) | DO(FAIL_QUEUED) | DO(LADDER)),
		[LIFE_EV_STOP_FAST] = GO(STOPPING, DO(DISARM) | DO(FAIL_QUEUED) | DO(FAST)),
		[LIFE_EV_STOP_KILL] = GO(STOPPING, DO(DISARM) | DO(FAIL_QUEUED) | DO(KILL)),
	},
	[LIFE_FALLING] = {
		[LIFE_EV_WANT]      = GO(FALLING,  NOTHING),
		[LIFE_EV_NO_SPAWN]  = NEVER,
		[LIFE_EV_UP]        = GO(FALLING,  NOTHING),
		[LIFE_EV_REFUSED]   = GO(FALLING,  NOTHING),
		[LIFE_EV_ANOTHER]   = GO(FALLING,  NOTHING),
		[LIFE_EV_MUTE]      = GO(FALLING,  DO(FAIL_SENT)),
		[LIFE_EV_DEAF]      = GO(FALLING,  NOTHING),
		[LIFE_EV_EXIT]      = GO(FALLING,  NOTHING),
		[LIFE_EV_GONE]      = GO(BACKOFF,  DO(FAIL_SENT) | DO(ARM_BACKOFF)),
		[LIFE_EV_TIME]      = NEVER,
		[LIFE_EV_NO_MORE]   = GO(STOPPING, DO(FAIL_QUEUED)),
		[LIFE_EV_STOP]      = GO(STOPPING, DO(FAIL_QUEUED) | DO(LADDER)),
		[LIFE_EV_STOP_FAST] = GO(STOPPING, DO(FAIL_QUEUED) | DO(FAST)),
		[LIFE_EV_STOP_KILL] = GO(STOPPING, DO(FAIL_QUEUED) | DO(KILL)),
	},
	[LIFE_BACKOFF] = {
		[LIFE_EV_WANT]      = GO(BACKOFF,  NOTHING),
		[LIFE_EV_NO_SPAWN]  = NEVER,
		[LIFE_EV_UP]        = NEVER,
		[LIFE_EV_REFUSED]   = NEVER,
		[LIFE_EV_ANOTHER]   = NEVER,
		[LIFE_EV_MUTE]      = NEVER,
		[LIFE_EV_DEAF]      = NEVER,
		[LIFE_EV_EXIT]      = NEVER,
		[LIFE_EV_GONE]      = NEVER,
		[LIFE_EV_TIME]      = GO(STARTING, LAUNCH),
		[LIFE_EV_NO_MORE]   = GO(ENDED,    DO(DISARM) | DO(FAIL_QUEUED)),
		[LIFE_EV_STOP]      = GO(ENDED,    DO(DISARM) | DO(FAIL_QUEUED)),
		[LIFE_EV_STOP_FAST] = GO(ENDED,    DO(DISARM) | DO(FAIL_QUEUED)),
		[LIFE_EV_STOP_KILL] = GO(ENDED,    DO(DISARM) | DO(FAIL_QUEUED)),
	},
	[LIFE_PARKING] = {
		[LIFE_EV_WANT]      = GO(WAKING,   NOTHING),
		[LIFE_EV_NO_SPAWN]  = NEVER,
		[LIFE_EV_UP]        = GO(PARKING,  NOTHING),
		[LIFE_EV_REFUSED]   = GO(PARKING,  NOTHING),
		[LIFE_EV_ANOTHER]   = GO(PARKING,  NOTHING),
		[LIFE_EV_MUTE]      = GO(PARKING,  NOTHING),
		[LIFE_EV_DEAF]      = GO(PARKING,  NOTHING),
		[LIFE_EV_EXIT]      = GO(PARKING,  NOTHING),
		[LIFE_EV_GONE]      = GO(IDLE,     NOTHING),
		[LIFE_EV_TIME]      = NEVER,
		[LIFE_EV_NO_MORE]   = GO(STOPPING, NOTHING),
		[LIFE_EV_STOP]      = GO(STOPPING, DO(LADDER)),
		[LIFE_EV_STOP_FAST] = GO(STOPPING, DO(FAST)),
		[LIFE_EV_STOP_KILL] = GO(STOPPING, DO(KILL)),
	},
	[LIFE_WAKING] = {
		[LIFE_EV_WANT]      = GO(WAKING,   NOTHING),
		[LIFE_EV_NO_SPAWN]  = NEVER,
		[LIFE_EV_UP]        = GO(WAKING,   NOTHING),
		[LIFE_EV_REFUSED]   = GO(WAKING,   NOTHING),
		[LIFE_EV_ANOTHER]   = GO(WAKING,   NOTHING),
		[LIFE_EV_MUTE]      = GO(WAKING,   NOTHING),
		[LIFE_EV_DEAF]      = GO(WAKING,   NOTHING),
		[LIFE_EV_EXIT]      = GO(WAKING,   NOTHING),
		[LIFE_EV_GONE]      = GO(STARTING, LAUNCH),
		[LIFE_EV_TIME]      = NEVER,
		[LIFE_EV_NO_MORE]   = GO(STOPPING, DO(FAIL_QUEUED)),
		[LIFE_EV_STOP]      = GO(STOPPING, DO(FAIL_QUEUED) | DO(LADDER)),
		[LIFE_EV_STOP_FAST] = GO(STOPPING, DO(FAIL_QUEUED) | DO(FAST)),
		[LIFE_EV_STOP_KILL] = GO(STOPPING, DO(FAIL_QUEUED) | DO(KILL)),
	},
	[LIFE_IDLE] = {
		[LIFE_EV_WANT]      = GO(STARTING, LAUNCH),
		[LIFE_EV_NO_SPAWN]  = NEVER,
		[LIFE_EV_UP]        = NEVER,
		[LIFE_EV_REFUSED]   = NEVER,
		[LIFE_EV_ANOTHER]   = NEVER,
		[LIFE_EV_MUTE]      = NEVER,
		[LIFE_EV_DEAF]      = NEVER,
		[LIFE_EV_EXIT]      = NEVER,
		[LIFE_EV_GONE]      = NEVER,
		[LIFE_EV_TIME]      = NEVER,
		[LIFE_EV_NO_MORE]   = GO(ENDED,    NOTHING),
		[LIFE_EV_STOP]      = GO(ENDED,    NOTHING),
		[LIFE_EV_STOP_FAST] = GO(ENDED,    NOTHING),
		[LIFE_EV_STOP_KILL] = GO(ENDED,    NOTHING),
	},
	[LIFE_STOPPING] = {
		[LIFE_EV_WANT]      = GO(STOPPING, NOTHING),
		[LIFE_EV_NO_SPAWN]  = NEVER,
		[LIFE_EV_UP]        = GO(STOPPING, NOTHING),
		[LIFE_EV_REFUSED]   = GO(STOPPING, NOTHING),
		[LIFE_EV_ANOTHER]   = GO(STOPPING, NOTHING),
		[LIFE_EV_MUTE]      = GO(STOPPING, DO(FAIL_SENT)),
		[LIFE_EV_DEAF]      = GO(STOPPING, NOTHING),
		[LIFE_EV_EXIT]      = GO(STOPPING, NOTHING),
		[LIFE_EV_GONE]      = GO(ENDED,    DO(FAIL_SENT)),
		[LIFE_EV_TIME]      = NEVER,
		[LIFE_EV_NO_MORE]   = GO(STOPPING, NOTHING),
		[LIFE_EV_STOP]      = GO(STOPPING, NOTHING),
		[LIFE_EV_STOP_FAST] = GO(STOPPING, DO(FAST)),
		[LIFE_EV_STOP_KILL] = GO(STOPPING, DO(KILL)),
	},
	[LIFE_ENDED] = {
		[LIFE_EV_WANT]      = GO(ENDED,    NOTHING),
		[LIFE_EV_NO_SPAWN]  = NEVER,
		[LIFE_EV_UP]        = NEVER,
		[LIFE_EV_REFUSED]   = NEVER,
		[LIFE_EV_ANOTHER]   = NEVER,
		[LIFE_EV_MUTE]      = NEVER,
		[LIFE_EV_DEAF]      = NEVER,
		[LIFE_EV_EXIT]      = NEVER,
		[LIFE_EV_GONE]      = NEVER,
		[LIFE_EV_TIME]      = NEVER,
		[LIFE_EV_NO_MORE]   = GO(ENDED,    NOTHING),
		[LIFE_EV_STOP]      = GO(ENDED,    NOTHING),
		[LIFE_EV_STOP_FAST] = GO(ENDED,    NOTHING),
		[LIFE_EV_STOP_KILL] = GO(ENDED,    NOTHING),
	},
};
/* clang-format on */

void life_init(struct life *l, const struct life_conf *conf)
{
	*l = (struct life){ .conf = *conf, .state = LIFE_STOPPED };
}

struct life_step life_cell(enum life_state state, enum life_event event)
{
	assert(state < LIFE_STATE_COUNT && event < LIFE_EVENT_COUNT);
	return table[state][event];
}

static void count_failure(struct life *l)
{
	l->failures++;
	l->falls++;
}

static void count_success(struct life *l, mono_t now)
{
	l->failures = 0;
	l->up_at = now;
	l->answered = false;
}

/*
 * A server that became ready has not proved much: one that dies at each first call would be started ten times a second
 * for ever. So its falls are forgotten once it has answered a call, or was up for as long as we had waited for it.
 */
static void count_death(struct life *l, mono_t now)
{
	if (l->answered || mono_diff(now, l->up_at) >= l->delay_ms)
		l->falls = 0;
	l->falls++;
}

static mono_t timer_point(struct life *l, unsigned actions, mono_t now, uint64_t random)
{
	if (actions & DO(ARM_STARTUP))
		return mono_add(now, l->conf.startup_timeout_ms);
	if (actions & DO(ARM_BACKOFF)) {
		l->delay_ms = life_backoff_ms(l->falls, random);
		return mono_add(now, l->delay_ms);
	}
	return actions & DO(ARM_IDLE) ? life_idle_at(l) : MONO_NEVER;
}

/* The timer came while calls were in flight, or there was a use since it was armed. */
static bool is_too_early(const struct life *l, enum life_event event, mono_t now)
{
	return l->state == LIFE_READY && event == LIFE_EV_TIME && !mono_past(life_idle_at(l), now);
}

/* The last process is kept until it is asked to stop, and when it falls nobody waits for another. */
static void stay_last(struct life_step *step)
{
	if (step->next == LIFE_PARKING)
		*step = (struct life_step){ .set = true, .next = LIFE_READY };
	if (step->next == LIFE_FALLING || step->next == LIFE_WAKING) {
		step->next = LIFE_STOPPING;
		step->actions |= DO(FAIL_QUEUED);
	}
}

struct life_step life_on(struct life *l, enum life_event event, mono_t now, uint64_t random)
{
	struct life_step step = life_cell(l->state, event);

	assert(step.set && !step.never);
	if (is_too_early(l, event, now))
		step = (struct life_step){ .set = true, .next = LIFE_READY, .actions = DO(ARM_IDLE) };
	l->last = l->last || event == LIFE_EV_NO_MORE;
	if (l->last)
		stay_last(&step);
	l->state = step.next;
	if (step.actions & DO(COUNT_FAILURE))
		count_failure(l);
	if (step.actions & DO(COUNT_SUCCESS))
		count_success(l, now);
	if (step.actions & DO(COUNT_DEATH))
		count_death(l, now);
	if (l->failures >= LIFE_HOPELESS && step.actions & DO(COUNT_FAILURE))
		step.actions |= DO(FAIL_QUEUED);
	step.at = timer_point(l, step.actions, now, random);
	return step;
}

bool life_refuses(const struct life *l)
{
	return l->state == LIFE_STOPPING || l->state == LIFE_ENDED || l->failures >= LIFE_HOPELESS;
}

void life_call_begins(struct life *l, mono_t now)
{
	if (l->uses++ == 0)
		l->first_use = now;
	l->in_flight++;
}

void life_call_ends(struct life *l, mono_t now, bool answered)
{
	assert(l->in_flight > 0);
	l->in_flight--;
	l->last_use = now;
	l->answered |= answered;
}

static msec_t clamp(msec_t value, msec_t least, msec_t most)
{
	if (value > most)
		value = most;
	return value < least ? least : value;
}

/*
 * Adaptive: kept for 5 minutes after its last use while it has more than 20 requests per hour since its first use,
 * for 3 while it has more than 5, else for 1, each clamped to [min, max]. The rate falls while we wait: n requests
 * come to 20 per hour n * 3 minutes after the first, and to 5 per hour after n * 12; so the earliest point at which
 * one of the three limits is reached at its rate can be told at once. One that was never used is kept for `max`, as it
 * was started because somebody expects to use it; a single use says nothing of a rate.
 */
static mono_t adaptive_idle_at(const struct life *l, mono_t last)
{
	const struct life_conf *c = &l->conf;
	const msec_t minute = 60000;

	if (l->uses == 0)
		return mono_add(last, c->max_idle_ms);
	if (l->uses == 1)
		return mono_add(last, c->min_idle_ms);
	mono_t often = mono_add(last, clamp(5 * minute, c->min_idle_ms, c->max_idle_ms));
	mono_t some = mono_add(last, clamp(3 * minute, c->min_idle_ms, c->max_idle_ms));
	mono_t rarely = mono_add(last, clamp(1 * minute, c->min_idle_ms, c->max_idle_ms));
	mono_t below_20 = mono_add(l->first_use, (msec_t)l->uses * 3 * minute);
	mono_t below_5 = mono_add(l->first_use, (msec_t)l->uses * 12 * minute);
	return mono_min(often, mono_min(mono_max(some, below_20), mono_max(rarely, below_5)));
}

mono_t life_idle_at(const struct life *l)
{
	mono_t last = mono_max(l->last_use, l->up_at);

	if (l->state != LIFE_READY || l->in_flight > 0 || l->held)
		return MONO_NEVER;
	switch (l->conf.idle) {
	case IDLE_FIXED:
		return mono_add(last, l->conf.idle_ms);
	case IDLE_ADAPTIVE:
		return adaptive_idle_at(l, last);
	case IDLE_NEVER:
		break;
	}
	return MONO_NEVER;
}

/* The first wait is the plain 100 ms; the later ones lose up to a quarter, so that servers that fell together part. */
msec_t life_backoff_ms(unsigned falls, uint64_t random)
{
	msec_t wait = LIFE_BACKOFF_FIRST_MS;

	if (falls <= 1)
		return wait;
	for (unsigned i = 1; i < falls && wait < LIFE_BACKOFF_MOST_MS; i++)
		wait *= 2;
	if (wait > LIFE_BACKOFF_MOST_MS)
		wait = LIFE_BACKOFF_MOST_MS;
	return wait - (msec_t)(random % (uint64_t)(wait / 4 + 1));
}

enum backend_state life_shown(enum life_state s)
{
	static const enum backend_state shown[LIFE_STATE_COUNT] = {
#define X(symbol, as) [LIFE_##symbol] = BACKEND_##as,
		LIFE_STATES(X)
#undef X
	};

	assert(s < LIFE_STATE_COUNT);
	return shown[s];
}

const char *backend_state_name(enum backend_state s)
{
	static const char *const names[BACKEND_STATE_COUNT] = {
#define X(symbol, name) [BACKEND_##symbol] = name,
		BACKEND_STATES(X)
#undef X
	};

	assert(s < BACKEND_STATE_COUNT);
	return names[s];
}

const char *life_state_name(enum life_state s)
{
	static const char *const names[LIFE_STATE_COUNT] = {
#define X(symbol, as) [LIFE_##symbol] = #symbol,
		LIFE_STATES(X)
#undef X
	};

	assert(s < LIFE_STATE_COUNT);
	return names[s];
}

const char *life_event_name(enum life_event e)
{
	static const char *const names[LIFE_EVENT_COUNT] = {
#define X(symbol) [LIFE_EV_##symbol] = #symbol,
		LIFE_EVENTS(X)
#undef X
	};

	assert(e < LIFE_EVENT_COUNT);
	return names[e];
}

uint64_t life_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

const char *life_why(const struct life *l, const char *fault)
{
	switch (life_shown(l->state)) {
	case BACKEND_BACKOFF:
		return fault;
	case BACKEND_IDLE:
		return "not in use";
	case BACKEND_STOPPING:
	case BACKEND_STOPPED:
		return "asked to stop";
	default:
		return "";
	}
}
