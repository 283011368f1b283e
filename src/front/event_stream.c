#include "front/event_stream.h"

#include "front/respond.h"
#include "mcp/jsonrpc.h"

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

static bool has_breaks(const struct pieces *json)
{
	for (unsigned i = 0; i < json->n; i++)
		if (memchr(json->at[i].p, '\n', json->at[i].n) != NULL ||
		        memchr(json->at[i].p, '\r', json->at[i].n) != NULL)
			return true;
	return false;
}

static void send_line(struct http_exchange *ex, struct span id, const struct pieces *json)
{
	struct span parts[PIECES_MAX + 5];
	unsigned n = 0;

	if (span_is_set(id)) {
		parts[n++] = SPAN("id: ");
		parts[n++] = id;
		parts[n++] = SPAN("\n");
	}
	parts[n++] = SPAN("event: message\ndata: ");
	for (unsigned i = 0; i < json->n; i++)
		parts[n++] = json->at[i];
	parts[n++] = SPAN("\n\n");
	exchange_send(ex, parts, n);
}

/* A server may have broken its lines between two tokens; an event's data is one line. */
void event_stream_send_id(struct http_exchange *ex, struct span id, const struct pieces *json)
{
	struct buf line = { 0 };

	if (!has_breaks(json)) {
		send_line(ex, id, json);
		return;
	}
	pieces_put_line(&line, json);
	struct pieces whole = pieces_of(buf_span(&line));
	send_line(ex, id, &whole);
	buf_free(&line);
}

void event_stream_send(struct http_exchange *ex, const struct pieces *json)
{
	event_stream_send_id(ex, SPAN_NONE, json);
}

void event_stream_prime(struct http_exchange *ex, struct span id)
{
	const struct span parts[] = { SPAN("id: "), id, SPAN("\nretry: " EVENT_RETRY "\ndata: \n\n") };

	exchange_send(ex, parts, 3);
}

void event_stream_comment(struct http_exchange *ex)
{
	exchange_send(ex, &SPAN(":\n\n"), 1);
}

bool event_stream_is_slow(const struct http_exchange *ex)
{
	return exchange_waiting(ex) > WAITING_MAX;
}

static bool is_question(const struct pieces *json)
{
	struct message_fault fault;
	struct message m;
	struct buf text = { 0 };

	pieces_put(&text, json);
	bool is = message_parse(buf_span(&text), JSON_DEPTH_MAX, &m, &fault) && m.kind == MESSAGE_REQUEST;
	buf_free(&text);
	return is;
}

bool event_stream_drops(const struct http_exchange *ex, const struct pieces *json)
{
	return event_stream_is_slow(ex) && !is_question(json);
}
