#include "mcp/task.h"

#include "unit.h"

#include <stdio.h>

#include "mcp/bridge.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define CALL "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":%s}"
#define RELATED(value) "{\"x\":1,\"io.modelcontextprotocol/related-task\":" value "}"

static struct message parse(const char *text)
{
	struct message m;
	struct message_fault fault;

	if (!message_parse(span_of(text), 32, &m, &fault))
		fail_msg("%s: %s", text, fault.sentence);
	return m;
}

static void assert_id(struct span got, const char *wanted)
{
	if (wanted == NULL)
		assert_false(span_is_set(got));
	else
		assert_span_is(got, span_of(wanted));
}

static void test_the_related_task(void **state)
{
	static const struct {
		const char *meta, *id;
	} rows[] = {
		{ RELATED("{\"taskId\":\"t\\u0031\"}"), "\"t\\u0031\"" },
		{ RELATED("{\"taskId\":1}"), NULL },
		{ RELATED("{}"), NULL },
		{ RELATED("[]"), NULL },
		{ "{\"taskId\":\"t\"}", NULL },
		{ "[\"io.modelcontextprotocol/related-task\"]", NULL },
		{ "7", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_id(task_related(span_of(rows[i].meta)), rows[i].id);
	assert_id(task_related(SPAN_NONE), NULL);
}

static void test_the_task_in_a_result(void **state)
{
	static const struct {
		enum method asked;
		bool augmented;
		const char *result, *id;
	} rows[] = {
		{ METHOD_TOOLS_CALL, true, "{\"task\":{\"taskId\":\"a\"},\"taskId\":\"b\"}", "\"a\"" },
		{ METHOD_TOOLS_CALL, true, "{\"task\":\"a\"}", NULL },
		{ METHOD_TOOLS_CALL, true, "[]", NULL },
		{ METHOD_TOOLS_CALL, false, "{\"task\":{\"taskId\":\"a\"},\"taskId\":\"b\"}", NULL },
		{ METHOD_TOOLS_CALL, false, "{\"resultType\":\"task\",\"taskId\":\"b\"}", "\"b\"" },
		{ METHOD_TOOLS_CALL, false, "{\"resultType\":\"task\",\"taskId\":1}", NULL },
		{ METHOD_TASKS_GET, false, "{\"taskId\":\"b\",\"status\":\"working\"}", "\"b\"" },
		{ METHOD_TASKS_CANCEL, false, "{\"taskId\":\"b\"}", "\"b\"" },
		{ METHOD_TASKS_CANCEL, false, "{}", NULL },
		{ METHOD_TASKS_RESULT, false, "{\"taskId\":\"b\"}", NULL }, /* what the call would have returned */
		{ METHOD_PROMPTS_GET, true, "{\"task\":{\"taskId\":\"a\"}}", NULL },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}", rows[i].result);
		struct message m = parse(text);
		assert_id(task_in_result(&m, rows[i].asked, rows[i].augmented), rows[i].id);
	}
}

static void test_the_extension(void **state)
{
	(void)state;
	assert_true(task_extension_in(SPAN("{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}")));
	assert_false(task_extension_in(SPAN("{\"extensions\":{\"io.modelcontextprotocol/tasks\":true}}")));
	assert_false(task_extension_in(SPAN("{\"extensions\":{}}")));
	assert_false(task_extension_in(SPAN("{\"tasks\":{}}")));
	assert_false(task_extension_in(SPAN_NONE));
}

static void test_a_call_loses_its_task(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "{\"name\":\"x\",\"task\":{\"ttl\":1}}", "{\"name\":\"x\"}" },
		{ "{\"task\":{\"ttl\":1}, \"name\":\"x\"}", "{\"name\":\"x\"}" },
		{ "{ \"t\\u0061sk\" : 1 }", "{  }" },
		{ "{\"name\":\"x\"}", "{\"name\":\"x\"}" },
	};
	char in[200], out[200];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf text = { 0 };
		struct bridge b;
		snprintf(in, sizeof(in), CALL, rows[i].in);
		snprintf(out, sizeof(out), CALL, rows[i].out);
		struct message m = parse(in);
		bridge_drop(&b, m.task);
		struct pieces p = pieces_splice(m.text, b.splices, b.n);
		pieces_put(&text, &p);
		assert_span_is(buf_span(&text), span_of(out));
		buf_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_related_task),
		cmocka_unit_test(test_the_task_in_a_result),
		cmocka_unit_test(test_the_extension),
		cmocka_unit_test(test_a_call_loses_its_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
