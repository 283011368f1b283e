/*
 * Listening sockets that whoever has started us has opened for us, by the protocol of sd_listen_fds(3) ("socket
 * activation"): LISTEN_FDS descriptors from 3 on, if LISTEN_PID is us, named by LISTEN_FDNAMES. They live longer than
 * we do: who connects while nobody accepts waits in them for our successor, and is not refused.
 *
 * One is for clients and one, called "admin", for the admin port. What else a socket is called does not matter: systemd
 * gives it the name of its unit when the unit says nothing.
 */
#ifndef SLUICE_NET_INHERITED_H
#define SLUICE_NET_INHERITED_H

#include "net/address.h"

#define INHERITED_FIRST 3 /* as the protocol has it */

struct inherited_socket {
	int fd; /* close-on-exec; -1: there is none */
	char address[ADDRESS_TEXT_MAX];
};

struct inherited {
	struct inherited_socket http, admin;
};

/* The variables' texts, NULL where they are not set. */
struct inherited_conf {
	const char *pid, *fds, *names;
	int first; /* INHERITED_FIRST, but for tests */
};

/* Takes them over. False and a sentence for what cannot be served: no TCP socket, none that listens, two for one port.
 */
bool inherited_take(const struct inherited_conf *conf, struct inherited *out, struct err *e);

/* Closes those that are not taken from it. */
void inherited_clear(struct inherited *in);

#endif
