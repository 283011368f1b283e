/*
 * A listening TCP socket: it accepts, a bounded number per turn, and survives a process without free descriptors. It
 * knows nothing of what is spoken on the connections; the descriptors that it hands over (non-blocking, close-on-exec,
 * TCP_NODELAY) are the taker's.
 */
#ifndef SLUICE_NET_LISTENER_H
#define SLUICE_NET_LISTENER_H

#include "base/log.h"
#include "loop/loop.h"
#include "net/address.h"

struct listener;

struct listener_events {
	void (*accepted)(void *arg, int fd, const struct address *peer);
	/* There is no descriptor left but the reserve that `fd` sits on: say so and close it before returning. */
	void (*starved)(void *arg, int fd);
};

/* `address` as address_parse takes it; port 0 picks one. NULL and a sentence on failure. */
struct listener *listener_open(struct loop *l, struct span address, const struct listener_events *events, void *arg,
        const struct logger *lg, struct err *e);

/*
 * The same on a socket that listens already and that others have, too: a service manager, which keeps it when we go, or
 * a process that accepts beside us (inherited.h). So nothing is done to it that would outlast us or hurt them: it is
 * neither shut down nor filtered, and what waits in its backlog at our end is left to who comes next. `fd` is taken
 * over, also on failure.
 */
struct listener *listener_adopt(struct loop *l, int fd, const struct listener_events *events, void *arg,
        const struct logger *lg, struct err *e);
bool listener_is_shared(const struct listener *l);

const struct address *listener_address(const struct listener *l); /* as bound */

/*
 * The end, part one: the kernel drops the first segment of every new connection (SO_ATTACH_FILTER, socket(7)). Who has
 * connected or is about to is still accepted; who comes now tries again a second later (TCP's own retry) and hears then
 * that nobody listens, which any client may repeat elsewhere. Without this, a connection that is completed between the
 * last accept() and the end of the process is reset. Where the kernel does not allow it, it is as if it had not been
 * called. A shared socket is not accepted from any more: who comes now waits for the next process.
 */
void listener_refuse_new(struct listener *l);

/* The end, part two: accepts what waits in the backlog, until there is nothing. Follow it by the end of the process, or
 * by listener_close, at once: what arrives between the two is reset by the kernel. Nothing is done to a shared one. */
void listener_drain(struct listener *l);

void listener_close(struct listener **l);

#endif
