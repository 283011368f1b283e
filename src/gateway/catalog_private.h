/*
 * What the sources of the catalog share. catalog.c keeps the lists and knows who owns which name, catalog_part.c reads
 * one list of one server, catalog_route.c finds the way back, catalog_page.c writes pages.
 *
 * A name of a merged list belongs to the first server in the order of the configuration that has it; the others are its
 * rivals, chained behind it, and come up when it goes. With prefixes there is hardly ever one.
 */
#ifndef SLUICE_GATEWAY_CATALOG_PRIVATE_H
#define SLUICE_GATEWAY_CATALOG_PRIVATE_H

#include "base/arena.h"
#include "base/map.h"
#include "gateway/catalog.h"

#define NAME_COMFORTABLE 64 /* clients and models refuse longer names */

struct entry {
	struct span item;    /* the server's own text */
	struct span key;     /* its name or URI, decoded, as the server knows it */
	struct span name;    /* ... as the merged list has it */
	struct span pattern; /* of a template, compiled */
	struct span hidden;  /* a part of `item` that legacy clients cannot read, and do not get; or not set */
	size_t prefix_at;    /* where in `item` a prefix goes: behind the quote that opens the key's string */
	size_t server, own_index;
	size_t merged_index; /* among those of its server that are shown */
	struct entry *rival; /* the next server's claim to the name */
	bool shown;          /* in the merged list: nobody before has the name */
	bool read_only, idempotent, only_as_task;
};

/* A name that one list has twice. */
struct repetition {
	struct repetition *next;
	struct span key;
};

/* One page as text, and the places (server and index) that it starts at and that the next one starts at. */
struct place {
	size_t server, index;
};

struct page {
	struct place from, next; /* next.server is past the last one when there is no next page */
	struct span text;
};

/* The pages written so far, from the first one on. */
struct view {
	struct page *pages;
	size_t count;
};

enum { VIEW_WHOLE, VIEW_LEGACY, VIEWS };

/* One list of one server. */
struct part {
	bool known; /* the server has given one */
	struct arena arena;
	struct item_list list;
	struct entry *entries; /* without those that are excluded, unusable or repeated */
	size_t count;
	struct map by_key;
	struct repetition *repeated;
	size_t unusable;
	struct view views[VIEWS];
};

/* One merged list. */
struct merged {
	struct entry **entries;
	size_t count;
	struct map by_name; /* to the owner */
	struct view views[VIEWS];
};

struct server {
	size_t index;
	struct span name, prefix;
	const char *const *include, *const *exclude;
	struct part parts[LIST_KINDS];
};

struct catalog {
	struct server *servers;
	size_t count, longest_name;
	bool prefixed;
	size_t page_items;
	uint64_t seed;
	uint32_t fingerprint; /* of the configuration, in cursors */
	struct map by_name;   /* servers */
	struct merged merged[LIST_KINDS];
	struct arena arena;
};

static inline bool kind_has_prefix(enum list_kind kind)
{
	return kind == LIST_TOOLS || kind == LIST_PROMPTS;
}

static inline const struct part *catalog_part(const struct catalog *c, int scope, enum list_kind kind)
{
	return &c->servers[scope].parts[kind];
}

/* Whether the server's include and exclude let a tool through. */
bool server_allows(const struct server *s, struct span tool);

/* Reads a list into an empty part; takes *list over. */
void part_fill(
        struct part *p, const struct catalog *c, const struct server *s, enum list_kind kind, struct item_list *list);
void part_clear(struct part *p);

/* Forgets the pages: the list has changed. */
void views_clear(struct view views[VIEWS]);

#endif
