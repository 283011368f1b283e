/* A server that wants its user to have been at a page first (-32042), and what clients of each kind get. */
#include "modern_stage.h"

#define PAGE \
	"{\"mode\":\"url\",\"elicitationId\":\"e/1\",\"url\":\"https://example.com/\",\"message\":\"Sign \\\"in\\\"\"}"
#define NEEDED(pages) "\"error\":{\"code\":-32042,\"message\":\"m\",\"data\":{\"elicitations\":" pages "}}"

/* The server's word about its oldest call, in a legacy revision. */
static void server_says_of_call(struct stage *s, const char *member)
{
	struct backend_call *call = list_entry(list_take_first(&s->a->calls), struct backend_call, node);
	struct buf text = { 0 };

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":1,%s}", member);
	buf_add_char(&text, '\0');
	struct message m = parsed(buf_span(&text).p);
	call->sink->ended(call, m.kind == MESSAGE_RESULT ? END_RESULT : END_SERVER_ERROR, OUTCOME_KNOWN, &m);
	run(s);
	buf_free(&text);
	buf_free(&s->a->down);
}

static void ask_first(struct stage *s, struct modern *m)
{
	open_modern(s, m);
	submit(m, 1, PARAMS);
	server_says_of_call(s, NEEDED("[" PAGE "]"));
	assert_int_equal(m->ends, 1);
}

static void test_a_modern_client_is_asked_and_its_retry_runs_again(void **state)
{
	char first[600];
	struct modern m;
	struct stage s;

	(void)state;
	ask_first(&s, &m);
	assert_non_null(strstr(m.text, "\"resultType\":\"input_required\",\"inputRequests\":{\"u1\":{\"method\":"
	                               "\"elicitation/create\",\"params\":{\"mode\":\"url\",\"url\":"
	                               "\"https://example.com/\",\"message\":\"Sign \\\"in\\\"\"}}}"));
	assert_int_equal(gateway_counts(s.gw)->ended[END_RESULT], 1);
	snprintf(first, sizeof(first), "%s", m.state);
	retry(&m, 2, first, "{\"u1\":{\"action\":\"accept\"}}");
	assert_int_equal(m.ends, 1);
	assert_true(span_has(buf_span(&s.a->down), "\"arguments\":{\"n\":1}"));
	server_says_of_call(&s, "\"result\":{}");
	assert_non_null(strstr(m.text, "\"id\":2"));
	assert_non_null(strstr(m.text, "\"resultType\":\"complete\""));
	retry(&m, 3, first, "{\"u1\":{\"action\":\"accept\"}}"); /* it is used */
	assert_non_null(strstr(m.text, "\"code\":-32602"));
	expect(&s.a->down, "");
	stage_close(&s);
}

static void test_when_it_is_still_needed_the_client_is_asked_again(void **state)
{
	char first[600];
	struct modern m;
	struct stage s;

	(void)state;
	ask_first(&s, &m);
	snprintf(first, sizeof(first), "%s", m.state);
	retry(&m, 2, first, "{}");
	server_says_of_call(&s, NEEDED("[" PAGE "," PAGE "]"));
	assert_non_null(strstr(m.text, "\"u2\""));
	assert_string_not_equal(m.state, first);
	stage_close(&s);
}

static void test_a_retry_that_is_not_right_runs_nothing(void **state)
{
	char first[600];
	struct modern m;
	struct stage s;

	(void)state;
	ask_first(&s, &m);
	snprintf(first, sizeof(first), "%s", m.state);
	retry(&m, 2, first, "5");
	assert_non_null(strstr(m.text, "\"code\":-32602"));
	retry(&m, 3, first, "{\"u1\":true}");
	assert_non_null(strstr(m.text, "\"code\":-32602"));
	char params[1500];
	snprintf(params, sizeof(params), META_OF("{}") ",\"name\":\"a__x\",\"arguments\":{\"n\":2},\"requestState\":%s",
	        first);
	submit(&m, 4, params);
	run(&s);
	assert_non_null(strstr(m.text, "\"code\":-32602"));
	retry(&m, 5, first, "{\"u1\":{\"action\":\"decline\"}}");
	assert_non_null(strstr(m.text, "\"isError\":true"));
	expect(&s.a->down, "");
	stage_close(&s);
}

static void test_the_oldest_state_is_forgotten(void **state)
{
	char first[600];
	struct modern m;
	struct stage s;

	(void)state;
	ask_first(&s, &m);
	snprintf(first, sizeof(first), "%s", m.state);
	for (int i = 0; i < 1024; i++) {
		submit(&m, 10 + i, PARAMS);
		server_says_of_call(&s, NEEDED("[" PAGE "]"));
	}
	retry(&m, 2, first, "{\"u1\":{\"action\":\"accept\"}}");
	assert_non_null(strstr(m.text, "\"code\":-32602"));
	stage_close(&s);
}

static void test_time_is_up(void **state)
{
	struct backend_conf conf = server_conf(ISOLATION_SHARED);
	struct modern m;
	struct stage s;

	(void)state;
	conf.max_request_timeout_ms = 0;
	stage_open(&s, &conf);
	m = (struct modern){ .s = &s };
	submit(&m, 1, PARAMS);
	server_says_of_call(&s, NEEDED("[" PAGE "]"));
	retry(&m, 2, m.state, "{\"u1\":{\"action\":\"accept\"}}");
	assert_non_null(strstr(m.text, "\"code\":-32602"));
	stage_close(&s);
}

static void test_a_modern_client_that_cannot_is_told_what_it_takes(void **state)
{
	struct modern m;
	struct stage s;

	(void)state;
	open_modern(&s, &m);
	submit(&m, 1, PARAMS_OF("{\"elicitation\":{}}"));
	server_says_of_call(&s, NEEDED("[" PAGE "]"));
	assert_non_null(strstr(m.text, "\"code\":-32021"));
	assert_non_null(strstr(m.text, "\"requiredCapabilities\":{\"elicitation\":{\"url\":{}}}"));
	stage_close(&s);
}

static void test_what_cannot_be_passed_on_is_an_error_that_holds_it(void **state)
{
	static const char *const odd[] = { NEEDED("[]"), NEEDED("[" PAGE ",5]"), NEEDED("{}"),
		NEEDED("[{\"mode\":\"form\",\"url\":\"u\",\"message\":\"m\"}]"),
		"\"error\":{\"code\":-32042,\"message\":\"m\"}",
		"\"error\":{\"code\":-32042,\"message\":\"m\",\"data\":7}" };
	struct modern m;
	struct stage s;

	(void)state;
	open_modern(&s, &m);
	for (int i = 0; i < 6; i++) {
		submit(&m, i, PARAMS);
		server_says_of_call(&s, odd[i]);
		assert_non_null(strstr(m.text, "\"code\":-32603"));
		assert_non_null(strstr(m.text, "\"original\":{\"code\":-32042"));
	}
	stage_close(&s);
}

#define CAN_OPEN "{\"elicitation\":{\"form\":{},\"url\":{}}}"

static void open_legacy(struct stage *s, struct client *c, const char *capabilities)
{
	struct backend_conf conf = server_conf(ISOLATION_SHARED);

	stage_open(s, &conf);
	client_open(c, s, 'c', capabilities);
	client_push(c);
	c->sees_answers = true;
}

static void test_a_legacy_client_gets_the_error_and_hears_when_it_is_done(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_legacy(&s, &c, CAN_OPEN);
	client_call(&c, 1);
	server_says_of_call(&s, NEEDED("[" PAGE "]"));
	expect(&s.up,
	        "c {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32042,\"message\":\"m\",\"data\":{"
	        "\"elicitations\":[{\"mode\":\"url\",\"elicitationId\":\"a/e/1\",\"url\":\"https://example.com/\","
	        "\"message\":\"Sign \\\"in\\\"\"}]}}}\nc 1 ended: error\n");
	server_says(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\",\"params\":{"
	                "\"elicitationId\":\"e/1\"}}");
	expect(&s.up, "c {\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\",\"params\":{"
	              "\"elicitationId\":\"a/e/1\"}}\n");
	stage_close(&s);
}

static void test_for_one_that_cannot_a_tool_says_it_in_words(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_legacy(&s, &c, "{\"elicitation\":{}}");
	client_call(&c, 1);
	server_says_of_call(&s, NEEDED("[" PAGE "]"));
	assert_true(span_has(buf_span(&s.up), "\\nSign \\\"in\\\" https://example.com/\"}],\"isError\":true}"));
	assert_true(span_has(buf_span(&s.up), "c 1 ended: result\n"));
	buf_free(&s.up);
	client_request(&c, 2, "resources/read", "{\"uri\":\"u:1\"}");
	server_says_of_call(&s, NEEDED("[" PAGE "]"));
	assert_true(span_has(buf_span(&s.up), "\"code\":-32042"));
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_modern_client_is_asked_and_its_retry_runs_again),
		cmocka_unit_test(test_when_it_is_still_needed_the_client_is_asked_again),
		cmocka_unit_test(test_a_retry_that_is_not_right_runs_nothing),
		cmocka_unit_test(test_the_oldest_state_is_forgotten),
		cmocka_unit_test(test_time_is_up),
		cmocka_unit_test(test_a_modern_client_that_cannot_is_told_what_it_takes),
		cmocka_unit_test(test_what_cannot_be_passed_on_is_an_error_that_holds_it),
		cmocka_unit_test(test_a_legacy_client_gets_the_error_and_hears_when_it_is_done),
		cmocka_unit_test(test_for_one_that_cannot_a_tool_says_it_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
