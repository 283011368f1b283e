#include "gateway/asks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/asks_private.h"
#include "mcp/form.h"
#include "json/write.h"

#define ID_PREFIX "\"sluice-" /* of our ids, raw; no client numbers its own requests so */
#define ID_MAX 32
#define ELICITATION_ID_MAX 1024

struct ask {
	uint64_t number;
	struct slot *slot;
	uint64_t id; /* the backend's */
	const struct backend_link *link;
	struct session *session;
	struct call *call;   /* NULL: none waits for it */
	struct input *input; /* of a call's rounds: no server waits for the answer */
	struct list in_slot, in_session, in_call;
	struct timer timeout; /* without a call, whose time it would be */
};

/* ---- to the server ---- */

void ask_answer_error(struct slot *slot, uint64_t id, int code, const char *sentence)
{
	struct buf out = { 0 };
	struct json_writer w = json_writer(&out);

	json_key(&w, "error");
	json_open(&w, '{');
	json_member_int(&w, "code", code);
	json_member_text(&w, "message", span_of(sentence));
	json_close(&w, '}');
	struct pieces outcome = pieces_of(buf_span(&out));
	slot->backend->ops->answer(slot->backend, id, &outcome);
	buf_free(&out);
}

/* ---- to the client ---- */

static bool send(const struct target *to, const struct pieces *json)
{
	if (to->call != NULL && to->call->port != NULL)
		to->call->port->message(to->call->arg, json);
	else if (to->push != NULL)
		to->push->port->message(to->push->arg, json);
	else
		return false;
	return true;
}

static void put_id(char id[ID_MAX], uint64_t number)
{
	snprintf(id, ID_MAX, ID_PREFIX "%llu\"", (unsigned long long)number);
}

/* What it still shows to somebody is of no use any more. */
static void tell_client(const struct ask *ask, const char *reason)
{
	struct buf out = { 0 };
	struct json_writer w = json_writer(&out);
	char id[ID_MAX];

	put_id(id, ask->number);
	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_text(&w, "method", method_name(METHOD_CANCELLED));
	json_key(&w, "params");
	json_open(&w, '{');
	json_member_raw(&w, "requestId", span_of(id));
	json_member_text(&w, "reason", span_of(reason));
	json_close(&w, '}');
	json_close(&w, '}');
	struct pieces json = pieces_of(buf_span(&out));
	send(&(struct target){ ask->session, ask->call, push_for(ask->session, ask->slot) }, &json);
	buf_free(&out);
}

/* ---- the life of an ask ---- */

bool asks_hold(const struct call *c)
{
	if (c->session == NULL)
		return false;
	list_each (node, &c->session->asks) {
		const struct ask *ask = list_entry(node, struct ask, in_session);
		if (ask->link == c->at.link)
			return true;
	}
	return false;
}

/* The time of calls stands still, or goes on. */
static void rearm(const struct slot *slot, const struct backend_link *link, const struct session *session)
{
	list_each (node, &slot->calls) {
		struct call *c = list_entry(node, struct call, in_slot);
		if (c->at.link == link && c->session == session)
			call_rearm(c);
	}
}

static void ask_free(struct ask *ask)
{
	struct gateway *gw = ask->slot->gw;

	timer_stop(gw->sched, &ask->timeout);
	map_remove_u64(&gw->asks.by_number, ask->number);
	list_unlink(&ask->in_slot);
	list_unlink(&ask->in_session);
	list_unlink(&ask->in_call);
	rearm(ask->slot, ask->link, ask->session);
	free(ask);
}

/* The client can answer it no more. */
static void give_up(struct ask *ask, const char *why)
{
	if (ask->input == NULL)
		ask_answer_error(ask->slot, ask->id, RPC_INTERNAL_ERROR, why);
	ask_free(ask);
}

static void on_timeout(void *arg)
{
	struct ask *ask = arg;

	tell_client(ask, "no answer in time");
	give_up(ask, "the client did not answer in time");
}

static struct ask *ask_new(struct slot *slot, const struct backend_ask *from, const struct target *to)
{
	struct gateway *gw = slot->gw;
	struct ask *ask = NEW(struct ask);

	*ask = (struct ask){
		.number = ++gw->asks.last_number,
		.slot = slot,
		.id = from->id,
		.link = from->link,
		.session = to->session,
		.call = to->call,
	};
	map_put_u64(&gw->asks.by_number, ask->number, ask);
	list_append(&slot->asks, &ask->in_slot);
	list_append(&to->session->asks, &ask->in_session);
	if (to->call != NULL)
		list_append(&to->call->asks, &ask->in_call);
	else
		timer_set_in(gw->sched, &ask->timeout, slot->conf->max_request_timeout_ms, on_timeout, ask);
	rearm(slot, from->link, to->session);
	return ask;
}

/* ---- elicitations that go on ---- */

/* The raw text of a string between its quotes, or nothing that is of use. */
static struct span elicitation_id(struct span params)
{
	struct span id = json_type_of(params) == JSON_OBJECT ? json_member(params, "elicitationId") : SPAN_NONE;
	bool usable = json_type_of(id) == JSON_STRING && id.n <= ELICITATION_ID_MAX;

	return usable ? (struct span){ id.p + 1, id.n - 2 } : SPAN_NONE;
}

/* Two servers may choose the same id: each gets its server's name in front. */
static struct splice elicitation_splice(const struct slot *slot, struct span id, char room[SLOT_PREFIX_MAX])
{
	if (!slot->gw->conf.prefixed || !span_is_set(id))
		return (struct splice){ .out = SPAN_NONE };
	snprintf(room, SLOT_PREFIX_MAX, "%s/", slot->conf->name);
	return (struct splice){ .out = { id.p, 0 }, .in = span_of(room) };
}

struct splice asks_elicitation_begun(
        struct slot *slot, struct session *session, struct span params, char room[SLOT_PREFIX_MAX])
{
	struct span id = elicitation_id(params);

	if (span_is_set(id))
		elicitations_add(&slot->gw->asks.elicitations, span_of(slot->conf->name), id, session);
	return elicitation_splice(slot, id, room);
}

void asks_elicitation_complete(struct slot *slot, const struct message *m)
{
	struct gateway *gw = slot->gw;
	struct span id = elicitation_id(m->params);
	struct session *session =
	        span_is_set(id) ? elicitations_find(&gw->asks.elicitations, span_of(slot->conf->name), id) : NULL;
	struct target to = { .session = session };
	char room[SLOT_PREFIX_MAX];

	if (session == NULL) {
		gw->counts.dropped_messages++;
		return;
	}
	list_each (node, &session->calls) {
		struct call *c = list_entry(node, struct call, in_session);
		if (to.call == NULL && c->slot == slot && c->port != NULL)
			to.call = c;
	}
	to.push = push_for(session, slot);
	struct splice splice = elicitation_splice(slot, id, room);
	struct pieces json = pieces_splice(m->text, &splice, 1);
	gw->counts.dropped_messages += !send(&to, &json);
}

/* ---- from the server ---- */

void ask_deliver(struct slot *slot, const struct backend_ask *from, const struct target *to, const struct message *m)
{
	struct gateway *gw = slot->gw;

	assert(to->session != NULL); /* or find_target had said so */
	const struct ask *ask = ask_new(slot, from, to);
	struct span elicitation = m->method_id == METHOD_ELICITATION ? m->params : SPAN_NONE;
	char id[ID_MAX], room[SLOT_PREFIX_MAX];

	put_id(id, ask->number);
	const struct splice splices[] = {
		{ m->id, span_of(id) },
		{ m->progress_token, span_of(id) },
		asks_elicitation_begun(slot, to->session, elicitation, room),
		tasks_ask_splice(slot, to->call, to->push, m),
	};
	struct pieces json = pieces_splice(m->text, splices, sizeof(splices) / sizeof(splices[0]));
	gw->counts.asks.delivered++;
	send(to, &json);
}

void asks_on_ask_ended(void *arg, uint64_t id)
{
	struct slot *slot = arg;

	list_each (node, &slot->asks) {
		struct ask *ask = list_entry(node, struct ask, in_slot);
		if (ask->id != id)
			continue;
		tell_client(ask, "the server needs no answer any more");
		ask_free(ask);
		return;
	}
	list_each (node, &slot->calls)
		if (park_ask_ended(list_entry(node, struct call, in_slot), id))
			return;
}

/* ---- from a modern server, by way of rounds.c ---- */

/* Revision 2025-11-25 wants an id with each page; no word will come that it is done with. */
static void put_request(struct buf *out, const struct ask *ask, enum method method, struct span params, bool url)
{
	struct json_writer w = json_writer(out);
	struct span key, value;
	char id[ID_MAX];

	put_id(id, ask->number);
	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_raw(&w, "id", span_of(id));
	json_member_text(&w, "method", method_name(method));
	buf_add(out, SPAN(",\"params\":{"));
	if (url)
		buf_printf(out, "\"elicitationId\":%s", id);
	bool comma = url;
	for (struct json_walk walk = json_walk(params); span_is_set(params) && json_next(&walk, &key, &value);) {
		if (span_eq(key, SPAN("elicitationId")))
			continue;
		buf_add(out, comma ? SPAN(",\"") : SPAN("\""));
		comma = true;
		buf_add(out, key);
		buf_add(out, SPAN("\":"));
		buf_add(out, value);
	}
	buf_add(out, SPAN("}}"));
}

bool asks_put(struct call *c, enum method method, struct span params, struct input *input)
{
	const struct message like = { .method_id = method, .params = params };
	const struct target to = { c->session, c, c->session != NULL ? push_for(c->session, c->slot) : NULL };
	unsigned capability = ask_needs(&like);
	struct buf text = { 0 }, older = { 0 };

	if (capability == 0 || c->session == NULL || !(c->session->info.capabilities & capability) || c->port == NULL)
		return false;
	if (capability == CLIENT_ELICITATION) {
		enum form form = form_for(params, c->session->info.revision, &older);
		if (form == FORM_IMPOSSIBLE)
			return false;
		params = form == FORM_CHANGES ? buf_span(&older) : params;
	}
	struct ask *ask = ask_new(c->slot, &(struct backend_ask){ 0 }, &to);
	ask->input = input;
	put_request(&text, ask, method, params, ask_is_of_url(&like));
	struct pieces json = pieces_of(buf_span(&text));
	c->gw->counts.asks.delivered++;
	send(&to, &json);
	buf_free(&text);
	buf_free(&older);
	return true;
}

/* ---- from the client ---- */

static struct ask *find_by_id(const struct gateway *gw, struct span id)
{
	uint64_t number;

	if (!span_starts(id, SPAN(ID_PREFIX)))
		return NULL;
	id = span_skip(id, sizeof(ID_PREFIX) - 1);
	return span_to_u64(span_cut(id, id.n - 1), UINT64_MAX, &number) ? map_get_u64(&gw->asks.by_number, number)
	                                                                : NULL;
}

void gateway_answer(struct gateway *gw, struct session *session, const struct message *m)
{
	struct ask *ask = find_by_id(gw, m->id);
	bool is_result = m->kind == MESSAGE_RESULT;

	if (ask == NULL || session == NULL || ask->session != session) {
		gw->counts.asks.stray_answers++;
		return;
	}
	struct pieces outcome = pieces_of(is_result ? SPAN("\"result\":") : SPAN("\"error\":"));
	if (is_result)
		tasks_append_answer(&outcome, ask->slot, m);
	else
		pieces_append(&outcome, m->error);
	gw->counts.asks.answered++;
	if (ask->input != NULL) {
		struct call *c = ask->call;
		struct input *input = ask->input;
		ask_free(ask);
		rounds_answered(c, input, m);
		return;
	}
	ask->slot->backend->ops->answer(ask->slot->backend, ask->id, &outcome);
	ask_free(ask);
}

/* ---- what ends around it ---- */

static struct call *another_call(const struct ask *ask)
{
	list_each (node, &ask->slot->calls) {
		struct call *c = list_entry(node, struct call, in_slot);
		if (c != ask->call && c->at.link == ask->link && c->session == ask->session && c->port != NULL)
			return c;
	}
	return NULL;
}

void asks_call_left(struct call *c)
{
	list_each (node, &c->asks) {
		struct ask *ask = list_entry(node, struct ask, in_call);
		struct call *other = ask->input == NULL ? another_call(ask) : NULL;
		if (other != NULL) {
			list_unlink(&ask->in_call);
			list_append(&other->asks, &ask->in_call);
			ask->call = other;
		} else {
			tell_client(ask, "the request that it was for has ended");
			give_up(ask, "the client's request has ended");
		}
	}
}

void asks_session_left(struct gateway *gw, struct session *session)
{
	for (struct list *node; (node = list_first(&session->asks)) != NULL;) {
		struct ask *ask = list_entry(node, struct ask, in_session);
		struct call *of_rounds = ask->input != NULL ? ask->call : NULL;
		give_up(ask, "the client has left");
		if (of_rounds != NULL)
			rounds_lost(of_rounds);
	}
	elicitations_forget(&gw->asks.elicitations, session);
	known_tasks_forget(&gw->tasks.known, session);
}

void asks_cut(struct gateway *gw)
{
	slots_each (slot, gw) {
		for (struct list *node; (node = list_first(&slot->asks)) != NULL;) {
			struct ask *ask = list_entry(node, struct ask, in_slot);
			tell_client(ask, "the gateway is shutting down");
			give_up(ask, "the gateway is shutting down");
		}
	}
}

void asks_forget(struct slot *slot)
{
	for (struct list *node; (node = list_first(&slot->asks)) != NULL;)
		ask_free(list_entry(node, struct ask, in_slot));
}
