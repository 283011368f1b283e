/*
 * resources/subscribe and unsubscribe, and the way of updates to those who subscribe. The first subscription of a
 * resource is the client's own request to the server; further ones are answered here. A server forgets them when it
 * starts anew, so its backend remembers them for it.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "mcp/bridge.h"

static struct slot *slot_named(const struct gateway *gw, struct span name)
{
	for (size_t i = 0; i < gw->slot_count; i++)
		if (span_eq(span_of(gw->slots[i]->conf->name), name))
			return gw->slots[i];
	return NULL;
}

/* Tells the backend, if it can remember. */
static void want(struct slot *slot, const struct resource_name *name, bool wanted, bool tell)
{
	const struct backend *b = slot->backend; /* NULL: a moment after a reload */
	struct buf text = { 0 };

	if (b == NULL || b->ops->want_updates == NULL)
		return;
	json_put_string(&text, name->uri);
	b->ops->want_updates(slot->backend, name->session, name->kind, buf_span(&text), wanted, tell);
	buf_free(&text);
}

bool subscribe_add(
        struct slot *slot, enum wanted_kind kind, struct subscriber *who, uint64_t part, struct span uri, bool tell)
{
	const struct resource_name name = { span_of(slot->conf->name), part, uri, kind };
	bool first;

	if (!subscriptions_add(&slot->gw->subscriptions, who, &name, &first))
		return false;
	if (first)
		want(slot, &name, true, tell);
	return true;
}

void subscribe_remove(struct gateway *gw, struct subscriber *who, const struct resource_name *name)
{
	struct slot *slot = slot_named(gw, name->server);
	struct buf uri = { 0 };
	bool last;

	buf_add(&uri, name->uri);
	const struct resource_name kept = { slot != NULL ? span_of(slot->conf->name) : SPAN(""), name->session,
		buf_span(&uri), name->kind };
	subscriptions_remove(&gw->subscriptions, who, name, &last);
	if (last && slot != NULL)
		want(slot, &kept, false, true);
	buf_free(&uri);
}

void subscribe_leave(struct gateway *gw, struct subscriber *who)
{
	struct resource_name name;

	while (subscriber_first(who, SPAN_NONE, &name))
		subscribe_remove(gw, who, &name);
}

static void see_wanted(void *arg, const struct resource_name *name)
{
	want(arg, name, true, false);
}

void subscribe_attached(struct slot *slot)
{
	subscriptions_each(&slot->gw->subscriptions, span_of(slot->conf->name), see_wanted, slot);
}

void subscribe_said(void *arg, uint64_t session, enum wanted_kind kind, struct span raw, bool yes)
{
	struct slot *slot = arg;
	struct buf text = { 0 };

	if (slot->leaving) /* its successor speaks for that name now */
		return;
	const struct resource_name name = {
		.server = span_of(slot->conf->name),
		.session = session,
		.uri = json_decode(raw, buf_reserve(&text, raw.n)),
		.kind = kind,
	};
	subscriptions_agree(&slot->gw->subscriptions, &name, yes);
	buf_free(&text);
	listens_settle_soon(slot->gw);
}

/* ---- requests ---- */

/* False: refused. */
static bool check(struct call *c, const struct message *m)
{
	if (c->session == NULL || call_is_modern(c))
		call_fail(c, RPC_METHOD_NOT_FOUND, SPAN("subscriptions need a session"));
	else if (json_type_of(m->uri) != JSON_STRING || m->uri.n > SUBSCRIPTION_URI_MAX)
		call_fail(c, RPC_INVALID_PARAMS, SPAN("params.uri must be a string, and not a long one"));
	else
		return true;
	return false;
}

/* At a part of the server: it is answered here if that has agreed before. */
static bool join_at(struct call *c, struct slot *slot, uint64_t part, struct span uri)
{
	const struct resource_name name = { .server = span_of(slot->conf->name), .session = part, .uri = uri };

	if (subscriptions_agreement(&c->gw->subscriptions, &name) != AGREEMENT_YES)
		return false;
	if (subscribe_add(slot, WANTED_RESOURCE, &c->session->subscriber, part, uri, false))
		call_answer(c, SPAN("{}"));
	else
		call_fail(c, RPC_INVALID_PARAMS, SPAN("too many subscriptions"));
	return true;
}

/* The client's own part of a server, or what all of them share. */
static bool join(struct call *c, struct span uri, const size_t *servers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct slot *slot = c->gw->slots[servers[i]];
		if (join_at(c, slot, c->session->nonce, uri))
			return true;
		if (slot->conf->isolation != ISOLATION_SESSION && join_at(c, slot, 0, uri))
			return true;
	}
	return false;
}

static size_t keep_those_with_updates(const struct gateway *gw, size_t *servers, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct slot *slot = gw->slots[servers[i]];
		if (!slot->greeted || slot->hello.subscribe)
			servers[kept++] = servers[i];
	}
	return kept;
}

size_t subscribe_servers(const struct gateway *gw, int scope, struct span uri, size_t *servers)
{
	return keep_those_with_updates(gw, servers, route_uri(gw, scope, uri, servers));
}

void serve_subscribe(struct call *c, const struct message *m)
{
	struct gateway *gw = c->gw;
	struct buf text = { 0 };

	if (!check(c, m))
		return;
	struct span uri = json_decode(m->uri, buf_reserve(&text, m->uri.n));
	size_t *servers = mem_alloc((gw->slot_count + 1) * sizeof(*servers));
	size_t n = route_uri(gw, c->scope, uri, servers);
	size_t able = keep_those_with_updates(gw, servers, n);

	if (n == 0)
		call_fail_not_found(c);
	else if (able == 0)
		call_fail(c, RPC_METHOD_NOT_FOUND, SPAN("the server has no subscriptions"));
	else if (c->session->subscriber.count == SUBSCRIPTIONS_MAX)
		call_fail(c, RPC_INVALID_PARAMS, SPAN("too many subscriptions"));
	else if (!join(c, uri, servers, able))
		route_to(c, m, servers, able);
	free(servers);
	buf_free(&text);
}

void subscribe_agreed(struct call *c)
{
	struct slot *slot = c->slot;
	struct buf text = { 0 };
	struct span uri = json_decode(c->uri, buf_reserve(&text, c->uri.n));
	const struct resource_name name = {
		.server = span_of(slot->conf->name),
		.session = c->at.link != NULL ? c->at.link->session : 0,
		.uri = uri,
	};
	bool kept = c->session != NULL &&
	            subscribe_add(slot, WANTED_RESOURCE, &c->session->subscriber, name.session, uri, false);

	subscriptions_agree(&c->gw->subscriptions, &name, true);
	listens_settle_soon(c->gw);
	if (!kept && !subscriptions_have(&c->gw->subscriptions, &name))
		want(slot, &name, false, true); /* its client is gone, and nobody else wants it */
	buf_free(&text);
}

void serve_unsubscribe(struct call *c, const struct message *m)
{
	struct resource_name name;
	struct buf text = { 0 };

	if (!check(c, m))
		return;
	struct span uri = json_decode(m->uri, buf_reserve(&text, m->uri.n));
	while (subscriber_first(&c->session->subscriber, uri, &name))
		subscribe_remove(c->gw, &c->session->subscriber, &name);
	buf_free(&text);
	call_answer(c, SPAN("{}"));
}

/* ---- updates ---- */

struct update {
	struct slot *slot;
	const struct message *m;
};

static const struct call *call_that_hears(const struct session *session)
{
	list_each (node, &session->calls) {
		const struct call *c = list_entry(node, struct call, in_session);
		if (c->port != NULL)
			return c;
	}
	return NULL;
}

/* Without the subscription of a modern server, which is between that and us. */
static struct pieces update_for_legacy(const struct message *m)
{
	struct bridge b;

	bridge_drop(&b, meta_read(m->meta).subscription);
	return pieces_splice(m->text, b.splices, b.n);
}

/* On its stream for what belongs to no call, or on any other that is open. */
static void tell_session(const struct session *session, const struct update *u)
{
	const struct call *c = call_that_hears(session);
	struct pieces json = update_for_legacy(u->m);

	if (!list_is_empty(&session->pushes)) {
		struct push *p = list_entry(list_first(&session->pushes), struct push, node);
		p->port->message(p->arg, &json);
	} else if (c != NULL) {
		c->port->message(c->arg, &json);
	} else {
		u->slot->gw->counts.dropped_messages++;
	}
}

static void tell(void *arg, struct subscriber *who)
{
	const struct update *u = arg;

	if (who->is_stream)
		listen_updated(list_entry(who, struct listen, subscriber), u->m->uri);
	else
		tell_session(list_entry(who, struct session, subscriber), u);
}

void subscribe_updated(struct slot *slot, const struct backend_link *from, const struct message *m)
{
	struct update u = { slot, m };
	struct buf text = { 0 };

	if (json_type_of(m->uri) != JSON_STRING)
		return;
	struct span uri = json_decode(m->uri, buf_reserve(&text, m->uri.n));
	const struct resource_name name = {
		.server = span_of(slot->conf->name),
		.session = from->session,
		.uri = uri,
	};
	subscriptions_update(&slot->gw->subscriptions, &name, tell, &u);
	buf_free(&text);
}
