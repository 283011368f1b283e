/*
 * Private to http_client.c (the pool: which fetch gets which connection), http_client_conn.c (the life of one
 * connection), http_client_read.c (from bytes to an answer's events) and http_fetch.c (one request, its deadlines, its
 * end): what they share.
 *
 * A connection is made for the pool, not for a fetch: whichever is ready first takes the fetch that has waited longest.
 * While fetches wait there are as many being made as wait, up to the bound. Idle ones are used again in the order of
 * their last use, the latest first, so that those that are not needed grow old and go.
 */
#ifndef SLUICE_NET_HTTP_CLIENT_PRIVATE_H
#define SLUICE_NET_HTTP_CLIENT_PRIVATE_H

#include "http/chunked.h"
#include "net/conn.h"
#include "net/dial.h"
#include "net/http_client.h"

/*
 *	DIALING    name look-up and TCP
 *	TUNNELING  the proxy was asked for a tunnel
 *	SECURING   the TLS handshake
 *	IDLE       in the pool
 *	BUSY       has a fetch: its request is out, its answer comes
 *	CLOSED     its memory goes at the end of the turn
 */
#define LINK_STATES(X) X(DIALING) X(TUNNELING) X(SECURING) X(IDLE) X(BUSY) X(CLOSED)
#define X(name) LINK_##name,
enum link_state { LINK_STATES(X) LINK_STATE_COUNT };
#undef X

enum link_event {
	LINK_ASK,    /* TCP is there; the way goes on through a proxy's tunnel */
	LINK_SECURE, /* bytes pass; TLS comes next */
	LINK_READY,  /* can be used */
	LINK_TAKE,   /* ... by the fetch that was set */
	LINK_KEEP,   /* the answer is whole, and the connection good for another */
	LINK_FAIL,   /* it cannot be made, or has ended, or what came is wrong: `why` and `sentence` are set */
	LINK_CLOSE,  /* not wanted any more */
	LINK_EVENTS
};

struct http_client_conn {
	struct conn conn;
	struct http_client *client;
	struct list node;  /* in client->idle or client->others */
	struct dial *dial; /* while DIALING */
	struct http_fetch *fetch;
	enum link_state state;
	bool is_open; /* `conn` is */
	bool is_old;  /* not to be used again: see http_client_renew */
	bool used;    /* an answer has come whole */
	mono_t idle_since;
	struct timer timer; /* of the making */
	struct post again;
	/* The answer that comes: */
	struct buf in; /* read and not used yet: the beginning of a head, or what a paused fetch does not want now */
	size_t scanned;
	unsigned interim; /* heads with 1xx */
	bool begun;       /* any byte of it */
	bool has_head, keep_alive;
	enum response_body body;
	uint64_t left; /* of a body with a length */
	struct chunked chunked;
	/* With LINK_FAIL: */
	enum fetch_end why;
	char sentence[256];
};

struct http_client {
	struct loop *loop;
	struct resolver *resolver;
	struct http_client_conf conf; /* its spans and `proxy` are not used after http_client_new */
	struct logger log;
	struct url hop;  /* who is connected to: the origin or the proxy; spans into `text` */
	struct buf text; /* of the origin and the proxy */
	char *name;      /* of the origin, "a:443", for CONNECT and for people */
	char *tls_name;
	struct span line;          /* "Host: a\r\n", and more fields that each request has; in `fixed` */
	struct span absolute;      /* in front of each target: "http://a" for a proxy, else nothing; in `fixed` */
	struct buf fixed, connect; /* ..., and the whole request for a tunnel */
	bool tunnels, secure;
	struct list idle, others; /* connections; the idle one that was used last at the end */
	struct list waiting;      /* fetches for a connection */
	struct list refused;      /* ... and those that are about to hear that they have none */
	struct timer timer;       /* of the oldest idle one */
	size_t count, idle_count, making, waiting_count;
	size_t queued; /* bytes that sockets have not taken */
	uint64_t opened, reused, fetches, retried;
	char sentence[256]; /* why the last connection could not be made */
};

/* http_client.c */
void http_client_wait(struct http_client *c, struct http_fetch *f, bool first);
void http_client_wait_no_more(struct http_client *c, struct http_fetch *f);
void http_client_serve(struct http_client *c); /* fetches that wait and connections that are idle: together */
void http_client_not_made(struct http_client *c, const char *sentence);
void http_client_suspect(struct http_client *c); /* the idle ones have gone, too */
void http_client_count_age(struct http_client *c);

/* http_client_conn.c */
void http_client_conn_new(struct http_client *c);
void http_client_conn_happens(struct http_client_conn *l, enum link_event event);
void http_client_conn_fail(struct http_client_conn *l, enum fetch_end why, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
bool http_client_conn_is_alive(struct http_client_conn *l); /* an idle one, by a look at it */
void http_client_conn_pause(struct http_client_conn *l);    /* or go on: as the fetch says */
const char *link_state_name(enum link_state state);
bool link_life_is_complete(void); /* for the test of the table: no cell was forgotten */

/* http_client_read.c */
void http_client_read_begin(struct http_client_conn *l);
void http_client_read(struct http_client_conn *l);
void http_client_read_kept(struct http_client_conn *l); /* the fetch is not paused any more */
void http_client_read_rest(struct http_client_conn *l); /* all that is there still; the connection is lost */
void http_client_read_proxy(struct http_client_conn *l);

/* http_fetch.c */
void http_fetch_sent(struct http_fetch *f, struct http_client_conn *l);
void http_fetch_got_head(struct http_fetch *f);
void http_fetch_got_some(struct http_fetch *f);
void http_fetch_end(struct http_fetch *f, enum fetch_end why, const char *sentence);
void http_fetch_unreachable(void *arg);                                 /* ends it, as its client's sentence says */
void http_fetch_lost(struct http_fetch *f, struct http_client_conn *l); /* ends it, or lets it try again */
void http_fetch_drop(struct http_fetch *f); /* idle again, without a word, and without its connection's knowing */

#endif
