/*
 * What the kernel knows of the processes below us: who our children are, those that we started and those that were
 * re-parented to us as the subreaper of our descendants (PR_SET_CHILD_SUBREAPER); which of these have ended; which
 * backend one once belonged to. It reaps and it looks, but decides nothing: see supervisor.c.
 *
 * A child that is not reaped yet keeps its number, so a pid from reaper_list may be signalled without a race.
 */
#ifndef SLUICE_SUPERVISE_REAPER_H
#define SLUICE_SUPERVISE_REAPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define REAPER_TAG_NAME "SLUICE_BACKEND"
#define REAPER_TAG_MAX 64

struct reaper {
	bool proc_is_ours; /* /proc shows our pid namespace, and not an outer one whose numbers mean others */
	bool has_children_file;
	pid_t *pids; /* the last list */
	size_t n, room;
};

/* Makes us the subreaper of our descendants. */
bool reaper_init(struct reaper *r, struct err *e);
void reaper_clear(struct reaper *r);

/*
 * Lists our children, dead or alive, in r->pids. Best effort while they come and go (proc_pid_task_children(5)): what
 * is missing shows up in a later list. Empty when /proc is not ours.
 */
void reaper_list(struct reaper *r);

/* Reaps the child if it has ended. */
bool reaper_reap(pid_t pid);

/* A child of ours that has ended and is not reaped, whoever it is; 0: there is none. Always the same one. */
pid_t reaper_peek(void);

/* We have no child any more: the proof that a sweep was complete. */
bool reaper_is_alone(void);

/* The value of SLUICE_BACKEND in the environment that the process was started with. */
bool reaper_tag(pid_t pid, char tag[REAPER_TAG_MAX]);

/* The name of its program, for logs. */
void reaper_name(pid_t pid, char name[16]);

#endif
