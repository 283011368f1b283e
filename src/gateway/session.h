/*
 * Sessions: what a client said of itself at `initialize`, and the little that it may change later. The session's id is
 * a sealed token that holds all of the former, so any replica with the same keys rebuilds a session that it has never
 * seen, and memory is dropped without asking anybody (interface.md, section 2).
 */
#ifndef SLUICE_GATEWAY_SESSION_H
#define SLUICE_GATEWAY_SESSION_H

#include "base/arena.h"
#include "base/map.h"
#include "base/sched.h"
#include "crypto/seal.h"
#include "mcp/revision.h"

#define SESSION_NAME_MAX 64
#define SESSION_TOKEN_MAX 512
#define SESSION_VALID_MS ((msec_t)7 * 24 * 3600 * 1000)

enum client_capability { CLIENT_SAMPLING = 1, CLIENT_ELICITATION = 2, CLIENT_ELICITATION_URL = 4, CLIENT_ROOTS = 8 };

struct session_info {
	enum revision revision;
	unsigned capabilities; /* of enum client_capability */
	char client_name[SESSION_NAME_MAX + 1], client_version[SESSION_NAME_MAX + 1];
};

struct session_conf {
	msec_t idle_timeout_ms; /* drops memory only */
	size_t max;             /* in memory; beyond, the one unused for longest is dropped */
	bool required;          /* requests other than initialize need one */
};

/* severities of RFC 5424 as MCP names them, least severe first */
enum message_level {
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_NOTICE,
	LEVEL_WARNING,
	LEVEL_ERROR,
	LEVEL_CRITICAL,
	LEVEL_ALERT,
	LEVEL_EMERGENCY,
	LEVEL_COUNT
};
int message_level_parse(struct span name); /* -1: unknown */

struct session {
	struct session_info info;
	struct span token;        /* not set for the one client of a stdio front */
	enum message_level level; /* of notifications/message that it wants; LEVEL_INFO until it says */
	bool rebuilt;             /* from its token alone: lists may have changed meanwhile */
	unsigned calls;           /* in flight; a session with calls or pushes is never dropped */
	struct list pushes;       /* open streams: struct push in gateway.h */
	struct list node;         /* of all, the one unused for longest first */
	mono_t used;
};

struct sessions; /* the table */

struct sessions *sessions_new(
        const struct session_conf *conf, struct key_ring *keys, struct sched *sched, uint64_t seed);
void sessions_free(struct sessions **s);

/* A new session with a token of its own. NULL when `max` are all in use. `wall_ms` is the time of its making. */
struct session *session_create(struct sessions *s, const struct session_info *info, int64_t wall_ms);

/* One without a token, for a front that is a single client. */
struct session *session_create_local(struct sessions *s, const struct session_info *info);

/* The session of a token, rebuilt if its memory is gone; NULL: not ours, expired, or ended. Marks it as used. */
struct session *session_find(struct sessions *s, struct span token, int64_t wall_ms);

/* DELETE: forgets it and leaves a tombstone (bounded), so that the token is refused from now on. */
void session_end(struct sessions *s, struct session **session);

size_t sessions_count(const struct sessions *s);

/* Walks all, in the order of their last use. */
struct list *sessions_all(struct sessions *s);

#endif
