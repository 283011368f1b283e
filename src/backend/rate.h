/*
 * A limit on lines in the log: so many at once and so many per second; the rest is counted, and the next one that
 * passes tells how many were left out. Pure arithmetic; embedded in its owner.
 */
#ifndef SLUICE_BACKEND_RATE_H
#define SLUICE_BACKEND_RATE_H

#include "base/clock.h"

struct rate {
	unsigned per_s;      /* and at most at once */
	msec_t credit_ms;    /* one line costs 1000 / per_s */
	mono_t filled;       /* when the credit was last counted */
	uint64_t suppressed; /* since the last one that passed */
};

void rate_init(struct rate *r, unsigned per_s, mono_t now);
bool rate_allows(struct rate *r, mono_t now);

/* How many were left out so far; counts from 0 again. */
uint64_t rate_take_suppressed(struct rate *r);

#endif
