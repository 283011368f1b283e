/*
 * The simulator's world: a virtual clock, seeded chance, pipes and processes that do not exist. It stands in for
 * loop/ and supervise/child at link time (and for read and writev), so that the gateway, the lifecycle and the stdio
 * backend under test are the very ones of the program, byte for byte. A run with the same seed is the same run.
 */
#ifndef SLUICE_TESTS_SIM_WORLD_H
#define SLUICE_TESTS_SIM_WORLD_H

#include <stdarg.h>

#include "loop/loop.h"
#include "supervise/child.h"

struct world;

struct world *world_new(uint64_t seed);
void world_free(struct world **w);

struct sched *world_sched(struct world *w);
struct loop *world_loop(struct world *w);
struct supervisor *world_supervisor(struct world *w);

/* Chance. below(n): 0 .. n-1. */
uint64_t world_random(struct world *w);
uint64_t below(struct world *w, uint64_t n);
bool chance(struct world *w, unsigned percent);

/* Runs to the point in time, or until `done` says so; false: it is not over and nothing is left to happen. */
bool world_run(struct world *w, mono_t until, bool (*done)(void *arg), void *arg);

/* Processes that live, and all that were started. */
unsigned world_alive(const struct world *w);
unsigned world_spawned(const struct world *w);
void world_kill_all(struct world *w);

/* Prints what happens, if asked to. */
void world_tell(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_set_verbose(struct world *w, bool on);

#endif
