/*
 * Names to addresses, without holding up the loop: getaddrinfo runs in a thread, one per name at a time, so that a name
 * whose server is silent slows nobody but those who ask for it. Numeric addresses and "localhost" need no thread.
 *
 * Answers are kept for 30 s, and used beyond that while a new look-up is under way or when it fails: a name server that
 * is away does not take those away that are there. Failures are kept for a second.
 */
#ifndef SLUICE_LOOP_RESOLVE_H
#define SLUICE_LOOP_RESOLVE_H

#include <sys/socket.h>

#include "base/span.h"
#include "loop/loop.h"

#define RESOLVE_ADDRESSES_MAX 8
#define RESOLVE_NAME_MAX 253

struct resolver;

struct resolve_answer {
	unsigned count;                                           /* 0: there is none, and `error` says why */
	struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX]; /* IPv6 and IPv4 by turns, all with port 0 */
	char error[128];
};

/* One who waits for an answer; embedded in the asker, zeroed is idle. */
struct resolve_query {
	struct list node;
	struct post post;
	struct resolver *resolver;
	void *name;
	void (*done)(void *arg, const struct resolve_answer *answer); /* valid during the call */
	void *arg;
};

/* How a name is looked up, in a thread that shall know nothing but its arguments; tests give one of their own. */
typedef void resolve_look_up(const char *name, struct resolve_answer *answer);

struct resolver *resolver_new(struct loop *l, resolve_look_up *look_up); /* NULL: getaddrinfo */
void resolver_free(struct resolver **r); /* nobody waits any more (asserted); look-ups under way end by themselves */

/* `done` is called once, and not from inside this call. */
void resolve_start(struct resolver *r, struct resolve_query *q, struct span name,
        void (*done)(void *arg, const struct resolve_answer *answer), void *arg);

/* Nothing comes any more. Does nothing to an idle one. */
void resolve_cancel(struct resolve_query *q);

/* The next who asks for the name hears of a new look-up: none of the addresses could be reached. */
void resolve_doubt(struct resolver *r, struct span name);

#endif
