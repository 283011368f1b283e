/* What a modern server asks of a legacy client, in rounds. */
#include "asking_stage.h"

#define CAN "{\"sampling\":{},\"elicitation\":{\"form\":{},\"url\":{}}}"
#define REQUEST(more) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{" more "\"name\":\"x\"}}\n"
#define NEEDS(more) "\"result\":{\"resultType\":\"input_required\"" more "}"
#define FORM "{\"method\":\"elicitation/create\",\"params\":{\"message\":\"m\"}}"
#define ASKED(n, method, params) \
	"c {\"jsonrpc\":\"2.0\",\"id\":\"sluice-" n "\",\"method\":\"" method "\",\"params\":" params "}\n"

static void begin(struct stage *s, struct client *c, const char *capabilities)
{
	struct backend_conf conf = server_conf(ISOLATION_SHARED);

	conf.kind = BACKEND_HTTP;
	stage_open(s, &conf);
	client_open(c, s, 'c', capabilities);
	c->sees_answers = true;
	client_call(c, 1);
	expect(&s->a->down, "1: " REQUEST(""));
}

static void answer(struct client *c, const char *n, const char *member)
{
	char text[300];

	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"sluice-%s\",%s}", n, member);
	client_says(c, text);
}

static void test_answers_are_collected_and_sent_with_the_state(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	begin(&s, &c, CAN);
	modern_server_answers(&s, NEEDS(",\"inputRequests\":{\"a\\u0062\":" FORM ",\"s\":{\"method\":"
	                                "\"sampling/createMessage\",\"params\":{}}},\"requestState\":\"st\\/1\""));
	expect(&s.up,
	        ASKED("1", "elicitation/create", "{\"message\":\"m\"}") ASKED("2", "sampling/createMessage", "{}"));
	answer(&c, "2", "\"result\":{\"model\":1}");
	expect(&s.a->down, "");
	answer(&c, "1", "\"result\":{\"action\":\"accept\"}");
	expect(&s.a->down,
	        "2: " REQUEST("\"inputResponses\":{\"a\\u0062\":{\"action\":\"accept\"},\"s\":{\"model\":1}},"
	                      "\"requestState\":\"st\\/1\","));
	modern_server_answers(&s, "\"result\":{\"resultType\":\"complete\",\"content\":[]}");
	expect(&s.up, "c {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\nc 1 ended: result\n");
	stage_close(&s);
}

static void test_a_state_alone_means_to_send_it_again(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	begin(&s, &c, "{}");
	for (int i = 0; i < 8; i++) {
		modern_server_answers(&s, NEEDS(",\"requestState\":\"s\""));
		expect(&s.a->down, "");
		pass(&s, 250);
		buf_free(&s.a->down);
	}
	modern_server_answers(&s, NEEDS(",\"requestState\":\"s\""));
	run(&s);
	expect(&s.up, "c {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":"
	              "\"the server asks again and again\"}],\"isError\":true}}\nc 1 ended: result\n");
	stage_close(&s);
}

static void test_what_the_client_cannot_be_asked_ends_the_call(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	begin(&s, &c, "{\"elicitation\":{}}");
	modern_server_answers(&s, NEEDS(",\"inputRequests\":{\"a\":" FORM ",\"b\":{\"method\":\"roots/list\"}}"));
	run(&s);
	expect(&s.up,
	        ASKED("1", "elicitation/create",
	                "{\"message\":\"m\"}") "c {\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"sluice-1\","
	                                       "\"reason\":\"the request that it was for has ended\"}}\n"
	                                       "c {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"the server "
	                                       "needs something that this client cannot be asked for: b\"}],\"isError\":true}}\nc 1 ended: result\n");
	expect(&s.a->down, "");
	stage_close(&s);
}

static void test_an_error_of_the_client_ends_the_call(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	begin(&s, &c, CAN);
	modern_server_answers(&s, NEEDS(",\"inputRequests\":{\"a\":" FORM "}"));
	buf_free(&s.up);
	answer(&c, "1", "\"error\":{\"code\":-1,\"message\":\"no\"}");
	run(&s);
	expect(&s.up,
	        "c {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"the client "
	        "has not answered what the server needs: a\"}],\"isError\":true}}\nc 1 ended: result\n");
	stage_close(&s);
}

static void test_a_page_gets_an_id(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	begin(&s, &c, CAN);
	modern_server_answers(&s, NEEDS(",\"inputRequests\":{\"a\":{\"method\":\"elicitation/create\",\"params\":"
	                                "{\"mode\":\"url\",\"url\":\"u:\"}}}"));
	expect(&s.up,
	        ASKED("1", "elicitation/create", "{\"elicitationId\":\"sluice-1\",\"mode\":\"url\",\"url\":\"u:\"}"));
	stage_close(&s);
}

static void test_it_ends_with_its_client_and_in_time(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	begin(&s, &c, CAN);
	modern_server_answers(&s, NEEDS(",\"inputRequests\":{\"a\":" FORM "}"));
	pass(&s, 9000); /* somebody thinks */
	buf_free(&s.up);
	client_says(&c, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	run(&s);
	buf_free(&s.up);
	assert_int_equal(gateway_counts(s.gw)->ended[END_CANCELLED], 1);
	client_call(&c, 2);
	modern_server_answers(&s, NEEDS(",\"inputRequests\":{\"a\":" FORM "}"));
	pass(&s, 10000);
	assert_int_equal(gateway_counts(s.gw)->ended[END_BACKEND_TIMEOUT], 1);
	client_call(&c, 3);
	modern_server_answers(&s, NEEDS(",\"inputRequests\":{\"a\":" FORM "}"));
	gateway_client_gone(c.calls[3]);
	assert_int_equal(gateway_counts(s.gw)->ended[END_CLIENT_GONE], 1);
	assert_int_equal(gateway_counts(s.gw)->unknown, 3);
	client_call(&c, 4);
	modern_server_answers(&s, NEEDS(",\"inputRequests\":{\"a\":" FORM "}"));
	gateway_session_end(s.gw, &c.session);
	run(&s);
	assert_int_equal(gateway_counts(s.gw)->ended[END_RESULT], 1 + 1); /* an initialize, too */
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_are_collected_and_sent_with_the_state),
		cmocka_unit_test(test_a_state_alone_means_to_send_it_again),
		cmocka_unit_test(test_what_the_client_cannot_be_asked_ends_the_call),
		cmocka_unit_test(test_an_error_of_the_client_ends_the_call),
		cmocka_unit_test(test_a_page_gets_an_id),
		cmocka_unit_test(test_it_ends_with_its_client_and_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
