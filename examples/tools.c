/*
 * The tools, one row each in a table: name, description, schema of the arguments, hints, function.
 */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct tool {
	const char *name, *description, *schema, *annotations;
	void (*call)(struct server *s, const struct message *m);
};

static struct span argument(const struct message *m, const char *key)
{
	return json_type_of(m->arguments) == JSON_OBJECT ? json_member(m->arguments, key) : SPAN_NONE;
}

static int64_t int_argument(const struct message *m, const char *key, int64_t otherwise, int64_t most)
{
	int64_t n;

	if (!json_to_i64(argument(m, key), &n) || n < 0)
		return otherwise;
	return n < most ? n : most;
}

/* A string argument, decoded, NUL-terminated, from malloc; NULL when there is none. */
static char *text_argument(const struct message *m, const char *key)
{
	struct span raw = argument(m, key);

	if (json_type_of(raw) != JSON_STRING)
		return NULL;
	char *out = malloc(raw.n + 1);
	char *text = span_dup(json_decode(raw, out));
	free(out);
	return text;
}

static void call_echo(struct server *s, const struct message *m)
{
	struct span text = argument(m, "text");

	if (json_type_of(text) == JSON_STRING)
		answer_text_json(s, m->id, text);
	else
		answer_text(s, m->id, span_is_set(m->arguments) ? m->arguments : SPAN("{}"));
}

/* Arguments and _meta as they came, byte for byte. */
static void call_mirror(struct server *s, const struct message *m)
{
	answer_begin(s, m->id);
	buf_add(&s->out, SPAN("{\"content\":[],\"structuredContent\":"));
	buf_add(&s->out, span_is_set(m->arguments) ? m->arguments : SPAN("{}"));
	if (span_is_set(m->meta)) {
		buf_add(&s->out, SPAN(",\"_meta\":"));
		buf_add(&s->out, m->meta);
	}
	buf_add_char(&s->out, '}');
	answer_end(s);
}

static void call_add(struct server *s, const struct message *m)
{
	int64_t a, b, sum;
	char text[32];

	if (!json_to_i64(argument(m, "a"), &a) || !json_to_i64(argument(m, "b"), &b) ||
	        __builtin_add_overflow(a, b, &sum)) {
		answer_error(s, m->id, RPC_INVALID_PARAMS, SPAN("a and b must be integers, and their sum too"));
		return;
	}
	int n = snprintf(text, sizeof(text), "\"%lld\"", (long long)sum);
	answer_text_json(s, m->id, (struct span){ text, (size_t)n });
}

static void on_slept(struct later *l)
{
	answer_text_json(l->server, l->id, SPAN("\"slept\""));
	later_free(l);
}

static void call_sleep(struct server *s, const struct message *m)
{
	later_new(s, m, int_argument(m, "ms", 1000, 3600000), on_slept);
}

static void put_progress(struct later *l)
{
	struct json_writer w = json_writer(&l->server->out);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_text(&w, "method", SPAN("notifications/progress"));
	json_key(&w, "params");
	json_open(&w, '{');
	json_member_raw(&w, "progressToken", l->token);
	json_member_int(&w, "progress", l->step);
	json_member_int(&w, "total", l->steps);
	json_member_text(&w, "message", SPAN("working"));
	json_close(&w, '}');
	json_close(&w, '}');
	buf_add_char(&l->server->out, '\n');
}

static void on_progress(struct later *l)
{
	if (l->step == l->steps) {
		answer_text_json(l->server, l->id, SPAN("\"done\""));
		later_free(l);
		return;
	}
	l->step++;
	if (span_is_set(l->token))
		put_progress(l);
	timer_set_in(&l->server->sched, &l->timer, l->interval, l->timer.fire, l);
}

static void call_progress(struct server *s, const struct message *m)
{
	msec_t interval = int_argument(m, "ms", 100, 60000);
	struct later *l = later_new(s, m, interval, on_progress);

	l->interval = interval;
	l->steps = int_argument(m, "steps", 3, 1000000);
}

static void call_big(struct server *s, const struct message *m)
{
	static const char pattern[] = "0123456789abcdef";
	size_t n = (size_t)int_argument(m, "bytes", 1000000, 1000000000);

	answer_begin(s, m->id);
	buf_add(&s->out, SPAN("{\"content\":[{\"type\":\"text\",\"text\":\""));
	char *at = buf_reserve(&s->out, n);
	for (size_t i = 0; i < n; i++)
		at[i] = pattern[i % 16];
	buf_added(&s->out, n);
	buf_add(&s->out, SPAN("\"}]}"));
	answer_end(s);
}

/* What a careless proxy would change: numbers, escapes, order and doubling of keys, invisible characters. */
/* clang-format off */
#define ODD_RESULT \
	"{\"content\":[{\"type\":\"text\",\"text\":\"a\\u00e9\\/b\xc2\xa0nbsp\xe2\x80\x8dzwj\\ud83d\\ude00\xf0\x9f\x98\x80\"}]," \
	"\"structuredContent\":{\"big\":12345678901234567890123456789,\"one\":1.0,\"exp\":1E400,\"neg\":-0,\"tiny\":1.10e-7," \
	"\"zz\":1,\"aa\":2,\"zz\":3,\"\":null,\"k\\u0065y\":[ ],\"nested\":[[[{\"deep\":[1 , 2]}]]]}," \
	"\"x-unknown\":{\"vendor\":true},\"_meta\":{\"example.com/trace\":\"00-ab\",\"n\":18446744073709551616}}"
/* clang-format on */

static void call_odd(struct server *s, const struct message *m)
{
	answer(s, m->id, SPAN(ODD_RESULT));
}

static void call_error(struct server *s, const struct message *m)
{
	struct json_writer w = json_writer(&s->out);
	struct span message = argument(m, "message"), data = argument(m, "data"), code = argument(m, "code");

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_raw(&w, "id", m->id);
	json_key(&w, "error");
	json_open(&w, '{');
	json_member_raw(&w, "code", json_type_of(code) == JSON_NUMBER ? code : SPAN("-32050"));
	json_member_raw(&w, "message", json_type_of(message) == JSON_STRING ? message : SPAN("\"as you wished\""));
	if (span_is_set(data))
		json_member_raw(&w, "data", data);
	json_close(&w, '}');
	json_close(&w, '}');
	buf_add_char(&s->out, '\n');
}

static void call_fail(struct server *s, const struct message *m)
{
	answer(s, m->id, SPAN("{\"content\":[{\"type\":\"text\",\"text\":\"the tool failed\"}],\"isError\":true}"));
}

static void call_env(struct server *s, const struct message *m)
{
	char *name = text_argument(m, "name");
	const char *value = name != NULL ? getenv(name) : NULL;

	if (value != NULL)
		answer_text(s, m->id, span_of(value));
	else
		answer(s, m->id, SPAN("{\"content\":[{\"type\":\"text\",\"text\":\"not set\"}],\"isError\":true}"));
	free(name);
}

static void call_pid(struct server *s, const struct message *m)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "\"%d\"", (int)getpid());

	answer_text_json(s, m->id, (struct span){ text, (size_t)n });
}

static void call_log(struct server *s, const struct message *m)
{
	struct json_writer w = json_writer(&s->out);
	struct span level = argument(m, "level"), text = argument(m, "text");
	int severity = level_parse(level);

	if (severity < 0) {
		answer_error(s, m->id, RPC_INVALID_PARAMS, SPAN("no such level"));
		return;
	}
	if (severity >= s->level) {
		json_open(&w, '{');
		json_member_text(&w, "jsonrpc", SPAN("2.0"));
		json_member_text(&w, "method", SPAN("notifications/message"));
		json_key(&w, "params");
		json_open(&w, '{');
		json_member_raw(&w, "level", level);
		json_member_text(&w, "logger", SPAN("tools"));
		json_member_raw(&w, "data", span_is_set(text) ? text : SPAN("null"));
		json_close(&w, '}');
		json_close(&w, '}');
		buf_add_char(&s->out, '\n');
	}
	answer_text_json(s, m->id, SPAN("\"logged\""));
}

/* Without an answer, but after those that were due before it. */
static void call_crash(struct server *s, const struct message *m)
{
	server_flush(s);
	_exit((int)int_argument(m, "code", 1, 255));
}

static void call_change(struct server *s, const struct message *m)
{
	s->added++;
	notify(s, SPAN("notifications/tools/list_changed"));
	answer_text_json(s, m->id, SPAN("\"one tool more\""));
}

static void call_stderr(struct server *s, const struct message *m)
{
	int64_t lines = int_argument(m, "lines", 1, 10000000);

	for (int64_t i = 1; i <= lines; i++)
		fprintf(stderr, "line %lld of %lld\n", (long long)i, (long long)lines);
	answer_text_json(s, m->id, SPAN("\"written\""));
}

#define OBJECT(properties) "{\"type\":\"object\",\"properties\":{" properties "}}"
#define INTEGER(name) "\"" name "\":{\"type\":\"integer\"}"
#define STRING(name) "\"" name "\":{\"type\":\"string\"}"
#define READ_ONLY "{\"readOnlyHint\":true}"

/* clang-format off */
static const struct tool tools[] = {
	{ "echo",     "Returns its text",                                    OBJECT(STRING("text")), READ_ONLY, call_echo },
	{ "mirror",   "Returns its arguments and _meta, byte for byte",      OBJECT(""),             READ_ONLY, call_mirror },
	{ "add",      "Adds two integers",
	  "{\"type\":\"object\",\"properties\":{" INTEGER("a") "," INTEGER("b") "},\"required\":[\"a\",\"b\"]}", READ_ONLY, call_add },
	{ "sleep",    "Answers after `ms` milliseconds",                     OBJECT(INTEGER("ms")),  "{\"idempotentHint\":true}", call_sleep },
	{ "progress", "Tells its progress in `steps`, each after `ms`",      OBJECT(INTEGER("steps") "," INTEGER("ms")), NULL, call_progress },
	{ "big",      "Returns a text of that many bytes",                   OBJECT(INTEGER("bytes")), READ_ONLY, call_big },
	{ "odd",      "Returns JSON that a careless proxy would change",     OBJECT(""),             READ_ONLY, call_odd },
	{ "error",    "Answers with a JSON-RPC error",
	  OBJECT(INTEGER("code") "," STRING("message") ",\"data\":{}"), NULL, call_error },
	{ "fail",     "Answers with isError",                                OBJECT(""),             NULL, call_fail },
	{ "env",      "Returns a variable of the server's environment",      OBJECT(STRING("name")), READ_ONLY, call_env },
	{ "pid",      "Returns the server's process id",                     OBJECT(""),             READ_ONLY, call_pid },
	{ "log",      "Sends a log message",                                 OBJECT(STRING("level") "," STRING("text")), NULL, call_log },
	{ "crash",    "Ends the server without an answer",                   OBJECT(INTEGER("code")), NULL, call_crash },
	{ "change",   "Adds a tool and tells that the list has changed",     OBJECT(""),             NULL, call_change },
	{ "stderr",   "Writes that many lines on stderr",                    OBJECT(INTEGER("lines")), NULL, call_stderr },
};
/* clang-format on */

#define TOOLS (sizeof(tools) / sizeof(tools[0]))

static size_t tools_count(const struct server *s)
{
	return TOOLS + s->options.tools + s->added;
}

static void put_tool(struct json_writer *w, const struct tool *t)
{
	json_open(w, '{');
	json_member_text(w, "name", span_of(t->name));
	json_member_text(w, "description", span_of(t->description));
	json_member_raw(w, "inputSchema", span_of(t->schema));
	if (t->annotations != NULL)
		json_member_raw(w, "annotations", span_of(t->annotations));
	json_close(w, '}');
}

/* The tools behind those of the table are all alike: extra_1 ... by --tools, added_1 ... by `change`. */
static void put_nth_tool(const struct server *s, struct json_writer *w, size_t n)
{
	char name[32];

	if (n < TOOLS) {
		put_tool(w, &tools[n]);
		return;
	}
	n -= TOOLS;
	if (n < s->options.tools)
		snprintf(name, sizeof(name), "extra_%zu", n + 1);
	else
		snprintf(name, sizeof(name), "added_%zu", n - s->options.tools + 1);
	put_tool(w, &(struct tool){ name, "Returns its text, as echo does", OBJECT(STRING("text")), READ_ONLY, NULL });
}

void tools_list(struct server *s, const struct message *m)
{
	size_t count = tools_count(s), from = 0, to;
	uint64_t at;

	if (m->cursor.n > 2 && span_to_u64((struct span){ m->cursor.p + 1, m->cursor.n - 2 }, count, &at))
		from = at;
	to = s->options.page > 0 && count - from > s->options.page ? from + s->options.page : count;
	answer_begin(s, m->id);
	struct json_writer w = json_writer(&s->out);
	json_open(&w, '{');
	json_key(&w, "tools");
	json_open(&w, '[');
	for (size_t i = from; i < to; i++)
		put_nth_tool(s, &w, i);
	json_close(&w, ']');
	if (to < count) {
		char cursor[24];
		snprintf(cursor, sizeof(cursor), "%zu", to);
		json_member_text(&w, "nextCursor", span_of(cursor));
	}
	json_close(&w, '}');
	answer_end(s);
}

void tools_call(struct server *s, const struct message *m)
{
	for (size_t i = 0; i < TOOLS; i++) {
		if (json_string_is(m->name, span_of(tools[i].name))) {
			tools[i].call(s, m);
			return;
		}
	}
	if (span_starts(m->name, SPAN("\"extra_")) || span_starts(m->name, SPAN("\"added_")))
		call_echo(s, m);
	else
		answer_error(s, m->id, RPC_INVALID_PARAMS, SPAN("no such tool"));
}
