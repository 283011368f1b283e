/*
 * Forwarding replaces a few spans of a message (ids, names, tokens) and leaves every other byte as it is. The result
 * is a message in pieces, which is written once, straight into the buffer that it is for.
 */
#ifndef SLUICE_MCP_REWRITE_H
#define SLUICE_MCP_REWRITE_H

#include "base/buf.h"

#define SPLICES_MAX 16
#define PIECES_MAX (2 * SPLICES_MAX + 1)

struct splice {
	struct span out; /* a part of the text */
	struct span in;  /* what stands there instead */
};

struct pieces {
	struct span at[PIECES_MAX];
	unsigned n;
	size_t size; /* of all together */
};

struct pieces pieces_of(struct span whole);

/* `splices` in any order; their `out` spans do not overlap (asserted); one whose `out` is not set is left out. */
struct pieces pieces_splice(struct span text, const struct splice *splices, unsigned n);

void pieces_append(struct pieces *p, struct span s);
void pieces_put(struct buf *out, const struct pieces *p);

/* For line-framed transports: the same, with CR and LF (which can stand only between tokens) turned into spaces. */
void pieces_put_line(struct buf *out, const struct pieces *p);

#endif
