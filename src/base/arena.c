#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define CHUNK_SIZE 4000

#if defined(__SANITIZE_ADDRESS__)
#define ONE_PIECE_A_CHUNK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_PIECE_A_CHUNK 1
#endif
#endif
#ifndef ONE_PIECE_A_CHUNK
#define ONE_PIECE_A_CHUNK 0
#endif

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	alignas(max_align_t) char mem[];
};

void *arena_alloc(struct arena *a, size_t size)
{
	size_t need = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct arena_chunk *c = a->chunks;

	if (c == NULL || ONE_PIECE_A_CHUNK || c->size - c->used < need) {
		size_t room = need > CHUNK_SIZE || ONE_PIECE_A_CHUNK ? size : CHUNK_SIZE;
		c = mem_alloc(sizeof(*c) + room);
		*c = (struct arena_chunk){ .next = a->chunks, .size = room };
		a->chunks = c;
	}
	char *piece = c->mem + c->used;
	c->used = c->used + need < c->size ? c->used + need : c->size;
	a->used += size;
	return memset(piece, 0, size);
}

struct span arena_copy(struct arena *a, struct span s)
{
	char *copy = arena_alloc(a, s.n + 1);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	return (struct span){ copy, s.n };
}

const char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	char *text = arena_alloc(a, (size_t)n + 1);
	va_start(ap, format);
	vsnprintf(text, (size_t)n + 1, format, ap);
	va_end(ap);
	return text;
}

void arena_free(struct arena *a)
{
	for (struct arena_chunk *c = a->chunks, *next; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	*a = (struct arena){ 0 };
}
