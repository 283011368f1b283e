#include "unit.h"

#include "config/environment.h"

static const char *const ours[] = { "PATH=/bin", "HOME=/root", "LANG=C.UTF-8", "LC_ALL=C", "LC_TIME=C", "TZ=UTC",
	"TMPDIR=/tmp", "USER=ada", "MCP_SERVERS_CONFIG={}", "API_KEY=secret", "PATHS=x", "EMPTY=", "=odd", "odd",
	NULL };

static void assert_environment(const char *const *env, const char *const *wanted)
{
	size_t i;

	for (i = 0; env[i] != NULL && wanted[i] != NULL; i++)
		assert_string_equal(env[i], wanted[i]);
	assert_null(env[i]);
	assert_null(wanted[i]);
}

static void test_a_variable_is_found_by_its_whole_name(void **state)
{
	(void)state;
	assert_string_equal(environment_get(ours, SPAN("PATH")), "/bin");
	assert_string_equal(environment_get(ours, SPAN("EMPTY")), "");
	assert_null(environment_get(ours, SPAN("PAT")));
	assert_null(environment_get(ours, SPAN("odd")));
	assert_null(environment_get(NULL, SPAN("PATH")));
}

static void test_a_child_inherits_what_is_harmless_and_no_secret(void **state)
{
	static const char *const wanted[] = { "PATH=/bin", "HOME=/root", "LANG=C.UTF-8", "LC_ALL=C", "LC_TIME=C",
		"TZ=UTC", "TMPDIR=/tmp", "USER=ada", NULL };
	struct arena a = { 0 };

	(void)state;
	assert_environment(environment_for_child(&a, ours, NULL, NULL, 0), wanted);
	arena_free(&a);
}

static void test_a_childs_own_variables_win_and_can_take_others_away(void **state)
{
	static const char *const few[] = { "PATH=/bin", "HOME=/root", "API_KEY=secret", "OTHER=x", NULL };
	static const char *const inherit[] = { "API_KEY", "OTHER", "NOT_SET", NULL };
	static const char *const wanted[] = { "PATH=/bin", "OTHER=x", "API_KEY=own", "NEW=", NULL };
	const struct environment_entry own[] = { { SPAN("API_KEY"), "own" }, { SPAN("HOME"), NULL },
		{ SPAN("NEW"), "" } };
	struct arena a = { 0 };

	(void)state;
	assert_environment(environment_for_child(&a, few, inherit, own, 3), wanted);
	arena_free(&a);
}

static void test_a_name_is_what_a_shell_could_set(void **state)
{
	static const char *const right[] = { "A", "_", "a1", "LC_ALL", "Path_2" };
	static const char *const wrong[] = { "", "1A", "A-B", "A B", "A=B", "*", "LC_*", "\xc3\xa4" };

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_true(environment_name_is_valid(span_of(right[i])));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(environment_name_is_valid(span_of(wrong[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_variable_is_found_by_its_whole_name),
		cmocka_unit_test(test_a_child_inherits_what_is_harmless_and_no_secret),
		cmocka_unit_test(test_a_childs_own_variables_win_and_can_take_others_away),
		cmocka_unit_test(test_a_name_is_what_a_shell_could_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
