#include "config/environment.h"
#include "config/keys.h"

#define MANY 1000000
#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static bool is_host_char(char c)
{
	c = ascii_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* A name, an IPv4 address, or an IPv6 address in brackets. */
static bool is_host(struct span s)
{
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		return span_find(s, '/') == s.n && span_find(s, ':') < s.n;
	for (size_t i = 0; i < s.n; i++)
		if (!is_host_char(s.p[i]))
			return false;
	return s.n > 0;
}

/* scheme://host or scheme://host:port, as a browser writes it (RFC 6454, section 6.2) */
static bool is_origin(struct span s)
{
	for (size_t at = 0; at + 3 < s.n; at++) {
		if (!span_starts(span_skip(s, at), SPAN("://")))
			continue;
		struct span host = span_skip(s, at + 3);
		size_t port = host.n;
		while (port > 0 && host.p[port - 1] >= '0' && host.p[port - 1] <= '9')
			port--;
		if (port > 0 && port < host.n && host.p[port - 1] == ':')
			host.n = port - 1;
		return at > 0 && is_host(host);
	}
	return false;
}

static bool is_base_path(struct span s)
{
	if (s.n == 0)
		return true;
	if (s.p[0] != '/' || s.p[s.n - 1] == '/')
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_host_char(s.p[i]) && s.p[i] != '~' && (s.p[i] != '/' || s.p[i - 1] == '/'))
			return false;
	return true;
}

static bool is_level(struct span s)
{
	static const char *const levels[] = { "error", "warn", "info", "debug", "trace" };

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (span_eq(s, span_of(levels[i])))
			return true;
	return false;
}

bool config_log_levels_are_valid(struct span spec)
{
	struct span part;

	if (spec.n == 0)
		return false;
	while (span_next(&spec, ',', &part)) {
		size_t equals = span_find(part, '=');
		if (equals == 0 || !is_level(equals < part.n ? span_skip(part, equals + 1) : part))
			return false;
	}
	return true;
}

static key_reader read_session_keys;

static const char *const namespaces[] = { "always", "never", NULL };
static const char *const on_loss[] = { "stay", "fail", NULL };
static const char *const log_formats[] = { [LOG_TEXT] = "text", [LOG_JSON] = "json", NULL };

#define AT(what) offsetof(struct config, what)

/* clang-format off */
static const struct key lame_duck_keys[] = {
	{ KEY("min",   key_duration, AT(lifecycle.lame_duck_min_ms)),   DEFAULT("5s"),  RANGE(0, HOUR), LIVE },
	{ KEY("quiet", key_duration, AT(lifecycle.lame_duck_quiet_ms)), DEFAULT("2s"),  RANGE(0, HOUR), LIVE },
	{ KEY("max",   key_duration, AT(lifecycle.lame_duck_max_ms)),   DEFAULT("10s"), RANGE(0, HOUR), LIVE },
	{ 0 },
};

static const struct key readiness_keys[] = {
	{ KEY("onRequiredLoss", key_either, AT(lifecycle.fail_on_required_loss)), DEFAULT("stay"), WORDS(on_loss), LIVE },
	{ 0 },
};

static const struct key lifecycle_keys[] = {
	{ KEY("gracePeriod",        key_duration, AT(lifecycle.grace_ms)),             DEFAULT("30s"), RANGE(0, DAY), LIVE },
	{ KEY("preStop",            key_duration, AT(lifecycle.pre_stop_ms)),          DEFAULT("0s"),  RANGE(0, DAY), LIVE },
	{ KEY("lameDuck",           key_block,    0),                                  BLOCK(lame_duck_keys) },
	{ KEY("readyWhileDraining", key_flag,     AT(lifecycle.ready_while_draining)), DEFAULT("false"), LIVE },
	{ KEY("readiness",          key_block,    0),                                  BLOCK(readiness_keys) },
	{ KEY("margin",             key_duration, AT(lifecycle.margin_ms)),            DEFAULT("2s"),  RANGE(0, HOUR), LIVE },
	{ KEY("startDeadline",      key_duration, AT(lifecycle.start_deadline_ms)),    RANGE(10, DAY) },
	{ KEY("strictExit",         key_flag,     AT(lifecycle.strict_exit)),          DEFAULT("false"), LIVE },
	{ KEY("terminationLog",     key_text,     AT(lifecycle.termination_log)) },
	{ 0 },
};

static const struct key tls_keys[] = {
	{ KEY("cert",     key_text, AT(http.tls_conf.cert)),      LIVE },
	{ KEY("key",      key_text, AT(http.tls_conf.key)),       LIVE },
	{ KEY("clientCa", key_text, AT(http.tls_conf.client_ca)), LIVE },
	{ 0 },
};

static const struct key http_keys[] = {
	{ KEY("allowedHosts",   key_texts,    AT(http.allowed_hosts)),
		CHECK(is_host, "must be the name of a host, without scheme and port") },
	{ KEY("allowedOrigins", key_texts,    AT(http.allowed_origins)),
		CHECK(is_origin, "must be an origin such as \"https://app.example.com\", without a path") },
	{ KEY("basePath",       key_text,     AT(http.base_path)), DEFAULT(""),
		CHECK(is_base_path, "must be empty, or start with a slash and not end with one, as in \"/tools\"") },
	{ KEY("tls",            key_block,    0),                                 BLOCK(tls_keys) },
	{ KEY("maxHeaderBytes", key_size,     AT(http.server.max_header_bytes)),  DEFAULT("16384"),   RANGE(KIB, MIB) },
	{ KEY("maxBodyBytes",   key_size,     AT(http.server.max_body_bytes)),    DEFAULT("8388608"), RANGE(KIB, GIB) },
	{ KEY("headerTimeout",  key_duration, AT(http.server.header_timeout_ms)), DEFAULT("10s"),     RANGE(10, HOUR) },
	{ KEY("bodyTimeout",    key_duration, AT(http.server.body_timeout_ms)),   DEFAULT("30s"),     RANGE(10, HOUR) },
	{ KEY("idleTimeout",    key_duration, AT(http.server.idle_timeout_ms)),   DEFAULT("75s"),     RANGE(10, DAY) },
	{ KEY("writeTimeout",   key_duration, AT(http.server.write_timeout_ms)),  DEFAULT("60s"),     RANGE(10, HOUR) },
	{ 0 },
};

static const struct key session_keys[] = {
	{ KEY("keys",        read_session_keys, 0),                           LIVE },
	{ KEY("idleTimeout", key_duration, AT(session.conf.idle_timeout_ms)), DEFAULT("1h"),     RANGE(10, 7 * DAY) },
	{ KEY("max",         key_size,     AT(session.conf.max)),             DEFAULT("10000"),  RANGE(1, 10000000) },
	{ KEY("required",    key_flag,     AT(session.conf.required)),        DEFAULT("true") },
	{ KEY("replayBytes", key_size,     AT(session.replay_bytes)),         DEFAULT("262144"), RANGE(0, 64 * MIB) },
	{ KEY("replayTime",  key_duration, AT(session.replay_time_ms)),       DEFAULT("60s"),    RANGE(0, HOUR) },
	{ 0 },
};

static const struct key limits_keys[] = {
	{ KEY("maxConnections",        key_size,     AT(limits.max_connections)),           DEFAULT("16384"),     RANGE(1, MANY) },
	{ KEY("maxInFlight",           key_size,     AT(limits.max_in_flight)),             DEFAULT("4096"),      RANGE(1, MANY) },
	{ KEY("maxInFlightPerServer",  key_size,     AT(limits.max_in_flight_per_server)),  DEFAULT("1024"),      RANGE(1, MANY) },
	{ KEY("maxInFlightPerSession", key_size,     AT(limits.max_in_flight_per_session)), DEFAULT("256"),       RANGE(1, MANY) },
	{ KEY("maxMessageBytes",       key_size,     AT(limits.max_message_bytes)),         DEFAULT("67108864"),  RANGE(KIB, GIB) },
	{ KEY("maxBufferedBytes",      key_size,     AT(limits.max_buffered_bytes)),        DEFAULT("268435456"), RANGE(MIB, 64 * GIB) },
	{ KEY("maxDepth",              key_unsigned, AT(limits.max_depth)),                 DEFAULT("128"),       RANGE(8, 1000) },
	{ KEY("pageItems",             key_size,     AT(limits.page_items)),                DEFAULT("1000"),      RANGE(1, 100000) },
	{ 0 },
};

static const struct key log_keys[] = {
	{ KEY("level",  key_text,   AT(log_level)),  DEFAULT("info"),
		CHECK(config_log_levels_are_valid, "must be error, warn, info, debug or trace, or a list such as \"warn,backend=debug\""), LIVE },
	{ KEY("format", key_choice, AT(log_format)), DEFAULT("text"), WORDS(log_formats) },
	{ 0 },
};

const struct key config_keys[] = {
	{ KEY("mcpServers", server_read_all, 0),                   BLOCK(server_keys), LIVE },
	{ KEY("servers",    server_read_all, 0),                   BLOCK(server_keys), LIVE },
	{ KEY("namespace",  key_either,      AT(namespace_never)), DEFAULT("always"), WORDS(namespaces) },
	{ KEY("lifecycle",  key_block,       0),                   BLOCK(lifecycle_keys) },
	{ KEY("http",       key_block,       0),                   BLOCK(http_keys) },
	{ KEY("session",    key_block,       0),                   BLOCK(session_keys) },
	{ KEY("limits",     key_block,       0),                   BLOCK(limits_keys) },
	{ KEY("log",        key_block,       0),                   BLOCK(log_keys) },

	{ LATER("serverAuth", "authentication of clients (serverAuth)") },
	{ LATER("audit",      "the audit log (audit)") },
	{ LATER("telemetry",  "telemetry") },

	/* what known clients keep in the same file: VS Code, and Claude Desktop */
	{ FOREIGN("$schema") },
	{ FOREIGN("inputs") },
	{ FOREIGN("globalShortcut") },
	{ FOREIGN("preferences") },
	{ FOREIGN("scale") },
	{ FOREIGN("locale") },
	{ FOREIGN("userThemeMode") },
	{ FOREIGN("isUsingBuiltInNodeForMcp") },
	{ FOREIGN("isDxtAutoUpdatesEnabled") },
	{ 0 },
};
/* clang-format on */

struct session_key {
	const char *id, *secret;
};

static bool is_known_id(const struct config_session *session, struct span id)
{
	for (unsigned i = 0; i < session->key_count; i++)
		if (span_eq(session->keys[i].id, id))
			return true;
	return false;
}

static bool decode_secret(const char *text, struct seal_key *key)
{
	struct buf secret = { 0 };
	bool ok = base64_decode(span_of(text), &secret) && buf_size(&secret) == SEAL_KEY_BYTES;

	if (ok)
		memcpy(key->secret, buf_span(&secret).p, SEAL_KEY_BYTES);
	buf_free(&secret);
	return ok;
}

static void read_session_key(struct reading *r, const struct json_node *node, struct config_session *session)
{
	static const struct key keys[] = {
		{ KEY("id", key_text, offsetof(struct session_key, id)) },
		{ KEY("secret", key_text, offsetof(struct session_key, secret)) },
		{ 0 },
	};
	struct seal_key *key = &session->keys[session->key_count];
	struct session_key given = { 0 };

	if (!reading_expect(r, node, JSON_OBJECT))
		return;
	keys_read(r, keys, node, &given);
	if (json_child(node, "id") == NULL || json_child(node, "secret") == NULL)
		reading_fault(r, node, "needs an \"id\" and a \"secret\"");
	if (given.id == NULL || given.secret == NULL)
		return;
	if (is_known_id(session, span_of(given.id)))
		reading_fault(r, json_child(node, "id"), "there is another key of this id");
	else if (!decode_secret(given.secret, key))
		reading_fault(r, json_child(node, "secret"), "must be %d bytes in base64", SEAL_KEY_BYTES);
	else
		session->keys[session->key_count++].id = span_of(given.id);
}

static void read_session_keys(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	struct config_session *session = &((struct config *)into)->session;

	(void)key;
	if (!reading_expect(r, value, JSON_ARRAY))
		return;
	if (value->count > SEAL_KEYS_MAX) {
		reading_fault(r, value, "at most %d keys", SEAL_KEYS_MAX);
		return;
	}
	session->keys = ARENA_ARRAY(r->arena, struct seal_key, value->count);
	for (const struct json_node *node = value->first; node != NULL; node = node->next)
		read_session_key(r, node, session);
}

/* Not told as wrong already. */
static bool was_read(const struct json_node *tls, const char *key, const char *value)
{
	return value != NULL || keys_find(tls_keys, key, tls) == NULL;
}

void blocks_make_tls(struct reading *r, const struct json_node *root)
{
	const struct tls_server_conf *conf = &r->config->http.tls_conf;
	const struct json_node *http = keys_find(config_keys, "http", root);
	const struct json_node *tls =
	        http != NULL && http->type == JSON_OBJECT ? keys_find(http_keys, "tls", http) : NULL;

	if (tls != NULL && tls->type == JSON_OBJECT && was_read(tls, "cert", conf->cert) &&
	        was_read(tls, "key", conf->key) && was_read(tls, "clientCa", conf->client_ca))
		r->config->http.tls = reading_tls_server(r, tls, conf);
}

void blocks_override(struct reading *r, const struct config_sources *from)
{
	const struct {
		const struct key *keys;
		const char *key, *variable, *flag, *given;
	} rows[] = {
		{ lifecycle_keys, "gracePeriod", "MCP_GRACE_PERIOD", "--grace-period", from->grace_period },
		{ log_keys, "level", "MCP_LOG_LEVEL", "--log-level", from->log_level },
		{ log_keys, "format", "MCP_LOG_FORMAT", "--log-format", from->log_format },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].given != NULL)
			keys_read_text(r, rows[i].keys, rows[i].key, rows[i].given, rows[i].flag, r->config);
		else if (reading_variable(r, rows[i].variable) != NULL)
			keys_read_text(r, rows[i].keys, rows[i].key, reading_variable(r, rows[i].variable),
			        rows[i].variable, r->config);
	}
}
