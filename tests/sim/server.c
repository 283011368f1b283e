#include "server.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mcp/jsonrpc.h"
#include "json/write.h"

#define NEVER_MS (-1)

struct temper {
	msec_t latest_ms;                 /* the slowest answer */
	msec_t eof_ms, term_ms;           /* it leaves so long after EOF and SIGTERM; NEVER_MS: it does not care */
	unsigned silent, dying, wrong;    /* percent of the requests: no answer, it dies instead, nonsense */
	unsigned curious;                 /* percent of the calls: it asks the client something first */
	bool mute;                        /* does not even answer initialize */
	msec_t deaf_from_ms, deaf_for_ms; /* after its start: it does not read its stdin */
};

struct answer {
	struct list node;
	struct timer timer;
	struct server *server;
	struct buf text;
};

/* What it has asked, until it is answered. */
struct question {
	struct list node;
	unsigned number;
	int64_t call;          /* for which it asks */
	struct answer *answer; /* that waits for it; NULL: it does not wait */
	bool taken_back;       /* the answer may be on its way */
};

struct server {
	struct list questions;
	unsigned asked;
	struct world *world;
	struct child *process;
	struct temper temper;
	mono_t deaf_from, deaf_to;
	struct list answers; /* to come */
	struct timer leaving, crash, hearing;
	struct buf line;
	bool leaves;
	int exit_signal;
};

static struct temper draw_temper(struct world *w)
{
	return (struct temper){
		.latest_ms = chance(w, 70) ? 50 : 20000,
		.eof_ms = chance(w, 80) ? (msec_t)below(w, 1500) : NEVER_MS,
		.term_ms = chance(w, 80) ? (msec_t)below(w, 1500) : NEVER_MS,
		.silent = chance(w, 20) ? 20 : 0,
		.dying = chance(w, 15) ? 10 : 0,
		.wrong = chance(w, 15) ? 20 : 0,
		.curious = chance(w, 40) ? 60 : 0,
		.mute = chance(w, 7),
		.deaf_from_ms = (msec_t)below(w, 8000),
		.deaf_for_ms = chance(w, 85) ? 0 : (msec_t)below(w, 10000),
	};
}

static void on_crash(void *arg)
{
	struct server *s = arg;

	if (chance(s->world, 50))
		process_exit(s->process, 3);
	else
		process_die_of(s->process, 11);
}

/* Nothing but that the world takes a turn. */
static void on_hearing(void *arg)
{
	(void)arg;
}

struct server *server_new(struct world *w, struct child *process)
{
	struct server *s = NEW(struct server);

	*s = (struct server){ .world = w, .process = process, .temper = draw_temper(w) };
	list_init(&s->answers);
	list_init(&s->questions);
	if (chance(w, 25))
		timer_set_in(world_outside(w), &s->crash, (msec_t)below(w, 20000), on_crash, s);
	s->deaf_from = mono_add(world_outside(w)->now, s->temper.deaf_from_ms);
	s->deaf_to = mono_add(s->deaf_from, s->temper.deaf_for_ms);
	if (s->temper.deaf_for_ms > 0)
		timer_set(world_outside(w), &s->hearing, s->deaf_to, on_hearing, s);
	return s;
}

static void answer_free(struct answer *a)
{
	timer_stop(world_outside(a->server->world), &a->timer);
	list_unlink(&a->node);
	buf_free(&a->text);
	free(a);
}

void server_end(struct server **sp)
{
	struct server *s = *sp;

	*sp = NULL;
	list_each (node, &s->answers)
		answer_free(list_entry(node, struct answer, node));
	list_each (node, &s->questions)
		free(list_entry(node, struct question, node));
	timer_stop(world_outside(s->world), &s->leaving);
	timer_stop(world_outside(s->world), &s->crash);
	timer_stop(world_outside(s->world), &s->hearing);
	buf_free(&s->line);
	free(s);
}

static void on_answer_due(void *arg)
{
	struct answer *a = arg;

	process_write(a->server->process, buf_span(&a->text));
	answer_free(a);
}

static struct answer *answer_later(struct server *s)
{
	struct answer *a = NEW(struct answer);

	a->server = s;
	list_append(&s->answers, &a->node);
	timer_set_in(world_outside(s->world), &a->timer, (msec_t)below(s->world, (uint64_t)s->temper.latest_ms),
	        on_answer_due, a);
	return a;
}

static const char *result_for(enum method m)
{
	switch (m) {
	case METHOD_INITIALIZE:
		return "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{\"listChanged\":true},"
		       "\"resources\":{\"subscribe\":true},\"logging\":{}},"
		       "\"serverInfo\":{\"name\":\"sim\",\"version\":\"1\"}}";
	case METHOD_TOOLS_LIST:
		return "{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\"}}]}";
	case METHOD_RESOURCES_LIST:
		return "{\"resources\":[{\"uri\":\"u:1\",\"name\":\"1\"}]}";
	case METHOD_RESOURCE_TEMPLATES_LIST:
		return "{\"resourceTemplates\":[]}";
	default:
		return "{}";
	}
}

#define UPDATED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"u:1\"}}\n"

static const char *nonsense(struct server *s)
{
	static const char *const lines[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}\n",
		"not json at all\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"sampling/createMessage\",\"params\":{}}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":1}}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks\",\"params\":{\"taskId\":\"t\"}}\n",
	};

	return lines[below(s->world, sizeof(lines) / sizeof(lines[0]))];
}

static void put_answer(struct server *s, const struct message *m)
{
	struct answer *a = answer_later(s);

	if (span_is_set(m->progress_token) && chance(s->world, 50))
		buf_printf(&a->text,
		        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%.*s,"
		        "\"progress\":1}}\n",
		        SPAN_ARG(m->progress_token));
	if (chance(s->world, 10))
		buf_add(&a->text, SPAN(UPDATED));
	if (chance(s->world, s->temper.wrong))
		buf_add(&a->text, span_of(nonsense(s)));
	bool may_refuse = m->method_id == METHOD_TOOLS_CALL || m->method_id == METHOD_RESOURCES_SUBSCRIBE;
	if (may_refuse && chance(s->world, 10))
		rpc_put_error(&a->text, m->id, RPC_INVALID_PARAMS, SPAN("no"));
	else if (m->method_id == METHOD_TOOLS_CALL && span_is_set(m->arguments))
		rpc_put_result(&a->text, m->id, m->arguments);
	else
		rpc_put_result(&a->text, m->id, span_of(result_for(m->method_id)));
	buf_add_char(&a->text, '\n');
	if (chance(s->world, 3)) { /* twice */
		rpc_put_result(&a->text, m->id, SPAN("{}"));
		buf_add_char(&a->text, '\n');
	}
}

/* ---- what it asks ---- */

static void ask(struct server *s, const struct message *m)
{
	struct question *q = NEW(struct question);
	struct buf text = { 0 };

	q->number = ++s->asked;
	json_to_i64(json_member(m->arguments, "call"), &q->call);
	list_append(&s->questions, &q->node);
	buf_printf(&text,
	        "{\"jsonrpc\":\"2.0\",\"id\":\"q%u\",\"method\":\"sampling/createMessage\",\"params\":{\"call\":%lld}}\n",
	        q->number, (long long)q->call);
	if (chance(s->world, 70)) {
		q->answer = list_entry(s->answers.prev, struct answer, node);
		timer_stop(world_outside(s->world), &q->answer->timer);
	}
	q->taken_back = chance(s->world, 10);
	if (q->taken_back)
		buf_printf(&text,
		        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"q%u\"}}\n",
		        q->number);
	process_write(s->process, buf_span(&text));
	buf_free(&text);
}

static void go_on(struct server *s, struct answer *a)
{
	timer_set_in(world_outside(s->world), &a->timer, (msec_t)below(s->world, 50), on_answer_due, a);
}

/* Each question is answered once, and with what the client of its call has said. */
static void take_answer(struct server *s, const struct message *m)
{
	char id[24];
	int64_t call = -2;

	list_each (node, &s->questions) {
		struct question *q = list_entry(node, struct question, node);
		snprintf(id, sizeof(id), "\"q%u\"", q->number);
		if (!span_eq(m->id, span_of(id)))
			continue;
		bool right = m->kind == MESSAGE_ERROR ||
		             (json_to_i64(json_member(m->result, "call"), &call) && call == q->call);
		if (!right) {
			printf("a server got %.*s for call %lld\n", SPAN_ARG(m->text), (long long)q->call);
			abort();
		}
		if (q->answer != NULL)
			go_on(s, q->answer);
		list_unlink(&q->node);
		free(q);
		return;
	}
	if (span_starts(m->id, SPAN("\"q"))) {
		printf("a server got an answer to nothing: %.*s\n", SPAN_ARG(m->text));
		abort();
	}
}

/* True if the process has ended. */
static bool take_line(struct server *s, struct span line)
{
	struct message_fault fault;
	struct message m;

	if (!message_parse(line, 64, &m, &fault)) {
		world_tell(s->world, "a server got nonsense: %.*s", SPAN_ARG(line));
		abort(); /* we never write any */
	}
	if (m.kind == MESSAGE_RESULT || m.kind == MESSAGE_ERROR)
		take_answer(s, &m);
	if (m.kind != MESSAGE_REQUEST || s->temper.mute)
		return false;
	if (chance(s->world, s->temper.dying)) {
		process_exit(s->process, 1);
		return true;
	}
	if (m.method_id == METHOD_TOOLS_CALL && chance(s->world, s->temper.silent))
		return false;
	put_answer(s, &m);
	if (m.method_id == METHOD_TOOLS_CALL && span_is_set(m.arguments) && chance(s->world, s->temper.curious))
		ask(s, &m);
	return false;
}

bool server_is_deaf(const struct server *s)
{
	mono_t now = world_outside(s->world)->now;

	return mono_past(s->deaf_from, now) && !mono_past(s->deaf_to, now);
}

void server_input(struct server *s, struct span bytes)
{
	buf_add(&s->line, bytes);
	for (;;) {
		struct span have = buf_span(&s->line);
		size_t at = span_find(have, '\n');
		if (at == have.n || take_line(s, span_cut(have, at)))
			return;
		buf_take(&s->line, at + 1);
	}
}

static void on_leaving(void *arg)
{
	struct server *s = arg;

	if (s->exit_signal != 0)
		process_die_of(s->process, s->exit_signal);
	else
		process_exit(s->process, 0);
}

static void leave_in(struct server *s, msec_t in_ms, int signo)
{
	if (s->leaves || in_ms == NEVER_MS)
		return;
	s->leaves = true;
	s->exit_signal = signo;
	timer_set_in(world_outside(s->world), &s->leaving, in_ms, on_leaving, s);
}

void server_eof(struct server *s)
{
	leave_in(s, s->temper.eof_ms, 0);
}

void server_term(struct server *s)
{
	leave_in(s, s->temper.term_ms, 15);
}
