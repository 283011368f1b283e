/*
 * GET with Last-Event-ID: the client has lost a stream and wants the rest of it (MCP 2025-11-25, Transports,
 * Resumability and Redelivery). What was sent after that event is sent again, and a call that is still in flight goes
 * on there. A stream that this process does not know (it was another one's, or is forgotten) has lost its call: the
 * client is told so at once, by the JSON-RPC id in the event's id. Nothing is told twice: an id that was the last of
 * its stream gets 405, which ends the official clients' tries.
 */
#ifndef SLUICE_FRONT_RESUME_H
#define SLUICE_FRONT_RESUME_H

#include "front/replay.h"
#include "gateway/session.h"
#include "net/http_server.h"

/* False: the id names no stream that ends, and what is wanted is an ordinary stream. Else the exchange is answered, now
 * or later. */
bool resume(struct replay *replay, const struct session *session, struct span last_event_id, struct http_exchange *ex,
        const struct http_request *req);

#endif
