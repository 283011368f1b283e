/*
 * One line of the log, as bytes: the pure half of log.h. Bytes that come from a peer cannot break out of it: control
 * characters, what moves a terminal's cursor or reorders its text, and bytes that are not UTF-8 are escaped in both
 * formats. A line is at most PIPE_BUF bytes, which a pipe takes as a whole (pipe(7)), so that lines of several writers
 * do not mix; what does not fit is cut, and the line says so by cut=true.
 *
 *	2026-11-22T11:00:00.123Z info  the server answers  event=backend_ready module=backend backend=github tools=12
 *	{"ts":"2026-11-22T11:00:00.123Z","level":"info","event":"backend_ready","msg":"the server answers", ...}
 */
#ifndef SLUICE_BASE_LOG_LINE_H
#define SLUICE_BASE_LOG_LINE_H

#include "base/log.h"

#define LOG_LINE_MAX 4096
#define LOG_VALUE_MAX 2048 /* of one field, as written */

struct log_line {
	int64_t wall_ms;
	enum log_level level;
	const char *event, *msg;
	const char *module;            /* NULL: none */
	const struct log_field *about; /* key NULL: none */
	const struct log_field *fields;
	size_t n;
};

/* Ends in a newline; returns its length. */
size_t log_line_format(char out[LOG_LINE_MAX], enum log_format format, const struct log_line *line);

#endif
