/*
 * Other servers in a gateway that runs. What stays keeps its slot, and with it its backend, its calls and its place in
 * the lists; what goes leaves by itself (slot.c). Places in the order of the configuration change, so whatever holds
 * one (the scopes of calls and streams) is told its new one.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "gateway/listen.h"

#define SCOPE_GONE (-2) /* of a call whose server is not shown any more */

struct reload {
	struct gateway *gw;
	struct reload_counts *counts;
	struct slot **slots; /* the new ones */
	size_t count;
	int *moved; /* from the old places to the new ones */
};

static struct slot *find_slot(const struct gateway *gw, const char *name)
{
	for (size_t i = 0; i < gw->slot_count; i++)
		if (strcmp(gw->slots[i]->conf->name, name) == 0)
			return gw->slots[i];
	return NULL;
}

static void retune(struct slot *slot, const struct backend_conf *conf)
{
	struct backend_conf *old = slot->conf;

	slot->conf = backend_conf_copy(conf);
	slot->backend->ops->configure(slot->backend, slot->conf);
	backend_conf_free(&old);
}

/* Whoever waits for a server that was there before, or has seen its lists, goes on with the new process. */
static struct slot *successor(struct slot *old, const struct backend_conf *conf)
{
	struct slot *slot = slot_new(old->gw, 0, conf);

	slot_succeed(slot, old);
	known_tasks_renumbered(&old->gw->tasks.known, span_of(conf->name));
	slot->was_up = old->was_up;
	slot->tried = old->tried && conf->startup != STARTUP_LAZY;
	slot->down_since = slot_is_up(old) ? old->gw->sched->now : old->down_since;
	memcpy(slot->changed, old->changed, sizeof(slot->changed));
	return slot;
}

static struct slot *slot_for(struct reload *r, const struct backend_conf *conf)
{
	struct slot *old = find_slot(r->gw, conf->name);

	if (old == NULL) {
		r->counts->added++;
		return slot_new(r->gw, 0, conf);
	}
	switch (backend_conf_compare(old->conf, conf)) {
	case BACKEND_SAME:
		r->counts->unchanged++;
		break;
	case BACKEND_RETUNED:
		r->counts->changed++;
		retune(old, conf);
		break;
	case BACKEND_REPLACED:
		r->counts->changed++;
		r->counts->replaced++;
		return successor(old, conf);
	}
	return old;
}

/* Finds or makes the slot of each server, and says which old place became which. */
static void choose_slots(struct reload *r, const struct gateway_conf *conf)
{
	struct gateway *gw = r->gw;

	for (size_t i = 0; i < gw->slot_count; i++)
		r->moved[i] = SCOPE_GONE;
	for (size_t i = 0; i < r->count; i++) {
		const struct slot *old = find_slot(gw, conf->servers[i].name);
		if (old != NULL)
			r->moved[old->index] = (int)i;
		r->slots[i] = slot_for(r, &conf->servers[i]);
	}
}

static void put_slots(struct reload *r)
{
	struct gateway *gw = r->gw;
	struct slot **old = gw->slots;

	for (size_t i = 0; i < gw->slot_count; i++) {
		r->counts->removed += r->moved[i] == SCOPE_GONE;
		if (r->moved[i] == SCOPE_GONE || r->slots[r->moved[i]] != old[i])
			slot_leave(old[i]);
	}
	for (size_t i = 0; i < r->count; i++)
		r->slots[i]->index = i;
	gw->slots = r->slots;
	gw->slot_count = r->count;
	free(old);
}

static void renew_catalog(struct gateway *gw)
{
	struct catalog_server *servers = catalog_servers(gw);
	struct catalog_changes changes = { .own = mem_zalloc(gw->slot_count * sizeof(*changes.own)) };
	bool any = false;

	catalog_renew(&gw->catalog, servers, gw->slot_count, &changes);
	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++) {
		gw->changed[kind] |= changes.merged[kind];
		any |= changes.merged[kind];
		for (size_t i = 0; i < gw->slot_count; i++) {
			gw->slots[i]->changed[kind] |= changes.own[i][kind];
			any |= changes.own[i][kind];
		}
	}
	if (any)
		news_soon(gw);
	news_settle(gw);
	free(changes.own);
	free(servers);
}

static int moved(const struct reload *r, int scope)
{
	return scope >= 0 ? r->moved[scope] : scope;
}

static void drop_candidates(struct call *c)
{
	size_t kept = c->candidate_next;

	for (size_t i = c->candidate_next; i < c->candidate_count; i++)
		if (!c->candidates[i]->leaving)
			c->candidates[kept++] = c->candidates[i];
	c->candidate_count = kept;
}

static void move_calls(const struct reload *r)
{
	list_each (node, &r->gw->calls) {
		struct call *c = list_entry(node, struct call, in_gateway);
		c->scope = moved(r, c->scope);
		drop_candidates(c);
		if (c->scope == SCOPE_GONE && c->state == CALL_HELD)
			call_end_with(c, CALL_EV_CUT, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	}
}

static void move_pushes(const struct reload *r, struct session *s)
{
	list_each (node, &s->pushes) {
		struct push *p = list_entry(node, struct push, node);
		p->scope = moved(r, p->scope);
		if (p->scope == SCOPE_GONE)
			news_end_push(p);
	}
}

static void move_listen(const struct reload *r, struct listen *l)
{
	l->scope = moved(r, l->scope);
	if (l->scope == SCOPE_GONE)
		listen_end(l);
}

void gateway_reload(struct gateway *gw, const struct gateway_conf *conf, struct reload_counts *counts)
{
	struct reload r = {
		.gw = gw,
		.counts = counts,
		.slots = mem_zalloc(conf->server_count * sizeof(struct slot *)),
		.count = conf->server_count,
		.moved = mem_zalloc(gw->slot_count * sizeof(int)),
	};

	assert(!gw->refusing);
	*counts = (struct reload_counts){ 0 };
	gw->conf.fail_on_required_loss = conf->fail_on_required_loss;
	choose_slots(&r, conf);
	put_slots(&r);
	renew_catalog(gw);
	move_calls(&r);
	list_each (node, sessions_all(gw->sessions))
		move_pushes(&r, list_entry(node, struct session, node));
	list_each (node, &gw->listens)
		move_listen(&r, list_entry(node, struct listen, node));
	free(r.moved);
	news_watch_loss(gw);
	gateway_changed(gw);
}
