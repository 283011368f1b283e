/*
 * Shared by the files of the command-line backend: command_line.c (what comes from the gateway), command_life.c (how it
 * finds its tools, stops, and tells of that) and command_calls.c (the calls).
 */
#ifndef SLUICE_BACKEND_COMMAND_PRIVATE_H
#define SLUICE_BACKEND_COMMAND_PRIVATE_H

#include "backend/command_line.h"
#include "backend/discovery.h"
#include "backend/pending.h"
#include "backend/standing.h"

struct command {
	struct backend base; /* first */
	struct loop *loop;
	struct supervisor *supervisor;
	struct logger log;
	uint64_t random;
	struct backend_link link;

	struct life life;
	struct standing standing;
	struct timer timer; /* of the life */
	struct discovery discovery;
	struct command_tools tools;
	struct map by_name; /* of the tools */
	mono_t began_at;

	struct pending pending;
	struct list waiting; /* jobs without a process, the oldest first */
	size_t waiting_bytes;
	struct list running;  /* jobs with one, also those whose call has gone */
	struct list answered; /* jobs whose answer is to be told */
	unsigned processes;
	struct post answer_post;

	struct child_conf child_conf;
	struct post gone_post;
	bool fell; /* the next start is a restart */
	uint64_t starts, restarts;
};

/* One call: what is asked, then the process that does it. */
struct job {
	struct list node;
	struct command *owner;
	struct backend_call *call; /* NULL: it is not waited for any more */
	struct arena arena;
	struct span name, arguments; /* the tool's, decoded; raw JSON, or not set */
	const char *const *argv;     /* NULL: not looked at yet */
	size_t bytes;
	struct run *run;
	struct buf answer;
};

static inline mono_t command_now(const struct command *c)
{
	return loop_now(c->loop);
}

/* command_life.c */
void command_step(struct command *c, enum life_event event); /* the last thing that a function does */
void command_found(void *arg, const char *fault);            /* the discovery's `done` */
void command_settle(struct command *c);                      /* a process is gone: it may have been the last */

/* command_calls.c */
void command_submit(struct command *c, struct backend_call *call, const struct message *m, struct splice name);
enum outcome command_cancel(struct command *c, struct backend_call *call);
void command_flush(struct command *c);        /* ready: those that wait are begun */
void command_fail_waiting(struct command *c); /* not sent */
void command_more_room(struct command *c);    /* the configuration may allow more processes */
void command_stop_runs(struct command *c, enum child_stop how);
void command_clear_calls(struct command *c);

#endif
