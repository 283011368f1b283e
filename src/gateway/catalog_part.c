#include "base/mem.h"
#include "gateway/catalog_private.h"
#include "gateway/uri_template.h"
#include "json/scan.h"
#include "mcp/bridge.h"
#include "mcp/structured.h"

enum {
	SLOT_KEY,
	SLOT_ANNOTATIONS,
	SLOT_READ_ONLY,
	SLOT_IDEMPOTENT,
	SLOT_EXECUTION,
	SLOT_TASK_SUPPORT,
	SLOT_OUTPUT_SCHEMA
};

static bool any_matches(const char *const *globs, struct span text)
{
	for (; *globs != NULL; globs++)
		if (span_glob(span_of(*globs), text))
			return true;
	return false;
}

bool server_allows(const struct server *s, struct span tool)
{
	if (s->include != NULL && !any_matches(s->include, tool))
		return false;
	return s->exclude == NULL || !any_matches(s->exclude, tool);
}

/* What a legacy client cannot read of a tool: a schema of another result than an object. */
static struct span hidden_part(struct span output_schema)
{
	struct bridge b;

	if (!span_is_set(output_schema) || structured_schema_is_legacy(output_schema))
		return SPAN_NONE;
	bridge_drop(&b, output_schema);
	return b.splices[0].out;
}

/* False for an item that nobody could name: no object, no key, a key that is no string or is there twice. */
static bool read_item(struct arena *a, enum list_kind kind, struct span item, struct entry *e)
{
	static const struct json_shape hints[] = {
		{ "readOnlyHint", SLOT_READ_ONLY, NULL },
		{ "idempotentHint", SLOT_IDEMPOTENT, NULL },
		{ NULL, 0, NULL },
	};
	static const struct json_shape execution[] = {
		{ "taskSupport", SLOT_TASK_SUPPORT, NULL },
		{ NULL, 0, NULL },
	};
	const struct json_shape shape[] = {
		{ list_key(kind), SLOT_KEY, NULL },
		{ "annotations", SLOT_ANNOTATIONS, hints },
		{ "execution", SLOT_EXECUTION, execution },
		{ "outputSchema", SLOT_OUTPUT_SCHEMA, NULL },
		{ NULL, 0, NULL },
	};
	struct json_found found;
	struct json_fault fault;

	if (!json_scan(item, JSON_DEPTH_MAX, shape, &found, &fault))
		return false;
	struct span key = found.slot[SLOT_KEY];
	if (json_type_of(key) != JSON_STRING || (found.twice & 1u << SLOT_KEY) != 0)
		return false;
	*e = (struct entry){
		.item = item,
		.key = json_decode(key, arena_alloc(a, key.n)),
		.prefix_at = (size_t)(key.p + 1 - item.p),
		.read_only = json_type_of(found.slot[SLOT_READ_ONLY]) == JSON_TRUE,
		.idempotent = json_type_of(found.slot[SLOT_IDEMPOTENT]) == JSON_TRUE,
		.hidden = kind == LIST_TOOLS ? hidden_part(found.slot[SLOT_OUTPUT_SCHEMA]) : SPAN_NONE,
		.only_as_task = json_string_is(found.slot[SLOT_TASK_SUPPORT], SPAN("required")),
	};
	return true;
}

static void add_repetition(struct part *p, struct span key)
{
	struct repetition **last = &p->repeated, *r = ARENA_NEW(&p->arena, struct repetition);

	while (*last != NULL)
		last = &(*last)->next;
	r->key = key;
	*last = r;
}

static struct span with_prefix(struct arena *a, struct span prefix, struct span key)
{
	char *name = arena_alloc(a, prefix.n + key.n);

	memcpy(name, prefix.p, prefix.n);
	if (key.n > 0)
		memcpy(name + prefix.n, key.p, key.n);
	return (struct span){ name, prefix.n + key.n };
}

static void add_entry(
        struct part *p, const struct catalog *c, const struct server *s, enum list_kind kind, const struct entry *read)
{
	struct entry *e = &p->entries[p->count];

	*e = *read;
	e->server = s->index;
	e->own_index = p->count++;
	e->name = c->prefixed && kind_has_prefix(kind) ? with_prefix(&p->arena, s->prefix, e->key) : e->key;
	if (kind == LIST_TEMPLATES)
		e->pattern = uri_template_compile(&p->arena, e->key);
	map_put(&p->by_key, e->key, e);
}

void part_fill(
        struct part *p, const struct catalog *c, const struct server *s, enum list_kind kind, struct item_list *list)
{
	struct entry read;

	*p = (struct part){ .known = true, .list = *list };
	*list = (struct item_list){ 0 };
	p->entries = ARENA_ARRAY(&p->arena, struct entry, p->list.count);
	map_seed(&p->by_key, c->seed);
	for (size_t i = 0; i < p->list.count; i++) {
		if (!read_item(&p->arena, kind, p->list.items[i], &read))
			p->unusable++;
		else if (kind == LIST_TOOLS && !server_allows(s, read.key))
			continue;
		else if (map_get(&p->by_key, read.key) != NULL)
			add_repetition(p, read.key);
		else
			add_entry(p, c, s, kind, &read);
	}
}

void part_clear(struct part *p)
{
	views_clear(p->views);
	map_free(&p->by_key);
	item_list_free(&p->list);
	arena_free(&p->arena);
	*p = (struct part){ 0 };
}
