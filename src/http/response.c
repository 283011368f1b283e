#include "http/response.h"

#include <stddef.h>

#include "http/fields.h"
#include "http/grammar.h"

static bool bad(struct response_head *head, const char *sentence)
{
	head->sentence = sentence;
	return false;
}

/* RFC 9112, 4: HTTP-version SP status-code SP [ reason-phrase ]; the second space may be missing when nothing follows.
 */
static bool parse_status_line(struct response_head *head, struct fields *f, struct span line)
{
	struct span code = span_cut(span_skip(line, 9), 3), rest = span_skip(line, 12);
	uint64_t status;

	if (!span_starts(line, SPAN("HTTP/")) || line.n < 12 || line.p[8] != ' ')
		return bad(head, "the answer does not begin with an HTTP status line");
	if (!fields_take_version(f, span_cut(line, 8)))
		return bad(head, "the answer is of another version than HTTP/1.1 or HTTP/1.0");
	if (!span_to_u64(code, 599, &status) || status < 100)
		return bad(head, "the answer's status is not a number from 100 to 599");
	if ((rest.n > 0 && rest.p[0] != ' ') || !span_is(rest, CHAR_VALUE))
		return bad(head, "the answer's status line is not valid");
	head->status = (int)status;
	head->minor = f->minor;
	head->reason = span_trim(rest);
	return true;
}

static bool parse_lines(struct response_head *head, struct fields *f, struct span text)
{
	if (!parse_status_line(head, f, fields_next_line(&text)))
		return false;
	for (struct span line = fields_next_line(&text); line.n > 0; line = fields_next_line(&text))
		if (!fields_take_line(f, line))
			return bad(head, f->sentence);
	if (!fields_check(f))
		return bad(head, f->sentence);
	head->keep_alive = f->keep_alive;
	head->chunked = f->chunked;
	head->has_length = f->has_length;
	head->content_length = f->content_length;
	head->field_count = f->count;
	return true;
}

/* What can be said of a head whose end is not in sight. */
static bool check_beginning(struct response_head *head, struct span text, size_t max)
{
	if (!span_starts(SPAN("HTTP/1."), span_cut(text, 7)))
		return bad(head, "the answer does not begin with an HTTP status line");
	return text.n <= max || bad(head, "the answer's head is too large");
}

enum head_verdict response_head_parse(
        struct span text, size_t max, size_t *scanned, struct response_head *head, size_t *used)
{
	struct fields f = { .at = head->fields };
	size_t end = 0;

	memset(head, 0, offsetof(struct response_head, fields));
	if (!check_beginning(head, span_cut(text, 7), max))
		return HEAD_BAD;
	if (!fields_find_end(&f, span_cut(text, max), scanned, &end)) {
		bad(head, f.sentence);
		return HEAD_BAD;
	}
	if (end == 0)
		return check_beginning(head, text, max) ? HEAD_MORE : HEAD_BAD;
	if (!parse_lines(head, &f, span_cut(text, end)))
		return HEAD_BAD;
	*used = end;
	return HEAD_DONE;
}

/* A 204 or 304 has none whatever its fields say, and HEAD is answered without one (RFC 9112, 6.3). */
enum response_body response_body(const struct response_head *head, bool answers_head)
{
	if (answers_head || head->status < 200 || head->status == 204 || head->status == 304)
		return RESPONSE_NO_BODY;
	if (head->chunked)
		return RESPONSE_CHUNKED;
	if (head->has_length)
		return head->content_length > 0 ? RESPONSE_LENGTH : RESPONSE_NO_BODY;
	return RESPONSE_UNTIL_CLOSE;
}

struct span response_get(const struct response_head *head, struct span name)
{
	return fields_get(head->fields, head->field_count, name);
}
