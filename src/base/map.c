#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define FIRST_SIZE 16

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static uint64_t hash_of(const struct map *m, struct span key)
{
	uint64_t h = mix(m->seed ^ key.n);

	if (key.p == NULL)
		return h;
	for (size_t i = 0; i < key.n; i += 8) {
		uint64_t word = 0;
		memcpy(&word, key.p + i, key.n - i < 8 ? key.n - i : 8);
		h = mix(h ^ word);
	}
	return h;
}

static bool same_key(struct span a, struct span b)
{
	if (a.p == NULL || b.p == NULL)
		return a.p == b.p && a.n == b.n;
	return span_eq(a, b);
}

/* The slot of `key`, or the free one where it would go. */
static size_t find(const struct map *m, struct span key, uint64_t hash)
{
	size_t at = hash & (m->size - 1);

	while (m->slots[at].value != NULL && !(m->slots[at].hash == hash && same_key(m->slots[at].key, key)))
		at = (at + 1) & (m->size - 1);
	return at;
}

static void grow(struct map *m)
{
	struct map_slot *old = m->slots;
	size_t old_size = m->size;

	m->size = old_size > 0 ? old_size * 2 : FIRST_SIZE;
	m->slots = mem_zalloc(m->size * sizeof(*m->slots));
	for (size_t i = 0; i < old_size; i++)
		if (old[i].value != NULL)
			m->slots[find(m, old[i].key, old[i].hash)] = old[i];
	free(old);
}

static void *get(const struct map *m, struct span key)
{
	return m->count > 0 ? m->slots[find(m, key, hash_of(m, key))].value : NULL;
}

static void put(struct map *m, struct span key, void *value)
{
	assert(value != NULL);
	if ((m->count + 1) * 4 > m->size * 3)
		grow(m);
	uint64_t hash = hash_of(m, key);
	size_t at = find(m, key, hash);
	assert(m->slots[at].value == NULL);
	m->slots[at] = (struct map_slot){ .key = key, .hash = hash, .value = value };
	m->count++;
}

/* Takes the slot out and moves the rest of its run up, so that no marks are left behind. */
static void *take_out(struct map *m, struct span key)
{
	if (m->count == 0)
		return NULL;
	size_t hole = find(m, key, hash_of(m, key));
	void *value = m->slots[hole].value;
	if (value == NULL)
		return NULL;
	for (size_t at = (hole + 1) & (m->size - 1); m->slots[at].value != NULL; at = (at + 1) & (m->size - 1)) {
		size_t home = m->slots[at].hash & (m->size - 1);
		if (((at - home) & (m->size - 1)) >= ((at - hole) & (m->size - 1))) {
			m->slots[hole] = m->slots[at];
			hole = at;
		}
	}
	m->slots[hole] = (struct map_slot){ 0 };
	m->count--;
	return value;
}

static struct span text_key(struct span key)
{
	return key.p != NULL ? key : SPAN("");
}

static struct span number_key(uint64_t key)
{
	return (struct span){ NULL, (size_t)key };
}

void *map_get(const struct map *m, struct span key)
{
	return get(m, text_key(key));
}

void *map_get_u64(const struct map *m, uint64_t key)
{
	return get(m, number_key(key));
}

void map_put(struct map *m, struct span key, void *value)
{
	put(m, text_key(key), value);
}

void map_put_u64(struct map *m, uint64_t key, void *value)
{
	put(m, number_key(key), value);
}

void *map_remove(struct map *m, struct span key)
{
	return take_out(m, text_key(key));
}

void *map_remove_u64(struct map *m, uint64_t key)
{
	return take_out(m, number_key(key));
}

void map_free(struct map *m)
{
	free(m->slots);
	*m = (struct map){ .seed = m->seed };
}
