/*
 * Starts a program as a child in a session and process group of its own, without the cost of fork: clone(2) with
 * CLONE_VM, CLONE_VFORK and CLONE_PIDFD, so that the time does not depend on our size. Not a supervisor: see child.h.
 *
 * The child has: SIGKILL as its parent-death signal, every disposition at its default and no signal blocked, fds 0 to 2
 * and no other, the soft limit of open files that we had at start, the environment and the working directory that it is
 * given. All that can fail fails before spawn() returns, with a sentence that names the step.
 */
#ifndef SLUICE_SUPERVISE_SPAWN_H
#define SLUICE_SUPERVISE_SPAWN_H

#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"

struct spawner {
	char *stack;     /* for the moment between clone and exec; one is enough, as we are suspended for it */
	rlim_t soft_fds; /* what children get as their soft limit of open files; 0: what we have */
};

bool spawner_init(struct spawner *sp, struct err *e);
void spawner_clear(struct spawner *sp);

struct spawn_conf {
	const char *const *argv; /* argv[0] without a slash is looked up in the PATH of `env` */
	const char *const *env;  /* all of it */
	const char *cwd;         /* NULL: ours */
	bool no_stdin;           /* its stdin is /dev/null */
};

struct spawned {
	pid_t pid;
	int pidfd;
	int in, out, err; /* our ends of its stdin (-1: no_stdin), stdout and stderr, non-blocking */
};

/*
 * On the main thread only: the parent-death signal is bound to the thread that spawns (prctl(2)). False and a sentence
 * with e->sys when it fails; EAGAIN, ENOMEM, EMFILE and ENFILE may pass with time, others will not.
 */
bool spawn(struct spawner *sp, const struct spawn_conf *conf, struct spawned *child, struct err *e);

/* Is there a program to spawn? The same sentence as spawn's if not. */
bool spawn_check(const struct spawn_conf *conf, struct err *e);

/* Raises our soft limit of open files to the hard one; *old_soft is what it was, for spawner.soft_fds. */
bool limits_raise_fds(rlim_t *old_soft, struct err *e);

#endif
