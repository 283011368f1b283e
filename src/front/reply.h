/*
 * The reply to a POST that holds requests: one, or those of a batch. Its head waits for the first message: if that is
 * the answer, the reply is plain JSON; anything else, or 15 s of silence, makes it a stream. It owns itself: it ends
 * with the last answer, or when the client leaves. But a stream that is kept goes on without its client, who may come
 * back for the rest of it.
 */
#ifndef SLUICE_FRONT_REPLY_H
#define SLUICE_FRONT_REPLY_H

#include "front/replay.h"
#include "gateway/gateway.h"
#include "net/http_server.h"

struct reply;

/* `batch`: answers go into an array, also a single one. */
struct reply *reply_new(struct gateway *gw, struct sched *sched, struct http_exchange *ex,
        const struct http_request *req, unsigned count, bool batch);

/* Should it become a stream, its events get ids and are kept for this session. For single requests only. */
void reply_keep(struct reply *r, struct replay *replay, const struct session *session);

/* What to submit the request number `i` with; and the call that came of it. */
extern const struct reply_port reply_port;
void *reply_part(struct reply *r, unsigned i);
void reply_expect(struct reply *r, unsigned i, struct call *call);

/* An answer that needed no call: the error of a request that was refused. */
void reply_add(struct reply *r, struct span json);

/* All requests of the batch are submitted: the reply ends if nothing is due. False: there was nothing to answer at all;
 * the exchange is the caller's again. */
bool reply_submitted(struct reply **r);

/* Gives the exchange back without a word. */
void reply_cancel(struct reply **r);

#endif
