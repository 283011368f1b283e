/*
 * The front over stdio: one client, one message per line on stdin and stdout (MCP 2025-11-25 and 2026-07-28,
 * Transports, stdio). The end of stdin is the client's way to ask us to stop; answers that are due are still written.
 */
#ifndef SLUICE_FRONT_STDIO_FRONT_H
#define SLUICE_FRONT_STDIO_FRONT_H

#include "gateway/gateway.h"
#include "loop/loop.h"

struct stdio_front;

struct stdio_front_conf {
	int in, out;           /* any kind of descriptor; never made non-blocking */
	size_t max_line_bytes; /* a longer one is answered with an error and skipped */
	unsigned max_depth;
};

/* `eof` is called once, when stdin is at its end or nobody reads stdout any more. */
struct stdio_front *stdio_front_new(struct loop *l, const struct stdio_front_conf *conf, struct gateway *gw,
        void (*eof)(void *arg), void *arg, const struct logger *lg, struct err *e);
void stdio_front_free(struct stdio_front **f);

/*
 * The client has closed its end of stdin, though `eof` may not have been called yet: while it does not read its answers
 * its requests are not read either, and the end of file stands behind them.
 */
bool stdio_front_is_hung_up(const struct stdio_front *f);

/* Servers' answers that stdout's reader has not taken, for the last line. */
uint64_t stdio_front_undelivered(const struct stdio_front *f);

/* Writes what is left, at most until the deadline, then calls `done` once. */
void stdio_front_close(struct stdio_front *f, mono_t deadline, void (*done)(void *arg), void *arg);

#endif
