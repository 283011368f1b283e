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

#include <stdatomic.h>

#include "base/clock.h"
#include "base/list.h"

struct timer {
	mono_t at;
	uint64_t order; /* of setting, among equal points */
	size_t index;   /* in the heap, from 1; 0: idle */
	void (*fire)(void *arg);
	void *arg;
	const char *name; /* of `fire` */
};

struct post {
	struct list node;
	void (*run)(void *arg);
	void *arg;
	const char *name; /* of `run` */
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
	_Atomic(const char *) running; /* the callback at work, NULL between two; another thread may look */
	void (*ended)(struct sched *s, const char *callback); /* tells the driver that one has returned; may be NULL */
};

void sched_init(struct sched *s, mono_t now);
void sched_clear(struct sched *s);

/* What a callback is called in the log: a constant, made where it is passed. */
#define CALLBACK_NAME(function) __FILE_NAME__ ":" #function

/* Sets or moves the timer; at MONO_NEVER it is stopped. It is idle again when `fire` runs. */
#define timer_set(s, t, at, fire, arg) timer_set_named((s), (t), (at), (fire), (arg), CALLBACK_NAME(fire))
#define timer_set_in(s, t, in_ms, fire, arg) timer_set_in_named((s), (t), (in_ms), (fire), (arg), CALLBACK_NAME(fire))
void timer_set_named(struct sched *s, struct timer *t, mono_t at, void (*fire)(void *arg), void *arg, const char *name);
void timer_stop(struct sched *s, struct timer *t);

static inline bool timer_is_set(const struct timer *t)
{
	return t->index != 0;
}

static inline void timer_set_in_named(
        struct sched *s, struct timer *t, msec_t in_ms, void (*fire)(void *arg), void *arg, const char *name)
{
	timer_set_named(s, t, mono_add(s->now, in_ms), fire, arg, name);
}

/* Runs `run` once, after the callback in progress has returned. Posting an already posted one changes nothing. */
#define post_set(s, p, run, arg) post_set_named((s), (p), (run), (arg), CALLBACK_NAME(run))
void post_set_named(struct sched *s, struct post *p, void (*run)(void *arg), void *arg, const char *name);
void post_cancel(struct post *p);

/* For drivers: the first deadline (MONO_NEVER without one); run all that is due at `now`, and all posts. */
mono_t sched_first(const struct sched *s);
void sched_run_timers(struct sched *s, mono_t now);
void sched_run_posts(struct sched *s);

/* For drivers, around each callback of their own. */
static inline void sched_begin(struct sched *s, const char *callback)
{
	atomic_store_explicit(&s->running, callback, memory_order_relaxed);
}

static inline void sched_end(struct sched *s, const char *callback)
{
	if (s->ended != NULL)
		s->ended(s, callback);
	atomic_store_explicit(&s->running, NULL, memory_order_relaxed);
}

#endif
