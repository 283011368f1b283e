/*
 * mcp_backend [TOOLS]: an MCP server over Streamable HTTP (2025-11-25) on a port of 127.0.0.1 that it picks and prints.
 * It has that many tools (1 if not said), answers every call with the same text and the request's id, and does nothing
 * else: what Sluice, nginx and HAProxy stand in front of when `bench/run` compares.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mcp/jsonrpc.h"
#include "net/http_server.h"

#define PADDING "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define INITIALIZED                                                                                       \
	"{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"" \
	"bench\",\"version\":\"1\"}}"
#define CALLED "{\"content\":[{\"type\":\"text\",\"text\":\"" PADDING PADDING "\"}]}"
#define TOOL_MAX 100000

struct backend {
	struct buf tools; /* the result of tools/list */
};

static void reply(struct http_exchange *ex, int status, struct span id, struct span result, struct span session)
{
	const struct http_header headers[] = {
		{ "Content-Type", span_is_set(result) ? SPAN("application/json") : SPAN_NONE },
		{ "Mcp-Session-Id", session },
	};
	const struct span parts[] = { SPAN("{\"jsonrpc\":\"2.0\",\"id\":"), id, SPAN(",\"result\":"), result,
		SPAN("}") };

	if (span_is_set(result))
		exchange_reply_parts(ex, status, headers, 2, parts, 5);
	else
		exchange_reply(ex, status, headers, 0, SPAN(""));
}

static void on_request(void *arg, struct http_exchange *ex, const struct http_request *req)
{
	struct backend *b = arg;
	struct message_fault fault;
	struct message m;

	if (!span_eq(req->head->method, SPAN("POST")))
		reply(ex, span_eq(req->head->method, SPAN("DELETE")) ? 200 : 405, SPAN_NONE, SPAN_NONE, SPAN_NONE);
	else if (!message_parse(req->body, 64, &m, &fault))
		reply(ex, 400, SPAN_NONE, SPAN_NONE, SPAN_NONE);
	else if (m.kind != MESSAGE_REQUEST)
		reply(ex, 202, SPAN_NONE, SPAN_NONE, SPAN_NONE);
	else if (m.method_id == METHOD_INITIALIZE)
		reply(ex, 200, m.id, SPAN(INITIALIZED), SPAN("bench"));
	else if (m.method_id == METHOD_TOOLS_LIST)
		reply(ex, 200, m.id, buf_span(&b->tools), SPAN_NONE);
	else
		reply(ex, 200, m.id, SPAN(CALLED), SPAN_NONE);
}

/* The first one is called "echo", the others "tool1", "tool2" and so on. */
static void make_tools(struct backend *b, unsigned long n)
{
	buf_add(&b->tools, SPAN("{\"tools\":["));
	for (unsigned long i = 0; i < n; i++) {
		buf_printf(&b->tools, i == 0 ? "{\"name\":\"echo\"" : ",{\"name\":\"tool%lu\"", i);
		buf_add(&b->tools, SPAN(",\"description\":\"" PADDING "\",\"inputSchema\":{\"type\":\"object\","
		                        "\"properties\":{\"text\":{\"type\":\"string\"}}}}"));
	}
	buf_add(&b->tools, SPAN("]}"));
}

int main(int argc, char **argv)
{
	const struct http_server_conf conf = {
		.max_header_bytes = 16384,
		.max_body_bytes = 1 << 23,
		.header_timeout_ms = 10000,
		.body_timeout_ms = 30000,
		.idle_timeout_ms = 600000,
		.write_timeout_ms = 60000,
		.max_connections = 4096,
		.max_buffered_bytes = 1 << 28,
	};
	const struct logger silent = { 0 };
	struct backend b = { 0 };
	struct err e;
	unsigned long tools = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;

	make_tools(&b, tools < TOOL_MAX ? tools : TOOL_MAX);
	struct loop *l = loop_new(&e);
	struct http_server *s =
	        l == NULL ? NULL
	                  : http_server_listen(l, SPAN("127.0.0.1:0"), &conf,
	                            &(struct http_handler){ .request = on_request, .arg = &b }, &silent, &e);
	if (s == NULL) {
		fprintf(stderr, "mcp_backend: %s\n", e.text);
		return 1;
	}
	printf("%s\n", strrchr(http_server_address(s), ':') + 1);
	fflush(stdout);
	loop_run(l);
	return 0;
}
