#include "front/endpoint_modern.h"

#include "front/listen_stream.h"
#include "front/reply_modern.h"
#include "front/respond.h"
#include "mcp/param_headers.h"

#define HEADER_NAME_MAX 256

static struct modern_headers read_headers(const struct request_head *head)
{
	static const struct span names[] = { SPAN("mcp-protocol-version"), SPAN("mcp-method"), SPAN("mcp-name") };
	struct modern_headers h = {
		.version = head_get(head, names[0]),
		.method = head_get(head, names[1]),
		.name = head_get(head, names[2]),
	};

	for (size_t i = 0; i < 3; i++)
		h.twice |= head_count(head, names[i]) > 1;
	return h;
}

/* A header that comes twice agrees with nothing. */
static bool param_agrees(const struct request_head *head, const struct param_header *h)
{
	char room[HEADER_NAME_MAX];
	struct buf text = { .mem = room, .cap = sizeof(room) };

	if (h->name.n > sizeof(room) - sizeof(PARAM_HEADER_PREFIX))
		return true; /* no client can send it */
	buf_add(&text, SPAN(PARAM_HEADER_PREFIX));
	buf_add(&text, h->name);
	return head_count(head, buf_span(&text)) <= 1 && param_header_agrees(h, head_get(head, buf_span(&text)));
}

/* The arguments that the tool's schema wants repeated in headers. A schema that breaks the rules wants nothing. */
static bool params_agree(const struct request_head *head, struct span schema, struct span arguments)
{
	struct param_header found[PARAM_HEADERS_MAX];
	int n = param_headers_find(schema, arguments, found);

	for (int i = 0; i < n; i++)
		if (!param_agrees(head, &found[i]))
			return false;
	return true;
}

static bool check_params(struct endpoint_mcp *e, int scope, const struct request_head *head, const struct message *m,
        struct modern_fault *fault)
{
	struct buf room = { 0 };

	if (m->method_id != METHOD_TOOLS_CALL || json_type_of(m->name) != JSON_STRING)
		return true;
	struct span name = json_decode(m->name, buf_reserve(&room, m->name.n));
	struct span schema = gateway_tool_schema(e->gw, scope, name);
	bool agree = !span_is_set(schema) || params_agree(head, schema, m->arguments);
	buf_free(&room);
	if (!agree)
		*fault = (struct modern_fault){ 400, RPC_HEADER_MISMATCH,
			"a header Mcp-Param-* is missing or differs from its argument" };
	return agree;
}

static void respond_fault(struct http_exchange *ex, const struct http_request *req, const struct message *m,
        const struct request_meta *meta, const struct modern_fault *fault)
{
	struct buf body = { 0 };

	modern_put_fault(&body, m->id, fault, meta);
	respond(ex, req, fault->status, TYPE_JSON, buf_span(&body));
	buf_free(&body);
}

void endpoint_modern_post(struct endpoint_mcp *e, int scope, struct http_exchange *ex, const struct http_request *req,
        const struct message *m, const struct request_meta *meta)
{
	struct modern_headers h = read_headers(req->head);
	struct modern_fault fault;

	if (m->kind != MESSAGE_REQUEST)
		respond(ex, req, 202, NULL, SPAN("")); /* over HTTP clients have nothing to notify of */
	else if (!modern_check(m, meta, &h, &fault) || !check_params(e, scope, req->head, m, &fault))
		respond_fault(ex, req, m, meta, &fault);
	else if (m->method_id == METHOD_LISTEN)
		listen_stream_open(e->gw, e->sched, scope, ex, req, m);
	else
		reply_modern(e->gw, e->sched, scope, ex, req, m, meta);
}
