/*
 * Names to addresses, without holding up the loop: getaddrinfo runs in a thread, one per name at a time, so that a name
 * whose server is silent slows nobody but those who ask for it. Numeric addresses and "localhost" need no thread.
 *
 * Answers are kept for 30 s. For another minute they are given at once while a new look-up is under way, and when that
 * fails they stay: a name server that is away does not take those away that are there. But a name that is said to be
 * gone is gone. A failure is kept for a second. How many names are kept, and how many looked up at a time, is bounded.
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
	struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX]; /* the families by turns; port 0 */
	bool is_gone;                                             /* by failing it says: there is no such name */
	char error[96];
};

/* One who waits for an answer; embedded in the asker, zeroed is idle. */
struct resolve_query {
	struct list node;
	struct post post;
	struct loop *loop;
	struct resolve_entry *entry;                                  /* private to the resolver */
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

/* None of the addresses could be reached: the next who asks for the name hears of a new look-up. */
void resolve_doubt(struct resolver *r, struct span name);

/* What getaddrinfo found, the families by turns (RFC 8305, 4); public for its test. */
struct addrinfo;
void resolve_add_by_turns(struct resolve_answer *a, const struct addrinfo *all);

#endif
