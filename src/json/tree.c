#include "json/tree.h"

#include "base/buf.h"
#include "base/map.h"
#include "json/write.h"

/*
 * Comments become spaces in a copy, the scanner judges that, and the tree is built by walking what it has accepted. So
 * there is one grammar only. Offsets are the same in both texts; lines and columns are counted in the given one.
 */
struct builder {
	struct arena *arena;
	struct err *e;
	struct span text; /* as given */
	const char *bare; /* of the same size, without comments */
	const char *at;   /* in `text`: where counting has come to */
	unsigned line, column;
};

/* Counts on to an offset, which never is before the one asked for last. A column is a character, not a byte. */
static void count_to(struct builder *b, size_t offset)
{
	for (; b->at < b->text.p + offset; b->at++) {
		if (*b->at == '\n') {
			b->line++;
			b->column = 1;
		} else if (((unsigned char)*b->at & 0xC0) != 0x80) {
			b->column++;
		}
	}
}

static bool fault_at(struct builder *b, size_t offset, const char *sentence)
{
	count_to(b, offset);
	return err_set(b->e, "line %u, column %u: %s", b->line, b->column, sentence);
}

/* Behind the string at `i`; a line feed ends it too, since the scanner will refuse that. */
static size_t skip_string(const char *text, size_t i, size_t n)
{
	for (i++; i < n && text[i] != '"' && text[i] != '\n'; i++)
		if (text[i] == '\\' && i + 1 < n && text[i + 1] != '\n')
			i++;
	return i < n ? i + 1 : n;
}

/* Behind the comment at `i`, or `i` if there is none, or n + 1 if it is not closed. */
static size_t skip_comment(struct span text, size_t i)
{
	struct span rest = span_skip(text, i);

	if (span_starts(rest, SPAN("//")))
		return i + span_find(rest, '\n');
	if (!span_starts(rest, SPAN("/*")))
		return i;
	const char *end = memmem(rest.p + 2, rest.n - 2, "*/", 2);
	return end != NULL ? (size_t)(end + 2 - text.p) : text.n + 1;
}

static bool remove_comments(struct builder *b)
{
	size_t n = b->text.n;
	char *bare = memcpy(arena_alloc(b->arena, n), b->text.p, n);

	b->bare = bare;
	for (size_t i = 0; i < n;) {
		if (bare[i] == '"') {
			i = skip_string(bare, i, n);
			continue;
		}
		size_t end = skip_comment(b->text, i);
		if (end > n)
			return fault_at(b, i, "a comment that is not closed");
		memset(bare + i, ' ', end - i);
		i = end > i ? end : i + 1;
	}
	return true;
}

static struct span decode(struct builder *b, struct span string)
{
	char *room = arena_alloc(b->arena, string.n + 1);
	struct span decoded = json_decode(string, room);

	memmove(room, decoded.p, decoded.n);
	room[decoded.n] = '\0';
	return (struct span){ room, decoded.n };
}

static bool build_children(struct builder *b, struct json_node *parent, struct span container);

/* NULL after a fault, which can only be a key that comes twice. */
static struct json_node *build(struct builder *b, struct json_node *parent, struct span key, struct span value)
{
	struct json_node *node = ARENA_NEW(b->arena, struct json_node);

	count_to(b, (size_t)(value.p - b->bare));
	*node = (struct json_node){
		.type = json_type_of(value),
		.key = key,
		.line = b->line,
		.column = b->column,
		.parent = parent,
	};
	if (node->type == JSON_STRING)
		node->text = decode(b, value);
	else if (node->type != JSON_OBJECT && node->type != JSON_ARRAY)
		node->text = arena_copy(b->arena, value);
	else if (!build_children(b, node, value))
		return NULL;
	return node;
}

static struct json_node *build_member(
        struct builder *b, struct json_node *object, struct map *seen, struct span raw, struct span value)
{
	const char *quote = raw.p - 1;
	struct span key = decode(b, (struct span){ quote, raw.n + 2 });

	if (map_get(seen, key) != NULL) {
		fault_at(b, (size_t)(quote - b->bare), "a member that comes twice in its object");
		return NULL;
	}
	struct json_node *member = build(b, object, key, value);
	if (member != NULL)
		map_put(seen, key, member);
	return member;
}

static bool build_children(struct builder *b, struct json_node *parent, struct span container)
{
	struct json_walk walk = json_walk(container);
	struct json_node **link = &parent->first;
	struct map seen = { 0 };
	struct span raw, value;
	bool ok = true;

	while (ok && json_next(&walk, &raw, &value)) {
		*link = walk.object ? build_member(b, parent, &seen, raw, value) : build(b, parent, SPAN_NONE, value);
		ok = *link != NULL;
		if (ok)
			link = &(*link)->next;
		parent->count++;
	}
	map_free(&seen);
	return ok;
}

struct json_node *json_parse(struct arena *a, struct span text, unsigned flags, unsigned max_depth, struct err *e)
{
	if (text.n == 0)
		text = SPAN("");
	struct builder b = { .arena = a, .e = e, .text = text, .bare = text.p, .at = text.p, .line = 1, .column = 1 };
	struct json_fault fault;

	if ((flags & JSON_COMMENTS) != 0 && !remove_comments(&b))
		return NULL;
	if (!json_scan((struct span){ b.bare, text.n }, max_depth, NULL, NULL, &fault)) {
		fault_at(&b, fault.at, fault.sentence);
		return NULL;
	}
	/* Walked like the inside of an array, to get at the one value without the white space around it. */
	struct json_walk whole = { b.bare, b.bare + text.n, false };
	struct span value;
	json_next(&whole, NULL, &value);
	return build(&b, NULL, SPAN_NONE, value);
}

struct json_node *json_child(const struct json_node *object, const char *key)
{
	struct json_node *child = object != NULL && object->type == JSON_OBJECT ? object->first : NULL;

	while (child != NULL && !span_eq(child->key, span_of(key)))
		child = child->next;
	return child;
}

static bool is_simple_key(struct span key)
{
	for (size_t i = 0; i < key.n; i++) {
		char c = ascii_lower(key.p[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '$')
			return false;
	}
	return key.n > 0;
}

static size_t index_of(const struct json_node *item)
{
	size_t i = 0;

	for (const struct json_node *n = item->parent->first; n != item; n = n->next)
		i++;
	return i;
}

static void put_path(struct buf *out, const struct json_node *node)
{
	if (node->parent->parent != NULL)
		put_path(out, node->parent);
	if (node->parent->type == JSON_ARRAY) {
		buf_printf(out, "[%zu]", index_of(node));
	} else if (is_simple_key(node->key)) {
		buf_add(out, buf_size(out) > 0 ? SPAN(".") : SPAN(""));
		buf_add(out, node->key);
	} else {
		buf_add_char(out, '[');
		json_put_string(out, node->key);
		buf_add_char(out, ']');
	}
}

const char *json_path(struct arena *a, const struct json_node *node)
{
	struct buf path = { 0 };

	if (node->parent == NULL)
		return "the file";
	put_path(&path, node);
	struct span copy = arena_copy(a, buf_span(&path));
	buf_free(&path);
	return copy.p;
}
