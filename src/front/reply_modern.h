/*
 * The reply to a request of the modern revision: JSON if its answer is the first message, else a stream, without ids,
 * for nothing is resumed. A client that leaves has cancelled. It owns itself: it ends with the answer, or when the
 * client leaves.
 */
#ifndef SLUICE_FRONT_REPLY_MODERN_H
#define SLUICE_FRONT_REPLY_MODERN_H

#include "gateway/gateway.h"
#include "net/http_server.h"

/* Submits the request and answers the exchange, now or later. */
void reply_modern(struct gateway *gw, struct sched *sched, int scope, struct http_exchange *ex,
        const struct http_request *req, const struct message *m, const struct request_meta *meta);

/* The HTTP status of an answer that is the first thing said: errors that the revision gives one keep it. */
int reply_modern_status(enum method method, enum end_reason why, const struct pieces *json);

#endif
