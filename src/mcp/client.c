#include "mcp/client.h"

#include <assert.h>

#include "json/scan.h"

static const struct span levels[LEVEL_COUNT] = {
	[LEVEL_DEBUG] = SPAN("debug"),
	[LEVEL_INFO] = SPAN("info"),
	[LEVEL_NOTICE] = SPAN("notice"),
	[LEVEL_WARNING] = SPAN("warning"),
	[LEVEL_ERROR] = SPAN("error"),
	[LEVEL_CRITICAL] = SPAN("critical"),
	[LEVEL_ALERT] = SPAN("alert"),
	[LEVEL_EMERGENCY] = SPAN("emergency"),
};

int message_level_parse(struct span name)
{
	for (int i = 0; i < LEVEL_COUNT; i++)
		if (span_eq(name, levels[i]))
			return i;
	return -1;
}

struct span message_level_name(enum message_level level)
{
	assert(level < LEVEL_COUNT);
	return levels[level];
}

unsigned client_capabilities_read(struct span capabilities)
{
	unsigned bits = 0;

	if (json_type_of(capabilities) != JSON_OBJECT)
		return 0;
	struct span elicitation = json_member(capabilities, "elicitation");
	bits |= span_is_set(json_member(capabilities, "sampling")) ? CLIENT_SAMPLING : 0;
	bits |= span_is_set(json_member(capabilities, "roots")) ? CLIENT_ROOTS : 0;
	bits |= span_is_set(elicitation) ? CLIENT_ELICITATION : 0;
	if (json_type_of(elicitation) == JSON_OBJECT && span_is_set(json_member(elicitation, "url")))
		bits |= CLIENT_ELICITATION_URL;
	return bits;
}
