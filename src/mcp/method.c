#include "mcp/method.h"

#include <assert.h>

static const struct method_row {
	struct span name;
	enum sender sender;
	bool request;
} rows[METHOD_COUNT] = {
#define X(symbol, name, sender, request) [METHOD_##symbol] = { SPAN(name), SENDER_##sender, request },
	METHODS(X)
#undef X
};

/* clang-format off */
static const struct list_row {
	enum method list, changed;
	const char *member, *key;
} lists[LIST_KINDS] = {
	[LIST_TOOLS]     = { METHOD_TOOLS_LIST,              METHOD_TOOLS_CHANGED,     "tools",             "name" },
	[LIST_RESOURCES] = { METHOD_RESOURCES_LIST,          METHOD_RESOURCES_CHANGED, "resources",         "uri" },
	[LIST_TEMPLATES] = { METHOD_RESOURCE_TEMPLATES_LIST, METHOD_RESOURCES_CHANGED, "resourceTemplates", "uriTemplate" },
	[LIST_PROMPTS]   = { METHOD_PROMPTS_LIST,            METHOD_PROMPTS_CHANGED,   "prompts",           "name" },
};
/* clang-format on */

static const struct method_row *row(enum method m)
{
	assert(m < METHOD_COUNT);
	return &rows[m];
}

static const struct list_row *list_row(enum list_kind kind)
{
	assert(kind < LIST_KINDS);
	return &lists[kind];
}

enum method method_parse(struct span name)
{
	for (enum method m = 0; m < METHOD_COUNT; m++)
		if (span_eq(rows[m].name, name))
			return m;
	return METHOD_UNKNOWN;
}

struct span method_name(enum method m)
{
	return row(m)->name;
}

enum sender method_sender(enum method m)
{
	return row(m)->sender;
}

bool method_is_request(enum method m)
{
	return row(m)->request;
}

bool method_is_modern(enum method m)
{
	switch (m) {
	case METHOD_DISCOVER:
	case METHOD_LISTEN:
	case METHOD_TOOLS_LIST:
	case METHOD_TOOLS_CALL:
	case METHOD_RESOURCES_LIST:
	case METHOD_RESOURCE_TEMPLATES_LIST:
	case METHOD_RESOURCES_READ:
	case METHOD_PROMPTS_LIST:
	case METHOD_PROMPTS_GET:
	case METHOD_COMPLETE:
	case METHOD_TASKS_GET:
	case METHOD_TASKS_UPDATE:
	case METHOD_TASKS_CANCEL:
		return true;
	default:
		return false;
	}
}

enum method list_method(enum list_kind kind)
{
	return list_row(kind)->list;
}

const char *list_member(enum list_kind kind)
{
	return list_row(kind)->member;
}

const char *list_key(enum list_kind kind)
{
	return list_row(kind)->key;
}

enum method list_changed_method(enum list_kind kind)
{
	return list_row(kind)->changed;
}
