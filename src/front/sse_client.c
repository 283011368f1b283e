#include "front/sse_client.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/event_stream.h"
#include "front/sse_id.h"

struct sse_client {
	struct sse_client_conf conf;
	struct http_exchange *ex;
	struct session *session; /* NULL before initialize */
	bool rejoined;           /* without an initialize, which may still come */
	struct push push;
	struct list calls; /* in flight, the oldest first */
	struct buf id;     /* of the last event that had one */
	struct timer silence;
	void (*ended)(void *arg);
	void *arg;
};

struct sse_call {
	struct list node;
	struct sse_client *client;
	struct call *call;
};

/* ---- what goes out ---- */

static void arm_silence(struct sse_client *c);

static void on_silence(void *arg)
{
	struct sse_client *c = arg;

	event_stream_comment(c->ex);
	arm_silence(c);
}

static void arm_silence(struct sse_client *c)
{
	timer_set_in(c->conf.sched, &c->silence, EVENT_COMMENT_MS, on_silence, c);
}

/* Not set when the last one still says what is true. */
static struct span new_id(struct sse_client *c)
{
	struct buf now = { 0 };
	unsigned named = 0;

	if (c->session == NULL)
		return SPAN_NONE;
	sse_id_begin(&now, c->session->token);
	list_each (node, &c->calls)
		if (named++ < SSE_ID_CALLS_MAX)
			sse_id_add_call(&now, call_id(list_entry(node, struct sse_call, node)->call));
	bool same = span_eq(buf_span(&now), buf_span(&c->id));
	buf_free(&c->id);
	c->id = now;
	return same ? SPAN_NONE : buf_span(&c->id);
}

static void send_message(struct sse_client *c, const struct pieces *json)
{
	event_stream_send_id(c->ex, new_id(c), json);
	arm_silence(c);
}

static void send_text(struct sse_client *c, struct span text)
{
	struct pieces json = pieces_of(text);

	send_message(c, &json);
}

void sse_client_error(struct sse_client *c, struct span id, int code, const char *sentence)
{
	struct buf error = { 0 };

	rpc_put_error(&error, id, code, span_of(sentence));
	send_text(c, buf_span(&error));
	buf_free(&error);
}

/* ---- the end ---- */

/* The calls have no client any more. */
static void leave_calls(struct sse_client *c)
{
	for (struct list *node; (node = list_take_first(&c->calls)) != NULL;) {
		struct sse_call *x = list_entry(node, struct sse_call, node);
		gateway_client_gone(x->call);
		free(x);
	}
}

/* The stream is over: nothing that comes of the calls' ends may go there. */
static void client_free(struct sse_client *c)
{
	gateway_push_close(&c->push);
	leave_calls(c);
	if (c->session != NULL)
		sse_farewell_to(c->conf.farewell, c->session);
	timer_stop(c->conf.sched, &c->silence);
	buf_free(&c->id);
	free(c);
}

static void end_stream(struct sse_client *c)
{
	exchange_on_gone(c->ex, NULL, NULL);
	exchange_on_half_closed(c->ex, NULL, NULL);
	exchange_end(c->ex);
}

static void on_client_gone(void *arg)
{
	struct sse_client *c = arg;

	c->ended(c->arg);
	client_free(c);
}

/* It will say nothing more on this connection, but may still read what it was sent. */
static void on_half_closed(void *arg)
{
	struct sse_client *c = arg;

	end_stream(c);
	on_client_gone(c);
}

void sse_client_close(struct sse_client **cp)
{
	struct sse_client *c = *cp;

	*cp = NULL;
	end_stream(c);
	client_free(c);
}

/* ---- what comes from the gateway ---- */

static void drop_or_send(struct sse_client *c, const struct pieces *json)
{
	if (event_stream_drops(c->ex, json))
		gateway_count_dropped(c->conf.gw);
	else
		send_message(c, json);
}

static void on_message(void *arg, const struct pieces *json)
{
	drop_or_send(((struct sse_call *)arg)->client, json);
}

/* MCP 2025-11-25, Cancellation: a cancelled request is not answered. */
static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct sse_call *x = arg;
	struct sse_client *c = x->client;

	list_unlink(&x->node);
	free(x);
	if (why != END_CANCELLED)
		send_message(c, json);
}

static const struct reply_port reply_port = { .message = on_message, .ended = on_ended };

static void on_push(void *arg, const struct pieces *json)
{
	drop_or_send(arg, json);
}

/* The session was ended, its key was taken out, or the server that it sees is gone. */
static void on_push_end(void *arg)
{
	struct sse_client *c = arg;

	c->session = NULL;
	on_half_closed(c);
}

static const struct push_port push_port = { .message = on_push, .end = on_push_end };

/* ---- what comes from the client ---- */

static void join(struct sse_client *c, int scope, struct session *session)
{
	c->session = session;
	c->push = (struct push){ .scope = scope, .stays = true, .port = &push_port, .arg = c };
	gateway_push_open(c->conf.gw, session, &c->push);
}

/* A client that connects again and does say `initialize` wants a new session. */
static void start_over(struct sse_client *c)
{
	leave_calls(c);
	gateway_push_close(&c->push);
	gateway_session_end(c->conf.gw, &c->session);
	c->rejoined = false;
}

static void take_initialize(struct sse_client *c, int scope, const struct message *m)
{
	struct buf answer = { 0 };
	enum end_reason why;

	if (c->rejoined)
		start_over(c);
	if (c->session != NULL) {
		sse_client_error(c, m->id, RPC_INVALID_REQUEST, "the session is initialized already");
		return;
	}
	struct session *session = gateway_initialize(c->conf.gw, scope, m, false, &answer, &why);
	if (session != NULL)
		join(c, scope, session);
	send_text(c, buf_span(&answer));
	buf_free(&answer);
}

static void take_request(struct sse_client *c, int scope, const struct message *m)
{
	struct buf error = { 0 };
	enum end_reason why;
	struct refusal refusal = { &why, &error };
	struct sse_call *x = NEW(struct sse_call);

	x->client = c;
	x->call = gateway_submit(c->conf.gw, c->session, scope, m, &reply_port, x, &refusal);
	if (x->call != NULL) {
		list_append(&c->calls, &x->node);
		return;
	}
	free(x);
	send_text(c, buf_span(&error));
	buf_free(&error);
}

void sse_client_take(struct sse_client *c, int scope, const struct message *m)
{
	bool may = c->session != NULL || !c->conf.session_required || m->method_id == METHOD_PING;

	if (m->kind == MESSAGE_NOTIFICATION)
		gateway_notify(c->conf.gw, c->session, m);
	else if (m->kind != MESSAGE_REQUEST)
		gateway_answer(c->conf.gw, c->session, m);
	else if (m->method_id == METHOD_INITIALIZE)
		take_initialize(c, scope, m);
	else if (may)
		take_request(c, scope, m);
	else
		sse_client_error(c, m->id, RPC_INVALID_REQUEST, "the session is not initialized");
}

bool sse_client_has_batches(const struct sse_client *c)
{
	return c->session != NULL && revision_has_batches(c->session->info.revision);
}

bool sse_client_is_full(const struct sse_client *c)
{
	return event_stream_is_slow(c->ex);
}

/* ---- a client that has been here before ---- */

/* Its old stream, if that is still open here, is one that it has given up. */
static void end_other(const struct session *session)
{
	list_each (node, &session->pushes) {
		struct push *p = list_entry(node, struct push, node);
		if (p->port != &push_port)
			continue;
		on_half_closed(p->arg);
		return;
	}
}

static void tell_losses(struct sse_client *c, struct span rest)
{
	const struct rpc_end end = { .why = END_BACKEND_EXITED, .outcome = OUTCOME_UNKNOWN };
	struct buf id = { 0 }, error = { 0 };

	for (unsigned count = 0; sse_id_next_call(&rest, &count, &id);) {
		buf_reset(&error);
		rpc_put_end(&error, buf_span(&id), &end);
		send_text(c, buf_span(&error));
	}
	buf_free(&id);
	buf_free(&error);
}

static bool rejoin_by_id(struct sse_client *c, int scope, struct span last_event_id)
{
	struct span calls, token = sse_id_token(last_event_id, &calls);
	struct session *session = token.n > 0 ? gateway_session(c->conf.gw, token) : NULL;

	if (session == NULL)
		return false;
	end_other(session);
	join(c, scope, session);
	tell_losses(c, calls);
	return true;
}

/* Says the `initialize` that the client does not say again. */
static void rejoin_by_revision(struct sse_client *c, int scope, enum revision revision)
{
	struct buf text = { 0 }, answer = { 0 };
	struct message_fault fault;
	struct message m;
	enum end_reason why;

	buf_printf(&text,
	        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":"
	        "{\"protocolVersion\":\"%.*s\",\"capabilities\":{}}}",
	        SPAN_ARG(revision_name(revision)));
	if (message_parse(buf_span(&text), c->conf.max_depth, &m, &fault)) {
		struct session *session = gateway_initialize(c->conf.gw, scope, &m, false, &answer, &why);
		c->rejoined = session != NULL;
		if (session != NULL)
			join(c, scope, session);
	}
	buf_free(&text);
	buf_free(&answer);
}

static void rejoin(struct sse_client *c, int scope, const struct request_head *head)
{
	struct span id = head_get(head, SPAN("last-event-id"));
	enum revision revision = revision_parse(head_get(head, SPAN("mcp-protocol-version")));

	if (span_is_set(id) && rejoin_by_id(c, scope, id))
		c->rejoined = true;
	else if (revision_is_legacy(revision) && !gateway_is_refusing(c->conf.gw))
		rejoin_by_revision(c, scope, revision);
}

/* The time after which the client comes back is said now: a stream that breaks can say nothing. It stands in the event
 * because the Python SDK takes a block without data for a message. */
static void send_endpoint(struct sse_client *c, struct span endpoint)
{
	const struct span parts[] = { SPAN("event: endpoint\nretry: " EVENT_RETRY "\ndata: "), endpoint, SPAN("\n\n") };

	exchange_send(c->ex, parts, 3);
}

struct sse_client *sse_client_open(const struct sse_client_conf *conf, int scope, struct span endpoint,
        struct http_exchange *ex, const struct http_request *req, void (*ended)(void *arg), void *arg)
{
	struct sse_client *c = NEW(struct sse_client);

	c->conf = *conf;
	c->ex = ex;
	c->ended = ended;
	c->arg = arg;
	list_init(&c->calls);
	event_stream_open(ex, head_get(req->head, SPAN("origin")));
	send_endpoint(c, endpoint);
	rejoin(c, scope, req->head);
	arm_silence(c);
	exchange_on_gone(ex, on_client_gone, c);
	exchange_on_half_closed(ex, on_half_closed, c);
	return c;
}
