#include "gateway/timeline.h"

#include <assert.h>

const char *timeline_step_name(enum timeline_step step)
{
	static const char *const names[] = {
#define X(symbol, name) [TIMELINE_##symbol] = (name),
		TIMELINE_STEPS(X)
#undef X
	};

	assert(step < TIMELINE_STEP_COUNT);
	return names[step];
}

static bool has_begun(mono_t at)
{
	return at.ms != MONO_NEVER.ms;
}

/* The step after `step` that has begun: it may have been the next but one, for a person's SIGINT skips lame-duck. */
static mono_t left_at(const mono_t entered[TIMELINE_STEP_COUNT], unsigned step)
{
	mono_t at = MONO_NEVER;

	for (unsigned later = step + 1; later < TIMELINE_STEP_COUNT; later++)
		at = mono_min(at, entered[later]);
	return at;
}

static msec_t since(const struct budget *b, mono_t at)
{
	return mono_past(at, b->t0) ? 0 : mono_diff(at, b->t0);
}

void timeline_make(
        struct timeline *t, const struct budget *b, bool begun, const mono_t entered[TIMELINE_STEP_COUNT], mono_t now)
{
	const mono_t planned[TIMELINE_STEP_COUNT] = { b->lame_duck_end, b->stop, b->end, b->killed };
	msec_t from_ms = 0;

	*t = (struct timeline){
		.begun = begun,
		.elapsed_ms = begun ? since(b, now) : 0,
		.end_ms = since(b, b->end),
		.killed_ms = since(b, b->killed),
	};
	for (unsigned i = 0; i < TIMELINE_STEP_COUNT; i++) {
		mono_t left = begun ? left_at(entered, i) : MONO_NEVER;
		struct timeline_span *s = &t->spans[i];
		s->begun = begun && has_begun(entered[i]);
		s->over = has_begun(left);
		s->from_ms = s->begun ? since(b, entered[i]) : from_ms;
		s->to_ms = s->over ? (s->begun ? since(b, left) : s->from_ms) : since(b, planned[i]);
		if (s->to_ms < s->from_ms)
			s->to_ms = s->from_ms;
		from_ms = s->to_ms;
	}
}
