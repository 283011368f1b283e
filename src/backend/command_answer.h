/*
 * What a run of a program becomes for the client that called it: the result of tools/call, or an error, as a JSON-RPC
 * message. What was wrong with the arguments is a result too (isError), so that the model can read it and try again.
 */
#ifndef SLUICE_BACKEND_COMMAND_ANSWER_H
#define SLUICE_BACKEND_COMMAND_ANSWER_H

#include "backend/run.h"

/* Its stdout; with its stderr and how it ended when that was not well. Bytes that are no UTF-8 become U+FFFD. */
void command_answer_run(struct buf *out, uint64_t id, const struct run_result *r);

/* A result that is an error of the tool. */
void command_answer_fault(struct buf *out, uint64_t id, const char *sentence);

/* An error of the protocol. */
void command_answer_error(struct buf *out, uint64_t id, int code, const char *sentence);

#endif
