/*
 * A client's request as a server of the other kind of revision wants it: with what every modern request says of its
 * client in `_meta`, or without that. What needs no change passes byte by byte. For every transport.
 */
#ifndef SLUICE_BACKEND_ERA_REQUEST_H
#define SLUICE_BACKEND_ERA_REQUEST_H

#include "backend/backend.h"

/*
 * `splices` are the caller's own (id, token, name), fewer than SPLICES_MAX. `client` NULL: the gateway itself asks. One
 * that says already of which revision it is stays as it is. `room` holds what is put in as long as the pieces live.
 */
struct pieces request_to_modern(struct buf *room, const struct message *m, const struct backend_client *client,
        const struct splice *splices, unsigned n);

struct pieces request_to_legacy(const struct message *m, const struct splice *splices, unsigned n);

#endif
