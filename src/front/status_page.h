/*
 * /status as a page for people: complete without a script, and kept up to date by one. Whatever others have written is
 * escaped, and cannot turn the direction of what stands beside it.
 */
#ifndef SLUICE_FRONT_STATUS_PAGE_H
#define SLUICE_FRONT_STATUS_PAGE_H

#include "front/status.h"

void status_page_put(const struct status *s, struct buf *out);

#endif
