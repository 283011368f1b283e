/*
 * Chunked bodies. However the bytes are cut into packets the payload and the verdict are the same; and any bytes,
 * written as chunks, are read back.
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/chunked.h"

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static enum chunked_verdict decode(struct span text, size_t step, struct buf *out, size_t *used)
{
	struct chunked c = { 0 };
	enum chunked_verdict verdict = CHUNKED_MORE;

	*used = 0;
	while (*used < text.n && verdict == CHUNKED_MORE) {
		struct span in = span_cut(span_skip(text, *used), step), data;
		size_t given = in.n;
		while ((verdict = chunked_next(&c, &in, &data)) == CHUNKED_DATA)
			buf_add(out, data);
		*used += given - in.n;
	}
	return verdict;
}

static void check_cuts(struct span text)
{
	struct buf whole = { 0 };
	size_t used, used_again;
	enum chunked_verdict verdict = decode(text, text.n, &whole, &used);

	for (size_t step = 1; step <= 7; step += 3) {
		struct buf out = { 0 };
		demand(decode(text, step, &out, &used_again) == verdict);
		demand(used_again == used);
		demand(span_eq(buf_span(&out), buf_span(&whole)));
		buf_free(&out);
	}
	buf_free(&whole);
}

static void check_round_trip(struct span payload)
{
	struct buf text = { 0 }, out = { 0 };
	size_t used;

	for (struct span rest = payload, part; rest.n > 0; rest = span_skip(rest, part.n)) {
		part = span_cut(rest, 1 + (unsigned char)rest.p[0]);
		chunked_put_head(&text, part.n);
		buf_add(&text, part);
		buf_add(&text, SPAN("\r\n"));
	}
	buf_add(&text, CHUNKED_END);
	demand(decode(buf_span(&text), 64, &out, &used) == CHUNKED_DONE);
	demand(used == buf_size(&text));
	demand(span_eq(buf_span(&out), payload));
	buf_free(&text);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };

	check_cuts(text);
	check_round_trip(text);
	return 0;
}
