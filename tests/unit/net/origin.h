/*
 * A scripted HTTP server for tests of the client, on the client's own loop: each request, whoever it comes from, is
 * answered by the next line of the script, whatever that says; beyond its end by "200, ok". And a fetch that remembers
 * all that it hears.
 */
#ifndef SLUICE_TESTS_NET_ORIGIN_H
#define SLUICE_TESTS_NET_ORIGIN_H

#include "net/conn.h"
#include "net/http_client.h"
#include "net/listener.h"

enum origin_then {
	THEN_KEEP,  /* the connection */
	THEN_CLOSE, /* in order */
	THEN_RESET,
};

struct origin_line {
	const char *text; /* NULL: nothing */
	enum origin_then then;
	size_t slice;    /* so many bytes at a time; 0: all at once */
	msec_t delay_ms; /* before the text, and between slices (then 1 at least) */
	size_t more;     /* bytes of 'x' behind the text */
	bool early;      /* does not wait for the request's body */
};

struct origin_conn;

struct origin {
	struct loop *loop;
	struct listener *listener;
	unsigned port;
	struct tls_context *tls; /* ours to give back */
	const struct origin_line *lines;
	size_t line_count, next;
	struct list conns;
	unsigned accepted, open, requests;
	struct buf last, connect; /* the last request, as it came; the last CONNECT */
	size_t queued;            /* that the client has not taken */
	const char *greeting;     /* said to whoever connects */
	bool shuts;               /* closes whatever it accepts */
	bool holds;               /* reads nothing */
	bool tunnels;             /* TLS begins after a CONNECT, and not at once */
};

void origin_open(struct origin *o, struct loop *l, const char *address, const struct origin_line *lines, size_t n);
void origin_close(struct origin *o);
void origin_cut_all(struct origin *o, bool reset);   /* its connections */
void origin_say(struct origin *o, const char *text); /* on the connection that came last, unasked */

struct scene {
	struct loop *loop;
	struct resolver *resolver;
	struct http_client_conf conf;
	struct http_client *client;
	struct origin origin;
	char url[64];
	struct timer patience;
	unsigned running; /* fetches */
	const char *expecting;
};

struct got {
	struct scene *scene;
	struct http_fetch fetch;
	unsigned heads, pieces, ends;
	int status;
	struct buf body;
	enum fetch_end why;
	bool sent;
	char sentence[256];
	char type[64];
	/* What it does by itself: */
	bool cancel_at_head, cancel_at_piece, pause_at_head, pause_at_piece, again_at_end;
};

void scene_init(struct scene *s, const struct origin_line *lines, size_t n); /* change s->conf before scene_start */
void scene_start(struct scene *s);
void scene_end(struct scene *s);
void scene_run(struct scene *s);                /* until no fetch runs */
void scene_run_for(struct scene *s, msec_t ms); /* however that is */
void scene_run_until(struct scene *s, bool (*yes)(void *arg), void *arg);

#define GET(path) ((struct http_fetch_request){ .method = SPAN("GET"), .target = SPAN(path) })
void got_start(struct got *g, struct scene *s, const struct http_fetch_request *r);
void got_get(struct got *g, struct scene *s, const char *target);
void got_clear(struct got *g);
void got_expect(const struct got *g, enum fetch_end why, int status, const char *body);

#endif
