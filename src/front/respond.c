#include "front/respond.h"

#include <assert.h>

void headers_add(struct headers *h, const char *name, struct span value)
{
	assert(h->n < RESPOND_HEADERS_MAX);
	h->at[h->n++] = (struct http_header){ name, value };
}

void headers_add_cors(struct headers *h, struct span origin)
{
	if (!span_is_set(origin))
		return;
	headers_add(h, "Access-Control-Allow-Origin", origin);
	headers_add(h, "Access-Control-Expose-Headers", SPAN("Mcp-Session-Id"));
	headers_add(h, "Vary", SPAN("Origin"));
}

static struct headers common(const struct http_request *req)
{
	struct headers h = { 0 };

	headers_add_cors(&h, head_get(req->head, SPAN("origin")));
	return h;
}

void respond(struct http_exchange *ex, const struct http_request *req, int status, const char *type, struct span body)
{
	respond_with(ex, req, status, type, body, (struct http_header){ NULL, SPAN_NONE });
}

void respond_with(struct http_exchange *ex, const struct http_request *req, int status, const char *type,
        struct span body, struct http_header extra)
{
	struct headers h = common(req);

	if (body.n > 0)
		headers_add(&h, "Content-Type", span_of(type));
	if (status == 503)
		headers_add(&h, "Retry-After", SPAN("1"));
	if (span_is_set(extra.value))
		headers_add(&h, extra.name, extra.value);
	exchange_reply(ex, status, h.at, h.n, body);
}

void respond_not_allowed(struct http_exchange *ex, const struct http_request *req, struct span allow)
{
	struct headers h = common(req);

	headers_add(&h, "Allow", allow);
	exchange_reply(ex, 405, h.at, h.n, SPAN(""));
}

void respond_options(struct http_exchange *ex, const struct http_request *req, struct span allow)
{
	struct headers h = common(req);

	headers_add(&h, "Allow", allow);
	if (span_is_set(head_get(req->head, SPAN("access-control-request-method")))) {
		headers_add(&h, "Access-Control-Allow-Methods", allow);
		headers_add(&h, "Access-Control-Allow-Headers",
		        SPAN("Content-Type, Accept, Authorization, Mcp-Session-Id, MCP-Protocol-Version, Last-Event-ID, "
		             "Mcp-Method, Mcp-Name, *")); /* Mcp-Param-* are as many as servers like */
		headers_add(&h, "Access-Control-Max-Age", SPAN("86400"));
	}
	exchange_reply(ex, 204, h.at, h.n, SPAN(""));
}
