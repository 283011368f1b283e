/*
 * The ports of `serve`, main and admin: each is a socket that was handed to us (net/inherited.h), or one that is made
 * where an option says. Whoever listens beyond this machine must say that it is meant, or speak TLS.
 */
#ifndef SLUICE_CLI_PORTS_H
#define SLUICE_CLI_PORTS_H

#include "cli/options.h"
#include "front/http_front.h"
#include "net/inherited.h"

struct ports {
	const struct cli_options *options;
	struct inherited inherited;
	struct err misfit; /* why a socket that was handed over cannot be served; empty: it can */
};

/* Are the options addresses? */
bool ports_are_addresses(const struct cli_options *options, struct err *e);

/* Takes what was handed over, and its variables out of the process's environment: they are meant for us, and for no
 * child. */
void ports_find(struct ports *p, const struct cli_options *options, const char *const *environment);

/* May they be open to whom they are open to? `tls` is that of the configuration, or NULL. */
bool ports_are_safe(const struct ports *p, const struct tls_context *tls, struct err *e);

/* Listens. What was handed over and is not served is closed and told of. */
bool ports_listen(
        struct ports *p, struct http_front *front, struct tls_context *tls, const struct logger *lg, struct err *e);

#endif
