#include "mcp/modern.h"

#include "unit.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define KEY(name) "\"io.modelcontextprotocol/" name "\":"
#define VERSION KEY("protocolVersion") "\"2026-07-28\""
#define CAPABLE KEY("clientCapabilities") "{}"
#define META "\"_meta\":{" VERSION "," CAPABLE "}"
#define REQUEST(method, params) "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" method "\",\"params\":{" params "}}"
#define NOTE(method, params) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{" params "}}"
#define LEGACY "2025-11-25"
#define MODERN "2026-07-28"

static struct message parse(const char *text)
{
	struct message m;
	struct message_fault fault;

	assert_true(message_parse(span_of(text), 32, &m, &fault));
	return m;
}

static void test_the_keys_are_read_by_their_meaning(void **state)
{
	struct request_meta m = meta_read(
	        SPAN("{\"a\":1," KEY("clientInfo") "{\"name\":\"x\"},\"io.modelcontextprotocol\\/"
	                                           "logLevel\":\"info\"," VERSION "," KEY("subscriptionId") "3}"));

	(void)state;
	assert_span(m.version, "\"2026-07-28\"");
	assert_span(m.info, "{\"name\":\"x\"}");
	assert_span(m.level, "\"info\"");
	assert_span(m.subscription, "3");
	assert_false(span_is_set(m.capabilities) || m.twice);
	m = meta_read(SPAN("{" VERSION "," KEY("protocolVersion") "\"other\"}"));
	assert_span(m.version, "\"2026-07-28\"");
	assert_true(m.twice);
	assert_false(span_is_set(meta_read(SPAN_NONE).version) || span_is_set(meta_read(SPAN("[]")).version));
}

/* ---- which revision it is of: one row for each case ---- */

static const struct classified {
	const char *text, *header;
	enum era era;
	int status, code;
} classified[] = {
	/* a claim decides */
	{ REQUEST("tools/list", META), MODERN, ERA_MODERN, 0, 0 },
	{ REQUEST("tools/list", META), LEGACY, ERA_MODERN, 0, 0 },
	{ REQUEST("tools/list", META), NULL, ERA_MODERN, 0, 0 },
	{ REQUEST("initialize", META), MODERN, ERA_MODERN, 0, 0 },
	{ REQUEST("tools/list", "\"_meta\":{" KEY("protocolVersion") "\"2025-11-25\"}"), NULL, ERA_MODERN, 0, 0 },
	{ REQUEST("tools/list", "\"_meta\":{" KEY("protocolVersion") "7}"), NULL, ERA_MODERN, 0, 0 },
	/* none */
	{ REQUEST("initialize", ""), NULL, ERA_LEGACY, 0, 0 },
	{ REQUEST("initialize", ""), LEGACY, ERA_LEGACY, 0, 0 },
	{ REQUEST("initialize", ""), MODERN, ERA_LEGACY, 400, -32020 },
	{ REQUEST("tools/list", ""), NULL, ERA_LEGACY, 0, 0 },
	{ REQUEST("tools/list", ""), LEGACY, ERA_LEGACY, 0, 0 },
	{ REQUEST("tools/list", ""), "v999", ERA_LEGACY, 0, 0 },
	{ REQUEST("tools/list", ""), "", ERA_LEGACY, 0, 0 },
	{ REQUEST("tools/list", ""), MODERN, ERA_LEGACY, 400, -32602 },
	{ REQUEST("tools/list", "\"_meta\":{" CAPABLE "}"), MODERN, ERA_LEGACY, 400, -32602 },
	{ REQUEST("tools/list", "\"_meta\":{" CAPABLE "}"), NULL, ERA_LEGACY, 0, 0 },
	/* notifications */
	{ NOTE("notifications/cancelled", META), NULL, ERA_MODERN, 0, 0 },
	{ NOTE("notifications/cancelled", ""), MODERN, ERA_MODERN, 0, 0 },
	{ NOTE("notifications/cancelled", ""), LEGACY, ERA_LEGACY, 0, 0 },
	{ NOTE("notifications/cancelled", ""), NULL, ERA_LEGACY, 0, 0 },
	/* answers */
	{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", MODERN, ERA_LEGACY, 0, 0 },
	{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-1,\"message\":\"no\"}}", NULL, ERA_LEGACY, 0, 0 },
};

static void test_which_revision_a_message_is_of(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(classified); i++) {
		const struct classified *row = &classified[i];
		struct message m = parse(row->text);
		struct request_meta meta = meta_read(m.meta);
		struct modern_fault fault;
		enum era era;
		bool fine = modern_classify(&m, &meta, span_of(row->header), &era, &fault);
		if (fine != (row->status == 0) || era != row->era || fault.status != row->status ||
		        fault.code != row->code)
			fail_msg("%s with %s: %d %d", row->text, row->header, fault.status, fault.code);
	}
}

/* ---- what is checked, and in which order ---- */

static const struct checked {
	const char *text, *version, *method, *name;
	int status, code;
} checked[] = {
	{ REQUEST("tools/list", META), MODERN, "tools/list", NULL, 0, 0 },
	{ REQUEST("tools/call", META ",\"name\":\"a\""), MODERN, "tools/call", "a", 0, 0 },
	{ REQUEST("tools/call", META ",\"name\":\"\xc3\xa9\""), MODERN, "tools/call", "=?base64?w6k=?=", 0, 0 },
	{ REQUEST("resources/read", META ",\"uri\":\"file:///a\""), MODERN, "resources/read", "file:///a", 0, 0 },
	{ REQUEST("tasks/get", META ",\"taskId\":\"t\""), MODERN, "tasks/get", "t", 0, 0 },
	{ REQUEST("odd/method", META), MODERN, "odd/method", NULL, 0, 0 }, /* the gateway's to know */
	/* the members of _meta come before the headers */
	{ REQUEST("tools/list", "\"_meta\":{" VERSION "}"), LEGACY, NULL, NULL, 400, -32602 },
	{ REQUEST("tools/list", "\"_meta\":{" VERSION "," KEY("clientCapabilities") "null}"), MODERN, "tools/list",
	        NULL, 400, -32602 },
	{ REQUEST("tools/list", "\"_meta\":{" KEY("protocolVersion") "7," CAPABLE "}"), MODERN, "tools/list", NULL, 400,
	        -32602 },
	{ REQUEST("tools/list", "\"_meta\":{" VERSION "," CAPABLE "," KEY("clientInfo") "\"me\"}"), MODERN,
	        "tools/list", NULL, 400, -32602 },
	{ REQUEST("tools/list", "\"_meta\":{" VERSION "," CAPABLE "," KEY("logLevel") "\"loud\"}"), MODERN,
	        "tools/list", NULL, 400, -32602 },
	{ REQUEST("tools/list", "\"_meta\":{" VERSION "," CAPABLE "," VERSION "}"), MODERN, "tools/list", NULL, 400,
	        -32602 },
	/* the version: the header that differs, then one that nobody knows, then the header that is missing */
	{ REQUEST("tools/list", META), LEGACY, "tools/list", NULL, 400, -32020 },
	{ REQUEST("tools/list", "\"_meta\":{" KEY("protocolVersion") "\"v999\"," CAPABLE "}"), MODERN, "tools/list",
	        NULL, 400, -32020 },
	{ REQUEST("tools/list", "\"_meta\":{" KEY("protocolVersion") "\"v999\"," CAPABLE "}"), "v999", NULL, NULL, 400,
	        -32022 },
	{ REQUEST("tools/list", "\"_meta\":{" KEY("protocolVersion") "\"2025-11-25\"," CAPABLE "}"), LEGACY,
	        "tools/list", NULL, 400, -32022 },
	{ REQUEST("tools/list", "\"_meta\":{" KEY("protocolVersion") "\"v999\"," CAPABLE "}"), NULL, NULL, NULL, 400,
	        -32022 },
	{ REQUEST("tools/list", META), NULL, "tools/list", NULL, 400, -32020 },
	/* the other headers */
	{ REQUEST("tools/list", META), MODERN, NULL, NULL, 400, -32020 },
	{ REQUEST("tools/list", META), MODERN, "tools/call", NULL, 400, -32020 },
	{ REQUEST("tools/list", META), MODERN, "Tools/List", NULL, 400, -32020 },
	{ REQUEST("tools/call", META ",\"name\":\"a\""), MODERN, "tools/call", NULL, 400, -32020 },
	{ REQUEST("tools/call", META ",\"name\":\"a\""), MODERN, "tools/call", "A", 400, -32020 },
	{ REQUEST("tools/call", META ",\"name\":\"a\""), MODERN, "tools/call", "=?base64?YQ?=", 400, -32020 },
	{ REQUEST("prompts/get", META ",\"name\":\"a\""), MODERN, "prompts/get", "b", 400, -32020 },
	{ REQUEST("resources/read", META ",\"uri\":\"file:///a\""), MODERN, "resources/read", "file:///b", 400,
	        -32020 },
	{ REQUEST("tools/call", META ",\"name\":7"), MODERN, "tools/call", NULL, 0, 0 }, /* another's to refuse */
	/* what the revision has not */
	{ REQUEST("initialize", META), MODERN, "initialize", NULL, 404, -32601 },
	{ REQUEST("ping", META), MODERN, "ping", NULL, 404, -32601 },
	{ REQUEST("ping", META), MODERN, "pong", NULL, 400, -32020 },
	{ REQUEST("logging/setLevel", META), MODERN, "logging/setLevel", NULL, 404, -32601 },
	{ REQUEST("resources/subscribe", META), MODERN, "resources/subscribe", NULL, 404, -32601 },
	{ REQUEST("resources/unsubscribe", META), MODERN, "resources/unsubscribe", NULL, 404, -32601 },
	{ REQUEST("tasks/list", META), MODERN, "tasks/list", NULL, 404, -32601 },
	{ REQUEST("tasks/result", META), MODERN, "tasks/result", NULL, 404, -32601 },
	{ REQUEST("sampling/createMessage", META), MODERN, "sampling/createMessage", NULL, 404, -32601 },
	{ REQUEST("notifications/cancelled", META), MODERN, "notifications/cancelled", NULL, 404, -32601 },
};

static void test_what_a_modern_request_must_have(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(checked); i++) {
		const struct checked *row = &checked[i];
		struct message m = parse(row->text);
		struct request_meta meta = meta_read(m.meta);
		struct modern_headers h = { span_of(row->version), span_of(row->method), span_of(row->name), false };
		struct modern_fault fault;
		bool fine = modern_check(&m, &meta, &h, &fault);
		if (fine != (row->status == 0) || fault.status != row->status || fault.code != row->code)
			fail_msg("row %zu, %s: %d %d", i, row->text, fault.status, fault.code);
	}
}

static void test_a_header_that_comes_twice_is_refused(void **state)
{
	struct message m = parse(REQUEST("tools/list", META));
	struct request_meta meta = meta_read(m.meta);
	struct modern_headers h = { SPAN(MODERN), SPAN("tools/list"), SPAN_NONE, true };
	struct modern_fault fault;

	(void)state;
	assert_false(modern_check(&m, &meta, &h, &fault));
	assert_int_equal(fault.code, -32020);
}

static void test_over_stdio_there_are_no_headers(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{ REQUEST("server/discover", META), 0 },
		{ REQUEST("tools/call", META ",\"name\":\"a\""), 0 },
		{ REQUEST("tools/list", "\"_meta\":{" VERSION "}"), -32602 },
		{ REQUEST("tools/list", "\"_meta\":{" KEY("protocolVersion") "\"v999\"," CAPABLE "}"), -32022 },
		{ REQUEST("ping", META), -32601 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct message m = parse(rows[i].text);
		struct request_meta meta = meta_read(m.meta);
		struct modern_fault fault;
		modern_check(&m, &meta, NULL, &fault);
		assert_int_equal(fault.code, rows[i].code);
	}
}

static void test_the_error_echoes_the_id_and_tells_the_versions(void **state)
{
	struct message m = parse(REQUEST("tools/list", "\"_meta\":{" KEY("protocolVersion") "\"v9\"," CAPABLE "}"));
	struct request_meta meta = meta_read(m.meta);
	struct modern_fault fault;
	struct buf out = { 0 };

	(void)state;
	modern_check(&m, &meta, NULL, &fault);
	modern_put_fault(&out, m.id, &fault, &meta);
	assert_span(buf_span(&out),
	        "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32022,\"message\":\"the protocol "
	        "version is not supported\",\"data\":{\"supported\":[\"2026-07-28\"],\"requested\":"
	        "\"v9\"}}}");
	buf_free(&out);
	fault = (struct modern_fault){ 400, -32020, "why" };
	modern_put_fault(&out, m.id, &fault, &meta);
	assert_span(buf_span(&out), "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32020,\"message\":\"why\"}}");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_keys_are_read_by_their_meaning),
		cmocka_unit_test(test_which_revision_a_message_is_of),
		cmocka_unit_test(test_what_a_modern_request_must_have),
		cmocka_unit_test(test_a_header_that_comes_twice_is_refused),
		cmocka_unit_test(test_over_stdio_there_are_no_headers),
		cmocka_unit_test(test_the_error_echoes_the_id_and_tells_the_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
