#include "mcp/param_headers.h"

#include "mcp/header_value.h"
#include "json/scan.h"

#define ANNOTATION "x-mcp-header"
#define SAFE_INTEGER ((int64_t)1 << 53) /* beyond, a number is not the same to every reader */

struct search {
	struct param_header *found;
	int count; /* -1: the rules are broken */
};

static void search_schema(struct search *s, struct span schema, struct span argument, bool reachable);

/* RFC 9110, 5.6.2 */
static bool is_token(struct span s)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return s.n > 0;
}

/* A number without a fraction, also when it is written with one (1.0); exponents are not read. */
static bool to_integer(struct span number, int64_t *out)
{
	size_t point = span_find(number, '.');

	for (size_t i = point + 1; i < number.n; i++)
		if (number.p[i] != '0')
			return false;
	if (json_type_of(number) != JSON_NUMBER || !json_to_i64(span_cut(number, point), out))
		return false;
	return *out > -SAFE_INTEGER && *out < SAFE_INTEGER;
}

static bool is_boolean(struct span value)
{
	return json_type_of(value) == JSON_TRUE || json_type_of(value) == JSON_FALSE;
}

/* The argument, if it is of that type and can be written into a header. */
static struct span of_type(struct span argument, struct span type)
{
	int64_t number;
	bool fits = json_string_is(type, SPAN("string"))    ? json_type_of(argument) == JSON_STRING
	            : json_string_is(type, SPAN("integer")) ? to_integer(argument, &number)
	                                                    : is_boolean(argument);

	return fits ? argument : SPAN_NONE;
}

static bool is_permitted_type(struct span type)
{
	return json_string_is(type, SPAN("string")) || json_string_is(type, SPAN("integer")) ||
	       json_string_is(type, SPAN("boolean"));
}

static bool is_taken(const struct search *s, struct span name)
{
	for (int i = 0; i < s->count; i++)
		if (span_eq_nocase(s->found[i].name, name))
			return true;
	return false;
}

static void take(struct search *s, struct span schema, struct span annotation, struct span argument, bool reachable)
{
	struct span type = json_member(schema, "type");
	struct span name = SPAN("");

	if (json_type_of(annotation) == JSON_STRING)
		name = span_cut(span_skip(annotation, 1), annotation.n - 2);
	if (!reachable || !is_token(name) || !is_permitted_type(type) || is_taken(s, name) ||
	        s->count == PARAM_HEADERS_MAX) {
		s->count = -1;
		return;
	}
	s->found[s->count++] = (struct param_header){ name, of_type(argument, type) };
}

static struct span quoted(struct span raw)
{
	return (struct span){ raw.p - 1, raw.n + 2 };
}

/* Two keys, as they stand between their quotes, that mean the same. */
static bool is_same_key(struct span a, struct span b)
{
	struct buf room = { 0 };

	if (span_find(a, '\\') == a.n && span_find(b, '\\') == b.n)
		return span_eq(a, b);
	struct span text = json_decode(quoted(a), buf_reserve(&room, a.n + 2));
	bool same = json_string_is(quoted(b), text);
	buf_free(&room);
	return same;
}

/* Of two with the same key the last one counts, as nearly every reader has it. */
static struct span argument_of(struct span arguments, struct span key)
{
	struct span found = SPAN_NONE, name, value;

	if (json_type_of(arguments) != JSON_OBJECT)
		return found;
	for (struct json_walk w = json_walk(arguments); json_next(&w, &name, &value);)
		if (is_same_key(name, key))
			found = value;
	return found;
}

static void search_properties(struct search *s, struct span properties, struct span arguments, bool reachable)
{
	struct span key, schema;

	if (json_type_of(properties) != JSON_OBJECT)
		return;
	for (struct json_walk w = json_walk(properties); s->count >= 0 && json_next(&w, &key, &schema);)
		search_schema(s, schema, reachable ? argument_of(arguments, key) : SPAN_NONE, reachable);
}

/* How a keyword's value holds schemas that `properties` alone does not lead to. */
enum holding { HOLDS_NOTHING, HOLDS_SCHEMAS, HOLDS_NAMED };

static enum holding holding_of(struct span key)
{
	static const char *const schemas[] = { "items", "prefixItems", "contains", "additionalProperties",
		"unevaluatedProperties", "unevaluatedItems", "propertyNames", "oneOf", "anyOf", "allOf", "not", "if",
		"then", "else" };
	static const char *const named[] = { "patternProperties", "dependentSchemas", "$defs", "definitions" };

	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++)
		if (json_string_is(quoted(key), span_of(schemas[i])))
			return HOLDS_SCHEMAS;
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (json_string_is(quoted(key), span_of(named[i])))
			return HOLDS_NAMED;
	return HOLDS_NOTHING;
}

/* A schema, a list of them, or, by name, an object of them: none may have an annotation. */
static void search_elsewhere(struct search *s, struct span value, enum holding how)
{
	struct span item;

	if (how == HOLDS_SCHEMAS && json_type_of(value) == JSON_OBJECT) {
		search_schema(s, value, SPAN_NONE, false);
		return;
	}
	for (struct json_walk w = json_walk(value); s->count >= 0 && json_next(&w, NULL, &item);)
		search_schema(s, item, SPAN_NONE, false);
}

/* As deep as the schema is nested, which was bounded when it was scanned. */
static void search_schema(struct search *s, struct span schema, struct span argument, bool reachable)
{
	struct span key, value;

	if (json_type_of(schema) != JSON_OBJECT)
		return;
	for (struct json_walk w = json_walk(schema); s->count >= 0 && json_next(&w, &key, &value);) {
		enum holding how = holding_of(key);
		if (json_string_is(quoted(key), SPAN(ANNOTATION)))
			take(s, schema, value, argument, reachable);
		else if (json_string_is(quoted(key), SPAN("properties")))
			search_properties(s, value, argument, reachable);
		else if (how != HOLDS_NOTHING)
			search_elsewhere(s, value, how);
	}
}

int param_headers_find(struct span schema, struct span arguments, struct param_header found[PARAM_HEADERS_MAX])
{
	struct search s = { .found = found };

	if (json_type_of(schema) != JSON_OBJECT || memmem(schema.p, schema.n, ANNOTATION, strlen(ANNOTATION)) == NULL)
		return 0;
	if (span_is_set(json_member(schema, ANNOTATION)))
		return -1; /* the whole is no property */
	search_schema(&s, schema, arguments, true);
	return s.count;
}

static void put_plain(struct span value, struct buf *out)
{
	int64_t number;

	if (to_integer(value, &number))
		buf_printf(out, "%lld", (long long)number);
	else
		buf_add(out, value); /* true or false */
}

void param_header_put(const struct param_header *h, struct buf *out)
{
	struct buf room = { 0 };

	if (json_type_of(h->value) == JSON_STRING)
		header_value_encode(json_decode(h->value, buf_reserve(&room, h->value.n)), out);
	else
		put_plain(h->value, out);
	buf_free(&room);
}

static bool is_text(struct span argument, struct span text)
{
	int64_t wanted, got;

	if (json_type_of(argument) == JSON_STRING)
		return json_string_is(argument, text);
	if (to_integer(argument, &wanted))
		return text.n > 0 && (text.p[0] == '-' || (text.p[0] >= '0' && text.p[0] <= '9')) &&
		       to_integer(text, &got) && got == wanted;
	return span_eq(argument, text);
}

bool param_header_agrees(const struct param_header *h, struct span received)
{
	struct buf text = { 0 };

	if (!span_is_set(h->value) || !span_is_set(received))
		return span_is_set(h->value) == span_is_set(received);
	bool agrees = header_value_decode(received, &text) && is_text(h->value, buf_span(&text));
	buf_free(&text);
	return agrees;
}
