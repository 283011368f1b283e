/*
 * JSON laid out for people: one member to a line, indented by two spaces. Only white space between the tokens changes:
 * numbers, escapes and the order of keys stay as they are. Pure.
 */
#ifndef SLUICE_CLI_PRETTY_H
#define SLUICE_CLI_PRETTY_H

#include "base/buf.h"

/* `json` has been accepted by json_scan. No line feed at the end. */
void pretty_put(struct buf *out, struct span json);

#endif
