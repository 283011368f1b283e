#include <stdint.h>

#include "backend/command_tool.h"
#include "json/scan.h"

#define NAME_SHOWN 100 /* bytes of a name in a sentence */

/* The argv on its way. */
struct line {
	struct arena *arena;
	struct err *e;
	const char **words;
	size_t n, room, bytes;
};

static bool put_word(struct line *l, struct span word, struct span argument)
{
	if (word.n > COMMAND_WORD_MAX)
		return err_set(l->e, "argument \"%.*s\": longer than %d bytes", SPAN_ARG(argument), COMMAND_WORD_MAX);
	if (word.n > 0 && memchr(word.p, '\0', word.n) != NULL)
		return err_set(l->e, "argument \"%.*s\": must not contain a NUL", SPAN_ARG(argument));
	if (l->n == l->room || l->bytes + word.n > COMMAND_LINE_MAX)
		return err_set(l->e, "argument \"%.*s\": there is too much altogether", SPAN_ARG(argument));
	l->words[l->n++] = arena_copy(l->arena, word).p;
	l->bytes += word.n + 1;
	return true;
}

static bool is_dashed(struct span value)
{
	return value.n > 1 && value.p[0] == '-';
}

/* --flag=VALUE, or -f VALUE when that is no flag itself. */
static bool put_valued(struct line *l, const struct help_flag *f, struct span value)
{
	if (value.n == 0 && f->optional)
		return put_word(l, f->flag, f->name);
	if (f->joined || span_starts(f->flag, SPAN("--"))) {
		if (value.n > COMMAND_WORD_MAX)
			return put_word(l, value, f->name);
		char *word = arena_alloc(l->arena, f->flag.n + value.n + 1);
		memcpy(word, f->flag.p, f->flag.n);
		word[f->flag.n] = '=';
		if (value.n > 0)
			memcpy(word + f->flag.n + 1, value.p, value.n);
		return put_word(l, (struct span){ word, f->flag.n + value.n + 1 }, f->name);
	}
	if (value.n > 0 && value.p[0] == '-')
		return err_set(l->e, "argument \"%.*s\": a value that begins with \"-\" cannot be given to %.*s",
		        SPAN_ARG(f->name), SPAN_ARG(f->flag));
	return put_word(l, f->flag, f->name) && put_word(l, value, f->name);
}

static bool put_boolean(struct line *l, const struct help_flag *f, bool on)
{
	if (span_is_set(f->value))
		return put_valued(l, f, on ? SPAN("true") : SPAN("false"));
	if (on)
		return put_word(l, f->flag, f->name);
	if (span_is_set(f->negative))
		return put_word(l, f->negative, f->name);
	return !f->on || put_word(l, span_of(arena_printf(l->arena, "%.*s=false", SPAN_ARG(f->flag))), f->name);
}

static bool is_choice(const struct help_flag *f, struct span value)
{
	for (size_t i = 0; i < f->choice_count; i++)
		if (span_eq(f->choices[i], value))
			return true;
	return f->choice_count == 0;
}

static bool refuse_choice(struct line *l, const struct help_flag *f)
{
	struct buf list = { 0 };

	for (size_t i = 0; i < f->choice_count; i++)
		buf_printf(&list, "%s%.*s", i > 0 ? ", " : "", SPAN_ARG(f->choices[i]));
	err_set(l->e, "argument \"%.*s\": must be one of %.*s", SPAN_ARG(f->name), SPAN_ARG(buf_span(&list)));
	buf_free(&list);
	return false;
}

/* NUL-terminated beyond its end, as arena_alloc zeroes. */
static struct span text_of(struct line *l, struct span value)
{
	return json_decode(value, arena_alloc(l->arena, value.n + 1));
}

static bool put_text(struct line *l, const struct help_flag *f, struct span value)
{
	if (json_type_of(value) != JSON_STRING)
		return err_set(l->e, "argument \"%.*s\": must be a string", SPAN_ARG(f->name));
	struct span text = text_of(l, value);
	return is_choice(f, text) ? put_valued(l, f, text) : refuse_choice(l, f);
}

static bool put_number(struct line *l, const struct help_flag *f, struct span value)
{
	int64_t number;

	if (f->type == HELP_INTEGER && !json_to_i64(value, &number))
		return err_set(l->e, "argument \"%.*s\": must be an integer", SPAN_ARG(f->name));
	if (json_type_of(value) != JSON_NUMBER)
		return err_set(l->e, "argument \"%.*s\": must be a number", SPAN_ARG(f->name));
	return put_valued(l, f, value);
}

static bool put_one(struct line *l, const struct help_flag *f, struct span value)
{
	enum json_type type = json_type_of(value);

	switch (f->type) {
	case HELP_BOOLEAN:
		if (type != JSON_TRUE && type != JSON_FALSE)
			return err_set(l->e, "argument \"%.*s\": must be true or false", SPAN_ARG(f->name));
		return put_boolean(l, f, type == JSON_TRUE);
	case HELP_INTEGER:
	case HELP_NUMBER:
		return put_number(l, f, value);
	case HELP_TEXT:
		break;
	}
	return put_text(l, f, value);
}

static bool put_flag(struct line *l, const struct help_flag *f, struct span value)
{
	struct json_walk w = json_walk(value);
	struct span item;

	if (!f->repeated)
		return put_one(l, f, value);
	if (json_type_of(value) != JSON_ARRAY)
		return err_set(l->e, "argument \"%.*s\": must be an array", SPAN_ARG(f->name));
	while (json_next(&w, NULL, &item))
		if (!put_one(l, f, item))
			return false;
	return true;
}

/* --- what is positional --- */

static bool put_positional(struct line *l, struct span item)
{
	if (json_type_of(item) != JSON_STRING)
		return err_set(l->e, "argument \"" COMMAND_ARGS "\": must hold strings only");
	return put_word(l, text_of(l, item), SPAN(COMMAND_ARGS));
}

/* The caller may have put its own "--" among them; what stands before that must be no flag. */
static bool check_dashes(struct line *l, size_t from, bool *dashed)
{
	*dashed = false;
	for (size_t i = from; i < l->n; i++) {
		struct span word = span_of(l->words[i]);
		if (span_eq(word, SPAN("--")))
			return !*dashed || err_set(l->e, "argument \"" COMMAND_ARGS
			                                 "\": what begins with \"-\" must come behind \"--\"");
		*dashed |= is_dashed(word);
	}
	return true;
}

static bool put_positionals(struct line *l, const struct command_tool *tool, struct span value)
{
	struct json_walk w = json_walk(value);
	struct span item;
	size_t from = l->n;
	bool dashed;

	if (json_type_of(value) != (tool->one_argument ? JSON_STRING : JSON_ARRAY))
		return err_set(l->e, "argument \"" COMMAND_ARGS "\": must be %s",
		        tool->one_argument ? "a string" : "an array of strings");
	if (tool->one_argument && !put_positional(l, value))
		return false;
	while (json_next(&w, NULL, &item))
		if (!put_positional(l, item))
			return false;
	if (!check_dashes(l, from, &dashed))
		return false;
	if (!dashed)
		return true;
	memmove(l->words + from + 1, l->words + from, (l->n - from) * sizeof(*l->words));
	l->words[from] = "--";
	l->n++;
	return true;
}

/* --- all --- */

/* "dry_run" is "dry-run": many write the one for the other. */
static bool is_named(struct span name, struct span given)
{
	if (name.n != given.n)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] != given.p[i] && (name.p[i] != '-' || given.p[i] != '_'))
			return false;
	return true;
}

static const struct help_flag *find_flag(const struct command_tool *tool, struct span name)
{
	const struct help_flag *f = tool->flags;

	for (; f != NULL; f = f->next)
		if (span_eq(f->name, name))
			return f;
	for (f = tool->flags; f != NULL && !is_named(f->name, name);)
		f = f->next;
	return f;
}

/* Members that are null are as if they were not there. */
static bool is_twice(struct span arguments, const struct command_tool *tool, const struct help_flag *f)
{
	struct json_walk w = json_walk(arguments);
	struct span key, value;
	unsigned n = 0;

	while (json_next(&w, &key, &value))
		n += json_type_of(value) != JSON_NULL && is_named(f->name, key) && find_flag(tool, key) == f;
	return n > 1;
}

static bool put_member(
        struct line *l, const struct command_tool *tool, struct span arguments, struct span key, struct span value)
{
	struct span name = text_of(l, (struct span){ key.p - 1, key.n + 2 }); /* with its quotes */
	const struct help_flag *f = find_flag(tool, name);

	if (json_type_of(value) == JSON_NULL || span_eq(name, SPAN(COMMAND_ARGS)))
		return true;
	if (f == NULL)
		return err_set(l->e, "there is no argument \"%.*s\"", SPAN_ARG(span_cut(name, NAME_SHOWN)));
	if (is_twice(arguments, tool, f))
		return err_set(l->e, "argument \"%.*s\": given twice", SPAN_ARG(f->name));
	return put_flag(l, f, value);
}

static bool check_required(struct line *l, const struct command_tool *tool, struct span arguments)
{
	struct json_walk w = json_walk(tool->required);
	struct span item;

	while (json_next(&w, NULL, &item)) {
		if (json_type_of(item) != JSON_STRING)
			continue;
		struct span name = text_of(l, item);
		struct json_walk given = json_walk(arguments);
		struct span key, value;
		bool found = false;
		while (!found && json_next(&given, &key, &value))
			found = is_named(name, key) && json_type_of(value) != JSON_NULL;
		if (!found)
			return err_set(l->e, "argument \"%.*s\": is needed", SPAN_ARG(span_cut(name, NAME_SHOWN)));
	}
	return true;
}

static bool put_all(struct line *l, const struct command_tool *tool, struct span arguments)
{
	struct json_walk w = json_walk(arguments);
	struct span key, value, positional = json_member(arguments, COMMAND_ARGS);

	while (json_next(&w, &key, &value))
		if (!put_member(l, tool, arguments, key, value))
			return false;
	return !span_is_set(positional) || json_type_of(positional) == JSON_NULL ||
	       put_positionals(l, tool, positional);
}

static void put_fixed(struct line *l, const char *const *words)
{
	for (; *words != NULL; words++)
		l->words[l->n++] = arena_copy(l->arena, span_of(*words)).p;
}

static size_t count_words(const char *const *words)
{
	size_t n = 0;

	while (words[n] != NULL)
		n++;
	return n;
}

/* Each value makes two words at most, and there is a comma between two. */
static size_t most_words(struct span arguments)
{
	size_t n = 2;

	for (size_t i = 0; i < arguments.n && n < COMMAND_WORDS_MAX; i++)
		n += arguments.p[i] == ',' ? 2 : 0;
	return n;
}

const char *const *command_tool_argv(
        struct arena *a, const struct command_tool *tool, const char *const *base, struct span arguments, struct err *e)
{
	size_t fixed = count_words(base) + count_words(tool->words);
	struct line l = { .arena = a, .e = e };

	if (span_is_set(arguments) && json_type_of(arguments) != JSON_OBJECT) {
		err_set(e, "the arguments must be an object");
		return NULL;
	}
	size_t room = most_words(arguments);
	l.words = ARENA_ARRAY(a, const char *, fixed + room + 2); /* "--" and the end */
	put_fixed(&l, base);
	put_fixed(&l, tool->words);
	struct line own = { .arena = a, .e = e, .words = l.words + l.n, .room = room };
	return check_required(&own, tool, arguments) && put_all(&own, tool, arguments) ? l.words : NULL;
}
