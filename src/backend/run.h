/*
 * One run of a program, from its start to its end: nothing on its stdin, what it writes collected up to a bound and
 * read to the end beyond that, so that it never waits for us. A run is over when the program has ended and what it has
 * left behind is gone (supervise/child.h), which takes a bounded time however long somebody holds its pipes; `done`
 * tells so, once, and never inside another call. Not the time that it may take: that is the owner's, who stops it.
 */
#ifndef SLUICE_BACKEND_RUN_H
#define SLUICE_BACKEND_RUN_H

#include "base/buf.h"
#include "supervise/child.h"

struct run;

struct run_result {
	struct child_exit how;
	struct span out, err;          /* its stdout, the first bytes; its stderr, the last ones */
	uint64_t out_bytes, err_bytes; /* that it wrote */
	bool flooded;                  /* it was stopped because it did not stop writing */
};

struct run_conf {
	const struct child_conf *child; /* read at the start only */
	size_t keep_bytes;              /* of its stdout */
	size_t keep_err_bytes;          /* of its stderr */
	size_t flood_bytes;             /* who writes more than this is stopped */
};

/* NULL and a sentence when it cannot be started: then `done` is not called. */
struct run *run_start(struct loop *l, struct supervisor *s, const struct run_conf *conf,
        void (*done)(void *arg, const struct run_result *result), void *arg, struct err *e);

/* The ladder of child.h without its first step, as there is no stdin to close. May be called more than once. */
void run_stop(struct run *r, enum child_stop how);
void run_limit_stop(struct run *r, msec_t term_ms);
void run_set_stop(struct run *r, msec_t term_ms);

int run_pid(const struct run *r);

#endif
