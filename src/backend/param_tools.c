#include "backend/param_tools.h"

#include "base/mem.h"
#include "mcp/param_headers.h"

struct param_tool {
	struct span name, schema;
};

static bool is_annotated(struct span item)
{
	return memmem(item.p, item.n, "x-mcp-header", 12) != NULL;
}

static void keep(struct param_tools *p, struct span item, struct span schema)
{
	struct span raw = json_member(item, "name");
	struct param_tool *tool = ARENA_NEW(&p->arena, struct param_tool);
	char *room = arena_alloc(&p->arena, raw.n + 1);
	struct span name = json_decode(raw, room);

	tool->name = arena_copy(&p->arena, name);
	tool->schema = arena_copy(&p->arena, schema);
	if (map_get(&p->by_name, tool->name) == NULL)
		map_put(&p->by_name, tool->name, tool);
}

/* False: it must not be shown. */
static bool take_item(struct param_tools *p, struct span item)
{
	struct param_header found[PARAM_HEADERS_MAX];
	struct span schema = json_member(item, "inputSchema");

	if (!is_annotated(item) || json_type_of(schema) != JSON_OBJECT)
		return true;
	int n = param_headers_find(schema, SPAN_NONE, found);
	if (n > 0)
		keep(p, item, schema);
	return n >= 0;
}

size_t param_tools_take(struct param_tools *p, struct item_list *list)
{
	size_t kept = 0, all = list->count;

	param_tools_clear(p);
	for (size_t i = 0; i < all; i++)
		if (take_item(p, list->items[i]))
			list->items[kept++] = list->items[i];
	list->count = kept;
	return all - kept;
}

void param_tools_put(const struct param_tools *p, struct span name, struct span arguments, struct buf *out)
{
	const struct param_tool *tool = p->by_name.count > 0 ? map_get(&p->by_name, name) : NULL;
	struct param_header found[PARAM_HEADERS_MAX];
	int n = tool != NULL ? param_headers_find(tool->schema, arguments, found) : 0;

	for (int i = 0; i < n; i++) {
		if (!span_is_set(found[i].value))
			continue;
		buf_printf(out, PARAM_HEADER_PREFIX "%.*s: ", SPAN_ARG(found[i].name));
		param_header_put(&found[i], out);
		buf_add_char(out, '\n');
	}
}

void param_tools_clear(struct param_tools *p)
{
	map_free(&p->by_name);
	arena_free(&p->arena);
	*p = (struct param_tools){ 0 };
}
