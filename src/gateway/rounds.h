/*
 * Rounds: a modern server that needs something of a client ends the request with what it asks for (input_required, MCP
 * 2026-07-28). For a legacy client the gateway does in its place what a modern one would do: it asks the client on the
 * call's own stream, as a legacy server would have done, and sends the request again with the answers and the server's
 * requestState, until there is a result. A server may also just want it to be sent again after a while.
 *
 * There is no place for an error among the answers, and nothing is made up: when one cannot be had, the call ends, with
 * a sentence that says which. What belongs to the rounds of a call lives as long as the call.
 */
#ifndef SLUICE_GATEWAY_ROUNDS_H
#define SLUICE_GATEWAY_ROUNDS_H

#include "gateway/gateway.h"

#define ROUNDS_MAX 8        /* as the official SDK allows */
#define ROUNDS_PAUSE_MS 250 /* before a request is just sent again */
#define ROUND_INPUTS_MAX 32 /* at once */

struct input;
struct rounds;

/* The request may come back with questions: its text for the server is kept, that is, with its own names. */
void rounds_keep(struct call *c, const struct message *m, struct splice name);

/* A server's answer says that something is needed of the client of a call that may have rounds. */
bool rounds_are_needed(const struct call *c, const struct message *answer);

/* What it needs: asks the client. The call has left the server, and either goes there again or ends. */
void rounds_begin(struct call *c, const struct message *answer);

/* The client has answered one of them. */
void rounds_answered(struct call *c, struct input *input, const struct message *m);

/* The client can answer no more. */
void rounds_lost(struct call *c);

void rounds_free(struct call *c);

#endif
