/*
 * The ids of events on the streams of the legacy transport (HTTP+SSE, MCP 2024-11-05). That transport has no resuming;
 * but a client that keeps to the rules of EventSource says the last id that it has seen when it connects again, and so
 * we can know it:
 *
 *	SESSION~CALL~CALL
 *
 * SESSION is the sealed token of the gateway's session, which any replica with the same keys takes. Each CALL is, in
 * base64url, the JSON-RPC id of a request that had no answer yet when the event was sent: whoever reads that id later
 * can tell the client that the call is lost. Pure.
 */
#ifndef SLUICE_FRONT_SSE_ID_H
#define SLUICE_FRONT_SSE_ID_H

#include "base/buf.h"

#define SSE_ID_CALLS_MAX 16      /* named in one id; others are not */
#define SSE_ID_CALL_BYTES_MAX 64 /* of a call's id that is named */

void sse_id_begin(struct buf *out, struct span token);
void sse_id_add_call(struct buf *out, struct span json); /* left out when it is too long */

/* The part before the first "~". *rest is for sse_id_next_call. */
struct span sse_id_token(struct span text, struct span *rest);

/* The next call as JSON, a string or a number, in `json`, which is emptied first; what is neither is passed over. False
 * at the end, or after SSE_ID_CALLS_MAX. */
bool sse_id_next_call(struct span *rest, unsigned *count, struct buf *json);

#endif
