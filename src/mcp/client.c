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

static bool has(struct span object, const char *key)
{
	return json_type_of(object) == JSON_OBJECT && span_is_set(json_member(object, key));
}

unsigned client_capabilities_read(struct span capabilities)
{
	unsigned bits = 0;

	if (json_type_of(capabilities) != JSON_OBJECT)
		return 0;
	struct span elicitation = json_member(capabilities, "elicitation");
	struct span sampling = json_member(capabilities, "sampling"), roots = json_member(capabilities, "roots");
	bits |= span_is_set(sampling) ? CLIENT_SAMPLING : 0;
	bits |= has(sampling, "tools") ? CLIENT_SAMPLING_TOOLS : 0;
	bits |= has(sampling, "context") ? CLIENT_SAMPLING_CONTEXT : 0;
	bits |= span_is_set(elicitation) ? CLIENT_ELICITATION : 0;
	bits |= has(elicitation, "url") ? CLIENT_ELICITATION_URL : 0;
	bits |= span_is_set(roots) ? CLIENT_ROOTS : 0;
	bits |= has(roots, "listChanged") && json_type_of(json_member(roots, "listChanged")) == JSON_TRUE
	                ? CLIENT_ROOTS_CHANGED
	                : 0;
	return bits;
}

unsigned client_capabilities_of(enum revision r, unsigned capabilities)
{
	const unsigned of_2025_06_18 = CLIENT_ELICITATION;
	const unsigned of_2025_11_25 = CLIENT_ELICITATION_URL | CLIENT_SAMPLING_TOOLS | CLIENT_SAMPLING_CONTEXT;

	if (r < REVISION_2025_06_18)
		capabilities &= ~of_2025_06_18;
	if (r < REVISION_2025_11_25)
		capabilities &= ~of_2025_11_25;
	return capabilities;
}

static void put_empty(struct json_writer *w, const char *key, bool there)
{
	if (there)
		json_member_raw(w, key, SPAN("{}"));
}

void client_capabilities_put(struct json_writer *w, unsigned capabilities)
{
	json_open(w, '{');
	if (capabilities & CLIENT_ROOTS) {
		json_key(w, "roots");
		json_open(w, '{');
		if (capabilities & CLIENT_ROOTS_CHANGED)
			json_member_bool(w, "listChanged", true);
		json_close(w, '}');
	}
	if (capabilities & CLIENT_SAMPLING) {
		json_key(w, "sampling");
		json_open(w, '{');
		put_empty(w, "context", capabilities & CLIENT_SAMPLING_CONTEXT);
		put_empty(w, "tools", capabilities & CLIENT_SAMPLING_TOOLS);
		json_close(w, '}');
	}
	if (capabilities & CLIENT_ELICITATION) {
		json_key(w, "elicitation");
		json_open(w, '{');
		json_member_raw(w, "form", SPAN("{}"));
		put_empty(w, "url", capabilities & CLIENT_ELICITATION_URL);
		json_close(w, '}');
	}
	json_close(w, '}');
}
