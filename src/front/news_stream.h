/*
 * The stream of a session for what belongs to no call: a GET on the endpoint. It has no end of its own: it ends when
 * the client leaves, the session is deleted, or the gateway drains. Where events have ids it is kept for a while after
 * its client has left, and collects what comes, for one who comes back. It owns itself.
 */
#ifndef SLUICE_FRONT_NEWS_STREAM_H
#define SLUICE_FRONT_NEWS_STREAM_H

#include "front/replay.h"
#include "gateway/gateway.h"
#include "net/http_server.h"

/* A client is listening: another one must wait. A stream that is only kept does not count, and goes for a new one. */
bool news_stream_is_open(const struct session *session);

void news_stream_open(struct gateway *gw, struct sched *sched, struct replay *replay, struct session *session,
        int scope, struct http_exchange *ex, const struct http_request *req);

#endif
