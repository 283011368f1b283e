/*
 * A pump carries bytes between a descriptor that the loop must not touch and a socket of ours that it can watch. Stdin
 * and stdout are such descriptors: they may be files, which cannot be polled, or descriptions that are shared with
 * other processes, whose O_NONBLOCK is not ours to set. Each pump is a thread that blocks in read and write and does
 * nothing else.
 */
#ifndef SLUICE_LOOP_PUMP_H
#define SLUICE_LOOP_PUMP_H

#include "base/err.h"

/* What is read from `fd` comes out of the descriptor returned, up to the end of file; -1 and a sentence on failure. */
int pump_in(int fd, struct err *e);

/*
 * What is written into the descriptor returned goes to `fd`. After shutdown(SHUT_WR) the end of file can be read from
 * it as soon as all has arrived at `fd`; earlier, if `fd` takes no more (its reader is gone).
 */
int pump_out(int fd, struct err *e);

#endif
