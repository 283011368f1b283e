#include "backend/probe.h"

#include <assert.h>

#define GO(state, do)                                                       \
	{                                                                   \
		.set = true, .next = PROBE_##state, .action = PROBE_DO_##do \
	}

/* An answer that nothing is asked for in that state is late or made up, and of no matter. */
/* clang-format off */
static const struct probe_step table[PROBE_STATE_COUNT][PROBE_EVENT_COUNT] = {
	[PROBE_OFF] = {
		[PROBE_EV_MODERN]     = GO(OFF,    NOTHING),
		[PROBE_EV_NOT_MODERN] = GO(OFF,    NOTHING),
		[PROBE_EV_NAMES_US]   = GO(OFF,    NOTHING),
		[PROBE_EV_SILENT]     = GO(OFF,    NOTHING),
		[PROBE_EV_LEGACY]     = GO(OFF,    NOTHING),
		[PROBE_EV_NOT_LEGACY] = GO(OFF,    NOTHING),
		[PROBE_EV_REFUSED]    = GO(OFF,    NOTHING),
		[PROBE_EV_EXIT]       = GO(OFF,    NOTHING),
	},
	[PROBE_SURE] = {
		[PROBE_EV_MODERN]     = GO(OFF,    ACCEPT),
		[PROBE_EV_NOT_MODERN] = GO(TURNED, INITIALIZE),
		[PROBE_EV_NAMES_US]   = GO(LAST,   DISCOVER),
		[PROBE_EV_SILENT]     = GO(SURE,   NOTHING), /* it may be slow to start */
		[PROBE_EV_LEGACY]     = GO(SURE,   NOTHING),
		[PROBE_EV_NOT_LEGACY] = GO(SURE,   NOTHING),
		[PROBE_EV_REFUSED]    = GO(SURE,   NOTHING),
		[PROBE_EV_EXIT]       = GO(OFF,    ANOTHER),
	},
	[PROBE_ASKING] = {
		[PROBE_EV_MODERN]     = GO(OFF,    ACCEPT),
		[PROBE_EV_NOT_MODERN] = GO(TURNED, INITIALIZE),
		[PROBE_EV_NAMES_US]   = GO(LAST,   DISCOVER),
		[PROBE_EV_SILENT]     = GO(TURNED, INITIALIZE),
		[PROBE_EV_LEGACY]     = GO(ASKING, NOTHING),
		[PROBE_EV_NOT_LEGACY] = GO(ASKING, NOTHING),
		[PROBE_EV_REFUSED]    = GO(ASKING, NOTHING),
		[PROBE_EV_EXIT]       = GO(OFF,    ANOTHER),
	},
	[PROBE_TURNED] = {
		[PROBE_EV_MODERN]     = GO(LATE,   NOTHING),
		[PROBE_EV_NOT_MODERN] = GO(TURNED, NOTHING),
		[PROBE_EV_NAMES_US]   = GO(LATE,   NOTHING),
		[PROBE_EV_SILENT]     = GO(TURNED, NOTHING),
		[PROBE_EV_LEGACY]     = GO(OFF,    ACCEPT),
		[PROBE_EV_NOT_LEGACY] = GO(OFF,    FAIL),
		[PROBE_EV_REFUSED]    = GO(OFF,    FAIL),
		[PROBE_EV_EXIT]       = GO(OFF,    ANOTHER),
	},
	[PROBE_LATE] = {
		[PROBE_EV_MODERN]     = GO(LATE,   NOTHING),
		[PROBE_EV_NOT_MODERN] = GO(LATE,   NOTHING),
		[PROBE_EV_NAMES_US]   = GO(LATE,   NOTHING),
		[PROBE_EV_SILENT]     = GO(LATE,   NOTHING),
		[PROBE_EV_LEGACY]     = GO(OFF,    ACCEPT),
		[PROBE_EV_NOT_LEGACY] = GO(LAST,   DISCOVER),
		[PROBE_EV_REFUSED]    = GO(LAST,   DISCOVER),
		[PROBE_EV_EXIT]       = GO(OFF,    FAIL),
	},
	[PROBE_OLD] = {
		[PROBE_EV_MODERN]     = GO(OLD,    NOTHING),
		[PROBE_EV_NOT_MODERN] = GO(OLD,    NOTHING),
		[PROBE_EV_NAMES_US]   = GO(OLD,    NOTHING),
		[PROBE_EV_SILENT]     = GO(OLD,    NOTHING),
		[PROBE_EV_LEGACY]     = GO(OFF,    ACCEPT),
		[PROBE_EV_NOT_LEGACY] = GO(LAST,   DISCOVER),
		[PROBE_EV_REFUSED]    = GO(OFF,    FAIL),
		[PROBE_EV_EXIT]       = GO(OFF,    FAIL),
	},
	[PROBE_LAST] = {
		[PROBE_EV_MODERN]     = GO(OFF,    ACCEPT),
		[PROBE_EV_NOT_MODERN] = GO(OFF,    FAIL),
		[PROBE_EV_NAMES_US]   = GO(OFF,    FAIL),
		[PROBE_EV_SILENT]     = GO(LAST,   NOTHING),
		[PROBE_EV_LEGACY]     = GO(LAST,   NOTHING),
		[PROBE_EV_NOT_LEGACY] = GO(LAST,   NOTHING),
		[PROBE_EV_REFUSED]    = GO(LAST,   NOTHING),
		[PROBE_EV_EXIT]       = GO(OFF,    FAIL),
	},
};
/* clang-format on */

struct probe_step probe_cell(enum probe_state now, enum probe_event event)
{
	assert(now < PROBE_STATE_COUNT && event < PROBE_EVENT_COUNT);
	return table[now][event];
}

struct probe_step probe_begin(const struct probe_known *known, bool old_first)
{
	const struct probe_step old = GO(OLD, INITIALIZE), ask = GO(ASKING, DISCOVER), sure = GO(SURE, DISCOVER);

	if (old_first && known->legacy != VERDICT_NO)
		return old;
	switch (known->modern) {
	case VERDICT_YES:
		return sure;
	case VERDICT_NO:
		return old;
	case VERDICT_NONE:
		break;
	}
	return known->shy ? old : ask;
}

/* One that was asked to initialize first says nothing of discover, unless that is why. */
static void learn_legacy(enum probe_state now, struct probe_known *known)
{
	known->legacy = VERDICT_YES;
	if (now == PROBE_TURNED || (now == PROBE_OLD && known->shy))
		known->modern = VERDICT_NO;
	else if (now == PROBE_LATE)
		known->modern = VERDICT_YES;
	known->shy = false;
}

static void learn_modern(enum probe_state now, struct probe_known *known)
{
	known->modern = VERDICT_YES;
	if (now == PROBE_LAST)
		known->legacy = VERDICT_NO;
	known->shy = false;
}

/* What is known turns out to be wrong; so it is found out anew. */
static bool contradicts(enum probe_state now, enum probe_event event, const struct probe_known *known)
{
	if (now == PROBE_SURE)
		return event == PROBE_EV_NOT_MODERN || event == PROBE_EV_EXIT;
	return now == PROBE_OFF && event == PROBE_EV_MODERN && known->modern == VERDICT_NO;
}

struct probe_step probe_on(enum probe_state now, enum probe_event event, struct probe_known *known)
{
	struct probe_step step = probe_cell(now, event);

	assert(step.set);
	if (step.action == PROBE_DO_ACCEPT && event == PROBE_EV_LEGACY)
		learn_legacy(now, known);
	else if (step.action == PROBE_DO_ACCEPT)
		learn_modern(now, known);
	else if (step.action == PROBE_DO_ANOTHER)
		known->shy = true;
	if (contradicts(now, event, known))
		known->modern = VERDICT_NONE;
	return step;
}

void probe_timed_out(enum probe_state now, struct probe_known *known)
{
	if (now == PROBE_SURE)
		known->modern = VERDICT_NONE;
	if (now == PROBE_SURE || now == PROBE_ASKING)
		known->shy = true;
}
