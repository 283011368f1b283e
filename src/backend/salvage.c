#include "backend/salvage.h"

/* Reads tokens of the outermost object from a text that may break off anywhere. */
struct reader {
	const char *at, *end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool take(struct reader *r, char c)
{
	while (r->at < r->end && is_space(*r->at))
		r->at++;
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* After the opening quote: the bytes up to the closing one. */
static bool take_string(struct reader *r, struct span *text)
{
	const char *from = r->at;

	for (; r->at < r->end; r->at++) {
		if (*r->at == '"') {
			*text = span_between(from, r->at++);
			return true;
		}
		if (*r->at == '\\' && r->at + 1 < r->end)
			r->at++;
	}
	return false;
}

/* A number or a literal, up to what must follow a member's value. */
static struct span take_scalar(struct reader *r)
{
	const char *from = r->at;

	while (r->at < r->end && *r->at != ',' && *r->at != '}' && !is_space(*r->at))
		r->at++;
	return span_between(from, r->at);
}

static bool take_value(struct reader *r, struct span *value)
{
	if (take(r, '"')) {
		*value = SPAN("");
		return take_string(r, &(struct span){ 0 });
	}
	*value = take_scalar(r);
	return r->at < r->end && value->n > 0;
}

enum seen { SEEN_NOTHING, SEEN_ANSWER, SEEN_OTHER };

/* The members before `result` or `error`, which we do not look into: one of them may be the id. */
static enum seen read_first(struct span first, struct span *id)
{
	struct reader r = { first.p, span_end(first) };
	struct span key, value;

	if (!take(&r, '{'))
		return SEEN_OTHER;
	do {
		if (!take(&r, '"') || !take_string(&r, &key) || !take(&r, ':'))
			return SEEN_NOTHING;
		if (span_eq(key, SPAN("result")) || span_eq(key, SPAN("error")))
			return SEEN_ANSWER;
		if (span_eq(key, SPAN("method")))
			return SEEN_OTHER;
		if (!take_value(&r, &value))
			return SEEN_NOTHING;
		if (span_eq(key, SPAN("id")))
			*id = value;
	} while (take(&r, ','));
	return take(&r, '}') ? SEEN_ANSWER : SEEN_NOTHING; /* whole, and without a method: it can only be an answer */
}

static struct span drop_end(struct span s, struct span end)
{
	if (s.n < end.n || !span_eq(span_skip(s, s.n - end.n), end))
		return SPAN_NONE;
	return span_cut(s, s.n - end.n);
}

/*
 * ...,"id":7} or ...,"id":7,"jsonrpc":"2.0"} as the very last bytes: in a valid text these can only be members of the
 * outermost object.
 */
static bool read_last(struct span last, struct span *id)
{
	struct span s = drop_end(last, SPAN("}"));
	struct span before = drop_end(s, SPAN(",\"jsonrpc\":\"2.0\""));
	size_t digits = 0;

	if (span_is_set(before))
		s = before;
	while (digits < s.n && s.p[s.n - 1 - digits] >= '0' && s.p[s.n - 1 - digits] <= '9')
		digits++;
	*id = span_skip(s, s.n - digits);
	return span_is_set(drop_end(span_cut(s, s.n - digits), SPAN(",\"id\":")));
}

bool salvage_id(struct span first, struct span last, uint64_t *id)
{
	struct span text = SPAN_NONE;

	if (read_first(first, &text) != SEEN_ANSWER)
		return false;
	if (!span_is_set(text) && !read_last(last, &text))
		return false;
	return span_to_u64(text, UINT64_MAX, id);
}
