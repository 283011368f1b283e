#include <stdlib.h>

#include "base/mem.h"
#include "config/keys.h"
#include "config/source.h"

#define MAX_DEPTH 64

/* Editors on Windows write a byte order mark (RFC 8259, section 8.1: a parser may ignore it). */
static struct span without_mark(struct span text)
{
	return span_starts(text, SPAN("\xef\xbb\xbf")) ? span_skip(text, 3) : text;
}

static void tell(struct reading *r, enum config_kind kind, const char *sentence)
{
	struct config_message m = { .kind = kind, .source = r->source, .sentence = sentence };

	config_message_add(r->messages, &m);
}

/* Finds and parses the text; what it means is read later. */
static struct json_node *read_document(struct reading *r, const struct config_sources *from)
{
	struct json_node *root = NULL;
	struct config_text text;
	struct err e;

	if (source_read(from, r->arena, r->files, &text, &e)) {
		r->source = r->config->source = text.source;
		struct span json = without_mark((struct span){ text.text, text.n });
		root = json_parse(&r->scratch, json, JSON_COMMENTS, MAX_DEPTH, &e);
	}
	if (root == NULL)
		tell(r, CONFIG_ERROR, e.text);
	free(text.text);
	return root;
}

static size_t count_servers(const struct json_node *root, const char *key)
{
	const struct json_node *servers = json_child(root, key);

	return servers != NULL ? servers->count : 0;
}

static void read_root(struct reading *r, const struct config_sources *from, const struct json_node *root)
{
	struct config *c = r->config;

	if (!reading_expect(r, root, JSON_OBJECT))
		return;
	c->servers = ARENA_ARRAY(
	        &c->arena, struct backend_conf, count_servers(root, "mcpServers") + count_servers(root, "servers"));
	keys_preset(r, config_keys, c);
	server_preset(r);
	keys_read(r, config_keys, root, c);
	blocks_make_tls(r, root);
	blocks_override(r, from);
}

void config_hand_out(const struct config_limits *limits, struct config *c)
{
	for (size_t i = 0; i < c->server_count; i++) {
		c->servers[i].max_in_flight = limits->max_in_flight_per_server;
		c->servers[i].max_message_bytes = limits->max_message_bytes;
		c->servers[i].max_depth = limits->max_depth;
	}
}

/* What concerns a part and is written in another block. */
static void hand_out_limits(struct config *c)
{
	config_hand_out(&c->limits, c);
	c->http.server.max_connections = c->limits.max_connections;
	c->http.server.max_buffered_bytes = c->limits.max_buffered_bytes;
}

static void tell_the_rest(struct reading *r)
{
	if (r->config->server_count == 0 && r->messages->count[CONFIG_ERROR] == 0)
		tell(r, CONFIG_WARNING, "no server is configured");
	if (buf_size(&r->foreign) > 0)
		tell(r, CONFIG_INFO,
		        arena_printf(
		                &r->scratch, "ignored, as other clients' keys: %.*s", SPAN_ARG(buf_span(&r->foreign))));
}

struct config *config_load(
        const struct config_sources *from, struct config_messages *messages, struct config_files *files)
{
	struct config *c = NEW(struct config);
	struct reading r = {
		.arena = &c->arena,
		.messages = messages,
		.files = files,
		.environment = from->environment,
		.config = c,
	};
	const struct json_node *root = read_document(&r, from);

	if (root != NULL) {
		read_root(&r, from, root);
		hand_out_limits(c);
		tell_the_rest(&r);
	}
	map_free(&r.names);
	tls_roots_free(&r.roots);
	buf_free(&r.foreign);
	arena_free(&r.scratch);
	if (messages->count[CONFIG_ERROR] > 0)
		config_free(&c);
	return c;
}

void config_free(struct config **c)
{
	if (*c == NULL)
		return;
	tls_context_unref(&(*c)->http.tls);
	for (size_t i = 0; i < (*c)->server_count; i++)
		tls_context_unref(&(*c)->servers[i].tls);
	arena_free(&(*c)->arena);
	free(*c);
	*c = NULL;
}

void config_longest_stop(const struct config *c, msec_t *eof_ms, msec_t *term_ms)
{
	*eof_ms = *term_ms = 0;
	for (size_t i = 0; i < c->server_count; i++) {
		const struct backend_conf *s = &c->servers[i];
		if (s->stop_eof_ms + s->stop_term_ms > *eof_ms + *term_ms) {
			*eof_ms = s->stop_eof_ms;
			*term_ms = s->stop_term_ms;
		}
	}
}
