/*
 * What the sources of the asks share: ask_route.c decides what becomes of a server's request, asks.c keeps those that
 * clients are asked until they are answered or end.
 */
#ifndef SLUICE_GATEWAY_ASKS_PRIVATE_H
#define SLUICE_GATEWAY_ASKS_PRIVATE_H

#include "gateway/gateway_private.h"

/* Whom to ask, and where. */
struct target {
	struct session *session;
	struct call *call;
	struct push *push; /* if there is no call */
};

/* asks.c */
void ask_answer_error(struct slot *slot, uint64_t id, int code, const char *sentence); /* to the server */
void ask_deliver(struct slot *slot, const struct backend_ask *from, const struct target *to, const struct message *m);

/* ask_route.c: the capability that it takes (of enum client_capability); 0: nobody can be asked that */
unsigned ask_needs(const struct message *m);
bool ask_is_of_url(const struct message *m);

#endif
