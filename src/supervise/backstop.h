/*
 * The last resort: ends the process by force, with exit code 70, when its time is up and it has not ended by itself,
 * because the loop hangs. The groups of all children get SIGKILL, one line goes to the log and the same into the
 * termination log; nobody gets an answer any more.
 *
 * It is a thread that waits and shares nothing with main but atomic words, so it works whatever main is stuck in: a
 * busy loop, a write that blocks, a lock (of malloc, too, which is therefore not used), or suspended by clone(2) with
 * CLONE_VFORK because a child hangs on its way to exec, where no signal but SIGKILL gets through to main.
 *
 * Main arms it when a stop begins. But signals are read by the loop, and one that hangs before SIGTERM comes never gets
 * so far. So the thread looks itself for stop signals that are pending, by polling a signalfd that it never reads: the
 * first one that it sees arms it, whether main will read that signal or not. A signal that main has read before the
 * thread could see it is armed by main. Nothing is counted, nobody wakes up when nothing happens. (A timer with a
 * handler, as recipes for such things go, would need this thread all the same: for vfork, and for the signal.)
 *
 * What it cannot do: a process in state D outlives its SIGKILL; and before it is started, while the configuration is
 * read, only the kubelet ends a hang.
 */
#ifndef SLUICE_SUPERVISE_BACKSTOP_H
#define SLUICE_SUPERVISE_BACKSTOP_H

#include "base/log.h"
#include "loop/loop.h"
#include "supervise/groups.h"

#define BACKSTOP_EXIT 70

struct backstop;

struct backstop_conf {
	msec_t limit_ms;   /* from a stop signal to the end by force */
	int last_words;    /* the termination log, open for writing, -1: none; taken over */
	struct logger log; /* the line goes past all that waits there */
	const struct loop *loop;
	const struct groups *groups;
};

/*
 * Starts the thread. SIGTERM, SIGINT and SIGQUIT must be blocked in all threads, for ever, and every one of them must
 * mean the end. False and a sentence when there is no thread to be had.
 */
struct backstop *backstop_start(const struct backstop_conf *conf, struct err *e);
void backstop_free(struct backstop **b); /* for tests: the process that serves ends with it */

/* Shortens the time, never lengthens it. Not sooner than in 200 ms, so that main can still be quicker. */
void backstop_arm(struct backstop *b, mono_t at);

/* When it strikes; MONO_NEVER while nothing has armed it. */
mono_t backstop_at(const struct backstop *b);

/* When the thread saw a stop signal, which main may read much later; MONO_NEVER before. */
mono_t backstop_signalled(const struct backstop *b);

/* For signals that come from now on. */
void backstop_limit(struct backstop *b, msec_t limit_ms);

/* The termination log belongs to who takes it first, main in the usual case: -1 when it is taken. */
int backstop_take_last_words(struct backstop *b);

#endif
