/*
 * An HTTP/1.1 server on a listening address, plain or under TLS: it accepts, reads requests strictly, hands each to a
 * handler, writes the answers, and keeps every bound and deadline. It knows nothing of MCP.
 *
 * One request at a time per connection: what is pipelined behind it waits in the buffer. The handler may answer at once
 * or later, whole (exchange_reply) or as a stream (exchange_stream, exchange_send, exchange_end). The exchange belongs
 * to the server; the handler may use it until it has ended it or heard `gone`, and not a moment longer. Who does not
 * ask for `gone` must end it in any case; it may even outlive the server.
 *
 * Memory: an idle connection holds its struct and nothing else; buffers are given back when they are empty.
 */
#ifndef SLUICE_NET_HTTP_SERVER_H
#define SLUICE_NET_HTTP_SERVER_H

#include "base/log.h"
#include "http/head.h"
#include "loop/loop.h"

struct tls_context;
struct http_server;   /* one listening address, its connections */
struct http_exchange; /* one request and its answer */

/* Durations in ms. Header and body times are totals from the first byte, not gaps (slowloris). */
struct http_server_conf {
	size_t max_header_bytes;   /* 431 beyond */
	size_t max_body_bytes;     /* 413 beyond */
	msec_t header_timeout_ms;  /* 408 if a head has begun, else the connection is closed; also of a TLS handshake */
	msec_t body_timeout_ms;    /* 408 */
	msec_t idle_timeout_ms;    /* between requests */
	msec_t write_timeout_ms;   /* without a byte taken by a slow reader */
	size_t max_connections;    /* of this server; beyond: 503 + Retry-After, close */
	size_t max_buffered_bytes; /* of all its connections together, in and out: 503 for requests beyond */
};

struct http_request {
	const struct request_head *head;
	struct span body; /* whole, decoded */
	const char *peer; /* "127.0.0.1:53211", for logs */
};

struct http_header {
	const char *name;
	struct span value; /* not set: the header is left out */
};

struct http_handler {
	/* The request's spans are valid during the call only. The exchange is the handler's from here on. */
	void (*request)(void *arg, struct http_exchange *ex, const struct http_request *req);
	/* May the body be read? Asked when the head is complete, before a 100-continue: 0, or a status to answer with.
	 */
	int (*head)(void *arg, const struct request_head *head);
	void *arg;
};

/* "127.0.0.1:8080", "[::1]:0", ":8080" (all interfaces, both families). Port 0 picks one. */
struct http_server *http_server_listen(struct loop *l, struct span address, const struct http_server_conf *conf,
        const struct http_handler *handler, const struct logger *lg, struct err *e);
/* The same on a socket that others have, too: see listener_adopt. `fd` is taken over in any case. */
struct http_server *http_server_adopt(struct loop *l, int fd, const struct http_server_conf *conf,
        const struct http_handler *handler, const struct logger *lg, struct err *e);
const char *http_server_address(const struct http_server *s); /* as bound, with the port picked */

/*
 * HTTPS with this context, for connections that are accepted from now on; those that are open go on with the context
 * that they began with. It is held. To be called before the loop turns, or to replace one by another: a port does not
 * change its protocol.
 */
void http_server_use_tls(struct http_server *s, struct tls_context *t);

/* The answer as a whole: Content-Length and Date are added, Connection when needed, the body may be empty. */
void exchange_reply(
        struct http_exchange *ex, int status, const struct http_header *headers, unsigned n, struct span body);

/* The answer in parts (chunked for HTTP/1.1, ended by closing for HTTP/1.0). A part is sent within this turn. */
void exchange_stream(struct http_exchange *ex, int status, const struct http_header *headers, unsigned n);
void exchange_send(struct http_exchange *ex, const struct span *parts, unsigned n);
void exchange_end(struct http_exchange *ex);

/* A whole answer from parts, for bodies that lie in pieces. */
void exchange_reply_parts(struct http_exchange *ex, int status, const struct http_header *headers, unsigned n,
        const struct span *parts, unsigned part_count);

/* The client left (reset, write error, write timeout; or its half of the connection is closed where that counts as
 * leaving, see exchange_heed_fin): called once; the exchange is gone when it returns. */
void exchange_on_gone(struct http_exchange *ex, void (*gone)(void *arg), void *arg);

/* The client has closed its half and may still read the answer, or may be gone: called once. */
void exchange_on_half_closed(struct http_exchange *ex, void (*half_closed)(void *arg), void *arg);

/* A client that closes its half of the connection has left: who does so before this answer does not want it. */
void exchange_heed_fin(struct http_exchange *ex);

/* This answer is a stream without an end of its own (a GET stream); a client's FIN counts as leaving. */
void exchange_forever(struct http_exchange *ex);

/* Who asks, by a number that the handler chose, not 0: its connection is known by it from now on. */
void exchange_belongs_to(struct http_exchange *ex, uint64_t owner);

/* Bytes of this answer that the client has not taken yet. */
size_t exchange_waiting(const struct http_exchange *ex);

/* While on, answers that are the last with nothing complete buffered behind them carry Connection: close. */
void http_server_announce_close(struct http_server *s, bool on);

/*
 * Ends the connections that rest between two requests, but those for which `stays` says so; `owner` is who asked last
 * on it, 0 if nobody said. A request that has come meanwhile is served. Not from inside a handler's call.
 */
void http_server_end_resting(struct http_server *s, bool (*stays)(void *arg, uint64_t owner), void *arg);

/*
 * The end, in order. Idle connections are closed, busy ones may finish and linger, half a request has a second to be
 * completed, and new connections are accepted and served (one request each). When those have ended that were there in
 * the beginning, or a second before the deadline, the kernel keeps new ones out (listener_refuse_new); when then nobody
 * is left, `done` is called, not from inside this call. At the deadline what is left is cut.
 *
 * The socket listens on: nothing must come between its end and the end of the process but http_server_leave, which
 * gives those that the kernel has accepted meanwhile an answer without a look at their request. On a shared socket no
 * new connection is accepted from the beginning of the end on: they wait for the next process.
 */
void http_server_close(struct http_server *s, mono_t deadline, void (*done)(void *arg), void *arg);
void http_server_leave(struct http_server *s);
void http_server_free(struct http_server **s); /* closes what is left at once; not from inside a handler's call */

struct http_server_stats {
	size_t connections;          /* open now */
	uint64_t accepted, requests; /* since the start */
	uint64_t late_connections;   /* accepted after http_server_announce_close */
	uint64_t refused;            /* connections beyond the bound, or without a descriptor for them */
	uint64_t tls_failures;       /* handshakes that came to nothing */
	size_t buffered_bytes;
};
void http_server_stats(const struct http_server *s, struct http_server_stats *stats);

/* Answers that were cut because their client did not take them in time, and those that would be if the process left
 * now: for the last line, which is written on paths that have no time to close anything. */
uint64_t http_server_undelivered(const struct http_server *s);

#endif
