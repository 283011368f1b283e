/*
 * How a backend stands, as the gateway is told: each change of the state that is shown, each failure more, and a better
 * reason for the same. The news goes out later in the turn, after the ends of the calls that the change has cut. What
 * was told and why is kept here; the state itself is the life's. Each kind of backend embeds one beside its life.
 */
#ifndef SLUICE_BACKEND_STANDING_H
#define SLUICE_BACKEND_STANDING_H

#include "backend/backend.h"
#include "backend/life.h"
#include "base/err.h"
#include "base/log.h"
#include "base/sched.h"

struct standing {
	struct backend *backend;
	const struct life *life;
	struct sched *sched;
	const struct logger *log;
	bool (*ends_are_due)(const struct backend *b); /* ends of calls are to be told first */
	struct post post;
	enum backend_state told;
	unsigned told_failures;
	bool anyway;            /* the same state again */
	char why[ERR_TEXT_MAX]; /* it fell or could not start, for people */
};

/* All of it is borrowed. Who frees the backend calls standing_clear first: nothing is told after it. */
void standing_init(struct standing *s, struct backend *b, const struct life *life, struct sched *sched,
        const struct logger *log, bool (*ends_are_due)(const struct backend *b));
void standing_clear(struct standing *s);

void standing_explain(struct standing *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tells it later in this turn, if there is news by then; or also when the state is the one that was told. */
void standing_tell(struct standing *s);
void standing_tell_anyway(struct standing *s);

/* The life has gone on from another state: logs the step, and tells it. */
void standing_changed(struct standing *s, enum life_state from, enum life_event event);

#endif
