/* The result of a call as a person reads it, and JSON laid out. */
#include "unit.h"

#include "cli/pretty.h"
#include "cli/result.h"

struct row {
	const char *given, *wanted;
};

static void assert_rows(void (*put)(struct buf *out, struct span json), const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf out = { 0 };
		put(&out, span_of(rows[i].given));
		assert_span_is(buf_span(&out), span_of(rows[i].wanted));
		buf_free(&out);
	}
}

static void test_only_white_space_between_tokens_changes(void **state)
{
	static const struct row rows[] = {
		{ "1", "1" },
		{ " -1.50e+3 ", "-1.50e+3" },
		{ "{ }", "{}" },
		{ "[\n]", "[]" },
		{ "[1,true]", "[\n  1,\n  true\n]" },
		{ "{\"a\" :[ ],\"b\":{\"c\":null}}", "{\n  \"a\": [],\n  \"b\": {\n    \"c\": null\n  }\n}" },
		{ "\"a, {\\\"b\\\\\"", "\"a, {\\\"b\\\\\"" },
		{ "{\"\\u00e9:\":\"[,]\"}", "{\n  \"\\u00e9:\": \"[,]\"\n}" },
	};

	(void)state;
	assert_rows(pretty_put, rows, sizeof(rows) / sizeof(rows[0]));
}

#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define CONTENT(items) "{\"content\":[" items "]}"

static void test_what_each_kind_of_content_looks_like(void **state)
{
	static const struct row rows[] = {
		{ CONTENT(TEXT("a") "," TEXT("b\\n")), "a\nb\n" },
		{ CONTENT(TEXT("\\u001b[31mred")), "\xef\xbf\xbd[31mred\n" },
		{ CONTENT("{\"type\":\"image\",\"data\":\"QUJD\",\"mimeType\":\"image/png\"}"),
		        "[image image/png, 3 bytes]\n" },
		{ CONTENT("{\"type\":\"audio\",\"data\":\"QUI=\",\"mimeType\":\"audio/wav\"}"),
		        "[audio audio/wav, 2 bytes]\n" },
		{ CONTENT("{\"type\":\"resource_link\",\"uri\":\"file:///a\",\"name\":\"a\"}"),
		        "[link file:///a, a]\n" },
		{ CONTENT("{\"type\":\"resource\",\"resource\":{\"uri\":\"x:1\",\"text\":\"body\"}}"),
		        "[resource x:1]\nbody\n" },
		{ CONTENT("{\"type\":\"resource\",\"resource\":{\"uri\":\"x:1\",\"mimeType\":\"a/b\",\"blob\":\"QQ==\"}}"),
		        "[resource x:1, a/b, 1 bytes]\n" },
		{ CONTENT("{\"type\":\"smell\"}"), "{\n  \"type\": \"smell\"\n}\n" },
		{ CONTENT("7"), "7\n" },
		{ CONTENT(""), "(nothing)\n" },
		{ CONTENT("{\"type\":\"image\",\"data\":\"\"}"), "[image, 0 bytes]\n" },
		{ CONTENT("{\"type\":\"resource\"}"), "[resource]\n" },
		{ "{\"toolResult\":1}", "{\n  \"toolResult\": 1\n}\n" },
		{ "{\"content\":null}", "{\n  \"content\": null\n}\n" },
	};

	(void)state;
	assert_rows(result_put, rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_structured_content_is_shown_once(void **state)
{
	static const struct row rows[] = {
		{ "{\"content\":[],\"structuredContent\":{\"a\":1}}", "{\n  \"a\": 1\n}\n" },
		{ "{\"content\":[" TEXT("{ \\\"a\\\": 1 }") "],\"structuredContent\":{\"a\":1}}",
		        "{\n  \"a\": 1\n}\n" },
		{ "{\"content\":[" TEXT("{\\\"a\\\":2}") "],\"structuredContent\":{\"a\":1}}",
		        "{\"a\":2}\n{\n  \"a\": 1\n}\n" },
		{ "{\"content\":[" TEXT("one") "],\"structuredContent\":{\"a\":1}}", "one\n{\n  \"a\": 1\n}\n" },
	};

	(void)state;
	assert_rows(result_put, rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_an_error_says_so(void **state)
{
	(void)state;
	assert_true(result_is_error(SPAN("{\"content\":[],\"isError\":true}")));
	assert_false(result_is_error(SPAN("{\"content\":[],\"isError\":false}")));
	assert_false(result_is_error(SPAN("{\"content\":[],\"isError\":\"true\"}")));
	assert_false(result_is_error(SPAN("{\"content\":[]}")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_white_space_between_tokens_changes),
		cmocka_unit_test(test_what_each_kind_of_content_looks_like),
		cmocka_unit_test(test_structured_content_is_shown_once),
		cmocka_unit_test(test_an_error_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
