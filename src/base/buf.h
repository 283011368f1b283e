/*
 * A growing queue of bytes: put in at the end, taken from the front.
 *
 *   0 ........ from ........ to ........ cap
 *   | taken    | waiting     | free      |
 *
 * A zeroed struct is an empty buffer that holds no memory, and one that becomes empty gives back what it holds, so
 * that an idle connection costs nothing. The bound is the caller's: ask buf_size before adding.
 */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include <stdarg.h>

#include "base/span.h"

struct buf {
	char *mem;
	size_t from, to, cap;
};

static inline size_t buf_size(const struct buf *b)
{
	return b->to - b->from;
}

/* What is waiting; valid until the buffer is changed. */
static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->mem != NULL ? b->mem + b->from : "", b->to - b->from };
}

/* Room for `n` more bytes; write them there, then tell by buf_added. */
char *buf_reserve(struct buf *b, size_t n);

static inline size_t buf_room(const struct buf *b)
{
	return b->cap - b->to;
}

static inline void buf_added(struct buf *b, size_t n)
{
	b->to += n;
}

void buf_add(struct buf *b, struct span s);
void buf_add_char(struct buf *b, char c);
void buf_add_u64(struct buf *b, uint64_t value);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3), nonnull));

/* Forgets the first `n` bytes. */
void buf_take(struct buf *b, size_t n);

/* Empty again, with its memory kept for the next use. */
static inline void buf_reset(struct buf *b)
{
	b->from = b->to = 0;
}

void buf_free(struct buf *b);

#endif
