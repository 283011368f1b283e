/*
 * A child process that serves over its pipes: spawned in a session and process group of its own, watched through a
 * pidfd, stopped by the ladder, reaped by nobody else. The child's owner reads and writes the pipes; this module ends
 * the life.
 *
 * Closing is not freeing: child_stop may be called in any state and more than once; `gone` is called exactly once, when
 * the process is reaped, its group is killed and its orphans are swept, and the child frees itself after that.
 */
#ifndef SLUICE_SUPERVISE_CHILD_H
#define SLUICE_SUPERVISE_CHILD_H

#include "base/histogram.h"
#include "base/log.h"
#include "loop/loop.h"

struct groups;
struct supervisor; /* the reaper and the table of all children: one per process */
struct child;

/* Makes us the subreaper of our descendants and takes over SIGCHLD (told by supervisor_sigchld). */
struct supervisor *supervisor_new(struct loop *l, const struct logger *lg, struct err *e);
void supervisor_sigchld(struct supervisor *s);

/* The soft limit of open files that children get: what ours was before it was raised. */
void supervisor_set_child_fds(struct supervisor *s, unsigned long soft);

/* The groups of all children, for the backstop. */
const struct groups *supervisor_groups(const struct supervisor *s);

/* The end: SIGKILLs all descendants that are left and reaps to ECHILD or the deadline, then calls `done`. */
void supervisor_sweep(struct supervisor *s, mono_t deadline, void (*done)(void *arg), void *arg);
void supervisor_free(struct supervisor **s);

struct supervisor_stats {
	unsigned children;                                 /* not gone yet */
	uint64_t spawned, stopped, killed, orphans_reaped; /* stopped: ended when asked to, without SIGKILL */
};
void supervisor_stats(const struct supervisor *s, struct supervisor_stats *stats);

/* Which step of the ladder processes ended on, and how long it took from the first one to there; NONE: 0. */
/* clang-format off */
#define STOP_STEPS(X) \
	X(NONE, "none") /* on their own: nobody had asked them to */ \
	X(EOF,  "eof")  /* their stdin was closed */ \
	X(TERM, "term") /* they were sent SIGTERM */ \
	X(KILL, "kill") /* they were sent SIGKILL */
/* clang-format on */
#define X(symbol, name) STOP_STEP_##symbol,
enum stop_step { STOP_STEPS(X) STOP_STEP_COUNT };
#undef X
const char *stop_step_name(enum stop_step step);
const struct histogram *supervisor_ended(const struct supervisor *s, enum stop_step step);

/* Third signal: SIGKILL to every group at once. */
void supervisor_kill_all(struct supervisor *s);

struct child_conf {
	const char *name;        /* of the backend; in SLUICE_BACKEND and in logs */
	const char *const *argv; /* argv[0]: as configured; looked up in PATH of `env` when it has no slash */
	const char *const *env;  /* "NAME=value", all of it: nothing is inherited beside it but SLUICE_BACKEND */
	const char *cwd;         /* NULL: ours */
	bool no_stdin;           /* its stdin is /dev/null */
	msec_t stop_eof_ms, stop_term_ms;
	msec_t output_ms; /* how long the rest of stdout is waited for after the exit */
};

struct child_exit {
	bool signaled;
	int code;    /* exit code or signal number */
	bool killed; /* by our SIGKILL */
	bool asked;  /* after a child_stop that found it alive */
};

struct child_events {
	/* The process has ended; what it wrote can still be read from its stdout until end of file. */
	void (*exited)(void *arg, const struct child_exit *how);
	/* All over: reaped, swept. The child is freed after this call. */
	void (*gone)(void *arg, const struct child_exit *how);
};

/*
 * Spawns (recipes: clone with VM, VFORK and PIDFD). NULL and a sentence when that fails, with e->sys.
 * *in, *out, *err become our ends of its stdin (-1 with no_stdin), stdout and stderr: non-blocking, the caller's to
 * close.
 */
struct child *child_spawn(struct supervisor *s, const struct child_conf *conf, const struct child_events *events,
        void *arg, int *in, int *out, int *err, struct err *e);

/* Is there a program to spawn? The same sentence as child_spawn's if not. */
bool child_check(const struct child_conf *conf, struct err *e);

/*
 * The ladder. The owner closes the child's stdin when `close_stdin` is called, at once: it is posted by the first
 * child_stop, and by supervisor_kill_all and supervisor_sweep, which the owner does not hear of otherwise. It does not
 * come when `gone` comes first.
 */
enum child_stop { CHILD_STOP_LADDER, CHILD_STOP_FAST, CHILD_STOP_KILL };
void child_stop(struct child *c, enum child_stop how);
/* Steps of the ladder that have not begun yet take at most these times. */
void child_limit_stop(struct child *c, msec_t eof_ms, msec_t term_ms);
/* ... or exactly these: the configuration has changed. */
void child_set_stop(struct child *c, msec_t eof_ms, msec_t term_ms);

void child_on_close_stdin(struct child *c, void (*close_stdin)(void *arg));

/* The owner has read the child's stdout to its end (it may come before or after the exit). */
void child_output_ended(struct child *c);

int child_pid(const struct child *c);

#endif
