/*
 * What comes up from the servers and belongs to no call: their states, their lists, their log messages; and the way of
 * such news to the open streams of the sessions.
 */
#include <stdio.h>

#include "gateway/gateway_private.h"
#include "gateway/listen.h"

#define DEBOUNCE_MS 100
#define WARNINGS_MAX 100 /* that are logged */

static void on_state(void *arg, enum backend_state now, const char *why, unsigned failures);
static void on_hello(void *arg, const struct backend_hello *hello);
static void put_warning(void *arg, struct span name, const char *what)
{
	buf_printf(arg, "%.*s\n%s\n", SPAN_ARG(name), what);
}

static void log_warnings(struct gateway *gw)
{
	struct span rest = buf_span(&gw->warnings), name, what;

	for (unsigned n = 0; n < WARNINGS_MAX; n++)
		if (span_next(&rest, '\n', &name) && span_next(&rest, '\n', &what))
			log_warn(&gw->log, "catalog_warning", "an item cannot be shown well", F_SPAN("name", name),
			        F_SPAN("why", what));
}

/* Lists come one by one at the start; what is worth a warning is told when they have settled, and once. */
static void on_settled(void *arg)
{
	struct gateway *gw = arg;
	struct buf now = { 0 };

	catalog_warnings(gw->catalog, put_warning, &now);
	bool same = span_eq(buf_span(&now), buf_span(&gw->warnings));
	buf_free(&gw->warnings);
	gw->warnings = now;
	if (!same)
		log_warnings(gw);
}

void news_settle(struct gateway *gw)
{
	timer_set_in(gw->sched, &gw->settled_timer, DEBOUNCE_MS, on_settled, gw);
}

static void on_list(void *arg, enum list_kind kind, struct item_list *list);
static void on_notification(void *arg, const struct backend_link *from, const struct message *m);

const struct backend_events gateway_backend_events = {
	.state = on_state,
	.hello = on_hello,
	.list = on_list,
	.notification = on_notification,
	.agreed = subscribe_said,
	.ask = asks_on_ask,
	.ask_ended = asks_on_ask_ended,
};

static void on_loss(void *arg)
{
	gateway_changed(arg);
}

void news_watch_loss(struct gateway *gw)
{
	timer_set_in(gw->sched, &gw->loss_timer, REQUIRED_LOSS_MS, on_loss, gw);
}

static void tell_level(struct slot *slot)
{
	enum message_level level = slot->gw->level;
	char params[32];

	if (level == LEVEL_COUNT || !slot->greeted || !slot->hello.logging)
		return;
	snprintf(params, sizeof(params), "{\"level\":\"%.*s\"}", SPAN_ARG(message_level_name(level)));
	slot->backend->ops->tell(slot->backend, METHOD_SET_LEVEL, span_of(params));
}

/* How long it has been so, and how long a start took. */
static void note_state(struct slot *slot, enum backend_state now)
{
	mono_t at = slot->gw->sched->now;

	if (now == slot->state)
		return;
	slot->state_since = at;
	if (now == BACKEND_STARTING)
		slot->started_at = at;
	else if (now == BACKEND_READY && slot->state == BACKEND_STARTING)
		histogram_add(&slot->counts->start_ms, mono_diff(at, slot->started_at));
}

static void on_state(void *arg, enum backend_state now, const char *why, unsigned failures)
{
	struct slot *slot = arg;
	struct gateway *gw = slot->gw;
	bool was_up = slot_is_up(slot);

	note_state(slot, now);
	slot->state = now;
	slot->failures = failures;
	slot->ended = now == BACKEND_STOPPED;
	if (was_up && !slot_is_up(slot)) {
		slot->down_since = gw->sched->now;
		news_watch_loss(gw);
	}
	slot->was_up = slot->was_up || slot_is_up(slot);
	snprintf(slot->why, sizeof(slot->why), "%s", why != NULL ? why : "");
	if (now == BACKEND_READY)
		tell_level(slot);
	if (now != BACKEND_STARTING) {
		slot->tried = true;
		lists_recheck(gw);
	}
	slot_leave_soon(slot);
	gateway_changed(gw);
}

static void on_hello(void *arg, const struct backend_hello *hello)
{
	struct slot *slot = arg;

	slot->hello = *hello;
	slot->greeted = true;
	retry_greeted(slot);
	lease_greeted(slot);
}

static void push_changed(struct push *p, enum list_kind kind)
{
	static const struct span texts[LIST_KINDS] = {
#define CHANGED(list)                                                                 \
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" list "/list_changed\"}", \
		sizeof("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" list "/list_changed\"}") - 1 }
		[LIST_TOOLS] = CHANGED("tools"),
		[LIST_RESOURCES] = CHANGED("resources"),
		[LIST_TEMPLATES] = CHANGED("resources"),
		[LIST_PROMPTS] = CHANGED("prompts"),
#undef CHANGED
	};
	struct pieces json = pieces_of(texts[kind]);

	p->port->message(p->arg, &json);
}

/* Resources and templates share one notification, which is that of the resources if both changed. */
bool news_concern(const struct gateway *gw, int scope, enum list_kind kind)
{
	const bool *changed = scope == SCOPE_ALL ? gw->changed : gw->slots[scope]->changed;

	return changed[kind] && !(kind == LIST_TEMPLATES && changed[LIST_RESOURCES]);
}

static void tell_changes(struct gateway *gw, struct session *s)
{
	list_each (node, &s->pushes) {
		struct push *p = list_entry(node, struct push, node);
		for (enum list_kind kind = 0; kind < LIST_KINDS; kind++)
			if (news_concern(gw, p->scope, kind))
				push_changed(p, kind);
	}
}

static void on_debounced(void *arg)
{
	struct gateway *gw = arg;

	list_each (node, sessions_all(gw->sessions))
		tell_changes(gw, list_entry(node, struct session, node));
	listens_changed(gw);
	memset(gw->changed, 0, sizeof(gw->changed));
	for (size_t i = 0; i < gw->slot_count; i++)
		memset(gw->slots[i]->changed, 0, sizeof(gw->slots[i]->changed));
}

void news_soon(struct gateway *gw)
{
	if (!timer_is_set(&gw->changed_timer))
		timer_set_in(gw->sched, &gw->changed_timer, DEBOUNCE_MS, on_debounced, gw);
}

static void on_list(void *arg, enum list_kind kind, struct item_list *list)
{
	struct slot *slot = arg;
	struct gateway *gw = slot->gw;
	bool own_changed, merged_changed;

	if (slot->leaving) {
		item_list_free(list);
		return;
	}
	merged_changed = catalog_set(gw->catalog, slot->index, kind, list, &own_changed);

	if (own_changed)
		news_settle(gw);
	if (!slot->was_up && !gw->listed[kind]) /* it comes up for the first time, and nobody has seen less */
		return;
	gw->changed[kind] |= merged_changed;
	slot->changed[kind] |= own_changed;
	if (own_changed || merged_changed)
		news_soon(gw);
}

/* What a client wants to hear, about the call or at all. */
static enum message_level level_wanted(const struct call *c, const struct session *s)
{
	return c != NULL && (s == NULL || call_is_modern(c)) ? c->client.level : s->level;
}

/* The logger's name gets the server's in front; `room` holds that as long as the splice lives. */
static struct splice logger_splice(const struct slot *slot, const struct message *m, char room[SLOT_PREFIX_MAX])
{
	if (!slot->gw->conf.prefixed || json_type_of(m->logger) != JSON_STRING)
		return (struct splice){ .out = SPAN_NONE };
	snprintf(room, SLOT_PREFIX_MAX, "%s/", slot->conf->name);
	return (struct splice){ .out = { m->logger.p + 1, 0 }, .in = span_of(room) };
}

/* A log message is for the client whose calls the server is working at. With none in flight it is for the only client
 * there is; it is never shown to two. */
static void deliver_log(
        struct slot *slot, const struct backend_link *from, const struct message *m, enum message_level level)
{
	struct gateway *gw = slot->gw;
	struct call *call;
	struct session *to;

	if (asks_callers(slot, from, &to, &call) != CALLERS_ONE)
		to = NULL;

	if (list_is_empty(&slot->calls) && sessions_count(gw->sessions) == 1)
		to = list_entry(list_first(sessions_all(gw->sessions)), struct session, node);
	if (call == NULL && (to == NULL || list_is_empty(&to->pushes))) {
		gw->counts.dropped_messages++;
		return;
	}
	if (level < level_wanted(call, to))
		return;
	char room[SLOT_PREFIX_MAX];
	struct push *p = call == NULL ? list_entry(list_first(&to->pushes), struct push, node) : NULL;
	const struct splice splices[] = {
		logger_splice(slot, m, room),
		tasks_related_splice(slot, call != NULL ? call->scope : p->scope, m),
	};
	struct pieces json = pieces_splice(m->text, splices, 2);
	if (call != NULL)
		call->port->message(call->arg, &json);
	else
		p->port->message(p->arg, &json);
}

/* -1: it is no log message with a level. */
static int level_of(const struct message *m)
{
	char name[16];
	bool is_level = json_type_of(m->level) == JSON_STRING && m->level.n <= sizeof(name);

	return m->method_id == METHOD_MESSAGE && is_level ? message_level_parse(json_decode(m->level, name)) : -1;
}

void news_of_call(struct call *c, const struct message *m)
{
	int level = level_of(m);

	if (level < 0 || c->port == NULL) {
		c->gw->counts.dropped_messages++;
		return;
	}
	if (level < (int)level_wanted(c, c->session))
		return;
	char room[SLOT_PREFIX_MAX];
	const struct splice splices[] = {
		logger_splice(c->slot, m, room),
		tasks_related_splice(c->slot, c->scope, m),
	};
	struct pieces json = pieces_splice(m->text, splices, 2);
	c->port->message(c->arg, &json);
}

static void on_notification(void *arg, const struct backend_link *from, const struct message *m)
{
	struct slot *slot = arg;
	int level = level_of(m);

	if (level >= 0)
		deliver_log(slot, from, m, (enum message_level)level);
	else if (m->method_id == METHOD_ELICITATION_COMPLETE)
		asks_elicitation_complete(slot, m);
	else if (m->method_id == METHOD_TASK_STATUS)
		tasks_status(slot, from, m);
	else if (m->method_id == METHOD_PROGRESS)
		tasks_progress(slot, from, m);
	else if (m->method_id == METHOD_TASK_NEWS)
		tasks_news(slot, from, m);
	else if (m->method_id == METHOD_RESOURCE_UPDATED)
		subscribe_updated(slot, from, m);
	else
		slot->gw->counts.dropped_messages++;
}

void news_level(struct gateway *gw)
{
	enum message_level level = LEVEL_COUNT;

	list_each (node, sessions_all(gw->sessions)) {
		struct session *s = list_entry(node, struct session, node);
		if (s->level < level)
			level = s->level;
	}
	list_each (node, &gw->calls) {
		const struct call *c = list_entry(node, struct call, in_gateway);
		if (call_is_modern(c) && c->client.level < level)
			level = c->client.level;
	}
	if (level == gw->level)
		return;
	gw->level = level;
	slots_each (slot, gw)
		tell_level(slot);
}

/* A session that was rebuilt from its token may have missed changes while nobody knew it. */
void gateway_push_open(struct gateway *gw, struct session *session, struct push *push)
{
	push->gw = gw;
	list_append(&session->pushes, &push->node);
	gw->push_count++;
	if (!session->rebuilt)
		return;
	session->rebuilt = false;
	push_changed(push, LIST_TOOLS);
	push_changed(push, LIST_RESOURCES);
	push_changed(push, LIST_PROMPTS);
}

void gateway_push_close(struct push *push)
{
	if (!list_is_linked(&push->node))
		return;
	list_unlink(&push->node);
	push->gw->push_count--;
	timer_stop(push->gw->sched, &push->goodbye);
}

struct push *push_for(const struct session *session, const struct slot *slot)
{
	list_each (node, &session->pushes) {
		struct push *p = list_entry(node, struct push, node);
		if (p->scope == SCOPE_ALL || p->scope == (int)slot->index)
			return p;
	}
	return NULL;
}

void news_end_push(struct push *p)
{
	gateway_push_close(p);
	p->port->end(p->arg);
}

static void on_goodbye(void *arg)
{
	news_end_push(arg);
}

static void end_pushes(struct session *s)
{
	for (struct list *node; (node = list_first(&s->pushes)) != NULL;)
		news_end_push(list_entry(node, struct push, node));
}

/* A session's nonce is a random number. */
static void end_pushes_within(struct session *s, struct sched *sched, msec_t over_ms)
{
	msec_t wait_ms = over_ms > 0 ? (msec_t)(s->nonce % (uint64_t)over_ms) : 0;

	list_each (node, &s->pushes) {
		struct push *p = list_entry(node, struct push, node);
		if (!p->stays && over_ms > 0)
			timer_set_in(sched, &p->goodbye, wait_ms, on_goodbye, p);
		else if (!p->stays)
			news_end_push(p);
	}
}

void gateway_end_pushes(struct gateway *gw, msec_t over_ms)
{
	list_each (node, sessions_all(gw->sessions))
		end_pushes_within(list_entry(node, struct session, node), gw->sched, over_ms);
	listens_end(gw, over_ms);
}

static void keep_pushes(struct session *s, struct sched *sched)
{
	list_each (node, &s->pushes)
		timer_stop(sched, &list_entry(node, struct push, node)->goodbye);
}

void gateway_keep_pushes(struct gateway *gw)
{
	list_each (node, sessions_all(gw->sessions))
		keep_pushes(list_entry(node, struct session, node), gw->sched);
	listens_keep(gw);
}

void gateway_keys_changed(struct gateway *gw)
{
	list_each (node, sessions_all(gw->sessions)) {
		struct session *s = list_entry(node, struct session, node);
		if (!list_is_empty(&s->pushes) && !session_is_sealed(gw->sessions, s))
			end_pushes(s);
	}
}

void gateway_session_end(struct gateway *gw, struct session **session)
{
	end_pushes(*session);
	asks_session_left(gw, *session);
	list_each (node, &(*session)->calls) {
		struct call *c = list_entry(node, struct call, in_session);
		list_unlink(&c->in_session);
		c->session = NULL;
	}
	(*session)->call_count = 0;
	sessions_end(gw->sessions, session);
}
