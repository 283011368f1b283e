/*
 * Socket addresses as text: "127.0.0.1:8080", "[::1]:0", ":8080" (all interfaces, both families). Numbers and
 * "localhost" only: looking names up is somebody else's work.
 */
#ifndef SLUICE_NET_ADDRESS_H
#define SLUICE_NET_ADDRESS_H

#include <sys/socket.h>

#include "base/err.h"
#include "base/span.h"

#define ADDRESS_TEXT_MAX 56 /* of an IPv6 address in brackets, its port and the NUL */

struct address {
	struct sockaddr_storage any;
	socklen_t size;
};

bool address_parse(struct span text, struct address *a, struct err *e);

/* An IPv4 address in IPv6's clothes (::ffff:1.2.3.4) is shown without them. */
void address_format(const struct address *a, char text[ADDRESS_TEXT_MAX]);

bool address_is_loopback(const struct address *a);

#endif
