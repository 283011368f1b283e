#include "backend/help_private.h"

#include "base/buf.h"

#define ARGUMENTS_MAX 300 /* bytes */

bool help_contains(struct span text, const char *what)
{
	struct span wanted = span_of(what);

	for (; text.n >= wanted.n; text = span_skip(text, 1))
		if (span_eq_nocase(span_cut(text, wanted.n), wanted))
			return true;
	return false;
}

struct span help_cut(struct span s, size_t most)
{
	if (s.n <= most)
		return s;
	while (most > 0 && ((unsigned char)s.p[most] & 0xC0) == 0x80)
		most--;
	return span_cut(s, most);
}

size_t help_gap(struct span s)
{
	for (size_t i = 0; i + 1 < s.n; i++)
		if (s.p[i] == ' ' && s.p[i + 1] == ' ')
			return i;
	return s.n;
}

static char closing(char open)
{
	switch (open) {
	case '<':
		return '>';
	case '[':
		return ']';
	case '{':
		return '}';
	case '(':
		return ')';
	default:
		return open; /* a quote */
	}
}

size_t help_group_end(struct span s, size_t at)
{
	char open = s.p[at], close = closing(open);
	size_t depth = 0;

	for (size_t i = at; i < s.n; i++) {
		if (s.p[i] == open && (open != close || i == at))
			depth++;
		else if (s.p[i] == close && --depth == 0)
			return i + 1;
	}
	return s.n;
}

bool help_next_token(struct span *rest, struct span *token)
{
	size_t n = 0;

	while (rest->n > 0 && rest->p[0] == ' ')
		*rest = span_skip(*rest, 1);
	while (n < rest->n && rest->p[n] != ' ')
		n = strchr("<[{(", rest->p[n]) != NULL ? help_group_end(*rest, n) : n + 1;
	*token = span_cut(*rest, n);
	*rest = span_skip(*rest, n);
	return n > 0;
}

bool help_is_placeholder(struct span token)
{
	bool upper = false;

	if (token.n == 0)
		return false;
	if (strchr("<[{(", token.p[0]) != NULL)
		return true;
	for (size_t i = 0; i < token.n; i++) {
		char c = token.p[i];
		if (c >= 'A' && c <= 'Z')
			upper = true;
		else if (!(c >= '0' && c <= '9') && strchr("_-.,:/=|+[]<>{}()*@", c) == NULL)
			return false;
	}
	return upper || span_eq(token, SPAN("..."));
}

/* Up to the next "|" that is in no bracket. */
static bool next_alternative(struct span *rest, struct span *part)
{
	size_t n = 0;

	if (rest->n == 0)
		return false;
	while (n < rest->n && rest->p[n] != '|')
		n = strchr("<[{(", rest->p[n]) != NULL ? help_group_end(*rest, n) : n + 1;
	*part = span_cut(*rest, n);
	*rest = span_skip(*rest, n + 1);
	return true;
}

/* "[-q | --quiet | --silent]": three flags, but "[-q | --quiet]" is one with two spellings. */
static bool is_one_flag(struct span group)
{
	struct span rest = group, part;
	unsigned n = 0, longs = 0;

	while (next_alternative(&rest, &part)) {
		longs += span_starts(span_trim(part), SPAN("--"));
		n++;
	}
	return n == 1 || (n == 2 && longs == 1);
}

static void read_group(struct arena *a, struct span group, void (*found)(void *arg, struct help_flag *f), void *arg)
{
	struct span part, whole = group;
	struct help_flag f;
	size_t again = 0; /* "--omit <x> [--omit <x> ...]": it may come again */

	while (again < group.n && !span_starts(span_skip(group, again), SPAN(" [-")))
		again++;
	group = span_cut(group, again);
	bool one = is_one_flag(group);
	while (one ? (part = group, group.n > 0) : next_alternative(&group, &part)) {
		if (help_flag_read(a, span_trim(part), &f)) {
			f.repeated |= span_is_set(f.value) && again < whole.n && help_contains(whole, "...");
			f.description = SPAN("");
			found(arg, &f);
		}
		if (one)
			return;
	}
}

/* "-abcde" is a heap of flags, of which nobody can tell whether one of them takes a value. */
static bool is_heap(struct span group)
{
	return group.n > 2 && group.p[1] != '-' && group.p[2] != ' ' && group.p[2] != '|' && group.p[2] != '<' &&
	       group.p[2] != '[' && group.p[2] != ',';
}

void help_usage_flags(struct arena *a, struct span text, void (*found)(void *arg, struct help_flag *f), void *arg)
{
	struct span token;

	while (help_next_token(&text, &token)) {
		if (token.n < 4 || token.p[0] != '[' || token.p[1] != '-')
			continue;
		struct span group = span_between(token.p + 1, token.p + help_group_end(token, 0) - 1);
		if (!is_heap(group))
			read_group(a, group, found, arg);
	}
}

/* "[OPTIONS]", "[flags]", "[<options>]", "[OPTION]...": flags are no arguments. */
static bool is_options(struct span token)
{
	return token.p[0] == '-' || span_starts(token, SPAN("[-")) || span_starts(token, SPAN("[[-")) ||
	       span_starts(token, SPAN("(-")) || help_contains(token, "option") || help_contains(token, "flags");
}

struct span help_usage_arguments(struct arena *a, struct span usage)
{
	struct buf out = { 0 };
	struct span token;
	bool begun = false, after_flag = false;

	while (help_next_token(&usage, &token) && buf_size(&out) < ARGUMENTS_MAX) {
		bool options = is_options(token), holder = help_is_placeholder(token);
		begun |= options || holder; /* before that: the program and its subcommand */
		if (begun && !options && !(after_flag && holder))
			buf_printf(&out, "%s%.*s", buf_size(&out) > 0 ? " " : "", SPAN_ARG(token));
		after_flag = token.p[0] == '-' && span_find(token, '=') == token.n;
	}
	struct span arguments = help_cut(buf_span(&out), ARGUMENTS_MAX);
	arguments = arguments.n > 0 ? arena_copy(a, arguments) : SPAN_NONE;
	buf_free(&out);
	return arguments;
}
