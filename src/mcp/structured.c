#include "mcp/structured.h"

struct span structured_odd(const struct message *answer)
{
	if (answer->kind != MESSAGE_RESULT || json_type_of(answer->result) != JSON_OBJECT)
		return SPAN_NONE;
	struct span value = json_member(answer->result, "structuredContent");
	return span_is_set(value) && json_type_of(value) != JSON_OBJECT ? value : SPAN_NONE;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next character that counts; space does only inside strings. */
static int next_of(struct span *rest, bool *quoted, bool *escaped)
{
	while (!*quoted && rest->n > 0 && is_space(*rest->p))
		*rest = span_skip(*rest, 1);
	if (rest->n == 0)
		return -1;
	char c = *rest->p;
	*rest = span_skip(*rest, 1);
	if (c == '"' && !*escaped)
		*quoted = !*quoted;
	*escaped = c == '\\' && !*escaped;
	return (unsigned char)c;
}

static bool is_same_json(struct span a, struct span b)
{
	bool quoted[2] = { false, false }, escaped[2] = { false, false };

	for (;;) {
		int one = next_of(&a, &quoted[0], &escaped[0]), other = next_of(&b, &quoted[1], &escaped[1]);
		if (one != other)
			return false;
		if (one == -1)
			return true;
	}
}

static bool tells(struct span item, struct span value)
{
	struct buf room = { 0 };

	if (json_type_of(item) != JSON_OBJECT || !json_string_is(json_member(item, "type"), SPAN("text")))
		return false;
	struct span text = json_member(item, "text");
	bool same = json_type_of(text) == JSON_STRING &&
	            is_same_json(json_decode(text, buf_reserve(&room, text.n)), value);
	buf_free(&room);
	return same;
}

bool structured_is_told(struct span content, struct span value)
{
	struct json_walk walk = json_walk(content);
	struct span item;

	while (json_next(&walk, NULL, &item))
		if (tells(item, value))
			return true;
	return false;
}

void structured_put_text(struct json_writer *w, struct span value)
{
	json_open(w, '{');
	json_member_text(w, "type", SPAN("text"));
	json_member_text(w, "text", value);
	json_close(w, '}');
}

/* All members of an object, or items of an array, are of that type; so are those of what is not there. */
static bool has_only(struct span container, enum json_type itself, enum json_type inside)
{
	struct json_walk walk = json_walk(span_is_set(container) ? container : SPAN("[]"));
	struct span one;

	if (span_is_set(container) && json_type_of(container) != itself)
		return false;
	while (json_next(&walk, NULL, &one))
		if (json_type_of(one) != inside)
			return false;
	return true;
}

bool structured_schema_is_legacy(struct span schema)
{
	return json_type_of(schema) == JSON_OBJECT && json_string_is(json_member(schema, "type"), SPAN("object")) &&
	       has_only(json_member(schema, "properties"), JSON_OBJECT, JSON_OBJECT) &&
	       has_only(json_member(schema, "required"), JSON_ARRAY, JSON_STRING);
}
