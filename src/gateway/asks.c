#include "gateway/asks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "mcp/form.h"
#include "json/write.h"

#define ID_PREFIX "\"sluice-" /* of our ids, raw; no client numbers its own requests so */
#define ID_MAX 32
#define LOGGED_EVERY_MS 10000 /* refusals, of each server */
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

/* Whom to ask, and where. */
struct target {
	struct session *session;
	struct call *call;
	struct push *push; /* if there is no call */
};

/* ---- to the server ---- */

static void answer_error(struct slot *slot, uint64_t id, int code, const char *sentence)
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

static void log_refusal(struct slot *slot, const struct message *m, const char *why)
{
	struct gateway *gw = slot->gw;

	if (slot->counts->refused_asks++ > 0 && mono_diff(gw->sched->now, slot->refusal_logged) < LOGGED_EVERY_MS)
		return;
	log_warn(&gw->log, "ask_refused", why, F_STR("backend", slot->conf->name), F_SPAN("method", m->method),
	        F_INT("refused", slot->counts->refused_asks));
	slot->refusal_logged = gw->sched->now;
}

static void refuse(struct slot *slot, const struct backend_ask *ask, const struct message *m, int code,
        const char *sentence, const char *why)
{
	slot->gw->counts.asks.refused++;
	log_refusal(slot, m, why);
	answer_error(slot, ask->id, code, sentence);
}

/* ---- to the client ---- */

/* An open stream of the session that shows this server. */
static struct push *push_for(const struct session *session, const struct slot *slot)
{
	list_each (node, &session->pushes) {
		struct push *p = list_entry(node, struct push, node);
		if (p->scope == SCOPE_ALL || p->scope == (int)slot->index)
			return p;
	}
	return NULL;
}

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
		answer_error(ask->slot, ask->id, RPC_INTERNAL_ERROR, why);
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

/* ---- whom does it mean? ---- */

enum callers asks_callers(
        const struct slot *slot, const struct backend_link *link, struct session **who, struct call **first)
{
	enum callers callers = CALLERS_NONE;

	*who = NULL;
	*first = NULL;
	list_each (node, &slot->calls) {
		struct call *c = list_entry(node, struct call, in_slot);
		if (c->at.link != link || c->state == CALL_PARKED)
			continue;
		if (callers == CALLERS_ONE && (c->session == NULL || c->session != *who || call_is_modern(c))) {
			*who = NULL;
			*first = NULL;
			return CALLERS_MANY;
		}
		callers = CALLERS_ONE;
		*who = c->session;
		if (*first == NULL && c->port != NULL)
			*first = c;
	}
	return callers;
}

struct session *session_of(const struct gateway *gw, uint64_t nonce)
{
	list_each (node, sessions_all(gw->sessions)) {
		struct session *s = list_entry(node, struct session, node);
		if (s->nonce == nonce)
			return s;
	}
	return NULL;
}

/* The one call there whose client is to come back, when there is no other; NULL: none, or several. */
static struct call *only_parked(const struct slot *slot, const struct backend_link *link)
{
	struct call *only = NULL;

	list_each (node, &slot->calls) {
		struct call *c = list_entry(node, struct call, in_slot);
		if (c->at.link != link || c->state != CALL_PARKED)
			continue;
		if (only != NULL)
			return NULL;
		only = c;
	}
	return only;
}

/* NULL: found; else why it cannot be found. */
static const char *find_target(
        struct slot *slot, const struct backend_ask *ask, const struct message *m, struct target *to)
{
	enum callers callers = CALLERS_ONE;

	*to = (struct target){ 0 };
	if (ask->call != NULL) {
		to->call = call_of(ask->call);
		to->session = to->call->session;
	} else if ((to->session = tasks_owner(slot, ask->link, m, &to->call)) == NULL) {
		callers = asks_callers(slot, ask->link, &to->session, &to->call);
	}
	if (callers == CALLERS_NONE)
		to->call = only_parked(slot, ask->link);
	if (to->call != NULL && call_is_modern(to->call))
		return NULL;
	if (callers == CALLERS_NONE && ask->link->session != 0)
		to->session = session_of(slot->gw, ask->link->session);
	if (callers == CALLERS_MANY)
		return "the server asks something while it works for several clients, and does not say which one it "
		       "means: isolation \"session\" or \"lease\" tells them apart";
	if (to->call != NULL && call_is_modern(to->call))
		return "the server asks something of a client whose revision has no place for that";
	if (to->session == NULL)
		return "the server asks something, and there is no client that it can mean";
	to->push = push_for(to->session, slot);
	if ((to->call == NULL || to->call->port == NULL) && to->push == NULL)
		return "the server asks something of a client that has no stream open";
	return NULL;
}

static bool is_url(const struct message *m)
{
	struct span mode = json_type_of(m->params) == JSON_OBJECT ? json_member(m->params, "mode") : SPAN_NONE;

	return json_string_is(mode, SPAN("url"));
}

/* The model may call tools meanwhile: that is a capability of its own. */
static bool has_tools(struct span params)
{
	struct span tools = json_type_of(params) == JSON_OBJECT ? json_member(params, "tools") : SPAN_NONE;

	return span_is_set(tools) && json_type_of(tools) != JSON_NULL;
}

/* The capability that it takes; 0: nobody can be asked that. */
static unsigned needed(const struct message *m)
{
	switch (m->method_id) {
	case METHOD_SAMPLING:
		return has_tools(m->params) ? CLIENT_SAMPLING_TOOLS : CLIENT_SAMPLING;
	case METHOD_ROOTS_LIST:
		return CLIENT_ROOTS;
	case METHOD_ELICITATION:
		return is_url(m) ? CLIENT_ELICITATION_URL : CLIENT_ELICITATION;
	default:
		return 0;
	}
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

static void deliver(struct slot *slot, const struct backend_ask *from, const struct target *to, const struct message *m)
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

static void answer_roots(struct slot *slot, const struct backend_ask *ask)
{
	struct pieces outcome = pieces_of(SPAN("\"result\":{\"roots\":"));

	pieces_append(&outcome, span_of(slot->conf->roots));
	pieces_append(&outcome, SPAN("}"));
	slot->backend->ops->answer(slot->backend, ask->id, &outcome);
}

static void park(struct slot *slot, const struct backend_ask *ask, struct call *c, const struct message *m)
{
	const char *why;
	int code;

	if (!park_ask(c, ask, m, &code, &why))
		refuse(slot, ask, m, code, why, why);
}

/* What can be asked of whom it is for. */
static unsigned able(const struct target *to)
{
	if (to->call != NULL && call_is_modern(to->call))
		return to->call->client.capabilities;
	return to->session != NULL ? to->session->info.capabilities : 0;
}

static void refuse_unable(struct slot *slot, const struct backend_ask *ask, const struct message *m,
        const struct target *to, unsigned capability)
{
	if (to->call != NULL && call_is_modern(to->call))
		to->call->lacked |= capability;
	refuse(slot, ask, m, RPC_METHOD_NOT_FOUND, "the client cannot do that",
	        "the server asks for something that this client cannot do");
}

static void deliver_changed(struct slot *slot, const struct backend_ask *ask, const struct target *to,
        const struct message *m, struct span params)
{
	const struct splice splice = { m->params, params };
	struct pieces json = pieces_splice(m->text, &splice, 1);
	struct message_fault fault;
	struct message changed;
	struct buf text = { 0 };

	pieces_put(&text, &json);
	bool parsed = message_parse(buf_span(&text), JSON_DEPTH_MAX, &changed, &fault);
	assert(parsed); /* as it was before, but for that */
	deliver(slot, ask, to, &changed);
	buf_free(&text);
}

/* A form as the client's revision can show it. */
static void deliver_form(
        struct slot *slot, const struct backend_ask *ask, const struct target *to, const struct message *m)
{
	struct buf params = { 0 };

	switch (form_for(m->params, to->session->info.revision, &params)) {
	case FORM_STAYS:
		deliver(slot, ask, to, m);
		break;
	case FORM_IMPOSSIBLE:
		refuse(slot, ask, m, RPC_INVALID_PARAMS, "the client's revision of MCP has no such form",
		        "the server asks for a form that this client's revision has not got");
		break;
	case FORM_CHANGES:
		deliver_changed(slot, ask, to, m, buf_span(&params));
		break;
	}
	buf_free(&params);
}

void asks_on_ask(void *arg, const struct backend_ask *ask, const struct message *m)
{
	struct slot *slot = arg;
	struct target to;
	unsigned capability = needed(m);

	if (capability == 0) {
		answer_error(slot, ask->id, RPC_METHOD_NOT_FOUND, "Method not found");
		return;
	}
	if (m->method_id == METHOD_ROOTS_LIST && slot->conf->roots != NULL && ask->link->session == 0) {
		answer_roots(slot, ask);
		return;
	}
	const char *fault = find_target(slot, ask, m, &to);
	if (fault != NULL)
		refuse(slot, ask, m, RPC_INVALID_PARAMS, "no client request can be associated with this", fault);
	else if (!(able(&to) & capability))
		refuse_unable(slot, ask, m, &to, capability);
	else if (to.call != NULL && call_is_modern(to.call))
		park(slot, ask, to.call, m);
	else if (capability == CLIENT_ELICITATION)
		deliver_form(slot, ask, &to, m);
	else
		deliver(slot, ask, &to, m);
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
	unsigned capability = needed(&like);
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
	put_request(&text, ask, method, params, is_url(&like));
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
