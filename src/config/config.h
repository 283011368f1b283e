/*
 * The configuration: found, read, checked, and turned into the structs that the modules declare. It is a snapshot that
 * never changes; a reload makes a new one, and diff.h says what is new in it. What every key means stands in
 * docs/configuration.md; the tables of keys are in blocks.c and server.c.
 *
 * All faults of a file are collected, not only the first. A configuration with errors does not exist: config_load
 * returns NULL then, and the messages say why. The strings in it live as long as it does.
 */
#ifndef SLUICE_CONFIG_CONFIG_H
#define SLUICE_CONFIG_CONFIG_H

#include "backend/backend.h"
#include "base/arena.h"
#include "base/log.h"
#include "config/files.h"
#include "crypto/seal.h"
#include "gateway/budget.h"
#include "gateway/session.h"
#include "net/http_server.h"
#include "net/tls.h"

#define CONFIG_MAX_BYTES ((size_t)8 << 20)
#define CONFIG_MAX_MESSAGES 100 /* that are kept; the rest is counted */

struct config_http {
	struct http_server_conf server;
	const char *const *allowed_hosts;   /* as written; NULL: not said, so by the kind of address that is bound */
	const char *const *allowed_origins; /* likewise */
	const char *base_path;              /* "" or "/mcp-gateway": starts with a slash, ends without one */
	struct tls_server_conf tls_conf;
	struct tls_context *tls; /* made from that; NULL: plain HTTP */
};

struct config_session {
	struct session_conf conf;
	size_t replay_bytes;
	msec_t replay_time_ms;
	struct seal_key *keys; /* none: made at random */
	unsigned key_count;
};

struct config_limits {
	size_t max_connections, max_in_flight, max_in_flight_per_server, max_in_flight_per_session;
	size_t max_message_bytes, max_buffered_bytes, page_items;
	unsigned max_depth;
};

struct config {
	struct arena arena;
	const char *source;           /* the file's path as it was given, or "<env:MCP_SERVERS_CONFIG>" */
	struct backend_conf *servers; /* in the order of the file, without the disabled ones */
	size_t server_count;
	bool namespace_never;
	struct config_http http;
	struct config_session session;
	struct config_limits limits;
	struct lifecycle_conf lifecycle;
	const char *log_level; /* for log_set_levels */
	enum log_format log_format;
};

/* Where it comes from. A flag that was not given is NULL; `environment` is "NAME=value", NULL-terminated. */
struct config_sources {
	const char *file, *grace_period, *log_level, *log_format;
	const char *const *environment;
};

enum config_kind { CONFIG_ERROR, CONFIG_WARNING, CONFIG_INFO, CONFIG_KIND_COUNT };

struct config_message {
	enum config_kind kind;
	const char *source;    /* file; NULL: none, as with a flag */
	unsigned line, column; /* 0: of the file as a whole */
	const char *path;      /* "mcpServers.github.args[2]", "MCP_TIMEOUT", "--grace-period"; NULL: none */
	const char *sentence;
	struct config_message *next;
};

/* In the order of their finding. A zeroed struct is an empty list. */
struct config_messages {
	struct arena arena;
	struct config_message *first, *last;
	size_t count[CONFIG_KIND_COUNT]; /* of all, also of those beyond the bound */
};

/*
 * NULL if there is an error among the messages. `files`, unless NULL, is told of what is read, also then. It may be
 * called in another thread: it knows nothing but what it is given.
 */
struct config *config_load(
        const struct config_sources *from, struct config_messages *messages, struct config_files *files);
void config_free(struct config **c);

/* The stop times of the server whose sum is the longest, for budget_at; 0 and 0 without servers. */
void config_longest_stop(const struct config *c, msec_t *eof_ms, msec_t *term_ms);

/* "info", or "warn,backend=debug": the form that log_set_levels takes. */
bool config_log_levels_are_valid(struct span spec);

/* servers.json:12:7: mcpServers.github.comand: unknown key, did you mean "command"? */
void config_message_print(const struct config_message *m, struct buf *out);
const char *config_kind_name(enum config_kind kind);
void config_messages_free(struct config_messages *messages);

#endif
