/*
 * Keys: a block of the configuration is a constant table, one row per key, and from that table come the defaults, the
 * values, the ranges, the suggestion for a mistyped key, and the test that the manual is complete. Every key may be
 * written in snake_case too, as avelino/mcp does. Shared by the sources of config/ and nobody else.
 *
 * A row's reader checks the value and puts it into the struct that is being filled, at the row's offset. It reports
 * what is wrong and leaves the struct alone then; the reading goes on, so that all faults are found.
 */
#ifndef SLUICE_CONFIG_KEYS_H
#define SLUICE_CONFIG_KEYS_H

#include "base/buf.h"
#include "base/map.h"
#include "config/config.h"
#include "json/tree.h"

/* One load of a configuration. */
struct reading {
	struct arena *arena;  /* what stays: the configuration's strings */
	struct arena scratch; /* what does not: the document, paths */
	struct config_messages *messages;
	const char *source;
	const char *origin; /* of a value that is not from the file: "--grace-period", "MCP_TIMEOUT" */
	const char *const *environment;
	struct buf foreign; /* names of other clients' keys that were met, for one message */
	struct config *config;
	struct config_files *files; /* that are read; may be NULL */
	struct map names;           /* of the servers read so far */
	struct backend_conf server_preset;
	struct tls_roots *roots; /* the system's authorities, once a server needs them */
};

struct key;
typedef void key_reader(struct reading *r, const struct key *key, const struct json_node *value, void *into);

struct key {
	const char *name;                   /* NULL ends the table */
	key_reader *read;                   /* how */
	size_t at;                          /* where: the offset in the struct that is filled */
	const char *preset;                 /* the default, as one would write it; NULL: what zeroes mean */
	int64_t least, most;                /* of a number or a duration */
	const char *const *words;           /* of a choice, NULL-terminated */
	const struct key *block;            /* of an inner block, whose offsets count from `at` */
	bool (*is_right)(struct span text); /* of a string, or of each in an array */
	const char *note; /* what a message says: when that is not right, or of a key that is not used */
	bool live;        /* a reload applies it; the others wait for a restart */
};

#define MINUTE ((msec_t)60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* A row reads { KEY(...), DEFAULT(...), RANGE(...) }. */
#define KEY(key, how, where) .name = (key), .read = (how), .at = (where)
#define DEFAULT(text) .preset = (text)
#define RANGE(from, to) .least = (from), .most = (to)
#define WORDS(list) .words = (list)
#define BLOCK(keys) .block = (keys)
#define CHECK(what, sentence) .is_right = (what), .note = (sentence)
#define LIVE .live = true
#define LATER(key, what) .name = (key), .read = key_later, .note = (what)
#define FOREIGN(key) .name = (key), .read = key_foreign
#define UNUSED(key, advice) .name = (key), .read = key_unused, .note = (advice)

/* The readers. First the type of the member that they fill in, then the JSON that they take. */

/* bool: true or false */
void key_flag(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* size_t: a whole number */
void key_size(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* unsigned: a whole number */
void key_unsigned(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* msec_t: a duration, as text or number */
void key_duration(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* const char *: a string, not empty unless `is_right` says so */
void key_text(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* const char *const *: an array of strings, NULL-terminated */
void key_texts(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* an enum, as the index of one of `words` */
void key_choice(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* bool: the second of two `words` is true */
void key_either(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* a struct: an object with the keys of `block` */
void key_block(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* const struct json_node *: whatever it is, for a closer look later */
void key_node(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* nothing: not supported yet, an error */
void key_later(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* nothing: another client's, ignored; all of them together are told once */
void key_foreign(struct reading *r, const struct key *key, const struct json_node *value, void *into);
/* nothing: another client's, ignored with a warning that says `note`, unless it is an empty array */
void key_unused(struct reading *r, const struct key *key, const struct json_node *value, void *into);

/* Fills in the defaults of a table, then what the object says. Nothing else is in the object, or it is a fault. */
void keys_preset(struct reading *r, const struct key *keys, void *into);
void keys_read(struct reading *r, const struct key *keys, const struct json_node *object, void *into);

/*
 * Tells each key that differs between two structs that were filled by this table, by its path: "http.idleTimeout". Keys
 * whose readers are none of those above are for others to compare.
 */
void keys_compare(const struct key *keys, const void *a, const void *b,
        void (*differs)(void *arg, const struct key *key, const char *path), void *arg);

/* The value of one key that comes from elsewhere, as text; `origin` is what messages call it. */
void keys_read_text(
        struct reading *r, const struct key *keys, const char *name, const char *text, const char *origin, void *into);

/* The value of a key in an object, in either spelling; NULL if it is not there, or null. */
const struct json_node *keys_find(const struct key *keys, const char *name, const struct json_node *object);

/* A string with its placeholders filled in, NUL-terminated and kept; false and a fault if that cannot be. */
bool reading_text(struct reading *r, const struct json_node *value, struct span *out);

/*
 * TLS from what was read at `at`: its files are remembered, what is wrong with them is a fault there, and a certificate
 * that has expired a warning. NULL after a fault. The caller's to hold.
 */
struct tls_context *reading_tls_server(
        struct reading *r, const struct json_node *at, const struct tls_server_conf *conf);
struct tls_context *reading_tls_client(
        struct reading *r, const struct json_node *at, const struct tls_client_conf *conf);

/* An environment variable of ours; NULL when it is not set or empty. */
const char *reading_variable(const struct reading *r, const char *name);

/* Is it of that type? Else a fault: "must be an object". */
bool reading_expect(struct reading *r, const struct json_node *value, enum json_type type);

void reading_fault(struct reading *r, const struct json_node *at, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void reading_warn(struct reading *r, const struct json_node *at, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Copies the message's texts. Beyond the bound it is only counted: who wants to take pains with one asks first. */
bool config_messages_full(const struct config_messages *messages);
void config_message_add(struct config_messages *messages, const struct config_message *m);

extern const struct key server_keys[]; /* of one server; what it fills is server.c's business */
extern const struct key config_keys[]; /* of the whole file; it fills a struct config */

/* "mcpServers" or "servers": the servers of the file, appended to the configuration's, which has room for them. Each
 * starts as `server_preset`. */
void server_read_all(struct reading *r, const struct key *key, const struct json_node *value, void *into);
void server_preset(struct reading *r);

/* command.c: "tools" of a command-line program, and a reader for "cliHelp" (const char *const *: a string with words,
 * or an array of strings). */
void command_read_tools(struct reading *r, const struct json_node *tools, struct backend_conf *conf);
void command_read_help(struct reading *r, const struct key *key, const struct json_node *value, void *into);

/* Puts what concerns the servers and is written in `limits` into them. */
void config_hand_out(const struct config_limits *limits, struct config *c);

/* Makes http.tls, if it is there, from the keys that were read. */
void blocks_make_tls(struct reading *r, const struct json_node *root);

/* Environment and flags, which win over the file. */
void blocks_override(struct reading *r, const struct config_sources *from);

#endif
