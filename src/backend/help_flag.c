#include "backend/help_private.h"

#include <stdio.h>

/* What a value is called, and what that says about it. */
static const struct {
	const char *name;
	enum help_type type;
	bool repeated;
} types[] = {
	{ "int", HELP_INTEGER, false },
	{ "int32", HELP_INTEGER, false },
	{ "int64", HELP_INTEGER, false },
	{ "uint", HELP_INTEGER, false },
	{ "uint16", HELP_INTEGER, false },
	{ "uint32", HELP_INTEGER, false },
	{ "uint64", HELP_INTEGER, false },
	{ "integer", HELP_INTEGER, false },
	{ "integer range", HELP_INTEGER, false },
	{ "ints", HELP_INTEGER, true },
	{ "float", HELP_NUMBER, false },
	{ "float32", HELP_NUMBER, false },
	{ "float64", HELP_NUMBER, false },
	{ "float range", HELP_NUMBER, false },
	{ "double", HELP_NUMBER, false },
	{ "bool", HELP_BOOLEAN, false },
	{ "boolean", HELP_BOOLEAN, false },
	{ "string", HELP_TEXT, false },
	{ "text", HELP_TEXT, false },
	{ "strings", HELP_TEXT, true },
	{ "stringarray", HELP_TEXT, true },
	{ "stringslice", HELP_TEXT, true },
	{ "stringtostring", HELP_TEXT, true },
	{ "list", HELP_TEXT, true },
	{ "map", HELP_TEXT, true },
	{ "file", HELP_TEXT, false },
	{ "path", HELP_TEXT, false },
	{ "dir", HELP_TEXT, false },
	{ "duration", HELP_TEXT, false },
	{ "ip", HELP_TEXT, false },
	{ "bytes", HELP_TEXT, false },
};
#define TYPES (sizeof(types) / sizeof(types[0]))

/* The flag as it is read: what is left of the text, and the spellings so far. */
struct scan {
	struct span rest;
	struct span first_short, first_long, second_long;
	bool long_before; /* the spelling before is a long one */
	bool slash;       /* the second spelling says no */
	bool no_group;    /* --[no-]name */
	bool valued, optional, equals, colon;
	struct span value;
};

static bool is_name_char(char c)
{
	char low = ascii_lower(c);

	return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

static bool is_upper(struct span s)
{
	bool upper = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= 'a' && s.p[i] <= 'z')
			return false;
		upper |= s.p[i] >= 'A' && s.p[i] <= 'Z';
	}
	return upper;
}

static size_t name_size(struct span s)
{
	size_t n = 0;

	while (n < s.n && is_name_char(s.p[n]))
		n++;
	while (n > 0 && (s.p[n - 1] == '.' || s.p[n - 1] == '-')) /* "--verbose..." */
		n--;
	return n;
}

static size_t find_type(struct span value)
{
	size_t i = 0;

	while (i < TYPES && !span_eq_nocase(value, span_of(types[i].name)))
		i++;
	return i;
}

/* A dash, or two, and a name. */
static bool read_spelling(struct scan *s)
{
	static const struct span no = { "[no-]", 5 };
	size_t dashes = span_starts(s->rest, SPAN("--")) ? 2 : 1;
	struct span name = span_skip(s->rest, dashes);

	if (s->rest.n <= dashes || s->rest.p[0] != '-')
		return false;
	if (dashes == 2 && span_starts(name, no)) {
		s->no_group = true;
		name = span_skip(name, no.n);
	}
	size_t n = name_size(name);
	if (n == 0 || n > HELP_NAME_MAX || name.p[0] == '-')
		return false;
	bool is_long = dashes == 2 || n > 1;
	if (dashes == 1 && n > 1 && is_upper(span_cut(name, n))) /* "-NUM" stands for a number */
		return false;
	s->long_before = is_long;
	struct span spelling = s->no_group && dashes == 2 ? span_cut(name, n) : span_cut(s->rest, dashes + n);
	struct span *to = !is_long ? &s->first_short : span_is_set(s->first_long) ? &s->second_long : &s->first_long;
	if (!span_is_set(*to))
		*to = spelling;
	s->rest = span_skip(name, n);
	return true;
}

static void take_value(struct scan *s, size_t n)
{
	if (!s->valued)
		s->value = span_cut(s->rest, n);
	s->valued = true;
	s->rest = span_skip(s->rest, n);
}

/* --flag=VALUE; kubectl writes defaults there, and a colon behind. */
static void read_joined(struct scan *s)
{
	size_t n = 0;

	s->equals = true;
	s->rest = span_skip(s->rest, 1);
	while (n < s->rest.n) {
		char c = s->rest.p[n];
		bool last = n + 1 == s->rest.n;
		if (c == ' ' || c == ',' || c == ']' || (c == ':' && (last || s->rest.p[n + 1] == ' ')))
			break;
		n = c == '<' || c == '{' || c == '[' || c == '(' || c == '\'' || c == '"' ? help_group_end(s->rest, n)
		                                                                          : n + 1;
	}
	take_value(s, n);
	s->colon = s->rest.n > 0 && s->rest.p[0] == ':';
}

/* --flag[=VALUE], -x[VALUE] */
static void read_optional(struct scan *s)
{
	size_t n = help_group_end(s->rest, 0);

	s->optional = true;
	s->equals |= span_starts(s->rest, SPAN("[="));
	take_value(s, n);
}

/*
 * May the token behind a space be the value's name? `region`: up to the gap before the description, if there is one:
 * what stands alone in front of that is a value, whatever it looks like.
 */
static bool is_value(struct span token, struct span region, bool gap)
{
	if (token.n == 0 || token.p[0] == '-')
		return false;
	if (gap && token.n == region.n)
		return true;
	if (token.p[0] == '[' && help_group_end(token, 0) == token.n)
		return help_gap(token) == token.n && span_find(token, ':') == token.n &&
		       span_find(token, ' ') == token.n;
	if (help_is_placeholder(token) || find_type(token) < TYPES)
		return true;
	return token.n == region.n || (help_is_command(token) && span_starts(span_skip(region, token.n), SPAN(" : ")));
}

/* "INTEGER RANGE", "FILE [FILE ...]", "FILE ..." */
static void read_more_of_value(struct scan *s)
{
	struct span next = s->rest, token;

	while (next.n > 1 && next.p[0] == ' ' && next.p[1] != ' ' && next.p[1] != '-') {
		next = span_skip(next, 1);
		if (!help_next_token(&next, &token))
			return;
		if (is_upper(token) && help_is_placeholder(token) && token.p[0] != '[')
			s->value = span_between(s->value.p, span_end(token));
		else if (token.p[0] != '[' || !help_contains(token, "..."))
			return;
		s->rest = next;
	}
}

static void read_spaced(struct scan *s)
{
	struct span region = span_skip(s->rest, 1), token, next;

	bool gap = help_gap(region) < region.n;
	region = span_cut(region, help_gap(region));
	next = region;
	if (!help_next_token(&next, &token))
		return;
	bool comma = token.n > 1 && token.p[token.n - 1] == ',';
	token.n -= comma;
	if (!is_value(token, comma ? token : region, gap))
		return;
	s->optional |= token.p[0] == '[' && span_find(token, '|') == token.n;
	s->rest = span_skip(s->rest, 1);
	take_value(s, token.n);
	read_more_of_value(s);
}

/* Typer puts the value into a column of its own: "--name  -n      TEXT  Who it is". */
static void read_column(struct scan *s)
{
	struct span rest = s->rest, token;

	if (!help_next_token(&rest, &token) || !is_upper(token) || find_type(token) == TYPES || help_gap(rest) > 0)
		return;
	s->rest = span_between(token.p, span_end(s->rest));
	take_value(s, token.n);
}

static void read_value(struct scan *s)
{
	if (s->rest.n == 0)
		return;
	switch (s->rest.p[0]) {
	case '=':
		read_joined(s);
		return;
	case '[':
		if (s->rest.n > 1 && strchr("=<[", s->rest.p[1]) != NULL) /* "-f[amily]" is an abbreviation */
			read_optional(s);
		return;
	case '<':
		take_value(s, help_group_end(s->rest, 0));
		return;
	case ' ':
		if (s->rest.n > 1 && s->rest.p[1] != ' ')
			read_spaced(s);
		else
			read_column(s);
		return;
	default:
		return;
	}
}

/* "--name  -n": a short one in the next column */
static bool is_next_column(const struct scan *s, struct span next)
{
	return s->long_before && span_starts(s->rest, SPAN("  ")) && next.n > 3 && next.p[0] == '-' &&
	       next.p[1] != '-' && next.p[2] == ' ' && next.p[3] == ' ';
}

/* What stands between two spellings; only if there is another one behind. */
static bool read_separator(struct scan *s)
{
	static const struct span between[] = { { ", ", 2 }, { ",", 1 }, { " | ", 3 }, { "|", 1 }, { " / ", 3 },
		{ "/", 1 }, { " or ", 4 }, { " ", 1 } };

	for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
		struct span next = span_skip(s->rest, between[i].n);
		if (!span_starts(s->rest, between[i]))
			continue;
		while (next.n > 0 && next.p[0] == ' ' && between[i].p[0] == ',') /* "-x,   --long" */
			next = span_skip(next, 1);
		if (next.n < 2 || next.p[0] != '-')
			continue;
		if (between[i].p[0] == ' ' && between[i].n == 1 && (s->long_before || next.p[1] != '-'))
			continue; /* "-mount -depth" are two flags */
		s->slash |= span_find(between[i], '/') < between[i].n;
		s->rest = next;
		return true;
	}
	struct span next = s->rest;
	while (next.n > 0 && next.p[0] == ' ')
		next = span_skip(next, 1);
	if (!is_next_column(s, next))
		return false;
	s->rest = next;
	return true;
}

/* "-<number>, -n <number>": the first has no name. */
static void skip_nameless(struct scan *s)
{
	if (!span_starts(s->rest, SPAN("-<")))
		return;
	struct span next = span_skip(s->rest, help_group_end(s->rest, 1));
	if (span_starts(next, SPAN(", -")))
		s->rest = span_skip(next, 2);
}

static bool read_spellings(struct scan *s)
{
	skip_nameless(s);
	if (!read_spelling(s))
		return false;
	read_value(s);
	while (read_separator(s)) {
		struct span before = s->rest;
		if (!read_spelling(s)) {
			s->rest = before;
			break;
		}
		read_value(s);
	}
	if (span_starts(s->rest, SPAN("...")))
		s->rest = span_skip(s->rest, 3);
	return true;
}

static struct span without_brackets(struct span s)
{
	if (s.n > 3 && span_eq(span_skip(s, s.n - 3), SPAN("...")))
		s.n -= 3;
	if (s.n >= 2 && strchr("<[{(", s.p[0]) != NULL && help_group_end(s, 0) == s.n)
		s = span_between(s.p + 1, span_end(s) - (strchr(">]})", s.p[s.n - 1]) != NULL));
	if (s.n > 0 && s.p[0] == '=')
		s = span_skip(s, 1);
	return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? span_between(s.p + 1, span_end(s) - 1) : s;
}

static void read_choices(struct arena *a, struct help_flag *f, struct span list, char by)
{
	struct span part;

	f->choices = ARENA_ARRAY(a, struct span, HELP_CHOICES_MAX);
	f->choice_count = 0;
	while (span_next(&list, by, &part)) {
		part = span_trim(part);
		if (part.n == 0 || part.n > HELP_NAME_MAX || f->choice_count == HELP_CHOICES_MAX) {
			f->choice_count = 0; /* odd, or not all of them: then any will do */
			return;
		}
		f->choices[f->choice_count++] = part;
	}
}

/* "[json|yaml]" of click, "{json,yaml}" of argparse, "(json|yaml)": those words and no others. */
static void read_value_choices(struct arena *a, struct help_flag *f, struct span value)
{
	char by = value.n > 2 && value.p[0] == '{' ? ',' : '|';
	struct span list = value.n > 2 ? span_between(value.p + 1, span_end(value) - 1) : SPAN_NONE;

	if (list.n > 0 && span_find(value, '|') < value.n && help_is_command(span_cut(value, 1)))
		list = value; /* "text|json" */
	else if (list.n == 0 || strchr("{[(", value.p[0]) == NULL)
		return;
	if (span_find(list, by) == list.n)
		return;
	for (size_t i = 0; i < list.n; i++)
		if (strchr("<[({>])}= ", list.p[i]) != NULL)
			return;
	read_choices(a, f, list, by);
}

/* kubectl shows a default in the place of the value's name. */
static void read_default(struct help_flag *f, struct span value)
{
	uint64_t number;

	f->value = SPAN("");
	if (span_eq(value, SPAN("false")) || span_eq(value, SPAN("true"))) {
		f->on = value.p[0] == 't';
		f->value = SPAN_NONE;
		f->type = HELP_BOOLEAN;
	} else if (span_to_u64(value, INT64_MAX, &number)) {
		f->type = HELP_INTEGER;
	}
	f->repeated = span_eq(value, SPAN("[]"));
}

static void read_type(struct arena *a, struct help_flag *f, const struct scan *s)
{
	struct span bare = without_brackets(s->value);

	f->type = s->valued ? HELP_TEXT : HELP_BOOLEAN;
	if (!s->valued)
		return;
	f->value = bare;
	f->repeated = s->value.n > 3 && help_contains(span_skip(s->value, s->value.n - 4), "...");
	size_t type = find_type(bare);
	if (type < TYPES && !s->optional) {
		f->type = types[type].type;
		f->repeated |= types[type].repeated && !is_upper(bare); /* GNU's LIST is one text */
	}
	if (s->colon)
		read_default(f, s->value);
	else
		read_value_choices(a, f, s->value);
}

static struct span concat(struct arena *a, const char *before, struct span s)
{
	return span_of(arena_printf(a, "%s%.*s", before, SPAN_ARG(s)));
}

static void name_it(struct arena *a, struct help_flag *f, const struct scan *s)
{
	f->flag = span_is_set(s->first_long) ? s->first_long : s->first_short;
	if (s->no_group && f->flag.p[0] != '-') {
		f->negative = concat(a, "--no-", f->flag);
		f->flag = concat(a, "--", f->flag);
	} else if (s->slash && span_is_set(s->second_long)) {
		f->negative = s->second_long;
	}
	f->name = span_skip(f->flag, span_starts(f->flag, SPAN("--")) ? 2 : 1);
}

bool help_flag_read(struct arena *a, struct span text, struct help_flag *f)
{
	struct scan s = { .rest = text };

	*f = (struct help_flag){ 0 };
	if (!read_spellings(&s))
		return false;
	if (s.rest.n > 0 && s.rest.p[0] != ' ' && s.rest.p[0] != ':' && s.rest.p[0] != ',' && s.rest.p[0] != ']')
		return false;
	name_it(a, f, &s);
	read_type(a, f, &s);
	f->joined = s.equals;
	f->optional = s.optional;
	if (s.rest.n > 0 && s.rest.p[0] != ' ')
		s.rest = span_skip(s.rest, 1);
	f->description = span_trim(s.rest);
	if (span_starts(f->description, SPAN(": ")))
		f->description = span_skip(f->description, 2);
	return true;
}

/* clap: "[possible values: fast, slow]" */
static void refine_choices(struct arena *a, struct help_flag *f)
{
	static const struct span mark = { "[possible values:", 17 };

	for (size_t at = 0; at + mark.n < f->description.n; at++) {
		struct span list = span_skip(f->description, at + mark.n);
		if (!span_starts(span_skip(f->description, at), mark))
			continue;
		size_t end = span_find(list, ']');
		if (end < list.n)
			read_choices(a, f, span_cut(list, end), ',');
		return;
	}
}

/* yargs tells the type at the end of the line. */
static void refine_type(struct help_flag *f)
{
	static const struct {
		const char *mark;
		enum help_type type;
		bool repeated;
	} marks[] = { { "[string]", HELP_TEXT, false }, { "[number]", HELP_NUMBER, false },
		{ "[array]", HELP_TEXT, true } };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (!help_contains(f->description, marks[i].mark))
			continue;
		f->value = SPAN("");
		f->type = marks[i].type;
		f->repeated = marks[i].repeated;
	}
}

void help_flag_refine(struct arena *a, struct help_flag *f)
{
	static const char *const repeats[] = { "repeated", "repeatable", "multiple times", "more than once",
		"multiple values" };

	if (!span_is_set(f->value))
		refine_type(f);
	if (!span_is_set(f->value)) {
		f->on |= help_contains(f->description, "(default true)") ||
		         help_contains(f->description, "[default: true]");
		return;
	}
	for (size_t i = 0; i < sizeof(repeats) / sizeof(repeats[0]); i++)
		f->repeated |= help_contains(f->description, repeats[i]) && f->type != HELP_BOOLEAN;
	if (f->choice_count == 0)
		refine_choices(a, f);
}
