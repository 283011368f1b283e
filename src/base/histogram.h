/*
 * How long things took, as a distribution: a count for each of a few ranges, and the sum. Adding to it costs a short
 * walk and two additions, its size is fixed, and all have the same bounds, from a millisecond to ten minutes, so that
 * any of them can be compared with, and added to, any other. A zeroed struct is an empty one.
 *
 * Times are whole milliseconds of the loop's clock: what takes less is 0 or 1, and right on the average.
 */
#ifndef SLUICE_BASE_HISTOGRAM_H
#define SLUICE_BASE_HISTOGRAM_H

#include "base/clock.h"

#define HISTOGRAM_BOUNDS 18

/* Ascending; a duration that is equal to a bound is within it. */
extern const msec_t histogram_bounds_ms[HISTOGRAM_BOUNDS];

struct histogram {
	uint64_t at[HISTOGRAM_BOUNDS + 1]; /* those between the bound before and this one; at last, those beyond all */
	int64_t sum_ms;
};

void histogram_add(struct histogram *h, msec_t took_ms); /* one that is negative counts as 0 */
uint64_t histogram_count(const struct histogram *h);

#endif
