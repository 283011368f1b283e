#include "backend/http_private.h"
#include "mcp/header_value.h"
#include "mcp/modern.h"

/* --- headers that repeat what the body says --- */

/* What a JSON string means, of which a splice replaces a part between the quotes. */
static struct span meaning(struct buf *room, struct span value, struct splice name)
{
	struct buf json = { 0 };
	struct pieces pieces = pieces_of(value);

	if (json_type_of(value) != JSON_STRING)
		return SPAN_NONE;
	if (span_is_set(name.out) && name.out.p >= value.p && span_end(name.out) <= span_end(value))
		pieces = pieces_splice(value, &name, 1);
	pieces_put(&json, &pieces);
	buf_add(room, json_decode(buf_span(&json), buf_reserve(room, buf_size(&json))));
	buf_free(&json);
	return buf_span(room);
}

static void put_field(struct buf *out, struct span field, struct span value)
{
	if (!span_is_set(value))
		return;
	buf_add(out, field);
	header_value_encode(value, out);
	buf_add_char(out, '\n');
}

void http_put_modern_fields(const struct http_backend *b, struct buf *out, const struct message *m, struct splice name)
{
	struct buf method = { 0 }, named_room = { 0 };

	put_field(out, SPAN("Mcp-Method: "), meaning(&method, m->method, (struct splice){ .out = SPAN_NONE }));
	struct span what = meaning(&named_room, modern_named(m), name);
	put_field(out, SPAN("Mcp-Name: "), what);
	if (m->method_id == METHOD_TOOLS_CALL && span_is_set(what))
		param_tools_put(&b->site->params, what, m->arguments, out);
	buf_free(&method);
	buf_free(&named_room);
}
