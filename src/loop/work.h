/*
 * Work that may block or take long, such as reading files, done in a thread of its own, so that the loop goes on
 * meanwhile. For what is rare: there is no pool.
 */
#ifndef SLUICE_LOOP_WORK_H
#define SLUICE_LOOP_WORK_H

#include "loop/loop.h"

/*
 * `run(arg)` in another thread, which shall know nothing but `arg`, and `done(arg)` in the loop when it has returned.
 * It cannot be called off. False: there is no thread to be had, and nothing follows.
 */
bool work_start(struct loop *l, void (*run)(void *arg), void (*done)(void *arg), void *arg, struct err *e);

#endif
