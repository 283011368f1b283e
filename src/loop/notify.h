/*
 * Tells the service manager that has started us how we are, by the protocol of sd_notify(3): datagrams of lines
 * "NAME=value" to the unix socket that NOTIFY_SOCKET names, by its path or, after an '@', in the abstract namespace.
 * The protocol is all there is to it, and libsystemd cannot be linked statically, so this is our own.
 *
 * Nothing blocks. What the manager has no room for waits, in order, and is tried again; of more than NOTIFY_WAITING_MAX
 * messages the oldest is dropped, for the newest tells what is.
 *
 * All take a NULL for a manager that does not want to know.
 */
#ifndef SLUICE_LOOP_NOTIFY_H
#define SLUICE_LOOP_NOTIFY_H

#include "base/log.h"
#include "loop/loop.h"

#define NOTIFY_WAITING_MAX 16

struct notify;

/* `to` as NOTIFY_SOCKET has it. NULL when that is NULL or empty, or no such address (which is logged). */
struct notify *notify_open(struct loop *l, const char *to, const struct logger *lg);
void notify_close(struct notify **n); /* what waits is lost */

/* One message: "READY=1", or several lines, of at most 1 KiB; what is longer is cut. */
void notify_send(struct notify *n, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* From now on, and as long as the loop turns: WATCHDOG=1, in half of `limit_ms`, the time after which the manager takes
 * us for hung. 0: no more. */
void notify_watchdog(struct notify *n, msec_t limit_ms);

#endif
