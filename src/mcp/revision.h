/*
 * The revisions of the Model Context Protocol. Legacy ones (up to 2025-11-25) are stateful and start with an
 * `initialize`; with the modern one (2026-07-28) every request stands alone.
 */
#ifndef SLUICE_MCP_REVISION_H
#define SLUICE_MCP_REVISION_H

#include "base/span.h"

enum revision {
	REVISION_2024_11_05,
	REVISION_2025_03_26,
	REVISION_2025_06_18,
	REVISION_2025_11_25,
	REVISION_2026_07_28,
	REVISION_COUNT,
	REVISION_NEWEST_LEGACY = REVISION_2025_11_25,
	REVISION_MODERN = REVISION_2026_07_28,
	REVISION_NONE = -1
};

/* "2025-11-25" */
struct span revision_name(enum revision r);
/* REVISION_NONE for a date that is not known. */
enum revision revision_parse(struct span name);

static inline bool revision_is_modern(enum revision r)
{
	return r >= REVISION_MODERN;
}

/* Neither modern nor REVISION_NONE. */
static inline bool revision_is_legacy(enum revision r)
{
	return r > REVISION_NONE && r <= REVISION_NEWEST_LEGACY;
}

/* What to answer to an `initialize` that asks for `name`: that revision if it is a legacy one, or the newest of those
 * (MCP 2025-11-25, Lifecycle). The modern revision is never agreed on by an `initialize`. */
enum revision revision_negotiate(struct span name);

static inline bool revision_has_batches(enum revision r)
{
	return r == REVISION_2025_03_26;
}

#endif
