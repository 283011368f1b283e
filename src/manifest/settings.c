#include "manifest/settings.h"

#include <assert.h>

#include "config/keys.h"
#include "json/write.h"

#define MAX_DEPTH 64

/* --- where its text is ---------------------------------------------------------------------------------------------
 */

static const struct yaml_node *find_object(const struct documents *all, const char *kind, struct span name)
{
	for (size_t i = 0; i < all->count && name.n > 0; i++)
		if (yaml_is(yaml_child(all->items[i], "kind"), kind) &&
		        span_eq(yaml_text(yaml_at(all->items[i], "metadata.name")), name))
			return all->items[i];
	return NULL;
}

/* The entry whose name is that of the file, or servers.json. */
static const struct yaml_node *entry_of(const struct yaml_node *data, struct span file)
{
	const struct yaml_node *named = yaml_child(data, "servers.json");

	for (const struct yaml_node *e = data != NULL ? data->first : NULL; e != NULL; e = e->next)
		if (file.n > 0 && span_eq(e->key, file))
			return e;
	return named;
}

static const struct yaml_node *in_source(const struct documents *all, const struct yaml_node *source, struct span file)
{
	const struct yaml_node *map = yaml_child(source, "configMap"), *secret = yaml_child(source, "secret");
	const struct yaml_node *found;

	found = entry_of(yaml_child(find_object(all, "ConfigMap", yaml_text(yaml_child(map, "name"))), "data"), file);
	if (found == NULL && secret != NULL) {
		struct span name = yaml_text(yaml_child(secret, "secretName"));
		name = span_is_set(name) ? name : yaml_text(yaml_child(secret, "name"));
		found = entry_of(yaml_child(find_object(all, "Secret", name), "stringData"), file);
	}
	for (source = yaml_items(yaml_at(source, "projected.sources")); source != NULL && found == NULL;
	        source = source->next)
		found = in_source(all, source, file);
	return found;
}

static const struct yaml_node *find_text(const struct workload *w, const struct documents *all)
{
	const struct yaml_node *text = yaml_child(workload_env(w, "MCP_SERVERS_CONFIG"), "value");
	const struct yaml_node *volume = yaml_items(yaml_child(w->spec, "volumes"));

	for (; volume != NULL && text == NULL; volume = volume->next)
		text = in_source(all, volume, base_name(w->start.config));
	return span_is_set(yaml_text(text)) ? text : NULL;
}

/* --- the copy ------------------------------------------------------------------------------------------------------
 */

/* Text that only the pod can fill in. */
static bool is_open(const struct json_node *value)
{
	return value->type == JSON_STRING && memmem(value->text.p, value->text.n, "${", 2) != NULL;
}

static void put_value(struct json_writer *w, const struct json_node *value)
{
	if (value->type == JSON_STRING) {
		json_text(w, value->text);
		return;
	}
	if (value->type != JSON_OBJECT && value->type != JSON_ARRAY) {
		json_raw(w, value->text);
		return;
	}
	json_open(w, value->type == JSON_OBJECT ? '{' : '[');
	for (const struct json_node *child = value->first; child != NULL; child = child->next) {
		if (is_open(child))
			continue;
		if (value->type == JSON_OBJECT)
			json_key_span(w, child->key);
		put_value(w, child);
	}
	json_close(w, value->type == JSON_OBJECT ? '}' : ']');
}

static const struct json_node *find_key(const struct key *keys, const char *name, const struct json_node *object)
{
	return object != NULL && object->type == JSON_OBJECT ? keys_find(keys, name, object) : NULL;
}

static void put_key(struct json_writer *w, const struct key *keys, const char *name, const struct json_node *object)
{
	const struct json_node *value = find_key(keys, name, object);

	if (value != NULL && !is_open(value)) {
		json_key(w, name);
		put_value(w, value);
	}
}

static void put_servers(struct json_writer *w, const struct json_node *servers)
{
	static const char *const names[] = { "disabled", "startup", "startupTimeout", "requestTimeout",
		"maxRequestTimeout", "stop" };

	for (const struct json_node *s = servers != NULL ? servers->first : NULL; s != NULL; s = s->next) {
		if (s->type != JSON_OBJECT || servers->type != JSON_OBJECT)
			continue;
		json_key_span(w, s->key);
		json_open(w, '{');
		json_member_text(w, "command", SPAN("a-server")); /* what it is does not matter here */
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			put_key(w, server_keys, names[i], s);
		json_close(w, '}');
	}
}

/* A variable that the manifest gives the pod. */
static void put_variable(
        const struct workload *w, struct arena *a, const char **environment, size_t *n, const char *name)
{
	struct span value = workload_variable(w, name);

	if (value.n > 0)
		environment[(*n)++] = arena_printf(a, "%s=%.*s", name, SPAN_ARG(value));
}

/* NULL: there are errors among the messages. `root` may be NULL: the defaults. */
static struct config *load(const struct workload *w, const struct json_node *root, struct config_messages *messages)
{
	const char *environment[4] = { NULL };
	struct arena a = { 0 };
	struct buf copy = { 0 };
	struct json_writer json = json_writer(&copy);
	size_t n = 1;

	buf_add(&copy, SPAN("MCP_SERVERS_CONFIG="));
	json_open(&json, '{');
	put_key(&json, config_keys, "lifecycle", root);
	json_key(&json, "mcpServers");
	json_open(&json, '{');
	put_servers(&json, json_child(root, "mcpServers"));
	put_servers(&json, json_child(root, "servers"));
	json_close(&json, '}');
	json_close(&json, '}');
	buf_add_char(&copy, '\0');
	environment[0] = buf_span(&copy).p;
	put_variable(w, &a, environment, &n, "MCP_TIMEOUT");
	put_variable(w, &a, environment, &n, "MCP_PROXY_REQUEST_TIMEOUT");
	struct config *c = config_load(&(struct config_sources){ .environment = environment }, messages, NULL);
	buf_free(&copy);
	arena_free(&a);
	return c;
}

/* One of the programs by which servers are started, or NULL. */
static const char *runner_of(struct span command)
{
	static const char *const runners[] = { "npx", "npm", "node", "uvx", "uv", "python", "python3", "pipx", "deno",
		"bunx", "bun", "docker", "sh", "bash" };

	for (size_t i = 0; i < sizeof(runners) / sizeof(runners[0]); i++)
		if (span_eq(base_name(command), span_of(runners[i])))
			return runners[i];
	return NULL;
}

static void look_for_runner(struct workload *w, const struct json_node *servers)
{
	const struct json_node *s = servers != NULL ? servers->first : NULL;

	for (; s != NULL && w->runner == NULL; s = s->next) {
		const struct json_node *command = find_key(server_keys, "command", s);
		if (command != NULL && command->type == JSON_STRING)
			w->runner = runner_of(command->text);
	}
}

static void look_for_given_runner(struct workload *w, const struct config *given)
{
	for (size_t i = 0; i < given->server_count && w->runner == NULL; i++)
		if (given->servers[i].argv != NULL && given->servers[i].argv[0] != NULL)
			w->runner = runner_of(span_of(given->servers[i].argv[0]));
}

/* What is seen of it without being loaded: secrets, certificates and programs are elsewhere. */
static void look_for_keys(struct workload *w, const struct json_node *root)
{
	const struct json_node *session = find_key(config_keys, "session", root);
	const struct json_node *http = find_key(config_keys, "http", root);
	const struct json_node *keys = json_child(session, "keys");

	w->session_keys = keys != NULL && keys->count > 0;
	w->tls = json_child(http, "tls") != NULL;
	look_for_runner(w, json_child(root, "mcpServers"));
	look_for_runner(w, json_child(root, "servers"));
}

static void tell(struct config_messages *messages, const char *sentence)
{
	config_message_add(messages, &(struct config_message){ .kind = CONFIG_ERROR, .sentence = sentence });
}

void settings_read(struct workload *w, const struct documents *all, const struct config *given, struct config **own,
        struct config_messages *messages)
{
	struct config_messages defaults = { 0 };
	struct arena a = { 0 };
	struct err e;

	*own = NULL;
	if (given != NULL) {
		w->config = given;
		w->config_seen = true;
		w->session_keys = given->session.key_count > 0;
		w->tls = given->http.tls != NULL;
		look_for_given_runner(w, given);
		return;
	}
	w->config_at = find_text(w, all);
	if (w->config_at != NULL) {
		struct json_node *root = json_parse(&a, yaml_text(w->config_at), JSON_COMMENTS, MAX_DEPTH, &e);
		if (root == NULL) {
			tell(messages, e.text);
		} else if (root->type != JSON_OBJECT) {
			tell(messages, "must be an object");
		} else {
			*own = load(w, root, messages);
			look_for_keys(w, root);
		}
		w->config_seen = *own != NULL;
	}
	if (*own == NULL)
		*own = load(&(struct workload){ 0 }, NULL, &defaults);
	assert(*own != NULL); /* the defaults have no faults */
	w->config = *own;
	config_messages_free(&defaults);
	arena_free(&a);
}
