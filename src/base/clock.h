/*
 * Time carries its unit and its clock. A duration is a number of milliseconds in a name that ends in _ms; a point in
 * time on the monotonic clock is another type, so that adding two points does not compile. Deadlines are points.
 * The wall clock appears in logs only.
 */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t msec_t;

typedef struct {
	int64_t ms;
} mono_t;

#define MONO_NEVER ((mono_t){ INT64_MAX })

static inline mono_t mono_add(mono_t t, msec_t d)
{
	return t.ms == INT64_MAX ? t : (mono_t){ t.ms + d };
}

static inline msec_t mono_diff(mono_t later, mono_t earlier)
{
	return later.ms - earlier.ms;
}

/* True when the point `t` has come. */
static inline bool mono_past(mono_t t, mono_t now)
{
	return t.ms <= now.ms;
}

static inline mono_t mono_min(mono_t a, mono_t b)
{
	return a.ms < b.ms ? a : b;
}

static inline mono_t mono_max(mono_t a, mono_t b)
{
	return a.ms > b.ms ? a : b;
}

/* CLOCK_MONOTONIC. The pure core never calls it: it is told `now`. */
mono_t clock_mono(void);

/* The same clock as of the last tick of the kernel, a few milliseconds ago; reading it costs next to nothing. */
mono_t clock_mono_coarse(void);

/* CLOCK_MONOTONIC in microseconds: to measure with, not for deadlines. */
int64_t clock_mono_us(void);

/* Milliseconds since 1970, for logs and tokens that outlive the process. */
int64_t clock_wall_ms(void);

#endif
