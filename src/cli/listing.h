/*
 * The lists of a catalog for people and for programs. Pure, but for the catalog that it reads.
 */
#ifndef SLUICE_CLI_LISTING_H
#define SLUICE_CLI_LISTING_H

#include "gateway/catalog.h"

/* {"tools":[...],"resources":[...],"resourceTemplates":[...],"prompts":[...]}, each item as clients get it. */
void listing_put_json(struct catalog *c, struct buf *out);

/* A table for each list that has items. */
void listing_put_tables(struct catalog *c, unsigned width, bool colour, struct buf *out);

/* Calls `each` with every item of the list, of all pages: raw JSON, valid during the call. */
void listing_each(
        struct catalog *c, int scope, enum list_kind kind, void (*each)(void *arg, struct span item), void *arg);

#endif
