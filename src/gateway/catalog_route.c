#include "gateway/catalog_private.h"
#include "gateway/uri_template.h"

static const struct entry *find_listed(const struct catalog *c, int scope, enum list_kind kind, struct span name)
{
	return scope == SCOPE_ALL ? map_get(&c->merged[kind].by_name, name)
	                          : map_get(&catalog_part(c, scope, kind)->by_key, name);
}

/* The server whose name stands before the first `__` that has one before it. */
static const struct server *find_by_prefix(const struct catalog *c, struct span name)
{
	for (size_t at = 1; at <= c->longest_name && at + 2 <= name.n; at++) {
		const struct server *s = NULL;
		if (name.p[at] == '_' && name.p[at + 1] == '_')
			s = map_get(&c->by_name, span_cut(name, at));
		if (s != NULL)
			return s;
	}
	return NULL;
}

/* Whose a name that no list has must be; NULL: nobody's. */
static const struct server *find_unlisted(const struct catalog *c, int scope, struct span name, struct span *local)
{
	const struct server *s = NULL;

	*local = name;
	if (scope != SCOPE_ALL)
		return &c->servers[scope];
	if (!c->prefixed)
		return c->count == 1 ? &c->servers[0] : NULL;
	s = find_by_prefix(c, name);
	if (s != NULL)
		*local = span_skip(name, s->prefix.n);
	return s;
}

bool catalog_route(struct catalog *c, int scope, enum list_kind kind, struct span name, struct route *route)
{
	const struct entry *e = find_listed(c, scope, kind, name);
	struct span local;

	if (e != NULL) {
		*route = (struct route){
			.server = e->server,
			.name = span_skip(name, name.n - e->key.n),
			.read_only = e->read_only,
			.idempotent = e->idempotent,
			.only_as_task = e->only_as_task,
			.listed = true,
			.item = e->item,
		};
		return true;
	}
	if (!kind_has_prefix(kind))
		return false;
	const struct server *s = find_unlisted(c, scope, name, &local);
	if (s == NULL || local.n == 0 || (kind == LIST_TOOLS && !server_allows(s, local)))
		return false;
	*route = (struct route){ .server = s->index, .name = local };
	return true;
}

static bool has_template_for(const struct server *s, struct span uri)
{
	const struct part *p = &s->parts[LIST_TEMPLATES];

	for (size_t i = 0; i < p->count; i++)
		if (uri_template_matches(p->entries[i].pattern, uri))
			return true;
	return false;
}

static bool has_resources(const struct server *s, struct span uri)
{
	(void)uri;
	return s->parts[LIST_RESOURCES].known || s->parts[LIST_TEMPLATES].known;
}

static size_t all_with(const struct catalog *c, bool (*fits)(const struct server *s, struct span uri), struct span uri,
        size_t *servers, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < c->count && n < max; i++)
		if (fits(&c->servers[i], uri))
			servers[n++] = i;
	return n;
}

size_t catalog_route_uri(struct catalog *c, int scope, struct span uri, size_t *servers, size_t max)
{
	const struct entry *owner = scope == SCOPE_ALL ? find_listed(c, scope, LIST_RESOURCES, uri) : NULL;

	if (max == 0)
		return 0;
	if (scope != SCOPE_ALL || owner != NULL) {
		servers[0] = scope != SCOPE_ALL ? (size_t)scope : owner->server;
		return 1;
	}
	size_t n = all_with(c, has_template_for, uri, servers, max);
	return n > 0 ? n : all_with(c, has_resources, uri, servers, max);
}
