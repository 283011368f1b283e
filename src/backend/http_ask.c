#include "backend/http_private.h"

/* The server's own requests. One that comes on the stream of a call is that call's. */

static void send_note(struct http_backend *b, const struct buf *json)
{
	struct pieces pieces = pieces_of(buf_span(json));

	http_trip_go(http_trip_new(b, TRIP_NOTE, &pieces));
}

static void answer_itself(struct http_backend *b, const struct message *m, bool ping)
{
	struct buf json = { 0 };

	if (ping)
		rpc_put_result(&json, m->id, SPAN("{}"));
	else
		rpc_put_error(&json, m->id, RPC_INTERNAL_ERROR, SPAN("too many requests without an answer"));
	send_note(b, &json);
	buf_free(&json);
}

void http_ask_came(struct http_trip *t, const struct message *m)
{
	struct http_backend *b = t->b;
	bool ping = m->method_id == METHOD_PING;
	struct open_ask *ask = NULL;

	if (t->modern || !http_is_talking(b)) {
		b->dropped++;
		log_debug(&b->log, "backend_message_dropped", "a request that the server may not send");
		return;
	}
	if (!ping)
		ask = open_asks_add(&b->asks, m->id);
	if (ask == NULL) {
		answer_itself(b, m, ping);
		return;
	}
	const struct backend_ask told = { .id = ask->id, .call = t->call, .link = b->link };
	b->base.events->ask(b->base.arg, &told, m);
}

void http_ask_taken_back(struct http_backend *b, const struct message *m)
{
	struct open_ask *ask = span_is_set(m->request_id) ? open_asks_find_own(&b->asks, m->request_id) : NULL;

	if (ask == NULL)
		return;
	uint64_t id = ask->id;
	open_asks_remove(&b->asks, ask);
	b->base.events->ask_ended(b->base.arg, id);
}

void http_ask_answer(struct http_backend *b, uint64_t id, const struct pieces *outcome)
{
	struct open_ask *ask = open_asks_find(&b->asks, id);
	struct buf json = { 0 };

	if (ask == NULL)
		return;
	open_ask_put_answer(&json, ask, outcome);
	open_asks_remove(&b->asks, ask);
	send_note(b, &json);
	buf_free(&json);
}

static void tell_lost(void *arg)
{
	struct http_backend *b = arg;

	for (uint64_t id; (id = open_asks_take_lost(&b->asks)) != 0;)
		b->base.events->ask_ended(b->base.arg, id);
}

/* The session is over: no answer has a place to go to. */
void http_asks_end(struct http_backend *b)
{
	open_asks_lose(&b->asks);
	post_set(loop_sched(b->loop), &b->asks_post, tell_lost, b);
}
