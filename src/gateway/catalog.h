/*
 * The catalog: the lists of all servers merged in the order of the configuration, with names as `server__name`, and the
 * way back from a name to its server. Pure text work, no I/O. Items pass through byte for byte but for their name.
 *
 * Merged pages are made once per change and served from memory.
 */
#ifndef SLUICE_GATEWAY_CATALOG_H
#define SLUICE_GATEWAY_CATALOG_H

#include "backend/backend.h"
#include "base/buf.h"
#include "base/err.h"

#define SCOPE_ALL (-1) /* every server, names with prefixes; else the index of one server, names as they are */

struct catalog;

struct catalog_server {
	const char *name;
	const char *const *include, *const *exclude; /* globs on tool names, as in backend_conf */
};

/* `prefixed`: namespace "always". Otherwise names stay, and on a collision the first in config order wins. */
struct catalog *catalog_new(const struct catalog_server *servers, size_t n, bool prefixed, size_t page_items);
void catalog_free(struct catalog **c);

/* Takes the new list of a server over. True if the merged list's bytes differ from before. */
bool catalog_set(struct catalog *c, size_t server, enum list_kind kind, struct item_list *list);

/* Items in the merged list. */
size_t catalog_count(const struct catalog *c, int scope, enum list_kind kind);

/*
 * Appends one page as a result object, {"tools":[...],"nextCursor":"..."}. `cursor` is the client's raw JSON string or
 * not set. False for a cursor that we did not give out. A cursor stays good while the list does not change; one of an
 * older list continues at the place where it was (a list that changed under a walk is told by list_changed).
 */
bool catalog_page(struct catalog *c, int scope, enum list_kind kind, struct span cursor, struct buf *out);

struct route {
	size_t server;
	struct span name;           /* as the server knows it: part of the text that was asked for */
	bool read_only, idempotent; /* a tool's hints */
	bool listed;                /* false: not in the list; the name's prefix says which server */
};

/* From a tool's or prompt's name (decoded text) to its server. False: nobody's. A name that is not listed but has the
 * prefix of a server is that server's (its list may be old); an excluded tool is nobody's. */
bool catalog_route(struct catalog *c, int scope, enum list_kind kind, struct span name, struct route *route);

/*
 * Which servers may have a resource: the owner of the URI if it is listed; else those with a matching template
 * (RFC 6570, level 1), in config order; else every server that has resources at all. Fills `servers`, returns how many.
 */
size_t catalog_route_uri(struct catalog *c, int scope, struct span uri, size_t *servers, size_t max);

/* Names of the merged lists that collided or are longer than 64 characters, for warnings: calls `tell` for each. */
void catalog_warnings(struct catalog *c, void (*tell)(void *arg, struct span name, const char *what), void *arg);

#endif
