/*
 * The result of a tools/call as a person reads it: texts as they are, a note for what a terminal cannot show, and the
 * structured content laid out, unless a text says the same. Pure.
 */
#ifndef SLUICE_CLI_RESULT_H
#define SLUICE_CLI_RESULT_H

#include "base/buf.h"

/* `result` is a CallToolResult that json_scan has accepted. Ends in a line feed. */
void result_put(struct buf *out, struct span result);

/* It says isError. */
bool result_is_error(struct span result);

#endif
