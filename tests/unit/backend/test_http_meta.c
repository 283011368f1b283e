#include "backend/era_request.h"
#include "backend/http_private.h"

#include "unit.h"

#define VERSION "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\""
#define OURS                                                                                                 \
	VERSION ",\"io.modelcontextprotocol/clientInfo\":{\"name\":\"sluice\",\"version\":\"" SLUICE_VERSION \
	        "\"},\"io.modelcontextprotocol/clientCapabilities\":{}"

static struct message parsed(struct span text)
{
	struct message_fault fault;
	struct message m;

	assert_true(message_parse(text, 64, &m, &fault));
	return m;
}

static void expect(const struct pieces *p, const char *wanted)
{
	struct buf out = { 0 };

	pieces_put(&out, p);
	buf_add_char(&out, '\0');
	assert_string_equal(out.mem, wanted);
	(void)parsed((struct span){ out.mem, buf_size(&out) - 1 });
	buf_free(&out);
}

static void test_a_request_gets_what_it_lacks_wherever_that_goes(void **state)
{
	static const struct {
		struct span text;
		const char *wanted;
	} rows[] = {
		{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"} \n"),
		        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" OURS
		        "}}} \n" },
		{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{ }}"),
		        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" OURS "} }}" },
		{ SPAN("{\"params\":{\"cursor\":\"{\"},\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"),
		        "{\"params\":{\"_meta\":{" OURS
		        "},\"cursor\":\"{\"},\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}" },
		{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{}}}"),
		        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{" OURS "}}}" },
		{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"a\":1}}}"),
		        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{" OURS ",\"a\":1}}}" },
		{ SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{" VERSION "}}}"),
		        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{" VERSION "}}}" },
	};
	struct buf room = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message m = parsed(rows[i].text);
		struct pieces p = request_to_modern(&room, &m, NULL, NULL, 0);
		expect(&p, rows[i].wanted);
	}
	buf_free(&room);
}

static void test_the_client_behind_the_call_is_told(void **state)
{
	const struct backend_client legacy = {
		.revision = REVISION_2025_11_25,
		.capabilities = CLIENT_SAMPLING | CLIENT_ELICITATION | CLIENT_ELICITATION_URL | CLIENT_ROOTS,
		.level = LEVEL_WARNING,
		.info = SPAN("{\"name\":\"c\"}"),
	};
	const struct backend_client modern = { .level = LEVEL_COUNT, .declared = SPAN("{\"extensions\":{}}") };
	struct message m = parsed(SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"));
	struct buf room = { 0 };

	(void)state;
	struct pieces p = request_to_modern(&room, &m, &legacy, NULL, 0);
	expect(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"_meta\":{" VERSION
	           ",\"io.modelcontextprotocol/clientInfo\":{\"name\":\"c\"},\"io.modelcontextprotocol/"
	           "clientCapabilities\":{\"sampling\":{},\"elicitation\":{\"form\":{},\"url\":{}},\"roots\":{}},"
	           "\"io.modelcontextprotocol/logLevel\":\"warning\"}}}");
	p = request_to_modern(&room, &m, &modern, NULL, 0);
	struct buf out = { 0 };
	pieces_put(&out, &p);
	assert_non_null(memmem(out.mem, buf_size(&out), "clientCapabilities\":{\"extensions\":{}}", 37));
	assert_null(memmem(out.mem, buf_size(&out), "logLevel", 8));
	buf_free(&out);
	buf_free(&room);
}

static void test_a_legacy_server_is_told_nothing_of_the_modern_revision(void **state)
{
	struct span text =
	        SPAN("{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"x\",\"params\":{\"_meta\":{" VERSION
	             ",\"progressToken\":\"t\",\"io.modelcontextprotocol/clientCapabilities\":{}},\"a\":1}}");
	struct message m = parsed(text);
	const struct splice splices[] = { { m.id, SPAN("7") }, { m.progress_token, SPAN("7") } };

	(void)state;
	struct pieces p = request_to_legacy(&m, splices, 2);
	expect(&p,
	        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x\",\"params\":{\"_meta\":{\"progressToken\":7},\"a\":1}}");
}

static void test_headers_repeat_what_the_body_says(void **state)
{
	struct span text = SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
	                        "\"f__b\\u00fc\"}}");
	struct message m = parsed(text);
	struct http_site site = { 0 };
	struct http_backend b = { .site = &site };
	struct buf out = { 0 };

	(void)state;
	http_put_modern_fields(&b, &out, &m, (struct splice){ .out = { m.name.p + 1, 3 }, .in = SPAN("") });
	buf_add_char(&out, '\0');
	assert_string_equal(out.mem, "Mcp-Method: tools/call\nMcp-Name: =?base64?YsO8?=\n");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_gets_what_it_lacks_wherever_that_goes),
		cmocka_unit_test(test_the_client_behind_the_call_is_told),
		cmocka_unit_test(test_a_legacy_server_is_told_nothing_of_the_modern_revision),
		cmocka_unit_test(test_headers_repeat_what_the_body_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
