/*
 * A server of 2025-11-25 may refuse a request until its user has been at a page (error -32042). What that becomes
 * depends on the client:
 *
 *	- a modern one gets it as a question, like all others (input_required), and its retry runs the request again;
 *	- a legacy one that can be asked to open a page gets the error as it is, with ids that no other server has;
 *	- for one that cannot, the result of a tool says it in words; elsewhere the error stays.
 */
#ifndef SLUICE_GATEWAY_URL_NEEDED_H
#define SLUICE_GATEWAY_URL_NEEDED_H

#include "gateway/gateway.h"

#define REDOS_MAX 1024 /* that wait for their client at once; beyond, the oldest is forgotten */

/* The requests that may be sent once more, by number: bit n % REDOS_MAX of the last ones that were given out. */
struct redos {
	uint64_t last;
	uint64_t open[REDOS_MAX / 64];
};

/* True: the client of the call gets what is in its `answer` now, in the place of the server's. */
bool url_needed_answers(struct call *c, const struct message *answer, enum end_reason *why);

/* A retry with a requestState of ours that parks nothing: may it be run again? `fault`: what to say if not. */
enum redo { REDO_RUNS, REDO_DECLINED, REDO_REFUSED };
enum redo url_needed_redeem(struct gateway *gw, const struct message *m, const char **fault);

#endif
