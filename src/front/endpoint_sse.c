#include "front/endpoint_sse.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "crypto/seal.h"
#include "front/event_stream.h"
#include "front/respond.h"
#include "front/resting.h"

#define NAME_DIGITS 32
#define SERVER_PREFIX SPAN("/mcp/server/")
#define STREAM_SUFFIX SPAN("/sse")

struct stream {
	struct endpoint_sse *e;
	struct list node;
	struct sse_client *client;
	char *server; /* the only one that it sees; NULL: all of them */
	char name[NAME_DIGITS + 1];
};

struct endpoint_sse {
	struct endpoint_sse_conf conf;
	struct sse_client_conf client;
	struct map by_name;
	struct list streams;
	bool closing; /* what is opened now ends at once, and its client comes back when somebody else is here */
};

struct endpoint_sse *endpoint_sse_new(const struct endpoint_sse_conf *conf)
{
	struct endpoint_sse *e = NEW(struct endpoint_sse);
	uint64_t seed;

	random_bytes(&seed, sizeof(seed));
	map_seed(&e->by_name, seed);
	e->conf = *conf;
	e->client = (struct sse_client_conf){
		.gw = conf->gw,
		.sched = conf->sched,
		.farewell = sse_farewell_new(conf->gw, conf->sched, conf->return_ms),
		.session_required = conf->session_required,
		.max_depth = conf->max_depth,
	};
	list_init(&e->streams);
	return e;
}

static void stream_free(struct stream *s)
{
	map_remove(&s->e->by_name, span_of(s->name));
	list_unlink(&s->node);
	free(s->server);
	free(s);
}

void endpoint_sse_free(struct endpoint_sse **ep)
{
	struct endpoint_sse *e = *ep;

	if (e == NULL)
		return;
	*ep = NULL;
	list_each (node, &e->streams)
		stream_free(list_entry(node, struct stream, node));
	sse_farewell_free(&e->client.farewell);
	map_free(&e->by_name);
	free(e);
}

void endpoint_sse_close(struct endpoint_sse *e)
{
	e->closing = true;
	list_each (node, &e->streams) {
		struct stream *s = list_entry(node, struct stream, node);
		sse_client_close(&s->client);
		stream_free(s);
	}
}

static void on_ended(void *arg)
{
	stream_free(arg);
}

/* ---- GET: a stream ---- */

static void make_name(char name[NAME_DIGITS + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char random[NAME_DIGITS / 2];

	random_bytes(random, sizeof(random));
	for (unsigned i = 0; i < NAME_DIGITS; i++)
		name[i] = digits[random[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	name[NAME_DIGITS] = '\0';
}

static void open_stream(
        struct endpoint_sse *e, struct span server, int scope, struct http_exchange *ex, const struct http_request *req)
{
	struct stream *s = NEW(struct stream);
	struct buf endpoint = { 0 };

	s->e = e;
	s->server = span_dup(server);
	make_name(s->name);
	list_append(&e->streams, &s->node);
	map_put(&e->by_name, span_of(s->name), s);
	buf_printf(&endpoint, "%s/messages?sessionId=%s", e->conf.base_path, s->name);
	s->client = sse_client_open(&e->client, scope, buf_span(&endpoint), ex, req, on_ended, s);
	buf_free(&endpoint);
	if (e->closing)
		endpoint_sse_close(e);
}

static bool takes_events(struct span accept)
{
	return !span_is_set(accept) || list_has_token(accept, SPAN(TYPE_EVENT_STREAM)) ||
	       list_has_token(accept, SPAN("text/*")) || list_has_token(accept, SPAN("*/*"));
}

static void on_stream(
        struct endpoint_sse *e, struct span server, int scope, struct http_exchange *ex, const struct http_request *req)
{
	if (span_eq(req->head->method, SPAN("OPTIONS")))
		respond_options(ex, req, SPAN("GET, OPTIONS"));
	else if (!span_eq(req->head->method, SPAN("GET")))
		respond_not_allowed(ex, req, SPAN("GET, OPTIONS"));
	else if (!takes_events(head_get(req->head, SPAN("accept"))))
		respond(ex, req, 406, "text/plain", SPAN("Accept must list text/event-stream\n"));
	else if (e->by_name.count >= e->conf.max_streams)
		respond(ex, req, 503, "text/plain", SPAN("too many streams are open\n"));
	else
		open_stream(e, server, scope, ex, req);
}

/* ---- POST: a message ---- */

static void refuse(
        struct http_exchange *ex, const struct http_request *req, int status, const struct message_fault *fault)
{
	struct buf error = { 0 };

	rpc_put_error(&error, fault->id, fault->code, span_of(fault->sentence));
	respond(ex, req, status, TYPE_JSON, buf_span(&error));
	buf_free(&error);
}

static void refuse_as(
        struct http_exchange *ex, const struct http_request *req, int status, int code, const char *sentence)
{
	refuse(ex, req, status, &(struct message_fault){ .code = code, .sentence = sentence });
}

/* RFC 3986, 3.4: "a=b&sessionId=..." */
static struct stream *stream_of(const struct endpoint_sse *e, struct span query)
{
	struct span part;

	while (span_next(&query, '&', &part))
		if (span_starts(part, SPAN("sessionId=")))
			return map_get(&e->by_name, span_skip(part, 10));
	return NULL;
}

static bool is_json(const struct request_head *head)
{
	struct span type = head_get(head, SPAN("content-type"));

	return span_eq_nocase(span_trim(span_cut(type, span_find(type, ';'))), SPAN(TYPE_JSON));
}

static bool is_array(struct span text)
{
	while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t' || text.p[0] == '\n' || text.p[0] == '\r'))
		text = span_skip(text, 1);
	return text.n > 0 && text.p[0] == '[';
}

/* Each message of a batch is answered by itself. */
static bool take_batch(struct stream *s, int scope, struct span array, struct message_fault *fault)
{
	unsigned max_depth = s->e->conf.max_depth;
	struct json_fault json_fault;
	struct json_found found;
	struct message m;
	struct span item;

	*fault = (struct message_fault){ .code = RPC_INVALID_REQUEST,
		.sentence = "batches exist in revision 2025-03-26 only" };
	if (!sse_client_has_batches(s->client))
		return false;
	*fault = (struct message_fault){ .code = RPC_PARSE_ERROR };
	if (!json_scan(array, max_depth, NULL, &found, &json_fault)) {
		fault->sentence = json_fault.sentence;
		return false;
	}
	for (struct json_walk w = json_walk(array); json_next(&w, NULL, &item);) {
		if (message_parse(item, max_depth, &m, fault))
			sse_client_take(s->client, scope, &m);
		else
			sse_client_error(s->client, fault->id, fault->code, fault->sentence);
	}
	return true;
}

static bool take(struct stream *s, int scope, struct span body, struct message_fault *fault)
{
	struct message m;

	if (is_array(body))
		return take_batch(s, scope, body, fault);
	if (!message_parse(body, s->e->conf.max_depth, &m, fault))
		return false;
	sse_client_take(s->client, scope, &m);
	return true;
}

static void on_post(struct endpoint_sse *e, struct http_exchange *ex, const struct http_request *req)
{
	struct stream *s = stream_of(e, req->head->query);
	struct message_fault fault;
	int scope = SCOPE_ALL;

	if (!is_json(req->head))
		refuse_as(ex, req, 415, RPC_SERVER_ERROR, "Content-Type must be application/json");
	else if (s == NULL || (s->server != NULL && !gateway_scope(e->conf.gw, span_of(s->server), &scope)))
		refuse_as(ex, req, 404, RPC_SERVER_ERROR - 1, "session not found");
	else if (sse_client_is_full(s->client))
		refuse_as(ex, req, 503, RPC_SERVER_ERROR, "the stream is not read");
	else if (!take(s, scope, req->body, &fault))
		refuse(ex, req, 400, &fault);
	else
		respond(ex, req, 202, "text/plain", SPAN("Accepted"));
}

static void on_message(struct endpoint_sse *e, struct http_exchange *ex, const struct http_request *req)
{
	if (span_eq(req->head->method, SPAN("OPTIONS")))
		respond_options(ex, req, SPAN("POST, OPTIONS"));
	else if (!span_eq(req->head->method, SPAN("POST")))
		respond_not_allowed(ex, req, SPAN("POST, OPTIONS"));
	else
		on_post(e, ex, req);
}

/* ---- which is which ---- */

/* "/sse", "/mcp/sse", or "/mcp/server/NAME/sse". */
static bool is_stream_path(const struct endpoint_sse *e, struct span path, struct span *server, int *scope)
{
	*server = SPAN_NONE;
	*scope = SCOPE_ALL;
	if (span_eq(path, SPAN("/sse")) || span_eq(path, SPAN("/mcp/sse")))
		return true;
	size_t around = SERVER_PREFIX.n + STREAM_SUFFIX.n;
	if (path.n <= around || !span_starts(path, SERVER_PREFIX) ||
	        !span_eq(span_skip(path, path.n - STREAM_SUFFIX.n), STREAM_SUFFIX))
		return false;
	*server = span_cut(span_skip(path, SERVER_PREFIX.n), path.n - around);
	return gateway_scope(e->conf.gw, *server, scope);
}

bool endpoint_sse_request(
        struct endpoint_sse *e, struct span path, struct http_exchange *ex, const struct http_request *req)
{
	struct span server;
	int scope;

	if (span_eq(path, SPAN("/messages"))) {
		exchange_belongs_to(ex, RESTING_STAYS);
		on_message(e, ex, req);
		return true;
	}
	if (!is_stream_path(e, path, &server, &scope))
		return false;
	on_stream(e, server, scope, ex, req);
	return true;
}
