/*
 * The ledger: a call's making, its steps through the table of call_life.h, and its one end.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "mcp/bridge.h"
#include "mcp/older.h"
#include "mcp/structured.h"
#include "json/write.h"

#define NAME_KEPT_MAX 256 /* bytes of raw JSON */

static void on_progress(struct backend_call *at, const struct message *m);
static void on_backend_end(struct backend_call *at, enum end_reason why, enum outcome outcome, const struct message *m);

static void on_notification(struct backend_call *at, const struct message *m);
static void on_timeout(void *arg);

static const struct backend_sink sink = {
	.progress = on_progress,
	.notification = on_notification,
	.ended = on_backend_end,
};

static enum message_level level_asked(const struct request_meta *meta)
{
	char room[16];

	if (json_type_of(meta->level) != JSON_STRING || meta->level.n > sizeof(room))
		return LEVEL_COUNT;
	int level = message_level_parse(json_decode(meta->level, room));
	return level < 0 ? LEVEL_COUNT : (enum message_level)level;
}

/* Who asks: what a modern request says of itself, the client of the session, or somebody of whom nothing is known. */
static struct backend_client client_of(const struct session *s, const struct request_meta *meta)
{
	if (meta != NULL)
		return (struct backend_client){
			.session = s != NULL ? s->nonce : 0,
			.revision = REVISION_MODERN,
			.capabilities = client_capabilities_read(meta->capabilities),
			.level = level_asked(meta),
		};
	if (s == NULL)
		return (struct backend_client){ .revision = REVISION_NEWEST_LEGACY, .level = LEVEL_COUNT };
	return (struct backend_client){
		.session = s->nonce,
		.revision = s->info.revision,
		.capabilities = s->info.capabilities,
		.level = s->level,
	};
}

/* Copies to where `to` is, and moves it on. */
static struct span keep(char **to, struct span given)
{
	char *at = *to;

	if (!span_is_set(given))
		return SPAN_NONE;
	memcpy(at, given.p, given.n);
	*to += given.n;
	return (struct span){ at, given.n };
}

/* Each with its length in front, so that no two requests make the same text. */
void call_digest(const struct message *m, unsigned char out[PARK_DIGEST_BYTES])
{
	const struct span parts[] = { m->method, m->name, m->uri, m->arguments };
	struct buf text = { 0 };

	for (unsigned i = 0; i < 4; i++)
		buf_printf(&text, "%zu:%.*s", parts[i].n, SPAN_ARG(span_is_set(parts[i]) ? parts[i] : SPAN("")));
	digest(buf_span(&text), out);
	buf_free(&text);
}

/* A call with what is kept of the message, in one piece of memory. */
static struct call *call_make(const struct message *m, struct span info, struct span declared)
{
	bool of_resource = m->method_id == METHOD_RESOURCES_READ || m->method_id == METHOD_RESOURCES_SUBSCRIBE;
	struct span uri = of_resource ? m->uri : SPAN_NONE;
	struct span name = m->name.n <= NAME_KEPT_MAX ? m->name : SPAN_NONE;
	size_t size = m->id.n + m->progress_token.n + m->cursor.n + uri.n + name.n + info.n + declared.n;
	struct call *c = mem_zalloc(sizeof(*c) + size);
	char *to = c->bytes;

	c->id = keep(&to, m->id);
	c->token = keep(&to, m->progress_token);
	c->cursor = keep(&to, m->cursor);
	c->uri = keep(&to, uri);
	c->name = keep(&to, name);
	c->client.info = keep(&to, info);
	c->client.declared = keep(&to, declared);
	return c;
}

bool call_is_modern(const struct call *c)
{
	return revision_is_modern(c->client.revision);
}

struct call *call_new(struct gateway *gw, struct session *session, int scope, const struct message *m,
        const struct request_meta *meta, const struct reply_port *port, void *arg)
{
	struct call *c =
	        call_make(m, meta != NULL ? meta->info : SPAN_NONE, meta != NULL ? meta->capabilities : SPAN_NONE);
	struct span info = c->client.info, declared = c->client.declared;

	c->gw = gw;
	c->client = client_of(session, meta);
	c->client.info = info;
	c->client.declared = declared;
	c->at.sink = &sink;
	c->at.client = &c->client;
	c->method = m->method_id;
	c->scope = scope;
	c->port = port;
	c->arg = arg;
	c->session = session;
	c->began = gw->sched->now;
	list_init(&c->asks);
	if (call_is_modern(c)) {
		c->retry_fault = retry_fault(m);
		if (c->client.capabilities != 0)
			call_digest(m, c->digest);
	}
	list_append(&gw->calls, &c->in_gateway);
	if (session != NULL) {
		list_append(&session->calls, &c->in_session);
		session->call_count++;
	}
	gw->in_flight++;
	gw->counts.accepted++;
	return c;
}

static void set_slot(struct call *c, struct slot *slot)
{
	if (c->slot != NULL && --c->slot->users == 0)
		slot_leave_soon(c->slot);
	c->slot = slot;
	if (slot != NULL)
		slot->users++;
}

static void call_free(struct call *c)
{
	set_slot(c, NULL);
	timer_stop(c->gw->sched, &c->timeout);
	post_cancel(&c->post);
	list_unlink(&c->in_gateway);
	list_unlink(&c->in_session);
	list_unlink(&c->in_slot);
	list_unlink(&c->in_held);
	if (c->session != NULL)
		c->session->call_count--;
	buf_free(&c->answer);
	buf_free(&c->waiting_text);
	buf_free(&c->kept);
	rounds_free(c);
	free(c->retry_bytes);
	free(c->kept_text);
	free(c->candidates);
	free(c);
}

static void count_end(const struct call *c, enum end_reason why, enum outcome outcome)
{
	struct ledger_counts *all = &c->gw->counts;
	struct server_counts *own = c->slot != NULL ? c->slot->counts : NULL;

	all->ended[why]++;
	all->not_sent += outcome == OUTCOME_NOT_SENT;
	all->unknown += outcome == OUTCOME_UNKNOWN;
	if (own == NULL)
		return;
	own->ended[why]++;
	own->not_sent += outcome == OUTCOME_NOT_SENT;
	own->unknown += outcome == OUTCOME_UNKNOWN;
	histogram_add(&own->call_ms, mono_diff(c->gw->sched->now, c->began));
}

/* The error of a call that has no answer, in the gateway's scratch. */
static struct span end_text(struct call *c)
{
	struct buf *out = &c->gw->scratch;

	buf_reset(out);
	rpc_put_end(out, c->id,
	        &(struct rpc_end){ .why = c->why,
	                .outcome = c->outcome,
	                .backend = c->slot != NULL ? span_of(c->slot->conf->name) : SPAN_NONE,
	                .safe_to_repeat = c->safe_to_repeat });
	return buf_span(out);
}

static struct bridge_asked asked_by(const struct call *c)
{
	return (struct bridge_asked){ c->method, c->uri, buf_span(&c->gw->server_info) };
}

/* A server's answer with the client's id, and as the client's revision wants it. */
static struct pieces passed_on(struct call *c, const struct message *answer)
{
	struct bridge_asked asked = asked_by(c);
	bool down = c->at.modern && !call_is_modern(c);
	struct bridge b = { .n = 0 };
	struct span old;

	buf_reset(&c->gw->scratch);
	if (call_is_modern(c))
		bridge_to_modern(&b, answer, c->at.modern, &asked, &c->gw->scratch);
	else if (down)
		bridge_to_legacy(&b, answer, &asked, &c->gw->scratch);
	struct span structured = down && c->method == METHOD_TOOLS_CALL ? structured_odd(answer) : SPAN_NONE;
	if (older_content(c->method, answer, c->client.revision, structured, &old, &c->answer))
		b.splices[b.n++] = (struct splice){ .out = old, .in = buf_span(&c->answer) };
	b.splices[b.n++] = (struct splice){ .out = answer->id, .in = c->id };
	b.n += tasks_put_prefixes(c, answer, b.splices + b.n);
	return pieces_splice(answer->text, b.splices, b.n);
}

static struct pieces last_word(struct call *c, const struct message *answer)
{
	if (answer != NULL)
		return passed_on(c, answer);
	return pieces_of(buf_size(&c->answer) > 0 ? buf_span(&c->answer) : end_text(c));
}

/* It works for this call no more, so what it has asked for it ends, and its turn, if it had one. */
static void leave_server(struct call *c)
{
	asks_call_left(c);
	park_leave(c);
	lease_give_back(c);
}

/* What the client gets in the place of the server's answer; NULL: that is in c->answer. */
static const struct message *explained(struct call *c, const struct message *answer)
{
	if (c->port == NULL || answer == NULL)
		return answer;
	if (lacking_explains(c, answer)) {
		lacking_put_error(c);
		c->why = END_REFUSED;
		return NULL;
	}
	return url_needed_answers(c, answer, &c->why) ? NULL : answer;
}

/* The end. Whatever the port does in `ended`, it finds the call out of the ledger. */
static void finish(struct call *c, const struct message *answer)
{
	struct gateway *gw = c->gw;

	answer = explained(c, answer);
	count_end(c, c->why, c->outcome);
	gw->in_flight--;
	log_trace(&gw->log, "call_ended", "a call ended", F_SPAN("method", method_name(c->method)),
	        F_STR("why", end_reason_name(c->why)));
	list_unlink(&c->in_gateway);
	leave_server(c);
	if (c->port != NULL) {
		struct pieces json = last_word(c, answer);
		c->port->ended(c->arg, c->why, &json);
	}
	call_free(c);
	if (gw->in_flight == 0)
		gateway_changed(gw);
}

static void step_with(struct call *c, enum call_event event, const struct message *answer);

/* What it ends with may have been kept for a while. */
static void on_posted(void *arg)
{
	struct message_fault fault;
	struct call *c = arg;
	struct message m;
	bool kept = buf_size(&c->kept) > 0;
	bool parsed = kept && message_parse(buf_span(&c->kept), JSON_DEPTH_MAX, &m, &fault);

	assert(parsed == kept);
	step_with(c, CALL_EV_POSTED, kept ? &m : NULL);
}

/* ---- parked calls: the ledger knows the request that parked it as answered, and the retry as another one ---- */

static void drop_parked(struct call *c)
{
	struct gateway *gw = c->gw;

	gw->parks.parked--;
	leave_server(c);
	call_free(c);
	if (gw->in_flight == 0)
		gateway_changed(gw);
}

void call_park(struct call *c, struct span json)
{
	struct gateway *gw = c->gw;
	const struct reply_port *port = c->port;
	struct pieces text = pieces_of(json);

	count_end(c, END_RESULT, OUTCOME_KNOWN);
	gw->in_flight--;
	gw->parks.parked++;
	if (c->session != NULL)
		c->session->call_count--;
	list_unlink(&c->in_session);
	c->session = NULL;
	call_step(c, CALL_EV_PARK);
	timer_set(gw->sched, &c->timeout, c->deadline, on_timeout, c);
	port->ended(c->arg, END_RESULT, &text);
	if (gw->in_flight == 0)
		gateway_changed(gw);
}

static void keep_for_later(struct call *c, const struct message *answer)
{
	if (answer != NULL)
		buf_add(&c->kept, answer->text);
}

void call_resume(struct call *c, struct session *session, const struct message *m, const struct request_meta *meta,
        const struct reply_port *port, void *arg)
{
	struct gateway *gw = c->gw;

	free(c->retry_bytes);
	char *to = c->retry_bytes = mem_alloc(m->id.n + m->progress_token.n);
	c->id = keep(&to, m->id);
	c->token = keep(&to, m->progress_token);
	c->client.capabilities = client_capabilities_read(meta->capabilities);
	c->client.level = level_asked(meta);
	c->port = port;
	c->arg = arg;
	c->session = session;
	c->began = gw->sched->now;
	if (session != NULL) {
		list_append(&session->calls, &c->in_session);
		session->call_count++;
	}
	gw->parks.parked--;
	gw->in_flight++;
	gw->counts.accepted++;
	call_step(c, CALL_EV_RESUME);
	if (c->state == CALL_AT_BACKEND)
		call_rearm(c);
}

static void take_back(struct call *c)
{
	struct buf *reason = &c->gw->scratch;

	buf_reset(reason);
	json_put_string(reason, span_of(end_reason_sentence(c->why)));
	if (lease_is_waiting(c)) {
		lease_leave(c);
		c->outcome = OUTCOME_NOT_SENT;
		return;
	}
	c->outcome = c->slot->backend->ops->cancel(c->slot->backend, &c->at, buf_span(reason));
	list_unlink(&c->in_slot);
}

static void step_with(struct call *c, enum call_event event, const struct message *answer)
{
	struct call_step step = call_next(c->state, event);

	c->state = step.next;
	if (step.next == CALL_ENDING || step.next == CALL_ENDED) {
		timer_stop(c->gw->sched, &c->timeout);
		list_unlink(&c->in_held);
	}
	if (step.actions & CALL_DO_TAKE_BACK)
		take_back(c);
	if (step.actions & CALL_DO_FORGET_PORT) {
		c->port = NULL;
		asks_call_left(c);
	}
	if (step.actions & CALL_DO_POST_END)
		post_set(c->gw->sched, &c->post, on_posted, c);
	if (step.actions & CALL_DO_END)
		finish(c, answer);
	if (step.actions & CALL_DO_DROP)
		drop_parked(c);
}

void call_step(struct call *c, enum call_event event)
{
	step_with(c, event, NULL);
}

void call_end_with(struct call *c, enum call_event event, enum end_reason why, enum outcome outcome)
{
	if (c->state != CALL_ENDING) {
		bool was_there = c->state == CALL_ASKING && outcome == OUTCOME_NOT_SENT;
		c->why = c->state == CALL_DETACHED ? END_CLIENT_GONE : why;
		c->outcome = was_there ? OUTCOME_UNKNOWN : outcome;
	}
	call_step(c, event);
}

void call_answer(struct call *c, struct span result)
{
	struct bridge_asked asked = asked_by(c);
	struct buf stamped = { 0 };

	if (call_is_modern(c))
		bridge_put_result(&stamped, &asked, result);
	rpc_put_result(&c->answer, c->id, call_is_modern(c) ? buf_span(&stamped) : result);
	buf_free(&stamped);
	call_end_with(c, CALL_EV_ANSWER, END_RESULT, OUTCOME_KNOWN);
}

void call_fail(struct call *c, int code, struct span sentence)
{
	rpc_put_error(&c->answer, c->id, code, sentence);
	call_end_with(c, CALL_EV_ANSWER, END_REFUSED, OUTCOME_KNOWN);
}

void call_give_up(struct call *c, struct span sentence)
{
	struct buf result = { 0 };

	if (c->method != METHOD_TOOLS_CALL) {
		call_fail(c, RPC_INTERNAL_ERROR, sentence);
		return;
	}
	bridge_put_tool_error(&result, sentence);
	call_answer(c, buf_span(&result));
	buf_free(&result);
}

void call_fail_not_found(struct call *c)
{
	bridge_put_not_found(&c->answer, c->id, c->uri, call_is_modern(c));
	call_end_with(c, CALL_EV_ANSWER, END_REFUSED, OUTCOME_KNOWN);
}

static void on_timeout(void *arg)
{
	call_end_with(arg, CALL_EV_TIMEOUT, END_BACKEND_TIMEOUT, OUTCOME_UNKNOWN);
}

/* requestTimeout from now, or for as long as a person may think, but never beyond maxRequestTimeout from the start. */
void call_rearm(struct call *c)
{
	struct sched *s = c->gw->sched;
	mono_t at = mono_min(mono_add(s->now, c->slot->conf->request_timeout_ms), c->deadline);

	bool stands_still =
	        c->state == CALL_PARKED || c->state == CALL_ASKING || c->method == METHOD_TASKS_RESULT || asks_hold(c);
	timer_set(s, &c->timeout, stands_still ? c->deadline : at, on_timeout, c);
}

void call_submit(struct call *c, const struct message *m, struct splice name)
{
	rounds_keep(c, m, name);
	list_append(&c->slot->calls, &c->in_slot);
	c->slot->backend->ops->submit(c->slot->backend, &c->at, m, name);
}

void call_send(struct call *c, struct slot *slot, const struct message *m, struct splice name)
{
	struct gateway *gw = c->gw;

	if (c->slot == NULL)
		c->deadline = mono_add(gw->sched->now, slot->conf->max_request_timeout_ms);
	set_slot(c, slot);
	c->at.link = NULL;
	call_step(c, CALL_EV_SEND);
	call_rearm(c);
	if (lease_take(c, m, name))
		call_submit(c, m, name);
}

static void on_progress(struct backend_call *at, const struct message *m)
{
	struct call *c = call_of(at);

	call_rearm(c);
	if (c->port == NULL || !span_is_set(c->token)) {
		c->gw->counts.dropped_messages++;
		return;
	}
	const struct splice splices[] = {
		{ .out = m->token, .in = c->token },
		tasks_related_splice(c->slot, c->scope, m),
	};
	struct pieces json = pieces_splice(m->text, splices, 2);
	c->port->message(c->arg, &json);
}

static void on_notification(struct backend_call *at, const struct message *m)
{
	news_of_call(call_of(at), m);
}

/* A server that does not know the resource: somebody else may (MCP: -32002, and -32602 from newer servers). */
static bool is_not_found(const struct message *answer)
{
	int64_t code;

	return answer->kind == MESSAGE_ERROR && json_to_i64(json_member(answer->error, "code"), &code) &&
	       (code == RPC_NOT_FOUND || code == RPC_INVALID_PARAMS);
}

static void on_backend_end(struct backend_call *at, enum end_reason why, enum outcome outcome, const struct message *m)
{
	struct call *c = call_of(at);

	list_unlink(&c->in_slot);
	leave_server(c);
	if (c->state == CALL_PARKED) {
		c->why = why;
		c->outcome = outcome;
		keep_for_later(c, m);
		step_with(c, CALL_EV_BACKEND_END, NULL);
		return;
	}
	if (m != NULL && c->candidates != NULL && is_not_found(m) && route_next_candidate(c))
		return;
	if (m != NULL && c->state == CALL_AT_BACKEND && rounds_are_needed(c, m)) {
		rounds_begin(c, m);
		return;
	}
	if (why == END_RESULT && c->method == METHOD_RESOURCES_SUBSCRIBE)
		subscribe_agreed(c);
	if (why == END_RESULT && m != NULL)
		tasks_answered(c, m);
	c->why = c->state == CALL_DETACHED ? END_CLIENT_GONE : why;
	c->outcome = outcome;
	step_with(c, CALL_EV_BACKEND_END, m);
}

/* In legacy revisions leaving is not cancelling, but when we drain nobody could fetch the answer any more. */
void gateway_client_gone(struct call *c)
{
	bool runs_on = c->state == CALL_AT_BACKEND;
	bool cancels = call_is_modern(c) || c->gw->refusing;

	call_end_with(c, CALL_EV_GONE, END_CLIENT_GONE, OUTCOME_NOT_SENT); /* one at a backend gets its outcome there */
	if (runs_on && cancels)
		call_end_with(c, CALL_EV_CUT, END_CLIENT_GONE, OUTCOME_NOT_SENT);
}

const char *call_method(const struct call *c)
{
	return method_name(c->method).p;
}

struct span call_id(const struct call *c)
{
	return c->id;
}
