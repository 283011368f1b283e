#include "unit.h"

#include "mcp/jsonrpc.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define DEPTH 16

static struct message parse(struct span text)
{
	struct message m;
	struct message_fault fault;

	memset(&m, 0x55, sizeof(m));
	if (!message_parse(text, DEPTH, &m, &fault))
		fail_msg("%.*s: %d at %zu: %s", SPAN_ARG(text), fault.code, fault.at, fault.sentence);
	assert_ptr_equal(m.text.p, text.p);
	assert_int_equal(m.text.n, text.n);
	return m;
}

static struct message_fault refuse(struct span text)
{
	struct message m;
	struct message_fault fault;

	memset(&fault, 0x55, sizeof(fault));
	if (message_parse(text, DEPTH, &m, &fault))
		fail_msg("%.*s: accepted", SPAN_ARG(text));
	assert_non_null(fault.sentence);
	return fault;
}

/* A message of the table below, and what must come out of it. */
struct row {
	struct span text;
	enum message_kind kind;
	enum method method;
	struct span id;
};

/* clang-format off */
static const struct row messages[] = {
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), MESSAGE_REQUEST, METHOD_PING, SPAN("1") },
	{ SPAN(" \n{ \"method\" : \"ping\" , \"id\" : \"1\" , \"jsonrpc\" : \"2.0\" } \n"), MESSAGE_REQUEST, METHOD_PING, SPAN("\"1\"") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":-5,\"method\":\"tools/call\",\"params\":{}}"), MESSAGE_REQUEST, METHOD_TOOLS_CALL, SPAN("-5") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":\"\",\"method\":\"x\"}"), MESSAGE_REQUEST, METHOD_UNKNOWN, SPAN("\"\"") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":123456789012345678901234567890,\"method\":\"\"}"), MESSAGE_REQUEST, METHOD_UNKNOWN,
		SPAN("123456789012345678901234567890") },
	/* what is equal by meaning */
	{ SPAN("{\"jsonrpc\":\"2\\u002e0\",\"\\u0069d\":1,\"method\":\"tools\\/list\"}"), MESSAGE_REQUEST, METHOD_TOOLS_LIST, SPAN("1") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\u0070\\u0069\\u006e\\u0067\"}"), MESSAGE_REQUEST, METHOD_PING, SPAN("1") },
	/* notifications */
	{ SPAN("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"), MESSAGE_NOTIFICATION, METHOD_INITIALIZED, { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/other\",\"params\":{\"a\":1}}"), MESSAGE_NOTIFICATION, METHOD_UNKNOWN, { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\"}"), MESSAGE_NOTIFICATION, METHOD_TOOLS_CALL, { NULL, 0 } },
	/* results */
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"), MESSAGE_RESULT, METHOD_UNKNOWN, SPAN("1") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":null}"), MESSAGE_RESULT, METHOD_UNKNOWN, SPAN("\"a\"") },
	{ SPAN("{\"result\":{\"x\":[1,{}]},\"id\":7,\"jsonrpc\":\"2.0\",\"more\":true}"), MESSAGE_RESULT, METHOD_UNKNOWN, SPAN("7") },
	/* errors: the id may be missing or null, and is no id then */
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no\"}}"), MESSAGE_ERROR, METHOD_UNKNOWN, SPAN("1") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700}}"), MESSAGE_ERROR, METHOD_UNKNOWN, { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":0}}"), MESSAGE_ERROR, METHOD_UNKNOWN, { NULL, 0 } },
};
/* clang-format on */

static void test_messages_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		struct message m = parse(messages[i].text);
		assert_int_equal(m.kind, messages[i].kind);
		assert_int_equal(m.method_id, messages[i].method);
		assert_int_equal(span_is_set(m.id), span_is_set(messages[i].id));
		assert_span_is(m.id, messages[i].id);
	}
}

static void test_each_method_is_known_even_when_all_of_it_is_escaped(void **state)
{
	(void)state;
	for (enum method method = 0; method < METHOD_COUNT; method++) {
		struct span name = method_name(method);
		struct buf text = { 0 };
		buf_add(&text, SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\""));
		for (size_t i = 0; i < name.n; i++)
			buf_printf(&text, "\\u%04x", name.p[i]);
		buf_add(&text, SPAN("\"}"));
		assert_int_equal(parse(buf_span(&text)).method_id, method);
		buf_free(&text);
	}
}

static void test_the_members_of_params_are_seen_as_they_are_written(void **state)
{
	struct message m = parse(SPAN(
	        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{"
	        "\"name\":\"a\\u0062\",\"uri\":\"u\",\"cursor\":\"\",\"level\":\"info\",\"arguments\":{ \"name\":1.0 },"
	        "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"n\",\"uri\":\"v\"},\"_meta\":{\"progressToken\":7,\"k\":0},"
	        "\"requestId\":\"q\",\"reason\":\"r\",\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
	        "\"clientInfo\":[],\"progressToken\":\"t\",\"logger\":null,\"other\":{\"uri\":1}}}"));

	(void)state;
	assert_span(m.method, "\"x\"");
	assert_true(span_starts(m.params, SPAN("{\"name\":\"a")));
	assert_span(m.name, "\"a\\u0062\"");
	assert_span(m.uri, "\"u\"");
	assert_span(m.cursor, "\"\"");
	assert_span(m.level, "\"info\"");
	assert_span(m.arguments, "{ \"name\":1.0 }");
	assert_span(m.ref, "{\"type\":\"ref/prompt\",\"name\":\"n\",\"uri\":\"v\"}");
	assert_span(m.ref_type, "\"ref/prompt\"");
	assert_span(m.ref_name, "\"n\"");
	assert_span(m.ref_uri, "\"v\"");
	assert_span(m.meta, "{\"progressToken\":7,\"k\":0}");
	assert_span(m.progress_token, "7");
	assert_span(m.request_id, "\"q\"");
	assert_span(m.reason, "\"r\"");
	assert_span(m.protocol_version, "\"2025-11-25\"");
	assert_span(m.capabilities, "{}");
	assert_span(m.client_info, "[]");
	assert_span(m.token, "\"t\"");
	assert_span(m.logger, "null");
	assert_false(span_is_set(m.result));
	assert_false(span_is_set(m.next_cursor));
}

static void test_the_members_of_a_result_are_seen(void **state)
{
	struct message m =
	        parse(SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"nextCursor\":\"c\",\"_meta\":{\"a\":1},"
	                   "\"name\":\"x\",\"tools\":[{\"nextCursor\":1,\"nextCursor\":2}]}}"));

	(void)state;
	assert_span(m.next_cursor, "\"c\"");
	assert_span(m.result_meta, "{\"a\":1}");
	assert_false(span_is_set(m.name));
	assert_false(span_is_set(m.meta));
	m = parse(SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"data\":{\"code\":\"x\"},\"code\":-1}}"));
	assert_span(m.error, "{\"data\":{\"code\":\"x\"},\"code\":-1}");
}

static void test_values_of_a_wrong_type_are_for_their_readers_to_judge(void **state)
{
	struct message m = parse(SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
	                              "\"params\":{\"name\":7,\"_meta\":[],\"ref\":\"r\",\"arguments\":null}}"));

	(void)state;
	assert_span(m.name, "7");
	assert_span(m.meta, "[]");
	assert_span(m.arguments, "null");
	assert_false(span_is_set(m.progress_token));
}

static void test_line_breaks_are_told(void **state)
{
	(void)state;
	assert_false(parse(SPAN("{\"jsonrpc\":\"2.0\",\"method\":\"\\n\"}")).multiline);
	assert_true(parse(SPAN("{\"jsonrpc\":\"2.0\",\n\"method\":\"m\"}")).multiline);
}

/* clang-format off */
static const struct {
	struct span text;
	const char *sentence; /* a part of it */
	struct span id;       /* that may be answered to */
} faults[] = {
	/* no message at all */
	{ SPAN("[]"),                                                   "is an object",   { NULL, 0 } },
	{ SPAN(" [{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}]"),   "is an object",   { NULL, 0 } },
	{ SPAN("1"),                                                    "is an object",   { NULL, 0 } },
	{ SPAN("\"{\""),                                                "is an object",   { NULL, 0 } },
	{ SPAN("null"),                                                 "is an object",   { NULL, 0 } },
	{ SPAN("{}"),                                                   "\"jsonrpc\"",    { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\"}"),                                "a method, a result or an error", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4}"),                       "a method, a result or an error", SPAN("4") },
	/* jsonrpc */
	{ SPAN("{\"id\":4,\"method\":\"a\"}"),                          "\"jsonrpc\"",    SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"1.0\",\"id\":\"4\",\"method\":\"a\"}"),  "\"jsonrpc\"",    SPAN("\"4\"") },
	{ SPAN("{\"jsonrpc\":2.0,\"id\":4,\"method\":\"a\"}"),          "\"jsonrpc\"",    SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.00\",\"id\":4,\"method\":\"a\"}"),     "\"jsonrpc\"",    SPAN("4") },
	{ SPAN("{\"id\":4,\"result\":{}}"),                             "\"jsonrpc\"",    { NULL, 0 } },
	/* id */
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"a\"}"),   "\"id\"",         { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1.0,\"method\":\"a\"}"),    "\"id\"",         { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1e3,\"method\":\"a\"}"),    "\"id\"",         { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1E3,\"method\":\"a\"}"),    "\"id\"",         { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"a\"}"),   "\"id\"",         { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"a\"}"),    "\"id\"",         { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"a\"}"),     "\"id\"",         { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"result\":{}}"),                  "the id of a result", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}"),      "the id of a result", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"result\":{}}"),       "the id of a result", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"error\":{\"code\":1}}"), "the id of an error", { NULL, 0 } },
	/* method and params */
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":1}"),          "\"method\"",     SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":null}"),       "\"method\"",     SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\",\"params\":[]}"),   "\"params\"", SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\",\"params\":null}"), "\"params\"", SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":\"\"}"),          "\"params\"", { NULL, 0 } },
	/* a call and an answer at once */
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\",\"result\":{}}"),   "neither a result", SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\",\"error\":{\"code\":1}}"), "neither a result", SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{},\"error\":{\"code\":1}}"), "not both", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{},\"error\":null}"),     "not both", { NULL, 0 } },
	/* errors */
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":null}"),                   "\"code\"", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":\"no\"}"),                 "\"code\"", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"message\":\"no\"}}"),   "\"code\"", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":\"1\"}}"),       "\"code\"", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-1.0}}"),        "\"code\"", { NULL, 0 } },
	/* twice */
	{ SPAN("{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\"}"), "\"jsonrpc\" comes twice", SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"id\":4,\"method\":\"a\"}"),        "\"id\" comes twice", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\",\"m\\u0065thod\":\"b\"}"), "\"method\" comes twice", SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\",\"params\":{},\"params\":{}}"), "\"params\" comes twice", SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\",\"params\":{\"name\":1,\"name\":1}}"), "\"name\" comes twice", SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\",\"params\":{\"ref\":{\"uri\":1,\"uri\":1}}}"), "\"uri\" comes twice", SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\",\"params\":{\"_meta\":{\"progressToken\":1,\"progressToken\":1}}}"),
		"\"progressToken\" comes twice", SPAN("4") },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"_meta\":{},\"_meta\":{}}}"), "\"_meta\" comes twice", { NULL, 0 } },
	{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":1,\"code\":1}}"), "\"code\" comes twice", { NULL, 0 } },
};
/* clang-format on */

static void test_what_is_no_message_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(faults); i++) {
		struct message_fault fault = refuse(faults[i].text);
		assert_int_equal(fault.code, RPC_INVALID_REQUEST);
		if (strstr(fault.sentence, faults[i].sentence) == NULL)
			fail_msg("%.*s: %s", SPAN_ARG(faults[i].text), fault.sentence);
		assert_int_equal(span_is_set(fault.id), span_is_set(faults[i].id));
		assert_span_is(fault.id, faults[i].id);
	}
}

static void test_what_is_no_json_is_told_with_its_place(void **state)
{
	struct message_fault fault = refuse(SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,}"));

	(void)state;
	assert_int_equal(fault.code, RPC_PARSE_ERROR);
	assert_int_equal(fault.at, 24);
	assert_false(span_is_set(fault.id));
	assert_int_equal(refuse(SPAN("")).code, RPC_PARSE_ERROR);
	assert_int_equal(refuse(SPAN("{\"a\":\"\xFF\"}")).code, RPC_PARSE_ERROR);
	assert_int_equal(refuse(SPAN("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]")).code, RPC_PARSE_ERROR);
}

static void test_duplicates_elsewhere_pass(void **state)
{
	(void)state;
	parse(SPAN("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"a\",\"x\":1,\"x\":2,"
	           "\"params\":{\"arguments\":{\"name\":1,\"name\":2},\"y\":1,\"y\":2}}"));
}

static void test_an_error_is_written(void **state)
{
	struct buf out = { 0 };

	(void)state;
	rpc_put_error(&out, SPAN("\"a\\u0062\""), RPC_INVALID_PARAMS, SPAN("no tool \"x\""));
	assert_span(buf_span(&out), "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0062\",\"error\":{\"code\":-32602,"
	                            "\"message\":\"no tool \\\"x\\\"\"}}");
	assert_int_equal(parse(buf_span(&out)).kind, MESSAGE_ERROR);
	buf_free(&out);
}

static void test_an_error_without_id_leaves_the_member_out(void **state)
{
	struct buf out = { 0 };

	(void)state;
	rpc_put_error(&out, SPAN_NONE, RPC_PARSE_ERROR, SPAN("bad"));
	assert_span(buf_span(&out), "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"bad\"}}");
	buf_free(&out);
}

static void test_an_end_says_what_became_of_the_call(void **state)
{
	static const struct {
		struct rpc_end end;
		const char *data;
	} rows[] = {
		{ { END_DRAINING, OUTCOME_NOT_SENT, SPAN("github"), false },
		        "{\"reason\":\"draining\",\"outcome\":\"not_sent\",\"backend\":\"github\",\"retryable\":true}" },
		{ { END_BACKEND_EXITED, OUTCOME_UNKNOWN, SPAN("github"), false },
		        "{\"reason\":\"backend_exited\",\"outcome\":\"unknown\",\"backend\":\"github\",\"retryable\":false}" },
		{ { END_BACKEND_TIMEOUT, OUTCOME_UNKNOWN, SPAN("a"), true },
		        "{\"reason\":\"backend_timeout\",\"outcome\":\"unknown\",\"backend\":\"a\",\"retryable\":true}" },
		{ { END_OVERLOADED, OUTCOME_NOT_SENT, { NULL, 0 }, false },
		        "{\"reason\":\"overloaded\",\"outcome\":\"not_sent\",\"retryable\":true}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = { 0 };
		rpc_put_end(&out, SPAN("17"), &rows[i].end);
		struct message m = parse(buf_span(&out));
		assert_int_equal(m.kind, MESSAGE_ERROR);
		assert_span(m.id, "17");
		assert_span(json_member(m.error, "code"), "-32603");
		assert_true(
		        json_string_is(json_member(m.error, "message"), span_of(end_reason_sentence(rows[i].end.why))));
		assert_span_is(json_member(m.error, "data"), span_of(rows[i].data));
		buf_free(&out);
	}
}

static void test_a_result_is_written(void **state)
{
	struct buf out = { 0 };

	(void)state;
	rpc_put_result(&out, SPAN("1"), SPAN("{\"a\": 1.0}"));
	assert_span(buf_span(&out), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\": 1.0}}");
	assert_int_equal(parse(buf_span(&out)).kind, MESSAGE_RESULT);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_are_told_apart),
		cmocka_unit_test(test_each_method_is_known_even_when_all_of_it_is_escaped),
		cmocka_unit_test(test_the_members_of_params_are_seen_as_they_are_written),
		cmocka_unit_test(test_the_members_of_a_result_are_seen),
		cmocka_unit_test(test_values_of_a_wrong_type_are_for_their_readers_to_judge),
		cmocka_unit_test(test_line_breaks_are_told),
		cmocka_unit_test(test_what_is_no_message_is_told),
		cmocka_unit_test(test_what_is_no_json_is_told_with_its_place),
		cmocka_unit_test(test_duplicates_elsewhere_pass),
		cmocka_unit_test(test_an_error_is_written),
		cmocka_unit_test(test_an_error_without_id_leaves_the_member_out),
		cmocka_unit_test(test_an_end_says_what_became_of_the_call),
		cmocka_unit_test(test_a_result_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
