#include "cli/text.h"

#include "json/chars.h"
#include "json/scan.h"

#define ELLIPSIS SPAN("\xe2\x80\xa6")

struct range {
	uint32_t from, to;
};

/* C0, DEL and C1 drive terminals; U+2028 and U+2029 end lines; U+202A to E and U+2066 to 9 reorder what is shown. */
static const struct range harmful[] = { { 0, 0x1f }, { 0x7f, 0x9f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 } };

/* Combining marks, joiners, variation selectors, skin tones. */
static const struct range marks[] = { { 0x300, 0x36f }, { 0x200b, 0x200f }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
	{ 0xfeff, 0xfeff }, { 0x1f3fb, 0x1f3ff } };

/* The blocks of Unicode's EastAsianWidth.txt that are wide as a whole. */
static const struct range wide[] = { { 0x1100, 0x115f }, { 0x2e80, 0xa4cf }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f }, { 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff },
	{ 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd } };

#define IS_ONE_OF(code, ranges) is_in((code), (ranges), sizeof(ranges) / sizeof((ranges)[0]))

static bool is_in(uint32_t code, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (code >= ranges[i].from && code <= ranges[i].to)
			return true;
	return false;
}

/* Takes a character off the front; a byte that is no UTF-8 is U+FFFD. */
static uint32_t take(struct span *text, struct span *bytes)
{
	size_t n = utf8_size(text->p, span_end(*text));
	uint32_t code = (unsigned char)text->p[0];

	*bytes = n > 0 ? span_cut(*text, n) : SPAN(UTF8_REPLACEMENT);
	if (n > 1)
		code &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)text->p[i] & 0x3f);
	*text = span_skip(*text, n > 0 ? n : 1);
	return n > 0 ? code : 0xfffd;
}

static bool is_space(uint32_t code)
{
	return code == ' ' || (code >= '\t' && code <= '\r') || code == 0x2028 || code == 0x2029;
}

static void put(struct buf *out, uint32_t code, struct span bytes)
{
	buf_add(out, IS_ONE_OF(code, harmful) ? SPAN(UTF8_REPLACEMENT) : bytes);
}

void text_put_line(struct buf *out, struct span text)
{
	bool begun = false, space = false;
	struct span bytes;

	while (text.n > 0) {
		uint32_t code = take(&text, &bytes);
		if (is_space(code)) {
			space = begun;
			continue;
		}
		if (space)
			buf_add_char(out, ' ');
		put(out, code, bytes);
		begun = true;
		space = false;
	}
}

void text_put_block(struct buf *out, struct span text)
{
	struct span bytes;

	while (text.n > 0) {
		uint32_t code = take(&text, &bytes);
		bool line_end = code == '\r' && text.n > 0 && text.p[0] == '\n';
		if (code == '\n' || code == '\t')
			buf_add(out, bytes);
		else if (!line_end)
			put(out, code, bytes);
	}
}

static unsigned columns_of(uint32_t code)
{
	if (code < 0x300)
		return 1;
	return IS_ONE_OF(code, marks) ? 0 : IS_ONE_OF(code, wide) ? 2 : 1;
}

unsigned text_width(struct span text)
{
	unsigned width = 0;
	struct span bytes;

	while (text.n > 0)
		width += columns_of(take(&text, &bytes));
	return width;
}

void text_put_cut(struct buf *out, struct span text, unsigned columns)
{
	unsigned width = 0;
	struct span rest = text, bytes;

	if (text_width(text) <= columns) {
		buf_add(out, text);
		return;
	}
	while (rest.n > 0) {
		struct span before = rest;
		width += columns_of(take(&rest, &bytes));
		if (width + 1 > columns) {
			buf_add(out, span_cut(text, text.n - before.n));
			break;
		}
	}
	buf_add(out, columns > 0 ? ELLIPSIS : SPAN(""));
}

struct span text_of_json(struct buf *room, struct span value)
{
	if (json_type_of(value) != JSON_STRING)
		return value;
	buf_reset(room);
	return json_decode(value, buf_reserve(room, value.n));
}

struct span text_of_member(struct buf *room, struct span object, const char *key)
{
	struct span value = json_type_of(object) == JSON_OBJECT ? json_member(object, key) : SPAN_NONE;

	return json_type_of(value) == JSON_STRING ? text_of_json(room, value) : SPAN("");
}
