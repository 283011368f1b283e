#include <assert.h>

#include "backend/http_private.h"
#include "mcp/bridge.h"
#include "mcp/header_value.h"
#include "mcp/meta.h"
#include "json/write.h"

static void put_info(struct json_writer *w, const struct backend_client *client)
{
	if (client != NULL && span_is_set(client->info)) {
		json_member_raw(w, META_CLIENT, client->info);
		return;
	}
	json_key(w, META_CLIENT);
	json_open(w, '{');
	json_member_text(w, "name", SPAN("sluice"));
	json_member_text(w, "version", SPAN(SLUICE_VERSION));
	json_close(w, '}');
}

static void put_elicitation(struct json_writer *w, unsigned bits)
{
	json_key(w, "elicitation");
	json_open(w, '{');
	json_member_raw(w, "form", SPAN("{}"));
	if (bits & CLIENT_ELICITATION_URL)
		json_member_raw(w, "url", SPAN("{}"));
	json_close(w, '}');
}

/* As the modern revision names them (C4); what a legacy client says beside these has no meaning there. */
static void put_capabilities(struct json_writer *w, const struct backend_client *client)
{
	unsigned bits = client != NULL ? client->capabilities : 0;

	if (client != NULL && span_is_set(client->declared)) {
		json_member_raw(w, META_CAPABILITIES, client->declared);
		return;
	}
	json_key(w, META_CAPABILITIES);
	json_open(w, '{');
	if (bits & CLIENT_SAMPLING)
		json_member_raw(w, "sampling", SPAN("{}"));
	if (bits & CLIENT_ELICITATION)
		put_elicitation(w, bits);
	if (bits & CLIENT_ROOTS)
		json_member_raw(w, "roots", SPAN("{}"));
	json_close(w, '}');
}

/* The members without the brackets around them. */
static void put_members(struct buf *out, const struct backend_client *client)
{
	struct json_writer w = json_writer(out);

	json_member_text(&w, META_VERSION, revision_name(REVISION_MODERN));
	put_info(&w, client);
	put_capabilities(&w, client);
	if (client != NULL && client->level < LEVEL_COUNT)
		json_member_text(&w, META_LEVEL, message_level_name(client->level));
}

static bool is_empty(struct span object)
{
	struct json_walk w = json_walk(object);
	struct span value;

	return !json_next(&w, NULL, &value);
}

/* Right behind the opening bracket of an object; a comma follows when there is something. */
static struct splice into(struct span object, struct buf *members)
{
	if (!is_empty(object))
		buf_add_char(members, ',');
	return (struct splice){ .out = { object.p + 1, 0 }, .in = buf_span(members) };
}

/* Where the message's own closing bracket stands. */
static struct span before_end(struct span text)
{
	size_t n = text.n;

	while (text.p[n - 1] != '}')
		n--;
	return (struct span){ text.p + n - 1, 0 };
}

/* Puts into `members` what the message lacks, and tells where it goes. */
static struct splice make_insertion(struct buf *members, const struct message *m, const struct backend_client *client)
{
	if (json_type_of(m->meta) == JSON_OBJECT) {
		if (span_is_set(meta_read(m->meta).version))
			return (struct splice){ .out = SPAN_NONE };
		put_members(members, client);
		return into(m->meta, members);
	}
	buf_add(members, span_is_set(m->params) ? SPAN("\"_meta\":{") : SPAN(",\"params\":{\"_meta\":{"));
	put_members(members, client);
	buf_add_char(members, '}');
	if (span_is_set(m->params))
		return into(m->params, members);
	buf_add_char(members, '}');
	return (struct splice){ .out = before_end(m->text), .in = buf_span(members) };
}

struct pieces http_modern_pieces(struct http_backend *b, const struct message *m, const struct backend_client *client,
        const struct splice *splices, unsigned n)
{
	struct splice all[SPLICES_MAX];

	assert(n < SPLICES_MAX);
	for (unsigned i = 0; i < n; i++)
		all[i] = splices[i];
	buf_reset(&b->scratch);
	all[n] = make_insertion(&b->scratch, m, client);
	return pieces_splice(m->text, all, n + 1);
}

/* --- the other way --- */

struct pieces http_legacy_pieces(const struct message *m, const struct splice *splices, unsigned n)
{
	struct bridge bridge;

	if (!span_is_set(m->meta) || !span_is_set(meta_read(m->meta).version))
		return pieces_splice(m->text, splices, n);
	bridge_request_to_legacy(&bridge, m);
	struct splice all[SPLICES_MAX];
	assert(bridge.n + n <= SPLICES_MAX);
	for (unsigned i = 0; i < bridge.n; i++)
		all[i] = bridge.splices[i];
	for (unsigned i = 0; i < n; i++)
		all[bridge.n + i] = splices[i];
	return pieces_splice(m->text, all, bridge.n + n);
}

/* --- headers --- */

/* The part of the message that Mcp-Name repeats (A6). */
static struct span named(const struct message *m)
{
	switch (m->method_id) {
	case METHOD_TOOLS_CALL:
	case METHOD_PROMPTS_GET:
		return m->name;
	case METHOD_RESOURCES_READ:
		return m->uri;
	default:
		return SPAN_NONE;
	}
}

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
	struct span what = meaning(&named_room, named(m), name);
	put_field(out, SPAN("Mcp-Name: "), what);
	if (m->method_id == METHOD_TOOLS_CALL && span_is_set(what))
		param_tools_put(&b->site->params, what, m->arguments, out);
	buf_free(&method);
	buf_free(&named_room);
}
