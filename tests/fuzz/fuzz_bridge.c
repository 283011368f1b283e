/*
 * Bridging: whatever a message holds, it is a message after it too, with what the other revision wants, and bridging it
 * once more changes nothing.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "mcp/bridge.h"
#include "mcp/form.h"
#include "mcp/meta.h"

#define DEPTH 32

static const struct bridge_asked asked = {
	METHOD_RESOURCES_READ,
	{ "\"a:\"", 4 },
	{ "{\"name\":\"us\"}", 13 },
};

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static struct message parse(struct span text)
{
	struct message m;
	struct message_fault fault;

	demand(message_parse(text, DEPTH + 2, &m, &fault)); /* an error goes into the data of another */
	return m;
}

static void apply(const struct bridge *b, struct span text, struct buf *out)
{
	struct pieces p = pieces_splice(text, b->splices, b->n);

	demand(b->n <= BRIDGE_SPLICES_MAX);
	pieces_put(out, &p);
}

static void bridge(bool to_modern, bool from_modern, const struct message *m, struct buf *out)
{
	struct buf room = { 0 };
	struct bridge b;

	if (to_modern)
		bridge_to_modern(&b, m, from_modern, &asked, &room);
	else
		bridge_to_legacy(&b, m, &asked, &room);
	apply(&b, m->text, out);
	buf_free(&room);
}

/* ... of a tool, for a legacy client */
static void check_structured(const struct message *m)
{
	static const struct bridge_asked call = { METHOD_TOOLS_CALL, { NULL, 0 }, { "{}", 2 } };
	struct buf room = { 0 }, out = { 0 };
	struct bridge b;

	bridge_to_legacy(&b, m, &call, &room);
	apply(&b, m->text, &out);
	struct message l = parse(buf_span(&out));
	demand(span_eq(l.id, m->id));
	buf_free(&room);
	buf_free(&out);
}

static void check_modern_result(const struct message *m)
{
	int64_t ttl;

	demand(json_type_of(m->result_type) == JSON_STRING);
	demand(span_is_set(json_member(m->result_meta, META_SERVER)));
	if (json_string_is(m->result_type, SPAN("complete")))
		demand(json_to_i64(m->ttl_ms, &ttl) && ttl >= 0 && json_type_of(m->cache_scope) == JSON_STRING);
}

static void check_answer(const struct message *m, bool from_modern)
{
	struct buf modern = { 0 }, again = { 0 }, legacy = { 0 };

	bridge(true, from_modern, m, &modern);
	struct message n = parse(buf_span(&modern));
	demand(n.kind == m->kind && span_eq(n.id, m->id));
	if (n.kind == MESSAGE_RESULT && json_type_of(n.result) == JSON_OBJECT)
		check_modern_result(&n);
	bridge(true, true, &n, &again);
	demand(n.kind == MESSAGE_ERROR || span_eq(buf_span(&again), buf_span(&modern)));
	bridge(false, true, &n, &legacy);
	struct message l = parse(buf_span(&legacy));
	demand(l.kind == m->kind && span_eq(l.id, m->id));
	demand(!span_is_set(l.result_type) || json_type_of(l.result) != JSON_OBJECT);
	buf_free(&modern);
	buf_free(&again);
	buf_free(&legacy);
}

static void check_request(const struct message *m)
{
	struct request_meta meta = meta_read(m->meta);
	struct buf out = { 0 };
	struct bridge b;

	if (meta.twice) /* refused before */
		return;
	bridge_request_to_legacy(&b, m);
	apply(&b, m->text, &out);
	struct message l = parse(buf_span(&out));
	meta = meta_read(l.meta);
	demand(!span_is_set(meta.version) && !span_is_set(meta.capabilities) && !span_is_set(meta.info));
	demand(!span_is_set(l.input_responses) && !span_is_set(l.request_state));
	demand(span_eq(l.id, m->id) && span_eq(l.name, m->name) && span_eq(l.progress_token, m->progress_token));
	buf_free(&out);
}

static void check_task(const struct message *m)
{
	struct buf out = { 0 };
	struct bridge b;

	bridge_drop(&b, m->task);
	apply(&b, m->text, &out);
	struct message l = parse(buf_span(&out));
	demand(!span_is_set(l.task) && span_eq(l.id, m->id) && span_eq(l.name, m->name) && span_eq(l.meta, m->meta));
	buf_free(&out);
}

/* A form in older words is one that needs no others. */
static void check_form(const struct message *m)
{
	struct buf older = { 0 }, out = { 0 }, none = { 0 };

	if (form_for(m->params, REVISION_2025_06_18, &older) == FORM_CHANGES) {
		const struct bridge b = { .splices = { { m->params, buf_span(&older) } }, .n = 1 };
		apply(&b, m->text, &out);
		struct message l = parse(buf_span(&out));
		demand(span_eq(l.id, m->id) && span_eq(l.method, m->method));
		demand(form_for(l.params, REVISION_2025_06_18, &none) != FORM_IMPOSSIBLE);
	}
	buf_free(&older);
	buf_free(&out);
	buf_free(&none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct message m;
	struct message_fault fault;

	if (!message_parse(text, DEPTH, &m, &fault))
		return 0;
	if (m.kind == MESSAGE_REQUEST) {
		check_request(&m);
		check_task(&m);
		check_form(&m);
	} else if (m.kind != MESSAGE_NOTIFICATION) {
		check_answer(&m, false);
		check_answer(&m, true);
		check_structured(&m);
	}
	return 0;
}
