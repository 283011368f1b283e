#include "http/head.h"

#include <stddef.h>

#include "http/fields.h"
#include "http/grammar.h"
#include "http/url.h"

#define LEADING_EMPTY_LINES 4

static bool bad(struct request_head *head, int status, const char *sentence)
{
	head->status = status;
	head->sentence = sentence;
	return false;
}

/* The bounds of the head */

static size_t leading_empty_lines(struct span text)
{
	size_t at = 0;

	while (at < LEADING_EMPTY_LINES * 2 && span_starts(span_skip(text, at), SPAN("\r\n")))
		at += 2;
	return at;
}

/* What can be said of a head whose end is not in sight. */
static bool check_beginning(struct request_head *head, struct span text, size_t max)
{
	bool may_begin = text.n == 0 || char_is(text.p[0], CHAR_TOKEN) || span_eq(text, SPAN("\r"));

	if (!may_begin)
		return bad(head, 400, "this is not the beginning of an HTTP request");
	if (text.n <= max)
		return true;
	if (span_find(text, '\n') >= max)
		return bad(head, 414, "the request line is too long");
	return bad(head, 431, "the request head is too large");
}

/* The request line (RFC 9112, 3) */

static void split_query(struct request_head *head, struct span path)
{
	size_t mark = span_find(path, '?');

	head->path = span_cut(path, mark);
	head->query = mark < path.n ? span_skip(path, mark + 1) : SPAN_NONE;
}

/* RFC 9112, 3.2.2. The authority is put into head->host, where the Host field will be held against it. */
static bool parse_absolute(struct request_head *head)
{
	size_t scheme = span_find(head->target, ':');
	struct span name = span_cut(head->target, scheme), rest = span_skip(head->target, scheme);
	struct authority parts;

	if ((!span_eq_nocase(name, SPAN("http")) && !span_eq_nocase(name, SPAN("https"))) ||
	        !span_starts(rest, SPAN("://")))
		return bad(head, 400, "the request target is neither a path nor an http URI");
	rest = span_skip(rest, 3);
	size_t slash = span_find(rest, '/'), mark = span_find(rest, '?');
	size_t authority = slash < mark ? slash : mark;
	head->host = span_cut(rest, authority);
	if (!authority_parse(head->host, &parts))
		return bad(head, 400, "the request target's host is not valid");
	split_query(head, span_skip(rest, authority));
	if (head->path.n == 0)
		head->path = SPAN("/");
	return true;
}

static bool parse_target(struct request_head *head)
{
	struct span target = head->target;

	if (target.n == 0 || !span_is(target, CHAR_TARGET) || url_has_bad_escape(target))
		return bad(head, 400, "the request target is not valid");
	if (target.p[0] == '/') {
		split_query(head, target);
		return true;
	}
	if (span_eq(target, SPAN("*"))) {
		head->path = target;
		return span_eq(head->method, SPAN("OPTIONS")) ||
		       bad(head, 400, "the request target * goes with OPTIONS only");
	}
	return parse_absolute(head);
}

/* A fault that was found in what requests and responses have in common. */
static bool bad_as(struct request_head *head, const struct fields *f)
{
	return bad(head, f->status, f->sentence);
}

static bool parse_request_line(struct request_head *head, struct fields *f, struct span line)
{
	size_t space = span_find(line, ' ');

	head->method = span_cut(line, space);
	if (space == 0 || space == line.n || !span_is(head->method, CHAR_TOKEN))
		return bad(head, 400, "the request line does not begin with a method");
	line = span_skip(line, space + 1);
	space = span_find(line, ' ');
	if (space == line.n)
		return bad(head, 400, "the request line does not end in an HTTP version");
	head->target = span_cut(line, space);
	if (!fields_take_version(f, span_skip(line, space + 1)))
		return bad_as(head, f);
	head->minor = f->minor;
	return parse_target(head);
}

/* Fields with a meaning for requests only: each is heard once per occurrence */

static bool take_host(struct request_head *head, struct span value)
{
	struct authority parts;

	if (head_count(head, SPAN("Host")) > 1)
		return bad(head, 400, "there is more than one Host field");
	if (!authority_parse(value, &parts))
		return bad(head, 400, "the Host field is not valid");
	if (span_is_set(head->host) && !span_eq_nocase(head->host, value))
		return bad(head, 400, "the Host field and the request target name different hosts");
	head->host = value;
	return true;
}

/* RFC 9110, 10.1.1: from an HTTP/1.0 client the expectation is ignored. */
static bool take_expect(struct request_head *head, struct span value)
{
	if (!span_eq_nocase(value, SPAN("100-continue")))
		return bad(head, 417, "100-continue is the only expectation known here");
	head->expects_continue = head->minor == 1;
	return true;
}

#define NAME(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}
static const struct {
	struct span name;
	bool (*take)(struct request_head *head, struct span value);
} meanings[] = {
	{ NAME("Host"), take_host },
	{ NAME("Expect"), take_expect },
};
#undef NAME

static bool take_meaning(struct request_head *head, const struct head_field *field)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (span_eq_nocase(field->name, meanings[i].name))
			return meanings[i].take(head, field->value);
	return true;
}

static bool parse_field(struct request_head *head, struct fields *f, struct span line)
{
	if (!fields_take_line(f, line))
		return bad_as(head, f);
	head->field_count = f->count;
	return take_meaning(head, &f->at[f->count - 1]);
}

static bool check_whole(struct request_head *head, struct fields *f)
{
	if (head->minor == 1 && head_count(head, SPAN("Host")) == 0)
		return bad(head, 400, "the Host field is missing");
	if (!fields_check(f))
		return bad_as(head, f);
	head->keep_alive = f->keep_alive;
	head->chunked = f->chunked;
	head->has_length = f->has_length;
	head->content_length = f->content_length;
	head->expects_continue &= head->chunked || head->content_length > 0;
	return true;
}

static bool parse_lines(struct request_head *head, struct fields *f, struct span text)
{
	if (!parse_request_line(head, f, fields_next_line(&text)))
		return false;
	for (struct span line = fields_next_line(&text); line.n > 0; line = fields_next_line(&text))
		if (!parse_field(head, f, line))
			return false;
	return check_whole(head, f);
}

enum head_verdict request_head_parse(
        struct span text, size_t max, size_t *scanned, struct request_head *head, size_t *used)
{
	size_t begin = leading_empty_lines(text), end = 0;
	struct span bounded = span_cut(text, begin + max);
	struct fields f = { .at = head->fields };

	memset(head, 0, offsetof(struct request_head, fields));
	if (*scanned < begin)
		*scanned = begin;
	if (!fields_find_end(&f, bounded, scanned, &end)) {
		bad_as(head, &f);
		return HEAD_BAD;
	}
	if (end == 0)
		return check_beginning(head, span_skip(text, begin), max) ? HEAD_MORE : HEAD_BAD;
	if (!parse_lines(head, &f, span_between(text.p + begin, text.p + end)))
		return HEAD_BAD;
	*used = end;
	return HEAD_DONE;
}

/* Reading a head */

struct span head_get(const struct request_head *head, struct span name)
{
	return fields_get(head->fields, head->field_count, name);
}

unsigned head_count(const struct request_head *head, struct span name)
{
	unsigned count = 0;

	for (unsigned i = 0; i < head->field_count; i++)
		count += span_eq_nocase(head->fields[i].name, name);
	return count;
}

bool list_has_token(struct span value, struct span token)
{
	struct span item;

	while (span_next(&value, ',', &item))
		if (span_eq_nocase(span_trim(span_cut(item, span_find(item, ';'))), token))
			return true;
	return false;
}

static const struct {
	int status;
	const char *phrase;
} phrases[] = {
	{ 200, "OK" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

const char *status_phrase(int status)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}
