#include "backend/help_private.h"

bool help_is_command(struct span word)
{
	if (word.n == 0 || word.n > HELP_NAME_MAX)
		return false;
	for (size_t i = 0; i < word.n; i++) {
		char low = ascii_lower(word.p[i]);
		bool plain = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9');
		if (!plain && (i == 0 || strchr("_-.:", low) == NULL))
			return false;
	}
	return word.p[word.n - 1] != '.' && word.p[word.n - 1] != ':';
}

typedef void found_function(void *arg, struct span name, struct span description);

/* Parts that are all names, at least `least` of them; `by` ',' or ' ' for columns. */
static size_t count_names(struct span line, char by, bool *all)
{
	struct span part;
	size_t n = 0;

	*all = true;
	while (span_next(&line, by, &part)) {
		part = span_trim(part);
		if (part.n == 0)
			continue;
		*all = *all && help_is_command(part);
		n++;
	}
	return n;
}

static size_t give_names(struct span line, char by, found_function *found, void *arg)
{
	struct span part;
	size_t n = 0;

	while (span_next(&line, by, &part)) {
		part = span_trim(part);
		if (part.n == 0)
			continue;
		found(arg, part, SPAN(""));
		n++;
	}
	return n;
}

/* "access, adduser, audit," or names in columns. */
static size_t read_names(struct span line, bool plain, found_function *found, void *arg)
{
	bool comma = span_find(line, ',') < line.n, all;
	char by = comma ? ',' : ' ';
	size_t n = count_names(line, by, &all);
	size_t gaps = 0;

	for (struct span rest = line; help_gap(rest) < rest.n; gaps++) {
		rest = span_skip(rest, help_gap(rest));
		while (rest.n > 0 && rest.p[0] == ' ')
			rest = span_skip(rest, 1);
	}
	if (!all || n == 0 || (!comma && gaps + 1 != n))
		return 0;
	bool list = comma ? gaps == 0 || line.p[line.n - 1] == ',' : n >= 3;
	return list || (plain && n == 1) ? give_names(line, by, found, arg) : 0;
}

/* What may stand behind a name: its aliases and arguments. */
static bool is_tail(struct span tail)
{
	struct span token;
	bool alias = false;

	while (help_next_token(&tail, &token)) {
		bool more = token.p[token.n - 1] == ',';
		if (!alias && !help_is_placeholder(token))
			return false;
		alias = more;
	}
	return true;
}

/* "name - what it does" or "name: what it does" */
static bool split_at_mark(struct span text, struct span *name, struct span *description)
{
	size_t space = span_find(text, ' ');
	struct span rest = span_skip(text, space);

	*name = span_cut(text, space);
	if (name->n > 1 && name->p[name->n - 1] == ':' && name->p[0] >= 'a') { /* "Bisecting: 675 left" is a sentence */
		name->n--;
		*description = span_trim(rest);
		return true;
	}
	if (!span_starts(rest, SPAN(" - ")) && !span_starts(rest, SPAN(" -- ")))
		return false;
	*description = span_trim(span_skip(rest, span_starts(rest, SPAN(" - ")) ? 3 : 4));
	return true;
}

/* A name, perhaps with an alias ("build|b", "install, i") or a mark ("buildx*"). */
static bool split_name(struct span region, struct span *name)
{
	size_t n = span_find(region, ' ');
	struct span tail = span_skip(region, n), word = span_cut(region, n);
	bool alias = word.n > 0 && word.p[word.n - 1] == ',';

	word = span_cut(word, span_find(word, '|'));
	word = span_cut(word, span_find(word, ','));
	while (word.n > 0 && strchr("*:", word.p[word.n - 1]) != NULL)
		word.n--;
	*name = word;
	if (alias) { /* the alias is no argument */
		struct span first;
		help_next_token(&tail, &first);
	}
	return help_is_command(word) && is_tail(tail);
}

static struct span without_program(struct span line, struct span program)
{
	if (!span_starts(line, program) || line.n <= program.n + 1 || line.p[program.n] != ' ' ||
	        line.p[program.n + 1] == ' ')
		return line;
	return span_skip(line, program.n + 1);
}

size_t help_commands_read(struct span line, struct span program, bool plain, found_function *found, void *arg)
{
	size_t n = read_names(line, plain, found, arg);
	struct span name, description;

	if (n > 0)
		return n;
	line = without_program(line, program);
	size_t gap = help_gap(line);
	struct span region = span_cut(line, gap);
	if (gap < line.n && split_name(region, &name)) {
		found(arg, name, span_trim(span_skip(line, gap)));
		return 1;
	}
	if (split_at_mark(line, &name, &description) && help_is_command(name)) {
		found(arg, name, description);
		return 1;
	}
	if (gap == line.n && split_name(region, &name)) { /* its description stands on the next line */
		found(arg, name, SPAN(""));
		return 1;
	}
	return 0;
}
