#include "mcp/revision.h"

#include <assert.h>

static const struct span names[REVISION_COUNT] = {
	[REVISION_2024_11_05] = SPAN("2024-11-05"),
	[REVISION_2025_03_26] = SPAN("2025-03-26"),
	[REVISION_2025_06_18] = SPAN("2025-06-18"),
	[REVISION_2025_11_25] = SPAN("2025-11-25"),
	[REVISION_2026_07_28] = SPAN("2026-07-28"),
};

struct span revision_name(enum revision r)
{
	assert(r > REVISION_NONE && r < REVISION_COUNT);
	return names[r];
}

enum revision revision_parse(struct span name)
{
	for (int r = 0; r < REVISION_COUNT; r++)
		if (span_eq(names[r], name))
			return (enum revision)r;
	return REVISION_NONE;
}

enum revision revision_negotiate(struct span name)
{
	enum revision r = revision_parse(name);

	return revision_is_legacy(r) ? r : REVISION_NEWEST_LEGACY;
}
