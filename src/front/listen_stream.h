/*
 * The reply to subscriptions/listen over HTTP: a stream of news of the modern revision, which begins with the
 * acknowledgement and ends with a result when the gateway ends it. It owns itself.
 */
#ifndef SLUICE_FRONT_LISTEN_STREAM_H
#define SLUICE_FRONT_LISTEN_STREAM_H

#include "gateway/gateway.h"
#include "net/http_server.h"

/* Answers the exchange: with the stream, or with why there is none. */
void listen_stream_open(struct gateway *gw, struct sched *sched, int scope, struct http_exchange *ex,
        const struct http_request *req, const struct message *m);

#endif
