/* What a modern client listens for is acknowledged when the servers have agreed, and only that is told. */
#include "asking_stage.h"

#include "mcp/meta.h"

#define SUBSCRIPTION(id) "\"_meta\":{\"" META_SUBSCRIPTION "\":" id "}"
#define MESSAGE(method, params) \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" method "\",\"params\":{" params "}}\n"
#define ACKNOWLEDGED(filter) MESSAGE("subscriptions/acknowledged", SUBSCRIPTION("9") ",\"notifications\":{" filter "}")
#define TASK_NEWS(params) "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks\",\"params\":{" params "}}"
#define URIS(list) "\"resourceSubscriptions\":[" list "]"
#define IDS(list) "\"taskIds\":[" list "]"

static const struct backend_hello modern = { .revision = REVISION_MODERN,
	.modern_only = true,
	.tools = true,
	.resources = true,
	.subscribe = true,
	.tasks_extension = true };

static void open_modern(struct stage *s)
{
	struct backend_conf conf = server_conf(ISOLATION_SHARED);

	stage_open(s, &conf);
	s->a->base.events->hello(s->a->base.arg, &modern);
}

static void on_listened(void *arg, const struct pieces *json)
{
	struct stage *s = arg;

	pieces_put(&s->up, json);
	buf_add_char(&s->up, '\n');
}

static const struct listen_port listen_port = { on_listened, on_listened, on_listened };

static struct listen *listen_in(struct stage *s, int scope, const char *capabilities, const char *filter)
{
	struct buf text = { 0 }, error = { 0 };
	enum end_reason why = END_RESULT;

	buf_printf(&text,
	        "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"subscriptions/listen\",\"params\":{\"_meta\":{\"" META_VERSION
	        "\":\"2026-07-28\",\"" META_CAPABILITIES "\":{%s}},\"notifications\":{%s}}}",
	        capabilities, filter);
	buf_add_char(&text, '\0');
	struct message m = parsed(buf_span(&text).p);
	struct listen *l = gateway_listen(s->gw, NULL, scope, &m, &listen_port, s, &(struct refusal){ &why, &error });
	assert_int_equal(l == NULL, why == END_REFUSED);
	run(s);
	if (l == NULL)
		buf_add(&s->up, buf_span(&error));
	buf_free(&text);
	buf_free(&error);
	return l;
}

#define EXTENSION "\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}"

static struct listen *listen_for(struct stage *s, const char *filter)
{
	return listen_in(s, SCOPE_ALL, EXTENSION, filter);
}

static void test_only_what_the_server_agrees_to_is_acknowledged(void **state)
{
	struct stage s;

	(void)state;
	open_modern(&s);
	struct listen *l = listen_for(&s, URIS("\"u:1\",\"u:2\"") "," IDS("\"a__t1\",\"a__t2\",\"b__t1\",\"t1\""));
	expect(&s.a->down, "wanted \"u:1\", tell it\nwanted \"u:2\", tell it\n"
	                   "wanted task \"t1\", tell it\nwanted task \"t2\", tell it\n");
	server_agrees(&s, WANTED_RESOURCE, "\"u:1\"", true);
	server_agrees(&s, WANTED_RESOURCE, "\"u:2\"", false);
	server_agrees(&s, WANTED_TASK, "\"t1\"", true);
	server_agrees(&s, WANTED_TASK, "\"none\"", true);
	expect(&s.up, "");
	server_agrees(&s, WANTED_TASK, "\"t2\"", false);
	expect(&s.up, ACKNOWLEDGED(URIS("\"u:1\"") "," IDS("\"a__t1\"")));
	expect(&s.a->down, "not wanted \"u:2\", tell it\nnot wanted task \"t2\", tell it\n");
	/* what is agreed already is not asked for again */
	struct listen *k = listen_for(&s, IDS("\"a__t1\""));
	expect(&s.up, ACKNOWLEDGED(IDS("\"a__t1\"")));
	expect(&s.a->down, "");
	gateway_unlisten(l);
	expect(&s.a->down, "not wanted \"u:1\", tell it\n");
	gateway_unlisten(k);
	expect(&s.a->down, "not wanted task \"t1\", tell it\n");
	stage_close(&s);
}

static void test_a_server_that_says_nothing_is_waited_for_a_while(void **state)
{
	struct stage s;

	(void)state;
	open_modern(&s);
	struct listen *l = listen_for(&s, URIS("\"u:1\"") ",\"toolsListChanged\":true");
	pass(&s, 4999);
	expect(&s.up, "");
	server_says(&s,
	        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"u:1\"}}");
	expect(&s.up, ""); /* the acknowledgement comes first */
	pass(&s, 1);
	expect(&s.up, ACKNOWLEDGED("\"toolsListChanged\":true"));
	gateway_unlisten(l);
	expect(&s.a->down, "wanted \"u:1\", tell it\nnot wanted \"u:1\", tell it\n");
	stage_close(&s);
}

/* Who subscribes asks the server for itself, as long as that has not agreed. */
static void test_a_session_beside_it_gets_the_servers_own_answer(void **state)
{
	struct client c;
	struct stage s;

	(void)state;
	open_modern(&s);
	client_open(&c, &s, 'c', "{}");
	struct listen *l = listen_for(&s, URIS("\"u:1\""));
	buf_free(&s.a->down);
	client_request(&c, 1, "resources/subscribe", "{\"uri\":\"u:1\"}");
	expect(&s.a->down,
	        "1: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"u:1\"}}\n");
	server_answers(&s);
	run(&s);
	expect(&s.up, "c 1 ended: result\n" ACKNOWLEDGED(URIS("\"u:1\"")));
	gateway_unlisten(l);
	expect(&s.a->down, "");
	stage_close(&s);
}

static void test_one_that_waits_can_be_left_or_ended(void **state)
{
	struct stage s;

	(void)state;
	open_modern(&s);
	gateway_unlisten(listen_for(&s, URIS("\"u:1\"")));
	listen_for(&s, URIS("\"u:2\""));
	buf_free(&s.a->down);
	gateway_end_pushes(s.gw, 0);
	expect(&s.a->down, "not wanted \"u:2\", tell it\n");
	static const char acknowledged[] = ACKNOWLEDGED("");
	assert_int_equal(strncmp(buf_span(&s.up).p, acknowledged, strlen(acknowledged)), 0);
	buf_free(&s.up);
	server_agrees(&s, WANTED_RESOURCE, "\"u:2\"", true);
	pass(&s, 10000);
	expect(&s.up, "");
	stage_close(&s);
}

static void test_news_of_a_task_come_with_its_id_and_that_of_the_listen(void **state)
{
	struct stage s;

	(void)state;
	open_modern(&s);
	struct listen *l = listen_for(&s, IDS("\"a__t1\""));
	struct listen *k = listen_in(&s, 0, EXTENSION, IDS("\"t1\""));
	server_agrees(&s, WANTED_TASK, "\"t1\"", true);
	expect(&s.up, ACKNOWLEDGED(IDS("\"a__t1\"")) ACKNOWLEDGED(IDS("\"t1\"")));
	gateway_unlisten(k);
	server_says(&s, TASK_NEWS("\"taskId\":\"t2\",\"status\":\"working\""));
	server_says(&s, TASK_NEWS("\"taskId\":[\"t1\"],\"status\":\"working\""));
	server_says(&s, TASK_NEWS("\"_meta\":7,\"taskId\":\"t1\""));
	expect(&s.up, "");
	server_says(&s, TASK_NEWS(SUBSCRIPTION("\"x\"") ",\"taskId\":\"t1\",\"status\":\"completed\",\"result\":{}"));
	server_says(&s, TASK_NEWS("\"_meta\":{ },\"taskId\":\"t1\""));
	server_says(&s, TASK_NEWS("\"_meta\":{\"a\":1},\"taskId\":\"t1\""));
	server_says(&s, TASK_NEWS("\"taskId\":\"t1\""));
	expect(&s.up, MESSAGE("tasks", SUBSCRIPTION("9") ",\"taskId\":\"a__t1\",\"status\":\"completed\",\"result\":{}")
	                      MESSAGE("tasks", "\"_meta\":{\"" META_SUBSCRIPTION "\":9 },\"taskId\":\"a__t1\"") MESSAGE(
	                              "tasks", "\"_meta\":{\"" META_SUBSCRIPTION "\":9,\"a\":1},\"taskId\":\"a__t1\"")
	                              MESSAGE("tasks", SUBSCRIPTION("9") ",\"taskId\":\"a__t1\""));
	gateway_unlisten(l);
	stage_close(&s);
}

static void test_who_asks_for_tasks_has_to_know_them(void **state)
{
	struct stage s;

	(void)state;
	open_modern(&s);
	assert_null(listen_in(&s, SCOPE_ALL, "", IDS("\"a__t1\"")));
	expect(&s.up,
	        "{\"jsonrpc\":\"2.0\",\"id\":9,\"error\":{\"code\":-32021,\"message\":\"the request does not declare the "
	        "extension io.modelcontextprotocol/tasks\",\"data\":{\"requiredCapabilities\":{\"extensions\":{"
	        "\"io.modelcontextprotocol/tasks\":{}}}}}}");
	assert_null(listen_for(&s, "\"taskIds\":[1]"));
	buf_free(&s.up);
	gateway_unlisten(listen_in(&s, SCOPE_ALL, "", IDS("")));
	s.a->base.events->hello(s.a->base.arg,
	        &(struct backend_hello){ .revision = REVISION_2025_11_25, .tools = true, .tasks_call = true });
	buf_free(&s.up);
	gateway_unlisten(listen_for(&s, IDS("\"a__t1\""))); /* its tasks are of another kind */
	expect(&s.up, ACKNOWLEDGED(""));
	expect(&s.a->down, "");
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_the_server_agrees_to_is_acknowledged),
		cmocka_unit_test(test_a_server_that_says_nothing_is_waited_for_a_while),
		cmocka_unit_test(test_a_session_beside_it_gets_the_servers_own_answer),
		cmocka_unit_test(test_one_that_waits_can_be_left_or_ended),
		cmocka_unit_test(test_news_of_a_task_come_with_its_id_and_that_of_the_listen),
		cmocka_unit_test(test_who_asks_for_tasks_has_to_know_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
