/*
 * Which proxy, if any, leads to an origin: HTTP_PROXY, HTTPS_PROXY and NO_PROXY as curl and others read them. Pure; the
 * environment is read by those who may.
 */
#ifndef SLUICE_NET_PROXY_H
#define SLUICE_NET_PROXY_H

#include "http/url.h"

struct proxy_conf {
	struct span http, https; /* the values of HTTP_PROXY and HTTPS_PROXY; not set or empty: none */
	struct span none; /* of NO_PROXY: "*", or names with or without a leading dot, addresses, a.b.c.d/n, :port */
};

/*
 * *use tells whether there is one for `origin`, and *proxy which: an http URL, without a scheme in the text too. False
 * and a sentence when its text cannot be understood.
 */
bool proxy_for(const struct proxy_conf *conf, const struct url *origin, bool *use, struct url *proxy, struct err *e);

/* The rule of NO_PROXY by itself. */
bool proxy_is_spared(struct span none, struct span host, unsigned port);

#endif
