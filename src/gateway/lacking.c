/*
 * A modern client declares with each request what it can be asked. When an older server asks for something else, it is
 * told so, and may still come to a result. When it then fails, the client is told what the request would have needed
 * (MCP 2026-07-28: -32021, data.requiredCapabilities).
 */
#include "gateway/gateway_private.h"

static bool has_failed(const struct message *answer)
{
	return answer->kind == MESSAGE_ERROR || span_eq(json_member(answer->result, "isError"), SPAN("true"));
}

bool lacking_explains(const struct call *c, const struct message *answer)
{
	bool is_object = answer->kind == MESSAGE_ERROR || json_type_of(answer->result) == JSON_OBJECT;

	return c->lacked != 0 && is_object && has_failed(answer);
}

/* {"sampling":{},"elicitation":{"form":{}}} */
static void put_required(struct json_writer *w, unsigned lacked)
{
	json_open(w, '{');
	if (lacked & CLIENT_SAMPLING_TOOLS)
		json_member_raw(w, "sampling", SPAN("{\"tools\":{}}"));
	else if (lacked & CLIENT_SAMPLING)
		json_member_raw(w, "sampling", SPAN("{}"));
	if (lacked & CLIENT_ROOTS)
		json_member_raw(w, "roots", SPAN("{}"));
	if (lacked & (CLIENT_ELICITATION | CLIENT_ELICITATION_URL)) {
		json_key(w, "elicitation");
		json_open(w, '{');
		if (lacked & CLIENT_ELICITATION)
			json_member_raw(w, "form", SPAN("{}"));
		if (lacked & CLIENT_ELICITATION_URL)
			json_member_raw(w, "url", SPAN("{}"));
		json_close(w, '}');
	}
	json_close(w, '}');
}

void lacking_put_error(struct call *c)
{
	struct buf data = { 0 };
	struct json_writer w = json_writer(&data);

	json_open(&w, '{');
	json_key(&w, "requiredCapabilities");
	put_required(&w, c->lacked);
	json_close(&w, '}');
	rpc_put_error_data(&c->answer, c->id, RPC_CAPABILITY_MISSING,
	        SPAN("the server needs a capability that the request does not declare"), buf_span(&data));
	buf_free(&data);
}
