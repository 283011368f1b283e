#include "backend/param_tools.h"

#include "unit.h"

#define TOOL(name, properties) \
	"{\"name\":\"" name "\",\"inputSchema\":{\"type\":\"object\",\"properties\":{" properties "}}}"
#define REGION "\"r\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"}"

static struct span texts[] = {
	SPAN(TOOL("plain", "\"r\":{\"type\":\"string\"}")),
	SPAN(TOOL("a\\u0062c", REGION ",\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"}")),
	SPAN(TOOL("broken", "\"r\":{\"type\":\"array\",\"x-mcp-header\":\"R\"}")),
	SPAN("{\"name\":\"odd\",\"inputSchema\":\"x-mcp-header\"}"),
	SPAN(TOOL("abc", "\"q\":{\"type\":\"string\",\"x-mcp-header\":\"Second\"}")),
};
#define COUNT (sizeof(texts) / sizeof(texts[0]))

static void expect(const struct param_tools *p, const char *name, const char *arguments, const char *fields)
{
	struct buf out = { 0 };

	param_tools_put(p, span_of(name), span_of(arguments), &out);
	buf_add_char(&out, '\0');
	assert_string_equal(out.mem, fields);
	buf_free(&out);
}

static void test_tools_are_remembered_and_broken_ones_left_away(void **state)
{
	struct param_tools p = { 0 };
	struct span items[COUNT];
	struct item_list list = { .items = items, .count = COUNT };

	(void)state;
	memcpy(items, texts, sizeof(texts));
	assert_int_equal(param_tools_take(&p, &list), 1);
	assert_int_equal(list.count, COUNT - 1);
	assert_ptr_equal(list.items[2].p, texts[3].p);
	expect(&p, "plain", "{\"r\":\"x\"}", "");
	expect(&p, "broken", "{\"r\":\"x\"}", "");
	expect(&p, "none", NULL, "");
	expect(&p, "abc", "{\"r\":\"x\",\"n\":7}", "Mcp-Param-Region: x\nMcp-Param-N: 7\n");
	expect(&p, "abc", "{\"r\":\"a\\nb\"}", "Mcp-Param-Region: =?base64?YQpi?=\n");
	expect(&p, "abc", "{\"r\":null}", "");
	expect(&p, "abc", NULL, "");
	param_tools_clear(&p);
}

static void test_a_new_list_replaces_the_old(void **state)
{
	struct param_tools p = { 0 };
	struct span items[1] = { texts[1] };
	struct item_list list = { .items = items, .count = 1 }, empty = { .items = items, .count = 0 };

	(void)state;
	param_tools_take(&p, &list);
	assert_int_equal(param_tools_take(&p, &empty), 0);
	expect(&p, "abc", "{\"r\":\"x\"}", "");
	param_tools_clear(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tools_are_remembered_and_broken_ones_left_away),
		cmocka_unit_test(test_a_new_list_replaces_the_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
