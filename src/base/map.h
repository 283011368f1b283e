/*
 * A hash map from text to a pointer, or from a number to a pointer. Keys of text are borrowed: they must live as long
 * as the entry, in practice inside the object that it points to. The order of a walk is not defined, so nothing that
 * is decided or shown may come from one. A zeroed struct is an empty map; map_seed makes its order unguessable.
 */
#ifndef SLUICE_BASE_MAP_H
#define SLUICE_BASE_MAP_H

#include "base/span.h"

struct map_slot {
	struct span key; /* numbers: p is NULL and n the number */
	uint64_t hash;
	void *value; /* NULL: the slot is free */
};

struct map {
	struct map_slot *slots;
	size_t size, count; /* size: a power of two, or 0 */
	uint64_t seed;
};

/* For maps whose keys a peer may choose. */
static inline void map_seed(struct map *m, uint64_t seed)
{
	m->seed = seed;
}

/* NULL when it is not there. */
void *map_get(const struct map *m, struct span key);
void *map_get_u64(const struct map *m, uint64_t key);

/* `value` is not NULL; the key must not be there yet (asserted). */
void map_put(struct map *m, struct span key, void *value);
void map_put_u64(struct map *m, uint64_t key, void *value);

/* Takes the entry out and returns its value; NULL when it is not there. */
void *map_remove(struct map *m, struct span key);
void *map_remove_u64(struct map *m, uint64_t key);

void map_free(struct map *m);

#endif
