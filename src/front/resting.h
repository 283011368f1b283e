/*
 * Which of the connections that rest between two requests stay when new requests begin to be refused. The owner of a
 * connection (exchange_belongs_to) is the nonce of the session that asked last on it, RESTING_STAYS for one that stays
 * in any case, or 0, a client without a session.
 */
#ifndef SLUICE_FRONT_RESTING_H
#define SLUICE_FRONT_RESTING_H

#include "gateway/gateway.h"

#define RESTING_STAYS UINT64_MAX

struct resting {
	uint64_t *busy; /* sessions with calls in flight, sorted */
	size_t count;
	bool parked; /* clients without a session are to come back */
};

void resting_begin(struct resting *r, const struct gateway *gw);
bool resting_stays(void *arg, uint64_t owner); /* arg: the struct resting */
void resting_end(struct resting *r);

#endif
