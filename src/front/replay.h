/*
 * What was sent on streams whose events have ids, kept for a while, so that a client whose connection broke gets what
 * it has missed (MCP 2025-11-25, Transports, Resumability). A stream is live while its port has more to send, on
 * whatever connection or on none; after its last event it is kept for `time_ms`.
 *
 * It is bounded three ways: the bytes of a stream (its oldest events go; the newest one is kept whatever its size), the
 * bytes of all together (the oldest events go first, whosever they are, and one that is larger than that is not kept at
 * all), and that time. Pure: it does no I/O, and does not look into exchanges. Streams belong to the keeper; whoever
 * opened one finishes or drops it.
 */
#ifndef SLUICE_FRONT_REPLAY_H
#define SLUICE_FRONT_REPLAY_H

#include "base/sched.h"
#include "front/event_id.h"
#include "mcp/rewrite.h"

struct replay; /* the keeper */
struct replay_stream;
struct http_exchange;
struct http_request;

struct replay_conf {
	size_t stream_bytes, total_bytes;
	msec_t time_ms;
}; /* any of them 0: nothing is kept, no stream has ids */

/* The sender of a live stream: the client is back, and has seen the events up to `seq`. */
struct replay_port {
	void (*resume)(void *arg, struct http_exchange *ex, const struct http_request *req, uint64_t seq);
};

struct replay *replay_new(const struct replay_conf *conf, struct sched *sched);
void replay_free(struct replay **r);

/*
 * A stream of a session, by the session's nonce. `call`: the raw JSON id of the request that it answers; not set for
 * one that answers none. NULL: it cannot be kept, and is to have no ids.
 */
struct replay_stream *replay_open(
        struct replay *r, uint64_t session, struct span call, const struct replay_port *port, void *arg);

/* The id of an event without data before all others; valid until the next call for this keeper. */
struct span replay_first_id(struct replay_stream *s);

/* Keeps the next event and returns its id; likewise. `last`: no more will follow. */
struct span replay_put(struct replay_stream *s, const struct pieces *json, bool last);

bool replay_has_ids(const struct replay_stream *s); /* one was given out: a client can come back with it */
void replay_finish(struct replay_stream **s);       /* after the last event */
void replay_drop(struct replay_stream **s);         /* at once */

/* NULL: not here (any more), or of another session. */
struct replay_stream *replay_find(struct replay *r, uint64_t session, uint64_t stream);

bool replay_is_live(const struct replay_stream *s);
void replay_resume(struct replay_stream *s, struct http_exchange *ex, const struct http_request *req, uint64_t seq);

/* What is kept of its events after `seq`, in order. False: there is nothing. */
bool replay_each_after(struct replay_stream *s, uint64_t seq,
        void (*each)(void *arg, struct span id, const struct pieces *json), void *arg);

msec_t replay_time_ms(const struct replay *r);
size_t replay_bytes(const struct replay *r); /* kept now */

#endif
