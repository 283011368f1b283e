/*
 * Elicitations by URL go on after their answer: the client has said that it will open a page, and the server says later
 * that what was to be done there is done. Who was asked is remembered here by the elicitation's id, for the last ones.
 * Pure.
 */
#ifndef SLUICE_GATEWAY_ELICITATIONS_H
#define SLUICE_GATEWAY_ELICITATIONS_H

#include "base/list.h"
#include "base/map.h"

#define ELICITATIONS_MAX 1024 /* beyond: the oldest is forgotten */

struct elicitations {
	struct map by_key;
	struct list all; /* the oldest first */
};

void elicitations_init(struct elicitations *e);
void elicitations_clear(struct elicitations *e);

/* An id is the server's own, and unique there: the key is made of both. `whom` is not NULL. */
void elicitations_add(struct elicitations *e, struct span server, struct span id, void *whom);

/* NULL: not known, or no more. */
void *elicitations_find(const struct elicitations *e, struct span server, struct span id);

/* Nobody is to be told any more. */
void elicitations_forget(struct elicitations *e, const void *whom);

#endif
