/*
 * Where the configuration comes from: a flag, the environment, or the usual place (interface.md, section 2).
 */
#ifndef SLUICE_CONFIG_SOURCE_H
#define SLUICE_CONFIG_SOURCE_H

#include "base/err.h"
#include "config/config.h"

struct config_text {
	const char *source; /* in the arena */
	char *text;         /* from malloc, the caller's to free */
	size_t n;
};

/*
 * The first place that is named is the one: a file that was named and cannot be read is an error. `files`, unless NULL,
 * is told of it.
 */
bool source_read(const struct config_sources *from, struct arena *a, struct config_files *files,
        struct config_text *out, struct err *e);

#endif
