/*
 * The stream of a session for what belongs to no call: a GET on the endpoint. It has no end of its own: it ends when
 * the client leaves, the session is deleted, or the gateway drains. It owns itself.
 */
#ifndef SLUICE_FRONT_NEWS_STREAM_H
#define SLUICE_FRONT_NEWS_STREAM_H

#include "gateway/gateway.h"
#include "net/http_server.h"

void news_stream_open(struct gateway *gw, struct sched *sched, struct session *session, int scope,
        struct http_exchange *ex, const struct http_request *req);

#endif
