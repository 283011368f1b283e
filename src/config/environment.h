/*
 * An environment as execve takes it: "NAME=value", NULL-terminated. Ours is given by main; a child's is made here, from
 * a few harmless variables of ours and what the configuration names, so that no secret of the gateway leaks into it.
 */
#ifndef SLUICE_CONFIG_ENVIRONMENT_H
#define SLUICE_CONFIG_ENVIRONMENT_H

#include "base/arena.h"

/* NULL: not set. `environment` may be NULL. */
const char *environment_get(const char *const *environment, struct span name);

/* A name that a shell could set: letters, digits, underscores, no digit first. */
bool environment_name_is_valid(struct span name);

struct environment_entry {
	struct span name;
	const char *value; /* NULL: taken out, whatever else says so */
};

/* For a child: the harmless ones and those in `inherit` (may be NULL) from `ours`, then `own`, which wins. */
const char *const *environment_for_child(struct arena *a, const char *const *ours, const char *const *inherit,
        const struct environment_entry *own, size_t own_count);

#endif
