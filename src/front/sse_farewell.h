/*
 * Sessions of legacy clients whose stream has ended. That is the end of the session, but for a client that comes back
 * soon (sse_client.h); so it is ended a while later, unless something is open in it again. It holds tokens, no
 * sessions: their memory may be dropped meanwhile.
 */
#ifndef SLUICE_FRONT_SSE_FAREWELL_H
#define SLUICE_FRONT_SSE_FAREWELL_H

#include "gateway/gateway.h"

#define FAREWELLS_MAX 4096 /* beyond, the oldest ones are ended early */

struct sse_farewell; /* all of them */

struct sse_farewell *sse_farewell_new(struct gateway *gw, struct sched *sched, msec_t wait_ms);
void sse_farewell_free(struct sse_farewell **f); /* ends none: their tokens are good elsewhere */

void sse_farewell_to(struct sse_farewell *f, const struct session *session);

#endif
