#include "backend/backend.h"

#include "unit.h"

static const char *const argv[] = { "server", "--fast", NULL };
static const char *const env[] = { "PATH=/bin", "TOKEN=1", NULL };
static const char *const globs[] = { "get_*", NULL };

static const struct backend_conf plain = {
	.name = "a",
	.startup = STARTUP_EAGER,
	.startup_timeout_ms = 1,
	.request_timeout_ms = 2,
	.max_request_timeout_ms = 3,
	.idle = IDLE_FIXED,
	.idle_ms = 4,
	.argv = argv,
	.env = env,
	.include = globs,
	.depth = 2,
	.max_processes = 16,
};

static void test_a_copy_has_everything_of_its_own(void **state)
{
	struct backend_conf *copy = backend_conf_copy(&plain);

	(void)state;
	assert_int_equal(backend_conf_compare(&plain, copy), BACKEND_SAME);
	assert_ptr_not_equal(copy->name, plain.name);
	assert_ptr_not_equal(copy->argv[1], argv[1]);
	assert_string_equal(copy->env[1], "TOKEN=1");
	assert_null(copy->env[2]);
	assert_null(copy->exclude);
	assert_null(copy->cwd);
	backend_conf_free(&copy);
	assert_null(copy);
	backend_conf_free(&copy);
}

static void test_a_copy_has_its_own_tools(void **state)
{
	static const struct command_preset presets[] = {
		{ .name = "up", .description = "goes up", .args = argv, .schema = "{}" },
		{ .name = "down", .args = argv },
	};
	struct backend_conf conf = plain;

	(void)state;
	conf.kind = BACKEND_COMMAND;
	conf.help = argv;
	conf.only = globs;
	conf.presets = presets;
	conf.preset_count = 2;
	struct backend_conf *copy = backend_conf_copy(&conf);
	assert_int_equal(backend_conf_compare(&conf, copy), BACKEND_SAME);
	assert_ptr_not_equal(copy->presets[1].name, presets[1].name);
	assert_string_equal(copy->presets[0].schema, "{}");
	assert_null(copy->presets[1].description);
	assert_ptr_not_equal(copy->help, conf.help);
	assert_string_equal(copy->only[0], "get_*");
	backend_conf_free(&copy);
}

static void test_only_what_makes_the_process_replaces_it(void **state)
{
	static const char *const more[] = { "server", "--fast", "--more", NULL };
	static const char *const fewer[] = { "server", NULL };
	static const char *const rotated[] = { "PATH=/bin", "TOKEN=2", NULL };
	static const struct command_preset presets[] = { { .name = "t", .args = fewer } };
	struct backend_conf b[11] = { plain, plain, plain, plain, plain, plain, plain, plain, plain, plain, plain };

	(void)state;
	b[0].argv = more;
	b[1].argv = fewer;
	b[2].env = rotated;
	b[3].cwd = "/srv";
	b[4].kind = BACKEND_COMMAND;
	b[5].help = fewer;
	b[6].depth = 3;
	b[7].only = globs;
	b[8].presets = presets;
	b[8].preset_count = 1;
	b[9].isolation = ISOLATION_SESSION;
	b[10].roots = "[]"; /* it is told so in its first words */
	for (size_t i = 0; i < 11; i++) {
		assert_int_equal(backend_conf_compare(&plain, &b[i]), BACKEND_REPLACED);
		assert_int_equal(backend_conf_compare(&b[i], &plain), BACKEND_REPLACED);
	}
}

static void test_everything_else_only_retunes_it(void **state)
{
	struct backend_conf b[13];

	(void)state;
	for (size_t i = 0; i < 13; i++)
		b[i] = plain;
	b[0].startup = STARTUP_LAZY;
	b[1].startup_timeout_ms++;
	b[2].request_timeout_ms++;
	b[3].max_request_timeout_ms++;
	b[4].idle = IDLE_NEVER;
	b[5].idle_ms++;
	b[6].min_idle_ms++;
	b[7].max_idle_ms++;
	b[8].stop_eof_ms++;
	b[9].stop_term_ms++;
	b[10].include = NULL;
	b[11].exclude = globs;
	b[12].max_processes = 1;
	for (size_t i = 0; i < 13; i++)
		assert_int_equal(backend_conf_compare(&plain, &b[i]), BACKEND_RETUNED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_copy_has_everything_of_its_own),
		cmocka_unit_test(test_a_copy_has_its_own_tools),
		cmocka_unit_test(test_only_what_makes_the_process_replaces_it),
		cmocka_unit_test(test_everything_else_only_retunes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
