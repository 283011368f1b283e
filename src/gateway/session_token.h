/*
 * What stands inside a session's token, as bytes: written by one replica and read by another, which may be of another
 * version of the program. So the layout has a number, and a number that is not known is not read.
 *
 *	version 1 | revision 1 | capabilities 2 | config epoch 4 | created ms 8 | nonce 8
 *	| length 1, client name | length 1, client version | length 1, hash of the principal
 *
 * Numbers are big-endian. The epoch is 0 for now, and so is the principal's length: no authentication yet.
 */
#ifndef SLUICE_GATEWAY_SESSION_TOKEN_H
#define SLUICE_GATEWAY_SESSION_TOKEN_H

#include "gateway/session.h"

struct session_claims {
	struct session_info info;
	int64_t created_ms;
	uint64_t nonce;
};

void session_token_encode(const struct session_claims *claims, struct buf *out);

/* False for bytes that are not of this layout, whole and with nothing behind. */
bool session_token_decode(struct span bytes, struct session_claims *claims);

#endif
