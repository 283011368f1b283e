#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/duration.h"
#include "config/environment.h"
#include "config/http_server.h"
#include "config/keys.h"
#include "json/write.h"

#define NAME_MAX_BYTES 32

/* A server as the file says it; its backend_conf is completed from the rest when all of it is read. */
struct server {
	struct backend_conf conf;
	bool disabled, cli;
	const char *command, *cwd;
	const char *const *args, *const *inherit;
	const struct json_node *env, *url, *headers, *tools;
	const struct json_node *type;                   /* one of an HTTP server */
	const struct json_node *http_only, *stdio_only; /* some key that only such a server can have */
	struct tls_client_conf tls;
};

static key_reader read_idle, read_type, read_roots, read_tls;

static const char *const startups[] = {
	[STARTUP_REQUIRED] = "required", [STARTUP_EAGER] = "eager", [STARTUP_LAZY] = "lazy", NULL
};
static const char *const isolations[] = {
	[ISOLATION_SHARED] = "shared", [ISOLATION_LEASE] = "lease", [ISOLATION_SESSION] = "session", NULL
};

/* clang-format off */
static const char *const types[] = {
	"auto", "stdio", "local",                             /* "local" is GitHub Copilot's word */
	"http", "streamable-http", "streamableHttp", "sse",   /* "streamableHttp" is Cline's */
	NULL
};
/* clang-format on */
#define TYPE_STDIO 1
#define TYPE_HTTP 3 /* the first that is no word for stdio */
#define TYPE_SSE 6

#define AT(what) offsetof(struct server, what)

/* clang-format off */
static const struct key stop_keys[] = {
	{ KEY("eof",  key_duration, AT(conf.stop_eof_ms)),  DEFAULT("2s"), RANGE(0, 10 * MINUTE) },
	{ KEY("term", key_duration, AT(conf.stop_term_ms)), DEFAULT("2s"), RANGE(0, 10 * MINUTE) },
	{ 0 },
};

static const struct key tls_keys[] = {
	{ KEY("ca",         key_text, offsetof(struct tls_client_conf, ca)) },
	{ KEY("cert",       key_text, offsetof(struct tls_client_conf, cert)) },
	{ KEY("key",        key_text, offsetof(struct tls_client_conf, key)) },
	{ KEY("serverName", key_text, offsetof(struct tls_client_conf, server_name)) },
	{ 0 },
};

const struct key server_keys[] = {
	{ KEY("command",           key_text,     AT(command)) },
	{ KEY("args",              key_texts,    AT(args)) },
	{ KEY("env",               key_node,     AT(env)) },
	{ KEY("inheritEnv",        key_texts,    AT(inherit)),
		CHECK(environment_name_is_valid, "must be the name of an environment variable") },
	{ KEY("cwd",               key_text,     AT(cwd)) },
	{ KEY("type",              read_type,    AT(type)),                        DEFAULT("auto"), WORDS(types) },
	{ KEY("disabled",          key_flag,     AT(disabled)),                    DEFAULT("false") },
	{ KEY("include",           key_texts,    AT(conf.include)) },
	{ KEY("exclude",           key_texts,    AT(conf.exclude)) },
	{ KEY("startup",           key_choice,   AT(conf.startup)),                DEFAULT("eager"), WORDS(startups) },
	{ KEY("startupTimeout",    key_duration, AT(conf.startup_timeout_ms)),     DEFAULT("60s"), RANGE(10, HOUR) },
	{ KEY("requestTimeout",    key_duration, AT(conf.request_timeout_ms)),     DEFAULT("60s"), RANGE(10, DAY) },
	{ KEY("maxRequestTimeout", key_duration, AT(conf.max_request_timeout_ms)), DEFAULT("10m"), RANGE(10, DAY) },
	{ KEY("idleTimeout",       read_idle,    0),                               DEFAULT("adaptive"), RANGE(10, DAY) },
	{ KEY("minIdleTimeout",    key_duration, AT(conf.min_idle_ms)),            DEFAULT("1m"), RANGE(10, DAY) },
	{ KEY("maxIdleTimeout",    key_duration, AT(conf.max_idle_ms)),            DEFAULT("5m"), RANGE(10, DAY) },
	{ KEY("stop",              key_block,    0),                               BLOCK(stop_keys) },
	{ KEY("isolation",         key_choice,   AT(conf.isolation)),              DEFAULT("shared"), WORDS(isolations) },
	{ KEY("maxProcesses",      key_unsigned, AT(conf.max_processes)),          DEFAULT("16"), RANGE(1, 1024) },
	{ KEY("roots",             read_roots,   AT(conf.roots)) },

	{ KEY("url",               key_node,     AT(url)) },
	{ KEY("headers",           key_node,     AT(headers)) },
	{ KEY("tls",               read_tls,     AT(tls)),                         BLOCK(tls_keys) },

	/* a command-line program */
	{ KEY("cli",               key_flag,     AT(cli)),                         DEFAULT("false") },
	{ KEY("cliHelp",           command_read_help, AT(conf.help)) },
	{ KEY("cliDepth",          key_unsigned, AT(conf.depth)),                  DEFAULT("2"), RANGE(1, 8) },
	{ KEY("cliOnly",           key_texts,    AT(conf.only)) },
	{ KEY("tools",             key_node,     AT(tools)) },

	/* what is not supported yet */
	{ LATER("toolAcl", "access control (toolAcl)") },

	/* what known clients write beside these, and Sluice has no use for */
	{ FOREIGN("alwaysAllow") },   /* Roo Code, Kilo Code */
	{ FOREIGN("autoApprove") },   /* Cline, Kiro */
	{ FOREIGN("timeout") },       /* Cline, Roo Code, Gemini CLI */
	{ FOREIGN("trust") },         /* Gemini CLI */
	{ FOREIGN("watchPaths") },    /* Roo Code */
	{ FOREIGN("transportType") }, /* Cline, before it had `type` */
	{ FOREIGN("dev") },           /* VS Code, and the next two */
	{ FOREIGN("gallery") },
	{ FOREIGN("version") },
	{ FOREIGN("name") },
	{ FOREIGN("description") },
	{ FOREIGN("icon") },
	{ UNUSED("envFile",       "write its variables into \"env\"") }, /* VS Code, Cursor */
	{ UNUSED("disabledTools", "write \"exclude\"") },              /* Roo Code, Windsurf */
	{ UNUSED("excludeTools",  "write \"exclude\"") },              /* Gemini CLI */
	{ UNUSED("includeTools",  "write \"include\"") },
	{ 0 },
};
/* clang-format on */

static void read_idle(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	struct backend_conf *conf = &((struct server *)into)->conf;
	const struct key fixed = { .at = AT(conf.idle_ms), .least = key->least, .most = key->most };
	struct span text = value->text;
	msec_t ms;

	if (value->type == JSON_STRING && !reading_text(r, value, &text))
		return;
	if (span_eq(text, SPAN("adaptive"))) {
		conf->idle = IDLE_ADAPTIVE;
	} else if (span_eq(text, SPAN("never"))) {
		conf->idle = IDLE_NEVER;
	} else if (duration_parse(text, &ms)) {
		conf->idle = IDLE_FIXED;
		key_duration(r, &fixed, value, into);
	} else {
		reading_fault(r, value, "must be \"adaptive\", \"never\" or a duration such as \"90s\" or \"5m\"");
	}
}

/* A type of HTTP server is remembered by its node; `url` decides what the server is. */
static void read_type(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	unsigned chosen = 0;
	const struct key choice = { .words = key->words };

	struct server *s = into;

	key_choice(r, &choice, value, &chosen);
	s->conf.http_type = chosen == TYPE_SSE    ? HTTP_TYPE_SSE
	                    : chosen >= TYPE_HTTP ? HTTP_TYPE_STREAMABLE
	                                          : HTTP_TYPE_AUTO;
	if (chosen >= TYPE_HTTP)
		s->type = value;
	else if (chosen >= TYPE_STDIO)
		s->stdio_only = value;
}

static void read_tls(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	struct server *s = into;

	s->http_only = value;
	if (!reading_expect(r, value, JSON_OBJECT))
		return;
	keys_read(r, key->block, value, &s->tls);
	if ((s->tls.cert == NULL) != (s->tls.key == NULL))
		reading_fault(r, value, "has one of \"cert\" and \"key\": a certificate needs both");
}

/* A root as the protocol has it: {"uri", "name"}; a text alone is the uri. */
static void put_root(struct reading *r, const struct json_node *root, struct json_writer *w)
{
	static const struct key root_keys[] = { { KEY("uri", key_node, 0) }, { KEY("name", key_node, 0) }, { 0 } };
	const struct json_node *found = NULL, *uri = root, *name = NULL;
	struct span text;

	if (root->type != JSON_STRING) {
		if (!reading_expect(r, root, JSON_OBJECT))
			return;
		keys_read(r, root_keys, root, &found);
		uri = json_child(root, "uri");
		name = json_child(root, "name");
	}
	if (uri == NULL) {
		reading_fault(r, root, "needs a \"uri\"");
		return;
	}
	if (!reading_text(r, uri, &text))
		return;
	if (!span_starts(text, SPAN("file://")))
		reading_fault(r, uri, "must start with file://");
	json_open(w, '{');
	json_member_text(w, "uri", text);
	if (name != NULL && reading_text(r, name, &text))
		json_member_text(w, "name", text);
	json_close(w, '}');
}

static void read_roots(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	struct buf json = { 0 };
	struct json_writer w = json_writer(&json);

	if (!reading_expect(r, value, JSON_ARRAY))
		return;
	json_open(&w, '[');
	for (const struct json_node *root = value->first; root != NULL; root = root->next)
		put_root(r, root, &w);
	json_close(&w, ']');
	*(const char **)(void *)((char *)into + key->at) = arena_copy(r->arena, buf_span(&json)).p;
	buf_free(&json);
}

/* The text of a variable; numbers and booleans as they are written, as VS Code allows. NULL: it is to be unset. */
static bool read_value(struct reading *r, const struct json_node *value, const char **text)
{
	struct span s = value->text;

	*text = NULL;
	if (value->type == JSON_NULL)
		return true;
	if (value->type == JSON_OBJECT || value->type == JSON_ARRAY || value->type == JSON_STRING) {
		if (!reading_text(r, value, &s))
			return false;
	} else {
		s = arena_copy(r->arena, s);
	}
	*text = s.p;
	return true;
}

static void make_env(struct reading *r, struct server *s)
{
	size_t room = s->env != NULL ? s->env->count : 0, n = 0;
	struct environment_entry *own = ARENA_ARRAY(&r->scratch, struct environment_entry, room);

	if (s->env != NULL && !reading_expect(r, s->env, JSON_OBJECT))
		return;
	for (const struct json_node *value = s->env != NULL ? s->env->first : NULL; value != NULL;
	        value = value->next) {
		if (value->key.n == 0 || span_find(value->key, '=') < value->key.n ||
		        span_find(value->key, '\0') < value->key.n)
			reading_fault(r, value, "not a name that an environment variable can have");
		else if (span_eq(value->key, SPAN("SLUICE_BACKEND")))
			reading_fault(r, value, "is set by Sluice");
		else if (read_value(r, value, &own[n].value))
			own[n++].name = value->key;
	}
	s->conf.env = environment_for_child(r->arena, r->environment, s->inherit, own, n);
}

static void make_argv(struct reading *r, struct server *s)
{
	size_t n = 0;

	while (s->args != NULL && s->args[n] != NULL)
		n++;
	const char **argv = ARENA_ARRAY(r->arena, const char *, n + 2);
	argv[0] = s->command;
	for (size_t i = 0; i < n; i++)
		argv[i + 1] = s->args[i];
	s->conf.argv = argv;
	s->conf.cwd = s->cwd;
}

static bool is_in_path(const char *path, const char *command)
{
	struct span rest = span_of(path), folder;
	char file[PATH_MAX];

	while (span_next(&rest, ':', &folder)) {
		int n = snprintf(file, sizeof(file), "%.*s/%s", SPAN_ARG(folder), command);
		if (n > 0 && (size_t)n < sizeof(file) && access(file, X_OK) == 0)
			return true;
	}
	return false;
}

/* What may be put right before the server is started, or is different where this is checked: no errors. */
static void warn_of_absent(struct reading *r, const struct json_node *node, const struct server *s)
{
	const char *path = environment_get(s->conf.env, SPAN("PATH"));
	bool slash = strchr(s->command, '/') != NULL;
	struct stat st;

	if (s->cwd != NULL && (stat(s->cwd, &st) != 0 || !S_ISDIR(st.st_mode)))
		reading_warn(r, json_child(node, "cwd"), "there is no such directory: %s", s->cwd);
	if (slash && (s->cwd == NULL || s->command[0] == '/') && access(s->command, X_OK) != 0)
		reading_warn(r, json_child(node, "command"), "there is no such program: %s", s->command);
	if (!slash && path != NULL && !is_in_path(path, s->command))
		reading_warn(r, json_child(node, "command"), "there is no such program in PATH: %s", s->command);
}

static bool is_given(const char *key, const struct json_node *node)
{
	return keys_find(server_keys, key, node) != NULL;
}

static void make_process(struct reading *r, const struct json_node *node, struct server *s)
{
	make_env(r, s);
	make_argv(r, s);
	if (s->conf.env != NULL)
		warn_of_absent(r, node, s);
}

static void make_http(struct reading *r, const struct json_node *node, struct server *s)
{
	struct backend_conf *conf = &s->conf;

	conf->kind = BACKEND_HTTP;
	conf->url = http_url_read(r, s->url);
	conf->headers = s->headers != NULL ? http_headers_read(r, s->headers) : NULL;
	conf->tls_name = s->tls.server_name;
	http_proxies_read(r, conf);
	if (!is_given("isolation", node))
		conf->isolation = ISOLATION_SESSION;
	if (conf->url == NULL || !span_starts(span_of(conf->url), SPAN("https")))
		return;
	conf->tls = reading_tls_client(r, s->http_only != NULL ? s->http_only : s->url, &s->tls);
}

/* Defaults that follow from what is given: a bound that would contradict the other end of its range gives way. */
static void settle_times(struct reading *r, const struct json_node *node, struct backend_conf *conf)
{
	if (conf->startup == STARTUP_REQUIRED && !is_given("idleTimeout", node))
		conf->idle = IDLE_NEVER;
	if (conf->max_request_timeout_ms < conf->request_timeout_ms) {
		if (is_given("maxRequestTimeout", node))
			reading_warn(r, keys_find(server_keys, "maxRequestTimeout", node),
			        "less than requestTimeout: %s is used", duration_text(conf->request_timeout_ms).text);
		conf->max_request_timeout_ms = conf->request_timeout_ms;
	}
	if (conf->max_idle_ms < conf->min_idle_ms) {
		if (!is_given("minIdleTimeout", node))
			conf->min_idle_ms = conf->max_idle_ms;
		else if (!is_given("maxIdleTimeout", node))
			conf->max_idle_ms = conf->min_idle_ms;
		else
			reading_fault(r, keys_find(server_keys, "maxIdleTimeout", node), "less than minIdleTimeout");
	}
}

/* Some key that only a command-line program can have. */
static const struct json_node *cli_only(const struct json_node *node)
{
	static const char *const names[] = { "cliHelp", "cliDepth", "cliOnly", "tools" };
	const struct json_node *found = NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && found == NULL; i++)
		found = keys_find(server_keys, names[i], node);
	return found;
}

/* There is no stdin to close, and nothing between two calls to stop. */
static void settle_command(struct reading *r, const struct json_node *node, struct server *s)
{
	s->conf.kind = BACKEND_COMMAND;
	s->conf.stop_eof_ms = 0;
	s->conf.idle = IDLE_NEVER;
	if (s->conf.isolation != ISOLATION_SHARED) /* every call has a process of its own anyway */
		reading_warn(r, keys_find(server_keys, "isolation", node), "has no effect for a command-line program");
	s->conf.isolation = ISOLATION_SHARED;
	if (s->tools != NULL)
		command_read_tools(r, s->tools, &s->conf);
	if (s->conf.presets != NULL && s->conf.only != NULL)
		reading_warn(r, keys_find(server_keys, "cliOnly", node), "has no effect beside \"tools\"");
}

/* A key of another kind of server beside a "url". */
static bool http_server_check(struct reading *r, const struct json_node *node, const struct server *s)
{
	static const char *const others[] = { "args", "env", "cwd", "inheritEnv" };

	if (s->stdio_only != NULL) {
		reading_fault(
		        r, s->stdio_only, "must be \"http\", \"sse\" or \"auto\" for a server that has a \"url\"");
		return false;
	}
	if (s->cli || cli_only(node) != NULL) {
		reading_fault(r, s->cli ? json_child(node, "cli") : cli_only(node),
		        "a server that has a \"url\" cannot have this");
		return false;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const struct json_node *other = keys_find(server_keys, others[i], node);
		if (other != NULL)
			reading_warn(r, other, "is of no use for a server that has a \"url\"");
	}
	return true;
}

/* Is it a server that we can run? Says why not. */
static bool check_kind(struct reading *r, const struct json_node *node, const struct server *s)
{
	if (s->url != NULL && is_given("command", node))
		reading_fault(r, node, "has a \"command\" and a \"url\": a server is one or the other");
	else if (s->url != NULL)
		return http_server_check(r, node, s);
	else if (!is_given("command", node))
		reading_fault(r, node, "needs a \"command\"");
	else if (s->type != NULL)
		reading_fault(r, s->type, "must be \"stdio\" for a server that has a \"command\"");
	else if (s->http_only != NULL || s->headers != NULL)
		reading_fault(r, s->headers != NULL ? s->headers : s->http_only,
		        "only a server that has a \"url\" can have this");
	else if (!s->cli && cli_only(node) != NULL)
		reading_fault(r, cli_only(node), "only a server that has \"cli\": true can have this");
	else
		return s->command != NULL;
	return false;
}

static const char *name_fault(struct span name)
{
	if (name.n == 0)
		return "a server needs a name";
	if (name.n > NAME_MAX_BYTES)
		return "a server's name has at most 32 characters";
	for (size_t i = 0; i < name.n; i++) {
		char c = ascii_lower(name.p[i]);
		if (c == '_' && i + 1 < name.n && name.p[i + 1] == '_')
			return "a server's name has no \"__\", which stands between it and a tool's name";
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return "a server's name is made of letters, digits, \"-\" and \"_\"";
	}
	return NULL;
}

static void check_name(struct reading *r, const struct json_node *node)
{
	const char *fault = name_fault(node->key);

	if (fault != NULL)
		reading_fault(r, node, "%s", fault);
	if (map_get(&r->names, node->key) != NULL)
		reading_fault(r, node, "there are two servers of this name, in \"mcpServers\" and in \"servers\"");
	else
		map_put(&r->names, node->key, (void *)(uintptr_t)node);
}

static void read_server(struct reading *r, const struct json_node *node)
{
	struct server s = { .conf = r->server_preset };

	check_name(r, node);
	if (!reading_expect(r, node, JSON_OBJECT))
		return;
	keys_read(r, server_keys, node, &s);
	settle_times(r, node, &s.conf);
	if (!check_kind(r, node, &s))
		return;
	if (s.cli)
		settle_command(r, node, &s);
	if (s.url != NULL)
		make_http(r, node, &s);
	else
		make_process(r, node, &s);
	s.conf.name = arena_copy(r->arena, node->key).p;
	r->config->servers[r->config->server_count++] = s.conf;
}

/* A disabled server is not looked at: it may name what does not exist yet. */
static bool is_disabled(const struct json_node *node)
{
	const struct json_node *disabled = node->type == JSON_OBJECT ? json_child(node, "disabled") : NULL;

	return disabled != NULL && disabled->type == JSON_TRUE;
}

void server_read_all(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	(void)key;
	(void)into;
	if (!reading_expect(r, value, JSON_OBJECT))
		return;
	for (const struct json_node *node = value->first; node != NULL; node = node->next)
		if (!is_disabled(node))
			read_server(r, node);
}

void server_preset(struct reading *r)
{
	static const struct {
		const char *variable, *key;
	} rows[] = { { "MCP_TIMEOUT", "requestTimeout" }, { "MCP_PROXY_REQUEST_TIMEOUT", "maxRequestTimeout" } };
	struct server s = { 0 };

	keys_preset(r, server_keys, &s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (reading_variable(r, rows[i].variable) != NULL)
			keys_read_text(r, server_keys, rows[i].key, reading_variable(r, rows[i].variable),
			        rows[i].variable, &s);
	r->server_preset = s.conf;
}
