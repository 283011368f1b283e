#include "gateway/catalog.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "crypto/seal.h"
#include "gateway/catalog_private.h"

#define FNV_START 0x811c9dc5u
#define FNV_PRIME 0x01000193u

static void fingerprint(struct catalog *c, struct span text)
{
	for (size_t i = 0; i <= text.n; i++) /* with an end, so that "ab", "c" is not "a", "bc" */
		c->fingerprint = (c->fingerprint ^ (i < text.n ? (unsigned char)text.p[i] : 0)) * FNV_PRIME;
}

static void server_init(struct catalog *c, size_t index, const struct catalog_server *conf)
{
	struct server *s = &c->servers[index];

	*s = (struct server){
		.index = index,
		.name = arena_copy(&c->arena, span_of(conf->name)),
		.prefix = span_of(arena_printf(&c->arena, "%s__", conf->name)),
		.include = conf->include,
		.exclude = conf->exclude,
	};
	map_put(&c->by_name, s->name, s);
	if (s->name.n > c->longest_name)
		c->longest_name = s->name.n;
	fingerprint(c, s->name);
}

struct catalog *catalog_new(const struct catalog_server *servers, size_t n, bool prefixed, size_t page_items)
{
	struct catalog *c = NEW(struct catalog);

	assert(page_items > 0 && n < UINT32_MAX);
	c->servers = mem_zalloc(n * sizeof(*c->servers));
	c->count = n;
	c->prefixed = prefixed;
	c->page_items = page_items;
	c->fingerprint = FNV_START + prefixed;
	random_bytes(&c->seed, sizeof(c->seed));
	map_seed(&c->by_name, c->seed);
	for (size_t i = 0; i < n; i++)
		server_init(c, i, &servers[i]);
	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++)
		map_seed(&c->merged[kind].by_name, c->seed);
	return c;
}

void catalog_free(struct catalog **cp)
{
	struct catalog *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++) {
		for (size_t i = 0; i < c->count; i++)
			part_clear(&c->servers[i].parts[kind]);
		views_clear(c->merged[kind].views);
		map_free(&c->merged[kind].by_name);
		free(c->merged[kind].entries);
	}
	map_free(&c->by_name);
	arena_free(&c->arena);
	free(c->servers);
	free(c);
}

/* The map's key is the owner's own text, so the entry is made anew when the owner changes. */
static void set_owner(struct merged *m, struct entry *owner)
{
	if (owner == NULL)
		return;
	owner->shown = true;
	if (owner->rival != NULL)
		owner->rival->shown = false;
	map_put(&m->by_name, owner->name, owner);
}

static void claim(struct merged *m, struct entry *e)
{
	struct entry *owner = map_remove(&m->by_name, e->name), **at = &owner;

	while (*at != NULL && (*at)->server < e->server)
		at = &(*at)->rival;
	e->rival = *at;
	*at = e;
	set_owner(m, owner);
}

static void unclaim(struct merged *m, struct entry *e)
{
	struct entry *owner = map_remove(&m->by_name, e->name), **at = &owner;

	while (*at != e)
		at = &(*at)->rival;
	*at = e->rival;
	set_owner(m, owner);
}

/* Everything that is shown, in the order of the configuration. */
static void gather(struct catalog *c, enum list_kind kind)
{
	struct merged *m = &c->merged[kind];
	size_t most = 0;

	for (size_t i = 0; i < c->count; i++)
		most += c->servers[i].parts[kind].count;
	m->entries = mem_alloc(most * sizeof(struct entry *));
	m->count = 0;
	for (size_t i = 0; i < c->count; i++) {
		struct part *p = &c->servers[i].parts[kind];
		size_t index = 0;
		for (size_t k = 0; k < p->count; k++) {
			if (!p->entries[k].shown)
				continue;
			p->entries[k].merged_index = index++;
			m->entries[m->count++] = &p->entries[k];
		}
	}
}

/* Same name and same text make the same bytes, since all that is put in is the name's prefix. */
static bool same_bytes(const struct entry *a, const struct entry *b)
{
	return a == b || (span_eq(a->item, b->item) && span_eq(a->name, b->name));
}

static bool merged_differ(const struct merged *a, const struct merged *b)
{
	if (a->count != b->count)
		return true;
	for (size_t i = 0; i < a->count; i++)
		if (!same_bytes(a->entries[i], b->entries[i]))
			return true;
	return false;
}

static bool parts_differ(const struct part *a, const struct part *b)
{
	if (a->count != b->count)
		return true;
	for (size_t i = 0; i < a->count; i++)
		if (!same_bytes(&a->entries[i], &b->entries[i]))
			return true;
	return false;
}

bool catalog_set(struct catalog *c, size_t server, enum list_kind kind, struct item_list *list, bool *own_changed)
{
	assert(server < c->count && kind < LIST_KINDS);
	struct merged *m = &c->merged[kind], before = *m;
	struct part *p = &c->servers[server].parts[kind], old = *p;

	part_fill(p, c, &c->servers[server], kind, list);
	for (size_t i = 0; i < old.count; i++)
		unclaim(m, &old.entries[i]);
	for (size_t i = 0; i < p->count; i++)
		claim(m, &p->entries[i]);
	gather(c, kind);
	bool changed = merged_differ(&before, m);
	if (changed)
		views_clear(m->views);
	*own_changed = parts_differ(&old, p);
	free(before.entries);
	part_clear(&old);
	return changed;
}

static void move_lists(struct catalog *from, struct catalog *to, struct server *s, bool changed[LIST_KINDS])
{
	struct server *old = map_get(&from->by_name, s->name);

	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++) {
		changed[kind] = false;
		if (old == NULL || !old->parts[kind].known)
			continue;
		struct part *p = &old->parts[kind];
		catalog_set(to, s->index, kind, &p->list, &(bool){ false });
		changed[kind] = parts_differ(p, &s->parts[kind]);
	}
}

/* The entries of the old catalog stay readable until it is freed: the text of the lists is the new one's then. */
void catalog_renew(struct catalog **c, const struct catalog_server *servers, size_t n, struct catalog_changes *changes)
{
	struct catalog *old = *c, *renewed = catalog_new(servers, n, old->prefixed, old->page_items);

	for (size_t i = 0; i < n; i++)
		move_lists(old, renewed, &renewed->servers[i], changes->own[i]);
	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++)
		changes->merged[kind] = merged_differ(&old->merged[kind], &renewed->merged[kind]);
	catalog_free(&old);
	*c = renewed;
}

size_t catalog_count(const struct catalog *c, int scope, enum list_kind kind)
{
	return scope == SCOPE_ALL ? c->merged[kind].count : catalog_part(c, scope, kind)->count;
}

struct listener {
	void (*tell)(void *arg, struct span name, const char *what);
	void *arg;
};

static void warn_of_part(const struct server *s, enum list_kind kind, const struct listener *to)
{
	const struct part *p = &s->parts[kind];
	char text[100];

	for (size_t i = 0; i < p->count; i++) {
		if (!p->entries[i].shown)
			to->tell(to->arg, p->entries[i].name,
			        "left out: its name collides with one of a server before it");
		else if (kind_has_prefix(kind) && p->entries[i].name.n > NAME_COMFORTABLE)
			to->tell(to->arg, p->entries[i].name, "longer than 64 characters: some clients refuse it");
	}
	for (const struct repetition *r = p->repeated; r != NULL; r = r->next)
		to->tell(to->arg, r->key, "left out: the server lists it twice");
	if (p->unusable > 0) {
		snprintf(text, sizeof(text), "%zu items of %s left out: they have no usable \"%s\"", p->unusable,
		        list_member(kind), list_key(kind));
		to->tell(to->arg, s->name, text);
	}
}

void catalog_warnings(struct catalog *c, void (*tell)(void *arg, struct span name, const char *what), void *arg)
{
	struct listener to = { tell, arg };

	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++)
		for (size_t i = 0; i < c->count; i++)
			warn_of_part(&c->servers[i], kind, &to);
}
