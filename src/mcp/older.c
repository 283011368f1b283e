#include "mcp/older.h"

#include "json/write.h"
#include "mcp/structured.h"

/* What it is turned into: NULL, as it is. */
typedef void convert(struct json_writer *w, struct span item);

static void put_link(struct json_writer *w, struct span item)
{
	json_open(w, '{');
	json_member_text(w, "type", SPAN("text"));
	json_member_raw(w, "text", json_member(item, "uri"));
	json_close(w, '}');
}

static void put_sound(struct json_writer *w, struct span item)
{
	json_open(w, '{');
	json_member_text(w, "type", SPAN("resource"));
	json_key(w, "resource");
	json_open(w, '{');
	json_member_text(w, "uri", SPAN("content:audio"));
	json_member_raw(w, "mimeType", json_member(item, "mimeType"));
	json_member_raw(w, "blob", json_member(item, "data"));
	json_close(w, '}');
	json_close(w, '}');
}

static bool is_text(struct span item, const char *key)
{
	return json_type_of(json_member(item, key)) == JSON_STRING;
}

static convert *conversion(struct span item, enum revision revision)
{
	struct span type = json_type_of(item) == JSON_OBJECT ? json_member(item, "type") : SPAN_NONE;

	if (revision < REVISION_2025_06_18 && json_string_is(type, SPAN("resource_link")) && is_text(item, "uri"))
		return put_link;
	if (revision < REVISION_2025_03_26 && json_string_is(type, SPAN("audio")) && is_text(item, "data") &&
	        is_text(item, "mimeType"))
		return put_sound;
	return NULL;
}

static void put_item(struct json_writer *w, struct span item, enum revision revision)
{
	convert *put = conversion(item, revision);

	if (put != NULL)
		put(w, item);
	else
		json_raw(w, item);
}

/* A prompt's message: its content is one item, and all else stays as it is. */
static void put_message(struct json_writer *w, struct span message, enum revision revision)
{
	struct span content = json_member(message, "content");

	if (!span_is_set(content) || conversion(content, revision) == NULL) {
		json_raw(w, message);
		return;
	}
	json_raw(w, span_between(message.p, content.p));
	w->comma = false;
	put_item(w, content, revision);
	buf_add(w->out, span_between(span_end(content), span_end(message)));
}

static bool needs_any(struct span array, bool of_messages, enum revision revision)
{
	struct json_walk walk = json_walk(array);
	struct span item;

	while (json_next(&walk, NULL, &item)) {
		if (of_messages)
			item = json_type_of(item) == JSON_OBJECT ? json_member(item, "content") : SPAN_NONE;
		if (span_is_set(item) && conversion(item, revision) != NULL)
			return true;
	}
	return false;
}

/* The array that holds content in the result of such a request; not set: there is none. */
static struct span content_of(enum method method, const struct message *answer)
{
	bool concerned = method == METHOD_PROMPTS_GET || method == METHOD_TOOLS_CALL;

	if (!concerned || answer->kind != MESSAGE_RESULT || json_type_of(answer->result) != JSON_OBJECT)
		return SPAN_NONE;
	struct span content = json_member(answer->result, method == METHOD_PROMPTS_GET ? "messages" : "content");
	return json_type_of(content) == JSON_ARRAY ? content : SPAN_NONE;
}

bool older_content(enum method method, const struct message *answer, enum revision revision, struct span structured,
        struct span *old, struct buf *out)
{
	bool of_messages = method == METHOD_PROMPTS_GET;
	struct json_writer w = json_writer(out);
	struct span item;

	*old = revision < REVISION_2025_06_18 || span_is_set(structured) ? content_of(method, answer) : SPAN_NONE;
	if (!span_is_set(*old))
		return false;
	bool untold = span_is_set(structured) && !structured_is_told(*old, structured);
	if (!untold && !needs_any(*old, of_messages, revision))
		return false;
	json_open(&w, '[');
	for (struct json_walk walk = json_walk(*old); json_next(&walk, NULL, &item);)
		if (of_messages && json_type_of(item) == JSON_OBJECT)
			put_message(&w, item, revision);
		else
			put_item(&w, item, revision);
	if (untold)
		structured_put_text(&w, structured);
	json_close(&w, ']');
	return true;
}
