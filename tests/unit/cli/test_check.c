#include "unit.h"

#include "run.h"

#define PATH "PATH=/usr/bin:/bin"

static struct ran check(const char *json, const char *grace_period)
{
	char config[1024];
	const char *const environment[] = { config, PATH, NULL };
	const char *const words[] = { "check", grace_period, NULL };

	snprintf(config, sizeof(config), "MCP_SERVERS_CONFIG=%s", json);
	return run(words, environment);
}

static void test_a_right_configuration_is_shown_with_its_plan(void **state)
{
	static const char *const lines[] = {
		"<env:MCP_SERVERS_CONFIG>: info: ignored, as other clients' keys: timeout\n",
		"<env:MCP_SERVERS_CONFIG>: ok, 2 servers\n",
		"  server      startup   idle      request  stop       command or URL\n",
		"  a           required  never     1m       2s+2s      sh\n",
		"  some-files  eager     90s       5s       1s+250ms   /bin/sh\n",
		"Shutdown plan: 30 s from SIGTERM to SIGKILL\n",
		"at 23.5 s calls older than 13.5 s are cut",
		"A server has at most 2 s after the end of its stdin and 2 s after SIGTERM",
	};
	struct ran r = check("{\"mcpServers\":{"
	                     "\"a\":{\"command\":\"sh\",\"args\":[\"hush\"],\"startup\":\"required\",\"timeout\":1},"
	                     "\"some-files\":{\"command\":\"/bin/sh\",\"idleTimeout\":90,\"requestTimeout\":5,"
	                     "\"stop\":{\"eof\":\"1s\",\"term\":\"250ms\"}}}}",
	        NULL);

	(void)state;
	assert_int_equal(r.code, CLI_OK);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_contains(r.out, lines[i]);
	assert_null(strstr(r.out, "hush"));
	assert_null(strchr(r.out, '\033'));
	assert_string_equal(r.err, "");
	ran_clear(&r);
}

static void test_a_wrong_one_is_told_fault_by_fault_and_exits_78(void **state)
{
	struct ran r = check("{\"mcpServers\":{\"a\":{\"comand\":\"sh\"}},\"lifecycle\":{\"margin\":true}}", NULL);

	(void)state;
	assert_int_equal(r.code, CLI_CONFIG);
	assert_contains(r.out, ": mcpServers.a.comand: unknown key, did you mean \"command\"?\n");
	assert_contains(r.out, ": lifecycle.margin: must be a duration");
	assert_contains(r.out, "\n3 errors\n");
	assert_null(strstr(r.out, "Shutdown plan"));
	ran_clear(&r);
}

static void test_warnings_alone_exit_0(void **state)
{
	struct ran r = check("{}", NULL);

	(void)state;
	assert_int_equal(r.code, CLI_OK);
	assert_contains(r.out, "<env:MCP_SERVERS_CONFIG>: warning: no server is configured\n");
	assert_contains(r.out, ": ok, 0 servers, 1 warning\n");
	assert_contains(r.out, "at 27.5 s calls older than 17.5 s are cut");
	ran_clear(&r);
}

static void test_the_grace_period_of_the_command_line_is_planned_with(void **state)
{
	struct ran r = check("{\"lifecycle\":{\"gracePeriod\":\"30s\"}}", "--grace-period=5s");

	(void)state;
	assert_int_equal(r.code, CLI_OK);
	assert_contains(r.out, "Shutdown plan: 5 s from SIGTERM to SIGKILL\n");
	assert_contains(r.out, "warning: lifecycle.margin is cut to a quarter of the grace period\n");
	ran_clear(&r);
}

static void test_without_a_configuration_the_places_are_listed(void **state)
{
	static const char *const words[] = { "check", NULL };
	struct ran r = run(words, NULL);

	(void)state;
	assert_int_equal(r.code, CLI_CONFIG);
	assert_contains(r.out, "no configuration found. Looked at: --config (not given)");
	assert_contains(r.out, "\n1 error\n");
	ran_clear(&r);
}

static void test_a_flood_of_faults_is_cut_and_counted(void **state)
{
	struct ran r = check(
	        "{\"mcpServers\":{\"a\":{\"command\":\"sh\",\"args\":["
	        "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
	        "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
	        "0,0,0,0,0]}}}",
	        NULL);

	(void)state;
	assert_contains(r.out, "\n... and 5 more\n105 errors\n");
	ran_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_right_configuration_is_shown_with_its_plan),
		cmocka_unit_test(test_a_wrong_one_is_told_fault_by_fault_and_exits_78),
		cmocka_unit_test(test_warnings_alone_exit_0),
		cmocka_unit_test(test_the_grace_period_of_the_command_line_is_planned_with),
		cmocka_unit_test(test_without_a_configuration_the_places_are_listed),
		cmocka_unit_test(test_a_flood_of_faults_is_cut_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
