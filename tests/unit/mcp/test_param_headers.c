#include "mcp/param_headers.h"

#include <stdio.h>

#include "unit.h"
#include "json/scan.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define STRING(name) "{\"type\":\"string\",\"x-mcp-header\":\"" name "\"}"

static const struct found {
	const char *schema, *arguments;
	const char *headers; /* "Region=us, Zone=-": "-" without an argument */
} found[] = {
	{ "{}", "{}", "" },
	{ "{\"properties\":{\"region\":" STRING("Region") "}}", "{\"region\":\"us\"}", "Region=us" },
	{ "{\"properties\":{\"region\":" STRING("Region") "}}", "{\"region\":null}", "Region=-" },
	{ "{\"properties\":{\"region\":" STRING("Region") "}}", "{}", "Region=-" },
	{ "{\"properties\":{\"region\":" STRING("Region") "}}", "{\"region\":7}", "Region=-" },
	{ "{\"properties\":{\"region\":" STRING("Region") "}}", "{\"region\":\"a\",\"region\":\"b\"}", "Region=b" },
	{ "{\"properties\":{\"r\\u0065gion\":" STRING("Region") "}}", "{\"re\\u0067ion\":\"us\"}", "Region=us" },
	{ "{\"properties\":{\"region\":" STRING("Region") "}}", NULL, "Region=-" },
	{ "{\"properties\":{\"region\":" STRING("Region") "}}", "{\"region\":\"\xc3\xa9\"}", "Region==?base64?w6k=?=" },
	{ "{\"properties\":{\"n\":{\"x-mcp-header\":\"N\",\"type\":\"integer\"}}}", "{\"n\":42}", "N=42" },
	{ "{\"properties\":{\"n\":{\"x-mcp-header\":\"N\",\"type\":\"integer\"}}}", "{\"n\":-7.00}", "N=-7" },
	{ "{\"properties\":{\"n\":{\"x-mcp-header\":\"N\",\"type\":\"integer\"}}}", "{\"n\":1.5}", "N=-" },
	{ "{\"properties\":{\"n\":{\"x-mcp-header\":\"N\",\"type\":\"integer\"}}}", "{\"n\":9007199254740992}", "N=-" },
	{ "{\"properties\":{\"n\":{\"x-mcp-header\":\"N\",\"type\":\"integer\"}}}", "{\"n\":9007199254740991}",
	        "N=9007199254740991" },
	{ "{\"properties\":{\"b\":{\"x-mcp-header\":\"B\",\"type\":\"boolean\"}}}", "{\"b\":false}", "B=false" },
	{ "{\"properties\":{\"b\":{\"x-mcp-header\":\"B\",\"type\":\"boolean\"}}}", "{\"b\":\"false\"}", "B=-" },
	{ "{\"properties\":{\"at\":{\"type\":\"object\",\"properties\":{\"region\":" STRING(
	          "Region") ",\"zone\":" STRING("Zone") "}}}}",
	        "{\"at\":{\"zone\":\"z\"}}", "Region=-, Zone=z" },
	/* a property that has the annotation's name, and one that is called like a keyword */
	{ "{\"properties\":{\"x-mcp-header\":{\"type\":\"string\"}}}", "{\"x-mcp-header\":\"a\"}", "" },
	{ "{\"properties\":{\"items\":" STRING("Items") "}}", "{\"items\":\"a\"}", "Items=a" },
	{ "{\"properties\":{\"a\":{\"type\":\"string\",\"default\":{\"x-mcp-header\":\"A\"}}}}", "{}", "" },
};

static void put_found(const struct found *row, struct buf *out)
{
	struct param_header headers[PARAM_HEADERS_MAX];
	int n = param_headers_find(span_of(row->schema), span_of(row->arguments), headers);

	for (int i = 0; i < n; i++) {
		buf_printf(out, "%s%.*s=", i > 0 ? ", " : "", SPAN_ARG(headers[i].name));
		if (span_is_set(headers[i].value))
			param_header_put(&headers[i], out);
		else
			buf_add_char(out, '-');
	}
	if (n < 0)
		buf_add(out, SPAN("the rules are broken"));
}

static void test_annotations_are_found_with_their_arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(found); i++) {
		struct buf out = { 0 };
		put_found(&found[i], &out);
		assert_span_is(buf_span(&out), span_of(found[i].headers));
		buf_free(&out);
	}
}

static void test_annotations_that_break_the_rules(void **state)
{
	static const char *const schemas[] = {
		STRING("Root"),
		"{\"properties\":{\"a\":" STRING("") "}}",
		"{\"properties\":{\"a\":" STRING("A B") "}}",
		"{\"properties\":{\"a\":" STRING("A:") "}}",
		"{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":7}}}",
		"{\"properties\":{\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}}}",
		"{\"properties\":{\"a\":{\"type\":[\"string\",\"null\"],\"x-mcp-header\":\"A\"}}}",
		"{\"properties\":{\"a\":{\"x-mcp-header\":\"A\"}}}",
		"{\"properties\":{\"a\":" STRING("A") ",\"b\":" STRING("a") "}}",
		"{\"properties\":{\"a\":{\"items\":" STRING("A") "}}}",
		"{\"properties\":{\"a\":{\"items\":{\"properties\":{\"b\":" STRING("A") "}}}}}",
		"{\"anyOf\":[{\"properties\":{\"a\":" STRING("A") "}}]}",
		"{\"$defs\":{\"a\":" STRING("A") "}}",
		"{\"additionalProperties\":" STRING("A") "}",
		"{\"if\":{\"properties\":{\"a\":" STRING("A") "}}}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(schemas); i++) {
		struct param_header headers[PARAM_HEADERS_MAX];
		if (param_headers_find(span_of(schemas[i]), SPAN("{\"a\":\"v\"}"), headers) != -1)
			fail_msg("%s was accepted", schemas[i]);
	}
}

static void test_more_than_the_bound_break_the_rules(void **state)
{
	struct param_header headers[PARAM_HEADERS_MAX];
	struct buf schema = { 0 };

	(void)state;
	buf_add(&schema, SPAN("{\"properties\":{"));
	for (int i = 0; i <= PARAM_HEADERS_MAX; i++)
		buf_printf(&schema, "%s\"p%d\":{\"type\":\"string\",\"x-mcp-header\":\"H%d\"}", i > 0 ? "," : "", i, i);
	buf_add(&schema, SPAN("}}"));
	assert_int_equal(param_headers_find(buf_span(&schema), SPAN("{}"), headers), -1);
	buf_free(&schema);
}

static void test_what_a_header_must_say(void **state)
{
	static const struct {
		const char *argument, *header;
		bool agrees;
	} rows[] = {
		{ "\"us\"", "us", true },
		{ "\"us\"", "US", false },
		{ "\"us\"", NULL, false },
		{ "\"us\"", "=?base64?dXM=?=", true },
		{ "\"us\"", "=?base64?dXM?=", false },
		{ "\"\\u0075s\"", "us", true },
		{ NULL, NULL, true },
		{ NULL, "us", false },
		{ "42", "42", true },
		{ "42", "42.0", true },
		{ "42.0", "42", true },
		{ "42", "43", false },
		{ "42", " 42", false },
		{ "42", "forty-two", false },
		{ "42", "", false },
		{ "42", "\"42\"", false },
		{ "true", "true", true },
		{ "true", "True", false },
		{ "false", "true", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct param_header h = { SPAN("H"), span_of(rows[i].argument) };
		if (param_header_agrees(&h, span_of(rows[i].header)) != rows[i].agrees)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_annotations_are_found_with_their_arguments),
		cmocka_unit_test(test_annotations_that_break_the_rules),
		cmocka_unit_test(test_more_than_the_bound_break_the_rules),
		cmocka_unit_test(test_what_a_header_must_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
