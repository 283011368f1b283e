/*
 * A server's slot: made with its configuration, and, when that is gone, its leaving. It serves nobody new then, but its
 * calls in flight come to their end (each has a time limit). Then the server is stopped, and forgotten when it has. If
 * too many linger so, the oldest are stopped with their calls.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"

struct slot *slot_new(struct gateway *gw, size_t index, const struct backend_conf *conf)
{
	struct slot *slot = NEW(struct slot);

	*slot = (struct slot){
		.gw = gw,
		.index = index,
		.conf = backend_conf_copy(conf),
		.wait_until = MONO_NEVER,
		.counts = NEW(struct server_counts),
		.state_since = gw->sched->now,
	};
	slot->counts->users = 1;
	snprintf(slot->prefix, sizeof(slot->prefix), "%s__", slot->conf->name);
	list_init(&slot->calls);
	list_init(&slot->asks);
	list_init(&slot->waiting);
	return slot;
}

static void leave_counts(struct slot *slot)
{
	if (--slot->counts->users == 0)
		free(slot->counts);
	slot->counts = NULL;
}

void slot_succeed(struct slot *slot, struct slot *before)
{
	leave_counts(slot);
	slot->counts = before->counts;
	slot->counts->users++;
}

/* What its backend has counted is not lost with it: another one of that name goes on from there. */
static void keep_counts(struct slot *slot)
{
	struct backend_stats last;

	slot->backend->ops->stats(slot->backend, &last);
	slot->counts->starts += last.starts;
	slot->counts->restarts += last.restarts;
	slot->counts->dropped += last.dropped;
}

void slot_free(struct slot *slot)
{
	slot->gw->leaving_count -= slot->leaving;
	post_cancel(&slot->leave_post);
	list_unlink(&slot->in_leaving);
	asks_forget(slot);
	if (slot->backend != NULL && slot->counts->users > 1)
		keep_counts(slot);
	if (slot->backend != NULL)
		slot->backend->ops->free(slot->backend);
	leave_counts(slot);
	backend_conf_free(&slot->conf);
	free(slot);
}

bool slot_is_up(const struct slot *slot)
{
	return slot->state == BACKEND_READY || slot->state == BACKEND_IDLE;
}

static void on_leave(void *arg)
{
	struct slot *slot = arg;
	struct gateway *gw = slot->gw;

	if (slot->users > 0)
		return;
	if (slot->ended) {
		log_info(&gw->log, "backend_removed", "a server that is not configured any more has left",
		        F_STR("backend", slot->conf->name));
		slot_free(slot);
		gateway_changed(gw);
	} else {
		slot->backend->ops->stop(slot->backend, BACKEND_STOP_LADDER);
	}
}

void slot_leave_soon(struct slot *slot)
{
	if (slot->leaving)
		post_set(slot->gw->sched, &slot->leave_post, on_leave, slot);
}

static void hurry_oldest(struct gateway *gw)
{
	unsigned kept = gw->leaving_count;

	list_each (node, &gw->leaving) {
		struct slot *slot = list_entry(node, struct slot, in_leaving);
		if (kept-- <= SLOTS_LEAVING_MAX)
			return;
		slot->backend->ops->stop(slot->backend, BACKEND_STOP_LADDER);
	}
}

void slot_leave(struct slot *slot)
{
	struct gateway *gw = slot->gw;

	slot->leaving = true;
	list_append(&gw->leaving, &slot->in_leaving);
	gw->leaving_count++;
	slot_leave_soon(slot);
	hurry_oldest(gw);
}

struct slot *slot_next(const struct gateway *gw, struct slot *last)
{
	if (last == NULL || !last->leaving) {
		size_t next = last == NULL ? 0 : last->index + 1;
		if (next < gw->slot_count)
			return gw->slots[next];
	}
	struct list *node = last != NULL && last->leaving ? last->in_leaving.next : gw->leaving.next;
	return node != &gw->leaving ? list_entry(node, struct slot, in_leaving) : NULL;
}
