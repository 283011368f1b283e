/*
 * URI templates (RFC 6570) the other way round: could this URI have come out of that template? Only to choose a server
 * to ask, so a guess that is too generous costs one question, and every operator but two is read as "anything":
 *
 *	{var}                       one or more bytes, none of them '/', which an expansion would have escaped
 *	{+var}                      one or more bytes
 *	{#var} {.var} {/var} {;var} {?var} {&var}    anything, nothing too: an undefined variable leaves no trace
 */
#ifndef SLUICE_GATEWAY_URI_TEMPLATE_H
#define SLUICE_GATEWAY_URI_TEMPLATE_H

#include "base/arena.h"

#define URI_MATCH_MAX 2048 /* a longer URI matches nothing: the work grows with the square of it at worst */

/* The template with its expressions replaced by single marks, in the arena; not set if it is none that can match. */
struct span uri_template_compile(struct arena *a, struct span text);

bool uri_template_matches(struct span compiled, struct span uri);

#endif
