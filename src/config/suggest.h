/*
 * "Did you mean ...?": the known word that is nearest to one that was mistyped.
 */
#ifndef SLUICE_CONFIG_SUGGEST_H
#define SLUICE_CONFIG_SUGGEST_H

#include "base/span.h"

struct suggestion {
	struct span wrong;
	const char *best; /* NULL: nothing is near enough */
	unsigned distance;
};

struct suggestion suggestion_for(struct span wrong);

/* Keeps the candidate if it is nearer than all before. */
void suggestion_offer(struct suggestion *s, const char *candidate);

#endif
