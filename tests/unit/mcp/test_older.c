#include "unit.h"

#include "mcp/older.h"
#include "mcp/structured.h"

#define LINK "{\"type\":\"resource_link\",\"uri\":\"a:\\u0062\",\"name\":\"n\"}"
#define SOUND "{\"type\":\"audio\",\"data\":\"AA==\",\"mimeType\":\"audio/wav\"}"
#define TEXT "{ \"type\":\"text\",\"text\":\"x\" }"

/* The result as a client of that revision gets it. */
static void expect(enum method method, enum revision revision, const char *result, const char *wanted)
{
	struct buf text = { 0 }, out = { 0 }, got = { 0 };
	struct message_fault fault;
	struct message m;
	struct span old;

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}", result);
	assert_true(message_parse(buf_span(&text), 32, &m, &fault));
	if (older_content(method, &m, revision, structured_odd(&m), &old, &out)) {
		buf_add(&got, span_between(m.result.p, old.p));
		buf_add(&got, buf_span(&out));
		buf_add(&got, span_between(span_end(old), span_end(m.result)));
	} else {
		assert_int_equal(buf_size(&out), 0);
		buf_add(&got, m.result);
	}
	assert_span_is(buf_span(&got), span_of(wanted));
	buf_free(&text);
	buf_free(&out);
	buf_free(&got);
}

static void test_a_link_becomes_a_text_where_links_are_not_known(void **state)
{
	const char *result = "{\"content\":[" TEXT "," LINK "],\"isError\":false}";
	const char *older = "{\"content\":[" TEXT ",{\"type\":\"text\",\"text\":\"a:\\u0062\"}],\"isError\":false}";

	(void)state;
	expect(METHOD_TOOLS_CALL, REVISION_2024_11_05, result, older);
	expect(METHOD_TOOLS_CALL, REVISION_2025_03_26, result, older);
	expect(METHOD_TOOLS_CALL, REVISION_2025_06_18, result, result);
	expect(METHOD_TOOLS_CALL, REVISION_2026_07_28, result, result);
}

static void test_a_sound_becomes_a_resource_where_sounds_are_not_known(void **state)
{
	const char *result = "{\"content\":[" SOUND "]}";

	(void)state;
	expect(METHOD_TOOLS_CALL, REVISION_2024_11_05, result,
	        "{\"content\":[{\"type\":\"resource\",\"resource\":{\"uri\":\"content:audio\","
	        "\"mimeType\":\"audio/wav\",\"blob\":\"AA==\"}}]}");
	expect(METHOD_TOOLS_CALL, REVISION_2025_03_26, result, result);
}

static void test_messages_of_prompts_are_looked_through_too(void **state)
{
	(void)state;
	expect(METHOD_PROMPTS_GET, REVISION_2025_03_26,
	        "{\"messages\":[{\"role\":\"user\",\"content\":" TEXT "},{ \"content\": " LINK " ,\"role\":\"user\"}]}",
	        "{\"messages\":[{\"role\":\"user\",\"content\":" TEXT "},{ \"content\": "
	        "{\"type\":\"text\",\"text\":\"a:\\u0062\"} ,\"role\":\"user\"}]}");
}

static void test_what_is_no_content_stays_as_it_is(void **state)
{
	static const char *const results[] = { "{}", "7", "{\"content\":7}", "{\"content\":[]}",
		"{\"content\":[7,null]}", "{\"content\":[{\"type\":\"resource_link\"}]}",
		"{\"content\":[{\"type\":\"resource_link\",\"uri\":7}]}",
		"{\"content\":[{\"type\":\"audio\",\"data\":1}]}", "{\"messages\":[7,{},{\"content\":[]}]}",
		("{\"content\":[" TEXT "]}") };

	(void)state;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		expect(METHOD_TOOLS_CALL, REVISION_2024_11_05, results[i], results[i]);
		expect(METHOD_PROMPTS_GET, REVISION_2024_11_05, results[i], results[i]);
	}
	expect(METHOD_RESOURCES_READ, REVISION_2024_11_05, "{\"content\":[" LINK "]}", "{\"content\":[" LINK "]}");
}

static void test_what_is_taken_away_is_told_as_text(void **state)
{
	(void)state;
	expect(METHOD_TOOLS_CALL, REVISION_2025_11_25, "{\"content\":[],\"structuredContent\":[1,\"a\"]}",
	        "{\"content\":[{\"type\":\"text\",\"text\":\"[1,\\\"a\\\"]\"}],\"structuredContent\":[1,\"a\"]}");
	expect(METHOD_TOOLS_CALL, REVISION_2024_11_05, "{\"structuredContent\":null,\"content\":[" LINK "]}",
	        "{\"structuredContent\":null,\"content\":[{\"type\":\"text\",\"text\":\"a:\\u0062\"},{\"type\":\"text\","
	        "\"text\":\"null\"}]}");
	const char *told = "{\"content\":[{\"type\":\"text\",\"text\":\"[ 1,\\n\\\"a b\\\"]\"}],\"structuredContent\":[1, \"a b\"]}";
	expect(METHOD_TOOLS_CALL, REVISION_2025_11_25, told, told);
	const char *object = "{\"content\":[],\"structuredContent\":{}}";
	expect(METHOD_TOOLS_CALL, REVISION_2025_11_25, object, object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_link_becomes_a_text_where_links_are_not_known),
		cmocka_unit_test(test_a_sound_becomes_a_resource_where_sounds_are_not_known),
		cmocka_unit_test(test_messages_of_prompts_are_looked_through_too),
		cmocka_unit_test(test_what_is_no_content_stays_as_it_is),
		cmocka_unit_test(test_what_is_taken_away_is_told_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
