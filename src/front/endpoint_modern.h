/*
 * The MCP endpoint for the modern revision (2026-07-28), behind endpoint_mcp.h, which tells the revisions apart: every
 * POST stands alone, there are no sessions, and a client that leaves has cancelled.
 */
#ifndef SLUICE_FRONT_ENDPOINT_MODERN_H
#define SLUICE_FRONT_ENDPOINT_MODERN_H

#include "front/endpoint_mcp.h"
#include "mcp/modern.h"

/* A request or notification of the modern revision. Answers the exchange, now or later. */
void endpoint_modern_post(struct endpoint_mcp *e, int scope, struct http_exchange *ex, const struct http_request *req,
        const struct message *m, const struct request_meta *meta);

#endif
