/*
 * The endpoint of the legacy transport (HTTP+SSE, MCP 2024-11-05): a GET opens a stream, whose first event says where
 * to POST; what is POSTed there is accepted with 202, and everything that there is to say comes on the stream. It owns
 * the streams (sse_client.h), and knows them by the random number in that address.
 *
 * A refused request is answered with 202 too, and its error comes on the stream, also while the gateway drains: nobody
 * else could serve it, for the address is this process's own, and the Python SDK never POSTs again after any other
 * status.
 */
#ifndef SLUICE_FRONT_ENDPOINT_SSE_H
#define SLUICE_FRONT_ENDPOINT_SSE_H

#include "front/sse_client.h"

struct endpoint_sse;

struct endpoint_sse_conf {
	struct gateway *gw;
	struct sched *sched;
	bool session_required;
	unsigned max_depth;
	const char *base_path; /* borrowed */
	size_t max_streams;    /* beyond: 503 */
	msec_t return_ms;      /* how long a client whose stream has ended may take to come back to its session */
};

struct endpoint_sse *endpoint_sse_new(const struct endpoint_sse_conf *conf);
void endpoint_sse_free(struct endpoint_sse **e); /* when all exchanges have ended */

/* Answers the exchange if `path` (without the base) is one of its own. */
bool endpoint_sse_request(
        struct endpoint_sse *e, struct span path, struct http_exchange *ex, const struct http_request *req);

/* Ends all streams; those that come later end at once, and are no failure for their clients. */
void endpoint_sse_close(struct endpoint_sse *e);

#endif
