#include "mcp/bridge.h"

#include <assert.h>

#include "mcp/meta.h"
#include "mcp/structured.h"
#include "json/write.h"

#define STAMP_MAX 256 /* of what is put into a result, without our serverInfo */

static void splice(struct bridge *b, struct span out, struct span in)
{
	assert(b->n < BRIDGE_SPLICES_MAX);
	b->splices[b->n++] = (struct splice){ out, in };
}

static const char *skip_space(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static const char *back_over_space(const char *p)
{
	while (p[-1] == ' ' || p[-1] == '\t' || p[-1] == '\n' || p[-1] == '\r')
		p--;
	return p;
}

/* ---- putting members in ---- */

/* Puts "key":value,"key":value, into an object, behind its bracket. The last comma goes if nothing follows. */
static void put_in(struct bridge *b, struct span object, struct span members)
{
	bool empty = *skip_space(object.p + 1) == '}';

	if (members.n > 0)
		splice(b, (struct span){ object.p + 1, 0 }, span_cut(members, members.n - (empty ? 1 : 0)));
}

/* What was added to the room since `from`. */
static struct span added(const struct buf *room, size_t from)
{
	return span_skip(buf_span(room), from);
}

/* ---- taking members out ---- */

/* A member of an object by its value: from its key's quote to behind the comma and space that follow it. */
static struct span member_around(struct span value)
{
	const char *from = value.p, *to = skip_space(span_end(value));

	while (*--from != ':') /* only space stands between */
		;
	from = back_over_space(from) - 1; /* the quote that ends the key, in which no other one stands */
	while (*--from != '"')
		;
	return span_between(from, *to == ',' ? skip_space(to + 1) : span_end(value));
}

static void sort_by_place(struct span *spans, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k > 0 && spans[k].p < spans[k - 1].p; k--) {
			struct span other = spans[k];
			spans[k] = spans[k - 1];
			spans[k - 1] = other;
		}
}

/* A run of members at the end of their object takes the comma before it along. */
static void cut_run(struct bridge *b, struct span run)
{
	const char *before = back_over_space(run.p) - 1;

	if (*before == ',' && *skip_space(span_end(run)) == '}')
		run = span_between(before, span_end(run));
	splice(b, run, SPAN(""));
}

/* Takes members of one object out, which are given by their values; those that are not set are left out. */
static void take_out(struct bridge *b, const struct span *values, unsigned n)
{
	struct span members[BRIDGE_SPLICES_MAX];
	unsigned count = 0;

	assert(n <= BRIDGE_SPLICES_MAX);
	for (unsigned i = 0; i < n; i++)
		if (span_is_set(values[i]))
			members[count++] = member_around(values[i]);
	sort_by_place(members, count);
	for (unsigned i = 0, next; i < count; i = next) {
		struct span run = members[i];
		for (next = i + 1; next < count && members[next].p == span_end(run); next++)
			run = span_between(run.p, span_end(members[next]));
		cut_run(b, run);
	}
}

void bridge_drop(struct bridge *b, struct span value)
{
	*b = (struct bridge){ .n = 0 };
	take_out(b, &value, 1);
}

/* ---- results ---- */

static bool is_cacheable(enum method m)
{
	switch (m) {
	case METHOD_DISCOVER:
	case METHOD_TOOLS_LIST:
	case METHOD_RESOURCES_LIST:
	case METHOD_RESOURCE_TEMPLATES_LIST:
	case METHOD_PROMPTS_LIST:
	case METHOD_RESOURCES_READ:
		return true;
	default:
		return false;
	}
}

static bool is_ttl(struct span value)
{
	int64_t ms;

	return json_to_i64(value, &ms) && ms >= 0;
}

static bool is_cache_scope(struct span value)
{
	return json_string_is(value, SPAN("public")) || json_string_is(value, SPAN("private"));
}

/* A member that the revision requires: put in where it is missing, put right where it is wrong. */
static void require(struct bridge *b, struct span value, bool valid, struct span member, struct buf *room)
{
	if (!span_is_set(value))
		buf_add(room, member);
	else if (!valid)
		splice(b, value,
		        span_cut(span_skip(member, span_find(member, ':') + 1), member.n - span_find(member, ':') - 2));
}

static void put_server(struct buf *room, struct span server)
{
	buf_add(room, SPAN("\"" META_SERVER "\":"));
	buf_add(room, server);
}

/* Into a `_meta` that is there. */
static void stamp_meta(struct bridge *b, struct span meta, struct span server, struct buf *room)
{
	size_t from = buf_size(room);
	bool object = json_type_of(meta) == JSON_OBJECT;

	if (object && span_is_set(json_member(meta, META_SERVER)))
		return;
	buf_add(room, object ? SPAN("") : SPAN("{"));
	put_server(room, server);
	buf_add_char(room, object ? ',' : '}');
	if (object)
		put_in(b, meta, added(room, from));
	else
		splice(b, meta, added(room, from));
}

static void put_new_meta(struct buf *room, struct span server)
{
	buf_add(room, SPAN("\"_meta\":{"));
	put_server(room, server);
	buf_add(room, SPAN("},"));
}

static void result_to_modern(
        struct bridge *b, const struct message *m, bool from_modern, const struct bridge_asked *asked, struct buf *room)
{
	bool complete = !span_is_set(m->result_type) || json_string_is(m->result_type, SPAN("complete"));
	bool valid = complete || (from_modern && json_type_of(m->result_type) == JSON_STRING);
	size_t from = buf_size(room);

	if (json_type_of(m->result) != JSON_OBJECT)
		return;
	buf_reserve(room, STAMP_MAX + asked->server.n); /* so that the room does not move */
	require(b, m->result_type, valid, SPAN("\"resultType\":\"complete\","), room);
	if (is_cacheable(asked->method) && (complete || !valid)) {
		require(b, m->ttl_ms, is_ttl(m->ttl_ms), SPAN("\"ttlMs\":0,"), room);
		require(b, m->cache_scope, is_cache_scope(m->cache_scope), SPAN("\"cacheScope\":\"private\","), room);
	}
	if (!span_is_set(m->result_meta))
		put_new_meta(room, asked->server);
	put_in(b, m->result, added(room, from));
	if (span_is_set(m->result_meta))
		stamp_meta(b, m->result_meta, asked->server, room);
}

/* Where a result of a tool has no content at all, what it says becomes that: another key, another value. */
static void tell_alone(struct bridge *b, struct span value, struct buf *room)
{
	struct json_writer w = json_writer(room);
	size_t from = buf_size(room);

	json_open(&w, '[');
	structured_put_text(&w, value);
	json_close(&w, ']');
	splice(b, span_between(member_around(value).p, value.p), SPAN("\"content\":"));
	splice(b, value, added(room, from));
}

static void result_to_legacy(
        struct bridge *b, const struct message *m, const struct bridge_asked *asked, struct buf *room)
{
	struct span odd = asked->method == METHOD_TOOLS_CALL ? structured_odd(m) : SPAN_NONE;
	struct span members[] = { m->result_type, m->ttl_ms, m->cache_scope, odd };
	struct span server = SPAN_NONE;

	if (json_type_of(m->result) != JSON_OBJECT)
		return;
	if (span_is_set(odd) && !span_is_set(json_member(m->result, "content"))) {
		tell_alone(b, odd, room);
		members[3] = SPAN_NONE;
	}
	take_out(b, members, 4);
	if (json_type_of(m->result_meta) == JSON_OBJECT)
		server = json_member(m->result_meta, META_SERVER);
	take_out(b, &server, 1);
}

/* ---- errors ---- */

/* Another code, with the whole error as it was in its data. */
static void wrap_error(struct bridge *b, const struct message *m, struct buf *room)
{
	size_t from = buf_size(room);
	struct span data = json_member(m->error, "data");

	buf_add(room, span_is_set(data) ? SPAN("") : SPAN("\"data\":"));
	buf_add(room, SPAN("{\"original\":"));
	buf_add(room, m->error);
	buf_add(room, span_is_set(data) ? SPAN("}") : SPAN("},"));
	if (span_is_set(data))
		splice(b, data, added(room, from));
	else
		put_in(b, m->error, added(room, from));
	splice(b, json_member(m->error, "code"), SPAN("-32603"));
}

static void add_uri(struct bridge *b, const struct message *m, struct span uri, struct buf *room)
{
	struct span data = json_member(m->error, "data");
	size_t from = buf_size(room);

	if (!span_is_set(uri) || (json_type_of(data) == JSON_OBJECT && span_is_set(json_member(data, "uri"))))
		return;
	bool object = json_type_of(data) == JSON_OBJECT;
	buf_add(room, object ? SPAN("\"uri\":") : span_is_set(data) ? SPAN("{\"uri\":") : SPAN("\"data\":{\"uri\":"));
	buf_add(room, uri);
	buf_add(room, object ? SPAN(",") : span_is_set(data) ? SPAN("}") : SPAN("},"));
	if (span_is_set(data) && !object)
		splice(b, data, added(room, from));
	else
		put_in(b, object ? data : m->error, added(room, from));
}

/* A code that the modern revision keeps for itself, or that it does not allow any more. */
static bool is_reserved(int64_t code, bool from_modern)
{
	if (code == RPC_HEADER_MISMATCH || code == RPC_VERSION_UNSUPPORTED || code == RPC_URL_NEEDED)
		return true;
	return !from_modern && code >= -32099 && code <= -32000;
}

static void error_to_modern(
        struct bridge *b, const struct message *m, bool from_modern, const struct bridge_asked *asked, struct buf *room)
{
	int64_t code;

	if (!json_to_i64(json_member(m->error, "code"), &code))
		return;
	if (code == RPC_NOT_FOUND) {
		splice(b, json_member(m->error, "code"), SPAN("-32602"));
		add_uri(b, m, asked->uri, room);
	} else if (is_reserved(code, from_modern)) {
		wrap_error(b, m, room);
	}
}

static void error_to_legacy(
        struct bridge *b, const struct message *m, const struct bridge_asked *asked, struct buf *room)
{
	struct span data = json_member(m->error, "data");
	int64_t code;

	if (!json_to_i64(json_member(m->error, "code"), &code))
		return;
	bool names_uri = json_type_of(data) == JSON_OBJECT && span_is_set(json_member(data, "uri"));
	if (code == RPC_INVALID_PARAMS && asked->method == METHOD_RESOURCES_READ && names_uri)
		splice(b, json_member(m->error, "code"), SPAN("-32002"));
	else if (code == RPC_CAPABILITY_MISSING) /* its data says which */
		splice(b, json_member(m->error, "code"), SPAN("-32603"));
	else if (is_reserved(code, true))
		wrap_error(b, m, room);
}

/* ---- both ---- */

void bridge_to_modern(struct bridge *b, const struct message *answer, bool from_modern,
        const struct bridge_asked *asked, struct buf *room)
{
	*b = (struct bridge){ .n = 0 };
	if (answer->kind == MESSAGE_RESULT)
		result_to_modern(b, answer, from_modern, asked, room);
	else
		error_to_modern(b, answer, from_modern, asked, room);
}

void bridge_to_legacy(
        struct bridge *b, const struct message *answer, const struct bridge_asked *asked, struct buf *room)
{
	*b = (struct bridge){ .n = 0 };
	if (answer->kind == MESSAGE_RESULT)
		result_to_legacy(b, answer, asked, room);
	else
		error_to_legacy(b, answer, asked, room);
}

void bridge_request_to_legacy(struct bridge *b, const struct message *m)
{
	struct request_meta meta = meta_read(m->meta);
	const struct span keys[] = { meta.version, meta.capabilities, meta.info, meta.level, meta.subscription };
	const struct span params[] = { m->input_responses, m->request_state };

	*b = (struct bridge){ .n = 0 };
	take_out(b, keys, 5);
	take_out(b, params, 2);
}

void bridge_put_result(struct buf *out, const struct bridge_asked *asked, struct span result)
{
	struct message m = { .kind = MESSAGE_RESULT, .text = result, .result = result };
	struct buf room = { 0 };
	struct bridge b;

	bridge_to_modern(&b, &m, false, asked, &room);
	struct pieces whole = pieces_splice(result, b.splices, b.n);
	pieces_put(out, &whole);
	buf_free(&room);
}

void bridge_put_not_found(struct buf *out, struct span id, struct span uri, bool modern)
{
	struct buf data = { 0 };
	struct json_writer w = json_writer(&data);

	json_open(&w, '{');
	json_member_raw(&w, "uri", uri);
	json_close(&w, '}');
	rpc_put_error_data(
	        out, id, modern ? RPC_INVALID_PARAMS : RPC_NOT_FOUND, SPAN("resource not found"), buf_span(&data));
	buf_free(&data);
}
