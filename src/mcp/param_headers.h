/*
 * Arguments of a tool as HTTP headers (MCP 2026-07-28): a property of the tool's inputSchema that says
 * "x-mcp-header": "Region" is repeated by the client in the header Mcp-Param-Region, so that those on the way can
 * route by it. Both sides of that: what a client's headers must say, and what to send to a server. Pure; spans point
 * into the schema and the arguments.
 */
#ifndef SLUICE_MCP_PARAM_HEADERS_H
#define SLUICE_MCP_PARAM_HEADERS_H

#include "base/buf.h"

#define PARAM_HEADER_PREFIX "Mcp-Param-"
#define PARAM_HEADERS_MAX 32 /* of one tool; more break the rules */

/*
 * One annotation, and the argument that it is about, as raw JSON. That is not set when there is no header to send: the
 * argument is not there, is null, or is not of the type that the schema gives it.
 */
struct param_header {
	struct span name; /* "Region" */
	struct span value;
};

/*
 * Finds all annotations of a schema, and their arguments (`arguments` may be not set). Returns how many, or -1 if they
 * break the rules, which makes the tool one that clients over HTTP leave out: on a property that is not reached through
 * `properties` alone, no token, two that differ in case only, or on another type than
 * string, integer and boolean. An annotation that is written with escapes is not seen.
 */
int param_headers_find(struct span schema, struct span arguments, struct param_header found[PARAM_HEADERS_MAX]);

/* Appends the header's value; only for one whose `value` is set. */
void param_header_put(const struct param_header *h, struct buf *out);

/* Whether a header as received (not set: it was not there) agrees with the argument. */
bool param_header_agrees(const struct param_header *h, struct span received);

#endif
