#include "cli/listing.h"

#include "cli/table.h"
#include "cli/text.h"
#include "json/write.h"

#define NAME_COMFORTABLE 64 /* interface.md, 2: longer ones get a mark */
#define DESCRIPTION_LEAST 24
#define ARGUMENTS_LEAST 12
#define NAME_LEAST 8

void listing_each(
        struct catalog *c, int scope, enum list_kind kind, void (*each)(void *arg, struct span item), void *arg)
{
	struct buf page = { 0 }, cursor = { 0 };
	struct span next, item;

	do {
		buf_reset(&page);
		next = buf_size(&cursor) > 0 ? buf_span(&cursor) : SPAN_NONE;
		if (!catalog_page(c, scope, kind, next, &page))
			break; /* not with a cursor of its own */
		struct json_walk w = json_walk(json_member(buf_span(&page), list_member(kind)));
		while (json_next(&w, NULL, &item))
			each(arg, item);
		next = json_member(buf_span(&page), "nextCursor");
		buf_reset(&cursor);
		buf_add(&cursor, next);
	} while (span_is_set(next));
	buf_free(&page);
	buf_free(&cursor);
}

/* ---- JSON ---- */

static void put_raw(void *arg, struct span item)
{
	json_raw(arg, item);
}

void listing_put_json(struct catalog *c, struct buf *out)
{
	struct json_writer w = json_writer(out);

	json_open(&w, '{');
	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++) {
		json_key(&w, list_member(kind));
		json_open(&w, '[');
		listing_each(c, SCOPE_ALL, kind, put_raw, &w);
		json_close(&w, ']');
	}
	json_close(&w, '}');
	buf_add_char(out, '\n');
}

/* ---- tables ---- */

struct sheet {
	struct table table;
	bool required, long_name; /* such a mark is in use */
};

static void add_member(struct sheet *s, struct span item, const char *key)
{
	struct buf room = { 0 };

	table_add(&s->table, text_of_member(&room, item, key));
	buf_free(&room);
}

static void add_name(struct sheet *s, struct span item)
{
	struct buf room = { 0 }, text = { 0 };
	struct span name = text_of_member(&room, item, "name");

	buf_add(&text, name);
	if (name.n > NAME_COMFORTABLE) {
		buf_add(&text, SPAN(" !"));
		s->long_name = true;
	}
	table_add(&s->table, buf_span(&text));
	buf_free(&room);
	buf_free(&text);
}

/* What it is for: its description, else its title. */
static void add_description(struct sheet *s, struct span item)
{
	bool described = json_type_of(json_member(item, "description")) == JSON_STRING;

	add_member(s, item, described ? "description" : "title");
}

static void put_argument(struct sheet *s, struct buf *out, struct span name, bool required)
{
	buf_printf(out, "%s%.*s%s", buf_size(out) > 0 ? " " : "", SPAN_ARG(name), required ? "*" : "");
	s->required = s->required || required;
}

static bool holds(struct span array, struct span text)
{
	struct span item;

	if (json_type_of(array) != JSON_ARRAY)
		return false;
	for (struct json_walk w = json_walk(array); json_next(&w, NULL, &item);)
		if (json_string_is(item, text))
			return true;
	return false;
}

/* The properties of the schema. A property's name is quoted in the text, which makes its string. */
static void add_properties(struct sheet *s, struct span tool)
{
	struct span schema = json_member(tool, "inputSchema"), required = json_member(schema, "required"), key, value;
	struct span properties = json_member(schema, "properties");
	struct json_walk w = json_walk(json_type_of(properties) == JSON_OBJECT ? properties : SPAN_NONE);
	struct buf text = { 0 }, room = { 0 };

	while (json_next(&w, &key, &value)) {
		struct span name = text_of_json(&room, (struct span){ key.p - 1, key.n + 2 });
		put_argument(s, &text, name, holds(required, name));
	}
	table_add(&s->table, buf_span(&text));
	buf_free(&text);
	buf_free(&room);
}

static void add_arguments(struct sheet *s, struct span prompt)
{
	struct span arguments = json_member(prompt, "arguments"), item;
	struct buf text = { 0 }, room = { 0 };

	for (struct json_walk w = json_walk(arguments); !w.object && json_next(&w, NULL, &item);)
		put_argument(s, &text, text_of_member(&room, item, "name"),
		        json_type_of(json_member(item, "required")) == JSON_TRUE);
	table_add(&s->table, buf_span(&text));
	buf_free(&text);
	buf_free(&room);
}

static void add_tool(void *arg, struct span item)
{
	add_name(arg, item);
	add_properties(arg, item);
	add_description(arg, item);
}

static void add_prompt(void *arg, struct span item)
{
	add_name(arg, item);
	add_arguments(arg, item);
	add_description(arg, item);
}

static void add_resource(void *arg, struct span item)
{
	add_member(arg, item, "uri");
	add_member(arg, item, "name");
	add_description(arg, item);
}

static void add_template(void *arg, struct span item)
{
	add_member(arg, item, "uriTemplate");
	add_member(arg, item, "name");
	add_description(arg, item);
}

/* clang-format off */
static const struct section {
	const char *title;
	void (*add)(void *arg, struct span item);
	unsigned second_least;
} sections[LIST_KINDS] = {
	[LIST_TOOLS]     = { "Tools",              add_tool,     ARGUMENTS_LEAST },
	[LIST_RESOURCES] = { "Resources",          add_resource, NAME_LEAST },
	[LIST_TEMPLATES] = { "Resource templates", add_template, NAME_LEAST },
	[LIST_PROMPTS]   = { "Prompts",            add_prompt,   ARGUMENTS_LEAST },
};
/* clang-format on */

static void put_notes(const struct sheet *s, struct buf *out)
{
	if (s->required)
		buf_add(out, SPAN("  * required\n"));
	if (s->long_name)
		buf_add(out, SPAN("  ! longer than 64 characters: some clients refuse it\n"));
}

static void put_section(struct catalog *c, enum list_kind kind, unsigned width, bool colour, struct buf *out)
{
	const struct section *section = &sections[kind];
	const struct table_column columns[] = {
		{ .colour = "36" },
		{ .least = section->second_least, .colour = "33" },
		{ .least = DESCRIPTION_LEAST },
	};
	size_t n = catalog_count(c, SCOPE_ALL, kind);

	if (n == 0)
		return;
	struct sheet s = { .table = table_new(columns, 3) };
	listing_each(c, SCOPE_ALL, kind, section->add, &s);
	buf_printf(out, "%s%s%s (%zu)%s\n", buf_size(out) > 0 ? "\n" : "", colour ? "\033[1m" : "", section->title, n,
	        colour ? "\033[0m" : "");
	table_print(&s.table, width, colour, out);
	put_notes(&s, out);
	table_clear(&s.table);
}

void listing_put_tables(struct catalog *c, unsigned width, bool colour, struct buf *out)
{
	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++)
		put_section(c, kind, width, colour, out);
}
