/*
 * Response heads. However the bytes are cut into packets the verdict is the same, and what is found lies inside them.
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/response.h"

#define HEAD_MAX 512

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void demand_inside(struct span part, struct span text)
{
	if (part.n > 0)
		demand(part.p >= text.p && span_end(part) <= span_end(text));
}

static void check_head(const struct response_head *head, struct span text, size_t used)
{
	demand(used <= text.n && used > 0);
	demand(head->field_count <= HEAD_FIELDS_MAX);
	demand(!(head->chunked && head->has_length));
	demand(!(head->chunked && head->minor == 0));
	demand(head->status >= 100 && head->status < 600);
	demand_inside(head->reason, text);
	for (unsigned i = 0; i < head->field_count; i++) {
		demand_inside(head->fields[i].name, text);
		demand_inside(head->fields[i].value, text);
		demand(span_find(head->fields[i].value, '\n') == head->fields[i].value.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct response_head head, again;
	size_t scanned = 0, used = 0, used_again = 0;
	enum head_verdict whole = response_head_parse(text, HEAD_MAX, &scanned, &head, &used);

	if (whole == HEAD_DONE)
		check_head(&head, text, used);
	for (size_t step = 1; step <= 16; step *= 4) {
		enum head_verdict verdict = HEAD_MORE;
		scanned = 0;
		for (size_t n = step; verdict == HEAD_MORE; n += step) {
			verdict = response_head_parse(span_cut(text, n), HEAD_MAX, &scanned, &again, &used_again);
			if (n >= size)
				break;
		}
		demand(verdict == whole);
		demand(whole != HEAD_DONE || used == used_again);
	}
	return 0;
}
