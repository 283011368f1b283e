/*
 * Sessions: what a client said of itself at `initialize`, and the little that it may change later. The session's id is
 * a sealed token that holds all of the former, so any replica with the same keys rebuilds a session that it has never
 * seen, and memory is dropped without asking anybody: after `idle_timeout_ms` without use, or for a newer one when
 * there are `max`. Sessions belong to the table; a pointer to one is good while it has calls or pushes, or until the
 * next turn of the loop.
 */
#ifndef SLUICE_GATEWAY_SESSION_H
#define SLUICE_GATEWAY_SESSION_H

#include "base/sched.h"
#include "crypto/seal.h"
#include "gateway/subscriptions.h"
#include "mcp/client.h"
#include "mcp/revision.h"

#define SESSION_NAME_MAX 64
#define SESSION_TOKEN_MAX 512
#define SESSION_TOMBSTONES 4096
#define SESSION_VALID_MS ((msec_t)7 * 24 * 3600 * 1000)

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

struct session {
	struct session_info info;
	struct span token;        /* not set for the one client of a stdio front, which is never dropped */
	int64_t created_ms;       /* by the wall clock; a token is valid for SESSION_VALID_MS from then on */
	uint64_t nonce;           /* its name among all sessions of all replicas */
	enum message_level level; /* of notifications/message that it wants; LEVEL_INFO until it says */
	bool rebuilt;             /* from its token alone: lists may have changed meanwhile */
	unsigned keys;            /* the generation of the keys that its token is known to open with */
	struct list calls;        /* in flight: the gateway's */
	unsigned call_count;      /* their number; a session with calls or pushes is never dropped */
	struct list pushes;       /* open streams: struct push in gateway.h */
	struct list asks;         /* what servers ask of it, open: the gateway's */
	struct subscriber subscriber;
	struct list node; /* of all, the one unused for longest first */
	mono_t used;
};

/*
 * Sets a text of session_info (SESSION_NAME_MAX + 1 bytes) from a raw JSON string, cut to whole UTF-8 characters and at
 * a NUL; empty when `json` is no string.
 */
void session_set_text(char *text, struct span json);
void text_set(char *text, size_t most, struct span json); /* the same for a text of `most` + 1 bytes */

struct sessions; /* the table */

struct sessions *sessions_new(
        const struct session_conf *conf, struct key_ring *keys, struct sched *sched, uint64_t seed);
void sessions_free(struct sessions **s);

/* Tells of each session whose memory is about to go, by whatever: its number is `nonce`. */
void sessions_watch(struct sessions *s, void (*dropped)(void *arg, struct session *session), void *arg);

/* A new session with a token of its own. NULL when `max` are all in use. `wall_ms` is the time of its making. */
struct session *session_create(struct sessions *s, const struct session_info *info, int64_t wall_ms);

/* One without a token, for a front that is a single client. */
struct session *session_create_local(struct sessions *s, const struct session_info *info);

/*
 * The session of a token, rebuilt if its memory is gone; NULL: not ours, expired, or ended. Marks it as used. A session
 * that was given out is always found: when all `max` are in use a rebuilt one comes on top, until it is not used
 * itself.
 */
struct session *session_find(struct sessions *s, struct span token, int64_t wall_ms);

/*
 * Its token opens with the keys that the ring has now. One whose key was taken out is not found any more; what it has
 * open is the caller's to end.
 */
bool session_is_sealed(struct sessions *s, struct session *session);

/*
 * DELETE: forgets it and leaves a tombstone, so that the token is refused from now on (of the last SESSION_TOMBSTONES
 * that were ended here). Its calls and pushes are gone by then (asserted).
 */
void sessions_end(struct sessions *s, struct session **session);

struct key_ring *sessions_keys(const struct sessions *s); /* NULL: none */

size_t sessions_count(const struct sessions *s);

/* Walks all, in the order of their last use. */
struct list *sessions_all(struct sessions *s);

#endif
