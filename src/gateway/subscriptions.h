/*
 * Who wants to hear of which resource or task: subscriptions of sessions and of modern clients' streams, counted for
 * each resource of each server, so that a server is told of the first one who wants to hear and of the last one who
 * does no more. Pure: what is to be told to whom is the caller's business.
 *
 * A resource is known by its server's name, by the session that the server has a part of its own for (0: it is shared),
 * and by its URI as text; a task alike, by its id. What is said of resources here goes for tasks too.
 */
#ifndef SLUICE_GATEWAY_SUBSCRIPTIONS_H
#define SLUICE_GATEWAY_SUBSCRIPTIONS_H

#include "backend/backend.h"
#include "base/list.h"
#include "base/map.h"

#define SUBSCRIPTIONS_MAX 1024 /* of one subscriber */
#define SUBSCRIPTION_URI_MAX 8192

struct resource_name {
	struct span server;
	uint64_t session;
	struct span uri; /* or a task's id */
	enum wanted_kind kind;
};

/* What the server has said to the wish. */
enum agreement { AGREEMENT_NONE, AGREEMENT_YES, AGREEMENT_NO };

/* Somebody who wants to hear; embedded in what is theirs. */
struct subscriber {
	struct list all; /* their subscriptions, the oldest first */
	size_t count;
	uint64_t told;  /* the last update that they were told of */
	bool is_stream; /* of a modern client's stream; else of a session */
};

struct subscriptions {
	struct map by_key;
	struct list all; /* of resources, in the order of their first subscriptions */
	uint64_t updates;
};

void subscriptions_init(struct subscriptions *s);
void subscriptions_clear(struct subscriptions *s); /* when nobody subscribes any more */

void subscriber_init(struct subscriber *who);

/* At most SUBSCRIPTIONS_MAX of each, and URIs of at most SUBSCRIPTION_URI_MAX bytes; `*first`: nobody wanted to hear of
 * it before. False: there are too many. Twice is the same as once. */
bool subscriptions_add(struct subscriptions *s, struct subscriber *who, const struct resource_name *name, bool *first);

/* Does anybody want to hear of it? And what has the server said to that? */
bool subscriptions_have(const struct subscriptions *s, const struct resource_name *name);
enum agreement subscriptions_agreement(const struct subscriptions *s, const struct resource_name *name);

/* The server has said so; of no matter if nobody subscribes any more. */
void subscriptions_agree(struct subscriptions *s, const struct resource_name *name, bool yes);

/* This one wants to hear of it no more. `*last`: and nobody does now. False: it never did. */
bool subscriptions_remove(
        struct subscriptions *s, struct subscriber *who, const struct resource_name *name, bool *last);

/* One of theirs, whose `uri` that is, if it is set; false: there is none. The name lives as long as the subscription.
 */
bool subscriber_first(const struct subscriber *who, struct span uri, struct resource_name *name);

/* By the node in a subscriber's list. The name lives as long as the subscription. */
const struct resource_name *subscription_name(const struct list *node);
enum agreement subscription_agreement(const struct list *node);

/* All resources of a server that somebody wants to hear of. `see` changes none of them. */
void subscriptions_each(const struct subscriptions *s, struct span server,
        void (*see)(void *arg, const struct resource_name *name), void *arg);

/* A resource was updated: tells each who subscribes to it, or to one that it is a part of (a task is part of none),
 * once. */
void subscriptions_update(struct subscriptions *s, const struct resource_name *name,
        void (*tell)(void *arg, struct subscriber *who), void *arg);

#endif
