/*
 * An MCP server behind a URL, as all sessions that we have there know it: its address, the connections to it, and what
 * was found out about how it wants to be spoken to. Made with the first of them, and gone with the last.
 */
#ifndef SLUICE_BACKEND_HTTP_SITE_H
#define SLUICE_BACKEND_HTTP_SITE_H

#include "backend/backend.h"
#include "backend/param_tools.h"
#include "net/http_client.h"

/* How it is spoken to. */
enum http_way {
	HTTP_WAY_UNKNOWN,
	HTTP_WAY_MODERN, /* requests that stand alone, 2026-07-28 */
	HTTP_WAY_LEGACY, /* Streamable HTTP with sessions, 2025-03-26 to 2025-11-25 */
	HTTP_WAY_SSE     /* HTTP+SSE, 2024-11-05 */
};
const char *http_way_name(enum http_way way);

struct http_site {
	struct http_sites *sites;
	struct list node;
	unsigned users;
	struct backend_conf *conf;  /* a copy of that it was made with */
	struct url url;             /* points into it */
	struct buf target;          /* its path and query */
	struct http_client *client; /* NULL: it cannot be reached at all, `fault` says why */
	struct err fault;
	enum http_way way; /* found out, or configured */
	struct param_tools params;
	bool modern_only; /* it is modern, and has no sessions for legacy clients */
};

/* All of them, and what they need. */
struct http_sites {
	struct loop *loop;
	struct resolver *resolver;
	struct list all;
	struct http_client_stats gone; /* what those that are gone had counted */
};
void http_sites_init(struct http_sites *sites, struct loop *l, struct resolver *r);

/* The one of the server of that name, if it is of the same configuration, or a new one. Its connections log to `lg`. */
struct http_site *http_site_of(struct http_sites *sites, const struct backend_conf *conf, const struct logger *lg);

/* Of all connections together. */
void http_sites_stats(const struct http_sites *sites, struct http_client_stats *sum);

/* Not from inside an event of its fetches. */
void http_site_release(struct http_site **sp);

#endif
