/*
 * An answer as a stream of server-sent events, one JSON-RPC message each: what a POST's reply may become, and what a
 * GET is. Thin functions over the exchange, so that both look the same on the wire.
 */
#ifndef SLUICE_FRONT_EVENT_STREAM_H
#define SLUICE_FRONT_EVENT_STREAM_H

#include "mcp/rewrite.h"
#include "net/http_server.h"

#define TYPE_EVENT_STREAM "text/event-stream"
#define EVENT_COMMENT_MS 15000 /* a comment at least so often, so that no proxy thinks the stream dead */
#define EVENT_RETRY "1000"     /* ms: how long a client is to wait before it comes back */

/* `origin`: of the request, for CORS; may be not set. */
void event_stream_open(struct http_exchange *ex, struct span origin);
void event_stream_send(struct http_exchange *ex, const struct pieces *json);

/* The same with an id, unless that is not set. */
void event_stream_send_id(struct http_exchange *ex, struct span id, const struct pieces *json);

/* An id without data, for a client that may be cut off before the first message (MCP 2025-11-25, Transports; clients of
 * older revisions stumble over it). */
void event_stream_prime(struct http_exchange *ex, struct span id);
void event_stream_comment(struct http_exchange *ex);

/* So much waits for a slow reader that messages which are no answers are dropped (interface.md, 3: 256 KiB). */
bool event_stream_is_slow(const struct http_exchange *ex);

/* This message is one of them: not for a question of a server's, which waits for its answer. */
bool event_stream_drops(const struct http_exchange *ex, const struct pieces *json);

#endif
