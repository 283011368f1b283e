/*
 * One tools/call of a oneshot, as an MCP client makes it: a session, a request with a progress token, and a
 * cancellation when the work is cut short. What the server tells meanwhile is shown on the terminal.
 */
#ifndef SLUICE_CLI_ASK_H
#define SLUICE_CLI_ASK_H

#include "cli/oneshot.h"

/*
 * `tool` is the name as the server of the scope knows it, `arguments` a JSON object. Appends the whole answer, result
 * or error, to `answer`. When the work was cut short the server has been told, and that is all.
 */
enum end_reason ask_tool(struct oneshot *o, int scope, struct span tool, struct span arguments, struct buf *answer);

#endif
