#include "backend/json_texts.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void step_in_string(struct json_texts *t, char c)
{
	if (t->escaped)
		t->escaped = false;
	else if (c == '\\')
		t->escaped = true;
	else if (c == '"')
		t->quoted = false;
}

/* The number of bytes up to and with the one that ends the text; 0: it goes on. */
static size_t find_end(struct json_texts *t, struct span in)
{
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];
		if (t->quoted)
			step_in_string(t, c);
		else if (c == '"')
			t->quoted = true;
		else if (c == '{' || c == '[')
			t->depth++;
		else if ((c == '}' || c == ']') && --t->depth == 0)
			return i + 1;
	}
	return 0;
}

/* In front of the first text; it may come in parts. False: there is only a part of one. */
static bool skip_mark(struct json_texts *t, struct span *in)
{
	static const char mark[] = "\xEF\xBB\xBF";

	while (t->mark < sizeof(mark) - 1 && in->n > 0 && *in->p == mark[t->mark]) {
		*in = span_skip(*in, 1);
		t->mark++;
	}
	t->begun = in->n > 0;
	return !t->begun || t->mark == 0 || t->mark == sizeof(mark) - 1;
}

static void skip_space(struct span *in)
{
	while (in->n > 0 && is_space(*in->p))
		*in = span_skip(*in, 1);
}

enum json_texts_got json_texts_next(struct json_texts *t, struct span *in, size_t max, struct span *text)
{
	if (t->told) {
		buf_free(&t->text);
		t->told = false;
	}
	if (!t->begun && !skip_mark(t, in))
		return JSON_TEXTS_GARBAGE;
	if (t->depth == 0) {
		skip_space(in);
		if (in->n == 0)
			return JSON_TEXTS_MORE;
		if (*in->p != '{' && *in->p != '[')
			return JSON_TEXTS_GARBAGE;
	}
	size_t end = find_end(t, *in);
	struct span part = span_cut(*in, end > 0 ? end : in->n);
	if (buf_size(&t->text) + part.n > max)
		return JSON_TEXTS_TOO_LARGE;
	*in = span_skip(*in, part.n);
	if (end > 0 && buf_size(&t->text) == 0) {
		*text = part;
		return JSON_TEXTS_TEXT;
	}
	buf_add(&t->text, part);
	if (end == 0)
		return JSON_TEXTS_MORE;
	*text = buf_span(&t->text);
	t->told = true;
	return JSON_TEXTS_TEXT;
}

bool json_texts_is_open(const struct json_texts *t)
{
	return t->depth > 0;
}

void json_texts_clear(struct json_texts *t)
{
	buf_free(&t->text);
	*t = (struct json_texts){ 0 };
}
