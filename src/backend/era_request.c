#include "backend/era_request.h"

#include <assert.h>

#include "mcp/bridge.h"
#include "mcp/meta.h"
#include "mcp/task.h"
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

/* As the modern revision names them (C4); what a legacy client says beside these has no meaning there. We listen for
 * what any client wants to hear, and tasks are listened for by those who know them. */
static void put_capabilities(struct json_writer *w, const struct backend_client *client, enum method method)
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
	if (client == NULL && method == METHOD_LISTEN)
		json_member_raw(w, "extensions", SPAN("{\"" EXTENSION_TASKS "\":{}}"));
	json_close(w, '}');
}

/* The members without the brackets around them. */
static void put_members(struct buf *out, const struct backend_client *client, enum method method)
{
	struct json_writer w = json_writer(out);

	json_member_text(&w, META_VERSION, revision_name(REVISION_MODERN));
	put_info(&w, client);
	put_capabilities(&w, client, method);
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
		put_members(members, client, m->method_id);
		return into(m->meta, members);
	}
	buf_add(members, span_is_set(m->params) ? SPAN("\"_meta\":{") : SPAN(",\"params\":{\"_meta\":{"));
	put_members(members, client, m->method_id);
	buf_add_char(members, '}');
	if (span_is_set(m->params))
		return into(m->params, members);
	buf_add_char(members, '}');
	return (struct splice){ .out = before_end(m->text), .in = buf_span(members) };
}

struct pieces request_to_modern(struct buf *room, const struct message *m, const struct backend_client *client,
        const struct splice *splices, unsigned n)
{
	struct splice all[SPLICES_MAX];

	assert(n < SPLICES_MAX);
	for (unsigned i = 0; i < n; i++)
		all[i] = splices[i];
	buf_reset(room);
	all[n] = make_insertion(room, m, client);
	return pieces_splice(m->text, all, n + 1);
}

struct pieces request_to_legacy(const struct message *m, const struct splice *splices, unsigned n)
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
