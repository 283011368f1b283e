/*
 * Shared by the files of the stdio backend: stdio.c (what comes from the gateway), stdio_life.c (the process, and the
 * news of it), stdio_start.c (its first words), stdio_write.c and stdio_read.c (what goes to the server and what comes
 * from it), and stdio_listen.c (news of a modern one).
 */
#ifndef SLUICE_BACKEND_STDIO_PRIVATE_H
#define SLUICE_BACKEND_STDIO_PRIVATE_H

#include "backend/handshake.h"
#include "backend/lines.h"
#include "backend/open_asks.h"
#include "backend/outbox.h"
#include "backend/pending.h"
#include "backend/probe.h"
#include "backend/rate.h"
#include "backend/standing.h"
#include "backend/stderr_log.h"
#include "backend/stdio.h"
#include "backend/wanted.h"

/* The subscriptions/listen that a modern server is asked; 0: none. */
struct stdio_listen {
	uint64_t id, old;   /* old: whose place it takes, until it is acknowledged */
	struct timer timer; /* of the next try */
	struct post post;   /* other things are wanted */
	unsigned failures;  /* in a row */
};

struct stdio {
	struct backend base; /* first */
	struct backend_link own_link;
	const struct backend_link *link; /* its own, unless it is for one client */
	struct loop *loop;
	struct supervisor *supervisor;
	struct logger log;
	uint64_t random;

	struct life life;
	struct standing standing;
	struct timer timer; /* of the life */
	struct handshake handshake;
	struct probe_known own_known;
	struct probe_known *known; /* its own, unless others are of the same server */
	enum probe_state probe;
	bool old_first;       /* its client speaks a legacy revision */
	uint64_t discover_id; /* 0: it is not asked, or answered */
	struct timer silence;
	size_t said; /* bytes of messages of our own to this process */
	struct stdio_listen listen;
	struct pending pending;
	struct open_asks asks;
	struct wanted wanted;
	struct post asks_post; /* for those that are lost */
	struct outbox outbox;
	struct post write_post; /* one write for all lines of a turn */
	struct post aside_post; /* calls that are answered here */

	struct child_conf child_conf;
	struct child *child;
	struct watch *in, *out, *err; /* its stdin, stdout, stderr */
	bool blocked;                 /* its stdin takes no more for now */
	mono_t spawned_at;
	struct lines lines; /* of its stdout */
	struct rate complaints;
	struct stderr_log stderr_log;

	unsigned changed; /* bits of enum list_kind: to be asked for anew */
	mono_t asked_at;
	struct timer changed_timer;

	bool fell;         /* the next start is a restart */
	bool died;         /* ... of a process that ended without being asked to */
	bool pipe_broke;   /* before it exited: the exit may explain it better */
	bool stop_is_near; /* the gateway has been asked to stop: an end is no surprise any more */
	uint64_t starts, restarts, dropped;
};

static inline mono_t stdio_now(const struct stdio *s)
{
	return loop_now(s->loop);
}

/* A process is there to talk to: not one that is being ended. */
static inline bool stdio_is_talking(const struct stdio *s)
{
	return s->life.state == LIFE_STARTING || s->life.state == LIFE_READY;
}

static inline enum line_era stdio_line_era(const struct stdio *s)
{
	return s->handshake.modern ? LINE_MODERN : LINE_LEGACY;
}

/* An event of its life. The last thing that a function does, because much may follow. */
void stdio_step(struct stdio *s, enum life_event event);

/* The ladder's first step. Called again when its stdin takes more, until all is written. */
void stdio_close_stdin(void *arg);

/* The timer of its life; MONO_NEVER stops it. */
void stdio_arm(struct stdio *s, mono_t at);

/* Lines that are queued go out at the end of this turn. */
void stdio_write_soon(struct stdio *s);
void stdio_on_writable(void *arg, unsigned events);

/* Queues a message of our own; dropped when the server is being ended or does not read. */
void stdio_send(struct stdio *s, struct span json);
uint64_t stdio_request(struct stdio *s, enum method method, struct span params);
void stdio_notify(struct stdio *s, enum method method, struct span params);

void stdio_cancel(struct stdio *s, uint64_t id, struct span reason);

/* The process answers no more: what it has asked is lost. */
void stdio_lose_asks(struct stdio *s);

/* resources/subscribe, or unsubscribe, as a request of our own, to a legacy server. */
void stdio_tell_wanted(struct stdio *s, enum wanted_kind kind, struct span text, bool wanted);
void stdio_said(void *arg, enum wanted_kind kind, struct span text, bool agreed); /* a wanted_said */

/* Takes the call out; its end is the caller's to tell. */
void stdio_call_left(struct stdio *s, struct backend_call *call, bool answered);

/* Its first words: of a new process; they are over; an answer that may be one; it has ended instead of answering. */
extern const struct handshake_port stdio_handshake_port;
void stdio_begin(struct stdio *s);
void stdio_begun(struct stdio *s);
bool stdio_first_answer(struct stdio *s, uint64_t id, const struct message *m);
bool stdio_ends_at_discover(struct stdio *s); /* true: another process follows */

/* News of a modern server. */
void stdio_listen(struct stdio *s);
void stdio_listen_renew_soon(struct stdio *s);
void stdio_listen_stop(struct stdio *s);
bool stdio_listen_answer(struct stdio *s, uint64_t id, const struct message *m);
bool stdio_listen_taken_back(struct stdio *s, const struct message *m);
void stdio_listen_acknowledged(struct stdio *s, const struct message *m);
bool stdio_answers_itself(const struct stdio *s, enum method method);
void stdio_answer_aside_soon(struct stdio *s);

/* What comes from the server. */
void stdio_on_stdout(void *arg, unsigned events);
void stdio_on_stderr(void *arg, unsigned events);

#endif
