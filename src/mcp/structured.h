/*
 * Structured content of tools. Of the modern revision it may be any JSON value, and a tool's outputSchema any schema;
 * in the legacy revisions both are about objects, and clients refuse a whole list for one tool that they cannot read.
 * Such a client gets neither: what the tool has said is in a text of its content. Pure.
 */
#ifndef SLUICE_MCP_STRUCTURED_H
#define SLUICE_MCP_STRUCTURED_H

#include "json/write.h"
#include "mcp/jsonrpc.h"

/* The value in a result of tools/call that a legacy client cannot have; not set: there is none. */
struct span structured_odd(const struct message *answer);

/* One of the texts of `content` (a raw JSON array) is that value already, but for white space. */
bool structured_is_told(struct span content, struct span value);

/* An item of content: the value as a text. */
void structured_put_text(struct json_writer *w, struct span value);

/* The schema is one that a legacy client can read: it says "object", and no more than these know. */
bool structured_schema_is_legacy(struct span schema);

#endif
