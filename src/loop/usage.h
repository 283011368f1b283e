/*
 * What the kernel says that this process uses: for metrics. Reading it takes some tens of microseconds and never
 * blocks, for it comes from /proc/self and from no disk. What cannot be read is 0.
 */
#ifndef SLUICE_LOOP_USAGE_H
#define SLUICE_LOOP_USAGE_H

#include "base/clock.h"

struct usage {
	msec_t cpu_ms; /* of all threads, since the start */
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_fds, max_fds; /* max: the soft limit */
	uint64_t threads;
};

void usage_read(struct usage *u);

#endif
