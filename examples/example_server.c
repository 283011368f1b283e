#include "server.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "mcp/revision.h"

#define READ_SIZE 65536
#define FLUSH_SIZE (256 * 1024) /* of answers that wait for the end of a turn */
#define MAX_DEPTH 128

void server_flush(struct server *s)
{
	while (buf_size(&s->out) > 0) {
		struct span left = buf_span(&s->out);
		ssize_t n = write(STDOUT_FILENO, left.p, left.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			_exit(1); /* nobody listens any more */
		if ((size_t)n == left.n)
			buf_reset(&s->out);
		else
			buf_take(&s->out, (size_t)n);
	}
}

void answer_begin(struct server *s, struct span id)
{
	buf_add(&s->out, SPAN("{\"jsonrpc\":\"2.0\",\"id\":"));
	buf_add(&s->out, id);
	buf_add(&s->out, SPAN(",\"result\":"));
}

void answer_end(struct server *s)
{
	buf_add(&s->out, SPAN("}\n"));
}

void answer(struct server *s, struct span id, struct span result)
{
	answer_begin(s, id);
	buf_add(&s->out, result);
	answer_end(s);
}

void answer_error(struct server *s, struct span id, int code, struct span sentence)
{
	rpc_put_error(&s->out, id, code, sentence);
	buf_add_char(&s->out, '\n');
}

void answer_text_json(struct server *s, struct span id, struct span json)
{
	answer_begin(s, id);
	buf_add(&s->out, SPAN("{\"content\":[{\"type\":\"text\",\"text\":"));
	buf_add(&s->out, json);
	buf_add(&s->out, SPAN("}]}"));
	answer_end(s);
}

void answer_text(struct server *s, struct span id, struct span text)
{
	struct buf json = { 0 };

	json_put_string(&json, text);
	answer_text_json(s, id, buf_span(&json));
	buf_free(&json);
}

void notify(struct server *s, struct span method)
{
	buf_add(&s->out, SPAN("{\"jsonrpc\":\"2.0\",\"method\":\""));
	buf_add(&s->out, method);
	buf_add(&s->out, SPAN("\"}\n"));
}

static void later_fire(void *arg)
{
	struct later *l = arg;

	l->due(l);
}

struct later *later_new(struct server *s, const struct message *m, msec_t in_ms, void (*due)(struct later *l))
{
	struct later *l = mem_zalloc(sizeof(*l) + m->id.n + m->progress_token.n);

	l->server = s;
	l->due = due;
	memcpy(l->text, m->id.p, m->id.n);
	l->id = (struct span){ l->text, m->id.n };
	if (span_is_set(m->progress_token)) {
		memcpy(l->text + m->id.n, m->progress_token.p, m->progress_token.n);
		l->token = (struct span){ l->text + m->id.n, m->progress_token.n };
	}
	list_append(&s->later, &l->node);
	timer_set_in(&s->sched, &l->timer, in_ms, later_fire, l);
	return l;
}

void later_free(struct later *l)
{
	timer_stop(&l->server->sched, &l->timer);
	list_unlink(&l->node);
	free(l);
}

/* notifications/cancelled: no answer follows (MCP 2025-11-25, Cancellation). */
static void on_cancelled(struct server *s, const struct message *m)
{
	list_each (node, &s->later) {
		struct later *l = list_entry(node, struct later, node);
		if (span_eq(l->id, m->request_id)) {
			later_free(l);
			return;
		}
	}
}

static struct span revision_for(const struct server *s, const struct message *m)
{
	struct span asked = m->protocol_version.n > 2
	                            ? (struct span){ m->protocol_version.p + 1, m->protocol_version.n - 2 }
	                            : SPAN("");

	return s->options.newest != NULL ? span_of(s->options.newest) : revision_name(revision_negotiate(asked));
}

static void put_hello(struct server *s, struct span revision)
{
	struct json_writer w = json_writer(&s->out);

	json_open(&w, '{');
	json_member_text(&w, "protocolVersion", revision);
	json_key(&w, "capabilities");
	json_raw(&w, s->options.tools_only ? SPAN("{\"tools\":{\"listChanged\":true}}")
	                                   : SPAN("{\"tools\":{\"listChanged\":true},\"resources\":{},\"prompts\":{},"
	                                          "\"completions\":{},\"logging\":{}}"));
	json_key(&w, "serverInfo");
	json_open(&w, '{');
	json_member_text(&w, "name", span_of(s->options.name));
	json_member_text(&w, "version", SPAN("1.0.0"));
	json_close(&w, '}');
	json_member_text(&w, "instructions", SPAN("Tools for trying out a client: echo, add, sleep and the like."));
	json_close(&w, '}');
}

static void on_initialize(struct server *s, const struct message *m)
{
	answer_begin(s, m->id);
	put_hello(s, revision_for(s, m));
	answer_end(s);
}

static void on_slow_start(struct later *l)
{
	answer_begin(l->server, l->id);
	put_hello(l->server, revision_name((enum revision)l->step));
	answer_end(l->server);
	later_free(l);
}

static void on_request(struct server *s, const struct message *m)
{
	bool all = !s->options.tools_only;

	switch (m->method_id) {
	case METHOD_INITIALIZE:
		if (s->options.slow_start > 0)
			later_new(s, m, s->options.slow_start, on_slow_start)->step =
			        revision_parse(revision_for(s, m));
		else
			on_initialize(s, m);
		return;
	case METHOD_PING:
		answer(s, m->id, SPAN("{}"));
		return;
	case METHOD_TOOLS_LIST:
		tools_list(s, m);
		return;
	case METHOD_TOOLS_CALL:
		tools_call(s, m);
		return;
	default:
		break;
	}
	switch (all ? m->method_id : METHOD_UNKNOWN) {
	case METHOD_RESOURCES_LIST:
		resources_list(s, m);
		return;
	case METHOD_RESOURCE_TEMPLATES_LIST:
		templates_list(s, m);
		return;
	case METHOD_RESOURCES_READ:
		resources_read(s, m);
		return;
	case METHOD_PROMPTS_LIST:
		prompts_list(s, m);
		return;
	case METHOD_PROMPTS_GET:
		prompts_get(s, m);
		return;
	case METHOD_COMPLETE:
		complete(s, m);
		return;
	case METHOD_SET_LEVEL:
		set_level(s, m);
		return;
	default:
		answer_error(s, m->id, RPC_METHOD_NOT_FOUND, SPAN("no such method"));
		return;
	}
}

static void on_line(struct server *s, struct span line)
{
	struct message m;
	struct message_fault fault;

	if (span_trim(line).n == 0)
		return;
	if (!message_parse(line, MAX_DEPTH, &m, &fault))
		answer_error(s, fault.id, fault.code, span_of(fault.sentence));
	else if (m.kind == MESSAGE_REQUEST)
		on_request(s, &m);
	else if (m.kind == MESSAGE_NOTIFICATION && m.method_id == METHOD_CANCELLED)
		on_cancelled(s, &m);
	if (buf_size(&s->out) > FLUSH_SIZE)
		server_flush(s);
}

static void take_lines(struct server *s)
{
	struct span rest = buf_span(&s->in);

	for (size_t n; (n = span_find(rest, '\n')) < rest.n; rest = span_skip(rest, n + 1))
		on_line(s, span_cut(rest, n));
	if (rest.n == 0)
		buf_reset(&s->in);
	else
		buf_take(&s->in, buf_size(&s->in) - rest.n);
}

/* True when there is something to read or the input has ended; false when a timer is due first. */
static bool wait_for_input(const struct server *s)
{
	mono_t first = sched_first(&s->sched);

	if (first.ms == MONO_NEVER.ms)
		return true; /* the read may block */
	msec_t left = mono_diff(first, clock_mono());
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	return poll(&in, 1, left < 0 ? 0 : left > 60000 ? 60000 : (int)left) > 0;
}

static void serve(struct server *s)
{
	for (;;) {
		if (wait_for_input(s)) {
			ssize_t n = read(STDIN_FILENO, buf_reserve(&s->in, READ_SIZE), READ_SIZE);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return;
			buf_added(&s->in, (size_t)n);
			s->sched.now = clock_mono();
			take_lines(s);
		}
		sched_run_timers(&s->sched, clock_mono());
		server_flush(s);
	}
}

static const struct option long_options[] = {
	{ "name", required_argument, NULL, 'n' },
	{ "tools", required_argument, NULL, 't' },
	{ "page", required_argument, NULL, 'p' },
	{ "slow-start", required_argument, NULL, 's' },
	{ "tools-only", no_argument, NULL, 'o' },
	{ "revision", required_argument, NULL, 'r' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
        "usage: example-server [--name NAME] [--tools N] [--page N] [--slow-start MS] [--tools-only] "
        "[--revision DATE]\n";

static unsigned number(const char *text)
{
	uint64_t n;

	if (!span_to_u64(span_of(text), 1000000, &n)) {
		fputs(usage, stderr);
		exit(64);
	}
	return (unsigned)n;
}

static struct options parse_options(int argc, char **argv)
{
	struct options o = { .name = "example" };

	for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
		switch (c) {
		case 'n':
			o.name = optarg;
			break;
		case 't':
			o.tools = number(optarg);
			break;
		case 'p':
			o.page = number(optarg);
			break;
		case 's':
			o.slow_start = number(optarg);
			break;
		case 'o':
			o.tools_only = true;
			break;
		case 'r':
			o.newest = optarg;
			break;
		default:
			fputs(usage, stderr);
			exit(64);
		}
	}
	return o;
}

int main(int argc, char **argv)
{
	struct server s = { .options = parse_options(argc, argv) };

	sched_init(&s.sched, clock_mono());
	list_init(&s.later);
	serve(&s);
	list_each (node, &s.later)
		later_free(list_entry(node, struct later, node));
	sched_clear(&s.sched);
	buf_free(&s.in);
	buf_free(&s.out);
	return 0;
}
