#include <stdlib.h>

#include "backend/http_private.h"
#include "base/mem.h"
#include "json/write.h"

#define ASKS_MAX 1024 /* that wait for an answer */

/* A request of the server's own. On the stream of a call it is that call's. */
struct http_ask {
	struct list node;
	uint64_t id;
	size_t n;
	char text[]; /* the server's id, raw */
};

static void put_refusal(struct http_backend *b, struct span id, int code, struct span sentence)
{
	struct buf json = { 0 };

	rpc_put_error(&json, id, code, sentence);
	struct pieces pieces = pieces_of(buf_span(&json));
	http_trip_go(http_trip_new(b, TRIP_NOTE, &pieces));
	buf_free(&json);
}

static size_t count(const struct list *asks)
{
	size_t n = 0;

	list_each (node, asks)
		n++;
	return n;
}

void http_ask_came(struct http_trip *t, const struct message *m)
{
	struct http_backend *b = t->b;

	if (b->base.events->ask == NULL) {
		put_refusal(b, m->id, RPC_METHOD_NOT_FOUND, SPAN("Method not found"));
		return;
	}
	if (count(&b->asks) >= ASKS_MAX) {
		put_refusal(b, m->id, RPC_INTERNAL_ERROR, SPAN("Too many requests wait for an answer"));
		return;
	}
	struct http_ask *ask = mem_alloc(sizeof(*ask) + m->id.n);
	*ask = (struct http_ask){ .id = ++b->last_ask, .n = m->id.n };
	memcpy(ask->text, m->id.p, m->id.n);
	list_append(&b->asks, &ask->node);
	const struct backend_ask told = { .id = ask->id, .call = t->call, .link = &b->link };
	b->base.events->ask(b->base.arg, &told, m);
}

static struct http_ask *find(struct http_backend *b, uint64_t id)
{
	list_each (node, &b->asks) {
		struct http_ask *ask = list_entry(node, struct http_ask, node);
		if (ask->id == id)
			return ask;
	}
	return NULL;
}

static void forget(struct http_ask *ask)
{
	list_unlink(&ask->node);
	free(ask);
}

static void tell_ended(struct http_backend *b, struct http_ask *ask)
{
	uint64_t id = ask->id;

	forget(ask);
	if (b->base.events->ask_ended != NULL)
		b->base.events->ask_ended(b->base.arg, id);
}

void http_ask_taken_back(struct http_backend *b, const struct message *m)
{
	list_each (node, &b->asks) {
		struct http_ask *ask = list_entry(node, struct http_ask, node);
		if (!span_eq((struct span){ ask->text, ask->n }, m->request_id))
			continue;
		tell_ended(b, ask);
		return;
	}
}

void http_ask_answer(struct http_backend *b, uint64_t id, const struct pieces *outcome)
{
	struct http_ask *ask = find(b, id);
	struct buf json = { 0 };

	if (ask == NULL)
		return;
	buf_add(&json, SPAN("{\"jsonrpc\":\"2.0\",\"id\":"));
	buf_add(&json, (struct span){ ask->text, ask->n });
	buf_add_char(&json, ',');
	pieces_put(&json, outcome);
	buf_add_char(&json, '}');
	struct pieces pieces = pieces_of(buf_span(&json));
	http_trip_go(http_trip_new(b, TRIP_NOTE, &pieces));
	buf_free(&json);
	forget(ask);
}

/* The session is over: no answer has a place to go to. */
void http_asks_end(struct http_backend *b)
{
	for (struct list *node; (node = list_first(&b->asks)) != NULL;)
		tell_ended(b, list_entry(node, struct http_ask, node));
}
