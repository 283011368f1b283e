/*
 * Tasks: calls that go on after their answer. They are known by an id that the server chooses, in the core of revision
 * 2025-11-25 and, with other messages, as an extension of 2026-07-28. This module knows where in a message such ids
 * stand. Pure; spans point into the message.
 */
#ifndef SLUICE_MCP_TASK_H
#define SLUICE_MCP_TASK_H

#include "mcp/jsonrpc.h"
#include "mcp/meta.h"

#define META_RELATED_TASK META_PREFIX "related-task"
#define EXTENSION_TASKS META_PREFIX "tasks"

/* The task that a message belongs to, from its `_meta`: a raw JSON string, or not set. */
struct span task_related(struct span meta);

/*
 * The task that the result of a request is about, or that it has made: a raw JSON string, or not set. `augmented`: the
 * request was a tools/call that asked for a task (2025-11-25).
 */
struct span task_in_result(const struct message *result, enum method asked, bool augmented);

/* How a task stands, from what holds it: raw JSON. It is over and does not change any more. */
bool task_is_over(struct span task);

/* Milliseconds that it is kept from its beginning; -1: as long as its server likes. */
int64_t task_ttl(struct span task);

/* Whether capabilities of the modern revision, a client's or a server's, name the extension. */
bool task_extension_in(struct span capabilities);

#endif
