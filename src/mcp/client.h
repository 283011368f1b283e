/*
 * What a client can do for a server, and how much it wants to hear from it. A legacy client says so once, in
 * `initialize` and logging/setLevel; a modern one with every request, in its `_meta`.
 */
#ifndef SLUICE_MCP_CLIENT_H
#define SLUICE_MCP_CLIENT_H

#include "mcp/revision.h"
#include "json/write.h"

/* As bits. A form is what every client that declares elicitation can show (MCP 2025-11-25, Elicitation). */
enum client_capability {
	CLIENT_SAMPLING = 1,
	CLIENT_ELICITATION = 2,
	CLIENT_ELICITATION_URL = 4,
	CLIENT_ROOTS = 8,
	CLIENT_SAMPLING_TOOLS = 16, /* these three say how well: none of them comes alone */
	CLIENT_SAMPLING_CONTEXT = 32,
	CLIENT_ROOTS_CHANGED = 64 /* it tells when they change */
};

/* From a raw JSON object; 0 for anything else. */
unsigned client_capabilities_read(struct span capabilities);

/* Those that a legacy revision has a name for. */
unsigned client_capabilities_of(enum revision r, unsigned capabilities);

/* The object, as a client declares it. */
void client_capabilities_put(struct json_writer *w, unsigned capabilities);

/* severities of RFC 5424 as MCP names them, least severe first */
enum message_level {
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_NOTICE,
	LEVEL_WARNING,
	LEVEL_ERROR,
	LEVEL_CRITICAL,
	LEVEL_ALERT,
	LEVEL_EMERGENCY,
	LEVEL_COUNT
};
int message_level_parse(struct span name); /* -1: unknown */
struct span message_level_name(enum message_level level);

#endif
