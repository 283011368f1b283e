#include "unit.h"

#include "mcp/method.h"

static void test_each_method_is_found_by_its_name(void **state)
{
	(void)state;
	for (enum method m = 0; m < METHOD_COUNT; m++)
		assert_int_equal(method_parse(method_name(m)), m);
}

static void test_other_names_are_unknown(void **state)
{
	static const char *const names[] = { "", "tools", "tools/", "tools/call ", "Tools/call", "tools/calls",
		"server/discovery" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(method_parse(span_of(names[i])), METHOD_UNKNOWN);
	assert_int_equal(method_parse(SPAN("ping\0")), METHOD_UNKNOWN);
	assert_int_equal(method_parse(SPAN_NONE), METHOD_UNKNOWN);
}

static void test_notifications_are_the_methods_that_are_called_so(void **state)
{
	(void)state;
	for (enum method m = 0; m < METHOD_COUNT; m++)
		assert_int_equal(method_is_request(m), !span_starts(method_name(m), SPAN("notifications/")));
}

static void test_senders_are_those_of_the_specification(void **state)
{
	(void)state;
	assert_int_equal(method_sender(METHOD_TOOLS_CALL), SENDER_CLIENT);
	assert_int_equal(method_sender(METHOD_SAMPLING), SENDER_SERVER);
	assert_int_equal(method_sender(METHOD_ROOTS_CHANGED), SENDER_CLIENT);
	assert_int_equal(method_sender(METHOD_PING), SENDER_BOTH);
	assert_int_equal(SENDER_CLIENT | SENDER_SERVER, SENDER_BOTH);
}

static void test_each_list_has_its_names(void **state)
{
	/* clang-format off */
	static const struct { const char *list, *member, *key, *changed; } rows[LIST_KINDS] = {
		[LIST_TOOLS]     = { "tools/list", "tools", "name", "notifications/tools/list_changed" },
		[LIST_RESOURCES] = { "resources/list", "resources", "uri", "notifications/resources/list_changed" },
		[LIST_TEMPLATES] = { "resources/templates/list", "resourceTemplates", "uriTemplate",
		                     "notifications/resources/list_changed" },
		[LIST_PROMPTS]   = { "prompts/list", "prompts", "name", "notifications/prompts/list_changed" },
	};
	/* clang-format on */

	(void)state;
	for (enum list_kind k = 0; k < LIST_KINDS; k++) {
		assert_span_is(method_name(list_method(k)), span_of(rows[k].list));
		assert_string_equal(list_member(k), rows[k].member);
		assert_string_equal(list_key(k), rows[k].key);
		assert_span_is(method_name(list_changed_method(k)), span_of(rows[k].changed));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_method_is_found_by_its_name),
		cmocka_unit_test(test_other_names_are_unknown),
		cmocka_unit_test(test_notifications_are_the_methods_that_are_called_so),
		cmocka_unit_test(test_senders_are_those_of_the_specification),
		cmocka_unit_test(test_each_list_has_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
