#include "http/fields.h"

#include "http/grammar.h"

bool fields_fault(struct fields *f, int status, const char *sentence)
{
	f->status = status;
	f->sentence = sentence;
	return false;
}

bool fields_take_version(struct fields *f, struct span text)
{
	bool is_version = text.n == 8 && span_starts(text, SPAN("HTTP/")) && text.p[6] == '.' && text.p[5] >= '0' &&
	                  text.p[5] <= '9' && text.p[7] >= '0' && text.p[7] <= '9';

	if (!is_version)
		return fields_fault(f, 400, "the request line does not end in an HTTP version");
	if (text.p[5] != '1' || text.p[7] > '1')
		return fields_fault(f, 505, "HTTP/1.1 and HTTP/1.0 are spoken here");
	f->minor = (unsigned)(text.p[7] - '0');
	f->keep_alive = f->minor == 1;
	return true;
}

/*
 * Each LF must end a CRLF: RFC 9112, 2.2 would let us take a bare one for it, but who sits in front of us may not.
 */
bool fields_find_end(struct fields *f, struct span text, size_t *scanned, size_t *end)
{
	for (size_t at = *scanned;; at++) {
		at += span_find(span_skip(text, at), '\n');
		if (at == text.n)
			break;
		if (at == 0 || text.p[at - 1] != '\r')
			return fields_fault(f, 400, "a line of the head ends in a bare LF");
		if (at >= 3 && text.p[at - 2] == '\n') {
			*end = at + 1;
			return true;
		}
	}
	*scanned = text.n;
	return true;
}

/* Fields with a meaning for body or connection: each is heard once per occurrence */

static bool take_content_length(struct fields *f, struct span value)
{
	if (f->has_length)
		return fields_fault(f, 400, "there is more than one Content-Length field");
	f->has_length = true;
	if (!span_to_u64(value, INT64_MAX, &f->content_length))
		return fields_fault(f, 400, "the Content-Length field is not a number");
	return true;
}

/* RFC 9112, 6.1: chunked is the one coding that we know, and it comes once and last, so it must be the whole value. */
static bool take_transfer_encoding(struct fields *f, struct span value)
{
	bool twice = f->chunked, unknown = false;
	struct span rest = value, coding;

	f->chunked = true;
	if (f->minor == 0)
		return fields_fault(f, 400, "HTTP/1.0 has no Transfer-Encoding");
	while (span_next(&rest, ',', &coding)) {
		coding = span_trim(coding);
		if (coding.n == 0 || !span_is(coding, CHAR_TOKEN))
			return fields_fault(f, 400, "the Transfer-Encoding field is not valid");
		unknown |= !span_eq_nocase(coding, SPAN("chunked"));
	}
	if (unknown)
		return fields_fault(f, 501, "chunked is the only transfer coding known here");
	if (twice || value.n != 7)
		return fields_fault(f, 400, "a body is chunked once only");
	return true;
}

static bool take_connection(struct fields *f, struct span value)
{
	if (list_has_token(value, SPAN("close")))
		f->keep_alive = false;
	else if (f->minor == 0 && list_has_token(value, SPAN("keep-alive")))
		f->keep_alive = true;
	return true;
}

#define NAME(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}
static const struct {
	struct span name;
	bool (*take)(struct fields *f, struct span value);
} meanings[] = {
	{ NAME("Content-Length"), take_content_length },
	{ NAME("Transfer-Encoding"), take_transfer_encoding },
	{ NAME("Connection"), take_connection },
};
#undef NAME

static bool take_meaning(struct fields *f, const struct head_field *field)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (span_eq_nocase(field->name, meanings[i].name))
			return meanings[i].take(f, field->value);
	return true;
}

/* A line that begins with white space (obs-fold) or has some before its colon has no valid name here. */
bool fields_take_line(struct fields *f, struct span line)
{
	size_t colon = 0;

	while (colon < line.n && char_is(line.p[colon], CHAR_TOKEN))
		colon++;
	if (colon == 0 || colon == line.n || line.p[colon] != ':')
		return fields_fault(f, 400, "a header field's name is not valid");
	struct span value = span_skip(line, colon + 1);
	if (!span_is(value, CHAR_VALUE))
		return fields_fault(f, 400, "a header field's value holds a control character");
	if (f->count == HEAD_FIELDS_MAX)
		return fields_fault(f, 431, "the head has too many fields");
	struct head_field *field = &f->at[f->count++];
	*field = (struct head_field){ span_cut(line, colon), span_trim(value) };
	return take_meaning(f, field);
}

bool fields_check(struct fields *f)
{
	if (f->chunked && f->has_length)
		return fields_fault(f, 400, "there are both Content-Length and Transfer-Encoding");
	return true;
}

struct span fields_next_line(struct span *text)
{
	size_t lf = span_find(*text, '\n');
	struct span line = span_cut(*text, lf - 1);

	*text = span_skip(*text, lf + 1);
	return line;
}

struct span fields_get(const struct head_field *at, unsigned count, struct span name)
{
	for (unsigned i = 0; i < count; i++)
		if (span_eq_nocase(at[i].name, name))
			return at[i].value;
	return SPAN_NONE;
}
