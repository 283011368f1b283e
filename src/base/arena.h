/*
 * An arena: memory that lives and dies with one object. Pieces are never freed alone. A zeroed struct is an empty
 * arena. In sanitizer builds every piece is a malloc of its own, so that ASan sees each bound.
 */
#ifndef SLUICE_BASE_ARENA_H
#define SLUICE_BASE_ARENA_H

#include "base/span.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	size_t used; /* bytes handed out, for bounds */
};

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((malloc, returns_nonnull));

/* Copies: as a span, and with a NUL behind it, so that .p is a C string too. */
struct span arena_copy(struct arena *a, struct span s);
const char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3), nonnull));

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, n) ((type *)arena_alloc((arena), (n) * sizeof(type)))

void arena_free(struct arena *a);

#endif
