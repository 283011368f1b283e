/*
 * The requestStates that we give to modern clients with input_required (MCP 2026-07-28). They are sealed, bound to the
 * request (its method, name and arguments), good until a point in time and only in this process. Whether one was used
 * before is for those to know who have given it.
 */
#ifndef SLUICE_GATEWAY_REQUEST_STATE_H
#define SLUICE_GATEWAY_REQUEST_STATE_H

#include "gateway/gateway.h"
#include "gateway/park_token.h"
#include "json/write.h"

struct slot;

#define REQUEST_STATE_FAULT "requestState is not valid or has expired"

/* There are keys to seal one with. */
bool request_state_can(const struct gateway *gw);

/* Appends one. `purpose` tells the kinds apart; the claims' process and time are put in here. */
void request_state_put(
        struct gateway *gw, struct span purpose, struct park_claims *claims, msec_t valid_ms, struct buf *out);

/* The request has one that looks like ours; no server may see it. */
bool request_state_is_ours(const struct message *m);

/* ... and it is one of this purpose, in time, and of this very request. */
bool request_state_open(struct gateway *gw, struct span purpose, const struct message *m, struct park_claims *claims);

/*
 * The result around them: input_required_open leaves the writer where the questions go, each a key and an object;
 * input_required_put_question writes that object. `state` is the text of the requestState.
 */
void input_required_open(struct json_writer *w);
void input_required_close(struct json_writer *w, const struct gateway *gw, struct span state);

/* Params as the server wrote them (raw JSON, or not set), but for the id by which legacy revisions follow up a page. */
void input_required_put_question(struct buf *out, struct span method, struct span params);

/*
 * A state that is not ours is for the server that has given it. A legacy server gives none, so there such a request is
 * refused, and nothing is run anew for it. Whether a server is one is known when it has said what it is.
 */
const char *retry_fault(const struct message *m); /* why a legacy server cannot have the request; NULL: it can */
bool retry_is_refused(const struct call *c, const struct slot *slot);
void retry_greeted(struct slot *slot); /* those that waited for that */

#endif
