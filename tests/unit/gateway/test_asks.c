/* What servers ask of clients: who is asked, who may answer, and how it ends. */
#include "asking_stage.h"

#define ALL "{\"sampling\":{},\"elicitation\":{\"form\":{},\"url\":{}},\"roots\":{}}"
#define CALL "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n"
#define ASKED(n) "{\"jsonrpc\":\"2.0\",\"id\":\"sluice-" n "\",\"method\":\"elicitation/create\",\"params\":{}}\n"
#define ANSWER(n) "{\"jsonrpc\":\"2.0\",\"id\":\"sluice-" n "\",\"result\":{\"action\":\"accept\"}}"
#define ANSWERED(n) "answer " n " \"result\":{\"action\":\"accept\"}\n"
#define REFUSED(n, code, message) "answer " n " \"error\":{\"code\":" code ",\"message\":\"" message "\"}\n"
#define NOBODY(n) REFUSED(n, "-32602", "no client request can be associated with this")
#define SHUTTING_DOWN "the gateway is shutting down"
#define CANCELLED(n, reason)                                                                                      \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"sluice-" n "\"," \
	"\"reason\":\"" reason "\"}}\n"

static void open_shared(struct stage *s)
{
	struct backend_conf conf = server_conf(ISOLATION_SHARED);

	stage_open(s, &conf);
}

static void test_the_only_client_at_work_is_asked_and_its_answer_goes_back(void **state)
{
	struct client c, idle;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_open(&idle, &s, 'i', ALL);
	client_push(&idle);
	client_call(&c, 1);
	expect(&s.a->down, "1: " CALL);
	server_asks(&s);
	expect(&s.up, "c " ASKED("1"));
	client_says(&c, ANSWER("1"));
	expect(&s.a->down, ANSWERED("1"));
	client_says(&c, ANSWER("1"));
	expect(&s.a->down, "");
	assert_int_equal(gateway_counts(s.gw)->asks.stray_answers, 1);
	assert_int_equal(gateway_counts(s.gw)->asks.answered, 1);
	server_answers(&s);
	expect(&s.up, "c 1 ended: result\n");
	stage_close(&s);
}

static void test_nobody_is_asked_when_it_could_be_two(void **state)
{
	struct client c, d;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_open(&d, &s, 'd', ALL);
	client_call(&c, 1);
	client_call(&d, 1);
	buf_free(&s.a->down);
	server_asks(&s);
	expect(&s.a->down, NOBODY("1"));
	server_answers(&s);
	expect(&s.up, "c 1 ended: result\n");
	server_asks(&s);
	expect(&s.up, "d " ASKED("1"));
	assert_int_equal(gateway_counts(s.gw)->asks.refused, 1);
	stage_close(&s);
}

static void test_nobody_is_asked_when_nobody_is_at_work(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_push(&c);
	server_asks(&s);
	expect(&s.a->down, NOBODY("1"));
	expect(&s.up, "");
	stage_close(&s);
}

static void test_a_process_of_one_client_may_ask_that_on_its_open_stream(void **state)
{
	struct backend_conf conf = server_conf(ISOLATION_SESSION);
	struct client c, d;
	struct stage s;

	(void)state;
	stage_open(&s, &conf);
	s.a->own_links = true;
	client_open(&c, &s, 'c', ALL);
	client_open(&d, &s, 'd', ALL);
	client_call(&c, 1);
	client_call(&d, 1);
	buf_free(&s.a->down);
	server_asks_at(&s, &s.a->own[1], "roots/list", "{}");
	expect(&s.up, "d {\"jsonrpc\":\"2.0\",\"id\":\"sluice-1\",\"method\":\"roots/list\",\"params\":{}}\n");
	server_answers(&s);
	buf_free(&s.up);
	server_asks_at(&s, &s.a->own[0], "roots/list", "{}");
	expect(&s.a->down, NOBODY("2"));
	client_push(&c);
	server_asks_at(&s, &s.a->own[0], "roots/list", "{}");
	expect(&s.up, "c {\"jsonrpc\":\"2.0\",\"id\":\"sluice-2\",\"method\":\"roots/list\",\"params\":{}}\n");
	buf_free(&s.a->down);
	client_says(&d, "{\"jsonrpc\":\"2.0\",\"id\":\"sluice-1\",\"result\":{}}");
	server_answers(&s);
	buf_free(&s.up);
	pass(&s, 10000);
	expect(&s.up, "c " CANCELLED("2", "no answer in time"));
	expect(&s.a->down, "answer 1 \"result\":{}\n" REFUSED("3", "-32603", "the client did not answer in time"));
	stage_close(&s);
}

static void test_when_calls_are_cut_both_sides_are_told_at_once(void **state)
{
	struct backend_conf conf = server_conf(ISOLATION_SESSION);
	struct client c, d;
	struct stage s;

	(void)state;
	stage_open(&s, &conf);
	s.a->own_links = true;
	client_open(&c, &s, 'c', ALL);
	client_open(&d, &s, 'd', ALL);
	client_call(&c, 1);
	client_call(&d, 1);
	server_asks_at(&s, &s.a->own[0], "roots/list", "{}");
	server_asks_at(&s, &s.a->own[1], "roots/list", "{}");
	buf_free(&s.up);
	buf_free(&s.a->down);
	gateway_cut_calls(s.gw);
	expect(&s.up, "c " CANCELLED("1", SHUTTING_DOWN) "d " CANCELLED("2", SHUTTING_DOWN));
	expect(&s.a->down,
	        REFUSED("1", "-32603", SHUTTING_DOWN) REFUSED("2", "-32603", SHUTTING_DOWN) "cancel 1\ncancel 2\n");
	stage_close(&s);
}

static void test_only_the_session_that_was_asked_can_answer(void **state)
{
	struct client c, d;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_open(&d, &s, 'd', ALL);
	client_call(&c, 1);
	buf_free(&s.a->down);
	server_asks(&s);
	client_says(&d, ANSWER("1"));
	client_says(&c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	client_says(&c, "{\"jsonrpc\":\"2.0\",\"id\":\"sluice-\",\"result\":{}}");
	client_says(&c, "{\"jsonrpc\":\"2.0\",\"id\":\"sluice-1x\",\"result\":{}}");
	client_says(&c, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1}}");
	expect(&s.a->down, "");
	assert_int_equal(gateway_counts(s.gw)->asks.stray_answers, 5);
	client_says(&c, "{\"jsonrpc\":\"2.0\",\"id\":\"sluice-1\",\"error\":{\"code\":-1,\"message\":\"no\"}}");
	expect(&s.a->down, REFUSED("1", "-1", "no"));
	stage_close(&s);
}

static void test_what_the_client_cannot_do_it_is_not_asked(void **state)
{
	static const char *const asks[] = { "sampling/createMessage", "roots/list", "elicitation/create" };
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', "{\"elicitation\":{}}");
	client_call(&c, 1);
	buf_free(&s.a->down);
	for (int i = 0; i < 3; i++)
		server_asks_at(&s, &s.a->link, asks[i], "{\"mode\":\"url\"}");
	expect(&s.a->down, REFUSED("1", "-32601", "the client cannot do that") REFUSED("2", "-32601",
	                           "the client cannot do that") REFUSED("3", "-32601", "the client cannot do that"));
	server_asks_at(&s, &s.a->link, "made/up", "{}");
	expect(&s.a->down, REFUSED("4", "-32601", "Method not found"));
	expect(&s.up, "");
	stage_close(&s);
}

static void test_a_server_takes_its_request_back(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_call(&c, 1);
	server_asks(&s);
	buf_free(&s.a->down);
	buf_free(&s.up);
	s.a->base.events->ask_ended(s.a->base.arg, 99);
	s.a->base.events->ask_ended(s.a->base.arg, 1);
	expect(&s.up, "c " CANCELLED("1", "the server needs no answer any more"));
	client_says(&c, ANSWER("1"));
	expect(&s.a->down, "");
	stage_close(&s);
}

static void test_an_ask_ends_with_the_last_call_of_its_client_there(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_call(&c, 1);
	client_call(&c, 2);
	server_asks(&s);
	server_answers(&s);
	buf_free(&s.a->down);
	expect(&s.up, "c " ASKED("1") "c 1 ended: result\n");
	server_answers(&s);
	expect(&s.up, "c " CANCELLED("1", "the request that it was for has ended") "c 2 ended: result\n");
	expect(&s.a->down, REFUSED("1", "-32603", "the client's request has ended"));
	stage_close(&s);
}

static void test_a_client_that_leaves_answers_no_more(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_call(&c, 1);
	server_asks(&s);
	buf_free(&s.a->down);
	gateway_client_gone(c.calls[1]);
	expect(&s.a->down, REFUSED("1", "-32603", "the client's request has ended"));
	server_asks(&s);
	expect(&s.a->down, NOBODY("2"));
	stage_close(&s);
}

static void test_the_end_of_the_session_ends_what_it_was_asked(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_call(&c, 1);
	server_asks(&s);
	buf_free(&s.a->down);
	buf_free(&s.up);
	gateway_session_end(s.gw, &c.session);
	expect(&s.a->down, REFUSED("1", "-32603", "the client has left") "session ended\n");
	server_asks(&s);
	expect(&s.a->down, NOBODY("2"));
	stage_close(&s);
}

static void test_time_stands_still_while_somebody_thinks(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_call(&c, 1);
	pass(&s, 900);
	server_asks(&s);
	pass(&s, 8000);
	expect(&s.up, "c " ASKED("1"));
	client_says(&c, ANSWER("1"));
	pass(&s, 900);
	expect(&s.up, "");
	pass(&s, 200);
	expect(&s.up, "c 1 ended: backend_timeout\n");
	client_call(&c, 2);
	server_asks(&s);
	buf_free(&s.up);
	pass(&s, 10000);
	expect(&s.up, "c " CANCELLED("2", "the request that it was for has ended") "c 2 ended: backend_timeout\n");
	stage_close(&s);
}

static void test_configured_roots_are_answered_to_a_process_that_is_shared(void **state)
{
	struct backend_conf conf = server_conf(ISOLATION_SHARED);
	struct stage s;

	(void)state;
	conf.roots = "[{\"uri\":\"file:///a\"}]";
	stage_open(&s, &conf);
	server_asks_at(&s, &s.a->link, "roots/list", "{}");
	expect(&s.a->down, "answer 1 \"result\":{\"roots\":[{\"uri\":\"file:///a\"}]}\n");
	stage_close(&s);
}

static void test_tokens_and_elicitation_ids_are_ours(void **state)
{
	const char *done = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\","
	                   "\"params\":{\"elicitationId\":\"e\"}}";
	struct client c, d;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_open(&d, &s, 'd', ALL);
	client_push(&d);
	server_says(&s, done);
	client_call(&c, 1);
	server_asks_at(&s, &s.a->link, "elicitation/create",
	        "{\"mode\":\"url\",\"elicitationId\":\"e\",\"_meta\":{\"progressToken\":5}}");
	expect(&s.up,
	        "c {\"jsonrpc\":\"2.0\",\"id\":\"sluice-1\",\"method\":\"elicitation/create\",\"params\":{\"mode\":"
	        "\"url\",\"elicitationId\":\"a/e\",\"_meta\":{\"progressToken\":\"sluice-1\"}}}\n");
	server_says(&s, done);
	expect(&s.up, "c {\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\","
	              "\"params\":{\"elicitationId\":\"a/e\"}}\n");
	gateway_session_end(s.gw, &c.session);
	server_says(&s, done);
	expect(&s.up, "");
	assert_int_equal(gateway_counts(s.gw)->dropped_messages, 2);
	stage_close(&s);
}

static void test_changed_roots_are_told_to_the_servers(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_shared(&s);
	client_open(&c, &s, 'c', ALL);
	client_says(&c, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}");
	expect(&s.a->down, "notify notifications/roots/list_changed\n");
	stage_close(&s);
}

/* ---- leases ---- */

static void test_calls_of_clients_that_can_be_asked_run_one_at_a_time(void **state)
{
	struct backend_conf conf = server_conf(ISOLATION_LEASE);
	struct client c, d;
	struct stage s;

	(void)state;
	stage_open(&s, &conf);
	client_open(&c, &s, 'c', ALL);
	client_open(&d, &s, 'd', "{\"roots\":{}}");
	client_call(&c, 1);
	client_call(&d, 1);
	client_call(&c, 2);
	expect(&s.a->down, "1: " CALL);
	server_answers(&s);
	expect(&s.a->down, "2: " CALL);
	server_asks_at(&s, &s.a->link, "roots/list", "{}");
	expect(&s.up, "c 1 ended: result\n"
	              "d {\"jsonrpc\":\"2.0\",\"id\":\"sluice-1\",\"method\":\"roots/list\",\"params\":{}}\n");
	server_answers(&s);
	expect(&s.a->down, "answer 1 \"error\":{\"code\":-32603,\"message\":\"the client's request has ended\"}\n"
	                   "3: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n");
	stage_close(&s);
}

static void answer_all(struct stage *s)
{
	while (!list_is_empty(&s->a->calls))
		server_answers(s);
	buf_free(&s->a->down);
	buf_free(&s->up);
}

/* What is asked could be for the call of a client that cannot be asked, and is not to be shown to another one. */
static void test_what_is_asked_during_a_lease_can_be_meant_for_one_alone(void **state)
{
	struct backend_conf conf = server_conf(ISOLATION_LEASE);
	struct client c, e, f;
	struct stage s;

	(void)state;
	stage_open(&s, &conf);
	client_open(&c, &s, 'c', ALL);
	client_open(&e, &s, 'e', "{}");
	client_open(&f, &s, 'f', "{}");
	client_call(&e, 1);
	client_call(&f, 1);
	expect(&s.a->down, "1: " CALL "2: " CALL); /* nobody can be asked, so they run together */
	client_call(&c, 1);
	client_call(&e, 2); /* behind it, or it would never have its turn */
	server_answers(&s);
	expect(&s.a->down, "");
	server_answers(&s);
	expect(&s.a->down, "3: " CALL);
	buf_free(&s.up);
	server_asks(&s);
	expect(&s.up, "c {\"jsonrpc\":\"2.0\",\"id\":\"sluice-1\",\"method\":\"elicitation/create\",\"params\":{}}\n");
	client_call(&f, 2);
	expect(&s.a->down, "");
	server_answers(&s);
	expect(&s.a->down, "answer 1 \"error\":{\"code\":-32603,\"message\":\"the client's request has ended\"}\n"
	                   "4: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n"
	                   "5: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n");
	answer_all(&s);
	stage_close(&s);
}

static void test_who_gives_up_its_place_lets_those_behind_it_go(void **state)
{
	struct backend_conf conf = server_conf(ISOLATION_LEASE);
	struct client c, e;
	struct stage s;

	(void)state;
	stage_open(&s, &conf);
	client_open(&c, &s, 'c', ALL);
	client_open(&e, &s, 'e', "{}");
	client_call(&e, 1);
	client_call(&c, 2);
	client_call(&e, 1);
	expect(&s.a->down, "1: " CALL);
	client_says(&c, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}");
	expect(&s.a->down, "2: " CALL);
	run(&s);
	answer_all(&s);
	stage_close(&s);
}

static void test_at_a_modern_server_nobody_waits_for_a_lease(void **state)
{
	const struct backend_hello dual = { .revision = REVISION_MODERN, .tools = true };
	const struct backend_hello modern = { .revision = REVISION_MODERN, .tools = true, .modern_only = true };
	struct backend_conf conf = server_conf(ISOLATION_LEASE);
	struct client c;
	struct stage s;

	(void)state;
	stage_open(&s, &conf);
	client_open(&c, &s, 'c', ALL);
	client_call(&c, 1);
	client_call(&c, 2);
	s.a->base.events->hello(s.a->base.arg, &dual); /* this client has a session there, in which it may be asked */
	expect(&s.a->down, "1: " CALL);
	s.a->base.events->hello(s.a->base.arg, &modern);
	expect(&s.a->down, "2: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n");
	client_call(&c, 3);
	expect(&s.a->down, "3: {\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n");
	answer_all(&s);
	stage_close(&s);
}

static void test_a_call_that_waits_for_its_turn_was_not_sent(void **state)
{
	struct backend_conf conf = server_conf(ISOLATION_LEASE);
	struct client c;
	struct stage s;

	(void)state;
	stage_open(&s, &conf);
	client_open(&c, &s, 'c', ALL);
	client_call(&c, 1);
	client_call(&c, 2);
	client_call(&c, 3);
	client_call(&c, 4);
	buf_free(&s.a->down);
	client_says(&c, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":3}}");
	run(&s);
	expect(&s.up, "c 3 ended: cancelled\n");
	client_says(&c, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	run(&s);
	expect(&s.up, "c 1 ended: cancelled\n");
	expect(&s.a->down,
	        "cancel 1\n2: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n");
	assert_int_equal(gateway_counts(s.gw)->not_sent, 1);
	assert_int_equal(gateway_counts(s.gw)->unknown, 1);
	pass(&s, 1000);
	expect(&s.up, "c 2 ended: backend_timeout\nc 4 ended: backend_timeout\n");
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_only_client_at_work_is_asked_and_its_answer_goes_back),
		cmocka_unit_test(test_nobody_is_asked_when_it_could_be_two),
		cmocka_unit_test(test_nobody_is_asked_when_nobody_is_at_work),
		cmocka_unit_test(test_a_process_of_one_client_may_ask_that_on_its_open_stream),
		cmocka_unit_test(test_when_calls_are_cut_both_sides_are_told_at_once),
		cmocka_unit_test(test_only_the_session_that_was_asked_can_answer),
		cmocka_unit_test(test_what_the_client_cannot_do_it_is_not_asked),
		cmocka_unit_test(test_a_server_takes_its_request_back),
		cmocka_unit_test(test_an_ask_ends_with_the_last_call_of_its_client_there),
		cmocka_unit_test(test_a_client_that_leaves_answers_no_more),
		cmocka_unit_test(test_the_end_of_the_session_ends_what_it_was_asked),
		cmocka_unit_test(test_time_stands_still_while_somebody_thinks),
		cmocka_unit_test(test_configured_roots_are_answered_to_a_process_that_is_shared),
		cmocka_unit_test(test_tokens_and_elicitation_ids_are_ours),
		cmocka_unit_test(test_changed_roots_are_told_to_the_servers),
		cmocka_unit_test(test_calls_of_clients_that_can_be_asked_run_one_at_a_time),
		cmocka_unit_test(test_what_is_asked_during_a_lease_can_be_meant_for_one_alone),
		cmocka_unit_test(test_who_gives_up_its_place_lets_those_behind_it_go),
		cmocka_unit_test(test_at_a_modern_server_nobody_waits_for_a_lease),
		cmocka_unit_test(test_a_call_that_waits_for_its_turn_was_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
