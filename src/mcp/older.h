/*
 * Content that an older legacy revision has no name for, in words that it has: a link to a resource (2025-06-18)
 * becomes a text with its URI, a sound (2025-03-26) an embedded resource. Pure. What needs no change is not written
 * anew.
 */
#ifndef SLUICE_MCP_OLDER_H
#define SLUICE_MCP_OLDER_H

#include "base/buf.h"
#include "mcp/jsonrpc.h"
#include "mcp/revision.h"

/*
 * Looks through the result of a tools/call or prompts/get for a client of that revision. True: there is such content;
 * the value of *old (raw JSON within the result) is to be replaced by what was appended to `out`. `structured`: a value
 * of the result that is taken away from this client and that a text must tell; not set: there is none.
 */
bool older_content(enum method method, const struct message *answer, enum revision revision, struct span structured,
        struct span *old, struct buf *out);

#endif
