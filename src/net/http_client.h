/*
 * An HTTP/1.1 client of one origin: connections that are kept and used again, requests that wait for one, answers that
 * are streamed as they come. It knows nothing of MCP, follows no redirect, and asks for no compression.
 *
 * A fetch is one request and its answer. It is embedded in the object that owns it: zeroed is idle, and from
 * http_fetch_start until `ended` or http_fetch_cancel it must stay where it is. The request is copied; method, target,
 * fields and body may go when http_fetch_start returns. No event comes from inside a downward call, and spans are valid
 * during the event only. Every event may cancel or pause its own fetch, or start, cancel or pause others; `ended` may
 * start it again.
 *
 * Everything is bounded: connections, fetches that wait for one, the answer's head, what is read ahead of a paused
 * fetch. The body is not, for it is not kept here.
 */
#ifndef SLUICE_NET_HTTP_CLIENT_H
#define SLUICE_NET_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/log.h"
#include "http/response.h"
#include "http/url.h"
#include "loop/loop.h"
#include "loop/resolve.h"
#include "net/tls.h"

struct http_client;      /* one origin, its connections, the fetches that wait */
struct http_client_conn; /* one of them; private */

struct http_client_conf {
	struct url origin;         /* its path, query and user information mean nothing here; copied */
	const struct url *proxy;   /* NULL: none; user information becomes Proxy-Authorization; copied */
	struct tls_context *tls;   /* a client's, for https; a reference of its own is taken */
	struct span tls_name;      /* to be shown by the certificate instead of origin.host; not set: that; copied */
	size_t max_connections;    /* fetches beyond wait */
	size_t max_waiting;        /* fetches beyond end at once as FETCH_OVERLOADED */
	size_t max_head_bytes;     /* of an answer */
	msec_t connect_timeout_ms; /* for one connection: look-up, TCP, the proxy's answer and TLS together */
	msec_t idle_connection_ms; /* an unused connection is closed */
	msec_t write_timeout_ms;   /* without a byte of a request taken by the server */
};

/* Good values for all but origin, proxy and TLS. */
#define HTTP_CLIENT_DEFAULTS                                                                              \
	.max_connections = 64, .max_waiting = 1024, .max_head_bytes = 65536, .connect_timeout_ms = 30000, \
	.idle_connection_ms = 30000, .write_timeout_ms = 30000

/* How a fetch ends. `sent` beside it tells whether the server can have seen any byte of the request. */
#define FETCH_ENDS(X)                                                                       \
	X(DONE)        /* the answer is whole, whatever its status */                       \
	X(INVALID)     /* a method, target or field that no request can hold: never sent */ \
	X(OVERLOADED)  /* too many fetches wait already: never sent */                      \
	X(UNREACHABLE) /* name look-up, connecting, proxy or TLS failed: never sent */      \
	X(TIMEOUT)     /* one of its deadlines; the sentence says which */                  \
	X(LOST)        /* the connection ended before the answer was whole */               \
	X(BAD_ANSWER)  /* what came is not HTTP as it should be, or its head is too large */
#define X(name) FETCH_##name,
enum fetch_end { FETCH_ENDS(X) FETCH_END_COUNT };
#undef X

const char *fetch_end_name(enum fetch_end why);

struct http_fetch_events {
	/* Once, or not at all; never for a 1xx. */
	void (*head)(void *arg, const struct response_head *head);
	/* The next bytes of the body, decoded; not empty. */
	void (*body)(void *arg, struct span bytes);
	/* Once and last. The fetch is idle when it is called. */
	void (*ended)(void *arg, enum fetch_end why, bool sent, const char *sentence);
};

struct http_fetch_request {
	struct span method; /* "POST" */
	struct span target; /* path and query, "/mcp?x=1" (url_put_target makes one) */
	/* Host, Content-Length, Transfer-Encoding, Connection and Proxy-* are made here and must not be among these.
	 * A value that is not set leaves its field out. */
	const struct head_field *fields;
	size_t field_count;
	const struct span *body; /* in parts; without any, only a POST or PUT says Content-Length: 0 */
	size_t body_parts;
	bool idempotent; /* may be sent a second time when a kept connection ends before any byte of the answer */
	/* Each from http_fetch_start or from the event before it; 0: none. */
	msec_t connect_timeout_ms; /* until a connection is ready, waiting for a free one included */
	msec_t first_timeout_ms;   /* from then, until the head of the answer is complete */
	msec_t idle_timeout_ms;    /* from then, between two pieces of the body, not counting while paused */
	msec_t total_timeout_ms;   /* from the start to the end */
};

struct http_fetch {
	/* All private: */
	struct list node; /* in client->waiting or client->refused */
	struct http_client *client;
	struct http_client_conn *conn;
	const struct http_fetch_events *events;
	void *arg;
	struct buf request; /* kept until the answer begins, or until it can no longer be sent again */
	struct timer timer; /* fires at or before `deadline` and `total`: moving one back costs nothing */
	struct post post;
	mono_t deadline, total;
	msec_t connect_timeout_ms, first_timeout_ms, idle_timeout_ms;
	mono_t started_at, sent_at, head_at;
	bool active, waits, paused, idempotent, sent, retried, is_head;
};

/* NULL and a sentence when there is no such client: a proxy that is not http, https without TLS. */
struct http_client *http_client_new(struct loop *l, struct resolver *r, const struct http_client_conf *conf,
        const struct logger *lg, struct err *e);

/* Closes everything at once. Fetches that are not idle are cancelled. Not from inside an event of its fetches. */
void http_client_free(struct http_client **c);

/* Closes connections that nobody uses: what they lead to has changed. Those in use are not kept afterwards. */
void http_client_renew(struct http_client *c);

struct http_client_stats {
	size_t connections, idle, connecting, waiting; /* now */
	uint64_t opened, reused, fetches, retried;     /* since the start */
};
void http_client_stats(const struct http_client *c, struct http_client_stats *stats);

/* The fetch must be idle. */
void http_fetch_start(struct http_fetch *f, struct http_client *c, const struct http_fetch_request *r,
        const struct http_fetch_events *events, void *arg);

static inline bool http_fetch_is_active(const struct http_fetch *f)
{
	return f->active;
}

/* No event comes any more. Its connection is closed, unless nothing was sent. Does nothing to an idle one. */
void http_fetch_cancel(struct http_fetch *f);

/* While on, no `body` and no `ended` of a whole answer comes, and the socket is not read: the server feels it. */
void http_fetch_pause(struct http_fetch *f, bool on);

/* Another total deadline, counted from now; 0: none. */
void http_fetch_extend(struct http_fetch *f, msec_t total_timeout_ms);

/* True when any byte of the request has been written to a connection. */
static inline bool http_fetch_was_sent(const struct http_fetch *f)
{
	return f->sent;
}

#endif
