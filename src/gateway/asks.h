/*
 * What servers ask of clients: sampling, elicitation, roots. A server that many clients share does not say whom it
 * means, so the one right client is found by what is certain, and nothing is guessed and nothing is sent to two:
 *
 *	- the call for which it is asked, if the transport tells;
 *	- else the one client whose calls are at that process, when all of them are one client's;
 *	- calls that wait for their client to come back do not count, but for one alone;
 *	- with none in flight, the client that the process is there for, if it has a stream open;
 *	- otherwise it is refused, counted and logged.
 *
 * An ask is delivered once, under an id of ours, on the stream of a call of that client or on its open stream. Only its
 * session can answer it, and once. It ends with its answer; or with its server, or because that takes it back (the
 * client is told); or when the client can answer no more (the server is told).
 *
 * Asks belong to the gateway: an ask is listed at its server, at its client's session and, if there is one, at the call
 * that waits for it.
 */
#ifndef SLUICE_GATEWAY_ASKS_H
#define SLUICE_GATEWAY_ASKS_H

#include "gateway/elicitations.h"
#include "gateway/gateway.h"

#define SLOT_PREFIX_MAX 48 /* a server's name and a slash */

struct slot;

struct asks {
	struct map by_number;
	uint64_t last_number;
	struct elicitations elicitations; /* those that go on after their answer */
};

/* From the backends. */
void asks_on_ask(void *arg, const struct backend_ask *ask, const struct message *m);
void asks_on_ask_ended(void *arg, uint64_t id);

/*
 * An elicitation with these params (raw JSON, or not set) is shown to that client. Returns the splice that gives its
 * id the server's name in front where there are several; `room` holds that as long as the splice lives.
 */
struct splice asks_elicitation_begun(
        struct slot *slot, struct session *session, struct span params, char room[SLOT_PREFIX_MAX]);

/* notifications/elicitation/complete: for the client that was asked. */
void asks_elicitation_complete(struct slot *slot, const struct message *m);

/* Whose calls are at a link? Each call of a modern client is a client of its own. `who`: NULL without a session.
 * `first`: that client's oldest call there that can be told something; NULL: none can. */
enum callers { CALLERS_NONE, CALLERS_ONE, CALLERS_MANY };
enum callers asks_callers(
        const struct slot *slot, const struct backend_link *link, struct session **who, struct call **first);

/*
 * Asks the client of a call something in the name of a modern server, which has ended the request meanwhile; the answer
 * goes to rounds_answered with `input`. `params` is raw JSON or not set. False: this client cannot be asked that.
 */
struct input;
bool asks_put(struct call *c, enum method method, struct span params, struct input *input);

/* Somebody has to answer before the server can go on with this call: its time stands still. */
bool asks_hold(const struct call *c);

/* Nothing can be shown on this call's stream any more. What is asked goes over to another call of the same client
 * there, or ends. */
void asks_call_left(struct call *c);

/* The client can answer no more. */
void asks_session_left(struct gateway *gw, struct session *session);

/* The gateway stops and waits for no answer any more: both sides are told. */
void asks_cut(struct gateway *gw);

/* Without a word: the server has stopped. */
void asks_forget(struct slot *slot);

#endif
