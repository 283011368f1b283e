#include "gateway/gateway.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "gateway/listen.h"

struct catalog_server *catalog_servers(const struct gateway *gw)
{
	struct catalog_server *servers = mem_zalloc(gw->slot_count * sizeof(*servers));

	for (size_t i = 0; i < gw->slot_count; i++) {
		const struct backend_conf *conf = gw->slots[i]->conf;
		servers[i] = (struct catalog_server){ conf->name, conf->include, conf->exclude };
	}
	return servers;
}

static void put_server_info(struct gateway *gw)
{
	struct json_writer w = json_writer(&gw->server_info);

	json_open(&w, '{');
	json_member_text(&w, "name", SPAN("sluice"));
	json_member_text(&w, "version", span_of(gw->conf.version));
	json_close(&w, '}');
}

/* Whatever was kept for this client alone can go. */
static void on_session_dropped(void *arg, struct session *session)
{
	struct gateway *gw = arg;

	asks_session_left(gw, session);
	subscribe_leave(gw, &session->subscriber);
	slots_each (slot, gw)
		slot->backend->ops->end_session(slot->backend, session->nonce);
}

struct gateway *gateway_new(
        const struct gateway_conf *conf, struct sched *sched, struct sessions *sessions, const struct logger *lg)
{
	struct gateway *gw = NEW(struct gateway);

	gw->conf = *conf;
	gw->sched = sched;
	gw->sessions = sessions;
	gw->log = *lg;
	gw->level = LEVEL_COUNT;
	list_init(&gw->calls);
	list_init(&gw->held);
	list_init(&gw->leaving);
	list_init(&gw->listens);
	put_server_info(gw);
	elicitations_init(&gw->asks.elicitations);
	known_tasks_init(&gw->tasks.known);
	subscriptions_init(&gw->subscriptions);
	sessions_watch(sessions, on_session_dropped, gw);
	gw->slot_count = conf->server_count;
	gw->slots = mem_zalloc(gw->slot_count * sizeof(struct slot *));
	for (size_t i = 0; i < gw->slot_count; i++)
		gw->slots[i] = slot_new(gw, i, &conf->servers[i]);
	gw->conf.servers = NULL; /* the caller's, and every slot has its own */
	struct catalog_server *servers = catalog_servers(gw);
	gw->catalog = catalog_new(servers, gw->slot_count, conf->prefixed, conf->page_items);
	free(servers);
	return gw;
}

void gateway_free(struct gateway **gwp)
{
	struct gateway *gw = *gwp;

	if (gw == NULL)
		return;
	*gwp = NULL;
	assert(gw->in_flight == 0);
	listens_forget(gw);
	post_cancel(&gw->listens_post);
	list_each (node, sessions_all(gw->sessions))
		subscribe_leave(gw, &list_entry(node, struct session, node)->subscriber);
	subscriptions_clear(&gw->subscriptions);
	timer_stop(gw->sched, &gw->held_timer);
	timer_stop(gw->sched, &gw->changed_timer);
	timer_stop(gw->sched, &gw->settled_timer);
	timer_stop(gw->sched, &gw->loss_timer);
	timer_stop(gw->sched, &gw->first_try_timer);
	post_cancel(&gw->watch_post);
	list_each (node, &gw->leaving)
		slot_free(list_entry(node, struct slot, in_leaving));
	for (size_t i = 0; i < gw->slot_count; i++)
		slot_free(gw->slots[i]);
	elicitations_clear(&gw->asks.elicitations);
	known_tasks_clear(&gw->tasks.known);
	map_free(&gw->asks.by_number);
	map_free(&gw->parks.by_number);
	catalog_free(&gw->catalog);
	sessions_free(&gw->sessions);
	buf_free(&gw->scratch);
	buf_free(&gw->server_info);
	buf_free(&gw->warnings);
	free(gw->slots);
	free(gw);
}

const struct backend_conf *gateway_backend_conf(const struct gateway *gw, size_t i)
{
	return gw->slots[i]->conf;
}

void *gateway_backend_arg(struct gateway *gw, size_t i)
{
	return gw->slots[i];
}

void gateway_attach(struct gateway *gw, size_t i, struct backend *b)
{
	gw->slots[i]->backend = b;
	subscribe_attached(gw->slots[i]);
}

static void on_first_try(void *arg)
{
	gateway_changed(arg);
}

void gateway_start(struct gateway *gw)
{
	for (size_t i = 0; i < gw->slot_count; i++) {
		struct slot *slot = gw->slots[i];
		if (slot->conf->startup == STARTUP_LAZY || slot->wait_until.ms != MONO_NEVER.ms)
			continue;
		slot->wait_until = mono_add(gw->sched->now, FIRST_TRY_WAIT_MS);
		slot->backend->ops->start(slot->backend);
	}
	timer_set_in(gw->sched, &gw->first_try_timer, FIRST_TRY_WAIT_MS, on_first_try, gw);
	lists_recheck(gw);
	gateway_changed(gw);
}

bool gateway_scope(const struct gateway *gw, struct span server, int *scope)
{
	for (size_t i = 0; i < gw->slot_count; i++) {
		if (!span_eq(server, span_of(gw->slots[i]->conf->name)))
			continue;
		*scope = (int)i;
		return true;
	}
	return false;
}

void gateway_refuse(struct gateway *gw, struct span id, enum end_reason why, struct buf *out)
{
	gw->counts.refused++;
	gw->counts.overloaded += why == END_OVERLOADED;
	rpc_put_end(out, id, &(struct rpc_end){ .why = why, .outcome = OUTCOME_NOT_SENT });
}

struct session *gateway_session(struct gateway *gw, struct span token)
{
	return session_find(gw->sessions, token, clock_wall_ms());
}

static bool is_full(const struct gateway *gw, const struct session *s)
{
	return gw->in_flight >= gw->conf.max_in_flight ||
	       (s != NULL && s->call_count >= gw->conf.max_in_flight_per_session);
}

/* A retry of ours whose call is not parked. False: it is answered. */
static bool may_run_again(struct call *c, const struct message *m)
{
	const char *fault;

	switch (url_needed_redeem(c->gw, m, &fault)) {
	case REDO_RUNS:
		c->retry_fault = NULL;
		return true;
	case REDO_DECLINED:
		call_give_up(c, span_of(fault));
		return false;
	case REDO_REFUSED:
		break;
	}
	call_fail(c, RPC_INVALID_PARAMS, span_of(fault));
	return false;
}

static struct call *submit(struct gateway *gw, struct session *session, int scope, const struct message *m,
        const struct request_meta *meta, const struct reply_port *port, void *arg, const struct refusal *refusal)
{
	bool retry = meta != NULL && request_state_is_ours(m);

	if (retry) {
		const char *fault;
		struct call *parked = park_resume(gw, session, scope, m, meta, port, arg, &fault);
		if (parked != NULL)
			return parked;
	}
	if (gw->refusing || is_full(gw, session)) {
		*refusal->why = gw->refusing ? END_DRAINING : END_OVERLOADED;
		gateway_refuse(gw, m->id, *refusal->why, refusal->json);
		return NULL;
	}
	struct call *c = call_new(gw, session, scope, m, meta, port, arg);
	if (meta != NULL && c->client.level < gw->level)
		news_level(gw);
	if (!retry || may_run_again(c, m))
		serve_request(c, m);
	return c;
}

struct call *gateway_submit(struct gateway *gw, struct session *session, int scope, const struct message *m,
        const struct reply_port *port, void *arg, const struct refusal *refusal)
{
	return submit(gw, session, scope, m, NULL, port, arg, refusal);
}

struct call *gateway_submit_modern(struct gateway *gw, struct session *local, int scope, const struct message *m,
        const struct request_meta *meta, const struct reply_port *port, void *arg, const struct refusal *refusal)
{
	return submit(gw, local, scope, m, meta, port, arg, refusal);
}

struct session *gateway_local_session(struct gateway *gw)
{
	struct session *s = session_create_local(gw->sessions, &(struct session_info){ .revision = REVISION_MODERN });

	s->level = LEVEL_COUNT; /* each request says its own */
	return s;
}

/* MCP 2025-11-25, Cancellation: unknown and finished ids are ignored. */
static void cancel_by_id(struct session *s, struct span id)
{
	list_each (node, &s->calls) {
		struct call *c = list_entry(node, struct call, in_session);
		if (!span_eq(c->id, id))
			continue;
		call_end_with(c, CALL_EV_CANCEL, END_CANCELLED, OUTCOME_NOT_SENT);
		return;
	}
}

void gateway_notify(struct gateway *gw, struct session *session, const struct message *m)
{
	bool cancels = m->method_id == METHOD_CANCELLED && span_is_set(m->request_id);
	if (session != NULL && cancels && !listens_cancel(gw, session, m->request_id))
		cancel_by_id(session, m->request_id);
	if (session != NULL && m->method_id == METHOD_ROOTS_CHANGED)
		slots_each (slot, gw)
			slot->backend->ops->notify(slot->backend, session->nonce, METHOD_ROOTS_CHANGED, SPAN_NONE);
}

static bool is_lost(const struct gateway *gw, const struct slot *slot)
{
	return slot->conf->startup == STARTUP_REQUIRED && slot->was_up && !slot_is_up(slot) &&
	       mono_diff(gw->sched->now, slot->down_since) >= REQUIRED_LOSS_MS;
}

void gateway_state(const struct gateway *gw, struct gateway_state *state)
{
	*state = (struct gateway_state){
		.required_up = true,
		.tried = true,
		.backends_stopped = true,
		.in_flight = gw->in_flight,
		.parked = gw->parks.parked,
		.sessions = (unsigned)sessions_count(gw->sessions),
		.streams = gw->push_count,
		.listens = gw->listen_count,
		.configured = (unsigned)gw->slot_count,
	};
	for (size_t i = 0; i < gw->slot_count; i++) {
		const struct slot *slot = gw->slots[i];
		bool waits = slot->conf->startup != STARTUP_LAZY && !slot->tried &&
		             !mono_past(slot->wait_until, gw->sched->now);
		state->required_up &= slot->conf->startup != STARTUP_REQUIRED || slot_is_up(slot);
		state->tried &= !waits;
		state->lost_required |= gw->conf.fail_on_required_loss && is_lost(gw, slot);
		state->connected += slot_is_up(slot);
	}
	slots_each (slot, gw)
		state->backends_stopped &= slot->state == BACKEND_STOPPED;
}

size_t gateway_busy_sessions(const struct gateway *gw, uint64_t *nonces)
{
	size_t n = 0;

	list_each (node, &gw->calls) {
		const struct call *c = list_entry(node, struct call, in_gateway);
		if (c->session != NULL)
			nonces[n++] = c->session->nonce;
	}
	assert(n <= gw->in_flight);
	return n;
}

bool gateway_is_degraded(const struct gateway *gw)
{
	for (size_t i = 0; i < gw->slot_count; i++) {
		const struct slot *slot = gw->slots[i];
		if (slot->tried && !slot_is_up(slot) && slot->conf->startup != STARTUP_LAZY)
			return true;
	}
	return false;
}

void gateway_missing(const struct gateway *gw, struct buf *out)
{
	for (size_t i = 0; i < gw->slot_count; i++) {
		const struct slot *slot = gw->slots[i];
		bool awaited = slot->conf->startup == STARTUP_REQUIRED ||
		               (slot->conf->startup == STARTUP_EAGER && !slot->tried);
		if (slot_is_up(slot) || !awaited)
			continue;
		buf_printf(out, "%s: %s%s%s\n", slot->conf->name, backend_state_name(slot->state),
		        slot->why[0] != '\0' ? ": " : "", slot->why);
	}
}

static void on_watch(void *arg)
{
	struct gateway *gw = arg;

	gw->watch_changed(gw->watch_arg);
}

void gateway_watch(struct gateway *gw, void (*changed)(void *arg), void *arg)
{
	post_cancel(&gw->watch_post);
	gw->watch_changed = changed;
	gw->watch_arg = arg;
}

void gateway_changed(struct gateway *gw)
{
	if (gw->watch_changed != NULL)
		post_set(gw->sched, &gw->watch_post, on_watch, gw);
}

void gateway_refuse_new(struct gateway *gw)
{
	gw->refusing = true;
	slots_each (slot, gw)
		slot->backend->ops->no_more(slot->backend);
}

bool gateway_is_refusing(const struct gateway *gw)
{
	return gw->refusing;
}

/* The servers are told of their questions now, for they are stopped before the ends of the calls are told. */
void gateway_cut_calls(struct gateway *gw)
{
	asks_cut(gw);
	list_each (node, &gw->calls)
		call_end_with(list_entry(node, struct call, in_gateway), CALL_EV_CUT, END_DRAINING, OUTCOME_NOT_SENT);
}

void gateway_cut_orphans(struct gateway *gw)
{
	list_each (node, &gw->calls) {
		struct call *c = list_entry(node, struct call, in_gateway);
		if (c->state == CALL_DETACHED)
			call_end_with(c, CALL_EV_CUT, END_CLIENT_GONE, OUTCOME_NOT_SENT);
	}
}

void gateway_limit_stop(struct gateway *gw, msec_t eof_ms, msec_t term_ms)
{
	slots_each (slot, gw)
		slot->backend->ops->limit_stop(slot->backend, eof_ms, term_ms);
}

void gateway_stop_backends(struct gateway *gw, enum backend_stop how)
{
	slots_each (slot, gw)
		slot->backend->ops->stop(slot->backend, how);
	gateway_changed(gw);
}

void gateway_stop_unready(struct gateway *gw)
{
	list_each (node, &gw->held)
		call_end_with(list_entry(node, struct call, in_held), CALL_EV_CUT, END_DRAINING, OUTCOME_NOT_SENT);
	slots_each (slot, gw)
		if (slot->state != BACKEND_READY)
			slot->backend->ops->stop(slot->backend, BACKEND_STOP_FAST);
}

const struct ledger_counts *gateway_counts(const struct gateway *gw)
{
	return &gw->counts;
}

void gateway_count_dropped(struct gateway *gw)
{
	gw->counts.dropped_messages++;
}

void gateway_count_reload(struct gateway *gw, enum reload_result result)
{
	gw->counts.reloads[result]++;
	gw->counts.reload_refused = result == RELOAD_REFUSED;
}

const char *reload_result_name(enum reload_result result)
{
	static const char *const names[RELOAD_RESULT_COUNT] = {
		[RELOAD_APPLIED] = "applied",
		[RELOAD_REFUSED] = "refused",
		[RELOAD_UNCHANGED] = "unchanged",
	};

	assert(result < RELOAD_RESULT_COUNT);
	return names[result];
}

struct catalog *gateway_catalog(struct gateway *gw)
{
	return gw->catalog;
}

struct span gateway_tool_schema(const struct gateway *gw, int scope, struct span name)
{
	struct route route;

	if (!catalog_route(gw->catalog, scope, LIST_TOOLS, name, &route) || !route.listed)
		return SPAN_NONE;
	return json_member(route.item, "inputSchema");
}

struct backend *gateway_backend(const struct gateway *gw, size_t i)
{
	return gw->slots[i]->backend;
}

const struct backend_hello *gateway_hello(const struct gateway *gw, size_t i)
{
	return gw->slots[i]->greeted ? &gw->slots[i]->hello : NULL;
}
