/*
 * The MCP endpoint over Streamable HTTP: one path, POST for messages, GET for a stream of news, DELETE to end a session
 * (MCP 2025-03-26 to 2025-11-25); requests of the modern revision go to endpoint_modern.h. It turns requests into calls
 * and answers into JSON or SSE; what a call means is the gateway's business.
 */
#ifndef SLUICE_FRONT_ENDPOINT_MCP_H
#define SLUICE_FRONT_ENDPOINT_MCP_H

#include "front/replay.h"
#include "gateway/gateway.h"
#include "net/http_server.h"

struct endpoint_mcp {
	struct gateway *gw;
	struct sched *sched;
	struct replay *replay;
	unsigned max_depth;
	bool session_required;
};

/* `scope` as in gateway.h. Answers the exchange, now or later. */
void endpoint_mcp_request(struct endpoint_mcp *e, int scope, struct http_exchange *ex, const struct http_request *req);

#endif
