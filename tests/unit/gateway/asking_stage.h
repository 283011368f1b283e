/*
 * What the tests of asks, leases and subscriptions share: a gateway with one puppet of a server, "a", and clients. All
 * that goes down to the server is written down, a line each, and so is all that goes up to a client.
 */
#ifndef SLUICE_TESTS_ASKING_STAGE_H
#define SLUICE_TESTS_ASKING_STAGE_H

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway.h"

struct puppet {
	struct backend base; /* first */
	struct sched *sched;
	struct buf down;
	struct list calls;
	uint64_t next_id, next_ask;
	struct backend_link link; /* that calls are at, unless their session has one of its own */
	struct backend_link own[4];
	bool own_links; /* link i is session i's, by the order of their first calls */
	struct post stopped;
};

static inline struct puppet *puppet_of(struct backend *b)
{
	return (struct puppet *)(void *)b;
}

static inline const struct backend_link *link_for(struct puppet *p, const struct backend_client *client)
{
	if (!p->own_links)
		return &p->link;
	for (int i = 0; i < 4; i++) {
		if (p->own[i].session == 0)
			p->own[i].session = client->session;
		if (p->own[i].session == client->session)
			return &p->own[i];
	}
	fail_msg("too many sessions");
	return NULL;
}

static inline void puppet_start(struct backend *b)
{
	(void)b;
}

static inline void puppet_submit(
        struct backend *b, struct backend_call *call, const struct message *m, struct splice name)
{
	struct puppet *p = puppet_of(b);
	struct pieces text = pieces_splice(m->text, &name, 1);

	call->id = ++p->next_id;
	call->link = link_for(p, call->client);
	list_append(&p->calls, &call->node);
	buf_printf(&p->down, "%llu: ", (unsigned long long)call->id);
	pieces_put(&p->down, &text);
	buf_add_char(&p->down, '\n');
}

static inline enum outcome puppet_cancel(struct backend *b, struct backend_call *call, struct span reason)
{
	(void)reason;
	buf_printf(&puppet_of(b)->down, "cancel %llu\n", (unsigned long long)call->id);
	list_unlink(&call->node);
	return OUTCOME_UNKNOWN;
}

static inline void puppet_answer(struct backend *b, uint64_t ask, const struct pieces *outcome)
{
	struct puppet *p = puppet_of(b);

	buf_printf(&p->down, "answer %llu ", (unsigned long long)ask);
	pieces_put(&p->down, outcome);
	buf_add_char(&p->down, '\n');
}

static inline void puppet_end_session(struct backend *b, uint64_t session)
{
	(void)session;
	buf_printf(&puppet_of(b)->down, "session ended\n");
}

static inline void puppet_tell(struct backend *b, enum method method, struct span params)
{
	buf_printf(&puppet_of(b)->down, "tell %.*s %.*s\n", SPAN_ARG(method_name(method)), SPAN_ARG(params));
}

static inline void puppet_notify(struct backend *b, uint64_t session, enum method method, struct span params)
{
	(void)session;
	(void)params;
	buf_printf(&puppet_of(b)->down, "notify %.*s\n", SPAN_ARG(method_name(method)));
}

static inline void puppet_want_updates(
        struct backend *b, uint64_t session, enum wanted_kind kind, struct span text, bool wanted, bool tell)
{
	buf_printf(&puppet_of(b)->down, "%s %s%.*s%s%s\n", wanted ? "wanted" : "not wanted",
	        kind == WANTED_TASK ? "task " : "", SPAN_ARG(text), session != 0 ? " by one" : "",
	        tell ? ", tell it" : "");
}

static inline void on_stopped(void *arg)
{
	struct puppet *p = arg;

	p->base.events->state(p->base.arg, BACKEND_STOPPED, "asked to stop", 0);
}

static inline void puppet_stop(struct backend *b, enum backend_stop how)
{
	struct puppet *p = puppet_of(b);

	(void)how;
	post_set(p->sched, &p->stopped, on_stopped, p);
}

static inline void puppet_no_more(struct backend *b)
{
	(void)b;
}

static inline void puppet_limit_stop(struct backend *b, msec_t eof_ms, msec_t term_ms)
{
	(void)b;
	(void)eof_ms;
	(void)term_ms;
}

static inline void puppet_configure(struct backend *b, const struct backend_conf *conf)
{
	b->conf = conf;
}

static inline void puppet_free(struct backend *b)
{
	struct puppet *p = puppet_of(b);

	assert_true(list_is_empty(&p->calls));
	post_cancel(&p->stopped);
	buf_free(&p->down);
	free(p);
}

static const struct backend_ops puppet_ops = {
	.start = puppet_start,
	.submit = puppet_submit,
	.cancel = puppet_cancel,
	.answer = puppet_answer,
	.end_session = puppet_end_session,
	.tell = puppet_tell,
	.notify = puppet_notify,
	.want_updates = puppet_want_updates,
	.stop = puppet_stop,
	.no_more = puppet_no_more,
	.limit_stop = puppet_limit_stop,
	.configure = puppet_configure,
	.free = puppet_free,
};

/* ---- the gateway ---- */

struct stage {
	struct sched sched;
	struct key_ring *keys;
	struct gateway *gw;
	struct puppet *a;
	struct buf up; /* what all clients got */
};

struct asked {
	struct client *c;
	int id;
};

struct client {
	struct stage *s;
	char name; /* in front of its lines */
	struct session *session;
	struct push push;
	bool pushed;
	bool sees_answers;     /* they are written down too */
	struct call *calls[8]; /* by their ids; NULL: ended */
	struct asked asked[8];
};

static inline void run(struct stage *s)
{
	for (int i = 0; i < 20; i++)
		sched_run_posts(&s->sched);
}

static inline void pass(struct stage *s, msec_t ms)
{
	run(s);
	sched_run_timers(&s->sched, mono_add(s->sched.now, ms));
	run(s);
}

static inline struct message parsed(const char *text)
{
	struct message_fault fault;
	struct message m;

	if (!message_parse(span_of(text), 20, &m, &fault))
		fail_msg("%s: %s", fault.sentence, text);
	return m;
}

static const char *const stage_argv[] = { "sh", NULL };

static inline struct backend_conf server_conf(enum isolation isolation)
{
	return (struct backend_conf){
		.name = "a",
		.startup = STARTUP_EAGER,
		.request_timeout_ms = 1000,
		.max_request_timeout_ms = 10000,
		.isolation = isolation,
		.argv = stage_argv,
		.env = stage_argv,
		.max_in_flight = 10,
		.max_message_bytes = 10000,
		.max_depth = 20,
	};
}

static inline void come_up(struct stage *s)
{
	static const char *const lists[LIST_KINDS] = { [LIST_TOOLS] = "[{\"name\":\"x\"}]",
		[LIST_RESOURCES] = "[{\"uri\":\"u:1\",\"name\":\"1\"},{\"uri\":\"u:2\",\"name\":\"2\"}]",
		[LIST_TEMPLATES] = "[]",
		[LIST_PROMPTS] = "[]" };
	const struct backend *b = &s->a->base;
	struct backend_hello hello = { .tools = true, .resources = true, .subscribe = true };

	b->events->hello(b->arg, &hello);
	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++) {
		struct item_list list = { .text = span_dup(span_of(lists[kind])),
			.items = mem_alloc(strlen(lists[kind]) * sizeof(struct span)) };
		struct json_walk w = json_walk(span_of(list.text));
		while (json_next(&w, NULL, &list.items[list.count]))
			list.count++;
		b->events->list(b->arg, kind, &list);
	}
	b->events->state(b->arg, BACKEND_READY, "", 0);
}

static inline void stage_open(struct stage *s, const struct backend_conf *server)
{
	const struct gateway_conf conf = {
		.servers = server,
		.server_count = 1,
		.prefixed = true,
		.page_items = 100,
		.max_in_flight = 100,
		.max_in_flight_per_session = 100,
		.version = "0",
	};
	const struct session_conf sessions = { .idle_timeout_ms = 3600000, .max = 10, .required = true };
	struct logger silent = { 0 };
	struct err e;

	*s = (struct stage){ 0 };
	sched_init(&s->sched, (mono_t){ 1000 });
	s->keys = key_ring_new(NULL, 0, &e);
	s->gw = gateway_new(&conf, &s->sched, sessions_new(&sessions, s->keys, &s->sched, 1), &silent);
	s->a = NEW(struct puppet);
	s->a->base = (struct backend){ &puppet_ops, gateway_backend_conf(s->gw, 0), &gateway_backend_events,
		gateway_backend_arg(s->gw, 0) };
	s->a->sched = &s->sched;
	list_init(&s->a->calls);
	gateway_attach(s->gw, 0, &s->a->base);
	gateway_start(s->gw);
	come_up(s);
	pass(s, 1000);
}

static inline void stage_close(struct stage *s)
{
	struct gateway_state state;

	gateway_end_pushes(s->gw, 0);
	gateway_cut_calls(s->gw);
	gateway_stop_backends(s->gw, BACKEND_STOP_LADDER);
	run(s);
	gateway_state(s->gw, &state);
	assert_true(state.backends_stopped);
	assert_int_equal(state.in_flight, 0);
	gateway_free(&s->gw);
	key_ring_free(&s->keys);
	sched_clear(&s->sched);
	buf_free(&s->up);
}

/* What was written down since the last time, and nothing else. */
static inline void expect(struct buf *notes, const char *wanted)
{
	if (!span_eq(buf_span(notes), span_of(wanted)))
		fail_msg("got:\n%.*s\nwanted:\n%s", SPAN_ARG(buf_span(notes)), wanted);
	buf_free(notes);
}

/* ---- clients ---- */

static inline void note(struct client *c, const struct pieces *json)
{
	buf_add_char(&c->s->up, c->name);
	buf_add_char(&c->s->up, ' ');
	pieces_put(&c->s->up, json);
	buf_add_char(&c->s->up, '\n');
}

static inline void on_message(void *arg, const struct pieces *json)
{
	note(((struct asked *)arg)->c, json);
}

static inline void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct asked *a = arg;

	if (a->c->sees_answers)
		note(a->c, json);
	buf_printf(&a->c->s->up, "%c %d ended: %s\n", a->c->name, a->id, end_reason_name(why));
	a->c->calls[a->id] = NULL;
}

static const struct reply_port stage_reply_port = { on_message, on_ended };

static inline void on_push(void *arg, const struct pieces *json)
{
	note(arg, json);
}

static inline void on_push_end(void *arg)
{
	((struct client *)arg)->pushed = false;
}

static const struct push_port stage_push_port = { on_push, on_push_end };

static inline void client_open(struct client *c, struct stage *s, char name, const char *capabilities)
{
	struct buf text = { 0 }, out = { 0 };
	enum end_reason why;

	*c = (struct client){ .s = s, .name = name };
	buf_printf(&text,
	        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
	        "\"2025-11-25\",\"capabilities\":%s}}",
	        capabilities);
	buf_add_char(&text, '\0');
	struct message m = parsed(buf_span(&text).p);
	c->session = gateway_initialize(s->gw, SCOPE_ALL, &m, false, &out, &why);
	assert_non_null(c->session);
	buf_free(&text);
	buf_free(&out);
}

static inline void client_push(struct client *c)
{
	c->push = (struct push){ .scope = SCOPE_ALL, .port = &stage_push_port, .arg = c };
	c->pushed = true;
	gateway_push_open(c->s->gw, c->session, &c->push);
}

static inline void client_request(struct client *c, int id, const char *method, const char *params)
{
	struct asked *a = &c->asked[id];
	enum end_reason why;
	struct buf text = { 0 }, error = { 0 };

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":%s}", id, method, params);
	buf_add_char(&text, '\0');
	struct message m = parsed(buf_span(&text).p);
	*a = (struct asked){ .c = c, .id = id };
	c->calls[id] = gateway_submit(
	        c->s->gw, c->session, SCOPE_ALL, &m, &stage_reply_port, a, &(struct refusal){ &why, &error });
	assert_non_null(c->calls[id]);
	buf_free(&text);
	buf_free(&error);
}

static inline void client_call(struct client *c, int id)
{
	client_request(c, id, "tools/call", "{\"name\":\"a__x\"}");
}

/* A message that is no request. */
static inline void client_says(struct client *c, const char *text)
{
	struct message m = parsed(text);

	if (m.kind == MESSAGE_NOTIFICATION)
		gateway_notify(c->s->gw, c->session, &m);
	else
		gateway_answer(c->s->gw, c->session, &m);
}

/* ---- the server ---- */

/* ... whether it will tell of something. */
static inline void server_agrees(struct stage *s, enum wanted_kind kind, const char *text, bool yes)
{
	const struct backend *b = &s->a->base;

	b->events->agreed(b->arg, 0, kind, span_of(text), yes);
	run(s);
}

/* ... its oldest call, in the modern revision, with a result or an error. */
static inline void modern_server_answers(struct stage *s, const char *member)
{
	struct backend_call *call = list_entry(list_take_first(&s->a->calls), struct backend_call, node);
	struct buf text = { 0 };

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":1,%s}", member);
	buf_add_char(&text, '\0');
	struct message m = parsed(buf_span(&text).p);
	call->modern = true;
	call->sink->ended(call, m.kind == MESSAGE_RESULT ? END_RESULT : END_SERVER_ERROR, OUTCOME_KNOWN, &m);
	buf_free(&text);
}

/* It answers its oldest call. */
static inline void server_answers(struct stage *s)
{
	struct backend_call *call = list_entry(list_take_first(&s->a->calls), struct backend_call, node);
	struct message m = parsed("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");

	call->sink->ended(call, END_RESULT, OUTCOME_KNOWN, &m);
}

static inline void server_asks_at(
        struct stage *s, const struct backend_link *link, const char *method, const char *params)
{
	const struct backend *b = &s->a->base;
	struct buf text = { 0 };

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}", method, params);
	buf_add_char(&text, '\0');
	struct message m = parsed(buf_span(&text).p);
	b->events->ask(b->arg, &(struct backend_ask){ .id = ++s->a->next_ask, .link = link }, &m);
	buf_free(&text);
}

static inline void server_asks(struct stage *s)
{
	server_asks_at(s, &s->a->link, "elicitation/create", "{}");
}

static inline void server_says(struct stage *s, const char *text)
{
	const struct backend *b = &s->a->base;
	struct message m = parsed(text);

	b->events->notification(b->arg, &s->a->link, &m);
}

#endif
