#include "front/resume.h"

#include "front/event_stream.h"
#include "front/respond.h"
#include "mcp/jsonrpc.h"

#define ALLOW SPAN("POST, DELETE, OPTIONS")

static void send_kept(void *arg, struct span id, const struct pieces *json)
{
	event_stream_send_id(arg, id, json);
}

/* The end of a stream that ended while its client was away, or did not read it. */
static void send_rest(struct replay_stream *s, uint64_t seq, struct http_exchange *ex, const struct http_request *req)
{
	event_stream_open(ex, head_get(req->head, SPAN("origin")));
	replay_each_after(s, seq, send_kept, ex);
	exchange_end(ex);
}

/* Who had the call is gone, and its servers with it; nobody knows how far they came. */
static void send_loss(
        const struct event_id *id, struct span call, struct http_exchange *ex, const struct http_request *req)
{
	const struct rpc_end end = { .why = END_BACKEND_EXITED, .outcome = OUTCOME_UNKNOWN };
	const struct event_id last = { id->stream, id->seq + 1, true, id->call };
	struct buf error = { 0 }, text = { 0 };

	rpc_put_end(&error, call, &end);
	event_id_put(&text, &last);
	struct pieces json = pieces_of(buf_span(&error));
	event_stream_open(ex, head_get(req->head, SPAN("origin")));
	event_stream_send_id(ex, buf_span(&text), &json);
	exchange_end(ex);
	buf_free(&error);
	buf_free(&text);
}

bool resume(struct replay *replay, const struct session *session, struct span last_event_id, struct http_exchange *ex,
        const struct http_request *req)
{
	struct buf call = { 0 };
	struct event_id id;

	if (!event_id_parse(last_event_id, &id))
		return false;
	struct replay_stream *s = replay_find(replay, session->nonce, id.stream);
	bool answers_call = event_id_call(&id, &call);
	bool taken = true;
	if (s != NULL && replay_is_live(s))
		replay_resume(s, ex, req, id.seq);
	else if (s != NULL && replay_each_after(s, id.seq, NULL, NULL))
		send_rest(s, id.seq, ex, req);
	else if (id.last || (s != NULL && answers_call))
		respond_not_allowed(ex, req, ALLOW);
	else if (answers_call)
		send_loss(&id, buf_span(&call), ex, req);
	else
		taken = false;
	buf_free(&call);
	return taken;
}
