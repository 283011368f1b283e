#include "unit.h"

#include "config/diff.h"
#include "load.h"

#define KEY_A "\"secret\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\""
#define KEY_B "\"secret\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHhA=\""

struct verdict {
	bool servers, session_keys, lifecycle, log_level;
	const char *restart;
};

static void assert_diff(const char *before, const char *after, struct verdict wanted)
{
	struct loaded a = load_text(before, NULL), b = load_text(after, NULL);
	struct config_diff d;

	assert_loaded(&a);
	assert_loaded(&b);
	config_diff(a.config, a.config, b.config, &d);
	assert_int_equal(d.servers, wanted.servers);
	assert_int_equal(d.session_keys, wanted.session_keys);
	assert_int_equal(d.lifecycle, wanted.lifecycle);
	assert_int_equal(d.log_level, wanted.log_level);
	assert_span_is(buf_span(&d.restart), span_of(wanted.restart != NULL ? wanted.restart : ""));
	assert_int_equal(
	        config_diff_is_live(&d), wanted.servers || wanted.session_keys || wanted.lifecycle || wanted.log_level);
	config_diff_free(&d);
	unload(&a);
	unload(&b);
}

#define SERVERS(text) "{\"mcpServers\":{" text "}}"
#define ONE "\"a\":{\"command\":\"sh\"}"

static void test_the_same_text_read_again_changes_nothing(void **state)
{
	const char *text = "{\"mcpServers\":{" ONE ",\"b\":{\"command\":\"sh\",\"args\":[\"x\"],\"env\":{\"A\":\"1\"},"
	                   "\"include\":[\"*\"]}},\"http\":{\"allowedHosts\":[\"a\"]},"
	                   "\"session\":{\"keys\":[{\"id\":\"k\"," KEY_A "}]}}";

	(void)state;
	assert_diff(text, text, (struct verdict){ 0 });
	assert_diff("{}", "{}", (struct verdict){ 0 });
}

static void test_servers_that_come_go_change_or_move_are_a_change(void **state)
{
	static const char *const others[] = {
		SERVERS(ONE ",\"b\":{\"command\":\"sh\"}"),
		SERVERS(""),
		SERVERS("\"b\":{\"command\":\"sh\"}"),
		SERVERS("\"a\":{\"command\":\"cat\"}"),
		SERVERS("\"a\":{\"command\":\"sh\",\"requestTimeout\":\"1s\"}"),
		SERVERS("\"a\":{\"command\":\"sh\",\"exclude\":[\"x\"]}"),
		SERVERS("\"a\":{\"command\":\"sh\",\"disabled\":true}"),
		SERVERS("\"a\":{\"command\":\"sh\",\"cli\":true}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_diff(SERVERS(ONE), others[i], (struct verdict){ .servers = true });
	assert_diff(SERVERS(ONE ",\"b\":{\"command\":\"sh\"}"), SERVERS("\"b\":{\"command\":\"sh\"}," ONE),
	        (struct verdict){ .servers = true });
}

static void test_all_of_a_command_line_program_is_looked_at(void **state)
{
#define CLI(more) SERVERS("\"a\":{\"command\":\"sh\",\"cli\":true" more "}")
	static const char *const others[] = {
		CLI(",\"cliHelp\":\"help\""),
		CLI(",\"cliDepth\":1"),
		CLI(",\"cliOnly\":[\"x\"]"),
		CLI(",\"maxProcesses\":1"),
		CLI(",\"tools\":[{\"name\":\"x\"}]"),
	};
	static const char *const tools[] = {
		CLI(",\"tools\":[{\"name\":\"x\"}]"),
		CLI(",\"tools\":[{\"name\":\"y\"}]"),
		CLI(",\"tools\":[{\"name\":\"x\"},{\"name\":\"y\"}]"),
		CLI(",\"tools\":[{\"name\":\"x\",\"args\":[\"z\"]}]"),
		CLI(",\"tools\":[{\"name\":\"x\",\"description\":\"z\"}]"),
		CLI(",\"tools\":[{\"name\":\"x\",\"inputSchema\":{\"type\":\"object\"}}]"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_diff(CLI(""), others[i], (struct verdict){ .servers = true });
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		for (size_t j = 0; j < sizeof(tools) / sizeof(tools[0]); j++)
			assert_diff(tools[i], tools[j], (struct verdict){ .servers = i != j });
}

static void test_how_a_thing_is_written_does_not_matter(void **state)
{
	(void)state;
	assert_diff(SERVERS(ONE), "{\"servers\":{\"a\":{\"type\":\"stdio\",\"command\":\"sh\",\"startup\":\"eager\"}}}",
	        (struct verdict){ 0 });
	assert_diff(SERVERS("\"a\":{\"command\":\"sh\",\"requestTimeout\":60}"),
	        SERVERS("\"a\":{\"command\":\"sh\",\"requestTimeout\":\"1m\"}"), (struct verdict){ 0 });
}

#define KEYS(list) "{\"session\":{\"keys\":[" list "]}}"

static void test_session_keys_differ_by_id_secret_and_order(void **state)
{
	const struct verdict changed = { .session_keys = true };

	(void)state;
	assert_diff("{}", KEYS("{\"id\":\"a\"," KEY_A "}"), changed);
	assert_diff(KEYS("{\"id\":\"a\"," KEY_A "}"), KEYS("{\"id\":\"a\"," KEY_B "}"), changed);
	assert_diff(KEYS("{\"id\":\"a\"," KEY_A "}"), KEYS("{\"id\":\"b\"," KEY_A "}"), changed);
	assert_diff(KEYS("{\"id\":\"a\"," KEY_A "},{\"id\":\"b\"," KEY_B "}"),
	        KEYS("{\"id\":\"b\"," KEY_B "},{\"id\":\"a\"," KEY_A "}"), changed);
}

static void test_lifecycle_and_log_level_can_be_applied(void **state)
{
	(void)state;
	assert_diff("{}", "{\"lifecycle\":{\"gracePeriod\":\"60s\"}}", (struct verdict){ .lifecycle = true });
	assert_diff("{}", "{\"lifecycle\":{\"lameDuck\":{\"min\":\"1s\"}}}", (struct verdict){ .lifecycle = true });
	assert_diff("{}", "{\"lifecycle\":{\"readiness\":{\"onRequiredLoss\":\"fail\"}}}",
	        (struct verdict){ .lifecycle = true });
	assert_diff("{}", "{\"log\":{\"level\":\"debug\"}}", (struct verdict){ .log_level = true });
}

static void test_what_needs_a_restart_is_named_by_its_path(void **state)
{
	static const struct {
		const char *text, *path;
	} rows[] = {
		{ "{\"namespace\":\"never\"}", "namespace" },
		{ "{\"http\":{\"basePath\":\"/x\"}}", "http.basePath" },
		{ "{\"http\":{\"allowedHosts\":[]}}", "http.allowedHosts" },
		{ "{\"http\":{\"idleTimeout\":\"1s\"}}", "http.idleTimeout" },
		{ "{\"session\":{\"required\":false}}", "session.required" },
		{ "{\"limits\":{\"maxInFlight\":1,\"maxDepth\":9}}", "limits.maxInFlight, limits.maxDepth" },
		{ "{\"log\":{\"format\":\"json\"}}", "log.format" },
		{ "{\"lifecycle\":{\"terminationLog\":\"/tmp/x\"}}", "lifecycle.terminationLog" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_diff("{}", rows[i].text, (struct verdict){ .restart = rows[i].path });
}

static void test_limits_that_wait_for_a_restart_do_not_change_servers(void **state)
{
	(void)state;
	assert_diff(SERVERS(ONE), "{\"mcpServers\":{" ONE "},\"limits\":{\"maxInFlightPerServer\":1}}",
	        (struct verdict){ .restart = "limits.maxInFlightPerServer" });
}

static void test_what_needs_a_restart_is_measured_by_the_start_and_the_rest_by_the_last_reload(void **state)
{
	struct loaded started = load_text("{\"http\":{\"basePath\":\"/x\"}}", NULL), live = load_text("{}", NULL);
	struct loaded next = load_text("{\"log\":{\"level\":\"warn\"}}", NULL);
	struct config_diff d;

	(void)state;
	config_diff(started.config, live.config, next.config, &d);
	assert_true(d.log_level);
	assert_span_is(buf_span(&d.restart), SPAN("http.basePath"));
	config_diff_free(&d);
	config_diff(started.config, next.config, next.config, &d);
	assert_false(config_diff_is_live(&d));
	config_diff_free(&d);
	unload(&started);
	unload(&live);
	unload(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_text_read_again_changes_nothing),
		cmocka_unit_test(test_servers_that_come_go_change_or_move_are_a_change),
		cmocka_unit_test(test_all_of_a_command_line_program_is_looked_at),
		cmocka_unit_test(test_how_a_thing_is_written_does_not_matter),
		cmocka_unit_test(test_session_keys_differ_by_id_secret_and_order),
		cmocka_unit_test(test_lifecycle_and_log_level_can_be_applied),
		cmocka_unit_test(test_what_needs_a_restart_is_named_by_its_path),
		cmocka_unit_test(test_limits_that_wait_for_a_restart_do_not_change_servers),
		cmocka_unit_test(test_what_needs_a_restart_is_measured_by_the_start_and_the_rest_by_the_last_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
