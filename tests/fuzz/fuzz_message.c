/*
 * Messages: what is refused can be answered by an error that is a message itself; what is accepted can be given another
 * id, another name and one line, and is the same message for the rest.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "mcp/jsonrpc.h"
#include "mcp/rewrite.h"

#define DEPTH 32

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static bool is_same(struct span a, struct span b)
{
	return span_is_set(a) == span_is_set(b) && span_eq(a, b);
}

static struct message parse_again(struct span text)
{
	struct message m;
	struct message_fault fault;

	demand(message_parse(text, DEPTH, &m, &fault));
	return m;
}

static void check_error(const struct message_fault *fault)
{
	struct buf out = { 0 };

	demand(fault->sentence != NULL);
	rpc_put_error(&out, fault->id, fault->code, span_of(fault->sentence));
	struct message m = parse_again(buf_span(&out));
	demand(m.kind == MESSAGE_ERROR && is_same(m.id, fault->id));
	buf_free(&out);
}

static void check_kind(const struct message *m)
{
	bool call = m->kind == MESSAGE_REQUEST || m->kind == MESSAGE_NOTIFICATION;

	demand(call == span_is_set(m->method));
	demand((m->kind == MESSAGE_RESULT) == span_is_set(m->result));
	demand((m->kind == MESSAGE_ERROR) == span_is_set(m->error));
	demand(call || m->method_id == METHOD_UNKNOWN);
	demand(m->kind == MESSAGE_ERROR || (m->kind == MESSAGE_NOTIFICATION) == !span_is_set(m->id));
	if (m->method_id != METHOD_UNKNOWN)
		demand(json_string_is(m->method, method_name(m->method_id)));
}

/* What is forwarded: other id, name and token, all else as it was, but for white space between tokens. */
static void check_rewrite(const struct message *m)
{
	const struct splice splices[] = {
		{ m->name, SPAN("\"n\"") },
		{ m->progress_token, SPAN("17") },
		{ m->id, SPAN("\"gw-1\"") },
	};
	struct pieces pieces = pieces_splice(m->text, splices, sizeof(splices) / sizeof(splices[0]));
	struct buf whole = { 0 }, line = { 0 };

	pieces_put(&whole, &pieces);
	demand(buf_size(&whole) == pieces.size);
	pieces_put_line(&line, &pieces);
	demand(span_find(buf_span(&line), '\n') == pieces.size && span_find(buf_span(&line), '\r') == pieces.size);
	demand(m->multiline || span_eq(buf_span(&line), buf_span(&whole)));
	struct message w = parse_again(buf_span(&whole)), l = parse_again(buf_span(&line));
	demand(w.kind == m->kind && w.method_id == m->method_id && l.kind == m->kind);
	demand(w.multiline == m->multiline && !l.multiline);
	demand(is_same(w.id, l.id) && span_is_set(w.id) == span_is_set(m->id));
	demand(!span_is_set(m->id) || span_eq(w.id, SPAN("\"gw-1\"")));
	demand(!span_is_set(m->name) || span_eq(l.name, SPAN("\"n\"")));
	demand(!span_is_set(m->progress_token) || span_eq(w.progress_token, SPAN("17")));
	demand(is_same(w.method, m->method) && is_same(w.arguments, m->arguments) && is_same(w.uri, m->uri));
	demand(is_same(w.result, m->result) && is_same(w.error, m->error));
	buf_free(&whole);
	buf_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct message m;
	struct message_fault fault;

	if (!message_parse(text, DEPTH, &m, &fault)) {
		check_error(&fault);
		return 0;
	}
	check_kind(&m);
	check_rewrite(&m);
	return 0;
}
