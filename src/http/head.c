#include "http/head.h"

#include <stddef.h>

#include "http/grammar.h"

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

/*
 * The end of the head is an empty line; *end stays 0 while it is not there. Each LF must end a CRLF: RFC 9112, 2.2
 * would let us take a bare one for it, but who sits in front of us may not.
 */
static bool find_end(struct request_head *head, struct span text, size_t *scanned, size_t *end)
{
	for (size_t at = *scanned;; at++) {
		at += span_find(span_skip(text, at), '\n');
		if (at == text.n)
			break;
		if (at == 0 || text.p[at - 1] != '\r')
			return bad(head, 400, "a line of the head ends in a bare LF");
		if (at >= 3 && text.p[at - 2] == '\n') {
			*end = at + 1;
			return true;
		}
	}
	*scanned = text.n;
	return true;
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

static bool parse_version(struct request_head *head, struct span text)
{
	bool is_version = text.n == 8 && span_starts(text, SPAN("HTTP/")) && text.p[6] == '.' && text.p[5] >= '0' &&
	                  text.p[5] <= '9' && text.p[7] >= '0' && text.p[7] <= '9';

	if (!is_version)
		return bad(head, 400, "the request line does not end in an HTTP version");
	if (text.p[5] != '1' || text.p[7] > '1')
		return bad(head, 505, "HTTP/1.1 and HTTP/1.0 are spoken here");
	head->minor = (unsigned)(text.p[7] - '0');
	return true;
}

/* RFC 3986, 3.2: host [ ":" port ], without user information. */
static bool is_authority(struct span text)
{
	size_t host = 0;
	uint64_t port;

	if (span_starts(text, SPAN("["))) {
		for (host = 1; host < text.n &&
		               (char_is(text.p[host], CHAR_HEX) || text.p[host] == ':' || text.p[host] == '.');)
			host++;
		if (host < 3 || host == text.n || text.p[host++] != ']')
			return false;
	} else {
		while (host < text.n && char_is(text.p[host], CHAR_HOST))
			host++;
		if (host == 0)
			return false;
	}
	struct span rest = span_skip(text, host);
	return rest.n == 0 || (rest.p[0] == ':' && (rest.n == 1 || span_to_u64(span_skip(rest, 1), 65535, &port)));
}

static bool has_bad_escape(struct span text)
{
	for (size_t at = span_find(text, '%'); at < text.n; at += 3 + span_find(span_skip(text, at + 3), '%'))
		if (at + 2 >= text.n || !char_is(text.p[at + 1], CHAR_HEX) || !char_is(text.p[at + 2], CHAR_HEX))
			return true;
	return false;
}

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

	if ((!span_eq_nocase(name, SPAN("http")) && !span_eq_nocase(name, SPAN("https"))) ||
	        !span_starts(rest, SPAN("://")))
		return bad(head, 400, "the request target is neither a path nor an http URI");
	rest = span_skip(rest, 3);
	size_t slash = span_find(rest, '/'), mark = span_find(rest, '?');
	size_t authority = slash < mark ? slash : mark;
	head->host = span_cut(rest, authority);
	if (!is_authority(head->host))
		return bad(head, 400, "the request target's host is not valid");
	split_query(head, span_skip(rest, authority));
	if (head->path.n == 0)
		head->path = SPAN("/");
	return true;
}

static bool parse_target(struct request_head *head)
{
	struct span target = head->target;

	if (target.n == 0 || !span_is(target, CHAR_TARGET) || has_bad_escape(target))
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

static bool parse_request_line(struct request_head *head, struct span line)
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
	return parse_version(head, span_skip(line, space + 1)) && parse_target(head);
}

/* Fields with a meaning for the connection: each is heard once per occurrence */

static bool take_host(struct request_head *head, struct span value)
{
	if (head_count(head, SPAN("Host")) > 1)
		return bad(head, 400, "there is more than one Host field");
	if (!is_authority(value))
		return bad(head, 400, "the Host field is not valid");
	if (span_is_set(head->host) && !span_eq_nocase(head->host, value))
		return bad(head, 400, "the Host field and the request target name different hosts");
	head->host = value;
	return true;
}

static bool take_content_length(struct request_head *head, struct span value)
{
	if (head->has_length)
		return bad(head, 400, "there is more than one Content-Length field");
	head->has_length = true;
	if (!span_to_u64(value, INT64_MAX, &head->content_length))
		return bad(head, 400, "the Content-Length field is not a number");
	return true;
}

/* RFC 9112, 6.1: chunked is the one coding that we know, and it comes once and last, so it must be the whole value. */
static bool take_transfer_encoding(struct request_head *head, struct span value)
{
	bool twice = head->chunked, unknown = false;
	struct span rest = value, coding;

	head->chunked = true;
	if (head->minor == 0)
		return bad(head, 400, "HTTP/1.0 has no Transfer-Encoding");
	while (span_next(&rest, ',', &coding)) {
		coding = span_trim(coding);
		if (coding.n == 0 || !span_is(coding, CHAR_TOKEN))
			return bad(head, 400, "the Transfer-Encoding field is not valid");
		unknown |= !span_eq_nocase(coding, SPAN("chunked"));
	}
	if (unknown)
		return bad(head, 501, "chunked is the only transfer coding known here");
	if (twice || value.n != 7)
		return bad(head, 400, "a body is chunked once only");
	return true;
}

static bool take_connection(struct request_head *head, struct span value)
{
	if (list_has_token(value, SPAN("close")))
		head->keep_alive = false;
	else if (head->minor == 0 && list_has_token(value, SPAN("keep-alive")))
		head->keep_alive = true;
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
	{ NAME("Content-Length"), take_content_length },
	{ NAME("Transfer-Encoding"), take_transfer_encoding },
	{ NAME("Connection"), take_connection },
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

/* Field lines (RFC 9112, 5). A line that begins with white space (obs-fold) or has some before its colon has no valid
 * name here. */
static bool parse_field(struct request_head *head, struct span line)
{
	size_t colon = 0;

	while (colon < line.n && char_is(line.p[colon], CHAR_TOKEN))
		colon++;
	if (colon == 0 || colon == line.n || line.p[colon] != ':')
		return bad(head, 400, "a header field's name is not valid");
	struct span value = span_skip(line, colon + 1);
	if (!span_is(value, CHAR_VALUE))
		return bad(head, 400, "a header field's value holds a control character");
	if (head->field_count == HEAD_FIELDS_MAX)
		return bad(head, 431, "the request head has too many fields");
	struct head_field *field = &head->fields[head->field_count++];
	*field = (struct head_field){ span_cut(line, colon), span_trim(value) };
	return take_meaning(head, field);
}

static bool check_whole(struct request_head *head)
{
	if (head->minor == 1 && head_count(head, SPAN("Host")) == 0)
		return bad(head, 400, "the Host field is missing");
	if (head->chunked && head->has_length)
		return bad(head, 400, "there are both Content-Length and Transfer-Encoding");
	head->expects_continue &= head->chunked || head->content_length > 0;
	return true;
}

/* Takes the next line of a text in which each LF is known to end a CRLF. */
static struct span take_line(struct span *text)
{
	size_t lf = span_find(*text, '\n');
	struct span line = span_cut(*text, lf - 1);

	*text = span_skip(*text, lf + 1);
	return line;
}

static bool parse_lines(struct request_head *head, struct span text)
{
	if (!parse_request_line(head, take_line(&text)))
		return false;
	head->keep_alive = head->minor == 1;
	for (struct span line = take_line(&text); line.n > 0; line = take_line(&text))
		if (!parse_field(head, line))
			return false;
	return check_whole(head);
}

enum head_verdict request_head_parse(
        struct span text, size_t max, size_t *scanned, struct request_head *head, size_t *used)
{
	size_t begin = leading_empty_lines(text), end = 0;
	struct span bounded = span_cut(text, begin + max);

	memset(head, 0, offsetof(struct request_head, fields));
	if (*scanned < begin)
		*scanned = begin;
	if (!find_end(head, bounded, scanned, &end))
		return HEAD_BAD;
	if (end == 0)
		return check_beginning(head, span_skip(text, begin), max) ? HEAD_MORE : HEAD_BAD;
	if (!parse_lines(head, span_between(text.p + begin, text.p + end)))
		return HEAD_BAD;
	*used = end;
	return HEAD_DONE;
}

/* Reading a head */

struct span head_get(const struct request_head *head, struct span name)
{
	for (unsigned i = 0; i < head->field_count; i++)
		if (span_eq_nocase(head->fields[i].name, name))
			return head->fields[i].value;
	return SPAN_NONE;
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
