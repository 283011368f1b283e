/*
 * subscriptions/listen: how a modern client hears of what belongs to no request. A listen is acknowledged with what of
 * its wishes can be had, for which its servers are asked first, is fed by the same news as the streams of legacy
 * sessions, and ends with a result when the gateway stops or its server is gone; every message names the request that
 * opened it. It is no call: its acceptance and its acknowledgement are all that the ledger knows, and nothing waits for
 * its end.
 *
 * The gateway owns listens; a front hears `ended` once, or lets go of one by gateway_unlisten. For the gateway's own
 * sources; fronts see gateway.h.
 */
#ifndef SLUICE_GATEWAY_LISTEN_H
#define SLUICE_GATEWAY_LISTEN_H

#include "gateway/gateway.h"
#include "gateway/subscriptions.h"

#define LISTENS_MAX 10000          /* in all; beyond: overloaded */
#define LISTENS_PER_SESSION_MAX 64 /* of one client over stdio */

struct listen {
	struct list node; /* in the gateway */
	struct gateway *gw;
	struct session *local;        /* of a front that is one client; NULL over HTTP */
	struct subscriber subscriber; /* of resources and tasks */
	int scope;
	unsigned topics; /* of enum listen_topic (listen_filter.h): those that can be had */
	bool acknowledged;
	uint64_t serial; /* among all, for its moment to end */
	struct post post;
	struct timer patience; /* with servers that do not say whether they agree */
	struct timer goodbye;
	const struct listen_port *port;
	void *arg;
	struct span id; /* the request's, raw JSON, in `bytes` */
	char bytes[];
};

/* A resource that it listens for was updated; raw JSON. */
void listen_updated(struct listen *l, struct span uri);

/* How a task stands for which it listens. */
struct slot;
void listen_task_news(struct listen *l, const struct slot *slot, const struct message *m);

/* Servers have said what they agree to: some listens may be acknowledged. */
void listens_settle_soon(struct gateway *gw);

void listen_end(struct listen *l); /* in good order; it is gone then */

void listens_changed(struct gateway *gw);             /* tells what is marked as changed */
void listens_end(struct gateway *gw, msec_t over_ms); /* as gateway_end_pushes */
void listens_keep(struct gateway *gw);
void listens_forget(struct gateway *gw); /* without a word */

/* Lets go of the one that a client asked for with this id; false: there is none. */
bool listens_cancel(struct gateway *gw, const struct session *local, struct span id);

#endif
