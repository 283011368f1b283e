/*
 * The ids of events, which come back from clients. What is taken for one is written again as it was; what it names is
 * a whole JSON string or number on one line.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "front/event_id.h"
#include "front/sse_id.h"
#include "json/scan.h"

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_call(struct span json)
{
	struct json_fault fault;

	demand(json_scan(json, 1, NULL, NULL, &fault));
	demand(json_type_of(json) == JSON_STRING || json_type_of(json) == JSON_NUMBER);
	demand(span_find(json, '\n') == json.n && span_find(json, '\r') == json.n);
}

static void check_event_id(struct span text)
{
	struct buf again = { 0 }, json = { 0 };
	struct event_id id;

	if (event_id_parse(text, &id)) {
		event_id_put(&again, &id);
		demand(span_eq(buf_span(&again), text));
		if (event_id_call(&id, &json))
			check_call(buf_span(&json));
	}
	buf_free(&again);
	buf_free(&json);
}

static void check_sse_id(struct span text)
{
	struct buf json = { 0 };
	struct span rest, token = sse_id_token(text, &rest);
	unsigned count = 0;

	demand(token.n <= text.n);
	while (sse_id_next_call(&rest, &count, &json))
		check_call(buf_span(&json));
	demand(count <= SSE_ID_CALLS_MAX);
	buf_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };

	check_event_id(text);
	check_sse_id(text);
	return 0;
}
