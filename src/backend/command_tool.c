#include "backend/command_tool.h"

#include "json/scan.h"
#include "json/write.h"

#define FLAG_DESCRIPTION_MAX 300 /* bytes */
#define ARGUMENTS_TEXT_MAX 600

static void put_name_part(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		char low = ascii_lower(*text);
		bool plain = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9');
		buf_add_char(out, plain ? *text : '_');
	}
}

struct span command_tool_name(struct arena *a, const char *program, const char *const *words)
{
	const char *slash = strrchr(program, '/');
	struct buf name = { 0 };

	put_name_part(&name, slash != NULL ? slash + 1 : program);
	for (; *words != NULL; words++) {
		buf_add_char(&name, '_');
		put_name_part(&name, *words);
	}
	struct span copy = arena_copy(a, buf_span(&name));
	buf_free(&name);
	return copy;
}

/* --- from a help text --- */

/* "Positional arguments: SOURCE... DEST. SOURCE: what to copy." */
static struct span arguments_text(struct arena *a, const struct help_text *help)
{
	struct buf text = { 0 };

	buf_printf(&text, "Positional arguments");
	if (help != NULL && span_is_set(help->arguments))
		buf_printf(&text, ": %.*s", SPAN_ARG(help->arguments));
	for (const struct help_argument *d = help != NULL ? help->described : NULL;
	        d != NULL && buf_size(&text) < ARGUMENTS_TEXT_MAX; d = d->next)
		if (d->description.n > 0)
			buf_printf(&text, "\n%.*s: %.*s", SPAN_ARG(d->name), SPAN_ARG(d->description));
	struct span copy = arena_copy(a, buf_span(&text));
	buf_free(&text);
	return copy;
}

/* A flag called --args would be taken for what is positional. */
static const struct help_flag *settle_names(struct help_flag *flags)
{
	for (struct help_flag *f = flags; f != NULL; f = f->next)
		if (span_eq(f->name, SPAN(COMMAND_ARGS)))
			f->name = f->flag;
	return flags;
}

void command_tool_from_help(struct arena *a, const char *program, const char *const *words, struct span summary,
        const struct help_text *help, struct command_tool *tool)
{
	*tool = (struct command_tool){
		.name = command_tool_name(a, program, words),
		.description = help != NULL && help->description.n > 0 ? help->description : summary,
		.words = words,
		.flags = help != NULL ? settle_names(help->flags) : NULL,
		.arguments = arguments_text(a, help),
	};
}

/* --- from the configuration --- */

static struct span decoded(struct arena *a, struct span value)
{
	return json_type_of(value) == JSON_STRING ? json_decode(value, arena_alloc(a, value.n + 1)) : SPAN_NONE;
}

static size_t count_items(struct span array)
{
	struct json_walk w = json_walk(array);
	struct span item;
	size_t n = 0;

	while (json_next(&w, NULL, &item))
		n++;
	return n;
}

static void read_choices(struct arena *a, struct span list, struct help_flag *f)
{
	struct json_walk w = json_walk(list);
	struct span item;

	f->choices = ARENA_ARRAY(a, struct span, count_items(list));
	while (json_next(&w, NULL, &item))
		if (json_type_of(item) == JSON_STRING)
			f->choices[f->choice_count++] = decoded(a, item);
}

static enum help_type type_of(struct span schema)
{
	struct span type = json_member(schema, "type");

	if (json_string_is(type, SPAN("boolean")))
		return HELP_BOOLEAN;
	if (json_string_is(type, SPAN("integer")))
		return HELP_INTEGER;
	return json_string_is(type, SPAN("number")) ? HELP_NUMBER : HELP_TEXT;
}

static bool is_array(struct span schema)
{
	return json_string_is(json_member(schema, "type"), SPAN("array"));
}

/* The name of a member; the quotes around it are in the text, too. */
static struct span key_of(struct arena *a, struct span key)
{
	return json_decode((struct span){ key.p - 1, key.n + 2 }, arena_alloc(a, key.n + 3));
}

static struct help_flag *read_property(struct arena *a, struct span name, struct span schema)
{
	struct help_flag *f = ARENA_NEW(a, struct help_flag);
	struct span inner = is_array(schema) ? json_member(schema, "items") : schema;

	f->name = name;
	f->flag = span_of(arena_printf(a, "%s%.*s", name.n == 1 ? "-" : "--", SPAN_ARG(name)));
	f->type = type_of(inner);
	f->repeated = is_array(schema);
	if (f->type != HELP_BOOLEAN)
		f->value = SPAN("");
	read_choices(a, json_member(inner, "enum"), f);
	return f;
}

static const struct help_flag *read_properties(struct arena *a, struct span schema, struct command_tool *tool)
{
	struct json_walk w = json_walk(json_member(schema, "properties"));
	struct help_flag *first = NULL, **end = &first;
	struct span key, value;

	while (json_next(&w, &key, &value)) {
		struct span name = key_of(a, key);
		if (span_eq(name, SPAN(COMMAND_ARGS))) {
			tool->one_argument = !is_array(value);
			continue;
		}
		*end = read_property(a, name, value);
		end = &(*end)->next;
	}
	return first;
}

static const char *const *copy_words(struct arena *a, const char *const *words)
{
	size_t n = 0;

	while (words[n] != NULL)
		n++;
	const char **copy = ARENA_ARRAY(a, const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		copy[i] = arena_copy(a, span_of(words[i])).p;
	return copy;
}

void command_tool_from_preset(struct arena *a, const struct command_preset *preset, struct command_tool *tool)
{
	*tool = (struct command_tool){
		.name = arena_copy(a, span_of(preset->name)),
		.words = copy_words(a, preset->args),
		.arguments = SPAN("Positional arguments"),
	};
	if (preset->description != NULL)
		tool->description = arena_copy(a, span_of(preset->description));
	if (preset->schema == NULL)
		return;
	tool->schema = arena_copy(a, span_of(preset->schema));
	tool->required = json_member(tool->schema, "required");
	tool->flags = read_properties(a, tool->schema, tool);
}

/* --- the item --- */

static void put_type(struct json_writer *w, const struct help_flag *f)
{
	static const char *const names[] = {
		[HELP_TEXT] = "string",
		[HELP_BOOLEAN] = "boolean",
		[HELP_INTEGER] = "integer",
		[HELP_NUMBER] = "number",
	};

	json_member_text(w, "type", span_of(names[f->type]));
	if (f->choice_count == 0)
		return;
	json_key(w, "enum");
	json_open(w, '[');
	for (size_t i = 0; i < f->choice_count; i++)
		json_text(w, f->choices[i]);
	json_close(w, ']');
}

static struct span cut_text(struct span s, size_t most)
{
	if (s.n <= most)
		return s;
	while (most > 0 && ((unsigned char)s.p[most] & 0xC0) == 0x80)
		most--;
	return span_cut(s, most);
}

static void put_flag(struct json_writer *w, const struct help_flag *f)
{
	struct span description = cut_text(f->description, FLAG_DESCRIPTION_MAX);

	json_key_span(w, f->name);
	json_open(w, '{');
	if (f->repeated) {
		json_member_text(w, "type", SPAN("array"));
		json_key(w, "items");
		json_open(w, '{');
	}
	put_type(w, f);
	if (f->repeated)
		json_close(w, '}');
	if (description.n > 0)
		json_member_text(w, "description", description);
	json_close(w, '}');
}

static void put_schema(struct json_writer *w, const struct command_tool *tool)
{
	json_open(w, '{');
	json_member_text(w, "type", SPAN("object"));
	json_key(w, "properties");
	json_open(w, '{');
	json_key(w, COMMAND_ARGS);
	json_open(w, '{');
	json_member_text(w, "type", SPAN("array"));
	json_member_raw(w, "items", SPAN("{\"type\":\"string\"}"));
	json_member_text(w, "description", tool->arguments);
	json_close(w, '}');
	for (const struct help_flag *f = tool->flags; f != NULL; f = f->next)
		put_flag(w, f);
	json_close(w, '}');
	json_member_bool(w, "additionalProperties", false);
	json_close(w, '}');
}

void command_tool_put(struct buf *out, const struct command_tool *tool)
{
	struct json_writer w = json_writer(out);

	json_open(&w, '{');
	json_member_text(&w, "name", tool->name);
	if (tool->description.n > 0)
		json_member_text(&w, "description", tool->description);
	json_key(&w, "inputSchema");
	if (span_is_set(tool->schema))
		json_raw(&w, tool->schema);
	else
		put_schema(&w, tool);
	json_close(&w, '}');
}
