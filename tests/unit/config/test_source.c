#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "load.h"

/* A folder with configurations that differ in their grace period, and a home in it. */
struct places {
	char folder[32];
	char flag[64], path[64], home_file[96];
	char path_variable[80], folder_variable[80], home_variable[80];
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make_places(void **state)
{
	struct places *p = test_calloc(1, sizeof(*p));
	char name[96];

	snprintf(p->folder, sizeof(p->folder), "/tmp/sluice-test-XXXXXX");
	if (mkdtemp(p->folder) == NULL)
		return -1;
	snprintf(p->flag, sizeof(p->flag), "%s/flag.json", p->folder);
	snprintf(p->path, sizeof(p->path), "%s/path.json", p->folder);
	snprintf(p->home_file, sizeof(p->home_file), "%s/.config/mcp/servers.json", p->folder);
	snprintf(p->path_variable, sizeof(p->path_variable), "MCP_CONFIG_PATH=%s", p->path);
	snprintf(p->folder_variable, sizeof(p->folder_variable), "MCP_CONFIG_DIR=%s", p->folder);
	snprintf(p->home_variable, sizeof(p->home_variable), "HOME=%s", p->folder);
	write_file(p->flag, "{\"lifecycle\":{\"gracePeriod\":1}}");
	write_file(p->path, "{\"lifecycle\":{\"gracePeriod\":3}}");
	snprintf(name, sizeof(name), "%s/servers.json", p->folder);
	write_file(name, "{\"lifecycle\":{\"gracePeriod\":4}}");
	snprintf(name, sizeof(name), "%s/.config", p->folder);
	mkdir(name, 0700);
	snprintf(name, sizeof(name), "%s/.config/mcp", p->folder);
	mkdir(name, 0700);
	write_file(p->home_file, "{\"lifecycle\":{\"gracePeriod\":5}}");
	*state = p;
	return 0;
}

static int remove_places(void **state)
{
	struct places *p = *state;
	static const char *const names[] = { "flag.json", "path.json", "servers.json", ".config/mcp/servers.json" };
	static const char *const folders[] = { ".config/mcp", ".config", "" };
	char name[96];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s", p->folder, names[i]);
		unlink(name);
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s", p->folder, folders[i]);
		rmdir(name);
	}
	test_free(p);
	return 0;
}

static void test_the_places_are_looked_at_in_their_order(void **state)
{
	const struct places *p = *state;
	const char *all[] = { "MCP_SERVERS_CONFIG={\"lifecycle\":{\"gracePeriod\":2}}", p->path_variable,
		p->folder_variable, p->home_variable, NULL };

	for (size_t first = 0; first < 5; first++) {
		struct config_sources from = { .file = first == 0 ? p->flag : NULL,
			.environment = first == 0 ? all : all + first - 1 };
		struct loaded l = load_from(&from);
		assert_loaded(&l);
		assert_int_equal(l.config->lifecycle.grace_ms, 1000 * ((int)first + 1));
		unload(&l);
	}
}

static void test_an_empty_variable_counts_as_not_set(void **state)
{
	const struct places *p = *state;
	const char *environment[] = { "MCP_SERVERS_CONFIG=", "MCP_CONFIG_PATH=", "MCP_CONFIG_DIR=", p->home_variable,
		NULL };
	struct loaded l = load_from(&(struct config_sources){ .environment = environment });

	assert_loaded(&l);
	assert_string_equal(l.config->source, p->home_file);
	unload(&l);
}

static void test_messages_name_the_file_as_it_was_given(void **state)
{
	const struct places *p = *state;
	char wanted[192];

	write_file(p->flag, "{\n\t\"mcpServers\": { \"a\": { \"comand\": \"sh\" } }\n}\n");
	struct loaded l = load_from(&(struct config_sources){ .file = p->flag });
	snprintf(wanted, sizeof(wanted), "%s:2:35: mcpServers.a.comand: unknown key, did you mean \"command\"?\n",
	        p->flag);
	assert_null(l.config);
	assert_ptr_equal(strstr(messages_of(&l), wanted), messages_of(&l));
	unload(&l);
}

static void assert_not_found(const struct config_sources *from, const char *message)
{
	struct loaded l = load_from(from);

	assert_null(l.config);
	if (strstr(messages_of(&l), message) == NULL)
		fail_msg("wanted \"%s\", got \"%s\"", message, messages_of(&l));
	unload(&l);
}

static void test_a_file_that_is_named_and_cannot_be_read_is_an_error(void **state)
{
	const struct places *p = *state;
	const char *by_path[] = { "MCP_CONFIG_PATH=/nonexistent/x", p->home_variable, NULL };
	const char *by_folder[] = { "MCP_CONFIG_DIR=/nonexistent", p->home_variable, NULL };

	assert_not_found(&(struct config_sources){ .file = "/nonexistent/x", .environment = by_path },
	        "named by --config cannot be read: /nonexistent/x: No such file");
	assert_not_found(&(struct config_sources){ .environment = by_path },
	        "named by MCP_CONFIG_PATH cannot be read: /nonexistent/x: No such file");
	assert_not_found(&(struct config_sources){ .environment = by_folder },
	        "named by MCP_CONFIG_DIR cannot be read: /nonexistent/servers.json: No such file");
	assert_not_found(&(struct config_sources){ .file = p->folder }, "Is a directory");
}

static void test_without_any_the_places_are_listed(void **state)
{
	const char *elsewhere[] = { "HOME=/nonexistent", NULL };

	(void)state;
	assert_not_found(&(struct config_sources){ 0 },
	        "no configuration found. Looked at: --config (not given), MCP_SERVERS_CONFIG (not set), MCP_CONFIG_PATH (not "
	        "set), $MCP_CONFIG_DIR/servers.json (not set), ~/.config/mcp/servers.json (HOME is not set)");
	assert_not_found(&(struct config_sources){ .environment = elsewhere },
	        "(not set), /nonexistent/.config/mcp/servers.json: No such file");
}

static void test_a_configuration_that_is_too_large_is_refused(void **state)
{
	const struct places *p = *state;
	static const char name[] = "MCP_SERVERS_CONFIG=";
	size_t n = CONFIG_MAX_BYTES + 1;
	char *text = test_malloc(sizeof(name) + n);

	memcpy(text, name, sizeof(name));
	memset(text + sizeof(name) - 1, ' ', n);
	text[sizeof(name) - 1 + n] = '\0';
	const char *environment[] = { text, NULL };
	assert_not_found(&(struct config_sources){ .environment = environment }, "larger than 8388608 bytes");
	write_file(p->flag, text);
	assert_not_found(&(struct config_sources){ .file = p->flag }, "larger than 8388608 bytes");
	test_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        test_the_places_are_looked_at_in_their_order, make_places, remove_places),
		cmocka_unit_test_setup_teardown(test_an_empty_variable_counts_as_not_set, make_places, remove_places),
		cmocka_unit_test_setup_teardown(
		        test_messages_name_the_file_as_it_was_given, make_places, remove_places),
		cmocka_unit_test_setup_teardown(
		        test_a_file_that_is_named_and_cannot_be_read_is_an_error, make_places, remove_places),
		cmocka_unit_test(test_without_any_the_places_are_listed),
		cmocka_unit_test_setup_teardown(
		        test_a_configuration_that_is_too_large_is_refused, make_places, remove_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
