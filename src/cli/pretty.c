#include "cli/pretty.h"

static void new_line(struct buf *out, unsigned depth)
{
	buf_add_char(out, '\n');
	for (unsigned i = 0; i < depth; i++)
		buf_add(out, SPAN("  "));
}

/* Behind the string that starts at `i`. */
static size_t string_end(struct span json, size_t i)
{
	for (i++; i < json.n && json.p[i] != '"'; i++)
		if (json.p[i] == '\\')
			i++;
	return i + 1;
}

static size_t skip_space(struct span json, size_t i)
{
	while (i < json.n && (unsigned char)json.p[i] <= ' ')
		i++;
	return i;
}

/* An empty object or array stays on its line. Returns the place behind what was put. */
static size_t put_opening(struct buf *out, struct span json, size_t i, unsigned *depth)
{
	size_t next = skip_space(json, i + 1);

	buf_add_char(out, json.p[i]);
	if (next < json.n && (json.p[next] == ']' || json.p[next] == '}')) {
		buf_add_char(out, json.p[next]);
		return next + 1;
	}
	new_line(out, ++*depth);
	return i + 1;
}

static void put_mark(struct buf *out, char mark, unsigned *depth)
{
	if (mark == ']' || mark == '}')
		new_line(out, --*depth);
	buf_add_char(out, mark);
	if (mark == ':')
		buf_add_char(out, ' ');
	if (mark == ',')
		new_line(out, *depth);
}

void pretty_put(struct buf *out, struct span json)
{
	unsigned depth = 0;
	size_t end;

	for (size_t i = skip_space(json, 0); i < json.n; i = skip_space(json, i)) {
		switch (json.p[i]) {
		case '"':
			end = string_end(json, i);
			buf_add(out, span_cut(span_skip(json, i), end - i));
			i = end;
			break;
		case '{':
		case '[':
			i = put_opening(out, json, i, &depth);
			break;
		default:
			put_mark(out, json.p[i++], &depth);
		}
	}
}
