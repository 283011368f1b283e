#include "backend/handshake.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mcp/meta.h"
#include "mcp/task.h"
#include "json/write.h"

#define SHOWN_MAX 200 /* of what a server wrote, in a sentence of ours */

void handshake_init(
        struct handshake *h, size_t max_bytes, msec_t page_limit_ms, const struct handshake_port *port, void *arg)
{
	*h = (struct handshake){ .port = port, .arg = arg, .max_bytes = max_bytes, .page_limit_ms = page_limit_ms };
}

static void fetch_clear(struct fetch *f)
{
	buf_free(&f->text);
	map_free(&f->seen);
	arena_free(&f->cursors);
	*f = (struct fetch){ .offered = f->offered };
}

void handshake_reset(struct handshake *h)
{
	h->state = HANDSHAKE_OFF;
	h->initialize_id = 0;
	for (int kind = 0; kind < LIST_KINDS; kind++)
		fetch_clear(&h->fetches[kind]);
}

void handshake_clear(struct handshake *h)
{
	handshake_reset(h);
	free(h->hello_text);
	h->hello_text = NULL;
}

void handshake_start(struct handshake *h)
{
	struct buf params = { 0 };
	struct json_writer w = json_writer(&params);

	assert(h->state == HANDSHAKE_OFF);
	h->modern = false;
	json_open(&w, '{');
	json_member_text(&w, "protocolVersion", revision_name(REVISION_NEWEST_LEGACY));
	json_key(&w, "capabilities");
	client_capabilities_put(&w, h->declares);
	json_key(&w, "clientInfo");
	json_open(&w, '{');
	json_member_text(&w, "name", SPAN("sluice"));
	json_member_text(&w, "version", SPAN(SLUICE_VERSION));
	json_close(&w, '}');
	json_close(&w, '}');
	h->state = HANDSHAKE_INITIALIZE;
	h->initialize_id = h->port->request(h->arg, METHOD_INITIALIZE, buf_span(&params));
	buf_free(&params);
}

void handshake_discover(struct handshake *h)
{
	assert(h->state == HANDSHAKE_OFF);
	h->modern = true;
	h->state = HANDSHAKE_INITIALIZE;
	h->initialize_id = h->port->request(h->arg, METHOD_DISCOVER, SPAN_NONE);
}

static void fail(struct handshake *h, const struct err *e)
{
	handshake_reset(h);
	h->port->done(h->arg, e->text);
}

/* "tools/list: error -32603: \"out of memory\"" */
static void explain_error(struct err *e, enum method method, struct span error)
{
	struct span code = json_member(error, "code"); /* there, or it would be no message */
	struct span text = json_member(error, "message");

	text = span_is_set(text) ? span_cut(text, SHOWN_MAX) : SPAN("\"\"");
	err_set(e, "%.*s: error %.*s: %.*s", SPAN_ARG(method_name(method)), SPAN_ARG(code), SPAN_ARG(text));
}

/* --- lists --- */

static void fetch_page(struct handshake *h, enum list_kind kind, struct span cursor, mono_t now)
{
	struct fetch *f = &h->fetches[kind];
	struct buf params = { 0 };

	f->since = now;
	if (span_is_set(cursor)) {
		struct json_writer w = json_writer(&params);
		json_open(&w, '{');
		json_member_raw(&w, "cursor", cursor);
		json_close(&w, '}');
	}
	f->id = h->port->request(h->arg, list_method(kind), span_is_set(cursor) ? buf_span(&params) : SPAN_NONE);
	buf_free(&params);
}

static void fetch_start(struct handshake *h, enum list_kind kind, mono_t now)
{
	struct fetch *f = &h->fetches[kind];
	bool first = f->first;

	fetch_clear(f);
	f->first = first;
	fetch_page(h, kind, SPAN_NONE, now);
}

static bool all_first_are_there(const struct handshake *h)
{
	for (int kind = 0; kind < LIST_KINDS; kind++)
		if (h->fetches[kind].first)
			return false;
	return true;
}

static void finish_if_complete(struct handshake *h)
{
	if (h->state != HANDSHAKE_LISTS || !all_first_are_there(h))
		return;
	h->state = HANDSHAKE_DONE;
	h->port->done(h->arg, NULL);
}

/* Makes a list of the text; the walk finds again what was put there. */
static void to_item_list(struct fetch *f, struct item_list *list)
{
	struct json_walk w;

	buf_add(&f->text, f->count > 0 ? SPAN("]") : SPAN("[]"));
	*list = (struct item_list){
		.text = mem_realloc(f->text.mem, buf_size(&f->text)),
		.items = mem_alloc((f->count + 1) * sizeof(struct span)),
	};
	w = json_walk((struct span){ list->text, buf_size(&f->text) });
	while (json_next(&w, NULL, &list->items[list->count]))
		list->count++;
	assert(list->count == f->count);
	f->text = (struct buf){ 0 };
}

/* The fetch is over, well or not: the next one begins if the list changed meanwhile. */
static void fetch_over(struct handshake *h, enum list_kind kind, mono_t now)
{
	struct fetch *f = &h->fetches[kind];
	bool again = f->again;

	fetch_clear(f);
	if (again)
		fetch_start(h, kind, now);
}

static void deliver(struct handshake *h, enum list_kind kind, mono_t now)
{
	struct item_list list;

	to_item_list(&h->fetches[kind], &list);
	fetch_over(h, kind, now);
	h->port->list(h->arg, kind, &list);
	item_list_free(&list);
	finish_if_complete(h);
}

/*
 * A list could not be had. At start a server without its tools is of no use, while the other kinds count as empty;
 * later on the last list that we know stays.
 */
static void list_failed(struct handshake *h, enum list_kind kind, mono_t now, const struct err *e)
{
	struct fetch *f = &h->fetches[kind];

	if (f->first && kind == LIST_TOOLS) {
		fail(h, e);
		return;
	}
	h->port->warn(h->arg, kind, e->text);
	if (!f->first) {
		fetch_over(h, kind, now);
		return;
	}
	buf_reset(&f->text);
	f->count = 0;
	deliver(h, kind, now);
}

/* Line feeds can stand between tokens only; without them a value can go out on any transport. */
static void copy_as_line(char *to, struct span json)
{
	for (size_t i = 0; i < json.n; i++) {
		to[i] = json.p[i];
		if (to[i] == '\n' || to[i] == '\r')
			to[i] = ' ';
	}
}

static void add_item(struct fetch *f, struct span item)
{
	buf_add_char(&f->text, f->count++ > 0 ? ',' : '[');
	copy_as_line(buf_reserve(&f->text, item.n), item);
	buf_added(&f->text, item.n);
}

static bool has_key(struct span item, enum list_kind kind)
{
	return json_type_of(item) == JSON_OBJECT && json_type_of(json_member(item, list_key(kind))) == JSON_STRING;
}

/* NULL, or why the rest of the list is left away. */
static const char *add_items(struct handshake *h, enum list_kind kind, struct span array)
{
	struct fetch *f = &h->fetches[kind];
	struct json_walk w = json_walk(array);
	const char *complaint = NULL;
	struct span item;

	while (json_next(&w, NULL, &item)) {
		if (f->count == HANDSHAKE_ITEMS_MAX)
			return "the list has more than 100000 items: the rest is left away";
		if (buf_size(&f->text) + item.n + 2 > h->max_bytes)
			return "the list is larger than the limit of a message: the rest is left away";
		if (has_key(item, kind))
			add_item(f, item);
		else
			complaint = "items without a name are left away";
	}
	if (complaint != NULL)
		h->port->warn(h->arg, kind, complaint);
	return NULL;
}

/* NULL, or why the next page is not asked for. */
static const char *refuse_cursor(struct handshake *h, struct fetch *f, struct span cursor)
{
	if (++f->pages == HANDSHAKE_PAGES_MAX)
		return "the list has more than 1000 pages: the rest is left away";
	if (map_get(&f->seen, cursor) != NULL)
		return "the list repeats a cursor: it ends here";
	if (f->cursors.used + cursor.n > h->max_bytes)
		return "the cursors of the list are larger than the limit of a message: the rest is left away";
	map_put(&f->seen, arena_copy(&f->cursors, cursor), f);
	return NULL;
}

static void list_page(struct handshake *h, enum list_kind kind, const struct message *m, mono_t now)
{
	struct fetch *f = &h->fetches[kind];
	struct span cursor = json_type_of(m->next_cursor) == JSON_STRING ? m->next_cursor : SPAN_NONE;
	struct span array = json_member(m->result, list_member(kind));
	const char *stop = add_items(h, kind, array);

	if (stop == NULL && span_is_set(cursor))
		stop = refuse_cursor(h, f, cursor);
	if (stop == NULL && span_is_set(cursor)) {
		fetch_page(h, kind, cursor, now);
		return;
	}
	if (stop != NULL)
		h->port->warn(h->arg, kind, stop);
	deliver(h, kind, now);
}

static void list_answer(struct handshake *h, enum list_kind kind, const struct message *m, mono_t now)
{
	struct span result = m->result;
	int64_t code = 0;
	struct err e;

	if (m->kind == MESSAGE_ERROR && json_to_i64(json_member(m->error, "code"), &code) &&
	        code == RPC_METHOD_NOT_FOUND) {
		deliver(h, kind, now); /* with the pages so far, in practice none */
		return;
	}
	if (m->kind == MESSAGE_ERROR) {
		explain_error(&e, list_method(kind), m->error);
		list_failed(h, kind, now, &e);
		return;
	}
	if (json_type_of(result) != JSON_OBJECT || json_type_of(json_member(result, list_member(kind))) != JSON_ARRAY) {
		err_set(&e, "%.*s: the answer has no array \"%s\"", SPAN_ARG(method_name(list_method(kind))),
		        list_member(kind));
		list_failed(h, kind, now, &e);
		return;
	}
	list_page(h, kind, m, now);
}

void handshake_changed(struct handshake *h, enum list_kind kind, mono_t now)
{
	struct fetch *f = &h->fetches[kind];

	if ((h->state != HANDSHAKE_LISTS && h->state != HANDSHAKE_DONE) || !f->offered)
		return;
	if (f->id != 0 && mono_diff(now, f->since) <= h->page_limit_ms) {
		f->again = true;
		return;
	}
	fetch_start(h, kind, now);
}

/* --- initialize --- */

static bool offers(struct span capabilities, const char *what)
{
	return json_type_of(json_member(capabilities, what)) == JSON_OBJECT;
}

static bool says_true(struct span capabilities, const char *what, const char *detail)
{
	return offers(capabilities, what) &&
	       json_type_of(json_member(json_member(capabilities, what), detail)) == JSON_TRUE;
}

/* A value of the result, to be kept behind what is kept already. */
static struct span keep(char **to, struct span value, enum json_type type)
{
	struct span kept = { *to, value.n };

	if (json_type_of(value) != type)
		return SPAN_NONE;
	copy_as_line(*to, value);
	*to += value.n;
	return kept;
}

/* A modern server says it in `_meta`, if at all. */
static struct span server_info(const struct handshake *h, struct span result)
{
	struct span meta = json_member(result, "_meta");

	if (!h->modern)
		return json_member(result, "serverInfo");
	return json_type_of(meta) == JSON_OBJECT ? json_member(meta, META_SERVER) : SPAN_NONE;
}

/* Tasks are not the same in the two revisions that have them. */
static void read_tasks(struct backend_hello *hello, struct span capabilities)
{
	struct span tasks = offers(capabilities, "tasks") ? json_member(capabilities, "tasks") : SPAN("{}");
	struct span requests = offers(tasks, "requests") ? json_member(tasks, "requests") : SPAN("{}");
	bool core = hello->revision == REVISION_2025_11_25;

	hello->tasks_list = core && offers(tasks, "list");
	hello->tasks_cancel = core && offers(tasks, "cancel");
	hello->tasks_call = core && offers(requests, "tools") && offers(json_member(requests, "tools"), "call");
	hello->tasks_extension = revision_is_modern(hello->revision) && task_extension_in(capabilities);
}

/* The new hello replaces the old one only after its listener has heard of it. */
static void say_hello(struct handshake *h, enum revision revision, struct span result)
{
	struct span capabilities = json_member(result, "capabilities");
	char *old = h->hello_text, *at = mem_alloc(result.n);

	if (json_type_of(capabilities) != JSON_OBJECT)
		capabilities = SPAN("{}");
	h->hello_text = at;
	h->hello = (struct backend_hello){
		.revision = revision,
		.modern_only = revision_is_modern(revision),
		.tools = offers(capabilities, "tools"),
		.resources = offers(capabilities, "resources"),
		.subscribe = says_true(capabilities, "resources", "subscribe"),
		.prompts = offers(capabilities, "prompts"),
		.completions = offers(capabilities, "completions"),
		.logging = offers(capabilities, "logging"),
		.server_info = keep(&at, server_info(h, result), JSON_OBJECT),
		.instructions = keep(&at, json_member(result, "instructions"), JSON_STRING),
	};
	read_tasks(&h->hello, capabilities);
	h->port->hello(h->arg, &h->hello);
	free(old);
}

static void ask_for_lists(struct handshake *h, mono_t now)
{
	const bool offered[LIST_KINDS] = {
		[LIST_TOOLS] = h->hello.tools,
		[LIST_RESOURCES] = h->hello.resources,
		[LIST_TEMPLATES] = h->hello.resources,
		[LIST_PROMPTS] = h->hello.prompts,
	};

	h->state = HANDSHAKE_LISTS;
	if (h->without_lists) {
		finish_if_complete(h);
		return;
	}
	for (int kind = 0; kind < LIST_KINDS; kind++) {
		h->fetches[kind].offered = h->fetches[kind].first = offered[kind];
		if (offered[kind])
			fetch_start(h, (enum list_kind)kind, now);
	}
	for (int kind = 0; kind < LIST_KINDS && h->state == HANDSHAKE_LISTS; kind++)
		if (!offered[kind])
			h->port->list(h->arg, (enum list_kind)kind, &(struct item_list){ 0 });
	finish_if_complete(h);
}

static bool check_hello(const struct message *m, enum revision *revision, struct err *e)
{
	char name[64];
	struct span version = m->kind == MESSAGE_RESULT && json_type_of(m->result) == JSON_OBJECT
	                              ? json_member(m->result, "protocolVersion")
	                              : SPAN_NONE;

	if (m->kind == MESSAGE_ERROR) {
		explain_error(e, METHOD_INITIALIZE, m->error);
		return false;
	}
	if (json_type_of(version) != JSON_STRING)
		return err_set(e, "initialize: the answer names no protocolVersion");
	*revision = version.n <= sizeof(name) ? revision_parse(json_decode(version, name)) : REVISION_NONE;
	if (!revision_is_legacy(*revision))
		return err_set(e, "initialize: the server speaks protocol version %.*s, which we do not",
		        SPAN_ARG(span_cut(version, SHOWN_MAX)));
	return true;
}

/* `in` may be anything; so may what it holds by that key. */
static bool lists_modern(struct span in, const char *key)
{
	struct span versions = json_type_of(in) == JSON_OBJECT ? json_member(in, key) : SPAN_NONE;
	struct json_walk w = json_walk(versions);
	struct span version;

	while (json_next(&w, NULL, &version))
		if (json_string_is(version, revision_name(REVISION_MODERN)))
			return true;
	return false;
}

bool handshake_names_modern(const struct message *m)
{
	return m->kind == MESSAGE_RESULT && lists_modern(m->result, "supportedVersions");
}

bool handshake_invites_modern(const struct message *m)
{
	return m->kind == MESSAGE_ERROR && lists_modern(json_member(m->error, "data"), "supported");
}

static bool check_discovered(const struct message *m, enum revision *revision, struct err *e)
{
	*revision = REVISION_MODERN;
	if (m->kind == MESSAGE_ERROR) {
		explain_error(e, METHOD_DISCOVER, m->error);
		return false;
	}
	return handshake_names_modern(m) ||
	       err_set(e, "server/discover: the server does not name a version that we speak");
}

static void initialize_answer(struct handshake *h, const struct message *m, mono_t now)
{
	enum revision revision = REVISION_NONE;
	struct err e;

	h->initialize_id = 0;
	if (h->modern ? !check_discovered(m, &revision, &e) : !check_hello(m, &revision, &e)) {
		fail(h, &e);
		return;
	}
	h->hello.revision = revision;
	if (!h->modern)
		h->port->notify(h->arg, METHOD_INITIALIZED);
	say_hello(h, revision, m->result);
	if (h->state == HANDSHAKE_INITIALIZE)
		ask_for_lists(h, now);
}

bool handshake_answer(struct handshake *h, uint64_t id, const struct message *m, mono_t now)
{
	if (id == 0)
		return false;
	if (id == h->initialize_id) {
		initialize_answer(h, m, now);
		return true;
	}
	for (int kind = 0; kind < LIST_KINDS; kind++)
		if (id == h->fetches[kind].id) {
			h->fetches[kind].id = 0;
			list_answer(h, (enum list_kind)kind, m, now);
			return true;
		}
	return false;
}
