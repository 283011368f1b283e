/*
 * Event streams. However the bytes are cut into packets the same events come out; and any data that is written as an
 * event is read back, its line breaks as LF.
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/sse.h"

#define MAX 4096

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void write_down(struct buf *out, const struct sse_event *event)
{
	buf_add(out, event->type);
	buf_add_char(out, '\0');
	buf_add(out, event->id);
	buf_add_char(out, '\0');
	buf_add(out, event->data);
	buf_add_char(out, '\0');
}

static enum sse_verdict read_all(struct span text, size_t step, struct buf *out)
{
	struct sse_reader r = { 0 };
	struct sse_event event;
	enum sse_verdict verdict = SSE_MORE;

	while (text.n > 0 && verdict != SSE_TOO_LARGE) {
		struct span in = span_cut(text, step);
		text = span_skip(text, in.n);
		while ((verdict = sse_next(&r, &in, MAX, &event)) == SSE_EVENT)
			write_down(out, &event);
	}
	sse_reader_clear(&r);
	return verdict;
}

static void check_cuts(struct span text)
{
	struct buf whole = { 0 };
	enum sse_verdict verdict = read_all(text, text.n, &whole);

	for (size_t step = 1; step <= 7; step += 3) {
		struct buf out = { 0 };
		demand(read_all(text, step, &out) == verdict);
		demand(span_eq(buf_span(&out), buf_span(&whole)));
		buf_free(&out);
	}
	buf_free(&whole);
}

/* Data without a CR comes back byte for byte. */
static void check_round_trip(struct span data)
{
	struct buf text = { 0 }, out = { 0 }, wanted = { 0 };

	if (data.n > MAX / 8 || span_find(data, '\r') < data.n)
		return;
	sse_put(&text, &(struct sse_event){ .data = data });
	write_down(&wanted, &(struct sse_event){ .type = SPAN("message"), .data = data });
	demand(read_all(buf_span(&text), 5, &out) == SSE_MORE);
	demand(span_eq(buf_span(&out), buf_span(&wanted)));
	buf_free(&text);
	buf_free(&out);
	buf_free(&wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };

	check_cuts(text);
	check_round_trip(text);
	return 0;
}
