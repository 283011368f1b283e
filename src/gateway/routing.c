/*
 * Which server serves a request, and what has to change in its text on the way: one function per kind of request.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "json/write.h"

/* One server and names unchanged: what we do not know is the server's to judge. */
static bool is_pass_through(const struct gateway *gw)
{
	return !gw->conf.prefixed && gw->slot_count == 1;
}

/* The text of a JSON string, in the gateway's scratch or in the value itself. */
static struct span decoded(struct gateway *gw, struct span value)
{
	buf_reset(&gw->scratch);
	return json_decode(value, buf_reserve(&gw->scratch, value.n));
}

/*
 * The splice that turns the client's name into the server's. `text` is the decoded name and `local` the end of it that
 * the server knows. Usually the prefix stands there unescaped and is just left out; an escaped one is written anew.
 */
struct splice route_name_splice(struct call *c, struct span raw, struct span text, struct span local)
{
	struct span prefix = span_cut(text, text.n - local.n);

	if (prefix.n == 0)
		return (struct splice){ .out = SPAN_NONE };
	if (span_starts(span_skip(raw, 1), prefix))
		return (struct splice){ .out = { raw.p + 1, prefix.n }, .in = SPAN("") };
	buf_reset(&c->answer);
	json_put_string(&c->answer, local);
	return (struct splice){ .out = raw, .in = buf_span(&c->answer) };
}

static void send_named(struct call *c, const struct message *m, struct span raw, enum list_kind kind)
{
	struct gateway *gw = c->gw;
	struct span text = decoded(gw, raw);
	struct route route;

	if (!catalog_route(gw->catalog, c->scope, kind, text, &route)) {
		call_fail(c, RPC_INVALID_PARAMS, kind == LIST_TOOLS ? SPAN("unknown tool") : SPAN("unknown prompt"));
		return;
	}
	if (retry_is_refused(c, gw->slots[route.server])) {
		call_fail(c, RPC_INVALID_PARAMS, span_of(c->retry_fault));
		return;
	}
	c->safe_to_repeat = route.read_only || route.idempotent;
	struct splice name = route_name_splice(c, raw, text, route.name);
	bool of_tool = m->method_id == METHOD_TOOLS_CALL;
	if (of_tool && tasks_serve_call(c, gw->slots[route.server], m, name, route.only_as_task))
		return;
	call_send(c, gw->slots[route.server], m, name);
	buf_free(&c->answer); /* the splice's text has been copied into the line */
}

static void serve_named(struct call *c, const struct message *m)
{
	if (json_type_of(m->name) != JSON_STRING) {
		call_fail(c, RPC_INVALID_PARAMS, SPAN("params.name must be a string"));
		return;
	}
	send_named(c, m, m->name, m->method_id == METHOD_TOOLS_CALL ? LIST_TOOLS : LIST_PROMPTS);
}

/* Keeps the text for the next server, if the first one may not know the resource. */
static void keep_candidates(struct call *c, const struct message *m, const size_t *servers, size_t n)
{
	if (n < 2)
		return;
	c->candidates = mem_alloc(n * sizeof(struct slot *));
	for (size_t i = 0; i < n; i++)
		c->candidates[i] = c->gw->slots[servers[i]];
	c->candidate_count = n;
	c->candidate_next = 1;
	c->kept_text = span_dup(m->text);
	c->kept_size = m->text.n;
}

bool route_next_candidate(struct call *c)
{
	struct message m;
	struct message_fault fault;

	while (c->candidate_next < c->candidate_count && retry_is_refused(c, c->candidates[c->candidate_next]))
		c->candidate_next++;
	if (c->candidate_next == c->candidate_count)
		return false;
	struct slot *slot = c->candidates[c->candidate_next++];
	bool parsed = message_parse((struct span){ c->kept_text, c->kept_size }, slot->conf->max_depth, &m, &fault);
	assert(parsed);
	call_send(c, slot, &m, (struct splice){ .out = SPAN_NONE });
	return true;
}

/* Leaves away those that said that they have no resources at all. */
static size_t keep_those_with_resources(const struct gateway *gw, size_t *servers, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct slot *slot = gw->slots[servers[i]];
		if (!slot->greeted || slot->hello.resources)
			servers[kept++] = servers[i];
	}
	return kept;
}

size_t route_uri(const struct gateway *gw, int scope, struct span uri, size_t *servers)
{
	size_t n = catalog_route_uri(gw->catalog, scope, uri, servers, gw->slot_count);

	if (scope == SCOPE_ALL)
		n = keep_those_with_resources(gw, servers, n);
	if (n == 0 && is_pass_through(gw))
		servers[n++] = 0;
	return n;
}

void route_to(struct call *c, const struct message *m, const size_t *servers, size_t n)
{
	for (; n > 0 && retry_is_refused(c, c->gw->slots[servers[0]]); n--)
		servers++;
	if (n == 0) {
		call_fail(c, RPC_INVALID_PARAMS, span_of(c->retry_fault));
		return;
	}
	keep_candidates(c, m, servers, n);
	call_send(c, c->gw->slots[servers[0]], m, (struct splice){ .out = SPAN_NONE });
}

static void send_by_uri(struct call *c, const struct message *m, struct span raw)
{
	struct gateway *gw = c->gw;
	size_t *servers = mem_alloc((gw->slot_count + 1) * sizeof(*servers));
	size_t n = route_uri(gw, c->scope, decoded(gw, raw), servers);

	if (n == 0)
		call_fail_not_found(c);
	else
		route_to(c, m, servers, n);
	free(servers);
}

static void serve_read(struct call *c, const struct message *m)
{
	if (json_type_of(m->uri) != JSON_STRING) {
		call_fail(c, RPC_INVALID_PARAMS, SPAN("params.uri must be a string"));
		return;
	}
	c->safe_to_repeat = true;
	send_by_uri(c, m, m->uri);
}

/* completion/complete names a prompt, or a resource by its URI or template. */
static void serve_complete(struct call *c, const struct message *m)
{
	struct route route;

	c->safe_to_repeat = true;
	if (json_string_is(m->ref_type, SPAN("ref/prompt")) && json_type_of(m->ref_name) == JSON_STRING) {
		send_named(c, m, m->ref_name, LIST_PROMPTS);
	} else if (json_string_is(m->ref_type, SPAN("ref/resource")) && json_type_of(m->ref_uri) == JSON_STRING) {
		struct span uri = decoded(c->gw, m->ref_uri);
		if (catalog_route(c->gw->catalog, c->scope, LIST_TEMPLATES, uri, &route))
			call_send(c, c->gw->slots[route.server], m, (struct splice){ .out = SPAN_NONE });
		else
			send_by_uri(c, m, m->ref_uri);
	} else {
		call_fail(c, RPC_INVALID_PARAMS,
		        SPAN("params.ref must be {type: ref/prompt, name} or {type: ref/resource, uri}"));
	}
}

static void serve_ping(struct call *c, const struct message *m)
{
	(void)m;
	call_answer(c, SPAN("{}"));
}

static void serve_level(struct call *c, const struct message *m)
{
	struct span name = json_type_of(m->level) == JSON_STRING ? decoded(c->gw, m->level) : SPAN_NONE;
	int level = message_level_parse(name);

	if (level < 0) {
		call_fail(c, RPC_INVALID_PARAMS, SPAN("params.level is not one of the eight levels"));
		return;
	}
	if (c->session != NULL)
		c->session->level = (enum message_level)level;
	news_level(c->gw);
	call_answer(c, SPAN("{}"));
}

static void serve_unknown(struct call *c, const struct message *m)
{
	if (is_pass_through(c->gw))
		call_send(c, c->gw->slots[0], m, (struct splice){ .out = SPAN_NONE });
	else
		call_fail(c, RPC_METHOD_NOT_FOUND, SPAN("unknown method"));
}

void serve_request(struct call *c, const struct message *m)
{
	static void (*const serve[METHOD_COUNT + 1])(struct call *, const struct message *) = {
		[METHOD_PING] = serve_ping,
		[METHOD_DISCOVER] = serve_discover,
		[METHOD_TOOLS_LIST] = serve_list,
		[METHOD_RESOURCES_LIST] = serve_list,
		[METHOD_RESOURCE_TEMPLATES_LIST] = serve_list,
		[METHOD_PROMPTS_LIST] = serve_list,
		[METHOD_TOOLS_CALL] = serve_named,
		[METHOD_PROMPTS_GET] = serve_named,
		[METHOD_RESOURCES_READ] = serve_read,
		[METHOD_RESOURCES_SUBSCRIBE] = serve_subscribe,
		[METHOD_RESOURCES_UNSUBSCRIBE] = serve_unsubscribe,
		[METHOD_COMPLETE] = serve_complete,
		[METHOD_SET_LEVEL] = serve_level,
		[METHOD_TASKS_GET] = serve_task,
		[METHOD_TASKS_RESULT] = serve_task,
		[METHOD_TASKS_LIST] = serve_task,
		[METHOD_TASKS_UPDATE] = serve_task,
		[METHOD_TASKS_CANCEL] = serve_task,
		[METHOD_UNKNOWN] = serve_unknown,
	};

	if (serve[m->method_id] != NULL)
		serve[m->method_id](c, m);
	else
		call_fail(c, RPC_METHOD_NOT_FOUND, SPAN("method not found"));
}
