/*
 * The process groups that we started and that are not reaped yet, in a table that another thread may read at any
 * moment, also while main hangs in the middle of a change: what the backstop kills. No locks, no memory of its own.
 *
 * A slot is set as soon as the process is known, and cleared before it is reaped: a number that is in the table is not
 * used again. The moment between clone and the setting is covered by the parent-death signal (spawn.h).
 *
 * The table is bounded. Beyond GROUPS_MAX a group is not in it; the backstop then finds its leader in /proc, if that is
 * ours, and if not the leader at least dies of its parent-death signal, and all of them when we are PID 1.
 */
#ifndef SLUICE_SUPERVISE_GROUPS_H
#define SLUICE_SUPERVISE_GROUPS_H

#include <stdbool.h>
#include <sys/types.h>

#define GROUPS_MAX 1024

struct groups {
	bool proc_is_ours; /* so that numbers read there mean our processes */
	_Atomic pid_t leader[GROUPS_MAX];
};

/* Main only. */
void groups_add(struct groups *g, pid_t leader);
void groups_remove(struct groups *g, pid_t leader);

/* From any thread: SIGKILL to all of them, and to our children as /proc lists them once. Returns the groups killed. */
unsigned groups_kill(const struct groups *g);

#endif
