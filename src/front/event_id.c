#include "front/event_id.h"

#include "crypto/base64.h"
#include "json/scan.h"

#define HEX_DIGITS 16
#define CALL_TEXT_MAX ((EVENT_CALL_MAX * 4 + 2) / 3)

void event_id_put(struct buf *out, const struct event_id *id)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < HEX_DIGITS; i++)
		buf_add_char(out, digits[id->stream >> (4 * (HEX_DIGITS - 1 - i)) & 15]);
	buf_add_char(out, '.');
	buf_add_u64(out, id->seq);
	buf_add(out, id->last ? SPAN("e.") : SPAN("."));
	buf_add(out, id->call);
}

static bool parse_stream(struct span text, uint64_t *stream)
{
	if (text.n != HEX_DIGITS)
		return false;
	*stream = 0;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		*stream = *stream << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return true;
}

static bool parse_seq(struct span text, struct event_id *id)
{
	id->last = text.n > 0 && text.p[text.n - 1] == 'e';
	text.n -= id->last;
	bool canonical = text.n == 1 || (text.n > 1 && text.p[0] != '0');
	return canonical && span_to_u64(text, UINT64_MAX - 1, &id->seq);
}

static bool is_base64url(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = ascii_lower(text.p[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return text.n <= CALL_TEXT_MAX;
}

bool event_id_parse(struct span text, struct event_id *id)
{
	struct span rest = text, stream, seq;

	if (!span_next(&rest, '.', &stream) || !span_next(&rest, '.', &seq) || !span_is_set(rest))
		return false;
	id->call = rest;
	return parse_stream(stream, &id->stream) && parse_seq(seq, id) && is_base64url(rest);
}

/* White space at either end would be no part of a value, and could be a line feed. */
static bool is_id(struct span json)
{
	struct json_fault fault;

	if (json.n == 0)
		return false;
	char first = json.p[0], last = json.p[json.n - 1];
	bool text = first == '"' && last == '"';
	bool number = (first == '-' || (first >= '0' && first <= '9')) && last >= '0' && last <= '9';
	return (text || number) && json_scan(json, 1, NULL, NULL, &fault);
}

bool event_id_call(const struct event_id *id, struct buf *json)
{
	struct buf text = { 0 };
	bool good = base64url_decode(id->call, &text) && is_id(buf_span(&text));

	if (good)
		buf_add(json, buf_span(&text));
	buf_free(&text);
	return good;
}
