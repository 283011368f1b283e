#include "front/event_stream.h"

#include "front/respond.h"

#define WAITING_MAX ((size_t)256 * 1024)

void event_stream_open(struct http_exchange *ex, struct span origin)
{
	struct headers h = { 0 };

	headers_add(&h, "Content-Type", SPAN(TYPE_EVENT_STREAM));
	headers_add(&h, "Cache-Control", SPAN("no-cache, no-transform"));
	headers_add(&h, "X-Accel-Buffering", SPAN("no"));
	headers_add_cors(&h, origin);
	exchange_stream(ex, 200, h.at, h.n);
}

void event_stream_send(struct http_exchange *ex, const struct pieces *json)
{
	struct span parts[PIECES_MAX + 2];
	unsigned n = 0;

	parts[n++] = SPAN("event: message\ndata: ");
	for (unsigned i = 0; i < json->n; i++)
		parts[n++] = json->at[i];
	parts[n++] = SPAN("\n\n");
	exchange_send(ex, parts, n);
}

void event_stream_comment(struct http_exchange *ex)
{
	exchange_send(ex, &SPAN(":\n\n"), 1);
}

bool event_stream_is_slow(const struct http_exchange *ex)
{
	return exchange_waiting(ex) > WAITING_MAX;
}
