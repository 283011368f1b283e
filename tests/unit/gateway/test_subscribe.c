/* Subscriptions of sessions to resources: who is told of them, and who of their updates. */
#include "asking_stage.h"

#define SUBSCRIBE(uri) \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"" uri "\"}}\n"
#define UPDATED(uri) \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"" uri "\"}}"
#define PARAMS(uri) "{\"uri\":\"" uri "\"}"

static void open_shared(struct stage *s)
{
	struct backend_conf conf = server_conf(ISOLATION_SHARED);

	stage_open(s, &conf);
}

static void subscribe(struct client *c, const char *params)
{
	client_request(c, 1, "resources/subscribe", params);
	run(c->s);
}

static void unsubscribe(struct client *c, const char *params)
{
	client_request(c, 2, "resources/unsubscribe", params);
	run(c->s);
}

static void test_only_the_first_goes_to_the_server_and_the_last_one_leaves(void **state)
{
	struct client c, d;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', "{}");
	client_open(&d, &s, 'd', "{}");
	subscribe(&c, PARAMS("u:1"));
	expect(&s.a->down, "1: " SUBSCRIBE("u:1"));
	server_answers(&s);
	expect(&s.a->down, "wanted \"u:1\"\n");
	subscribe(&d, PARAMS("u:\\u0031"));
	expect(&s.a->down, "");
	expect(&s.up, "c 1 ended: result\nd 1 ended: result\n");
	unsubscribe(&c, PARAMS("u:1"));
	unsubscribe(&c, PARAMS("u:1"));
	expect(&s.a->down, "");
	unsubscribe(&d, PARAMS("u:1"));
	expect(&s.a->down, "not wanted \"u:1\", tell it\n");
	expect(&s.up, "c 2 ended: result\nc 2 ended: result\nd 2 ended: result\n");
	stage_close(&s);
}

static void test_updates_reach_those_who_subscribe(void **state)
{
	struct client c, d, e;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', "{}");
	client_open(&d, &s, 'd', "{}");
	client_open(&e, &s, 'e', "{}");
	client_push(&c);
	client_push(&e);
	subscribe(&c, PARAMS("u:1"));
	server_answers(&s);
	subscribe(&d, PARAMS("u:1"));
	run(&s);
	buf_free(&s.up);
	server_says(&s, UPDATED("u:1/part"));
	server_says(&s, UPDATED("u:2"));
	expect(&s.up, "c " UPDATED("u:1/part") "\n");
	client_call(&d, 3);
	server_says(&s, UPDATED("u:1"));
	expect(&s.up, "c " UPDATED("u:1") "\nd " UPDATED("u:1") "\n");
	stage_close(&s);
}

static void test_the_subscription_of_a_modern_server_is_not_shown(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', "{}");
	client_push(&c);
	subscribe(&c, PARAMS("u:1"));
	server_answers(&s);
	buf_free(&s.up);
	server_says(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"u:1\","
	                "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":7,\"a\":1}}}");
	expect(&s.up,
	        "c {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"u:1\","
	        "\"_meta\":{\"a\":1}}}\n");
	stage_close(&s);
}

static void test_the_end_of_a_session_ends_its_subscriptions(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', "{}");
	subscribe(&c, PARAMS("u:1"));
	server_answers(&s);
	subscribe(&c, PARAMS("u:2"));
	buf_free(&s.a->down);
	gateway_session_end(s.gw, &c.session);
	expect(&s.a->down, "not wanted \"u:1\", tell it\nsession ended\n");
	server_answers(&s); /* nobody wants it any more */
	expect(&s.a->down, "not wanted \"u:2\", tell it\n");
	stage_close(&s);
}

static void test_what_cannot_be_had_is_refused(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', "{}");
	subscribe(&c, "{\"uri\":1}");
	expect(&s.a->down, "");
	expect(&s.up, "c 1 ended: invalid\n");
	stage_close(&s);
}

static void test_a_server_without_subscriptions_is_not_asked(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', "{}");
	s.a->base.events->hello(s.a->base.arg, &(struct backend_hello){ .tools = true, .resources = true });
	subscribe(&c, PARAMS("u:1"));
	expect(&s.up, "c 1 ended: invalid\n");
	expect(&s.a->down, "");
	stage_close(&s);
}

static void test_a_process_of_one_client_is_told_for_that_one(void **state)
{
	struct backend_conf conf = server_conf(ISOLATION_SESSION);
	struct client c, d;
	struct stage s;

	(void)state;
	stage_open(&s, &conf);
	s.a->own_links = true;
	client_open(&c, &s, 'c', "{}");
	client_open(&d, &s, 'd', "{}");
	client_push(&c);
	client_push(&d);
	subscribe(&c, PARAMS("u:1"));
	subscribe(&d, PARAMS("u:1"));
	expect(&s.a->down, "1: " SUBSCRIBE("u:1") "2: " SUBSCRIBE("u:1"));
	server_answers(&s);
	server_answers(&s);
	expect(&s.a->down, "wanted \"u:1\" by one\nwanted \"u:1\" by one\n");
	buf_free(&s.up);
	struct message m = parsed(UPDATED("u:1"));
	s.a->base.events->notification(s.a->base.arg, &s.a->own[1], &m);
	expect(&s.up, "d " UPDATED("u:1") "\n");
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_first_goes_to_the_server_and_the_last_one_leaves),
		cmocka_unit_test(test_updates_reach_those_who_subscribe),
		cmocka_unit_test(test_the_subscription_of_a_modern_server_is_not_shown),
		cmocka_unit_test(test_the_end_of_a_session_ends_its_subscriptions),
		cmocka_unit_test(test_what_cannot_be_had_is_refused),
		cmocka_unit_test(test_a_server_without_subscriptions_is_not_asked),
		cmocka_unit_test(test_a_process_of_one_client_is_told_for_that_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
