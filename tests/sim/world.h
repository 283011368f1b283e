/*
 * The simulator's world: a virtual clock, seeded chance, pipes and processes that do not exist. It stands in for
 * loop/ and supervise/child at link time (and for read and writev), so that the gateway, the lifecycle and the stdio
 * backend under test are the very ones of the program, byte for byte. A run with the same seed is the same run.
 *
 * There are two clocks. The outside is where servers work and clients speak, and it never stops. The loop's is read
 * once per turn, and when the loop stalls it jumps: what happened outside meanwhile is met in one turn, and read before
 * timers run, as loop.h promises.
 */
#ifndef SLUICE_TESTS_SIM_WORLD_H
#define SLUICE_TESTS_SIM_WORLD_H

#include <stdarg.h>

#include "loop/loop.h"
#include "supervise/child.h"

struct world;

struct world *world_new(uint64_t seed);
void world_free(struct world **w);

struct sched *world_sched(struct world *w); /* of the loop */
struct sched *world_outside(struct world *w);
struct loop *world_loop(struct world *w);
struct supervisor *world_supervisor(struct world *w);

/* Chance. below(n): 0 .. n-1. */
uint64_t world_random(struct world *w);
uint64_t below(struct world *w, uint64_t n);
bool chance(struct world *w, unsigned percent);

/* Something that comes from outside, to be met by the loop in its next turn. Embedded; a zeroed one is idle. */
struct event {
	struct world *world;
	struct timer timer; /* outside */
	struct post post;   /* in the loop */
	mono_t came;
	void (*meet)(void *arg);
	void *arg;
};
void event_set(struct world *w, struct event *e, msec_t in_ms, void (*meet)(void *arg), void *arg);
void event_stop(struct event *e);

/* Runs to the point in time, or until `done`, which is asked after each turn, says so; false: it is not over and
 * nothing is left to happen. */
bool world_run(struct world *w, mono_t until, bool (*done)(void *arg), void *arg);

/* From now on the loop stalls: so many times at most, in so many percent of its turns. */
void world_stall(struct world *w, unsigned times, unsigned percent);
msec_t world_stalled_ms(const struct world *w); /* in all */

/* Processes that live, and all that were started. */
unsigned world_alive(const struct world *w);
unsigned world_spawned(const struct world *w);
void world_on_spawn(struct world *w, void (*spawned)(void *arg), void *arg); /* asked before each */
void world_each_alive(struct world *w, void (*see)(void *arg, int pid), void *arg);
void world_kill_all(struct world *w);
void world_term_all(struct world *w); /* SIGTERM to everybody, as a whole cgroup or terminal gets it */

/* Prints what happens, if asked to. */
void world_tell(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_set_verbose(struct world *w, bool on);

#endif
