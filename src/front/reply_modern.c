#include "front/reply_modern.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/event_stream.h"
#include "front/respond.h"

#define DEPTH_MAX JSON_DEPTH_MAX /* of an error that we send: it was scanned before, with a bound of its own */

struct reply_modern {
	struct gateway *gw;
	struct sched *sched;
	struct http_exchange *ex;
	struct call *call;
	enum method method;
	char *origin; /* for CORS; NULL without one */
	bool streaming;
	struct timer silence;
};

static void reply_free(struct reply_modern *r)
{
	timer_stop(r->sched, &r->silence);
	free(r->origin);
	free(r);
}

static void become_stream(struct reply_modern *r)
{
	if (r->streaming)
		return;
	r->streaming = true;
	event_stream_open(r->ex, span_of(r->origin));
}

static void on_silence(void *arg)
{
	struct reply_modern *r = arg;

	become_stream(r);
	event_stream_comment(r->ex);
	timer_set_in(r->sched, &r->silence, EVENT_COMMENT_MS, on_silence, r);
}

static int64_t error_code(const struct pieces *json)
{
	struct message_fault fault;
	struct message m;
	struct buf text = { 0 };
	int64_t code = 0;

	pieces_put(&text, json);
	if (message_parse(buf_span(&text), DEPTH_MAX, &m, &fault) && m.kind == MESSAGE_ERROR)
		json_to_i64(json_member(m.error, "code"), &code);
	buf_free(&text);
	return code;
}

/* "Method not found" about a tool, a prompt or a resource is not about the method that was asked for. */
static bool is_about_a_thing(enum method m)
{
	return m == METHOD_TOOLS_CALL || m == METHOD_PROMPTS_GET || m == METHOD_RESOURCES_READ;
}

int reply_modern_status(enum method method, enum end_reason why, const struct pieces *json)
{
	if (why != END_REFUSED && why != END_SERVER_ERROR)
		return 200;
	int64_t code = error_code(json);
	if (code == RPC_METHOD_NOT_FOUND && !is_about_a_thing(method))
		return 404;
	return code == RPC_CAPABILITY_MISSING ? 400 : 200;
}

static void send_json(struct reply_modern *r, int status, const struct pieces *json)
{
	struct headers h = { 0 };

	headers_add(&h, "Content-Type", SPAN(TYPE_JSON));
	headers_add_cors(&h, span_of(r->origin));
	exchange_reply_parts(r->ex, status, h.at, h.n, json->at, json->n);
}

static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct reply_modern *r = arg;

	if (r->streaming) {
		event_stream_send(r->ex, json);
		exchange_end(r->ex);
	} else {
		send_json(r, reply_modern_status(r->method, why, json), json);
	}
	reply_free(r);
}

static void on_message(void *arg, const struct pieces *json)
{
	struct reply_modern *r = arg;

	if (event_stream_is_slow(r->ex)) {
		gateway_count_dropped(r->gw);
		return;
	}
	become_stream(r);
	event_stream_send(r->ex, json);
	timer_set_in(r->sched, &r->silence, EVENT_COMMENT_MS, on_silence, r);
}

static void on_client_gone(void *arg)
{
	struct reply_modern *r = arg;

	gateway_client_gone(r->call);
	reply_free(r);
}

static struct reply_modern *reply_new(struct gateway *gw, struct sched *sched, struct http_exchange *ex,
        const struct http_request *req, enum method method)
{
	struct reply_modern *r = NEW(struct reply_modern);

	*r = (struct reply_modern){ .gw = gw, .sched = sched, .ex = ex, .method = method };
	r->origin = span_dup(head_get(req->head, SPAN("origin")));
	return r;
}

void reply_modern(struct gateway *gw, struct sched *sched, int scope, struct http_exchange *ex,
        const struct http_request *req, const struct message *m, const struct request_meta *meta)
{
	static const struct reply_port port = { .message = on_message, .ended = on_ended };
	struct buf error = { 0 };
	enum end_reason why = END_OVERLOADED;
	struct refusal refusal = { &why, &error };
	struct reply_modern *r = reply_new(gw, sched, ex, req, m->method_id);

	r->call = gateway_submit_modern(gw, NULL, scope, m, meta, &port, r, &refusal);
	if (r->call == NULL) {
		respond(ex, req, end_reason_http_status(why), TYPE_JSON, buf_span(&error));
		buf_free(&error);
		reply_free(r);
		return;
	}
	timer_set_in(sched, &r->silence, EVENT_COMMENT_MS, on_silence, r);
	exchange_on_gone(ex, on_client_gone, r);
	exchange_heed_fin(ex);
}
