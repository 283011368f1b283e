/*
 * Durations as people write them: a number and `ms`, `s`, `m` or `h`; a bare number is seconds.
 */
#ifndef SLUICE_BASE_DURATION_H
#define SLUICE_BASE_DURATION_H

#include "base/clock.h"
#include "base/span.h"

#define DURATION_MAX_MS ((msec_t)7 * 24 * 3600 * 1000)

/* "250ms", "1.5s", "2m", "30". False for anything else, and beyond DURATION_MAX_MS. */
bool duration_parse(struct span text, msec_t *ms);

struct duration_text {
	char text[24];
};

/* In the largest unit that needs no fraction: "250ms", "90s", "2m". */
struct duration_text duration_text(msec_t ms);

struct seconds_text {
	char text[32];
};

/* In seconds, as people read a plan: "0.25 s", "13.5 s", "90 s". */
struct seconds_text seconds_text(msec_t ms);

#endif
