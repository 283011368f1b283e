/*
 * What the pure core needs of an event loop, and no more: the time of this turn, timers at absolute points, and
 * "later in this turn". The loop drives one of these with the real clock and a single libuv timer; the simulator
 * drives one with a clock of its own. So equal deadlines fire in the same order in both: in the order of their setting.
 *
 * Timers and posts are embedded in the objects that own them; a zeroed one is idle. Whoever frees such an object
 * stops its timers and posts first (timer_stop and post_cancel do nothing to an idle one).
 */
#ifndef SLUICE_BASE_SCHED_H
#define SLUICE_BASE_SCHED_H

#include "base/clock.h"
#include "base/list.h"

struct timer {
	mono_t at;
	uint64_t order; /* of setting, among equal points */
	size_t index;   /* in the heap, from 1; 0: idle */
	void (*fire)(void *arg);
	void *arg;
};

struct post {
	struct list node;
	void (*run)(void *arg);
	void *arg;
};

struct sched {
	mono_t now; /* read once per turn */
	struct timer **heap;
	size_t count, room;
	uint64_t order;
	struct list posts;
	void *owner;
	void (*wanted)(
	        struct sched *s); /* tells the driver of the first post or of an earlier first deadline; may be NULL */
};

void sched_init(struct sched *s, mono_t now);
void sched_clear(struct sched *s);

/* Sets or moves the timer. It is idle again when `fire` runs. */
void timer_set(struct sched *s, struct timer *t, mono_t at, void (*fire)(void *arg), void *arg);
void timer_stop(struct sched *s, struct timer *t);

static inline bool timer_is_set(const struct timer *t)
{
	return t->index != 0;
}

static inline void timer_set_in(struct sched *s, struct timer *t, msec_t in_ms, void (*fire)(void *arg), void *arg)
{
	timer_set(s, t, mono_add(s->now, in_ms), fire, arg);
}

/* Runs `run` once, after the callback in progress has returned. Posting an already posted one changes nothing. */
void post_set(struct sched *s, struct post *p, void (*run)(void *arg), void *arg);
void post_cancel(struct post *p);

/* For drivers: the first deadline (MONO_NEVER without one); run all that is due at `now`, and all posts. */
mono_t sched_first(const struct sched *s);
void sched_run_timers(struct sched *s, mono_t now);
void sched_run_posts(struct sched *s);

#endif
