/*
 * An MCP server for the tests of the stdio backend, as dumb as they need it. The first argument says how it starts; a
 * tools/call says by its tool's name what it does.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "mcp/jsonrpc.h"

#define LINE_MAX_BYTES (1 << 20)

struct server {
	const char *start;
	int tools; /* in its list */
	char held[16][32];
	int held_count;
	int answers; /* to its own requests */
	char waiting[32];
};

static void say(const char *text)
{
	printf("%s\n", text);
}

static void answer(struct span id, const char *result)
{
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}\n", SPAN_ARG(id), result);
}

static void refuse(struct span id, int code)
{
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":%d,\"message\":\"no\"}}\n", SPAN_ARG(id), code);
}

static void list_tools(struct server *s, struct span id)
{
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{\"tools\":[", SPAN_ARG(id));
	if (strcmp(s->start, "odd") == 0)
		printf("{\"title\":\"nameless\"},");
	for (int i = 0; i < s->tools; i++)
		printf("%s{\"name\":\"tool%d\"}", i > 0 ? "," : "", i);
	printf("]}}\n");
}

static void initialize(struct server *s, struct span id)
{
	if (strcmp(s->start, "silent") == 0)
		return;
	if (strcmp(s->start, "refuse") == 0)
		refuse(id, -32602);
	else if (strcmp(s->start, "batches") == 0)
		answer(id, "{\"protocolVersion\":\"2025-03-26\",\"capabilities\":{\"tools\":{}}}");
	else
		answer(id, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}}}");
}

static void discover(struct server *s, struct span id)
{
	if (strcmp(s->start, "ends at discover") == 0)
		_exit(9);
	if (strcmp(s->start, "modern") == 0)
		answer(id, "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}}}");
	else if (strcmp(s->start, "ignores discover") != 0)
		refuse(id, -32601);
}

static void fill(char c, int n)
{
	while (n-- > 0)
		putchar(c);
}

/* --- tools --- */

static void tool_echo(struct server *s, const struct message *m)
{
	(void)s;
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{\"request\":%.*s}}\n", SPAN_ARG(m->id), SPAN_ARG(m->text));
}

static void tool_error(struct server *s, const struct message *m)
{
	(void)s;
	refuse(m->id, -32000);
}

static void tool_pid(struct server *s, const struct message *m)
{
	(void)s;
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%d}\n", SPAN_ARG(m->id), getpid());
}

static void tool_hold(struct server *s, const struct message *m)
{
	snprintf(s->held[s->held_count++], sizeof(s->held[0]), "%.*s", SPAN_ARG(m->id));
}

/* Answers those that it holds, the last one first, then this one. */
static void tool_release(struct server *s, const struct message *m)
{
	while (s->held_count > 0)
		answer(span_of(s->held[--s->held_count]), "{}");
	answer(m->id, "{}");
}

static void tool_exit(struct server *s, const struct message *m)
{
	(void)s, (void)m;
	fflush(stdout);
	_exit(3);
}

/* Leaves a process behind that holds the pipes and wants to live. */
static void tool_leave(struct server *s, const struct message *m)
{
	(void)s, (void)m;
	fflush(stdout);
	if (fork() > 0)
		_exit(3);
	setsid();
	signal(SIGTERM, SIG_IGN);
	for (;;)
		pause();
}

/* The last line without its end. */
static void tool_answer_and_exit(struct server *s, const struct message *m)
{
	(void)s;
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{}}", SPAN_ARG(m->id));
	fflush(stdout);
	_exit(3);
}

static void tool_progress(struct server *s, const struct message *m)
{
	(void)s;
	printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%.*s,"
	       "\"progress\":1}}\n",
	        SPAN_ARG(span_is_set(m->progress_token) ? m->progress_token : m->id));
	answer(m->id, "{}");
}

/* Lines that must not disturb anybody. */
static void tool_noise(struct server *s, const struct message *m)
{
	(void)s;
	say("");
	say("Listening on port 3000");
	say("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}");
	say("{\"jsonrpc\":\"2.0\",\"id\":99999,\"result\":{}}");
	say("{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":{}}");
	say("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"?\"}}");
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/nothing\"}");
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":99999}}");
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}\r");
	answer(m->id, "1");
	answer(m->id, "2");
}

static void tool_ask(struct server *s, const struct message *m)
{
	snprintf(s->waiting, sizeof(s->waiting), "%.*s", SPAN_ARG(m->id));
	s->answers = 0;
	say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"method\":\"roots/list\"}\n", SPAN_ARG(m->id));
}

/* Asks and takes it back, with an id that is a text and is written with an escape. */
static void tool_take_back(struct server *s, const struct message *m)
{
	(void)s;
	say("{\"jsonrpc\":\"2.0\",\"id\":\"\\u0071\",\"method\":\"roots/list\"}");
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"x\"}}");
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"\\u0071\"}}");
	answer(m->id, "{}");
}

static void tool_ask_and_exit(struct server *s, const struct message *m)
{
	(void)s;
	(void)m;
	say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}");
	fflush(stdout);
	_exit(3);
}

static void tool_ask_much(struct server *s, const struct message *m)
{
	snprintf(s->waiting, sizeof(s->waiting), "%.*s", SPAN_ARG(m->id));
	s->answers = 1;
	for (int i = 0; i < 257; i++)
		printf("{\"jsonrpc\":\"2.0\",\"id\":\"m%d\",\"method\":\"roots/list\"}\n", i);
}

/* The id comes last, as with the TypeScript SDK. */
static void tool_huge(struct server *s, const struct message *m)
{
	(void)s;
	printf("{\"result\":{\"text\":\"");
	fill('x', 200000);
	printf("\"},\"jsonrpc\":\"2.0\",\"id\":%.*s}\n", SPAN_ARG(m->id));
}

static void tool_bad(struct server *s, const struct message *m)
{
	(void)s;
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{1:2}}\n", SPAN_ARG(m->id));
}

static void tool_batch(struct server *s, const struct message *m)
{
	(void)s;
	printf("[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}},"
	       "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{}}]\n",
	        SPAN_ARG(m->id));
}

static void tool_grow(struct server *s, const struct message *m)
{
	s->tools++;
	for (int i = 0; i < 3; i++)
		say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
	answer(m->id, "{}");
}

static void tool_close_stdout(struct server *s, const struct message *m)
{
	(void)s, (void)m;
	fflush(stdout);
	close(STDOUT_FILENO);
}

static void tool_close_stdin(struct server *s, const struct message *m)
{
	(void)s, (void)m;
	answer(m->id, "{}");
	fflush(stdout);
	close(STDIN_FILENO);
	for (;;)
		pause();
}

static void tool_stderr(struct server *s, const struct message *m)
{
	(void)s;
	for (int i = 0; i < 100000; i++)
		fprintf(stderr, "line %d\n", i);
	answer(m->id, "{}");
}

/* Asks more than it reads answers to. */
static void tool_ping_flood(struct server *s, const struct message *m)
{
	(void)s;
	for (int i = 0; i < 50000; i++)
		say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	answer(m->id, "{}");
}

static void tool_stall(struct server *s, const struct message *m)
{
	(void)s, (void)m;
	fflush(stdout);
	for (;;)
		pause();
}

static void tool_stubborn(struct server *s, const struct message *m)
{
	signal(SIGTERM, SIG_IGN);
	answer(m->id, "{}");
	tool_stall(s, m);
}

static const struct tool {
	const char *name;
	void (*run)(struct server *s, const struct message *m);
} tools[] = {
	{ "\"echo\"", tool_echo },
	{ "\"error\"", tool_error },
	{ "\"pid\"", tool_pid },
	{ "\"hold\"", tool_hold },
	{ "\"release\"", tool_release },
	{ "\"exit\"", tool_exit },
	{ "\"leave\"", tool_leave },
	{ "\"answer_and_exit\"", tool_answer_and_exit },
	{ "\"progress\"", tool_progress },
	{ "\"noise\"", tool_noise },
	{ "\"ask\"", tool_ask },
	{ "\"take_back\"", tool_take_back },
	{ "\"ask_and_exit\"", tool_ask_and_exit },
	{ "\"ask_much\"", tool_ask_much },
	{ "\"huge\"", tool_huge },
	{ "\"bad\"", tool_bad },
	{ "\"batch\"", tool_batch },
	{ "\"grow\"", tool_grow },
	{ "\"close_stdout\"", tool_close_stdout },
	{ "\"close_stdin\"", tool_close_stdin },
	{ "\"stderr\"", tool_stderr },
	{ "\"ping_flood\"", tool_ping_flood },
	{ "\"stall\"", tool_stall },
	{ "\"stubborn\"", tool_stubborn },
};

static void call_tool(struct server *s, const struct message *m)
{
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (span_eq(m->name, span_of(tools[i].name)))
			tools[i].run(s, m);
}

/* Passes on what it was told, so that the test can look at it. */
static void pass_on(const struct message *m)
{
	printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":%.*s}}\n",
	        SPAN_ARG(m->text));
}

static void got_answer(struct server *s, const struct message *m)
{
	pass_on(m);
	if (++s->answers == 2)
		answer(span_of(s->waiting), "{}");
}

static void got(struct server *s, const struct message *m)
{
	switch (m->method_id) {
	case METHOD_INITIALIZE:
		initialize(s, m->id);
		return;
	case METHOD_DISCOVER:
		discover(s, m->id);
		return;
	case METHOD_LISTEN:
		pass_on(m);
		return;
	case METHOD_TOOLS_LIST:
		list_tools(s, m->id);
		return;
	case METHOD_TOOLS_CALL:
		call_tool(s, m);
		return;
	case METHOD_CANCELLED:
	case METHOD_SET_LEVEL:
		pass_on(m);
		return;
	default:
		if (m->kind == MESSAGE_RESULT || m->kind == MESSAGE_ERROR)
			got_answer(s, m);
		else if (m->kind == MESSAGE_REQUEST)
			refuse(m->id, -32601);
	}
}

int main(int argc, char **argv)
{
	struct server s = { .start = argc > 1 ? argv[1] : "", .tools = 1 };
	static char line[LINE_MAX_BYTES];
	struct message_fault fault;
	struct message m;

	if (strcmp(s.start, "die") == 0)
		return 7;
	if (strcmp(s.start, "complain") == 0) {
		fputs("starting\nno such directory\n", stderr);
		return 8;
	}
	while (fgets(line, LINE_MAX_BYTES, stdin) != NULL) {
		if (message_parse((struct span){ line, strcspn(line, "\n") }, 128, &m, &fault))
			got(&s, &m);
		fflush(stdout);
	}
	return 0;
}
