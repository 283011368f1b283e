/*
 * Forms that a server asks a client to show (elicitation/create), for a client of 2025-06-18, whose forms can do less:
 * a choice has its titles in enumNames instead of oneOf, only a checkbox has a default, there is no choice of several,
 * and no member "mode". Pure.
 */
#ifndef SLUICE_MCP_FORM_H
#define SLUICE_MCP_FORM_H

#include "base/buf.h"
#include "mcp/revision.h"

enum form {
	FORM_STAYS,     /* as it is */
	FORM_CHANGES,   /* the params are to be replaced by what was appended */
	FORM_IMPOSSIBLE /* a client of that revision cannot show it */
};

/* `params` are those of the request, raw JSON or not set. */
enum form form_for(struct span params, enum revision revision, struct buf *out);

#endif
