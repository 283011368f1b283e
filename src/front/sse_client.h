/*
 * A client of the legacy transport (HTTP+SSE, MCP 2024-11-05): its one stream, on which everything comes, and the calls
 * that it has in flight. The stream is the session: with its end the calls have no client any more. It owns itself, and
 * tells its owner once when it ends by itself.
 *
 * Official clients connect again when a stream has ended, to any replica, and go on as if nothing had been: without a
 * new `initialize`. Those that say the last event's id are known by it (sse_id.h); the TypeScript SDK leaves it away
 * but says the revision that it had agreed on in MCP-Protocol-Version, and gets a session for that, with no
 * capabilities. Without either, requests are answered with an error until `initialize` comes.
 */
#ifndef SLUICE_FRONT_SSE_CLIENT_H
#define SLUICE_FRONT_SSE_CLIENT_H

#include "front/sse_farewell.h"
#include "net/http_server.h"

struct sse_client;

struct sse_client_conf {
	struct gateway *gw;
	struct sched *sched;
	struct sse_farewell *farewell;
	bool session_required;
	unsigned max_depth;
};

/* Opens the stream: `endpoint` is where the client is to POST. `ended` is called once, when it has ended by itself; not
 * from inside a call from above. */
struct sse_client *sse_client_open(const struct sse_client_conf *conf, int scope, struct span endpoint,
        struct http_exchange *ex, const struct http_request *req, void (*ended)(void *arg), void *arg);

/* The gateway stops: ends the stream. `ended` is not called. */
void sse_client_close(struct sse_client **c);

/* Its session speaks a revision that has batches. */
bool sse_client_has_batches(const struct sse_client *c);

/* It does not read what waits for it: no new requests, please. */
bool sse_client_is_full(const struct sse_client *c);

/* A message that it has POSTed; what there is to say to it goes onto the stream. */
void sse_client_take(struct sse_client *c, int scope, const struct message *m);

/* An error for what was no message. */
void sse_client_error(struct sse_client *c, struct span id, int code, const char *sentence);

#endif
