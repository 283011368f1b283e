#include "backend/lines.h"

#define KEEP_MEMORY 65536 /* of a line handed out, for the next one */

void lines_init(struct lines *l, size_t max)
{
	*l = (struct lines){ .max = max };
}

void lines_clear(struct lines *l)
{
	buf_free(&l->held);
	buf_free(&l->last);
	lines_init(l, l->max);
}

static void empty(struct buf *b)
{
	if (b->cap > KEEP_MEMORY)
		buf_free(b);
	else
		buf_reset(b);
}

/* The line that was handed out last is done with. */
static void forget(struct lines *l)
{
	if (!l->handed_out)
		return;
	empty(&l->held);
	empty(&l->last);
	l->handed_out = l->skipping = false;
	l->skipped = 0;
}

static struct span without_cr(struct span s)
{
	return s.n > 0 && s.p[s.n - 1] == '\r' ? span_cut(s, s.n - 1) : s;
}

static struct span last_of(struct span s, size_t n)
{
	return s.n > n ? span_skip(s, s.n - n) : s;
}

/* More of a line that is too long: only its last bytes matter, and one more for a CR. */
static void skip(struct lines *l, struct span part)
{
	size_t keep = LINES_ENDS + 1;

	l->skipped += part.n;
	buf_add(&l->last, last_of(part, keep));
	if (buf_size(&l->last) > 2 * keep)
		buf_take(&l->last, buf_size(&l->last) - keep);
}

static void begin_skip(struct lines *l)
{
	struct span all = buf_span(&l->held);
	size_t first = l->max < LINES_ENDS ? l->max : LINES_ENDS;

	l->skipping = true;
	skip(l, all);
	l->held.to = l->held.from + first;
}

/* A part of a line whose end is not there yet. One byte over the bound may still turn out to be a CR. */
static void hold(struct lines *l, struct span part)
{
	if (l->skipping) {
		skip(l, part);
		return;
	}
	buf_add(&l->held, part);
	if (buf_size(&l->held) > l->max + 1)
		begin_skip(l);
}

static enum lines_got too_long(struct lines *l, struct line *line)
{
	struct span last = buf_span(&l->last);
	struct span stripped = without_cr(last);

	line->text = buf_span(&l->held);
	line->last = last_of(stripped, LINES_ENDS);
	line->size = l->skipped - (last.n - stripped.n);
	return LINES_TOO_LONG;
}

/* The line in `held` has come to its end. LINES_MORE: it is empty. */
static enum lines_got complete(struct lines *l, struct line *line)
{
	struct span text = without_cr(buf_span(&l->held));

	l->handed_out = true;
	if (!l->skipping && text.n > l->max)
		begin_skip(l);
	if (l->skipping)
		return too_long(l, line);
	*line = (struct line){ .text = text, .size = text.n };
	return text.n > 0 ? LINES_LINE : LINES_MORE;
}

/* The next line, which may be empty: LINES_MORE with bytes left. */
static enum lines_got take(struct lines *l, struct span *bytes, struct line *line)
{
	size_t n = span_find(*bytes, '\n');
	struct span part = span_cut(*bytes, n);

	if (n == bytes->n) {
		hold(l, part);
		*bytes = span_skip(*bytes, n);
		return LINES_MORE;
	}
	*bytes = span_skip(*bytes, n + 1);
	if (buf_size(&l->held) > 0 || without_cr(part).n > l->max) {
		hold(l, part);
		return complete(l, line);
	}
	part = without_cr(part);
	*line = (struct line){ .text = part, .size = part.n };
	return part.n > 0 ? LINES_LINE : LINES_MORE;
}

enum lines_got lines_next(struct lines *l, struct span *bytes, struct line *line)
{
	enum lines_got got = LINES_MORE;

	forget(l);
	while (got == LINES_MORE && bytes->n > 0) {
		got = take(l, bytes, line);
		if (got == LINES_MORE)
			forget(l);
	}
	return got;
}

enum lines_got lines_end(struct lines *l, struct line *line)
{
	forget(l);
	return buf_size(&l->held) > 0 ? complete(l, line) : LINES_MORE;
}
