/*
 * The revisions of the Model Context Protocol. Legacy ones (up to 2025-11-25) are stateful and start with an
 * `initialize`; the modern one (2026-07-28) is not spoken yet.
 */
#ifndef SLUICE_MCP_REVISION_H
#define SLUICE_MCP_REVISION_H

#include "base/span.h"

enum revision {
	REVISION_2024_11_05,
	REVISION_2025_03_26,
	REVISION_2025_06_18,
	REVISION_2025_11_25,
	REVISION_COUNT,
	REVISION_NEWEST_LEGACY = REVISION_2025_11_25,
	REVISION_NONE = -1
};

/* "2025-11-25" */
struct span revision_name(enum revision r);
/* REVISION_NONE for a date that is not known. */
enum revision revision_parse(struct span name);

/* What to answer to an `initialize` that asks for `name`: that revision, or our newest (MCP 2025-11-25, Lifecycle). */
enum revision revision_negotiate(struct span name);

static inline bool revision_has_batches(enum revision r)
{
	return r == REVISION_2025_03_26;
}

#endif
