/*
 * Server-sent events (WHATWG HTML, 9.2), both roles: events into text, and text into events.
 */
#ifndef SLUICE_HTTP_SSE_H
#define SLUICE_HTTP_SSE_H

#include "base/buf.h"

/* Reading: a zeroed struct is at the start of a stream. */
struct sse_reader {
	struct buf line; /* the beginning of one whose end has not come */
	struct buf data; /* each line of it with an LF behind */
	struct buf type, id;
	uint64_t retry_ms; /* 0: none yet */
	bool begun, saw_cr;
	bool told; /* data and type are those of an event that the caller has had */
};

struct sse_event {
	struct span type; /* "message" when the stream did not say */
	struct span data;
	struct span id; /* the last one seen */
};

enum sse_verdict { SSE_MORE, SSE_EVENT, SSE_TOO_LARGE };

/* Takes bytes from the front of *in. SSE_EVENT: *event is valid until the next call; call again for the rest of *in. */
enum sse_verdict sse_next(struct sse_reader *r, struct span *in, size_t max, struct sse_event *event);
void sse_reader_clear(struct sse_reader *r);

/* Writing: one event. A type or id that is not set is left out; line breaks in the data are kept as the format can. */
void sse_put(struct buf *out, const struct sse_event *event);

#endif
