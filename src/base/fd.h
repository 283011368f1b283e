/*
 * File descriptors: -1 means none, and every one that we make is close-on-exec.
 */
#ifndef SLUICE_BASE_FD_H
#define SLUICE_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Closes *fd if it is open and sets it to -1. */
void fd_close(int *fd);

/* Hands the descriptor over: the variable forgets it. */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* A descriptor that closes itself at the end of its scope unless it is taken. */
#define AUTO_FD __attribute__((cleanup(fd_close)))

bool fd_set_nonblocking(int fd, struct err *e);

/* A pipe, both ends close-on-exec and blocking. */
bool fd_pipe(int ends[2], struct err *e);

/* Reads up to the end, at most `max` bytes, into a NUL-terminated buffer from malloc. `e` does not say what was read.
 */
bool fd_read_all(int fd, size_t max, char **text, size_t *n, struct err *e);

/* Reads a whole file of at most `max` bytes into a NUL-terminated buffer from malloc. */
bool fd_read_file(const char *path, size_t max, char **text, size_t *n, struct err *e);

#endif
