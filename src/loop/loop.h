/*
 * The event loop: the only folder that includes uv.h. It drives a struct sched (timers, posts, the time of the turn),
 * watches descriptors, reads signals, and buries objects at the end of a turn.
 *
 * A turn: wait for events; read the clock once; callbacks of descriptors and signals; due timers; posts until there
 * are none (bounded, the rest waits for the next turn); burials. When the loop is late (the process was stopped, or a
 * callback took long), what came meanwhile is read before timers run, for some turns: an answer that was in time must
 * not lose against its deadline because we were not.
 *
 * A callback that takes more than 250 ms is a fault of ours, for nobody is served meanwhile: it is counted, and told by
 * name. That costs one reading of the coarse clock per callback: 4 ns, and 22 without (test_loop prints the price).
 */
#ifndef SLUICE_LOOP_LOOP_H
#define SLUICE_LOOP_LOOP_H

#include <signal.h>

#include "base/err.h"
#include "base/histogram.h"
#include "base/log.h"
#include "base/sched.h"

struct loop;

struct loop *loop_new(struct err *e);
void loop_free(struct loop **l); /* asserts that no watch is left, naming the first by callback and line */

/* Returns when loop_stop was called. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

struct sched *loop_sched(struct loop *l);

/* Where stalls are told of, one line in 10 s at the most; nowhere without. */
void loop_tell_stalls(struct loop *l, const struct logger *lg);

/* How it has done since the start. */
#define LOOP_SIGNALS 65
struct loop_stats {
	uint64_t stalls;        /* callbacks that held up all others */
	struct histogram lag;   /* from the time that a timer was set to until it ran; of each turn that ran any */
	struct histogram turns; /* from the first event of a turn to the end of its last callback */
	uint64_t signals[LOOP_SIGNALS]; /* by number */
};
const struct loop_stats *loop_stats(const struct loop *l);

/* The name of the callback at work, NULL when there is none. Another thread may ask. */
const char *loop_running(const struct loop *l);

static inline mono_t loop_now(struct loop *l)
{
	return loop_sched(l)->now;
}

/*
 * Watching a descriptor. The watch owns the descriptor from watch_open to watch_close, and makes it non-blocking (so:
 * never one that is shared with another process; see fd_is_shared in recipes of stdio fronts).
 *
 * READ, WRITE and HANGUP (the other side has shut down its sending half) are level-triggered. RESET hears of nothing
 * but an error or a reset: for after a hangup was seen, when the answer still has to be written. An error on the
 * descriptor is reported as all that was asked for: the next read or write says what it is.
 */
enum { WATCH_READ = 1, WATCH_WRITE = 2, WATCH_HANGUP = 4, WATCH_RESET = 8 };

struct watch;

/*
 * NULL, with errno, when the kernel cannot watch it (a regular file: EPERM); the descriptor is then the caller's still.
 * Watches nothing until watch_set. A macro, so that a watch that is left over can be named by its callback and line.
 */
#define watch_open(l, fd, ready, arg) watch_open_at((l), (fd), (ready), (arg), CALLBACK_NAME(ready), __LINE__)
struct watch *watch_open_at(
        struct loop *l, int fd, void (*ready)(void *arg, unsigned events), void *arg, const char *name, int line);

/* What to wait for; does nothing, and costs nothing, when the mask is the same. 0: nothing for now. */
void watch_set(struct watch *w, unsigned events);
int watch_fd(const struct watch *w);

/* No callback comes after it. Closes the descriptor. *w becomes NULL; closing NULL does nothing. */
void watch_close(struct watch **w);

/* The same, but the descriptor is handed back, still non-blocking. */
int watch_release(struct watch **w);

/*
 * Signals, by signalfd: those in `set` must be blocked already (main's first statement) and stay so for ever. `got`
 * hears the number and the sender's pid (0: from outside our pid namespace). Once per loop.
 */
bool loop_signals(
        struct loop *l, const sigset_t *set, void (*got)(void *arg, int signo, int pid), void *arg, struct err *e);

/* Frees by `bury(object)` at the end of this turn: for objects whose callbacks may still be on the stack. */
void loop_bury(struct loop *l, void *object, void (*bury)(void *object));

#endif
