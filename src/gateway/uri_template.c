#include "gateway/uri_template.h"

/* Control bytes stand in no URI, so they can stand for expressions. */
enum mark { MARK_SEGMENT = 1, MARK_SOME = 2, MARK_ANY = 3 };

static char mark_of(struct span expression)
{
	if (expression.n == 0)
		return MARK_ANY;
	if (expression.p[0] == '+')
		return MARK_SOME;
	return memchr("#./;?&", expression.p[0], 6) != NULL ? MARK_ANY : MARK_SEGMENT;
}

struct span uri_template_compile(struct arena *a, struct span text)
{
	char *out = arena_alloc(a, text.n + 1);
	size_t n = 0;

	while (text.n > 0) {
		size_t close = text.p[0] == '{' ? span_find(text, '}') : text.n;
		if (close < text.n) {
			out[n++] = mark_of(span_between(text.p + 1, text.p + close));
			text = span_skip(text, close + 1);
			continue;
		}
		if ((unsigned char)text.p[0] <= MARK_ANY)
			return SPAN_NONE;
		out[n++] = text.p[0];
		text = span_skip(text, 1);
	}
	return (struct span){ out, n };
}

/* A place to go back to: the pattern behind a mark, and the first byte that the mark has not swallowed yet. */
struct retry {
	bool set;
	size_t p, t;
};

struct match {
	struct span pattern, uri;
	size_t p, t;
	struct retry segment, any; /* the last of each kind; the earliest end is always the best (see test) */
};

/* One step forward; false: this way does not lead on. */
static bool advance(struct match *m)
{
	bool left = m->t < m->uri.n;
	char want = m->pattern.p[m->p], have = left ? m->uri.p[m->t] : '\0';

	if (want == MARK_ANY || (want == MARK_SOME && left)) {
		m->t += want == MARK_SOME;
		m->any = (struct retry){ true, ++m->p, m->t };
		m->segment.set = false;
		return true;
	}
	if (!left || (want == MARK_SEGMENT ? have == '/' : have != want))
		return false;
	m->p++;
	m->t++;
	if (want == MARK_SEGMENT)
		m->segment = (struct retry){ true, m->p, m->t };
	return true;
}

/* Lets the last mark that can take one byte more do so. */
static bool go_back(struct match *m)
{
	struct retry *r = &m->segment;

	if (!r->set || r->t == m->uri.n || m->uri.p[r->t] == '/') {
		r->set = false;
		r = &m->any;
	}
	if (!r->set || r->t == m->uri.n)
		return false;
	m->t = ++r->t;
	m->p = r->p;
	return true;
}

bool uri_template_matches(struct span compiled, struct span uri)
{
	struct match m = { .pattern = compiled, .uri = uri };

	if (!span_is_set(compiled) || uri.n > URI_MATCH_MAX)
		return false;
	for (;;) {
		bool at_end = m.p == compiled.n;
		if (at_end && m.t == uri.n)
			return true;
		if ((at_end || !advance(&m)) && !go_back(&m))
			return false;
	}
}
