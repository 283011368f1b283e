/*
 * The calls of one backend that have not ended: numbered with ids of its own, and found again by them. An end that is
 * decided inside a downward call is told later in the turn; such a call is no longer in flight, but can still be
 * forgotten. The calls belong to the gateway.
 */
#ifndef SLUICE_BACKEND_PENDING_H
#define SLUICE_BACKEND_PENDING_H

#include "backend/backend.h"
#include "base/map.h"
#include "base/sched.h"

struct pending {
	struct sched *sched;
	struct list calls;  /* in flight, the oldest first */
	struct list ending; /* their end is due */
	struct map by_id;
	struct post post;
	uint64_t last_id;
};

void pending_init(struct pending *p, struct sched *sched);
void pending_clear(struct pending *p); /* no call may be left in flight */

/* One counter for requests of calls and for our own. */
static inline uint64_t pending_next_id(struct pending *p)
{
	return ++p->last_id;
}

static inline size_t pending_count(const struct pending *p)
{
	return p->by_id.count;
}

/* In flight from now on, with the next id. */
void pending_add(struct pending *p, struct backend_call *call);

struct backend_call *pending_find(const struct pending *p, uint64_t id);

static inline bool pending_is_in_flight(const struct backend_call *call)
{
	return call->id != 0;
}

/* Takes the call out, in flight or ending, without an upcall. */
void pending_forget(struct pending *p, struct backend_call *call);

/* Ends a call that is not in flight any more, or never was, by a post. */
void pending_end_later(struct pending *p, struct backend_call *call, enum end_reason why, enum outcome outcome);

#endif
