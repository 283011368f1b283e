#include "mcp/rewrite.h"

#include <assert.h>

struct pieces pieces_of(struct span whole)
{
	struct pieces p = { .n = 0 };

	pieces_append(&p, whole);
	return p;
}

void pieces_append(struct pieces *p, struct span s)
{
	if (s.n == 0)
		return;
	assert(p->n < PIECES_MAX);
	p->at[p->n++] = s;
	p->size += s.n;
}

/* An insertion (an empty `out`) goes before what stands at the same place. */
static bool splice_is_before(const struct splice *a, const struct splice *b)
{
	return a->out.p < b->out.p || (a->out.p == b->out.p && a->out.n < b->out.n);
}

/* Those with an `out`, in the order of the text; equals keep their order. */
static unsigned sort_splices(const struct splice *splices, unsigned n, const struct splice *sorted[SPLICES_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!span_is_set(splices[i].out))
			continue;
		unsigned to = count++;
		for (; to > 0 && splice_is_before(&splices[i], sorted[to - 1]); to--)
			sorted[to] = sorted[to - 1];
		sorted[to] = &splices[i];
	}
	return count;
}

struct pieces pieces_splice(struct span text, const struct splice *splices, unsigned n)
{
	const struct splice *sorted[SPLICES_MAX];
	struct pieces p = { .n = 0 };
	const char *at = text.p;

	assert(n <= SPLICES_MAX);
	n = sort_splices(splices, n, sorted);
	for (unsigned i = 0; i < n; i++) {
		assert(sorted[i]->out.p >= at && span_end(sorted[i]->out) <= span_end(text));
		pieces_append(&p, span_between(at, sorted[i]->out.p));
		pieces_append(&p, sorted[i]->in);
		at = span_end(sorted[i]->out);
	}
	pieces_append(&p, span_between(at, span_end(text)));
	return p;
}

void pieces_put(struct buf *out, const struct pieces *p)
{
	buf_reserve(out, p->size);
	for (unsigned i = 0; i < p->n; i++)
		buf_add(out, p->at[i]);
}

void pieces_put_line(struct buf *out, const struct pieces *p)
{
	char *line = buf_reserve(out, p->size);

	pieces_put(out, p);
	for (size_t i = 0; i < p->size; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
}
