#include "unit.h"

#include "mcp/form.h"
#include "json/scan.h"

#define FORM(fields)                                                                         \
	"{\"message\":\"m\",\"requestedSchema\":{\"type\":\"object\",\"properties\":" fields \
	",\"required\":[\"a\"]},\"_meta\":{}}"

static void expect_at(enum revision revision, const char *params, enum form wanted, const char *text)
{
	struct buf out = { 0 };

	assert_int_equal(form_for(span_of(params), revision, &out), wanted);
	if (text != NULL)
		assert_span_is(buf_span(&out), span_of(text));
	else
		assert_int_equal(buf_size(&out), 0);
	buf_free(&out);
}

static void expect(const char *params, enum form wanted, const char *text)
{
	expect_at(REVISION_2025_06_18, params, wanted, text);
	expect_at(REVISION_2025_11_25, params, FORM_STAYS, NULL);
	expect_at(REVISION_MODERN, params, FORM_STAYS, NULL);
}

static void test_what_2025_06_18_has_stays_byte_by_byte(void **state)
{
	static const char *const rows[] = {
		"{}",
		"{\"message\":1,\"requestedSchema\":5}",
		"{\"requestedSchema\":{\"properties\":[{\"type\":\"array\"}]}}",
		FORM("{}"),
		FORM("{ \"a\" : {\"type\":\"string\", \"format\":\"email\",\"minLength\":1},\"b\":{\"type\":\"boolean\",\"default\":true}}"),
		FORM("{\"a\":{\"type\":\"number\",\"minimum\":1.50},\"b\":{\"type\":\"string\",\"enum\":[\"x\"],\"enumNames\":[\"X\"]}}"),
		FORM("{\"a\":true,\"b\":{\"type\":\"odd\"}}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(rows[i], FORM_STAYS, NULL);
	expect_at(REVISION_2025_06_18, "[]", FORM_STAYS, NULL);
	assert_int_equal(form_for(SPAN_NONE, REVISION_2025_06_18, &(struct buf){ 0 }), FORM_STAYS);
}

static void test_a_choice_with_titles_gets_older_words(void **state)
{
	(void)state;
	expect(FORM("{\"a\":{\"type\":\"string\",\"title\":\"T\",\"oneOf\":[{\"const\":\"x\\u00e4\",\"title\":\"X\"},{\"title\":\"Y\","
	            "\"const\":\"y\"}],\"default\":\"y\"}, \"b\":{\"type\":\"boolean\",\"default\":false}}"),
	        FORM_CHANGES,
	        FORM("{\"a\":{\"type\":\"string\",\"title\":\"T\",\"enum\":[\"x\\u00e4\",\"y\"],\"enumNames\":[\"X\",\"Y\"]},"
	             "\"b\":{\"type\":\"boolean\",\"default\":false}}"));
	expect(FORM("{\"a\":{\"\\u006fneOf\":[],\"type\":\"string\"}}"), FORM_CHANGES,
	        FORM("{\"a\":{\"enum\":[],\"enumNames\":[],\"type\":\"string\"}}"));
	expect(FORM("{\"a\":{\"oneOf\":[],\"type\":\"string\"}}"), FORM_CHANGES,
	        FORM("{\"a\":{\"enum\":[],\"enumNames\":[],\"type\":\"string\"}}"));
}

/* A server that wrote another one behind it made JSON of us that was none. */
static void test_of_a_choice_that_comes_twice_the_first_counts(void **state)
{
	(void)state;
	expect(FORM("{\"a\":{\"type\":\"string\",\"oneOf\":[{\"const\":\"a\",\"title\":\"A\"}],\"oneOf\":[1,2]}}"),
	        FORM_CHANGES, FORM("{\"a\":{\"type\":\"string\",\"enum\":[\"a\"],\"enumNames\":[\"A\"]}}"));
}

static void test_only_a_checkbox_keeps_its_default(void **state)
{
	(void)state;
	expect(FORM("{\"a\\\"\":{\"default\":\"x\",\"type\":\"string\"},\"b\":{\"type\":\"integer\",\"default\":7}}"),
	        FORM_CHANGES, FORM("{\"a\\\"\":{\"type\":\"string\"},\"b\":{\"type\":\"integer\"}}"));
}

static void test_the_mode_goes(void **state)
{
	(void)state;
	expect("{\"mode\":\"form\",\"message\":\"m\",\"requestedSchema\":{\"properties\":{}}}", FORM_CHANGES,
	        "{\"message\":\"m\",\"requestedSchema\":{\"properties\":{}}}");
	expect("{\"message\":\"m\",\"mode\":\"form\"}", FORM_CHANGES, "{\"message\":\"m\"}");
}

static void test_a_choice_of_several_cannot_be_shown(void **state)
{
	static const char *const rows[] = {
		FORM("{\"a\":{\"type\":\"string\",\"default\":\"x\"},\"b\":{\"type\":\"array\",\"items\":{\"enum\":[\"x\"]}}}"),
		FORM("{\"b\":{\"type\":\"array\"},\"a\":{\"type\":\"string\"}}"),
		FORM("{\"a\":{\"type\":\"string\",\"oneOf\":[{\"const\":1,\"title\":\"X\"}]}}"),
		FORM("{\"a\":{\"type\":\"string\",\"oneOf\":[{\"const\":\"x\"}]}}"),
		FORM("{\"a\":{\"type\":\"string\",\"oneOf\":{\"const\":\"x\",\"title\":\"X\"}}}"),
		FORM("{\"a\":{\"type\":\"string\",\"oneOf\":[5]}}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(rows[i], FORM_IMPOSSIBLE, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_2025_06_18_has_stays_byte_by_byte),
		cmocka_unit_test(test_a_choice_with_titles_gets_older_words),
		cmocka_unit_test(test_of_a_choice_that_comes_twice_the_first_counts),
		cmocka_unit_test(test_only_a_checkbox_keeps_its_default),
		cmocka_unit_test(test_the_mode_goes),
		cmocka_unit_test(test_a_choice_of_several_cannot_be_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
