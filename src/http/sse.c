#include "http/sse.h"

#define BYTE_ORDER_MARK SPAN("\xef\xbb\xbf")

enum line_verdict { LINE_MORE, LINE_WHOLE, LINE_TOO_LONG };

/* A line ends in CRLF, LF or CR; the LF of a CRLF may come much later, so the CR alone ends it. */
static size_t find_line_end(struct span text)
{
	return span_find(span_cut(text, span_find(text, '\n')), '\r');
}

static enum line_verdict keep_part(struct sse_reader *r, struct span part, size_t max)
{
	if (buf_size(&r->line) + part.n > max)
		return LINE_TOO_LONG;
	buf_add(&r->line, part);
	return LINE_MORE;
}

/* The line points into *in, or into r->line when it came in parts. */
static enum line_verdict take_line(struct sse_reader *r, struct span *in, size_t max, struct span *line)
{
	if (r->saw_cr && span_starts(*in, SPAN("\n")))
		*in = span_skip(*in, 1);
	r->saw_cr = false;
	size_t end = find_line_end(*in);
	struct span part = span_cut(*in, end);
	bool whole = end < in->n;
	if (whole)
		r->saw_cr = in->p[end] == '\r';
	*in = span_skip(*in, end + whole);
	if (!whole || buf_size(&r->line) > 0) {
		if (keep_part(r, part, max) == LINE_TOO_LONG)
			return LINE_TOO_LONG;
		part = buf_span(&r->line);
	}
	*line = part;
	if (!whole)
		return LINE_MORE;
	return part.n > max ? LINE_TOO_LONG : LINE_WHOLE;
}

static void set_text(struct buf *b, struct span value)
{
	buf_reset(b);
	buf_add(b, value);
}

static void take_field(struct sse_reader *r, struct span line)
{
	size_t colon = span_find(line, ':');
	struct span name = span_cut(line, colon), value = span_skip(line, colon + 1);

	if (span_starts(value, SPAN(" ")))
		value = span_skip(value, 1);
	if (span_eq(name, SPAN("data"))) {
		buf_add(&r->data, value);
		buf_add_char(&r->data, '\n');
	} else if (span_eq(name, SPAN("event"))) {
		set_text(&r->type, value);
	} else if (span_eq(name, SPAN("id"))) {
		if (span_find(value, '\0') == value.n)
			set_text(&r->id, value);
	} else if (span_eq(name, SPAN("retry"))) {
		span_to_u64(value, UINT32_MAX, &r->retry_ms);
	}
}

static void forget_event(struct sse_reader *r)
{
	buf_free(&r->data);
	buf_free(&r->type);
	r->told = false;
}

/* At an empty line: without a data field there is no event. */
static bool tell_event(struct sse_reader *r, struct sse_event *event)
{
	r->told = true;
	if (buf_size(&r->data) == 0)
		return false;
	event->data = span_cut(buf_span(&r->data), buf_size(&r->data) - 1);
	event->type = buf_size(&r->type) > 0 ? buf_span(&r->type) : SPAN("message");
	event->id = buf_span(&r->id);
	return true;
}

static struct span without_mark(struct sse_reader *r, struct span line)
{
	bool first = !r->begun;

	r->begun = true;
	return first && span_starts(line, BYTE_ORDER_MARK) ? span_skip(line, BYTE_ORDER_MARK.n) : line;
}

enum sse_verdict sse_next(struct sse_reader *r, struct span *in, size_t max, struct sse_event *event)
{
	while (in->n > 0) {
		struct span line;
		enum line_verdict verdict = take_line(r, in, max, &line);
		if (verdict == LINE_MORE)
			return SSE_MORE;
		if (r->told)
			forget_event(r);
		if (verdict == LINE_TOO_LONG || buf_size(&r->data) + line.n > max)
			return SSE_TOO_LARGE;
		line = without_mark(r, line);
		bool told = line.n == 0 && tell_event(r, event);
		if (line.n > 0)
			take_field(r, line);
		buf_free(&r->line);
		if (told)
			return SSE_EVENT;
	}
	return SSE_MORE;
}

void sse_reader_clear(struct sse_reader *r)
{
	buf_free(&r->line);
	buf_free(&r->data);
	buf_free(&r->type);
	buf_free(&r->id);
	*r = (struct sse_reader){ 0 };
}

static void put_field(struct buf *out, struct span name, struct span value)
{
	buf_add(out, name);
	buf_add(out, value);
	buf_add_char(out, '\n');
}

void sse_put(struct buf *out, const struct sse_event *event)
{
	struct span rest = event->data;

	if (span_is_set(event->type))
		put_field(out, SPAN("event: "), event->type);
	if (span_is_set(event->id))
		put_field(out, SPAN("id: "), event->id);
	for (;;) {
		size_t end = find_line_end(rest);
		put_field(out, SPAN("data: "), span_cut(rest, end));
		if (end == rest.n)
			break;
		rest = span_skip(rest, span_starts(span_skip(rest, end), SPAN("\r\n")) ? end + 2 : end + 1);
	}
	buf_add_char(out, '\n');
}
