#include "unit.h"

#include "load.h"

#define MOST 5

static const char *const environment[] = { "PATH=/usr/bin:/bin", "HOME=/home/ada", "API_KEY=k-1", "HTTPS_PROXY=p",
	NULL };

/* What comes out of each file: its servers, whole command lines with what was put in, and the child's environment. */
/* clang-format off */
static const struct client {
	const char *file;
	struct { const char *name, *argv, *env; } servers[MOST];
	size_t warnings; /* beside those about programs and folders that are not there */
} clients[] = {
	{ "claude-desktop.json", {
		{ "filesystem",   "npx -y @modelcontextprotocol/server-filesystem /home/ada/Desktop /home/ada/Downloads", "" },
		{ "brave-search", "npx -y @modelcontextprotocol/server-brave-search", "BRAVE_API_KEY=BSA-0123456789" } }, 0 },
	{ "claude-code.mcp.json", {
		{ "postgres", "npx -y @bytebase/dbhub --dsn postgres://localhost/dev", "" },
		{ "internal", "/opt/tools/internal-mcp", "API_KEY=k-1 CACHE=/tmp/cache" } }, 0 },
	{ "cursor.mcp.json", {
		{ "web", "python /home/ada/mcp-server.py --verbose", "API_KEY=k-1" } }, 1 },
	{ "vscode.mcp.json", {
		{ "memory",     "npx -y @modelcontextprotocol/server-memory", "MEMORY_LIMIT=512 API_KEY=k-1" },
		{ "playwright", "npx @playwright/mcp@latest", "" } }, 0 },
	{ "windsurf.json", {
		{ "github", "docker run -i --rm -e GITHUB_PERSONAL_ACCESS_TOKEN ghcr.io/github/github-mcp-server", "GITHUB_PERSONAL_ACCESS_TOKEN=k-1" } }, 1 },
	{ "cline.json", {
		{ "weather", "node /home/ada/Documents/Cline/MCP/weather/build/index.js", "OPENWEATHER_API_KEY=0123456789abcdef" },
		{ "old",     "node old.js", "" } }, 0 },
	{ "roo-code.json", {
		{ "puppeteer", "cmd /c npx -y @modelcontextprotocol/server-puppeteer", "NODE_ENV=production" } }, 0 },
	{ "gemini-cli.json", {
		{ "pythonTools", "python -m my_mcp_server --port 8080", "DATABASE_URL=$DB_CONNECTION_STRING" } }, 2 },
	{ "avelino-mcp.json", {
		{ "slack",  "npx -y @modelcontextprotocol/server-slack", "SLACK_TOKEN=k-1" },
		{ "sentry", "sentry-mcp", "" },
		{ "jira",   "jira-mcp", "" },
		{ "kubectl", "kubectl", "" },
		{ "notes",  "notes", "" } }, 0 },
	{ "kubernetes.json", {
		{ "search", "/usr/local/bin/search-server --index /srv/index", "HTTPS_PROXY=p HOME=/tmp" } }, 0 },
};
/* clang-format on */

static struct loaded load_file(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/tests/configs/%s", SOURCE_ROOT, name);
	return load_from(&(struct config_sources){ .file = path, .environment = environment });
}

static size_t real_warnings(const struct loaded *l)
{
	size_t n = 0;

	for (const struct config_message *m = l->messages.first; m != NULL; m = m->next)
		n += m->kind == CONFIG_WARNING && strstr(m->sentence, "there is no such") == NULL;
	return n;
}

/* Joined with spaces, without what every child gets here. */
static void assert_joined(const char *const *list, const char *wanted)
{
	struct buf all = { 0 };

	for (size_t i = 0; list[i] != NULL; i++)
		if (strcmp(list[i], environment[0]) != 0 && strcmp(list[i], environment[1]) != 0)
			buf_printf(&all, "%s%s", buf_size(&all) > 0 ? " " : "", list[i]);
	assert_span_is(buf_span(&all), span_of(wanted));
	buf_free(&all);
}

static void check_client(const struct client *client)
{
	struct loaded l = load_file(client->file);
	size_t n = 0;

	if (l.config == NULL)
		fail_msg("%s: %s", client->file, messages_of(&l));
	while (n < MOST && client->servers[n].name != NULL)
		n++;
	assert_int_equal(l.config->server_count, n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(l.config->servers[i].name, client->servers[i].name);
		assert_joined(l.config->servers[i].argv, client->servers[i].argv);
		assert_joined(l.config->servers[i].env, client->servers[i].env);
	}
	assert_int_equal(real_warnings(&l), client->warnings);
	unload(&l);
}

static void test_the_files_of_known_clients_load(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
		check_client(&clients[i]);
}

static void test_the_spellings_of_avelino_mcp_mean_the_same(void **state)
{
	struct loaded l = load_file("avelino-mcp.json");

	(void)state;
	assert_loaded(&l);
	assert_int_equal(l.config->servers[0].idle, IDLE_ADAPTIVE);
	assert_int_equal(l.config->servers[0].min_idle_ms, 30000);
	assert_int_equal(l.config->servers[0].max_idle_ms, 600000);
	assert_int_equal(l.config->servers[1].idle, IDLE_NEVER);
	assert_int_equal(l.config->servers[2].idle, IDLE_FIXED);
	assert_int_equal(l.config->servers[2].idle_ms, 90000);
	assert_int_equal(l.config->servers[3].kind, BACKEND_COMMAND);
	assert_string_equal(l.config->servers[3].help[0], "--help");
	assert_int_equal(l.config->servers[3].depth, 2);
	assert_string_equal(l.config->servers[3].only[3], "version");
	assert_string_equal(l.config->servers[4].presets[0].name, "find_notes");
	assert_string_equal(l.config->servers[4].presets[0].args[1], "--json");
	unload(&l);
}

static void check_server_of_the_full_file(const struct backend_conf *s)
{
	assert_string_equal(s->cwd, "/srv");
	assert_int_equal(s->startup, STARTUP_REQUIRED);
	assert_int_equal(s->idle, IDLE_NEVER);
	assert_int_equal(s->startup_timeout_ms, 120000);
	assert_int_equal(s->request_timeout_ms, 1200000);
	assert_int_equal(s->max_request_timeout_ms, 1200000);
	assert_joined(s->include, "search get_*");
	assert_joined(s->exclude, "get_secret*");
	assert_int_equal(s->stop_eof_ms, 5000);
	assert_int_equal(s->stop_term_ms, 3000);
	assert_int_equal(s->max_in_flight, 40);
	assert_int_equal(s->max_message_bytes, 1048576);
	assert_int_equal(s->max_depth, 64);
}

static void check_lifecycle_of_the_full_file(const struct lifecycle_conf *c)
{
	assert_int_equal(c->grace_ms, 60000);
	assert_int_equal(c->pre_stop_ms, 5000);
	assert_int_equal(c->lame_duck_min_ms, 3000);
	assert_int_equal(c->lame_duck_quiet_ms, 500);
	assert_int_equal(c->lame_duck_max_ms, 15000);
	assert_true(c->ready_while_draining);
	assert_true(c->fail_on_required_loss);
	assert_int_equal(c->margin_ms, 1500);
	assert_int_equal(c->start_deadline_ms, 300000);
	assert_true(c->strict_exit);
	assert_string_equal(c->termination_log, "/tmp/termination-log");
}

static void check_http_of_the_full_file(const struct config_http *c)
{
	assert_joined(c->allowed_hosts, "tools.example.com [::1]");
	assert_joined(c->allowed_origins, "https://app.example.com http://localhost:3000");
	assert_string_equal(c->base_path, "/tools");
	assert_int_equal(c->server.max_header_bytes, 32768);
	assert_int_equal(c->server.max_body_bytes, 1048576);
	assert_int_equal(c->server.header_timeout_ms, 5000);
	assert_int_equal(c->server.body_timeout_ms, 60000);
	assert_int_equal(c->server.idle_timeout_ms, 600000);
	assert_int_equal(c->server.write_timeout_ms, 30000);
	assert_int_equal(c->server.max_connections, 100);
	assert_int_equal(c->server.max_buffered_bytes, 2097152);
}

static void check_session_of_the_full_file(const struct config_session *c)
{
	assert_int_equal(c->key_count, 2);
	assert_span(c->keys[0].id, "b");
	assert_span(c->keys[1].id, "a");
	for (unsigned i = 0; i < SEAL_KEY_BYTES; i++) {
		assert_int_equal(c->keys[0].secret[i], i);
		assert_int_equal(c->keys[1].secret[i], 0xff);
	}
	assert_int_equal(c->conf.idle_timeout_ms, 7200000);
	assert_int_equal(c->conf.max, 50);
	assert_false(c->conf.required);
	assert_int_equal(c->replay_bytes, 0);
	assert_int_equal(c->replay_time_ms, 0);
}

static void test_every_key_arrives_where_it_belongs(void **state)
{
	struct loaded l = load_file("kubernetes.json");

	(void)state;
	assert_loaded(&l);
	check_server_of_the_full_file(&l.config->servers[0]);
	assert_true(l.config->namespace_never);
	check_lifecycle_of_the_full_file(&l.config->lifecycle);
	check_http_of_the_full_file(&l.config->http);
	check_session_of_the_full_file(&l.config->session);
	assert_int_equal(l.config->limits.max_in_flight, 50);
	assert_int_equal(l.config->limits.max_in_flight_per_session, 30);
	assert_int_equal(l.config->limits.page_items, 10);
	assert_string_equal(l.config->log_level, "warn,backend=debug");
	assert_int_equal(l.config->log_format, LOG_JSON);
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_files_of_known_clients_load),
		cmocka_unit_test(test_the_spellings_of_avelino_mcp_mean_the_same),
		cmocka_unit_test(test_every_key_arrives_where_it_belongs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
