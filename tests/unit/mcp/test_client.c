#include "unit.h"

#include "mcp/client.h"

static unsigned both_ways(const char *json)
{
	unsigned bits = client_capabilities_read(span_of(json));
	struct buf out = { 0 };
	struct json_writer w = json_writer(&out);

	client_capabilities_put(&w, bits);
	assert_true(span_eq(buf_span(&out), span_of(json)));
	buf_free(&out);
	return bits;
}

static void test_capabilities_are_written_as_they_were_read(void **state)
{
	(void)state;
	assert_int_equal(both_ways("{}"), 0);
	assert_int_equal(both_ways("{\"roots\":{}}"), CLIENT_ROOTS);
	assert_int_equal(both_ways("{\"roots\":{\"listChanged\":true},\"sampling\":{}}"),
	        CLIENT_ROOTS | CLIENT_ROOTS_CHANGED | CLIENT_SAMPLING);
	assert_int_equal(both_ways("{\"sampling\":{\"context\":{},\"tools\":{}}}"),
	        CLIENT_SAMPLING | CLIENT_SAMPLING_CONTEXT | CLIENT_SAMPLING_TOOLS);
	assert_int_equal(both_ways("{\"elicitation\":{\"form\":{}}}"), CLIENT_ELICITATION);
	assert_int_equal(
	        both_ways("{\"elicitation\":{\"form\":{},\"url\":{}}}"), CLIENT_ELICITATION | CLIENT_ELICITATION_URL);
}

static void test_an_empty_elicitation_means_forms(void **state)
{
	(void)state;
	assert_int_equal(client_capabilities_read(SPAN("{\"elicitation\":{}}")), CLIENT_ELICITATION);
	assert_int_equal(client_capabilities_read(SPAN("[]")), 0);
	assert_int_equal(client_capabilities_read(SPAN("{\"sampling\":1,\"roots\":{\"listChanged\":1}}")),
	        CLIENT_SAMPLING | CLIENT_ROOTS);
	assert_int_equal(client_capabilities_read(SPAN_NONE), 0);
}

static void test_a_revision_knows_no_later_capability(void **state)
{
	(void)state;
	assert_int_equal(client_capabilities_of(REVISION_2025_03_26, 127),
	        CLIENT_SAMPLING | CLIENT_ROOTS | CLIENT_ROOTS_CHANGED);
	assert_int_equal(client_capabilities_of(REVISION_2025_06_18, 127),
	        CLIENT_SAMPLING | CLIENT_ROOTS | CLIENT_ROOTS_CHANGED | CLIENT_ELICITATION);
	assert_int_equal(client_capabilities_of(REVISION_2025_11_25, 127), 127);
	assert_int_equal(client_capabilities_of(REVISION_MODERN, 127), 127);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capabilities_are_written_as_they_were_read),
		cmocka_unit_test(test_an_empty_elicitation_means_forms),
		cmocka_unit_test(test_a_revision_knows_no_later_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
