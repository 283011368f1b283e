#include "front/endpoint_mcp.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/respond.h"

#define ALLOW SPAN("POST, GET, DELETE, OPTIONS")
#define TYPE_JSON "application/json"
#define TYPE_SSE "text/event-stream"

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

/* ---- the answer to a POST: JSON or a stream ---- */

struct reply;

struct part { /* one request of the POST; all but batches have one */
	struct reply *reply;
	struct call *call; /* NULL: ended, or refused */
};

struct reply {
	struct endpoint_mcp *e;
	struct http_exchange *ex;
	char *origin; /* for CORS; NULL without one */
	bool streaming, batch;
	unsigned due;         /* answers to come */
	struct buf collected; /* of a batch: answers so far, each ended by a line feed */
	struct timer silence;
	unsigned count;
	struct part parts[];
};

static void reply_free(struct reply *r)
{
	timer_stop(r->e->sched, &r->silence);
	buf_free(&r->collected);
	free(r->origin);
	free(r);
}

static void send_event(struct http_exchange *ex, const struct pieces *json)
{
	struct span parts[PIECES_MAX + 2];
	unsigned n = 0;

	parts[n++] = SPAN("event: message\ndata: ");
	for (unsigned i = 0; i < json->n; i++)
		parts[n++] = json->at[i];
	parts[n++] = SPAN("\n\n");
	exchange_send(ex, parts, n);
}

static void send_comment(struct http_exchange *ex)
{
	exchange_send(ex, &SPAN(":\n\n"), 1);
}

static void open_stream(struct http_exchange *ex, struct span origin)
{
	struct headers h = { 0 };

	headers_add(&h, "Content-Type", SPAN(TYPE_SSE));
	headers_add(&h, "Cache-Control", SPAN("no-cache, no-transform"));
	headers_add(&h, "X-Accel-Buffering", SPAN("no"));
	headers_add_cors(&h, origin);
	exchange_stream(ex, 200, h.at, h.n);
}

/* Answers of a batch that came before the stream began. */
static void send_collected(struct reply *r)
{
	struct span rest = buf_span(&r->collected), line;

	while (span_next(&rest, '\n', &line)) {
		struct pieces json = pieces_of(line);
		if (line.n > 0)
			send_event(r->ex, &json);
	}
	buf_free(&r->collected);
}

static void become_stream(struct reply *r)
{
	if (r->streaming)
		return;
	r->streaming = true;
	open_stream(r->ex, span_of(r->origin));
	send_collected(r);
}

static void on_silence(void *arg)
{
	struct reply *r = arg;

	become_stream(r);
	send_comment(r->ex);
	timer_set_in(r->e->sched, &r->silence, SSE_COMMENT_MS, on_silence, r);
}

static void reply_json(struct reply *r, const struct span *parts, unsigned n)
{
	struct headers h = { 0 };

	headers_add(&h, "Content-Type", SPAN(TYPE_JSON));
	headers_add_cors(&h, span_of(r->origin));
	exchange_reply_parts(r->ex, 200, h.at, h.n, parts, n);
}

/* The answers of a batch as one array. */
static void reply_array(struct reply *r)
{
	struct span text = buf_span(&r->collected);
	const struct span parts[] = { SPAN("["), span_cut(text, text.n - 1), SPAN("]") };

	for (char *at = r->collected.mem; at < span_end(text) - 1; at++)
		if (*at == '\n')
			*at = ',';
	reply_json(r, parts, 3);
}

static void take_answer(struct reply *r, const struct pieces *json)
{
	r->due--;
	if (r->streaming) {
		send_event(r->ex, json);
	} else if (r->batch) {
		pieces_put_line(&r->collected, json);
		buf_add_char(&r->collected, '\n');
	} else {
		reply_json(r, json->at, json->n);
	}
}

static void finish_if_done(struct reply *r)
{
	if (r->due > 0)
		return;
	if (r->streaming)
		exchange_end(r->ex);
	else if (r->batch)
		reply_array(r);
	reply_free(r);
}

static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct part *p = arg;

	(void)why;
	p->call = NULL;
	take_answer(p->reply, json);
	finish_if_done(p->reply);
}

static void on_message(void *arg, const struct pieces *json)
{
	struct reply *r = ((struct part *)arg)->reply;

	if (r->streaming && exchange_waiting(r->ex) > WAITING_MAX) {
		r->e->dropped++;
		return;
	}
	become_stream(r);
	send_event(r->ex, json);
	timer_set_in(r->e->sched, &r->silence, SSE_COMMENT_MS, on_silence, r);
}

static const struct reply_port reply_port = { .message = on_message, .ended = on_ended };

static void on_client_gone(void *arg)
{
	struct reply *r = arg;

	for (unsigned i = 0; i < r->count; i++)
		if (r->parts[i].call != NULL)
			gateway_client_gone(r->parts[i].call);
	reply_free(r);
}

static struct reply *reply_new(const struct asked *a, unsigned count)
{
	struct reply *r = mem_zalloc(sizeof(*r) + count * sizeof(r->parts[0]));

	r->e = a->e;
	r->ex = a->ex;
	r->origin = span_dup(head_get(a->req->head, SPAN("origin")));
	r->count = count;
	for (unsigned i = 0; i < count; i++)
		r->parts[i].reply = r;
	exchange_on_gone(a->ex, on_client_gone, r);
	timer_set_in(a->e->sched, &r->silence, SSE_COMMENT_MS, on_silence, r);
	return r;
}

/* ---- POST ---- */

static void post_request(const struct asked *a, const struct message *m)
{
	struct buf error = { 0 };
	enum end_reason why = END_OVERLOADED;
	struct refusal refusal = { &why, &error };
	struct reply *r = reply_new(a, 1);

	r->due = 1;
	r->parts[0].call = gateway_submit(a->e->gw, a->session, a->scope, m, &reply_port, &r->parts[0], &refusal);
	if (r->parts[0].call != NULL)
		return;
	exchange_on_gone(a->ex, NULL, NULL);
	reply_free(r);
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
		respond(a->ex, a->req, 202, NULL, SPAN(""));
		break;
	}
}

/* One message of a batch (2025-03-26). What is no message is answered as one, in its place. */
static void batch_item(const struct asked *a, struct part *p, struct span text)
{
	struct buf error = { 0 };
	enum end_reason why = END_OVERLOADED;
	struct refusal refusal = { &why, &error };
	struct message_fault fault;
	struct message m;

	if (!message_parse(text, a->e->max_depth, &m, &fault))
		rpc_put_error(&error, fault.id, fault.code, span_of(fault.sentence));
	else if (m.kind == MESSAGE_NOTIFICATION)
		gateway_notify(a->e->gw, a->session, &m);
	else if (m.kind == MESSAGE_REQUEST && m.method_id == METHOD_INITIALIZE)
		rpc_put_error(&error, m.id, RPC_INVALID_REQUEST, SPAN("initialize cannot be part of a batch"));
	else if (m.kind == MESSAGE_REQUEST)
		p->call = gateway_submit(a->e->gw, a->session, a->scope, &m, &reply_port, p, &refusal);
	if (buf_size(&error) > 0 || p->call != NULL)
		p->reply->due++;
	if (buf_size(&error) > 0) {
		struct pieces json = pieces_of(buf_span(&error));
		take_answer(p->reply, &json);
	}
	buf_free(&error);
}

static void post_batch(const struct asked *a, struct span array)
{
	unsigned count = 0;
	struct span item;

	for (struct json_walk w = json_walk(array); json_next(&w, NULL, &item);)
		count++;
	if (count == 0) {
		respond_error(a, 400, SPAN_NONE, RPC_INVALID_REQUEST, "an empty batch");
		return;
	}
	struct reply *r = reply_new(a, count);
	struct part *p = r->parts;
	r->batch = true;
	for (struct json_walk w = json_walk(array); json_next(&w, NULL, &item); p++)
		batch_item(a, p, item);
	if (r->due > 0)
		return;
	exchange_on_gone(a->ex, NULL, NULL);
	if (buf_size(&r->collected) > 0)
		reply_array(r);
	else
		respond(a->ex, a->req, 202, NULL, SPAN(""));
	reply_free(r);
}

/* ---- what every verb checks ---- */

static bool check_version(const struct asked *a)
{
	struct span version = head_get(a->req->head, SPAN("mcp-protocol-version"));

	if (!span_is_set(version) || revision_parse(version) != REVISION_NONE)
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

	if (accepts(accept, SPAN(TYPE_JSON), SPAN("application/*")) && accepts(accept, SPAN(TYPE_SSE), SPAN("text/*")))
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

static void on_post_array(struct asked *a)
{
	struct json_fault fault;
	struct json_found found;

	if (!json_scan(a->req->body, a->e->max_depth, NULL, &found, &fault)) {
		respond_error(a, 400, SPAN_NONE, RPC_PARSE_ERROR, fault.sentence);
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
	bool opens = m.kind == MESSAGE_REQUEST && m.method_id == METHOD_INITIALIZE;
	if (check_version(a) && check_session(a, a->e->session_required && !opens))
		post_message(a, &m);
}

/* ---- GET: the stream of what belongs to no call ---- */

struct stream {
	struct endpoint_mcp *e;
	struct http_exchange *ex;
	struct push push;
	struct timer silence;
};

static void stream_free(struct stream *s)
{
	gateway_push_close(&s->push);
	timer_stop(s->e->sched, &s->silence);
	free(s);
}

static void on_stream_silence(void *arg)
{
	struct stream *s = arg;

	send_comment(s->ex);
	timer_set_in(s->e->sched, &s->silence, SSE_COMMENT_MS, on_stream_silence, s);
}

static void on_push(void *arg, const struct pieces *json)
{
	struct stream *s = arg;

	if (exchange_waiting(s->ex) > WAITING_MAX)
		s->e->dropped++;
	else
		send_event(s->ex, json);
}

/* The official clients reopen a stream that ends after `retry`, and give up after two failures. */
static void on_push_end(void *arg)
{
	struct stream *s = arg;

	exchange_send(s->ex, &SPAN("retry: 1000\n\n"), 1);
	exchange_end(s->ex);
	stream_free(s);
}

static void on_stream_gone(void *arg)
{
	stream_free(arg);
}

static const struct push_port push_port = { .message = on_push, .end = on_push_end };

static void on_get(struct asked *a)
{
	if (!list_has_token(head_get(a->req->head, SPAN("accept")), SPAN(TYPE_SSE))) {
		respond_error(a, 406, SPAN_NONE, RPC_BAD_REQUEST, "Accept must list text/event-stream");
		return;
	}
	if (!check_version(a) || !check_session(a, true))
		return;
	if (!list_is_empty(&a->session->pushes)) {
		respond_error(a, 409, SPAN_NONE, RPC_BAD_REQUEST, "the session has a stream already");
		return;
	}
	struct stream *s = NEW(struct stream);
	*s = (struct stream){ .e = a->e, .ex = a->ex };
	s->push = (struct push){ .scope = a->scope, .port = &push_port, .arg = s };
	open_stream(a->ex, head_get(a->req->head, SPAN("origin")));
	exchange_forever(a->ex);
	exchange_on_gone(a->ex, on_stream_gone, s);
	send_comment(a->ex);
	timer_set_in(a->e->sched, &s->silence, SSE_COMMENT_MS, on_stream_silence, s);
	gateway_push_open(a->e->gw, a->session, &s->push);
}

static void on_delete(struct asked *a)
{
	if (!check_version(a) || !check_session(a, true))
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
