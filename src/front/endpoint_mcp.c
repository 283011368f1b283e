#include "front/endpoint_mcp.h"

#include "front/endpoint_modern.h"
#include "front/event_stream.h"
#include "front/news_stream.h"
#include "front/reply.h"
#include "front/respond.h"
#include "front/resume.h"

#define ALLOW SPAN("POST, GET, DELETE, OPTIONS")

/* codes of the official SDKs' servers, which clients know */
#define RPC_BAD_REQUEST (-32000)
#define RPC_SESSION_NOT_FOUND (-32001)

/* One request as the functions below hand it on. */
struct asked {
	struct endpoint_mcp *e;
	int scope;
	struct http_exchange *ex;
	const struct http_request *req;
	struct session *session; /* NULL without one */
};

static void respond_error(const struct asked *a, int status, struct span id, int code, const char *sentence)
{
	struct buf body = { 0 };

	rpc_put_error(&body, id, code, span_of(sentence));
	respond(a->ex, a->req, status, TYPE_JSON, buf_span(&body));
	buf_free(&body);
}

/* ---- POST ---- */

static void post_request(const struct asked *a, const struct message *m)
{
	struct buf error = { 0 };
	enum end_reason why = END_OVERLOADED;
	struct refusal refusal = { &why, &error };
	struct reply *r = reply_new(a->e->gw, a->e->sched, a->ex, a->req, 1, false);
	reply_keep(r, a->e->replay, a->session);
	struct call *call = gateway_submit(a->e->gw, a->session, a->scope, m, &reply_port, reply_part(r, 0), &refusal);

	if (call != NULL) {
		reply_expect(r, 0, call);
		return;
	}
	reply_cancel(&r);
	respond(a->ex, a->req, end_reason_http_status(why), TYPE_JSON, buf_span(&error));
	buf_free(&error);
}

static void post_initialize(const struct asked *a, const struct message *m)
{
	struct buf answer = { 0 };
	enum end_reason why;

	if (a->session != NULL) {
		respond_error(a, 400, m->id, RPC_INVALID_REQUEST, "the session is initialized already");
		return;
	}
	struct session *s = gateway_initialize(a->e->gw, a->scope, m, false, &answer, &why);
	bool refused = s == NULL && why != END_REFUSED;
	respond_with(a->ex, a->req, refused ? end_reason_http_status(why) : 200, TYPE_JSON, buf_span(&answer),
	        (struct http_header){ "Mcp-Session-Id", s != NULL ? s->token : SPAN_NONE });
	buf_free(&answer);
}

static void post_message(const struct asked *a, const struct message *m)
{
	switch (m->kind) {
	case MESSAGE_REQUEST:
		if (m->method_id == METHOD_INITIALIZE)
			post_initialize(a, m);
		else
			post_request(a, m);
		break;
	case MESSAGE_NOTIFICATION:
		gateway_notify(a->e->gw, a->session, m);
		respond(a->ex, a->req, 202, NULL, SPAN(""));
		break;
	case MESSAGE_RESULT:
	case MESSAGE_ERROR:
		gateway_answer(a->e->gw, a->session, m);
		respond(a->ex, a->req, 202, NULL, SPAN(""));
		break;
	}
}

/* One message of a batch (2025-03-26). What is no message is answered as one, in its place. */
static void batch_item(const struct asked *a, struct reply *r, unsigned i, struct span text)
{
	struct buf error = { 0 };
	enum end_reason why = END_OVERLOADED;
	struct refusal refusal = { &why, &error };
	struct message_fault fault;
	struct message m;
	struct call *call = NULL;

	if (!message_parse(text, a->e->max_depth, &m, &fault))
		rpc_put_error(&error, fault.id, fault.code, span_of(fault.sentence));
	else if (m.kind == MESSAGE_NOTIFICATION)
		gateway_notify(a->e->gw, a->session, &m);
	else if (m.kind == MESSAGE_REQUEST && m.method_id == METHOD_INITIALIZE)
		rpc_put_error(&error, m.id, RPC_INVALID_REQUEST, SPAN("initialize cannot be part of a batch"));
	else if (m.kind == MESSAGE_REQUEST)
		call = gateway_submit(a->e->gw, a->session, a->scope, &m, &reply_port, reply_part(r, i), &refusal);
	else if (m.kind != MESSAGE_REQUEST)
		gateway_answer(a->e->gw, a->session, &m);
	if (call != NULL)
		reply_expect(r, i, call);
	if (buf_size(&error) > 0)
		reply_add(r, buf_span(&error));
	buf_free(&error);
}

static void post_batch(const struct asked *a, struct span array)
{
	unsigned count = 0, i = 0;
	struct span item;

	for (struct json_walk w = json_walk(array); json_next(&w, NULL, &item);)
		count++;
	if (count == 0) {
		respond_error(a, 400, SPAN_NONE, RPC_INVALID_REQUEST, "an empty batch");
		return;
	}
	struct reply *r = reply_new(a->e->gw, a->e->sched, a->ex, a->req, count, true);
	for (struct json_walk w = json_walk(array); json_next(&w, NULL, &item); i++)
		batch_item(a, r, i, item);
	if (!reply_submitted(&r))
		respond(a->ex, a->req, 202, NULL, SPAN(""));
}

/* ---- what every verb checks ---- */

static struct span version_named(const struct asked *a)
{
	return head_get(a->req->head, SPAN("mcp-protocol-version"));
}

static bool check_version(const struct asked *a)
{
	struct span version = version_named(a);

	if (!span_is_set(version) || revision_is_legacy(revision_parse(version)))
		return true;
	respond_error(a, 400, SPAN_NONE, RPC_BAD_REQUEST, "unsupported MCP-Protocol-Version");
	return false;
}

/* Finds the session of the header. A missing one is a fault only where one is needed. */
static bool check_session(struct asked *a, bool needed)
{
	struct span token = head_get(a->req->head, SPAN("mcp-session-id"));

	if (!span_is_set(token)) {
		if (needed)
			respond_error(a, 400, SPAN_NONE, RPC_BAD_REQUEST, "the header Mcp-Session-Id is missing");
		return !needed;
	}
	a->session = gateway_session(a->e->gw, token);
	if (a->session == NULL)
		respond_error(a, 404, SPAN_NONE, RPC_SESSION_NOT_FOUND, "session not found");
	else
		exchange_belongs_to(a->ex, a->session->nonce);
	return a->session != NULL;
}

/* RFC 9110, 12.5.1: the list has the type itself, its family, or anything. */
static bool accepts(struct span accept, struct span type, struct span family)
{
	return list_has_token(accept, type) || list_has_token(accept, family) || list_has_token(accept, SPAN("*/*"));
}

static bool check_accept(const struct asked *a)
{
	struct span accept = head_get(a->req->head, SPAN("accept"));

	if (accepts(accept, SPAN(TYPE_JSON), SPAN("application/*")) &&
	        accepts(accept, SPAN(TYPE_EVENT_STREAM), SPAN("text/*")))
		return true;
	respond_error(
	        a, 406, SPAN_NONE, RPC_BAD_REQUEST, "Accept must list both application/json and text/event-stream");
	return false;
}

static bool check_content_type(const struct asked *a)
{
	struct span type = head_get(a->req->head, SPAN("content-type"));

	if (span_eq_nocase(span_trim(span_cut(type, span_find(type, ';'))), SPAN(TYPE_JSON)))
		return true;
	respond_error(a, 415, SPAN_NONE, RPC_BAD_REQUEST, "Content-Type must be application/json");
	return false;
}

static bool is_array(struct span text)
{
	while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t' || text.p[0] == '\n' || text.p[0] == '\r'))
		text = span_skip(text, 1);
	return text.n > 0 && text.p[0] == '[';
}

/* One of the batch claims to be of the modern revision. */
static bool has_modern(struct span array)
{
	struct span item;

	for (struct json_walk w = json_walk(array); json_next(&w, NULL, &item);) {
		struct span params = json_type_of(item) == JSON_OBJECT ? json_member(item, "params") : SPAN_NONE;
		struct span meta = json_type_of(params) == JSON_OBJECT ? json_member(params, "_meta") : SPAN_NONE;
		if (span_is_set(meta_read(meta).version))
			return true;
	}
	return false;
}

static void on_post_array(struct asked *a)
{
	struct json_fault fault;
	struct json_found found;

	if (!json_scan(a->req->body, a->e->max_depth, NULL, &found, &fault)) {
		respond_error(a, 400, SPAN_NONE, RPC_PARSE_ERROR, fault.sentence);
		return;
	}
	if (modern_is_named(version_named(a)) || has_modern(a->req->body)) {
		respond_error(a, 400, SPAN_NONE, RPC_INVALID_REQUEST, "the modern revision has no batches");
		return;
	}
	if (!check_session(a, true) || !check_version(a))
		return;
	if (!revision_has_batches(a->session->info.revision)) {
		respond_error(a, 400, SPAN_NONE, RPC_INVALID_REQUEST, "batches exist in revision 2025-03-26 only");
		return;
	}
	post_batch(a, a->req->body);
}

static void on_post(struct asked *a)
{
	struct message_fault fault;
	struct message m;

	if (!check_content_type(a) || !check_accept(a))
		return;
	if (is_array(a->req->body)) {
		on_post_array(a);
		return;
	}
	if (!message_parse(a->req->body, a->e->max_depth, &m, &fault)) {
		respond_error(a, 400, fault.id, fault.code, fault.sentence);
		return;
	}
	struct request_meta meta = meta_read(m.meta);
	struct modern_fault wrong;
	enum era era;
	if (!modern_classify(&m, &meta, version_named(a), &era, &wrong)) {
		respond_error(a, wrong.status, m.id, wrong.code, wrong.sentence);
		return;
	}
	if (era == ERA_MODERN) {
		endpoint_modern_post(a->e, a->scope, a->ex, a->req, &m, &meta);
		return;
	}
	bool opens = m.kind == MESSAGE_REQUEST && m.method_id == METHOD_INITIALIZE;
	if (check_version(a) && check_session(a, a->e->session_required && !opens))
		post_message(a, &m);
}

/* ---- GET and DELETE ---- */

/* The modern revision has no verb but POST. A session makes a request one of a legacy revision. */
static bool check_verb(const struct asked *a)
{
	if (span_is_set(head_get(a->req->head, SPAN("mcp-session-id"))) || !modern_is_named(version_named(a)))
		return true;
	respond_not_allowed(a->ex, a->req, SPAN("POST, OPTIONS"));
	return false;
}

static void on_get(struct asked *a)
{
	if (!check_verb(a))
		return;
	if (!list_has_token(head_get(a->req->head, SPAN("accept")), SPAN(TYPE_EVENT_STREAM))) {
		respond_error(a, 406, SPAN_NONE, RPC_BAD_REQUEST, "Accept must list text/event-stream");
		return;
	}
	if (!check_version(a) || !check_session(a, true))
		return;
	struct span last_event_id = head_get(a->req->head, SPAN("last-event-id"));
	if (span_is_set(last_event_id) && resume(a->e->replay, a->session, last_event_id, a->ex, a->req))
		return;
	if (news_stream_is_open(a->session)) {
		respond_error(a, 409, SPAN_NONE, RPC_BAD_REQUEST, "the session has a stream already");
		return;
	}
	news_stream_open(a->e->gw, a->e->sched, a->e->replay, a->session, a->scope, a->ex, a->req);
}

static void on_delete(struct asked *a)
{
	if (!check_verb(a) || !check_version(a) || !check_session(a, true))
		return;
	gateway_session_end(a->e->gw, &a->session);
	respond(a->ex, a->req, 200, NULL, SPAN(""));
}

void endpoint_mcp_request(struct endpoint_mcp *e, int scope, struct http_exchange *ex, const struct http_request *req)
{
	struct asked a = { .e = e, .scope = scope, .ex = ex, .req = req };
	struct span method = req->head->method;

	if (span_eq(method, SPAN("POST")))
		on_post(&a);
	else if (span_eq(method, SPAN("GET")))
		on_get(&a);
	else if (span_eq(method, SPAN("DELETE")))
		on_delete(&a);
	else if (span_eq(method, SPAN("OPTIONS")))
		respond_options(ex, req, ALLOW);
	else
		respond_not_allowed(ex, req, ALLOW);
}
