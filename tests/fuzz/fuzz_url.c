/*
 * URLs and references. The first line is a base, the rest a reference. What is taken can be written, and what was
 * written is taken again as the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/url.h"

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_again(const struct url *u)
{
	struct buf text = { 0 };
	struct url again;
	struct err e;

	buf_add(&text, u->secure ? SPAN("https://") : SPAN("http://"));
	url_put_authority(&text, u, false);
	url_put_target(&text, u);
	demand(url_parse(buf_span(&text), &again, &e));
	demand(url_same_origin(u, &again));
	demand(span_eq(u->path, again.path) && span_eq(u->query, again.query));
	demand(u->port > 0 && u->port < 65536 && u->path.p[0] == '/');
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size }, line;
	struct buf text = { 0 };
	struct url base, u;
	struct err e;

	if (!span_next(&rest, '\n', &line) || !url_parse(line, &base, &e))
		return 0;
	check_again(&base);
	if (span_is_set(rest) && url_resolve(&base, rest, &text, &u, &e))
		check_again(&u);
	buf_free(&text);
	return 0;
}
