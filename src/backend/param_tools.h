/*
 * The tools of a modern server that want some of their arguments repeated as HTTP headers ("x-mcp-header" in their
 * schemas, MCP 2026-07-28): found when the list comes, and asked at each call. Tools whose annotations break the rules
 * are taken out of the list, as a client over HTTP must.
 */
#ifndef SLUICE_BACKEND_PARAM_TOOLS_H
#define SLUICE_BACKEND_PARAM_TOOLS_H

#include "backend/backend.h"
#include "base/arena.h"
#include "base/map.h"

/* A zeroed one has none. */
struct param_tools {
	struct arena arena;
	struct map by_name;
};

/* A new list of tools. Returns how many it has lost. */
size_t param_tools_take(struct param_tools *p, struct item_list *list);

/* Appends "Mcp-Param-NAME: VALUE" and a line feed for each; `arguments` may be not set. */
void param_tools_put(const struct param_tools *p, struct span name, struct span arguments, struct buf *out);

void param_tools_clear(struct param_tools *p);

#endif
