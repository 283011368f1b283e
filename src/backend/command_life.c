#include <stdlib.h>

#include "backend/command_private.h"
#include "base/mem.h"

#define LIST_BYTES ((size_t)16 << 20) /* of all tools as JSON */

/* --- its life --- */

static void timer_fired(void *arg)
{
	struct command *c = arg;

	if (c->life.state == LIFE_STARTING)
		standing_explain(&c->standing, "not ready within %lld ms", (long long)c->life.conf.startup_timeout_ms);
	command_step(c, LIFE_EV_TIME);
}

static void state_changed(struct command *c, enum life_state from, enum life_event event)
{
	c->fell |= c->life.state == LIFE_FALLING || c->life.state == LIFE_BACKOFF;
	standing_changed(&c->standing, from, event);
}

static void stop_all(struct command *c, enum child_stop how)
{
	command_stop_runs(c, how);
	discovery_stop(&c->discovery, how);
	command_settle(c);
}

static void discover(struct command *c)
{
	struct err e;

	c->starts++;
	c->restarts += c->fell;
	c->fell = false;
	c->began_at = command_now(c);
	if (child_check(&c->child_conf, &e)) {
		discovery_start(&c->discovery, c->base.conf, &c->child_conf);
		return;
	}
	standing_explain(&c->standing, "%s", e.text);
	log_warn(&c->log, "backend_spawn_failed", "the server could not be started", F_ERR(&e));
	command_step(c, LIFE_EV_NO_SPAWN);
}

/* FAIL_SENT has nothing to do: a call has a process of its own, and ends with it. */
void command_step(struct command *c, enum life_event event)
{
	enum life_state from = c->life.state;
	struct life_step step = life_on(&c->life, event, command_now(c), life_random(&c->random));
	unsigned todo = step.actions;

	if (c->life.state != from)
		state_changed(c, from, event);
	if (todo & LIFE_DO_DISARM)
		timer_stop(loop_sched(c->loop), &c->timer);
	if (todo & (LIFE_DO_ARM_STARTUP | LIFE_DO_ARM_BACKOFF | LIFE_DO_ARM_IDLE))
		timer_set(loop_sched(c->loop), &c->timer, step.at, timer_fired, c);
	if (todo & LIFE_DO_FAIL_QUEUED)
		command_fail_waiting(c);
	if (todo & LIFE_DO_FLUSH)
		command_flush(c);
	if (todo & LIFE_DO_LADDER)
		stop_all(c, CHILD_STOP_LADDER);
	if (todo & LIFE_DO_FAST)
		stop_all(c, CHILD_STOP_FAST);
	if (todo & LIFE_DO_KILL)
		stop_all(c, CHILD_STOP_KILL);
	if (todo & LIFE_DO_SPAWN)
		discover(c);
}

static void check_gone(void *arg)
{
	struct command *c = arg;
	bool ends = c->life.state == LIFE_FALLING || c->life.state == LIFE_STOPPING;

	if (ends && c->processes == 0 && !c->discovery.active)
		command_step(c, LIFE_EV_GONE);
}

void command_settle(struct command *c)
{
	post_set(loop_sched(c->loop), &c->gone_post, check_gone, c);
}

/* --- its tools --- */

static void take_tools(struct command *c)
{
	map_free(&c->by_name);
	command_tools_clear(&c->tools);
	c->tools = discovery_take(&c->discovery);
	for (size_t i = 0; i < c->tools.count; i++)
		map_put(&c->by_name, c->tools.tools[i].name, &c->tools.tools[i]);
}

/* What does not fit is not shown, and so not called. */
static struct item_list list_tools(struct command *c)
{
	struct item_list list = { .items = mem_zalloc((c->tools.count + 1) * sizeof(struct span)) };
	size_t *ends = mem_zalloc((c->tools.count + 1) * sizeof(*ends));
	struct buf text = { 0 };

	for (; list.count < c->tools.count && buf_size(&text) < LIST_BYTES; list.count++) {
		command_tool_put(&text, &c->tools.tools[list.count]);
		ends[list.count] = buf_size(&text);
	}
	if (list.count < c->tools.count)
		log_warn(&c->log, "command_tools_left_out", "the list of its tools is too large: some are left out",
		        F_INT("shown", list.count), F_INT("tools", c->tools.count));
	list.text = span_dup(buf_span(&text));
	for (size_t i = 0, from = 0; i < list.count; from = ends[i++])
		list.items[i] = (struct span){ list.text + from, ends[i] - from };
	buf_free(&text);
	free(ends);
	return list;
}

static void tell_lists(struct command *c)
{
	static const struct backend_hello hello = { .revision = REVISION_NEWEST_LEGACY, .tools = true };
	struct item_list tools = list_tools(c);

	c->base.events->hello(c->base.arg, &hello);
	c->base.events->list(c->base.arg, LIST_TOOLS, &tools);
	item_list_free(&tools); /* if it was not taken */
	for (enum list_kind kind = LIST_TOOLS + 1; kind < LIST_KINDS; kind++) {
		struct item_list none = { 0 };
		c->base.events->list(c->base.arg, kind, &none);
	}
}

static void found_fault(struct command *c, const char *fault)
{
	standing_explain(&c->standing, "%s", fault);
	log_warn(
	        &c->log, "backend_handshake_failed", "the server did not get through its start", F_STR("error", fault));
	command_step(c, LIFE_EV_REFUSED);
}

void command_found(void *arg, const char *fault)
{
	struct command *c = arg;

	if (c->life.state != LIFE_STARTING) {
		command_settle(c);
		return;
	}
	if (fault != NULL) {
		found_fault(c, fault);
		return;
	}
	take_tools(c);
	tell_lists(c);
	log_info(&c->log, "backend_ready", "the server is ready", F_INT("tools", c->tools.count),
	        F_MS("took_ms", mono_diff(command_now(c), c->began_at)));
	command_step(c, LIFE_EV_UP);
}
