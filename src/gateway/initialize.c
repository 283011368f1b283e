/*
 * initialize: what the client says of itself becomes a session, and what the servers offer becomes the answer. It is
 * answered at once, whatever the servers are doing.
 */
#include "gateway/gateway_private.h"
#include "mcp/task.h"
#include "json/write.h"

#define INSTRUCTIONS_MAX 65536

/* What a server offers; one that has not said so yet may offer everything, but for tasks. */
static void merge_hello(struct backend_hello *all, const struct slot *slot)
{
	all->tools |= !slot->greeted || slot->hello.tools;
	all->resources |= !slot->greeted || slot->hello.resources;
	all->subscribe |= !slot->greeted || slot->hello.subscribe;
	all->prompts |= !slot->greeted || slot->hello.prompts;
	all->completions |= !slot->greeted || slot->hello.completions;
	all->logging |= !slot->greeted || slot->hello.logging;
	all->tasks_list |= slot->hello.tasks_list;
	all->tasks_cancel |= slot->hello.tasks_cancel;
	all->tasks_call |= slot->hello.tasks_call;
	all->tasks_extension |= slot->hello.tasks_extension;
}

static void put_capability(struct json_writer *w, const char *name, bool offered, bool has_list, bool subscribe)
{
	if (!offered)
		return;
	json_key(w, name);
	json_open(w, '{');
	if (subscribe)
		json_member_bool(w, "subscribe", true);
	if (has_list)
		json_member_bool(w, "listChanged", true);
	json_close(w, '}');
}

struct backend_hello offered(const struct gateway *gw, int scope)
{
	struct backend_hello all = { 0 };

	for (size_t i = 0; i < gw->slot_count; i++)
		if (scope == SCOPE_ALL || (size_t)scope == i)
			merge_hello(&all, gw->slots[i]);
	return all;
}

/* Those of 2025-11-25. Lists of several servers are not merged: who asks is not known well enough for that. */
static void put_tasks(struct json_writer *w, const struct backend_hello *all, bool one_server)
{
	if (!all->tasks_call)
		return;
	json_key(w, "tasks");
	json_open(w, '{');
	if (all->tasks_list && one_server)
		json_member_raw(w, "list", SPAN("{}"));
	if (all->tasks_cancel)
		json_member_raw(w, "cancel", SPAN("{}"));
	json_member_raw(w, "requests", SPAN("{\"tools\":{\"call\":{}}}"));
	json_close(w, '}');
}

void put_capabilities(const struct gateway *gw, int scope, enum revision revision, struct json_writer *w)
{
	struct backend_hello all = offered(gw, scope);

	json_key(w, "capabilities");
	json_open(w, '{');
	put_capability(w, "tools", all.tools, true, false);
	put_capability(w, "resources", all.resources, true, all.subscribe);
	put_capability(w, "prompts", all.prompts, true, false);
	put_capability(w, "completions", all.completions, false, false);
	put_capability(w, "logging", all.logging, false, false);
	if (revision == REVISION_2025_11_25)
		put_tasks(w, &all, !tasks_have_prefix(gw, scope));
	if (revision_is_modern(revision) && all.tasks_extension)
		json_member_raw(w, "extensions", SPAN("{\"" EXTENSION_TASKS "\":{}}"));
	json_close(w, '}');
}

/* Each server's own instructions under its name, or the one server's as they are. */
void put_instructions(const struct gateway *gw, int scope, struct json_writer *w)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < gw->slot_count; i++) {
		const struct slot *slot = gw->slots[i];
		bool shown = scope == SCOPE_ALL || (size_t)scope == i;
		if (!shown || !slot->greeted || json_type_of(slot->hello.instructions) != JSON_STRING)
			continue;
		if (buf_size(&text) + slot->hello.instructions.n > INSTRUCTIONS_MAX)
			break;
		if (scope == SCOPE_ALL && gw->conf.prefixed)
			buf_printf(&text, "%s# %s\n\n", buf_size(&text) > 0 ? "\n\n" : "", slot->conf->name);
		char *room = buf_reserve(&text, slot->hello.instructions.n);
		struct span decoded = json_decode(slot->hello.instructions, room);
		memmove(room, decoded.p, decoded.n);
		buf_added(&text, decoded.n);
	}
	if (buf_size(&text) > 0)
		json_member_text(w, "instructions", buf_span(&text));
	buf_free(&text);
}

/* What the client said of itself, as far as we use it. False: the message is not a valid initialize. */
static bool read_client(const struct message *m, struct session_info *info)
{
	char date[32];

	if (json_type_of(m->protocol_version) != JSON_STRING)
		return false;
	struct span wanted = m->protocol_version.n <= sizeof(date) ? json_decode(m->protocol_version, date) : SPAN("");
	*info = (struct session_info){ .revision = revision_negotiate(wanted) };
	info->capabilities = client_capabilities_read(m->capabilities);
	if (json_type_of(m->client_info) == JSON_OBJECT) {
		session_set_text(info->client_name, json_member(m->client_info, "name"));
		session_set_text(info->client_version, json_member(m->client_info, "version"));
	}
	return true;
}

static void put_initialize_result(
        struct gateway *gw, int scope, enum revision revision, struct span id, struct buf *out)
{
	struct json_writer w = json_writer(out);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_raw(&w, "id", id);
	json_key(&w, "result");
	json_open(&w, '{');
	json_member_text(&w, "protocolVersion", revision_name(revision));
	put_capabilities(gw, scope, revision, &w);
	json_member_raw(&w, "serverInfo", buf_span(&gw->server_info));
	put_instructions(gw, scope, &w);
	json_close(&w, '}');
	json_close(&w, '}');
}

struct session *gateway_initialize(
        struct gateway *gw, int scope, const struct message *m, bool local, struct buf *out, enum end_reason *why)
{
	struct session_info info;
	struct session *s = NULL;

	*why = gw->refusing ? END_DRAINING : read_client(m, &info) ? END_RESULT : END_REFUSED;
	if (*why == END_RESULT)
		s = local ? session_create_local(gw->sessions, &info)
		          : session_create(gw->sessions, &info, clock_wall_ms());
	if (*why == END_RESULT && s == NULL)
		*why = END_OVERLOADED;
	if (*why == END_DRAINING || *why == END_OVERLOADED) {
		gateway_refuse(gw, m->id, *why, out);
		return NULL;
	}
	gw->counts.accepted++;
	gw->counts.ended[*why]++;
	if (s == NULL) {
		rpc_put_error(out, m->id, RPC_INVALID_PARAMS, SPAN("params.protocolVersion must be a string"));
		return NULL;
	}
	put_initialize_result(gw, scope, info.revision, m->id, out);
	log_debug(&gw->log, "session_opened", "a client opened a session", F_STR("client", info.client_name),
	        F_STR("client_version", info.client_version), F_SPAN("revision", revision_name(info.revision)));
	return s;
}
