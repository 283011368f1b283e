/*
 * One TCP connection to a host: its name is looked up, then its addresses are tried in order, the next one when one has
 * failed or after 250 ms (RFC 8305), and the first that answers is taken. It has no deadline: who dials has one.
 */
#ifndef SLUICE_NET_DIAL_H
#define SLUICE_NET_DIAL_H

#include "loop/loop.h"
#include "loop/resolve.h"

struct dial;

struct dial_events {
	/* A non-blocking descriptor, TCP_NODELAY, with keep-alive probes; the taker's from here on. */
	void (*connected)(void *arg, int fd);
	void (*failed)(void *arg, const char *sentence);
};

/* One of the events comes, once, and not from inside this call; the dial is gone with it. `host` is copied. */
struct dial *dial_start(struct loop *l, struct resolver *r, struct span host, unsigned port,
        const struct dial_events *events, void *arg);

/* Nothing comes any more. *d becomes NULL; cancelling NULL does nothing. */
void dial_cancel(struct dial **d);

#endif
