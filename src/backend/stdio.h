/*
 * A server that is a child process and speaks over its pipes: one process for all clients, many calls at once on one
 * pipe. Everything of the seam in backend.h; the rules of its life are in life.h, those of the first words in
 * handshake.h, of a process's end in supervise/child.h.
 */
#ifndef SLUICE_BACKEND_STDIO_H
#define SLUICE_BACKEND_STDIO_H

#include "backend/backend.h"
#include "base/log.h"
#include "supervise/child.h"

/* `conf` and `events` must outlive it (`configure` gives another); its lines in the log bear its name. `seed` spreads
 * its restarts. */
struct backend *stdio_backend_new(struct loop *l, struct supervisor *s, const struct backend_conf *conf,
        const struct backend_events *events, void *arg, const struct logger *lg, uint64_t seed);

/* It is for one client, or one kind of client. Before it is started. */
void stdio_backend_dedicate(struct backend *b, const struct backend_for *whom);

#endif
