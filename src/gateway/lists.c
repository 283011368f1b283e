/*
 * Lists are served from memory, at once. Only at the start, while a server has not been tried for the first time, a
 * list waits for it, for a bounded time in all.
 */
#include "gateway/gateway_private.h"

static const enum list_kind kind_of_method[METHOD_COUNT] = {
	[METHOD_TOOLS_LIST] = LIST_TOOLS,
	[METHOD_RESOURCES_LIST] = LIST_RESOURCES,
	[METHOD_RESOURCE_TEMPLATES_LIST] = LIST_TEMPLATES,
	[METHOD_PROMPTS_LIST] = LIST_PROMPTS,
};

static bool in_scope(const struct slot *slot, int scope)
{
	return scope == SCOPE_ALL || slot->index == (size_t)scope;
}

/* A list is the first use of a lazy server. */
static void want(struct gateway *gw, struct slot *slot)
{
	if (slot->wait_until.ms != MONO_NEVER.ms)
		return;
	slot->wait_until = mono_add(gw->sched->now, FIRST_TRY_WAIT_MS);
	slot->backend->ops->start(slot->backend);
}

/* Until when a list has to wait; a point that has passed when it need not. */
static mono_t first_try(struct gateway *gw, int scope)
{
	mono_t until = gw->sched->now;

	for (size_t i = 0; i < gw->slot_count; i++) {
		struct slot *slot = gw->slots[i];
		if (!in_scope(slot, scope) || slot->tried)
			continue;
		want(gw, slot);
		until = mono_max(until, slot->wait_until);
	}
	return until;
}

/* The modern revision knows a method only where discover shows its capability. */
static bool is_offered(const struct call *c)
{
	struct backend_hello all = offered(c->gw, c->scope);

	switch (kind_of_method[c->method]) {
	case LIST_TOOLS:
		return all.tools;
	case LIST_PROMPTS:
		return all.prompts;
	default:
		return all.resources;
	}
}

static void answer_list(struct call *c)
{
	bool (*page)(struct catalog *, int, enum list_kind, struct span, struct buf *) =
	        call_is_modern(c) ? catalog_page : catalog_page_legacy;
	struct gateway *gw = c->gw;

	if (call_is_modern(c) && !is_offered(c)) {
		call_fail(c, RPC_METHOD_NOT_FOUND, SPAN("no server offers this list"));
		return;
	}
	gw->listed[kind_of_method[c->method]] = true;
	buf_reset(&gw->scratch);
	if (page(gw->catalog, c->scope, kind_of_method[c->method], c->cursor, &gw->scratch))
		call_answer(c, buf_span(&gw->scratch));
	else
		call_fail(c, RPC_INVALID_PARAMS, SPAN("params.cursor is not one that was given out"));
}

static void on_held_timer(void *arg)
{
	lists_recheck(arg);
}

void serve_list(struct call *c, const struct message *m)
{
	struct gateway *gw = c->gw;
	mono_t until = first_try(gw, c->scope);

	(void)m;
	if (mono_past(until, gw->sched->now)) {
		answer_list(c);
		return;
	}
	c->deadline = mono_add(gw->sched->now, FIRST_TRY_WAIT_MS); /* in all, whatever servers a reload adds */
	list_append(&gw->held, &c->in_held);
	call_step(c, CALL_EV_HOLD);
	if (!timer_is_set(&gw->held_timer) || until.ms < gw->held_timer.at.ms)
		timer_set(gw->sched, &gw->held_timer, until, on_held_timer, gw);
}

void lists_recheck(struct gateway *gw)
{
	mono_t next = MONO_NEVER;

	list_each (node, &gw->held) {
		struct call *c = list_entry(node, struct call, in_held);
		mono_t until = mono_min(first_try(gw, c->scope), c->deadline);
		if (mono_past(until, gw->sched->now))
			answer_list(c);
		else
			next = mono_min(next, until);
	}
	timer_set(gw->sched, &gw->held_timer, next, on_held_timer, gw);
}
