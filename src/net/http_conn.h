/*
 * Private to http_server.c (the address, its connections, their end), http_conn.c (the life of one connection),
 * http_request.c (from bytes to requests) and http_answer.c (from answers to bytes): what they share.
 *
 * A connection waits for a head, or for a body, or is busy with an exchange, or is over (its last answer is out, or
 * nothing more can be sent). The bytes that were read and belong to no finished request are kept in `in`, a chunked
 * body that is being decoded in `body`; both are empty and hold no memory most of the time, because what comes whole
 * is parsed where it was read: in the server's one buffer.
 */
#ifndef SLUICE_NET_HTTP_CONN_H
#define SLUICE_NET_HTTP_CONN_H

#include "http/chunked.h"
#include "net/conn.h"
#include "net/http_server.h"
#include "net/listener.h"

enum http_stage { STAGE_HEAD, STAGE_BODY, STAGE_BUSY, STAGE_OVER };

struct http_exchange {
	void (*gone)(void *arg);
	void *gone_arg;
	void (*half_closed)(void *arg); /* NULL: nobody asks, or it was told */
	void *half_closed_arg;
	bool active;     /* the handler has it */
	bool lost;       /* the client left and nobody was told: kept until the handler ends it */
	bool streaming;  /* its head is out */
	bool heeds_fin;  /* see exchange_heed_fin */
	bool forever;    /* see exchange_forever */
	bool head_only;  /* HEAD: an answer without its body */
	bool keep_alive; /* the client wishes so */
	bool closing;    /* Connection: close was said */
	bool plain;      /* HTTP/1.0: no chunks */
};

struct http_conn {
	struct conn conn;
	struct http_server *server; /* NULL when the server is gone before a lost exchange was ended */
	struct list node;           /* in server->conns, in the order of accepting */
	uint64_t serial;
	uint64_t owner;     /* see exchange_belongs_to */
	struct timer timer; /* fires at or before `deadline`: moving a deadline back costs nothing */
	mono_t deadline;    /* for the head, the body, or the next request */
	struct post again;
	struct buf in;
	struct buf body; /* the head's text, then the payload so far */
	struct chunked chunked;
	size_t scanned;   /* of the head, by request_head_parse */
	size_t head_size; /* while in STAGE_BODY */
	size_t need;      /* while in STAGE_BODY with a length: bytes of head and body */
	size_t counted;   /* our part of server->buffered */
	struct http_exchange exchange;
	enum http_stage stage;
	bool begun;   /* bytes of the next head are here */
	bool used;    /* a request has been read */
	bool hung_up; /* the client's end stands behind bytes that we have not read */
	bool refused; /* over max_connections */
	char peer[ADDRESS_TEXT_MAX];
};

struct http_server {
	struct loop *loop;
	struct http_server_conf conf;
	struct http_handler handler;
	struct logger log;
	struct listener *listener;
	struct tls_context *tls; /* NULL: plain */
	uint64_t tls_failures;
	mono_t tls_failure_told_next;
	char address[ADDRESS_TEXT_MAX];
	struct list conns;
	size_t count, refused;
	uint64_t accepted, requests, late, undelivered;
	uint64_t refused_ever;   /* connections, for want of room */
	size_t buffered, queued; /* bytes waiting: in, out */

	/* Used while one connection works on what it has read: */
	char *scratch;
	struct http_conn *pumping;
	struct span rest;
	struct request_head head;

	struct buf text; /* of an answer's head */
	char date[40];
	int64_t date_second;

	bool announced; /* Connection: close on last answers */
	bool closing;   /* http_server_close was called */
	bool shut;      /* the kernel keeps new connections out */
	bool leaving;   /* what is accepted now gets no more than a word */
	uint64_t old;   /* connections with a serial below it were there when closing began */
	mono_t accept_until, settled_at, deadline;
	struct timer timer;
	struct post step;
	void (*done)(void *arg);
	void *done_arg;
};

#define SCRATCH_BYTES 65536
#define UNSENT_MAX ((size_t)256 * 1024) /* of answers, before the next pipelined request is looked at */

static inline struct http_conn *http_conn_of(struct http_exchange *ex)
{
	return list_entry(ex, struct http_conn, exchange);
}

/* True while nothing is expected of the client: it waits for an answer, or has to take some first. */
static inline bool http_conn_is_our_turn(const struct http_conn *c)
{
	return c->stage == STAGE_BUSY || (c->stage == STAGE_HEAD && conn_queued(&c->conn) >= UNSENT_MAX);
}

static inline mono_t http_conn_in(const struct http_conn *c, msec_t ms)
{
	return mono_add(loop_now(c->conn.loop), ms);
}

static inline bool http_server_has_room(const struct http_server *s, size_t more)
{
	return s->buffered + s->queued + more <= s->conf.max_buffered_bytes;
}

/* http_conn.c */
void http_conn_accept(struct http_server *s, int fd, const struct address *peer, bool refuse);
void http_conn_set_deadline(struct http_conn *c, mono_t at);
void http_conn_look_again(struct http_conn *c); /* later in this turn: something about it has changed */
void http_conn_answered(struct http_conn *c);   /* the exchange has ended: close, or on to the next request */
void http_conn_release(struct http_conn *c);    /* a lost exchange was ended by its handler */
void http_conn_end_rest(struct http_conn *c);   /* ends it if it rests between two requests */
void http_conn_wind_down(struct http_conn *c);  /* the server closes: ends it if it is idle, hurries half a request */
bool http_conn_owes(const struct http_conn *c); /* its client has not taken all of an answer */
void http_conn_close(struct http_conn *c);      /* at once, telling its exchange */

/* http_request.c */
bool http_request_step(struct http_conn *c); /* one step through s->rest; false: there is nothing to do now */
void http_request_refuse(struct http_conn *c, int status, const char *sentence); /* and close */
bool http_request_is_last(const struct http_conn *c); /* no whole request stands behind the one being answered */

/* http_answer.c */
void http_answer_refusal(struct http_conn *c, int status, const char *sentence, bool closing);
void http_answer_continue(struct http_conn *c);
struct span http_answer_overloaded(void); /* whole answers, for connections that cannot be served at all */
struct span http_answer_leaving(void);
struct span http_answer_plain(void); /* for a plain request to a port that speaks TLS */

/* http_server.c */
void http_server_conn_began(struct http_server *s, struct http_conn *c);
void http_server_conn_ended(struct http_server *s, struct http_conn *c);
void http_server_tls_failed(struct http_server *s, const char *peer, const char *why);

#endif
