/*
 * The HTTP front: the main port and the admin port, and which endpoint answers which path. It owns the two servers.
 */
#ifndef SLUICE_FRONT_HTTP_FRONT_H
#define SLUICE_FRONT_HTTP_FRONT_H

#include "front/admin.h"
#include "front/endpoint_mcp.h"
#include "front/endpoint_sse.h"
#include "front/guard.h"

struct http_front;
struct tls_context;

struct http_front_conf {
	struct http_server_conf server;
	const char *const *allowed_hosts, *const *allowed_origins; /* NULL: not said, see guard.h */
	const char *base_path;
	bool session_required;
	size_t max_sessions;
	struct replay_conf replay;
	unsigned max_depth;
	size_t max_in_flight; /* for the metrics */
	const char *version;
};

struct http_front *http_front_new(struct loop *l, const struct http_front_conf *conf, struct gateway *gw,
        struct lifecycle *lifecycle, const struct logger *lg);
void http_front_free(struct http_front **f);

/* What the metrics tell that the front cannot see: to be given before it listens. */
void http_front_set_facts(struct http_front *f, void (*facts)(void *arg, struct process_facts *facts), void *arg);

/* Where a port listens, and under what. */
struct http_front_port {
	struct span address;
	int fd; /* of a socket that listens there and was inherited, taken over; -1: it is to be made */
	struct tls_context *tls; /* NULL: plain */
};

/* Each at most once. */
bool http_front_listen(struct http_front *f, const struct http_front_port *port, struct err *e);
bool http_front_listen_admin(struct http_front *f, const struct http_front_port *port, struct err *e);

/* Other certificates, for the ports that have some. */
void http_front_renew_tls(struct http_front *f, struct tls_context *tls);

void http_front_announce(struct http_front *f, bool on);

/*
 * New requests are refused from now on. Connections that rest end, so that a client with a pool takes its next request
 * elsewhere instead of having it refused here. Those stay whose client may have to come back for something that only
 * we know: its session has a call in flight, it is one of HTTP+SSE, or calls of modern clients are parked. Later in
 * this turn.
 */
void http_front_end_resting(struct http_front *f);
mono_t http_front_last_request(const struct http_front *f); /* but for probes */

/* Ends all connections in good order, then calls `done` once. Both ports listen on: the last thing that the process
 * does is http_front_leave. */
void http_front_close(struct http_front *f, mono_t deadline, void (*done)(void *arg), void *arg);
void http_front_leave(struct http_front *f);

/* Of the main port, for the last line: see http_server.h. */
uint64_t http_front_late_connections(const struct http_front *f);
uint64_t http_front_undelivered(const struct http_front *f);

#endif
