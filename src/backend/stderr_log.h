/*
 * What a server writes to its stderr, line by line into our log: long lines cut, floods counted instead. stderr is
 * free text and no sign of an error (MCP, stdio transport). Embedded in the backend.
 */
#ifndef SLUICE_BACKEND_STDERR_LOG_H
#define SLUICE_BACKEND_STDERR_LOG_H

#include "backend/lines.h"
#include "backend/rate.h"
#include "base/log.h"

#define STDERR_LINE_MAX 1024
#define STDERR_LINES_PER_S 100
#define STDERR_LAST_MAX 160

struct stderr_log {
	const struct logger *log;
	struct lines lines;
	struct rate rate;
	char last[STDERR_LAST_MAX]; /* the beginning of the last line that is not empty; "": none yet */
};

void stderr_log_init(struct stderr_log *s, const struct logger *log, mono_t now);
void stderr_log_feed(struct stderr_log *s, struct span bytes, mono_t now);

/* End of file: the last line, and how many were left out. */
void stderr_log_end(struct stderr_log *s, mono_t now);
void stderr_log_clear(struct stderr_log *s);

#endif
