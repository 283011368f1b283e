#include "mcp/bridge.h"

#include "unit.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define RESULT(json) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" json "}"
#define ERROR(json) "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{" json "}}"
#define SERVER "{\"name\":\"us\"}"
#define STAMP "\"io.modelcontextprotocol/serverInfo\":" SERVER
#define COMPLETE "\"resultType\":\"complete\""
#define CACHE "\"ttlMs\":0,\"cacheScope\":\"private\""
#define KEY(name) "\"io.modelcontextprotocol/" name "\":"

struct row {
	enum method method;
	const char *in, *out;
};

static struct message parse(const char *text)
{
	struct message m;
	struct message_fault fault;

	if (!message_parse(span_of(text), 32, &m, &fault))
		fail_msg("%s: %s", text, fault.sentence);
	return m;
}

static void check(const struct message *m, const struct bridge *b, const char *wanted)
{
	struct pieces p = pieces_splice(m->text, b->splices, b->n);
	struct buf out = { 0 };

	pieces_put(&out, &p);
	assert_span_is(buf_span(&out), span_of(wanted));
	parse(wanted);
	buf_free(&out);
}

static const struct bridge_asked *asked(enum method method)
{
	static struct bridge_asked a;

	a = (struct bridge_asked){ method, SPAN("\"file:///a\""), SPAN(SERVER) };
	if (method != METHOD_RESOURCES_READ)
		a.uri = SPAN_NONE;
	return &a;
}

static void check_to_modern(const struct row *rows, size_t n, bool from_modern)
{
	for (size_t i = 0; i < n; i++) {
		struct message m = parse(rows[i].in);
		struct buf room = { 0 };
		struct bridge b;
		bridge_to_modern(&b, &m, from_modern, asked(rows[i].method), &room);
		check(&m, &b, rows[i].out);
		buf_free(&room);
	}
}

static void test_a_legacy_result_is_stamped(void **state)
{
	static const struct row rows[] = {
		{ METHOD_TOOLS_CALL, RESULT("{}"), RESULT("{" COMPLETE ",\"_meta\":{" STAMP "}}") },
		{ METHOD_TOOLS_CALL, RESULT("{ }"), RESULT("{" COMPLETE ",\"_meta\":{" STAMP "} }") },
		{ METHOD_TOOLS_CALL, RESULT("{\"content\":[]}"),
		        RESULT("{" COMPLETE ",\"_meta\":{" STAMP "},\"content\":[]}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"content\":[],\"_meta\":{\"a\":1}}"),
		        RESULT("{" COMPLETE ",\"content\":[],\"_meta\":{" STAMP ",\"a\":1}}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"_meta\":{}}"), RESULT("{" COMPLETE ",\"_meta\":{" STAMP "}}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"_meta\":null}"), RESULT("{" COMPLETE ",\"_meta\":{" STAMP "}}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"_meta\":{" KEY("serverInfo") "{\"name\":\"x\"}}}"),
		        RESULT("{" COMPLETE ",\"_meta\":{" KEY("serverInfo") "{\"name\":\"x\"}}}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"resultType\":\"odd\",\"_meta\":{" STAMP "}}"),
		        RESULT("{\"resultType\":\"complete\",\"_meta\":{" STAMP "}}") },
		{ METHOD_RESOURCES_READ, RESULT("{\"contents\":[]}"),
		        RESULT("{" COMPLETE "," CACHE ",\"_meta\":{" STAMP "},\"contents\":[]}") },
		{ METHOD_RESOURCES_READ,
		        RESULT("{\"ttlMs\":-1,\"cacheScope\":\"all\",\"contents\":[],\"_meta\":{" STAMP "}}"),
		        RESULT("{" COMPLETE ",\"ttlMs\":0,\"cacheScope\":\"private\",\"contents\":[],\"_meta\":{" STAMP
		               "}}") },
		{ METHOD_PROMPTS_GET, RESULT("{\"messages\":[]}"),
		        RESULT("{" COMPLETE ",\"_meta\":{" STAMP "},\"messages\":[]}") },
		{ METHOD_TOOLS_CALL, RESULT("[]"), RESULT("[]") },
	};

	(void)state;
	check_to_modern(rows, COUNT(rows), false);
}

static void test_of_a_modern_result_only_what_is_missing_is_added(void **state)
{
	static const struct row rows[] = {
		{ METHOD_RESOURCES_READ,
		        RESULT("{" COMPLETE ",\"ttlMs\":5000,\"cacheScope\":\"public\",\"_meta\":{" STAMP "}}"),
		        RESULT("{" COMPLETE ",\"ttlMs\":5000,\"cacheScope\":\"public\",\"_meta\":{" STAMP "}}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"content\":[],\"_meta\":{" STAMP "}}"),
		        RESULT("{" COMPLETE ",\"content\":[],\"_meta\":{" STAMP "}}") },
		{ METHOD_RESOURCES_READ, RESULT("{\"resultType\":\"input_required\",\"_meta\":{" STAMP "}}"),
		        RESULT("{\"resultType\":\"input_required\",\"_meta\":{" STAMP "}}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"resultType\":7,\"_meta\":{" STAMP "}}"),
		        RESULT("{\"resultType\":\"complete\",\"_meta\":{" STAMP "}}") },
	};

	(void)state;
	check_to_modern(rows, COUNT(rows), true);
}

static void test_errors_get_codes_that_the_revision_allows(void **state)
{
	static const struct row legacy[] = {
		{ METHOD_RESOURCES_READ, ERROR("\"code\":-32002,\"message\":\"m\""),
		        ERROR("\"data\":{\"uri\":\"file:///a\"},\"code\":-32602,\"message\":\"m\"") },
		{ METHOD_RESOURCES_READ, ERROR("\"code\":-32002,\"message\":\"m\",\"data\":{\"uri\":\"x\"}"),
		        ERROR("\"code\":-32602,\"message\":\"m\",\"data\":{\"uri\":\"x\"}") },
		{ METHOD_RESOURCES_READ, ERROR("\"code\":-32002,\"message\":\"m\",\"data\":{\"a\":1}"),
		        ERROR("\"code\":-32602,\"message\":\"m\",\"data\":{\"uri\":\"file:///a\",\"a\":1}") },
		{ METHOD_RESOURCES_READ, ERROR("\"code\":-32002,\"message\":\"m\",\"data\":\"text\""),
		        ERROR("\"code\":-32602,\"message\":\"m\",\"data\":{\"uri\":\"file:///a\"}") },
		{ METHOD_TOOLS_CALL, ERROR("\"code\":-32002,\"message\":\"m\""),
		        ERROR("\"code\":-32602,\"message\":\"m\"") },
		{ METHOD_TOOLS_CALL, ERROR("\"code\":-32000,\"message\":\"m\""),
		        ERROR("\"data\":{\"original\":{\"code\":-32000,\"message\":\"m\"}},\"code\":-32603,\"message\":\"m\"") },
		{ METHOD_TOOLS_CALL, ERROR("\"code\":-32021,\"message\":\"m\",\"data\":5"),
		        ERROR("\"code\":-32603,\"message\":\"m\",\"data\":{\"original\":{\"code\":-32021,\"message\":\"m\","
		              "\"data\":5}}") },
		{ METHOD_TOOLS_CALL, ERROR("\"code\":-32042,\"message\":\"m\""),
		        ERROR("\"data\":{\"original\":{\"code\":-32042,\"message\":\"m\"}},\"code\":-32603,\"message\":\"m\"") },
		{ METHOD_TOOLS_CALL, ERROR("\"code\":-32602,\"message\":\"m\""),
		        ERROR("\"code\":-32602,\"message\":\"m\"") },
		{ METHOD_TOOLS_CALL, ERROR("\"code\":7,\"message\":\"m\""), ERROR("\"code\":7,\"message\":\"m\"") },
	};
	static const struct row modern[] = {
		{ METHOD_TOOLS_CALL, ERROR("\"code\":-32021,\"message\":\"m\""),
		        ERROR("\"code\":-32021,\"message\":\"m\"") },
		{ METHOD_TOOLS_CALL, ERROR("\"code\":-32000,\"message\":\"m\""),
		        ERROR("\"code\":-32000,\"message\":\"m\"") },
		{ METHOD_TOOLS_CALL, ERROR("\"code\":-32020,\"message\":\"m\""),
		        ERROR("\"data\":{\"original\":{\"code\":-32020,\"message\":\"m\"}},\"code\":-32603,\"message\":\"m\"") },
	};

	(void)state;
	check_to_modern(legacy, COUNT(legacy), false);
	check_to_modern(modern, COUNT(modern), true);
}

static void test_a_modern_answer_is_made_fit_for_a_legacy_client(void **state)
{
	static const struct row rows[] = {
		{ METHOD_TOOLS_CALL, RESULT("{" COMPLETE "}"), RESULT("{}") },
		{ METHOD_TOOLS_CALL, RESULT("{" COMPLETE ", \"content\":[]}"), RESULT("{\"content\":[]}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"content\":[] , " COMPLETE " }"), RESULT("{\"content\":[]  }") },
		{ METHOD_TOOLS_LIST, RESULT("{\"tools\":[]," CACHE "," COMPLETE "}"), RESULT("{\"tools\":[]}") },
		{ METHOD_TOOLS_LIST, RESULT("{" COMPLETE ",\"tools\":[]," CACHE ",\"nextCursor\":\"c\"}"),
		        RESULT("{\"tools\":[],\"nextCursor\":\"c\"}") },
		{ METHOD_TOOLS_LIST, RESULT("{\"ttlMs\":1,\"tools\":[],\"cacheScope\":\"public\"}"),
		        RESULT("{\"tools\":[]}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"result\\u0054ype\" : \"complete\",\"content\":[]}"),
		        RESULT("{\"content\":[]}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"content\":[],\"_meta\":{\"a\":1," STAMP "}," COMPLETE "}"),
		        RESULT("{\"content\":[],\"_meta\":{\"a\":1}}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"_meta\":{" STAMP "}}"), RESULT("{\"_meta\":{}}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"content\":[]}"), RESULT("{\"content\":[]}") },
		{ METHOD_RESOURCES_READ, ERROR("\"code\":-32602,\"message\":\"m\",\"data\":{\"uri\":\"x\"}"),
		        ERROR("\"code\":-32002,\"message\":\"m\",\"data\":{\"uri\":\"x\"}") },
		{ METHOD_RESOURCES_READ, ERROR("\"code\":-32602,\"message\":\"m\""),
		        ERROR("\"code\":-32602,\"message\":\"m\"") },
		{ METHOD_TOOLS_CALL, ERROR("\"code\":-32021,\"message\":\"m\",\"data\":{\"requiredCapabilities\":{}}"),
		        ERROR("\"code\":-32603,\"message\":\"m\",\"data\":{\"requiredCapabilities\":{}}") },
		{ METHOD_TOOLS_CALL, ERROR("\"code\":-32022,\"message\":\"m\""),
		        ERROR("\"data\":{\"original\":{\"code\":-32022,\"message\":\"m\"}},\"code\":-32603,\"message\":\"m\"") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct message m = parse(rows[i].in);
		struct buf room = { 0 };
		struct bridge b;
		bridge_to_legacy(&b, &m, asked(rows[i].method), &room);
		check(&m, &b, rows[i].out);
		buf_free(&room);
	}
}

static void test_structured_content_that_is_no_object_goes(void **state)
{
	static const struct row rows[] = {
		{ METHOD_TOOLS_CALL, RESULT("{" COMPLETE ",\"content\":[],\"structuredContent\":[1]}"),
		        RESULT("{\"content\":[]}") },
		{ METHOD_TOOLS_CALL, RESULT("{\"content\":[]," COMPLETE ",\"structuredContent\":null}"),
		        RESULT("{\"content\":[]}") },
		{ METHOD_TOOLS_CALL, RESULT("{" COMPLETE ", \"structuredContent\" : \"a\" }"),
		        RESULT("{\"content\":[{\"type\":\"text\",\"text\":\"\\\"a\\\"\"}] }") },
		{ METHOD_TOOLS_CALL, RESULT("{\"content\":[],\"structuredContent\":{\"a\":[1]}," COMPLETE "}"),
		        RESULT("{\"content\":[],\"structuredContent\":{\"a\":[1]}}") },
		{ METHOD_PROMPTS_GET, RESULT("{\"structuredContent\":[1]," COMPLETE "}"),
		        RESULT("{\"structuredContent\":[1]}") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct message m = parse(rows[i].in);
		struct buf room = { 0 };
		struct bridge b;
		bridge_to_legacy(&b, &m, asked(rows[i].method), &room);
		check(&m, &b, rows[i].out);
		buf_free(&room);
	}
}

#define REQUEST(params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{" params "}}"
#define ALL KEY("protocolVersion") "\"2026-07-28\"," KEY("clientCapabilities") "{}," KEY("clientInfo") "{}"

static void test_a_modern_request_is_made_fit_for_a_legacy_server(void **state)
{
	static const struct row rows[] = {
		{ 0, REQUEST("\"_meta\":{" ALL "},\"name\":\"a\""), REQUEST("\"_meta\":{},\"name\":\"a\"") },
		{ 0, REQUEST("\"_meta\":{\"progressToken\":1," ALL "}"), REQUEST("\"_meta\":{\"progressToken\":1}") },
		{ 0, REQUEST("\"_meta\":{" ALL ",\"traceparent\":\"t\"," KEY("logLevel") "\"info\"}"),
		        REQUEST("\"_meta\":{\"traceparent\":\"t\"}") },
		{ 0, REQUEST("\"_meta\":{" ALL "},\"requestState\":\"s\",\"name\":\"a\",\"inputResponses\":{}"),
		        REQUEST("\"_meta\":{},\"name\":\"a\"") },
		{ 0, REQUEST("\"requestState\":\"s\",\"inputResponses\":{}"), REQUEST("") },
		{ 0, REQUEST("\"_meta\":{" KEY("related-task") "{}}"),
		        REQUEST("\"_meta\":{" KEY("related-task") "{}}") },
		{ 0, REQUEST("\"name\":\"a\""), REQUEST("\"name\":\"a\"") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct message m = parse(rows[i].in);
		struct bridge b;
		bridge_request_to_legacy(&b, &m);
		check(&m, &b, rows[i].out);
	}
}

static void test_our_own_results_and_errors(void **state)
{
	struct buf out = { 0 };

	(void)state;
	bridge_put_result(&out, asked(METHOD_TOOLS_LIST), SPAN("{\"tools\":[]}"));
	assert_span(buf_span(&out), "{" COMPLETE "," CACHE ",\"_meta\":{" STAMP "},\"tools\":[]}");
	buf_free(&out);
	bridge_put_not_found(&out, SPAN("\"x\""), SPAN("\"file:///a\""), true);
	assert_span(buf_span(&out),
	        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"error\":{\"code\":-32602,\"message\":\"resource "
	        "not found\",\"data\":{\"uri\":\"file:///a\"}}}");
	buf_free(&out);
	bridge_put_not_found(&out, SPAN("1"), SPAN("\"a:\""), false);
	assert_span(buf_span(&out),
	        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32002,\"message\":\"resource not "
	        "found\",\"data\":{\"uri\":\"a:\"}}}");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_legacy_result_is_stamped),
		cmocka_unit_test(test_of_a_modern_result_only_what_is_missing_is_added),
		cmocka_unit_test(test_errors_get_codes_that_the_revision_allows),
		cmocka_unit_test(test_a_modern_answer_is_made_fit_for_a_legacy_client),
		cmocka_unit_test(test_structured_content_that_is_no_object_goes),
		cmocka_unit_test(test_a_modern_request_is_made_fit_for_a_legacy_server),
		cmocka_unit_test(test_our_own_results_and_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
