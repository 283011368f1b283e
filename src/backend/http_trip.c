#include <assert.h>
#include <stdlib.h>

#include "backend/era_request.h"
#include "backend/http_private.h"
#include "base/mem.h"
#include "json/write.h"

#define FIELDS_MAX 100
#define ACCEPT_BOTH SPAN("application/json, text/event-stream")
#define ACCEPT_EVENTS SPAN("text/event-stream")

struct http_trip *http_trip_new(struct http_backend *b, enum trip_role role, const struct pieces *text)
{
	struct http_trip *t = mem_alloc(sizeof(*t) + text->size);
	char *to = t->text;

	*t = (struct http_trip){ .b = b, .role = role, .method = METHOD_UNKNOWN, .n = text->size };
	for (unsigned i = 0; i < text->n; i++) {
		memcpy(to, text->at[i].p, text->at[i].n);
		to += text->at[i].n;
	}
	return t;
}

/* --- calls --- */

/* The message as a server of the era wants it. `name` replaces a part of it; not set: none. */
static struct http_trip *make_call_trip(
        struct http_backend *b, struct backend_call *call, const struct message *m, struct splice name, bool modern)
{
	char digits[24];
	struct buf number = { .mem = digits, .cap = sizeof(digits) };

	buf_add_u64(&number, call->id);
	const struct splice splices[] = { { m->id, buf_span(&number) }, { m->progress_token, buf_span(&number) },
		name };
	const unsigned n = sizeof(splices) / sizeof(splices[0]);
	struct pieces pieces =
	        modern ? request_to_modern(&b->scratch, m, call->client, splices, n) : request_to_legacy(m, splices, n);
	struct http_trip *t = http_trip_new(b, TRIP_CALL, &pieces);
	t->call = call;
	t->id = call->id;
	t->method = m->method_id;
	t->modern = modern;
	if (modern)
		http_put_modern_fields(b, &t->fields, m, name);
	call->trip = t;
	return t;
}

struct http_trip *http_trip_of_call(
        struct http_backend *b, struct backend_call *call, const struct message *m, struct splice name)
{
	return make_call_trip(b, call, m, name, http_goes_modern(b, call));
}

/* The same call anew: its server has turned out to be of the other era, or to want other headers. */
static struct http_trip *remake(struct http_trip *t)
{
	struct http_backend *b = t->b;
	struct backend_call *call = t->call;
	struct message_fault fault;
	struct message m;
	bool is_message = message_parse((struct span){ t->text, t->n }, b->base.conf->max_depth + 2, &m, &fault);

	assert(is_message); /* it was one, and what we put in is */
	struct http_trip *other =
	        make_call_trip(b, call, &m, (struct splice){ .out = SPAN_NONE }, http_goes_modern(b, call));
	other->tries = t->tries;
	t->call = NULL;
	http_trip_end(t);
	return other;
}

/* --- what goes into the head --- */

struct fields {
	struct head_field at[FIELDS_MAX];
	size_t n;
};

static void add_field(struct fields *f, struct span name, struct span value)
{
	if (span_is_set(value) && f->n < FIELDS_MAX)
		f->at[f->n++] = (struct head_field){ name, value };
}

/* An id that the server has not given is empty. */
static struct span or_none(const struct buf *text)
{
	return buf_size(text) > 0 ? buf_span(text) : SPAN_NONE;
}

static void add_session(struct fields *f, const struct http_trip *t)
{
	const struct http_session *s = &t->b->session;

	if (t->modern) {
		add_field(f, SPAN("MCP-Protocol-Version"), revision_name(REVISION_MODERN));
		return;
	}
	add_field(
	        f, SPAN("MCP-Protocol-Version"), s->revision != REVISION_NONE ? revision_name(s->revision) : SPAN_NONE);
	add_field(f, SPAN("Mcp-Session-Id"), or_none(&s->id));
}

static void add_own(struct fields *f, const struct http_trip *t)
{
	struct span rest = buf_span(&t->fields), line;

	while (rest.n > 0 && span_next(&rest, '\n', &line)) {
		size_t colon = span_find(line, ':');
		if (line.n > 0)
			add_field(f, span_cut(line, colon), span_skip(line, colon + 2));
	}
}

static void add_configured(struct fields *f, const struct backend_conf *conf)
{
	for (const char *const *h = conf->headers; h != NULL && h[0] != NULL; h += 2)
		add_field(f, span_of(h[0]), span_of(h[1]));
}

static bool has_body(const struct http_trip *t)
{
	return t->n > 0 && !t->resuming;
}

static void make_fields(struct fields *f, const struct http_trip *t)
{
	f->n = 0;
	if (t->role != TRIP_BYE)
		add_field(f, SPAN("Accept"), has_body(t) ? ACCEPT_BOTH : ACCEPT_EVENTS);
	if (has_body(t))
		add_field(f, SPAN("Content-Type"), SPAN("application/json"));
	add_session(f, t);
	if (!has_body(t))
		add_field(f, SPAN("Last-Event-ID"), or_none(&t->sse.id));
	add_own(f, t);
	add_field(f, SPAN("User-Agent"), t->b->has_agent ? SPAN_NONE : SPAN("sluice/" SLUICE_VERSION));
	add_configured(f, t->b->base.conf);
}

/* B6: what may be done twice, when the connection ends before anything has come back. */
static bool is_idempotent(const struct http_trip *t)
{
	switch (t->method) {
	case METHOD_TOOLS_CALL:
	case METHOD_UNKNOWN:
		return !has_body(t);
	default:
		return true;
	}
}

static msec_t total_ms(const struct http_trip *t)
{
	if (t->role == TRIP_OWN)
		return t->b->life.conf.startup_timeout_ms;
	return t->role == TRIP_NOTE ? HTTP_NOTE_MS : 0;
}

void http_trip_start(struct http_trip *t)
{
	struct http_backend *b = t->b;
	struct fields fields;
	const struct span body = { t->text, t->n };

	make_fields(&fields, t);
	if (!list_is_linked(&t->node))
		list_append(&b->trips, &t->node);
	t->session = b->session.serial;
	t->status = 0;
	t->body = BODY_NONE;
	const struct http_fetch_request request = {
		.method = has_body(t)           ? SPAN("POST")
		          : t->role == TRIP_BYE ? SPAN("DELETE")
		                                : SPAN("GET"),
		.target = b->way == HTTP_WAY_SSE && t->role != TRIP_SSE ? buf_span(&b->endpoint)
		                                                        : buf_span(&b->site->target),
		.fields = fields.at,
		.field_count = fields.n,
		.body = &body,
		.body_parts = has_body(t),
		.idempotent = is_idempotent(t),
		.connect_timeout_ms = HTTP_CONNECT_MS,
		.total_timeout_ms = total_ms(t),
	};
	http_fetch_start(&t->fetch, b->site->client, &request, &http_trip_events, t);
}

/* --- waiting --- */

void http_trip_go(struct http_trip *t)
{
	if (http_answers_itself(t->b, t))
		http_answer_itself(t);
	else if (t->b->gate != NULL && !t->modern)
		list_append(&t->b->gated, &t->node);
	else
		http_trip_start(t);
}

void http_trip_hold(struct http_trip *t)
{
	list_unlink(&t->node);
	list_append(&t->b->held, &t->node);
	t->b->held_bytes += t->n;
	t->held = true;
}

static void take_from_held(struct http_trip *t)
{
	list_unlink(&t->node);
	if (t->held)
		t->b->held_bytes -= t->n;
	t->held = false;
}

void http_release(struct http_backend *b)
{
	struct list due;

	list_move_all(&b->held, &due);
	for (struct list *node; (node = list_first(&due)) != NULL;) {
		struct http_trip *t = list_entry(node, struct http_trip, node);
		take_from_held(t);
		if (!http_may_go(b, t))
			http_trip_hold(t);
		else
			http_trip_go(t->modern == http_goes_modern(b, t->call) && !t->mismatch ? t : remake(t));
	}
}

void http_gate_opens(struct http_backend *b)
{
	for (struct list *node; b->gate == NULL && (node = list_take_first(&b->gated)) != NULL;)
		http_trip_start(list_entry(node, struct http_trip, node));
}

static void bury(void *trip)
{
	free(trip);
}

static void forget_place(struct http_trip *t)
{
	struct http_backend *b = t->b;

	if (b->gate == t)
		b->gate = NULL;
	if (b->bye == t)
		b->bye = NULL;
	if (b->sse == t)
		b->sse = NULL;
	for (int i = 0; i < 2; i++) {
		if (b->news[i].trip == t)
			b->news[i].trip = NULL;
		if (b->news[i].old == t)
			b->news[i].old = NULL;
	}
}

void http_trip_end(struct http_trip *t)
{
	if (t->over)
		return;
	t->over = true;
	take_from_held(t);
	forget_place(t);
	if (t->call != NULL)
		t->call->trip = NULL;
	t->call = NULL;
	http_fetch_cancel(&t->fetch);
	timer_stop(loop_sched(t->b->loop), &t->timer);
	sse_reader_clear(&t->sse);
	json_texts_clear(&t->texts);
	buf_free(&t->excerpt);
	buf_free(&t->fields);
	buf_free(&t->resumed_at);
	loop_bury(t->b->loop, t, bury);
}

void http_trips_end(struct http_backend *b)
{
	for (struct list *node; (node = list_first(&b->trips)) != NULL;)
		http_trip_end(list_entry(node, struct http_trip, node));
	for (struct list *node; (node = list_first(&b->gated)) != NULL;)
		http_trip_end(list_entry(node, struct http_trip, node));
}

/* --- messages of our own --- */

static void put_message(struct buf *json, uint64_t id, enum method method, struct span params)
{
	struct json_writer w = json_writer(json);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	if (id != 0)
		json_member_int(&w, "id", (int64_t)id);
	json_member_text(&w, "method", method_name(method));
	if (span_is_set(params))
		json_member_raw(&w, "params", params);
	json_close(&w, '}');
}

/* In the modern revision a request of ours is as complete as one of a client. */
static struct http_trip *make_own(
        struct http_backend *b, enum trip_role role, uint64_t id, enum method method, struct span params, bool modern)
{
	struct buf json = { 0 };
	struct message_fault fault;
	struct message m;

	put_message(&json, id, method, params);
	struct pieces pieces = pieces_of(buf_span(&json));
	if (modern) {
		bool is_message = message_parse(buf_span(&json), b->base.conf->max_depth + 2, &m, &fault);
		assert(is_message);
		pieces = request_to_modern(&b->scratch, &m, NULL, NULL, 0);
	}
	struct http_trip *t = http_trip_new(b, role, &pieces);
	t->id = id;
	t->method = method;
	t->modern = modern;
	if (modern)
		http_put_modern_fields(b, &t->fields, &m, (struct splice){ .out = SPAN_NONE });
	buf_free(&json);
	return t;
}

struct http_trip *http_own(
        struct http_backend *b, enum trip_role role, enum method method, struct span params, bool modern)
{
	return make_own(b, role, pending_next_id(&b->pending), method, params, modern);
}

uint64_t http_request(struct http_backend *b, enum method method, struct span params, bool modern)
{
	struct http_trip *t = http_own(b, TRIP_OWN, method, params, modern);

	http_trip_go(t);
	return t->id;
}

struct http_trip *http_note(struct http_backend *b, enum method method, struct span params)
{
	struct http_trip *t = make_own(b, TRIP_NOTE, 0, method, params, false);

	http_trip_go(t);
	return t;
}
