#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define BUF_FIRST 512

char *buf_reserve(struct buf *b, size_t n)
{
	if (b->cap - b->to >= n)
		return b->mem + b->to;
	if (b->from > 0) {
		memmove(b->mem, b->mem + b->from, buf_size(b));
		b->to -= b->from;
		b->from = 0;
	}
	if (b->cap - b->to < n) {
		size_t cap = b->cap > 0 ? b->cap : BUF_FIRST;
		while (cap - b->to < n)
			cap *= 2;
		b->mem = mem_realloc(b->mem, cap);
		b->cap = cap;
	}
	return b->mem + b->to;
}

void buf_add(struct buf *b, struct span s)
{
	if (s.n == 0)
		return;
	memcpy(buf_reserve(b, s.n), s.p, s.n);
	b->to += s.n;
}

void buf_add_char(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->to++;
}

void buf_add_u64(struct buf *b, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	buf_add(b, (struct span){ digits + at, sizeof(digits) - at });
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n <= 0)
		return;
	char *at = buf_reserve(b, (size_t)n + 1);
	va_start(ap, format);
	vsnprintf(at, (size_t)n + 1, format, ap);
	va_end(ap);
	b->to += (size_t)n;
}

void buf_take(struct buf *b, size_t n)
{
	b->from += n;
	if (b->from == b->to)
		buf_free(b);
}

void buf_free(struct buf *b)
{
	free(b->mem);
	*b = (struct buf){ 0 };
}
