#include "gateway/tasks.h"

#include <assert.h>

#include "gateway/gateway_private.h"
#include "mcp/bridge.h"
#include "mcp/task.h"
#include "json/write.h"

/* Longer than that is as good as for ever. */
#define TTL_MAX_MS ((int64_t)366 * 24 * 3600 * 1000)

bool tasks_have_prefix(const struct gateway *gw, int scope)
{
	return scope == SCOPE_ALL && (gw->conf.prefixed || gw->slot_count > 1);
}

/* ---- ids on their way to the client ---- */

struct splice tasks_id_splice(const struct slot *slot, int scope, struct span id)
{
	if (!span_is_set(id) || !tasks_have_prefix(slot->gw, scope))
		return (struct splice){ .out = SPAN_NONE };
	return (struct splice){ .out = { id.p + 1, 0 }, .in = span_of(slot->prefix) };
}

unsigned tasks_put_prefixes(const struct call *c, const struct message *answer, struct splice *splices)
{
	unsigned n = 0;

	if (c->slot == NULL || answer->kind != MESSAGE_RESULT)
		return 0;
	splices[n++] = tasks_id_splice(c->slot, c->scope, task_related(answer->result_meta));
	splices[n++] = tasks_id_splice(c->slot, c->scope, task_in_result(answer, c->method, c->augmented));
	return n;
}

struct splice tasks_related_splice(const struct slot *slot, int scope, const struct message *m)
{
	return tasks_id_splice(slot, scope, task_related(m->meta));
}

struct splice tasks_ask_splice(
        const struct slot *slot, const struct call *c, const struct push *push, const struct message *m)
{
	return tasks_related_splice(slot, c != NULL && c->port != NULL ? c->scope : push->scope, m);
}

/* ---- and on their way to the server ---- */

static struct splice answer_splice(const struct slot *slot, const struct message *m)
{
	struct span id = task_related(m->result_meta), prefix = span_of(slot->prefix);
	bool ours = span_is_set(id) && tasks_have_prefix(slot->gw, SCOPE_ALL) && span_starts(span_skip(id, 1), prefix);

	return ours ? (struct splice){ .out = { id.p + 1, prefix.n }, .in = SPAN("") }
	            : (struct splice){ .out = SPAN_NONE };
}

void tasks_append_answer(struct pieces *p, const struct slot *slot, const struct message *m)
{
	struct splice splice = answer_splice(slot, m);
	struct pieces result = pieces_splice(m->result, &splice, 1);

	for (unsigned i = 0; i < result.n; i++)
		pieces_append(p, result.at[i]);
}

/* Of servers whose names begin alike the one with the shorter name, as with tools. */
static struct slot *find_by_prefix(const struct gateway *gw, struct span id)
{
	struct slot *found = NULL;
	size_t shortest = 0;

	for (size_t i = 0; i < gw->slot_count; i++) {
		struct span prefix = span_of(gw->slots[i]->prefix);
		if (!span_starts(id, prefix) || (found != NULL && prefix.n >= shortest))
			continue;
		found = gw->slots[i];
		shortest = prefix.n;
	}
	return found;
}

/* ---- who can have them ---- */

/* The server's tasks are of a kind that the client knows. A server that has not said so yet may have any. */
static bool is_shared(const struct call *c, const struct slot *slot)
{
	const struct backend_hello *hello = &slot->hello;

	if (!slot->greeted)
		return true;
	return call_is_modern(c) ? hello->tasks_extension
	                         : c->client.revision == REVISION_2025_11_25 && hello->tasks_call;
}

/* The method is one of the client's revision. */
static bool is_of_revision(const struct call *c)
{
	switch (c->method) {
	case METHOD_TASKS_RESULT:
	case METHOD_TASKS_LIST:
		return c->client.revision == REVISION_2025_11_25;
	case METHOD_TASKS_UPDATE:
		return call_is_modern(c);
	default:
		return call_is_modern(c) || c->client.revision == REVISION_2025_11_25;
	}
}

void tasks_put_lack(struct buf *out, struct span id)
{
	rpc_put_error_data(out, id, RPC_CAPABILITY_MISSING,
	        SPAN("the request does not declare the extension " EXTENSION_TASKS),
	        SPAN("{\"requiredCapabilities\":{\"extensions\":{\"" EXTENSION_TASKS "\":{}}}}"));
}

static void fail_capability(struct call *c)
{
	tasks_put_lack(&c->answer, c->id);
	call_end_with(c, CALL_EV_ANSWER, END_REFUSED, OUTCOME_KNOWN);
}

/* ---- requests ---- */

static bool refuse_unshared(struct call *c, const struct slot *slot)
{
	if (slot == NULL)
		call_fail(c, RPC_INVALID_PARAMS, SPAN("unknown task"));
	else if (!is_shared(c, slot))
		call_fail(c, RPC_METHOD_NOT_FOUND, SPAN("the server has no tasks for clients of this revision"));
	else
		return false;
	return true;
}

struct slot *tasks_slot(const struct gateway *gw, int scope, struct span id, struct span *local)
{
	size_t index = scope == SCOPE_ALL ? 0 : (size_t)scope;
	bool prefixed = tasks_have_prefix(gw, scope);
	struct slot *slot = prefixed ? find_by_prefix(gw, id) : index < gw->slot_count ? gw->slots[index] : NULL;

	*local = prefixed && slot != NULL ? span_skip(id, strlen(slot->prefix)) : id;
	return slot;
}

static void serve_list_of_one(struct call *c, const struct message *m)
{
	struct span local;
	struct slot *slot = tasks_slot(c->gw, c->scope, SPAN(""), &local);

	if (!refuse_unshared(c, slot))
		call_send(c, slot, m, (struct splice){ .out = SPAN_NONE });
}

static void serve_one(struct call *c, const struct message *m)
{
	struct buf room = { 0 };
	struct span id = json_decode(m->task_id, buf_reserve(&room, m->task_id.n)), local;
	struct slot *slot = tasks_slot(c->gw, c->scope, id, &local);

	if (!refuse_unshared(c, slot)) {
		struct splice name = { .out = SPAN_NONE };
		if (local.n != id.n)
			name = route_name_splice(c, m->task_id, id, local);
		call_send(c, slot, m, name);
		buf_free(&c->answer); /* the splice's text has been copied into the line */
	}
	buf_free(&room);
}

void serve_task(struct call *c, const struct message *m)
{
	bool prefixed = tasks_have_prefix(c->gw, c->scope);

	c->safe_to_repeat = c->method == METHOD_TASKS_GET || c->method == METHOD_TASKS_LIST;
	if (!is_of_revision(c))
		call_fail(c, RPC_METHOD_NOT_FOUND, SPAN("method not found"));
	else if (call_is_modern(c) && !task_extension_in(c->client.declared))
		fail_capability(c);
	else if (c->method == METHOD_TASKS_LIST && prefixed)
		call_fail(c, RPC_METHOD_NOT_FOUND, SPAN("tasks are listed for one server, at its own path"));
	else if (c->method != METHOD_TASKS_LIST && json_type_of(m->task_id) != JSON_STRING)
		call_fail(c, RPC_INVALID_PARAMS, SPAN("params.taskId must be a string"));
	else if (c->method == METHOD_TASKS_LIST)
		serve_list_of_one(c, m);
	else
		serve_one(c, m);
}

static void send_without_task(struct call *c, struct slot *slot, const struct message *m, struct splice name)
{
	struct message_fault fault;
	struct message without;
	struct buf text = { 0 };
	struct bridge b;

	bridge_drop(&b, m->task);
	b.splices[b.n++] = name;
	struct pieces pieces = pieces_splice(m->text, b.splices, b.n);
	pieces_put(&text, &pieces);
	buf_free(&c->answer); /* where the name's text may have been */
	bool parsed = message_parse(buf_span(&text), JSON_DEPTH_MAX, &without, &fault);
	assert(parsed); /* as it was before, less a member */
	call_send(c, slot, &without, (struct splice){ .out = SPAN_NONE });
	buf_free(&text);
}

bool tasks_serve_call(struct call *c, struct slot *slot, const struct message *m, struct splice name, bool only_as_task)
{
	bool shared = is_shared(c, slot), asks = span_is_set(m->task);

	if (only_as_task && !shared && slot->hello.tasks_call) {
		buf_reset(&c->answer); /* where the name's text may have been */
		call_fail(c, RPC_INTERNAL_ERROR,
		        SPAN("the tool can only be called as a task of 2025-11-25, which this client cannot do"));
		return true;
	}
	c->augmented = asks && shared && !call_is_modern(c);
	if (!asks || c->augmented)
		return false;
	send_without_task(c, slot, m, name);
	return true;
}

/* ---- whose they are ---- */

static struct task_place place_of(const struct slot *slot, const struct backend_link *link)
{
	return (struct task_place){ span_of(slot->conf->name), link != NULL ? link->session : 0 };
}

/* `id`: a raw JSON string, or not set. */
static struct known_task *task_known(const struct slot *slot, const struct backend_link *link, struct span id)
{
	const struct task_place place = place_of(slot, link);
	struct gateway *gw = slot->gw;

	if (json_type_of(id) != JSON_STRING)
		return NULL;
	return known_tasks_find(&gw->tasks.known, &place, (struct span){ id.p + 1, id.n - 2 }, gw->sched->now);
}

static void is_over(const struct slot *slot, const struct backend_link *link, struct span id)
{
	struct known_task *task = task_known(slot, link, id);

	if (task != NULL)
		known_tasks_end_progress(&slot->gw->tasks.known, task);
}

/* A process, or a session at a server, that serves one client alone says by itself whose they are. */
static bool is_of_one(const struct backend_link *link)
{
	return link != NULL && link->session != 0;
}

static mono_t known_until(const struct gateway *gw, struct span task)
{
	int64_t ttl = task_ttl(task);

	return ttl < 0 || ttl > TTL_MAX_MS ? MONO_NEVER : mono_add(gw->sched->now, ttl);
}

/* Its progress comes under the number that the call had at the server. */
static void has_begun(struct call *c, const struct message *answer)
{
	struct span id = task_in_result(answer, c->method, true);
	const struct task_place place = place_of(c->slot, c->at.link);
	int64_t number = 0;

	if (!span_is_set(id))
		return;
	struct span task = json_member(answer->result, "task");
	bool progress = json_to_i64(answer->id, &number) && !task_is_over(task);
	known_tasks_add(&c->gw->tasks.known, &place, (struct span){ id.p + 1, id.n - 2 }, c->session,
	        known_until(c->gw, task), (uint64_t)number, progress ? c->token : SPAN_NONE);
}

void tasks_answered(struct call *c, const struct message *answer)
{
	if (call_is_modern(c) || c->session == NULL)
		return;
	if (c->augmented)
		has_begun(c, answer);
	else if (c->method == METHOD_TASKS_RESULT)
		is_over(c->slot, c->at.link, task_related(answer->result_meta));
	else if ((c->method == METHOD_TASKS_GET || c->method == METHOD_TASKS_CANCEL) && task_is_over(answer->result))
		is_over(c->slot, c->at.link, task_in_result(answer, c->method, false));
}

/* What a server has to say about a task belongs on the stream of the call that waits for its result. */
static struct call *call_for(const struct slot *slot, const struct backend_link *link, const struct session *session)
{
	struct call *found = NULL;

	list_each (node, &slot->calls) {
		struct call *c = list_entry(node, struct call, in_slot);
		if (c->session != session || c->at.link != link || c->port == NULL || call_is_modern(c))
			continue;
		if (found == NULL || (c->method == METHOD_TASKS_RESULT && found->method != METHOD_TASKS_RESULT))
			found = c;
	}
	return found;
}

struct session *tasks_owner(
        const struct slot *slot, const struct backend_link *link, const struct message *m, struct call **call)
{
	const struct known_task *task = is_of_one(link) ? NULL : task_known(slot, link, task_related(m->meta));
	struct session *session = task != NULL ? task->owner : NULL;

	*call = session != NULL ? call_for(slot, link, session) : NULL;
	return session;
}

/* On the session's open stream, or else on that of a call that waits for a task's result. */
static void tell(struct slot *slot, const struct backend_link *from, const struct session *session,
        const struct message *m, struct splice token)
{
	const struct push *push = session != NULL ? push_for(session, slot) : NULL;
	const struct call *c = session != NULL && push == NULL ? call_for(slot, from, session) : NULL;

	if (push == NULL && (c == NULL || c->method != METHOD_TASKS_RESULT)) {
		slot->gw->counts.dropped_messages++;
		return;
	}
	int scope = push != NULL ? push->scope : c->scope;
	const struct splice splices[] = {
		tasks_id_splice(slot, scope, json_type_of(m->task_id) == JSON_STRING ? m->task_id : SPAN_NONE),
		tasks_related_splice(slot, scope, m),
		token,
	};
	struct pieces json = pieces_splice(m->text, splices, 3);
	if (push != NULL)
		push->port->message(push->arg, &json);
	else
		c->port->message(c->arg, &json);
}

static const struct session *session_for(
        const struct slot *slot, const struct backend_link *from, const struct message *m)
{
	const struct known_task *task = task_known(slot, from, m->task_id);

	if (task != NULL)
		return task->owner;
	return is_of_one(from) && json_type_of(m->task_id) == JSON_STRING ? session_of(slot->gw, from->session) : NULL;
}

void tasks_status(struct slot *slot, const struct backend_link *from, const struct message *m)
{
	tell(slot, from, session_for(slot, from, m), m, (struct splice){ .out = SPAN_NONE });
	if (task_is_over(m->params))
		is_over(slot, from, m->task_id);
}

void tasks_progress(struct slot *slot, const struct backend_link *from, const struct message *m)
{
	const struct task_place place = place_of(slot, from);
	struct gateway *gw = slot->gw;
	const struct known_task *task = NULL;
	int64_t number;

	if (json_to_i64(m->token, &number))
		task = known_tasks_find_number(&gw->tasks.known, &place, (uint64_t)number, gw->sched->now);
	if (task != NULL)
		tell(slot, from, task->owner, m, (struct splice){ .out = m->token, .in = task->token });
	else
		gw->counts.dropped_messages++;
}

struct task_news {
	const struct slot *slot;
	const struct message *m;
};

static void tell_listener(void *arg, struct subscriber *who)
{
	const struct task_news *news = arg;

	if (who->is_stream)
		listen_task_news(list_entry(who, struct listen, subscriber), news->slot, news->m);
}

void tasks_news(struct slot *slot, const struct backend_link *from, const struct message *m)
{
	struct task_news news = { slot, m };
	struct buf text = { 0 };

	if (json_type_of(m->task_id) != JSON_STRING)
		return;
	const struct resource_name name = {
		.server = span_of(slot->conf->name),
		.session = from->session,
		.uri = json_decode(m->task_id, buf_reserve(&text, m->task_id.n)),
		.kind = WANTED_TASK,
	};
	subscriptions_update(&slot->gw->subscriptions, &name, tell_listener, &news);
	buf_free(&text);
}
