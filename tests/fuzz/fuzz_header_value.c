/*
 * Header values: any text survives the way into a header and back, and looks like one; what is decoded is UTF-8, or was
 * taken literally.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "mcp/header_value.h"
#include "json/chars.h"

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static bool is_utf8(struct span text)
{
	for (const char *p = text.p, *end = span_end(text); p < end;) {
		size_t n = utf8_size(p, end);
		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

static void check_round(struct span text)
{
	struct buf header = { 0 }, back = { 0 };

	header_value_encode(text, &header);
	struct span value = buf_span(&header);
	demand(value.n > 0 && span_trim(value).n == value.n);
	for (size_t i = 0; i < value.n; i++)
		demand(value.p[i] == '\t' || (value.p[i] >= ' ' && value.p[i] <= '~'));
	demand(header_value_decode(value, &back) && span_eq(buf_span(&back), text));
	buf_free(&header);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = { (const char *)data, size };
	struct buf text = { 0 };

	if (header_value_decode(input, &text))
		demand(is_utf8(buf_span(&text)) &&
		        (span_eq(buf_span(&text), input) || span_starts(input, SPAN("=?base64?"))));
	buf_free(&text);
	if (is_utf8(input))
		check_round(input);
	return 0;
}
