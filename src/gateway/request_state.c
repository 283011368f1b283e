#include "gateway/request_state.h"

#include "gateway/gateway_private.h"

#define STATE_PREFIX "sluice." /* of all of ours: what has it and cannot be opened is no server's */
#define STATE_MAX 512

bool request_state_can(const struct gateway *gw)
{
	return sessions_keys(gw->sessions) != NULL;
}

static uint64_t this_process(struct gateway *gw)
{
	while (gw->process == 0)
		random_bytes(&gw->process, sizeof(gw->process));
	return gw->process;
}

void request_state_put(
        struct gateway *gw, struct span purpose, struct park_claims *claims, msec_t valid_ms, struct buf *out)
{
	struct buf plain = { 0 };

	claims->process = this_process(gw);
	claims->expires_ms = clock_wall_ms() + valid_ms;
	park_token_encode(claims, &plain);
	buf_add(out, SPAN(STATE_PREFIX));
	seal(sessions_keys(gw->sessions), purpose, buf_span(&plain), out);
	buf_free(&plain);
}

static struct span text_of(const struct message *m, char room[STATE_MAX])
{
	struct span state = m->request_state;

	return json_type_of(state) == JSON_STRING && state.n <= STATE_MAX ? json_decode(state, room) : SPAN_NONE;
}

bool request_state_is_ours(const struct message *m)
{
	char room[STATE_MAX];

	return span_starts(text_of(m, room), SPAN(STATE_PREFIX));
}

bool request_state_open(struct gateway *gw, struct span purpose, const struct message *m, struct park_claims *claims)
{
	unsigned char of_request[PARK_DIGEST_BYTES];
	struct buf plain = { 0 };
	char room[STATE_MAX];
	struct span token = span_skip(text_of(m, room), sizeof(STATE_PREFIX) - 1);
	struct key_ring *keys = sessions_keys(gw->sessions);
	bool ours = keys != NULL && unseal(keys, purpose, token, &plain) &&
	            park_token_decode(buf_span(&plain), claims) && claims->process == this_process(gw) &&
	            claims->expires_ms > clock_wall_ms();

	buf_free(&plain);
	if (!ours)
		return false;
	call_digest(m, of_request);
	return memcmp(of_request, claims->digest, sizeof(of_request)) == 0;
}

/* ---- the result around it ---- */

void input_required_open(struct json_writer *w)
{
	json_open(w, '{');
	json_member_text(w, "resultType", SPAN("input_required"));
	json_key(w, "inputRequests");
	json_open(w, '{');
}

void input_required_close(struct json_writer *w, const struct gateway *gw, struct span state)
{
	json_close(w, '}');
	json_member_text(w, "requestState", state);
	json_key(w, "_meta");
	json_open(w, '{');
	json_member_raw(w, META_SERVER, buf_span(&gw->server_info));
	json_close(w, '}');
	json_close(w, '}');
}

static void put_params(struct buf *out, struct span params)
{
	struct span key, value;
	char between = '{';

	for (struct json_walk w = json_walk(params); json_next(&w, &key, &value);) {
		if (span_eq(key, SPAN("elicitationId")))
			continue;
		buf_add_char(out, between);
		between = ',';
		buf_add_char(out, '"');
		buf_add(out, key);
		buf_add(out, SPAN("\":"));
		buf_add(out, value);
	}
	buf_add(out, between == '{' ? SPAN("{}") : SPAN("}"));
}

void input_required_put_question(struct buf *out, struct span method, struct span params)
{
	buf_add(out, SPAN("{\"method\":"));
	buf_add(out, method);
	if (span_is_set(params)) {
		buf_add(out, SPAN(",\"params\":"));
		put_params(out, params);
	}
	buf_add_char(out, '}');
}

/* ---- states that are not ours ---- */

static bool may_be_a_retry(enum method m)
{
	return m == METHOD_TOOLS_CALL || m == METHOD_PROMPTS_GET || m == METHOD_RESOURCES_READ;
}

const char *retry_fault(const struct message *m)
{
	if (!may_be_a_retry(m->method_id))
		return NULL;
	if (span_is_set(m->request_state))
		return REQUEST_STATE_FAULT;
	if (span_is_set(m->input_responses) && json_type_of(m->input_responses) != JSON_OBJECT)
		return "params.inputResponses must be an object";
	return NULL;
}

bool retry_is_refused(const struct call *c, const struct slot *slot)
{
	return c->retry_fault != NULL && slot->greeted && !revision_is_modern(slot->hello.revision);
}

static struct call *first_refused(const struct slot *slot, const struct list *calls)
{
	list_each (node, calls) {
		struct call *c = list_entry(node, struct call, in_slot);
		if (c->state == CALL_AT_BACKEND && retry_is_refused(c, slot))
			return c;
	}
	return NULL;
}

/* Each leaves the list, and others may as well, whose turn comes then. */
static void refuse_all(const struct slot *slot, const struct list *calls)
{
	for (struct call *c; (c = first_refused(slot, calls)) != NULL;) {
		rpc_put_error(&c->answer, c->id, RPC_INVALID_PARAMS, span_of(c->retry_fault));
		call_end_with(c, CALL_EV_CUT, END_REFUSED, OUTCOME_NOT_SENT);
	}
}

void retry_greeted(struct slot *slot)
{
	refuse_all(slot, &slot->waiting); /* first: who waits behind them may be sent then, and is among the others */
	refuse_all(slot, &slot->calls);
}
