/* What a server with "cli": true has besides: how it is asked for help, and the tools that are defined here. */
#include "config/keys.h"
#include "json/write.h"

#define TOOL_NAME_MAX 64

struct preset {
	struct command_preset conf;
	const struct json_node *schema;
};

static bool is_name_char(char c)
{
	char low = ascii_lower(c);

	return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_name_char(s.p[i]))
			return false;
	return s.n > 0 && s.n <= TOOL_NAME_MAX && s.p[0] != '-';
}

/* clang-format off */
static const struct key preset_keys[] = {
	{ KEY("name",        key_text,  offsetof(struct preset, conf.name)),
		CHECK(is_name, "a tool's name is made of letters, digits, \"-\", \"_\" and \".\", at most 64") },
	{ KEY("description", key_text,  offsetof(struct preset, conf.description)) },
	{ KEY("args",        key_texts, offsetof(struct preset, conf.args)) },
	{ KEY("inputSchema", key_node,  offsetof(struct preset, schema)) },
	{ 0 },
};
/* clang-format on */

static void write_node(struct json_writer *w, const struct json_node *node)
{
	if (node->type == JSON_STRING) {
		json_text(w, node->text);
	} else if (node->type != JSON_OBJECT && node->type != JSON_ARRAY) {
		json_raw(w, node->text);
	} else {
		json_open(w, node->type == JSON_OBJECT ? '{' : '[');
		for (const struct json_node *child = node->first; child != NULL; child = child->next) {
			if (node->type == JSON_OBJECT)
				json_key_span(w, child->key);
			write_node(w, child);
		}
		json_close(w, node->type == JSON_OBJECT ? '}' : ']');
	}
}

static const char *text_of(struct reading *r, const struct json_node *node)
{
	struct buf text = { 0 };
	struct json_writer w = json_writer(&text);

	write_node(&w, node);
	const char *copy = arena_copy(r->arena, buf_span(&text)).p;
	buf_free(&text);
	return copy;
}

static bool is_type(const struct json_node *schema, const char *name)
{
	const struct json_node *type = json_child(schema, "type");

	return type != NULL && type->type == JSON_STRING && span_eq(type->text, span_of(name));
}

static bool is_plain(const struct json_node *schema)
{
	static const char *const types[] = { "string", "boolean", "integer", "number" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (is_type(schema, types[i]))
			return true;
	return schema == NULL || json_child(schema, "type") == NULL;
}

static bool are_texts(const struct json_node *list)
{
	for (const struct json_node *item = list != NULL ? list->first : NULL; item != NULL; item = item->next)
		if (item->type != JSON_STRING)
			return false;
	return list == NULL || list->type == JSON_ARRAY;
}

/* A property becomes --NAME=VALUE, so it has to be something that can be written like that. */
static void check_property(struct reading *r, const struct json_node *property)
{
	bool array = is_type(property, "array");
	const struct json_node *value = array ? json_child(property, "items") : property;
	bool texts = value == NULL || json_child(value, "type") == NULL || is_type(value, "string");

	if (!is_name(property->key))
		reading_fault(r, property, "not a name that a flag can have");
	else if (!reading_expect(r, property, JSON_OBJECT))
		return;
	else if (!is_plain(value))
		reading_fault(r, property, "must be a string, boolean, integer or number, or an array of one of them");
	else if (!are_texts(json_child(value, "enum")) || (json_child(value, "enum") != NULL && !texts))
		reading_fault(r, property, "the values of an enum must be strings");
	else if (span_eq(property->key, SPAN("args")) && !texts)
		reading_fault(r, property, "must be an array of strings, or a string");
}

static const char *read_schema(struct reading *r, const struct json_node *schema)
{
	const struct json_node *properties = json_child(schema, "properties"), *type = json_child(schema, "type");

	if (schema == NULL || !reading_expect(r, schema, JSON_OBJECT))
		return NULL;
	if (type == NULL || !is_type(schema, "object"))
		reading_fault(r, type != NULL ? type : schema, "the type of a tool's arguments must be \"object\"");
	if (!are_texts(json_child(schema, "required")))
		reading_fault(r, json_child(schema, "required"), "must be an array of strings");
	if (properties != NULL && reading_expect(r, properties, JSON_OBJECT))
		for (const struct json_node *p = properties->first; p != NULL; p = p->next)
			check_property(r, p);
	return text_of(r, schema);
}

static bool is_taken(const struct backend_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->preset_count; i++)
		if (strcmp(conf->presets[i].name, name) == 0)
			return true;
	return false;
}

static bool read_preset(
        struct reading *r, const struct backend_conf *conf, const struct json_node *node, struct command_preset *preset)
{
	static const char *const none[] = { NULL };
	struct preset p = { .conf.args = none };

	if (!reading_expect(r, node, JSON_OBJECT))
		return false;
	keys_read(r, preset_keys, node, &p);
	p.conf.schema = read_schema(r, p.schema);
	*preset = p.conf;
	if (json_child(node, "name") == NULL)
		reading_fault(r, node, "needs a \"name\"");
	else if (p.conf.name != NULL && is_taken(conf, p.conf.name))
		reading_fault(r, json_child(node, "name"), "there are two tools of this name");
	return p.conf.name != NULL;
}

void command_read_tools(struct reading *r, const struct json_node *tools, struct backend_conf *conf)
{
	if (!reading_expect(r, tools, JSON_ARRAY) || tools->count == 0)
		return;
	struct command_preset *presets = ARENA_ARRAY(r->arena, struct command_preset, tools->count);
	conf->presets = presets;
	for (const struct json_node *node = tools->first; node != NULL; node = node->next)
		conf->preset_count += read_preset(r, conf, node, &presets[conf->preset_count]);
}

static void split_words(struct reading *r, struct span text, const char **words)
{
	struct span part;
	size_t n = 0;

	while (span_next(&text, ' ', &part))
		if (part.n > 0)
			words[n++] = arena_copy(r->arena, part).p;
}

void command_read_help(struct reading *r, const struct key *key, const struct json_node *value, void *into)
{
	const char *const **help = (const char *const **)(void *)((char *)into + key->at);
	struct span text;

	if (value->type == JSON_ARRAY) {
		key_texts(r, key, value, into);
	} else if (reading_text(r, value, &text)) {
		const char **words = ARENA_ARRAY(r->arena, const char *, text.n + 1);
		split_words(r, text, words);
		*help = words;
	}
	if (*help != NULL && (*help)[0] == NULL)
		reading_fault(r, value, "must not be empty");
}
