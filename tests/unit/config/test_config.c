#include "unit.h"

#include "load.h"

#define MINUTE 60000
#define ONE_SERVER(members) "{\"mcpServers\":{\"a\":{\"command\":\"sh\"" members "}}}"

static void assert_list(const char *const *list, const char *const *wanted)
{
	size_t i;

	assert_non_null(list);
	for (i = 0; list[i] != NULL && wanted[i] != NULL; i++)
		assert_string_equal(list[i], wanted[i]);
	assert_null(list[i]);
	assert_null(wanted[i]);
}

static void test_a_server_has_the_defaults_of_the_interface(void **state)
{
	static const char *const argv[] = { "sh", NULL };
	static const char *const nothing[] = { NULL };
	struct loaded l = load_text(ONE_SERVER(""), NULL);

	(void)state;
	assert_loaded(&l);
	assert_int_equal(l.config->server_count, 1);
	const struct backend_conf *s = &l.config->servers[0];
	assert_string_equal(s->name, "a");
	assert_int_equal(s->startup, STARTUP_EAGER);
	assert_int_equal(s->startup_timeout_ms, MINUTE);
	assert_int_equal(s->request_timeout_ms, MINUTE);
	assert_int_equal(s->max_request_timeout_ms, 10 * MINUTE);
	assert_int_equal(s->idle, IDLE_ADAPTIVE);
	assert_int_equal(s->min_idle_ms, MINUTE);
	assert_int_equal(s->max_idle_ms, 5 * MINUTE);
	assert_int_equal(s->stop_eof_ms, 2000);
	assert_int_equal(s->stop_term_ms, 2000);
	assert_null(s->include);
	assert_null(s->exclude);
	assert_list(s->argv, argv);
	assert_list(s->env, nothing);
	assert_null(s->cwd);
	assert_int_equal(s->max_in_flight, 1024);
	assert_int_equal(s->max_message_bytes, 67108864);
	assert_int_equal(s->max_depth, 128);
	unload(&l);
}

static void test_the_blocks_have_the_defaults_of_the_interface(void **state)
{
	struct loaded l = load_text("{}", NULL);

	(void)state;
	assert_loaded(&l);
	const struct config *c = l.config;
	assert_string_equal(c->source, "<env:MCP_SERVERS_CONFIG>");
	assert_false(c->namespace_never);
	assert_null(c->http.allowed_hosts);
	assert_null(c->http.allowed_origins);
	assert_string_equal(c->http.base_path, "");
	assert_int_equal(c->http.server.max_header_bytes, 16384);
	assert_int_equal(c->http.server.max_body_bytes, 8388608);
	assert_int_equal(c->http.server.header_timeout_ms, 10000);
	assert_int_equal(c->http.server.body_timeout_ms, 30000);
	assert_int_equal(c->http.server.idle_timeout_ms, 75000);
	assert_int_equal(c->http.server.write_timeout_ms, 60000);
	assert_int_equal(c->http.server.max_connections, 16384);
	assert_int_equal(c->http.server.max_buffered_bytes, 268435456);
	assert_int_equal(c->session.conf.idle_timeout_ms, 60 * MINUTE);
	assert_int_equal(c->session.conf.max, 10000);
	assert_true(c->session.conf.required);
	assert_int_equal(c->session.replay_bytes, 262144);
	assert_int_equal(c->session.replay_time_ms, MINUTE);
	assert_int_equal(c->session.key_count, 0);
	assert_int_equal(c->limits.max_connections, 16384);
	assert_int_equal(c->limits.max_in_flight, 4096);
	assert_int_equal(c->limits.max_in_flight_per_server, 1024);
	assert_int_equal(c->limits.max_in_flight_per_session, 256);
	assert_int_equal(c->limits.max_message_bytes, 67108864);
	assert_int_equal(c->limits.max_buffered_bytes, 268435456);
	assert_int_equal(c->limits.max_depth, 128);
	assert_int_equal(c->limits.page_items, 1000);
	assert_string_equal(c->log_level, "info");
	assert_int_equal(c->log_format, LOG_TEXT);
	unload(&l);
}

static void test_the_lifecycle_has_the_defaults_of_the_interface(void **state)
{
	struct loaded l = load_text("{}", NULL);

	(void)state;
	assert_loaded(&l);
	const struct lifecycle_conf *c = &l.config->lifecycle;
	assert_int_equal(c->grace_ms, 30000);
	assert_int_equal(c->pre_stop_ms, 0);
	assert_int_equal(c->lame_duck_min_ms, 5000);
	assert_int_equal(c->lame_duck_quiet_ms, 2000);
	assert_int_equal(c->lame_duck_max_ms, 10000);
	assert_int_equal(c->margin_ms, 2000);
	assert_int_equal(c->start_deadline_ms, 0);
	assert_false(c->ready_while_draining);
	assert_false(c->fail_on_required_loss);
	assert_false(c->strict_exit);
	assert_null(c->termination_log);
	unload(&l);
}

static void test_null_is_the_same_as_nothing(void **state)
{
	struct loaded l =
	        load_text("{\"mcpServers\":{\"a\":{\"command\":\"sh\",\"args\":null,\"env\":null,\"url\":null,"
	                  "\"toolAcl\":null,\"idleTimeout\":null,\"startup\":\"required\"}},"
	                  "\"audit\":null,\"lifecycle\":{\"gracePeriod\":null,\"lameDuck\":null},\"http\":null}",
	                NULL);

	(void)state;
	assert_loaded(&l);
	assert_int_equal(l.config->lifecycle.grace_ms, 30000);
	assert_int_equal(l.config->servers[0].idle, IDLE_NEVER);
	unload(&l);
}

static void test_idle_timeouts_follow_what_is_given(void **state)
{
	/* clang-format off */
	static const struct { const char *json; enum idle_rule idle; msec_t idle_ms, min_ms, max_ms; } rows[] = {
		{ ONE_SERVER(",\"startup\":\"required\""),          IDLE_NEVER,    0,     MINUTE, 5 * MINUTE },
		{ ONE_SERVER(",\"startup\":\"required\",\"idleTimeout\":\"adaptive\""),
		                                                    IDLE_ADAPTIVE, 0,     MINUTE, 5 * MINUTE },
		{ ONE_SERVER(",\"startup\":\"required\",\"idle_timeout\":\"30s\""),
		                                                    IDLE_FIXED,    30000, MINUTE, 5 * MINUTE },
		{ ONE_SERVER(",\"startup\":\"lazy\""),              IDLE_ADAPTIVE, 0,     MINUTE, 5 * MINUTE },
		{ ONE_SERVER(",\"idleTimeout\":\"never\""),         IDLE_NEVER,    0,     MINUTE, 5 * MINUTE },
		{ ONE_SERVER(",\"idleTimeout\":90"),                IDLE_FIXED,    90000, MINUTE, 5 * MINUTE },
		{ ONE_SERVER(",\"maxIdleTimeout\":\"10s\""),        IDLE_ADAPTIVE, 0,     10000,  10000 },
		{ ONE_SERVER(",\"min_idle_timeout\":\"10m\""),      IDLE_ADAPTIVE, 0,     10 * MINUTE, 10 * MINUTE },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loaded l = load_text(rows[i].json, NULL);
		assert_loaded(&l);
		const struct backend_conf *s = &l.config->servers[0];
		assert_int_equal(s->idle, rows[i].idle);
		assert_int_equal(s->idle_ms, rows[i].idle_ms);
		assert_int_equal(s->min_idle_ms, rows[i].min_ms);
		assert_int_equal(s->max_idle_ms, rows[i].max_ms);
		unload(&l);
	}
}

static void test_disabled_servers_are_left_out_and_not_looked_at(void **state)
{
	struct loaded l = load_text("{\"mcpServers\":{"
	                            "\"x\":{\"command\":\"sh\"},"
	                            "\"no name\":{\"disabled\":true,\"url\":7,\"what\":\"${NONE}\"},"
	                            "\"y\":{\"command\":\"sh\",\"disabled\":false}},"
	                            "\"servers\":{\"x\":{\"disabled\":true},\"z\":{\"command\":\"sh\"}}}",
	        NULL);

	(void)state;
	assert_loaded(&l);
	assert_int_equal(l.config->server_count, 3);
	assert_string_equal(l.config->servers[0].name, "x");
	assert_string_equal(l.config->servers[1].name, "y");
	assert_string_equal(l.config->servers[2].name, "z");
	unload(&l);
}

static void test_a_childs_environment_is_complete_and_its_own_wins(void **state)
{
	static const char *const ours[] = { "PATH=/usr/bin:/bin", "HOME=/root", "LC_ALL=C", "TOKEN=t", "SECRET=s",
		"WANTED=w", NULL };
	static const char *const wanted[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", "WANTED=w", "HOME=/srv", "A=t-1",
		"N=512", "F=1.50", "B=true", NULL };
	struct loaded l = load_text(ONE_SERVER(",\"inheritEnv\":[\"WANTED\",\"ABSENT\"],"
	                                       "\"env\":{\"HOME\":\"/srv\",\"A\":\"${TOKEN}-1\",\"N\":512,\"F\":1.50,"
	                                       "\"B\":true,\"LANG\":null}"),
	        ours);

	(void)state;
	assert_loaded(&l);
	assert_list(l.config->servers[0].env, wanted);
	unload(&l);
}

static void test_the_environment_gives_defaults_that_a_server_may_override(void **state)
{
	static const char *const variables[] = { "MCP_TIMEOUT=5", "MCP_PROXY_REQUEST_TIMEOUT=30s", NULL };
	struct loaded l =
	        load_text("{\"mcpServers\":{\"a\":{\"command\":\"sh\"},"
	                  "\"b\":{\"command\":\"sh\",\"requestTimeout\":\"7s\",\"maxRequestTimeout\":\"8s\"}}}",
	                variables);

	(void)state;
	assert_loaded(&l);
	assert_int_equal(l.config->servers[0].request_timeout_ms, 5000);
	assert_int_equal(l.config->servers[0].max_request_timeout_ms, 30000);
	assert_int_equal(l.config->servers[1].request_timeout_ms, 7000);
	assert_int_equal(l.config->servers[1].max_request_timeout_ms, 8000);
	unload(&l);
}

static void test_a_long_request_timeout_raises_its_maximum(void **state)
{
	struct loaded l = load_text(ONE_SERVER(",\"requestTimeout\":\"1h\""), NULL);

	(void)state;
	assert_loaded(&l);
	assert_int_equal(l.config->servers[0].max_request_timeout_ms, 60 * MINUTE);
	assert_null(strstr(messages_of(&l), "maxRequestTimeout"));
	unload(&l);
}

#define IN_FILE "{\"lifecycle\":{\"gracePeriod\":\"10s\"},\"log\":{\"level\":\"warn\",\"format\":\"json\"}}"

static void test_flag_wins_over_environment_over_file_over_default(void **state)
{
	/* clang-format off */
	static const struct {
		struct config_sources from;
		const char *environment[5];
		msec_t grace_ms;
		const char *level;
		enum log_format format;
	} rows[] = {
		{ { 0 }, { "MCP_SERVERS_CONFIG={}" }, 30000, "info", LOG_TEXT },
		{ { 0 }, { "MCP_SERVERS_CONFIG=" IN_FILE }, 10000, "warn", LOG_JSON },
		{ { 0 }, { "MCP_SERVERS_CONFIG=" IN_FILE, "MCP_GRACE_PERIOD=20", "MCP_LOG_LEVEL=debug", "MCP_LOG_FORMAT=text" },
			20000, "debug", LOG_TEXT },
		{ { 0 }, { "MCP_SERVERS_CONFIG=" IN_FILE, "MCP_GRACE_PERIOD=", "MCP_LOG_LEVEL=", "MCP_LOG_FORMAT=" },
			10000, "warn", LOG_JSON },
		{ { .grace_period = "1.5s", .log_level = "info,http=trace", .log_format = "json" },
			{ "MCP_SERVERS_CONFIG=" IN_FILE, "MCP_GRACE_PERIOD=20s", "MCP_LOG_LEVEL=debug", "MCP_LOG_FORMAT=text" },
			1500, "info,http=trace", LOG_JSON },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_sources from = rows[i].from;
		from.environment = rows[i].environment;
		struct loaded l = load_from(&from);
		assert_loaded(&l);
		assert_int_equal(l.config->lifecycle.grace_ms, rows[i].grace_ms);
		assert_string_equal(l.config->log_level, rows[i].level);
		assert_int_equal(l.config->log_format, rows[i].format);
		unload(&l);
	}
}

static void test_a_fault_of_the_environment_or_a_flag_is_told_by_its_name(void **state)
{
	/* clang-format off */
	static const struct { struct config_sources from; const char *variable, *message; } rows[] = {
		{ { 0 }, "MCP_GRACE_PERIOD=soon",         "MCP_GRACE_PERIOD: must be a duration" },
		{ { 0 }, "MCP_TIMEOUT=1ms",               "MCP_TIMEOUT: must be from 10ms to 24h" },
		{ { 0 }, "MCP_PROXY_REQUEST_TIMEOUT=x",   "MCP_PROXY_REQUEST_TIMEOUT: must be a duration" },
		{ { 0 }, "MCP_LOG_LEVEL=loud",            "MCP_LOG_LEVEL: must be error, warn" },
		{ { 0 }, "MCP_LOG_FORMAT=true",           "MCP_LOG_FORMAT: must be a string" },
		{ { .grace_period = "x" }, "A=B",         "--grace-period: must be a duration" },
		{ { .log_level = "5" }, "A=B",            "--log-level: must be a string" },
		{ { .log_format = "yaml" }, "A=B",        "--log-format: must be \"text\" or \"json\"" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const environment[] = { "MCP_SERVERS_CONFIG={}", rows[i].variable, NULL };
		struct config_sources from = rows[i].from;
		from.environment = environment;
		struct loaded l = load_from(&from);
		assert_null(l.config);
		assert_ptr_equal(strstr(messages_of(&l), rows[i].message), messages_of(&l));
		unload(&l);
	}
}

static void test_a_command_line_program_in_both_spellings(void **state)
{
	static const char *const texts[] = {
		"{\"mcpServers\":{\"a\":{\"command\":\"sh\",\"cli\":true,\"cliHelp\":\" help  -a\",\"cliDepth\":3,"
		"\"cliOnly\":[\"get*\"],\"maxProcesses\":2}}}",
		"{\"mcpServers\":{\"a\":{\"command\":\"sh\",\"cli\":true,\"cli_help\":[\"help\",\"-a\"],\"cli_depth\":3,"
		"\"cli_only\":[\"get*\"],\"max_processes\":2}}}",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct loaded l = load_text(texts[i], NULL);
		assert_loaded(&l);
		const struct backend_conf *conf = &l.config->servers[0];
		assert_int_equal(conf->kind, BACKEND_COMMAND);
		assert_string_equal(conf->help[0], "help");
		assert_string_equal(conf->help[1], "-a");
		assert_null(conf->help[2]);
		assert_int_equal(conf->depth, 3);
		assert_string_equal(conf->only[0], "get*");
		assert_int_equal(conf->max_processes, 2);
		assert_int_equal(conf->idle, IDLE_NEVER);
		assert_int_equal(conf->stop_eof_ms, 0); /* it has no stdin */
		assert_null(conf->presets);
		unload(&l);
	}
}

static void test_tools_of_a_command_line_program(void **state)
{
	struct loaded l =
	        load_text("{\"mcpServers\":{\"a\":{\"command\":\"sh\",\"cli\":true,\"cliOnly\":[\"x\"],\"tools\":["
	                  "{\"name\":\"up\"},"
	                  "{\"name\":\"down.2\",\"description\":\"goes ${E:-down}\",\"args\":[\"-c\",\"x\"],"
	                  "\"input_schema\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"array\","
	                  "\"items\":{\"type\":\"integer\"}},\"s\":{\"enum\":[\"a\\n\\u0000\"]}},"
	                  "\"required\":[\"n\"],\"x\":[1.50,null,true]}}]}}}",
	                NULL);

	(void)state;
	assert_loaded(&l);
	assert_int_equal(l.messages.count[CONFIG_WARNING], 1); /* cliOnly beside tools */
	const struct backend_conf *conf = &l.config->servers[0];
	assert_int_equal(conf->preset_count, 2);
	assert_string_equal(conf->presets[0].name, "up");
	assert_null(conf->presets[0].description);
	assert_null(conf->presets[0].args[0]);
	assert_null(conf->presets[0].schema);
	assert_string_equal(conf->presets[1].description, "goes down");
	assert_string_equal(conf->presets[1].args[1], "x");
	assert_string_equal(conf->presets[1].schema,
	        "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},"
	        "\"s\":{\"enum\":[\"a\\n\\u0000\"]}},\"required\":[\"n\"],\"x\":[1.50,null,true]}");
	unload(&l);
}

static void test_the_longest_stop_is_that_of_one_server(void **state)
{
	struct loaded l =
	        load_text("{\"mcpServers\":{\"a\":{\"command\":\"sh\",\"stop\":{\"eof\":\"9s\",\"term\":\"0s\"}},"
	                  "\"b\":{\"command\":\"sh\",\"stop\":{\"eof\":\"4s\",\"term\":\"6s\"}},"
	                  "\"c\":{\"command\":\"sh\"}}}",
	                NULL);
	msec_t eof_ms, term_ms;

	(void)state;
	assert_loaded(&l);
	config_longest_stop(l.config, &eof_ms, &term_ms);
	assert_int_equal(eof_ms, 4000);
	assert_int_equal(term_ms, 6000);
	l.config->server_count = 0;
	config_longest_stop(l.config, &eof_ms, &term_ms);
	assert_int_equal(eof_ms + term_ms, 0);
	unload(&l);
}

static void test_a_byte_order_mark_is_skipped(void **state)
{
	struct loaded l = load_text("\xef\xbb\xbf{}", NULL);

	(void)state;
	assert_loaded(&l);
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_server_has_the_defaults_of_the_interface),
		cmocka_unit_test(test_the_blocks_have_the_defaults_of_the_interface),
		cmocka_unit_test(test_the_lifecycle_has_the_defaults_of_the_interface),
		cmocka_unit_test(test_null_is_the_same_as_nothing),
		cmocka_unit_test(test_idle_timeouts_follow_what_is_given),
		cmocka_unit_test(test_disabled_servers_are_left_out_and_not_looked_at),
		cmocka_unit_test(test_a_childs_environment_is_complete_and_its_own_wins),
		cmocka_unit_test(test_the_environment_gives_defaults_that_a_server_may_override),
		cmocka_unit_test(test_a_long_request_timeout_raises_its_maximum),
		cmocka_unit_test(test_flag_wins_over_environment_over_file_over_default),
		cmocka_unit_test(test_a_fault_of_the_environment_or_a_flag_is_told_by_its_name),
		cmocka_unit_test(test_a_command_line_program_in_both_spellings),
		cmocka_unit_test(test_tools_of_a_command_line_program),
		cmocka_unit_test(test_the_longest_stop_is_that_of_one_server),
		cmocka_unit_test(test_a_byte_order_mark_is_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
