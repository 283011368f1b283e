/*
 * What child.c (one life) and supervisor.c (all of them, and those that nobody started) share. See child.h.
 */
#ifndef SLUICE_SUPERVISE_CHILD_PRIVATE_H
#define SLUICE_SUPERVISE_CHILD_PRIVATE_H

#include "base/map.h"
#include "supervise/child.h"
#include "supervise/groups.h"
#include "supervise/ladder.h"
#include "supervise/reaper.h"
#include "supervise/spawn.h"

struct supervisor {
	struct loop *loop;
	struct logger log;
	struct spawner spawner;
	struct reaper reaper;
	struct list children; /* all that are not gone */
	struct map by_pid;    /* those of them that are not reaped */
	struct groups groups; /* of those in by_pid */
	struct map strangers; /* by pid: who was re-parented to us, as far as we have seen them */
	uint64_t serial;      /* of the child spawned last */
	struct supervisor_stats stats;
	struct histogram ended[STOP_STEP_COUNT];
	struct timer scan_timer;
	mono_t scanned;
	bool look_again;
	bool sweeping; /* the end: everybody goes */
	struct timer sweep_timer;
	mono_t sweep_deadline;
	msec_t sweep_wait_ms;
	void (*swept)(void *arg);
	void *swept_arg;
};

struct child {
	struct list node; /* in supervisor.children */
	struct supervisor *supervisor;
	struct logger log;
	char tag[REAPER_TAG_MAX]; /* NAME.SERIAL */
	pid_t pid;                /* its session and process group too */
	struct watch *exit_watch; /* of its pidfd, until it is reaped */
	enum ladder_state state;
	struct timer step_timer;
	struct timer sweep_timer;
	struct post stdin_post;
	msec_t eof_ms, term_ms, output_ms;
	struct child_exit how;
	mono_t asked_at; /* when `how.asked` is set */
	bool kill_sent, output_ended;
	unsigned orphans; /* that the last scan saw, dead ones left out */
	mono_t sweep_end;
	msec_t sweep_wait_ms;
	const struct child_events *events;
	void (*close_stdin)(void *arg);
	void *arg;
};

/* Reaps strangers that have ended, sends orphans of ended children on their way, and tells the children. */
void supervisor_scan(struct supervisor *s);

/* A scan has counted the child's orphans anew. */
void child_scanned(struct child *c);

/* How long the next round of a sweep waits: 1, 2, 4 .. 20 ms. */
msec_t sweep_next_wait(msec_t wait_ms);

#endif
