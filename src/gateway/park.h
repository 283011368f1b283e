/*
 * Parked calls: a modern client cannot be asked while its call runs, so a legacy server that asks something makes the
 * call end for its client, with the questions as the result (input_required, MCP 2026-07-28), while it goes on waiting
 * at the server. The client's retry, a request of its own, brings the answers and a requestState of ours by which the
 * call is found again; it goes on from there, to the next question or to its end.
 *
 * The requestState is sealed, bound to the request (its method, name and arguments), good for one use and only until
 * the call's time is up, and only in the process that holds the call. What cannot be redeemed is refused: nothing is
 * run twice.
 *
 * A park belongs to its call, as long as something is asked or the client is to come back.
 */
#ifndef SLUICE_GATEWAY_PARK_H
#define SLUICE_GATEWAY_PARK_H

#include "gateway/gateway.h"

#define PARKS_MAX 1024        /* in all; beyond, servers cannot ask */
#define PARK_QUESTIONS_MAX 32 /* at once, of one call */
#define PARK_SIBLINGS_MS 20   /* so long others that the server asks in the same breath are waited for */

struct park;

struct parks {
	struct map by_number;
	uint64_t last_number;
	unsigned parked; /* calls whose clients are to come back */
};

/* A server asks something for this call of a modern client. False: that cannot be; *code and *why say it. */
bool park_ask(struct call *c, const struct backend_ask *ask, const struct message *m, int *code, const char **why);

/* The server has taken it back; false: it is none of this call's. */
bool park_ask_ended(struct call *c, uint64_t id);

/* The server works for the call no more, or nobody will answer: what is still asked is answered so. */
void park_leave(struct call *c);

/* The retry of a parked call, with a requestState of ours: the call goes on for this client. NULL: it cannot be redeemed, and *fault says why. */
struct call *park_resume(struct gateway *gw, struct session *session, int scope, const struct message *m,
        const struct request_meta *meta, const struct reply_port *port, void *arg, const char **fault);

#endif
