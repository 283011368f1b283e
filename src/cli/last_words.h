/*
 * The last line of `serve`: one event `shutdown_complete` in the log and the same object in the termination log, which
 * Kubernetes shows as the container's last message. On every path that ends: also when the start has failed. (The
 * backstop says a shorter one, for it knows less.)
 */
#ifndef SLUICE_CLI_LAST_WORDS_H
#define SLUICE_CLI_LAST_WORDS_H

#include "base/log.h"

/* interface.md, section 4; all zero but `reason` and `exit_code` when it has not come to anything. */
struct last_words {
	const char *reason;
	msec_t elapsed_ms, budget_ms;
	uint64_t completed, aborted, refused, late_connections;
	uint64_t backends_stopped, backends_killed, orphans_reaped;
	bool forced;
	int exit_code;
	const char *error; /* why the start has failed; NULL otherwise */
};

/*
 * Opens the termination log: `path`, or the place that Kubernetes gives to it. It is never created. -1 when it is not
 * there or cannot be written, which is no fault.
 */
int last_words_open(const char *path);

/* Nothing that goes wrong with `file` matters (-1: none); a log that stalls has room for this line. */
void last_words_say(const struct last_words *w, const struct logger *lg, int file);

#endif
