/*
 * Between the legacy revisions and the modern one (2026-07-28): which parts of a message must change when the other
 * side speaks the other kind. Pure: the functions only say what to splice, so that what needs no change passes byte by
 * byte; their caller adds its own splices (the id) and puts the pieces together.
 *
 * Text that is put in and not constant lies in the caller's `room`, which must not change while the splices are used.
 */
#ifndef SLUICE_MCP_BRIDGE_H
#define SLUICE_MCP_BRIDGE_H

#include "base/buf.h"
#include "mcp/jsonrpc.h"
#include "mcp/rewrite.h"

#define BRIDGE_SPLICES_MAX 8 /* its own; there is room for as many of the caller's */

struct bridge {
	struct splice splices[SPLICES_MAX];
	unsigned n;
};

/* What was asked, as far as its answer depends on it. */
struct bridge_asked {
	enum method method;
	struct span uri;    /* raw JSON, of resources/read; or not set */
	struct span server; /* raw JSON object: our serverInfo */
};

/*
 * An answer for a modern client. A result gets resultType, ttlMs and cacheScope where they are required and missing or
 * not valid, and our serverInfo unless it has one. An error gets a code that the revision allows, with what it was in
 * `data`. `from_modern`: the server spoke that revision as well, and its own codes of
 * that revision stay, but for those about headers and versions, which are between it and us.
 */
void bridge_to_modern(struct bridge *b, const struct message *answer, bool from_modern,
        const struct bridge_asked *asked, struct buf *room);

/*
 * A modern server's answer for a legacy client: the members of the modern revision go, and so do its error codes and
 * structured content that is no object (older.h puts that into the content).
 */
void bridge_to_legacy(
        struct bridge *b, const struct message *answer, const struct bridge_asked *asked, struct buf *room);

/*
 * A modern client's request for a legacy server: what it says of itself in `_meta` goes (a server of both revisions
 * would take it for its own), and so do inputResponses and requestState.
 */
void bridge_request_to_legacy(struct bridge *b, const struct message *m);

/* A member of an object, given by its value, goes. */
void bridge_drop(struct bridge *b, struct span value);

/*
 * Appends a result of our own to a modern client, resultType and all, made from an object that has none of these
 * members.
 */
void bridge_put_result(struct buf *out, const struct bridge_asked *asked, struct span result);

/* "A resource was not found", in the words of either. `uri` is raw JSON. */
void bridge_put_not_found(struct buf *out, struct span id, struct span uri, bool modern);

#endif
