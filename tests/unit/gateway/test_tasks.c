/* Tasks at a puppet of a server, of either era, for clients of either: where ids go, and who is told what. */
#include "unit.h"

#include "asking_stage.h"

#include "mcp/meta.h"

#define EXTENSION "\"" META_CAPABILITIES "\":{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}"
#define MODERN_META "\"_meta\":{\"" META_VERSION "\":\"2026-07-28\"," EXTENSION "}"
#define RELATED(id) "\"_meta\":{\"io.modelcontextprotocol/related-task\":{\"taskId\":\"" id "\"}}"

static const struct backend_hello core = {
	.revision = REVISION_2025_11_25,
	.tools = true,
	.tasks_list = true,
	.tasks_cancel = true,
	.tasks_call = true,
};
static const struct backend_hello extension = { .revision = REVISION_MODERN, .tools = true, .tasks_extension = true };

static void open_stage(struct stage *s, const struct backend_hello *hello)
{
	struct backend_conf conf = server_conf(ISOLATION_SHARED);

	stage_open(s, &conf);
	s->a->base.events->hello(s->a->base.arg, hello);
}

static void set_tools(struct stage *s, const char *array)
{
	struct item_list list = { .text = span_dup(span_of(array)), .items = mem_alloc(10 * sizeof(struct span)) };
	struct json_walk w = json_walk(span_of(list.text));

	while (json_next(&w, NULL, &list.items[list.count]))
		list.count++;
	s->a->base.events->list(s->a->base.arg, LIST_TOOLS, &list);
	pass(s, 1000);
}

/* The oldest call is answered; what its client gets is written down by ports of these tests. */
static void server_ends(struct stage *s, const char *result)
{
	struct backend_call *call = list_entry(list_take_first(&s->a->calls), struct backend_call, node);
	struct buf text = { 0 };

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}", result);
	buf_add_char(&text, '\0');
	struct message m = parsed(buf_span(&text).p);
	call->modern = false;
	call->sink->ended(call, END_RESULT, OUTCOME_KNOWN, &m);
	buf_free(&text);
}

struct asker {
	struct stage *s;
};

static void on_asker_message(void *arg, const struct pieces *json)
{
	struct asker *a = arg;

	pieces_put(&a->s->up, json);
	buf_add_char(&a->s->up, '\n');
}

static void on_asker_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	(void)why;
	on_asker_message(arg, json);
}

static const struct reply_port asker_port = { on_asker_message, on_asker_ended };

static void submit(struct asker *a, struct session *session, int scope, const char *method, const char *params)
{
	enum end_reason why;
	struct buf text = { 0 }, error = { 0 };
	struct refusal refusal = { &why, &error };

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"%s\",\"params\":%s}", method, params);
	buf_add_char(&text, '\0');
	struct message m = parsed(buf_span(&text).p);
	struct request_meta meta = meta_read(m.meta);
	if (session != NULL)
		assert_non_null(gateway_submit(a->s->gw, session, scope, &m, &asker_port, a, &refusal));
	else
		assert_non_null(gateway_submit_modern(a->s->gw, NULL, scope, &m, &meta, &asker_port, a, &refusal));
	run(a->s);
	buf_free(&text);
}

static void test_ids_of_the_core_get_the_servers_name(void **state)
{
	struct stage s;
	struct client c;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &core);
	client_open(&c, &s, 'c', "{}");
	submit(&a, c.session, SCOPE_ALL, "tools/call", "{\"name\":\"a__x\",\"task\":{\"ttl\":9}}");
	expect(&s.a->down,
	        "1: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"x\",\"task\":"
	        "{\"ttl\":9}}}\n");
	server_ends(&s, "{\"task\":{\"taskId\":\"t1\",\"status\":\"working\"}," RELATED("t1") "}");
	expect(&s.up, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"task\":{\"taskId\":\"a__t1\",\"status\":"
	              "\"working\"}," RELATED("a__t1") "}}\n");

	submit(&a, c.session, SCOPE_ALL, "tasks/get", "{\"taskId\":\"a__t1\"}");
	expect(&s.a->down,
	        "2: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tasks/get\",\"params\":{\"taskId\":\"t1\"}}\n");
	server_ends(&s, "{\"taskId\":\"t1\",\"status\":\"completed\"}");
	expect(&s.up, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"taskId\":\"a__t1\",\"status\":\"completed\"}}\n");

	submit(&a, c.session, SCOPE_ALL, "tasks/result", "{\"taskId\":\"\\u0061__t1\"}");
	expect(&s.a->down,
	        "3: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tasks/result\",\"params\":{\"taskId\":\"t1\"}}\n");
	server_ends(&s, "{\"content\":[]," RELATED("t1") "}");
	expect(&s.up, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"content\":[]," RELATED("a__t1") "}}\n");

	submit(&a, c.session, SCOPE_ALL, "tasks/cancel", "{\"taskId\":\"a__t1\"}");
	server_ends(&s, "{\"taskId\":\"t1\",\"status\":\"cancelled\"}");
	expect(&s.up, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"taskId\":\"a__t1\",\"status\":\"cancelled\"}}\n");
	stage_close(&s);
}

static void test_an_ordinary_result_passes_as_it_is(void **state)
{
	struct stage s;
	struct client c;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &core);
	client_open(&c, &s, 'c', "{}");
	submit(&a, c.session, SCOPE_ALL, "tools/call", "{\"name\":\"a__x\"}");
	server_ends(&s, "{\"task\":{\"taskId\":\"t1\"},\"taskId\":\"t\"}");
	expect(&s.up, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"task\":{\"taskId\":\"t1\"},\"taskId\":\"t\"}}\n");
	stage_close(&s);
}

static void test_in_the_scope_of_one_server_ids_stay_and_tasks_are_listed(void **state)
{
	struct stage s;
	struct client c;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &core);
	client_open(&c, &s, 'c', "{}");
	submit(&a, c.session, 0, "tools/call", "{\"name\":\"x\",\"task\":{}}");
	server_ends(&s, "{\"task\":{\"taskId\":\"t1\"}}");
	expect(&s.up, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"task\":{\"taskId\":\"t1\"}}}\n");
	buf_free(&s.a->down);
	submit(&a, c.session, 0, "tasks/list", "{\"cursor\":\"x\"}");
	expect(&s.a->down,
	        "2: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tasks/list\",\"params\":{\"cursor\":\"x\"}}\n");
	server_ends(&s, "{\"tasks\":[{\"taskId\":\"t1\"}]}");
	expect(&s.up, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"tasks\":[{\"taskId\":\"t1\"}]}}\n");
	stage_close(&s);
}

struct refused {
	const char *method, *params, *error;
};

static void check_refusals(struct stage *s, struct session *session, const struct refused *rows, size_t n)
{
	struct asker a = { s };
	char wanted[300];

	for (size_t i = 0; i < n; i++) {
		submit(&a, session, SCOPE_ALL, rows[i].method, rows[i].params);
		snprintf(wanted, sizeof(wanted), "{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{%s}}\n", rows[i].error);
		expect(&s->up, wanted);
		expect(&s->a->down, "");
	}
}

static void test_what_a_legacy_client_cannot_have_is_refused(void **state)
{
	static const struct refused rows[] = {
		{ "tasks/get", "{\"taskId\":\"t1\"}", "\"code\":-32602,\"message\":\"unknown task\"" },
		{ "tasks/get", "{\"taskId\":\"b__t1\"}", "\"code\":-32602,\"message\":\"unknown task\"" },
		{ "tasks/get", "{\"taskId\":7}", "\"code\":-32602,\"message\":\"params.taskId must be a string\"" },
		{ "tasks/cancel", "{}", "\"code\":-32602,\"message\":\"params.taskId must be a string\"" },
		{ "tasks/update", "{\"taskId\":\"a__t1\"}", "\"code\":-32601,\"message\":\"method not found\"" },
		{ "tasks/list", "{}",
		        "\"code\":-32601,\"message\":\"tasks are listed for one server, at its own path\"" },
	};
	static const struct refused other_era = { "tasks/get", "{\"taskId\":\"a__t1\"}",
		"\"code\":-32601,\"message\":\"the server has no tasks for clients of this revision\"" };
	struct stage s;
	struct client c;

	(void)state;
	open_stage(&s, &core);
	client_open(&c, &s, 'c', "{}");
	check_refusals(&s, c.session, rows, sizeof(rows) / sizeof(rows[0]));
	s.a->base.events->hello(s.a->base.arg, &extension);
	check_refusals(&s, c.session, &other_era, 1);
	stage_close(&s);
}

static void test_the_extension(void **state)
{
	static const struct refused undeclared = { "tasks/get",
		"{\"_meta\":{\"" META_VERSION "\":\"2026-07-28\",\"" META_CAPABILITIES "\":{}},\"taskId\":\"a__t1\"}",
		"\"code\":-32021,\"message\":\"the request does not declare the extension "
		"io.modelcontextprotocol/tasks\",\"data\":{\"requiredCapabilities\":{\"extensions\":{"
		"\"io.modelcontextprotocol/tasks\":{}}}}" };
	static const struct refused other_era = { "tasks/get", "{" MODERN_META ",\"taskId\":\"a__t1\"}",
		"\"code\":-32601,\"message\":\"the server has no tasks for clients of this revision\"" };
	struct stage s;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &extension);
	submit(&a, NULL, SCOPE_ALL, "tools/call", "{" MODERN_META ",\"name\":\"a__x\",\"task\":{\"ttl\":1}}");
	expect(&s.a->down, "1: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{" MODERN_META
	                   ",\"name\":\"x\"}}\n");
	struct backend_call *call = list_entry(list_take_first(&s.a->calls), struct backend_call, node);
	struct message m = parsed("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"task\",\"taskId\":\"t1\","
	                          "\"_meta\":{\"" META_SERVER "\":{}}}}");
	call->modern = true;
	call->sink->ended(call, END_RESULT, OUTCOME_KNOWN, &m);
	expect(&s.up, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"resultType\":\"task\",\"taskId\":\"a__t1\","
	              "\"_meta\":{\"" META_SERVER "\":{}}}}\n");
	submit(&a, NULL, SCOPE_ALL, "tasks/update", "{" MODERN_META ",\"taskId\":\"a__t1\",\"inputResponses\":{}}");
	expect(&s.a->down, "2: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tasks/update\",\"params\":{" MODERN_META
	                   ",\"taskId\":\"t1\",\"inputResponses\":{}}}\n");
	server_ends(&s, "{}");
	buf_free(&s.up);
	check_refusals(&s, NULL, &undeclared, 1);
	s.a->base.events->hello(s.a->base.arg, &core);
	check_refusals(&s, NULL, &other_era, 1);
	stage_close(&s);
}

static void test_a_call_of_another_era_is_an_ordinary_one(void **state)
{
	static const struct refused needs_task = { "tools/call", "{" MODERN_META ",\"name\":\"a__x\"}",
		"\"code\":-32603,\"message\":\"the tool can only be called as a task of 2025-11-25, which this client "
		"cannot do\"" };
	struct stage s;
	struct client c;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &extension);
	client_open(&c, &s, 'c', "{}");
	submit(&a, c.session, SCOPE_ALL, "tools/call", "{\"task\":{\"ttl\":1},\"name\":\"\\u0061__x\"}");
	expect(&s.a->down, "1: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n");
	server_ends(&s, "{}");
	buf_free(&s.up);
	s.a->base.events->hello(s.a->base.arg, &core);
	set_tools(&s, "[{\"name\":\"x\",\"execution\":{\"taskSupport\":\"required\"}}]");
	check_refusals(&s, NULL, &needs_task, 1);
	submit(&a, c.session, SCOPE_ALL, "tools/call",
	        "{\"name\":\"a__x\"}"); /* its server says what it thinks of it */
	expect(&s.a->down, "2: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}\n");
	server_ends(&s, "{}");
	stage_close(&s);
}

static void test_the_result_of_a_task_is_waited_for_longer(void **state)
{
	struct stage s;
	struct client c;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &core);
	client_open(&c, &s, 'c', "{}");
	submit(&a, c.session, SCOPE_ALL, "tasks/result", "{\"taskId\":\"a__t1\"}");
	pass(&s, 9000); /* requestTimeout is 1000 */
	expect(&s.up, "");
	server_ends(&s, "{}");
	expect(&s.up, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}\n");
	stage_close(&s);
}

static void test_status_and_questions_go_to_whose_task_it_is(void **state)
{
	struct stage s;
	struct client c, d;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &core);
	client_open(&c, &s, 'c', "{\"elicitation\":{}}");
	client_open(&d, &s, 'd', "{\"elicitation\":{}}");
	client_push(&c);
	client_push(&d);
	submit(&a, c.session, SCOPE_ALL, "tools/call", "{\"name\":\"a__x\",\"task\":{}}");
	server_ends(&s, "{\"task\":{\"taskId\":\"t1\"}}");
	buf_free(&s.up);
	server_says(
	        &s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":\"t1\"}}");
	expect(&s.up, "c {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":"
	              "\"a__t1\"}}\n");
	server_says(
	        &s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":\"t2\"}}");
	server_says(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":[]}}");
	expect(&s.up, "");
	assert_int_equal(gateway_counts(s.gw)->dropped_messages, 2);

	client_call(&d, 1); /* another one is at work there */
	buf_free(&s.a->down);
	server_asks_at(&s, &s.a->link, "elicitation/create", "{" RELATED("t1") "}");
	expect(&s.up,
	        "c {\"jsonrpc\":\"2.0\",\"id\":\"sluice-1\",\"method\":\"elicitation/create\",\"params\":{" RELATED(
	                "a__t1") "}}\n");
	client_says(&c,
	        "{\"jsonrpc\":\"2.0\",\"id\":\"sluice-1\",\"result\":{\"action\":\"decline\"," RELATED("a__t1") "}}");
	expect(&s.a->down, "answer 1 \"result\":{\"action\":\"decline\"," RELATED("t1") "}\n");
	server_answers(&s);
	buf_free(&s.up);

	struct session *gone = c.session;
	gateway_session_end(s.gw, &gone);
	run(&s);
	server_says(
	        &s, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":\"t1\"}}");
	expect(&s.up, "");
	stage_close(&s);
}

#define PROGRESS(token, n, more)                                                                          \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":" token \
	",\"progress\":" n more "}}"
#define STATUS(id, status)                                                                            \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":\"" id \
	"\",\"status\":\"" status "\"}}"

static void begin_with_progress(struct asker *a, struct client *c, const char *task)
{
	submit(a, c->session, SCOPE_ALL, "tools/call",
	        "{\"name\":\"a__x\",\"task\":{},\"_meta\":{\"progressToken\":\"p\"}}");
	server_ends(a->s, task);
	buf_free(&a->s->up);
}

/* The number of the call at the server is that of the answer's id in these tests: 1. */
static void test_progress_goes_on_until_the_task_is_over(void **state)
{
	static const char *const ends[][2] = {
		{ "tasks/get", "{\"taskId\":\"t1\",\"status\":\"completed\"}" },
		{ "tasks/cancel", "{\"taskId\":\"t1\",\"status\":\"cancelled\"}" },
		{ "tasks/result", "{" RELATED("t1") "}" },
	};
	struct stage s;
	struct client c;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &core);
	client_open(&c, &s, 'c', "{}");
	begin_with_progress(&a, &c, "{\"task\":{\"taskId\":\"t1\",\"status\":\"working\"}}");
	server_says(&s, PROGRESS("1", "1", "")); /* there is no stream for it */
	expect(&s.up, "");
	client_push(&c);
	server_says(&s, PROGRESS("1", "2", "," RELATED("t1")));
	expect(&s.up, "c " PROGRESS("\"p\"", "2", "," RELATED("a__t1")) "\n");
	server_says(&s, PROGRESS("2", "2", ""));
	server_says(&s, PROGRESS("\"p\"", "2", ""));
	expect(&s.up, "");
	assert_int_equal(gateway_counts(s.gw)->dropped_messages, 3);
	server_says(&s, STATUS("t1", "failed"));
	expect(&s.up, "c " STATUS("a__t1", "failed") "\n");
	server_says(&s, PROGRESS("1", "3", ""));
	expect(&s.up, "");

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		begin_with_progress(&a, &c, "{\"task\":{\"taskId\":\"t1\",\"status\":\"working\"}}");
		submit(&a, c.session, SCOPE_ALL, ends[i][0], "{\"taskId\":\"a__t1\"}");
		server_says(&s, PROGRESS("1", "1", ""));
		expect(&s.up, "c " PROGRESS("\"p\"", "1", "") "\n");
		server_ends(&s, ends[i][1]);
		buf_free(&s.up);
		server_says(&s, PROGRESS("1", "2", ""));
		expect(&s.up, "");
	}
	stage_close(&s);
}

static void test_progress_ends_with_the_time_of_the_task_or_its_session(void **state)
{
	struct stage s;
	struct client c;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &core);
	client_open(&c, &s, 'c', "{}");
	client_push(&c);
	begin_with_progress(&a, &c, "{\"task\":{\"taskId\":\"t1\",\"ttl\":5000}}");
	pass(&s, 4999);
	server_says(&s, PROGRESS("1", "1", ""));
	expect(&s.up, "c " PROGRESS("\"p\"", "1", "") "\n");
	pass(&s, 1);
	server_says(&s, PROGRESS("1", "2", ""));
	expect(&s.up, "");
	begin_with_progress(&a, &c, "{\"task\":{\"taskId\":\"t1\",\"ttl\":null}}");
	pass(&s, 1000000);
	server_says(&s, PROGRESS("1", "3", ""));
	expect(&s.up, "c " PROGRESS("\"p\"", "3", "") "\n");
	struct session *gone = c.session;
	gateway_session_end(s.gw, &gone);
	server_says(&s, PROGRESS("1", "4", ""));
	expect(&s.up, "");
	stage_close(&s);
}

static void test_without_an_open_stream_it_is_told_to_who_waits_for_the_result(void **state)
{
	struct stage s;
	struct client c;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &core);
	client_open(&c, &s, 'c', "{}");
	begin_with_progress(&a, &c, "{\"task\":{\"taskId\":\"t1\"}}");
	submit(&a, c.session, SCOPE_ALL, "tasks/result", "{\"taskId\":\"a__t1\"}");
	server_says(&s, PROGRESS("1", "1", "," RELATED("t1")));
	expect(&s.up, PROGRESS("\"p\"", "1", "," RELATED("a__t1")) "\n");
	server_says(&s, STATUS("t1", "completed"));
	expect(&s.up, STATUS("a__t1", "completed") "\n");
	server_ends(&s, "{}");
	stage_close(&s);
}

static void check_initialize(struct stage *s, int scope, const char *revision, const char *wanted)
{
	char text[300];
	enum end_reason why;
	struct buf out = { 0 };

	snprintf(text, sizeof(text),
	        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\","
	        "\"capabilities\":{}}}",
	        revision);
	struct message m = parsed(text);
	assert_non_null(gateway_initialize(s->gw, scope, &m, false, &out, &why));
	assert_true(span_has(buf_span(&out), wanted));
	buf_free(&out);
}

static void test_capabilities_are_those_of_the_same_era(void **state)
{
	struct stage s;
	struct asker a = { &s };

	(void)state;
	open_stage(&s, &core);
	check_initialize(&s, SCOPE_ALL, "2025-11-25",
	        "\"capabilities\":{\"tools\":{\"listChanged\":true},\"tasks\":{\"cancel\":{},\"requests\":{\"tools\":{"
	        "\"call\":{}}}}}");
	check_initialize(
	        &s, 0, "2025-11-25", "\"tasks\":{\"list\":{},\"cancel\":{},\"requests\":{\"tools\":{\"call\":{}}}}");
	check_initialize(&s, SCOPE_ALL, "2025-06-18", "\"capabilities\":{\"tools\":{\"listChanged\":true}}");
	submit(&a, NULL, SCOPE_ALL, "server/discover", "{" MODERN_META "}");
	assert_true(span_has(buf_span(&s.up), "\"capabilities\":{\"tools\":{\"listChanged\":true}}"));
	buf_free(&s.up);
	s.a->base.events->hello(s.a->base.arg, &extension);
	check_initialize(&s, SCOPE_ALL, "2025-11-25", "\"capabilities\":{\"tools\":{\"listChanged\":true}}");
	submit(&a, NULL, SCOPE_ALL, "server/discover", "{" MODERN_META "}");
	assert_true(span_has(buf_span(&s.up), "\"capabilities\":{\"tools\":{\"listChanged\":true},\"extensions\":{"
	                                      "\"io.modelcontextprotocol/tasks\":{}}}"));
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_of_the_core_get_the_servers_name),
		cmocka_unit_test(test_an_ordinary_result_passes_as_it_is),
		cmocka_unit_test(test_in_the_scope_of_one_server_ids_stay_and_tasks_are_listed),
		cmocka_unit_test(test_what_a_legacy_client_cannot_have_is_refused),
		cmocka_unit_test(test_the_extension),
		cmocka_unit_test(test_a_call_of_another_era_is_an_ordinary_one),
		cmocka_unit_test(test_the_result_of_a_task_is_waited_for_longer),
		cmocka_unit_test(test_status_and_questions_go_to_whose_task_it_is),
		cmocka_unit_test(test_progress_goes_on_until_the_task_is_over),
		cmocka_unit_test(test_progress_ends_with_the_time_of_the_task_or_its_session),
		cmocka_unit_test(test_without_an_open_stream_it_is_told_to_who_waits_for_the_result),
		cmocka_unit_test(test_capabilities_are_those_of_the_same_era),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
