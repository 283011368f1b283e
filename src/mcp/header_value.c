#include "mcp/header_value.h"

#include "crypto/base64.h"
#include "json/chars.h"

#define PREFIX SPAN("=?base64?")
#define SUFFIX SPAN("?=")

static bool is_marked(struct span value)
{
	size_t around = PREFIX.n + SUFFIX.n;

	return value.n >= around && span_starts(value, PREFIX) && span_eq(span_skip(value, value.n - SUFFIX.n), SUFFIX);
}

static bool is_plain(struct span value)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != '\t' && (value.p[i] < ' ' || value.p[i] > '~'))
			return false;
	return true;
}

/* An empty value would look like none, and edges of white space are lost on the way. */
static bool is_safe(struct span text)
{
	return text.n > 0 && is_plain(text) && span_trim(text).n == text.n && !is_marked(text);
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

void header_value_encode(struct span text, struct buf *out)
{
	if (is_safe(text)) {
		buf_add(out, text);
		return;
	}
	buf_add(out, PREFIX);
	base64_encode(text, out);
	buf_add(out, SUFFIX);
}

bool header_value_decode(struct span value, struct buf *out)
{
	size_t before = buf_size(out);

	if (!is_plain(value))
		return false;
	if (!is_marked(value)) {
		buf_add(out, value);
		return true;
	}
	value = span_cut(span_skip(value, PREFIX.n), value.n - PREFIX.n - SUFFIX.n);
	return base64_decode(value, out) && is_utf8(span_skip(buf_span(out), before));
}
