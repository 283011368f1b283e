/*
 * Requests of the modern revision (2026-07-28) on a channel that serves the legacy ones as well: which of the two a
 * message is, and what a modern request must have before it is served. Pure. The same over HTTP, where headers repeat
 * what the body says, and over stdio, where there are none.
 */
#ifndef SLUICE_MCP_MODERN_H
#define SLUICE_MCP_MODERN_H

#include "mcp/jsonrpc.h"
#include "mcp/meta.h"

enum era { ERA_LEGACY, ERA_MODERN };

/* What is wrong with a message, and the HTTP status that says so; `sentence` NULL: nothing. */
struct modern_fault {
	int status, code;
	const char *sentence;
};

/*
 * Which kind of revision the message is of: what it claims in its `_meta`, else what the header MCP-Protocol-Version
 * says (not set: there is none), else legacy. False: the two contradict each other in a way that makes it neither.
 */
bool modern_classify(const struct message *m, const struct request_meta *meta, struct span header, enum era *era,
        struct modern_fault *fault);

/* True for a header that names the modern revision. */
bool modern_is_named(struct span header);

/* The headers of a POST; not set: not there. */
struct modern_headers {
	struct span version, method, name;
	bool twice; /* one of them is */
};

/* What Mcp-Name repeats: the tool, prompt, URI or task that the request names; not set: nothing. */
struct span modern_named(const struct message *m);

/* In the order of the specification; the first thing that is wrong counts. `h` is NULL over stdio. */
bool modern_check(const struct message *m, const struct request_meta *meta, const struct modern_headers *h,
        struct modern_fault *fault);

/* The error; for a version that is not supported with what is. */
void modern_put_fault(
        struct buf *out, struct span id, const struct modern_fault *fault, const struct request_meta *meta);

#endif
