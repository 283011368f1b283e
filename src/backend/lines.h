/*
 * A stream of bytes taken apart into lines, each of a bounded length. Lines that lie whole in the bytes just read are
 * handed out in place; only the beginning of one that is not complete yet is copied. The caller reads, and pulls:
 *
 *	while ((got = lines_next(&lines, &bytes, &line)) != LINES_MORE)
 *		...
 *
 * However the stream is cut into reads, the lines come out the same. A line ends in LF or CRLF; empty ones are left
 * out. One that is longer than `max` is thrown away to its end, and told with its first and its last bytes.
 */
#ifndef SLUICE_BACKEND_LINES_H
#define SLUICE_BACKEND_LINES_H

#include "base/buf.h"

#define LINES_ENDS 1024 /* so much is kept of each end of a line that is too long */

struct lines {
	size_t max;      /* bytes of a line, without its end */
	struct buf held; /* of a line that is not complete; of one that is too long its first bytes */
	bool skipping;   /* the line is too long */
	bool handed_out; /* `held` was, and is empty from the next call on */
	size_t skipped;  /* the whole length of it so far */
	struct buf last; /* its last bytes, and up to twice as many */
};

enum lines_got {
	LINES_MORE,    /* the bytes are used up */
	LINES_LINE,    /* `text` is one line */
	LINES_TOO_LONG /* `text` is its beginning, `last` its end, `size` its length */
};

/* Valid until the next call, and while the bytes are. */
struct line {
	struct span text, last;
	size_t size;
};

void lines_init(struct lines *l, size_t max);
enum lines_got lines_next(struct lines *l, struct span *bytes, struct line *line);

/* End of the stream: what is left without a line feed. LINES_MORE: nothing is. */
enum lines_got lines_end(struct lines *l, struct line *line);

void lines_clear(struct lines *l);

#endif
