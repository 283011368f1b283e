#include "unit.h"

#include "cli/diagnosis.h"

static const struct backend_conf shared = { .name = "s" }, isolated = { .name = "s", .isolation = ISOLATION_SESSION };
static const struct backend_hello legacy = { .revision = REVISION_2025_06_18, .tools = true },
                                  modern = { .revision = REVISION_MODERN, .tools = true };

static void count(void *arg, const char *sentence)
{
	unsigned *n = arg;

	assert_true(sentence[0] != '\0');
	(*n)++;
}

static unsigned outlook(const struct backend_conf *conf, const struct backend_hello *hello, bool modern_clients)
{
	const struct diagnosis d = { .conf = conf, .hello = hello };
	unsigned n = 0;

	diagnosis_outlook(&d, modern_clients, count, &n);
	return n;
}

/* One sentence: every message passes as it is. */
static void test_nothing_is_bridged_where_client_and_server_are_of_one_era(void **state)
{
	(void)state;
	assert_int_equal(outlook(&isolated, &legacy, false), 1);
	assert_int_equal(outlook(&shared, &modern, true), 1);
}

static void test_what_is_bridged_is_told(void **state)
{
	(void)state;
	assert_true(outlook(&isolated, &legacy, true) > 1);
	assert_true(outlook(&shared, &modern, false) > 1);
}

static void test_a_shared_legacy_server_cannot_always_ask(void **state)
{
	(void)state;
	assert_int_equal(outlook(&shared, &legacy, false), outlook(&isolated, &legacy, false) + 1);
	assert_int_equal(outlook(&shared, &legacy, true), outlook(&isolated, &legacy, true) + 1);
	assert_int_equal(outlook(&shared, &modern, true), outlook(&isolated, &modern, true));
}

static void test_of_a_server_that_never_said_hello_only_the_fault_is_told(void **state)
{
	const struct diagnosis d = { .conf = &shared, .fault = "exited with code 3" };
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(outlook(&shared, NULL, true), 0);
	diagnosis_put_json(&d, &out);
	assert_span(buf_span(&out),
	        "{\"server\":\"s\",\"up\":false,\"fault\":\"exited with code 3\",\"isolation\":\"shared\"}\n");
	buf_reset(&out);
	diagnosis_put_text(&d, 80, false, &out);
	assert_span(buf_span(&out), "s is not up\n\n  transport  not known\n  isolation  shared\n");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_bridged_where_client_and_server_are_of_one_era),
		cmocka_unit_test(test_what_is_bridged_is_told),
		cmocka_unit_test(test_a_shared_legacy_server_cannot_always_ask),
		cmocka_unit_test(test_of_a_server_that_never_said_hello_only_the_fault_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
