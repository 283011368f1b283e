#include "cli/result.h"

#include "cli/pretty.h"
#include "cli/text.h"
#include "json/scan.h"

static void end_line(struct buf *out)
{
	struct span text = buf_span(out);

	if (text.n > 0 && text.p[text.n - 1] != '\n')
		buf_add_char(out, '\n');
}

static void put_block(struct buf *out, struct span text)
{
	text_put_block(out, text);
	end_line(out);
}

static void put_pretty(struct buf *out, struct span json)
{
	struct buf text = { 0 };

	pretty_put(&text, json);
	put_block(out, buf_span(&text));
	buf_free(&text);
}

/* "  name: value" in one line, if it is there. */
static void put_member(struct buf *out, struct span object, const char *key, const char *before)
{
	struct buf room = { 0 };
	struct span text = text_of_member(&room, object, key);

	if (text.n > 0) {
		buf_add(out, span_of(before));
		text_put_line(out, text);
	}
	buf_free(&room);
}

/* The size of what is in Base64 (RFC 4648, section 4), without its padding. */
static void put_size(struct buf *out, struct span object, const char *key)
{
	struct span data = json_member(object, key);

	if (json_type_of(data) != JSON_STRING)
		return;
	size_t n = data.n - 2;
	while (n > 0 && data.p[n] == '=')
		n--;
	buf_printf(out, ", %zu bytes", n / 4 * 3 + n % 4 * 3 / 4);
}

static void put_text(struct buf *out, struct span item)
{
	struct buf room = { 0 };

	put_block(out, text_of_member(&room, item, "text"));
	buf_free(&room);
}

static void put_media(struct buf *out, struct span item)
{
	put_member(out, item, "type", "[");
	put_member(out, item, "mimeType", " ");
	put_size(out, item, "data");
	buf_add(out, SPAN("]\n"));
}

static void put_link(struct buf *out, struct span item)
{
	buf_add(out, SPAN("[link"));
	put_member(out, item, "uri", " ");
	put_member(out, item, "name", ", ");
	put_member(out, item, "mimeType", ", ");
	buf_add(out, SPAN("]\n"));
}

static void put_resource(struct buf *out, struct span item)
{
	struct span resource = json_member(item, "resource");

	buf_add(out, SPAN("[resource"));
	put_member(out, resource, "uri", " ");
	put_member(out, resource, "mimeType", ", ");
	put_size(out, resource, "blob");
	buf_add(out, SPAN("]\n"));
	if (span_is_set(json_member(resource, "text")))
		put_text(out, resource);
}

/* clang-format off */
static const struct kind {
	const char *type;
	void (*put)(struct buf *out, struct span item);
} kinds[] = {
	{ "text",          put_text },
	{ "image",         put_media },
	{ "audio",         put_media },
	{ "resource_link", put_link },
	{ "resource",      put_resource },
};
/* clang-format on */

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static void put_item(struct buf *out, struct span item)
{
	for (size_t i = 0; i < KIND_COUNT; i++) {
		if (!json_string_is(json_member(item, "type"), span_of(kinds[i].type)))
			continue;
		kinds[i].put(out, item);
		return;
	}
	put_pretty(out, item);
}

static bool is_same_json(struct span text, struct span json)
{
	struct buf a = { 0 }, b = { 0 };
	struct json_fault fault;

	if (!json_scan(text, JSON_DEPTH_MAX, NULL, NULL, &fault))
		return false;
	pretty_put(&a, text);
	pretty_put(&b, json);
	bool same = span_eq(buf_span(&a), buf_span(&b));
	buf_free(&a);
	buf_free(&b);
	return same;
}

/* MCP 2025-11-25, Tools: structured content SHOULD also be there as a text, for old clients. */
static bool is_copy(struct span item, struct span structured)
{
	struct buf room = { 0 };

	if (!span_is_set(structured) || !json_string_is(json_member(item, "type"), SPAN("text")))
		return false;
	bool same = is_same_json(text_of_member(&room, item, "text"), structured);
	buf_free(&room);
	return same;
}

void result_put(struct buf *out, struct span result)
{
	struct span content = json_member(result, "content"), item;
	struct span structured = json_member(result, "structuredContent");
	size_t before = buf_size(out);

	if (json_type_of(content) != JSON_ARRAY) {
		put_pretty(out, result);
		return;
	}
	for (struct json_walk w = json_walk(content); json_next(&w, NULL, &item);)
		if (!is_copy(item, structured))
			put_item(out, item);
	if (span_is_set(structured))
		put_pretty(out, structured);
	if (buf_size(out) == before)
		buf_add(out, SPAN("(nothing)\n"));
}

bool result_is_error(struct span result)
{
	return json_type_of(json_member(result, "isError")) == JSON_TRUE;
}
