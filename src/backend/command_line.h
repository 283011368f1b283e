/*
 * A command-line program as a server: its tools are its subcommands, found from its help text (discovery.h) or written
 * in the configuration, and a call runs it once (run.h). Between two calls there is no process. Everything of the seam
 * in backend.h: it is starting while it looks for the tools, and ready when it has found them; it is never idle, for
 * there is nothing to stop.
 *
 * At most maxProcesses run at a time, others wait for their turn. A call that is taken back, or whose time is up, stops
 * its process by the ladder, from SIGTERM on, and the next one has its place when that is gone.
 */
#ifndef SLUICE_BACKEND_COMMAND_LINE_H
#define SLUICE_BACKEND_COMMAND_LINE_H

#include "backend/backend.h"
#include "base/log.h"
#include "supervise/child.h"

/* Like stdio_backend_new. */
struct backend *command_line_new(struct loop *l, struct supervisor *s, const struct backend_conf *conf,
        const struct backend_events *events, void *arg, const struct logger *lg, uint64_t seed);

#endif
