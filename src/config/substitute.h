/*
 * Placeholders in a string value of the configuration, after parsing, so that no value can break the file's syntax:
 *
 *	${NAME} ${env:NAME}    an environment variable; an error when it is not set
 *	${NAME:-default}       ... or the default when it is not set or empty
 *	${file:/path}          what stands in a regular file, without one line feed at its end: mounted Secrets
 *	$${                    a literal ${
 *
 * What is put in is not looked at again.
 */
#ifndef SLUICE_CONFIG_SUBSTITUTE_H
#define SLUICE_CONFIG_SUBSTITUTE_H

#include "base/arena.h"
#include "base/err.h"
#include "config/files.h"

#define SUBSTITUTE_MAX_BYTES ((size_t)1 << 20) /* of one value: a Kubernetes Secret is not larger */

/*
 * *out is NUL-terminated, in the arena, and free of NULs. `e` never quotes the value. `files`, unless NULL, is told of
 * the files that it names.
 */
bool substitute(struct arena *a, struct span text, const char *const *environment, struct config_files *files,
        struct span *out, struct err *e);

#endif
