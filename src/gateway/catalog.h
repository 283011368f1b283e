/*
 * The catalog: the lists of all servers merged in the order of the configuration, with names as `server__name`, and the
 * way back from a name to its server. Pure text work, no I/O. Items pass through byte for byte; only the names of tools
 * and prompts get their prefix put in. URIs stay as they are, and the first server that lists one has it.
 *
 * Merged pages are made once per change and served from memory. A way back is two hash look-ups, however many servers
 * there are.
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
};                                                   /* the name is copied; the globs live as long as the catalog */

/* `prefixed`: namespace "always". Otherwise names stay, and on a collision the first in config order wins. */
struct catalog *catalog_new(const struct catalog_server *servers, size_t n, bool prefixed, size_t page_items);
void catalog_free(struct catalog **c);

/* What a catalog shows otherwise than the one before. */
struct catalog_changes {
	bool merged[LIST_KINDS];
	bool (*own)[LIST_KINDS]; /* of each server that was there before; the caller's room for `n` of them */
};

/*
 * The catalog of other servers in its place: the lists of those that it knew, by their names, are moved over and read
 * anew, for what is included may differ. Cursors are good on only if the names and their order are the same.
 */
void catalog_renew(struct catalog **c, const struct catalog_server *servers, size_t n, struct catalog_changes *changes);

/*
 * Takes the new list of a server over (moved out of *list). True if the merged list's bytes differ from before;
 * *own_changed tells the same of the server's own list, as its single scope shows it.
 */
bool catalog_set(struct catalog *c, size_t server, enum list_kind kind, struct item_list *list, bool *own_changed);

/* Items in the list of the scope. */
size_t catalog_count(const struct catalog *c, int scope, enum list_kind kind);

/*
 * Appends one page as a result object, {"tools":[...],"nextCursor":"..."}. `cursor` is the client's raw JSON string or
 * not set. False for a cursor that we did not give out. A cursor stays good while the list does not change; one of an
 * older list continues at the place where it was (a list that changed under a walk is told by list_changed).
 */
bool catalog_page(struct catalog *c, int scope, enum list_kind kind, struct span cursor, struct buf *out);

/* The same for a legacy client: without an outputSchema that is not of an object (mcp/structured.h). */
bool catalog_page_legacy(struct catalog *c, int scope, enum list_kind kind, struct span cursor, struct buf *out);

struct route {
	size_t server;
	struct span name;           /* as the server knows it: part of the text that was asked for */
	bool read_only, idempotent; /* a tool's hints */
	bool only_as_task;          /* execution.taskSupport is "required" */
	bool listed;                /* false: not in the list; the name's prefix says which server */
	struct span item;           /* if it is listed: the server's own text, until its next list */
};

/*
 * From a tool's or prompt's name (decoded text), or a URI or template as it is listed, to its server. False: nobody's.
 * A name that is not listed but can only be one server's (by its prefix, by the scope, or because there is only one
 * server and no prefixes) is that server's, whose list may be old. A tool that is excluded is nobody's.
 */
bool catalog_route(struct catalog *c, int scope, enum list_kind kind, struct span name, struct route *route);

/*
 * Which servers may have a resource: the owner of the URI if it is listed; else those with a template that fits
 * (uri_template.h), in config order; else every server that has resources at all. In a single scope it is that server.
 * Fills `servers`, returns how many.
 */
size_t catalog_route_uri(struct catalog *c, int scope, struct span uri, size_t *servers, size_t max);

/*
 * What people should know about the lists: names that collided, came twice from one server or are longer than 64
 * characters, and how many items of a server (then its name is `name`) could not be used at all. `what` is valid during
 * the call.
 */
void catalog_warnings(struct catalog *c, void (*tell)(void *arg, struct span name, const char *what), void *arg);

#endif
