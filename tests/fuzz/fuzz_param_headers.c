/*
 * Tools' arguments as headers: what is found in a schema (the first line) and arguments (the second) can be sent, and
 * agrees with what was sent and with nothing else.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "mcp/param_headers.h"
#include "json/scan.h"

#define DEPTH 64

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static bool is_json(struct span text)
{
	struct json_found found;
	struct json_fault fault;

	return json_scan(text, DEPTH, NULL, &found, &fault);
}

static void check_header(const struct param_header *h)
{
	struct buf value = { 0 };

	demand(h->name.n > 0 && span_find(h->name, ':') == h->name.n && span_find(h->name, ' ') == h->name.n);
	demand(param_header_agrees(h, SPAN_NONE) == !span_is_set(h->value));
	if (!span_is_set(h->value)) {
		demand(!param_header_agrees(h, SPAN("x")));
		return;
	}
	param_header_put(h, &value);
	demand(param_header_agrees(h, buf_span(&value)));
	buf_add(&value, SPAN("7!"));
	demand(!param_header_agrees(h, buf_span(&value)));
	buf_free(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size }, schema;
	struct param_header found[PARAM_HEADERS_MAX];

	if (!span_next(&rest, '\n', &schema))
		return 0;
	struct span arguments = span_is_set(rest) ? span_trim(rest) : SPAN("{}");
	schema = span_trim(schema);
	if (!is_json(schema) || !is_json(arguments))
		return 0;
	int n = param_headers_find(schema, arguments, found);
	demand(n >= -1 && n <= PARAM_HEADERS_MAX);
	for (int i = 0; i < n; i++)
		check_header(&found[i]);
	return 0;
}
