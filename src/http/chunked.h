/*
 * The chunked transfer coding (RFC 9112, 7.1), decoding in place: bytes in, spans of payload out, however the bytes are
 * cut. Chunk extensions are skipped (bounded), trailers are checked and thrown away (bounded).
 */
#ifndef SLUICE_HTTP_CHUNKED_H
#define SLUICE_HTTP_CHUNKED_H

#include "base/buf.h"

struct chunked {
	int state;
	uint64_t left;    /* of the chunk's data */
	unsigned line;    /* bytes of the present line, for the bound */
	unsigned trailer; /* bytes of all trailers, for theirs */
};

enum chunked_verdict { CHUNKED_MORE, CHUNKED_DATA, CHUNKED_DONE, CHUNKED_BAD };

/*
 * A zeroed struct is at the start. Takes bytes from the front of *in and moves it forward. CHUNKED_DATA: *data is the
 * next piece of payload (call again); CHUNKED_MORE: *in is used up; CHUNKED_DONE: *in is what follows the body.
 */
enum chunked_verdict chunked_next(struct chunked *c, struct span *in, struct span *data);

/* Writing: a chunk's head ("1a\r\n"); then the data, then "\r\n". The end of the body is CHUNKED_END. */
void chunked_put_head(struct buf *out, size_t size);
#define CHUNKED_END SPAN("0\r\n\r\n")

#endif
