/* Several JSON texts in one body. However the bytes are cut into packets the same texts come out, and nothing else. */
#include <stdint.h>
#include <stdlib.h>

#include "backend/json_texts.h"
#include "fuzz.h"

#define MAX 4096

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static enum json_texts_got read_all(struct span body, size_t step, struct buf *out, size_t *texts)
{
	struct json_texts t = { 0 };
	enum json_texts_got got = JSON_TEXTS_MORE;
	struct span text;

	*texts = 0;
	while (body.n > 0 && got == JSON_TEXTS_MORE) {
		struct span in = span_cut(body, step);
		body = span_skip(body, in.n);
		while ((got = json_texts_next(&t, &in, MAX, &text)) == JSON_TEXTS_TEXT) {
			demand(text.n >= 2 && text.n <= MAX && (text.p[0] == '{' || text.p[0] == '['));
			buf_add(out, text);
			buf_add_char(out, '\n');
			++*texts;
		}
		demand(got != JSON_TEXTS_MORE || in.n == 0);
	}
	json_texts_clear(&t);
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span body = { (const char *)data, size };
	struct buf whole = { 0 };
	size_t texts, again;
	enum json_texts_got got = read_all(body, size > 0 ? size : 1, &whole, &texts);

	for (size_t step = 1; step <= 7; step += 3) {
		struct buf out = { 0 };
		demand(read_all(body, step, &out, &again) == got && again == texts);
		demand(span_eq(buf_span(&out), buf_span(&whole)));
		buf_free(&out);
	}
	demand(buf_size(&whole) <= size + texts);
	buf_free(&whole);
	return 0;
}
