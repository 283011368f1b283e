/*
 * What becomes of a server's request: whom it means, whether that client can be asked it, and in which words. It is
 * delivered, or parked with the call of a modern client, or refused.
 */
#include <assert.h>

#include "gateway/asks_private.h"
#include "mcp/form.h"
#include "json/write.h"

#define LOGGED_EVERY_MS 10000 /* refusals, of each server */

/* ---- refusals ---- */

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
	ask_answer_error(slot, ask->id, code, sentence);
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

bool ask_is_of_url(const struct message *m)
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
unsigned ask_needs(const struct message *m)
{
	switch (m->method_id) {
	case METHOD_SAMPLING:
		return has_tools(m->params) ? CLIENT_SAMPLING_TOOLS : CLIENT_SAMPLING;
	case METHOD_ROOTS_LIST:
		return CLIENT_ROOTS;
	case METHOD_ELICITATION:
		return ask_is_of_url(m) ? CLIENT_ELICITATION_URL : CLIENT_ELICITATION;
	default:
		return 0;
	}
}

/* ---- what becomes of it ---- */

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
	ask_deliver(slot, ask, to, &changed);
	buf_free(&text);
}

/* A form as the client's revision can show it. */
static void deliver_form(
        struct slot *slot, const struct backend_ask *ask, const struct target *to, const struct message *m)
{
	struct buf params = { 0 };

	assert(to->session != NULL); /* or find_target had said so */
	switch (form_for(m->params, to->session->info.revision, &params)) {
	case FORM_STAYS:
		ask_deliver(slot, ask, to, m);
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
	unsigned capability = ask_needs(m);

	if (capability == 0) {
		ask_answer_error(slot, ask->id, RPC_METHOD_NOT_FOUND, "Method not found");
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
		ask_deliver(slot, ask, &to, m);
}
