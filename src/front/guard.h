/*
 * Who may talk to us from where: the checks of Host and Origin that keep web pages from reaching a gateway on the
 * visitor's machine (DNS rebinding; MCP 2025-11-25, Transports, Security Warning), and the CORS headers for origins
 * that are allowed. Pure.
 */
#ifndef SLUICE_FRONT_GUARD_H
#define SLUICE_FRONT_GUARD_H

#include "http/head.h"

struct guard_conf {
	const char *const
	        *hosts; /* names without ports, NULL-terminated; NULL: loopback names if `loopback`, else any */
	const char *const *origins; /* "https://app.example" or "*"; NULL: loopback origins if `loopback`, else none */
	bool loopback;              /* we are bound to a loopback address */
};

/* True if the address that we listen on ("127.0.0.1:8080", "[::1]:0") can be reached from this machine only. */
bool guard_is_loopback(struct span address);

/* 0, or 403. Requests without Origin pass that check: they do not come from a web page. */
int guard_check(const struct guard_conf *conf, const struct request_head *head);

#endif
