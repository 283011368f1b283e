/*
 * A server of which each client session has a part of its own: a process, or a session at an HTTP server. In front it
 * is one backend; behind it is one more of the same kind, the main one, which the lists come from and whose health is
 * shown, and a member for each client session that calls. Clients without a session share a member with those that can
 * do the same for the server.
 *
 * A member begins with its first call and ends with its client session, for want of use, or when it falls while nobody
 * waits for it. It knows no transport: what is behind comes from a function.
 */
#ifndef SLUICE_BACKEND_ISOLATED_H
#define SLUICE_BACKEND_ISOLATED_H

#include "backend/backend.h"
#include "base/log.h"
#include "base/sched.h"

struct isolated_maker {
	/* One more of the same, for whom it is told here; what it is told lives as long as it does. */
	struct backend *(*make)(void *arg, const struct backend_conf *conf, const struct backend_for *whom,
	        const struct backend_events *events, void *events_arg);
	void *arg; /* lives as long as the backend */
	/* True when a client's calls stand alone at this server, so that the main one serves them. NULL: never. */
	bool (*needs_none)(const struct backend *main, const struct backend_client *client);
	size_t max; /* members; beyond, calls are refused as overloaded. 0: maxProcesses of the configuration */
};

struct backend *isolated_backend_new(struct sched *sched, const struct backend_conf *conf,
        const struct isolated_maker *maker, const struct backend_events *events, void *arg, const struct logger *lg);

#endif
