/*
 * What stands inside a requestState of ours, as bytes: which parked call is meant, at which of its turns, and of what
 * request it is. Only the process that holds the call can go on with it.
 *
 *	version 1 | process 8 | park 8 | turn 4 | digest of the request 32 | expires ms 8 (wall clock)
 */
#ifndef SLUICE_GATEWAY_PARK_TOKEN_H
#define SLUICE_GATEWAY_PARK_TOKEN_H

#include "base/buf.h"

#define PARK_DIGEST_BYTES 32

struct park_claims {
	uint64_t process, park;
	uint32_t turn;
	unsigned char digest[PARK_DIGEST_BYTES];
	int64_t expires_ms;
};

void park_token_encode(const struct park_claims *claims, struct buf *out);

/* False for bytes that are not of this layout, whole and with nothing behind. */
bool park_token_decode(struct span bytes, struct park_claims *claims);

#endif
