#include "manifest/yaml.h"

#include <assert.h>
#include <yaml.h>

#include "base/buf.h"

struct anchor {
	struct span name;
	const struct yaml_node *node; /* NULL while it is being read: an alias inside of what it stands for */
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	struct arena *arena;
	struct err *e;
	struct anchor anchors[YAML_MAX_ANCHORS]; /* of the current document */
	size_t anchor_count, node_count;
};

static bool fault(struct reader *r, const char *sentence)
{
	return err_set(r->e, "line %zu, column %zu: %s", r->event.start_mark.line + 1, r->event.start_mark.column + 1,
	        sentence);
}

static bool next_event(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (yaml_parser_parse(&r->parser, &r->event))
		return true;
	return err_set(r->e, "line %zu, column %zu: %s%s%s", r->parser.problem_mark.line + 1,
	        r->parser.problem_mark.column + 1, r->parser.context != NULL ? r->parser.context : "",
	        r->parser.context != NULL ? ": " : "", r->parser.problem != NULL ? r->parser.problem : "no YAML");
}

static struct yaml_node *new_node(struct reader *r, struct yaml_node *parent, enum yaml_kind kind, struct span key)
{
	if (r->node_count++ == YAML_MAX_NODES) {
		fault(r, "there are too many values, with aliases counted each time");
		return NULL;
	}
	struct yaml_node *n = ARENA_NEW(r->arena, struct yaml_node);
	n->kind = kind;
	n->key = key;
	n->line = (unsigned)r->event.start_mark.line + 1;
	n->column = (unsigned)r->event.start_mark.column + 1;
	n->parent = parent;
	if (parent != NULL && parent->last != NULL)
		parent->last->next = n;
	else if (parent != NULL)
		parent->first = n;
	if (parent != NULL)
		parent->last = n;
	return n;
}

/* A later anchor of the same name takes the earlier one's place. *at: where it is; without a name nowhere. */
static bool begin_anchor(struct reader *r, const yaml_char_t *name, struct anchor **at)
{
	struct span s = span_of((const char *)name);

	*at = NULL;
	if (name == NULL)
		return true;
	for (size_t i = 0; i < r->anchor_count; i++)
		if (span_eq(r->anchors[i].name, s))
			*at = &r->anchors[i];
	if (*at == NULL && r->anchor_count == YAML_MAX_ANCHORS)
		return fault(r, "there are too many anchors");
	if (*at == NULL)
		*at = &r->anchors[r->anchor_count++];
	**at = (struct anchor){ .name = arena_copy(r->arena, s) };
	return true;
}

static struct yaml_node *copy(
        struct reader *r, const struct yaml_node *from, struct yaml_node *parent, struct span key, unsigned depth)
{
	struct yaml_node *n = depth <= YAML_MAX_DEPTH ? new_node(r, parent, from->kind, key) : NULL;

	if (depth > YAML_MAX_DEPTH)
		fault(r, "it is nested too deeply");
	if (n == NULL)
		return NULL;
	n->plain = from->plain;
	n->text = from->text;
	for (const struct yaml_node *child = from->first; child != NULL; child = child->next)
		if (copy(r, child, n, child->key, depth + 1) == NULL)
			return NULL;
	return n;
}

static struct yaml_node *read_alias(struct reader *r, struct yaml_node *parent, struct span key, unsigned depth)
{
	struct span name = span_of((const char *)r->event.data.alias.anchor);

	for (size_t i = 0; i < r->anchor_count; i++)
		if (span_eq(r->anchors[i].name, name) && r->anchors[i].node != NULL)
			return copy(r, r->anchors[i].node, parent, key, depth);
	fault(r, "an alias of something that is not there, or not yet complete");
	return NULL;
}

static struct yaml_node *read_text(struct reader *r, struct yaml_node *parent, struct span key)
{
	const char *value = (const char *)r->event.data.scalar.value;
	struct yaml_node *n = new_node(r, parent, YAML_TEXT, key);

	if (n != NULL) {
		n->plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		n->text = arena_copy(r->arena, (struct span){ value, r->event.data.scalar.length });
	}
	return n;
}

static struct yaml_node *read_value(struct reader *r, struct yaml_node *parent, struct span key, unsigned depth);

/* Up to the event that ends the list or map. */
static bool read_children(struct reader *r, struct yaml_node *n, unsigned depth)
{
	yaml_event_type_t end = n->kind == YAML_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;

	for (;;) {
		struct span key = SPAN_NONE;
		if (!next_event(r))
			return false;
		if (r->event.type == end)
			return true;
		if (n->kind == YAML_MAP) {
			if (r->event.type != YAML_SCALAR_EVENT)
				return fault(r, "a key that is no text");
			key = arena_copy(r->arena,
			        (struct span){ (const char *)r->event.data.scalar.value, r->event.data.scalar.length });
			if (!next_event(r))
				return false;
		}
		if (read_value(r, n, key, depth + 1) == NULL)
			return false;
	}
}

static struct yaml_node *read_collection(
        struct reader *r, struct yaml_node *parent, enum yaml_kind kind, struct span key, unsigned depth)
{
	struct yaml_node *n = new_node(r, parent, kind, key);

	return n != NULL && read_children(r, n, depth) ? n : NULL;
}

/* The value that begins with the current event. */
static struct yaml_node *read_value(struct reader *r, struct yaml_node *parent, struct span key, unsigned depth)
{
	struct yaml_node *n = NULL;
	struct anchor *anchor;

	if (depth > YAML_MAX_DEPTH) {
		fault(r, "it is nested too deeply");
		return NULL;
	}
	switch (r->event.type) {
	case YAML_ALIAS_EVENT:
		return read_alias(r, parent, key, depth);
	case YAML_SCALAR_EVENT:
		if (begin_anchor(r, r->event.data.scalar.anchor, &anchor))
			n = read_text(r, parent, key);
		break;
	case YAML_SEQUENCE_START_EVENT:
		if (begin_anchor(r, r->event.data.sequence_start.anchor, &anchor))
			n = read_collection(r, parent, YAML_LIST, key, depth);
		break;
	case YAML_MAPPING_START_EVENT:
		if (begin_anchor(r, r->event.data.mapping_start.anchor, &anchor))
			n = read_collection(r, parent, YAML_MAP, key, depth);
		break;
	default:
		fault(r, "a value is missing");
		return NULL;
	}
	if (n != NULL && anchor != NULL)
		anchor->node = n;
	return n;
}

static bool read_documents(struct reader *r, const struct yaml_node **documents)
{
	struct yaml_node *last = NULL;

	*documents = NULL;
	for (;;) {
		if (!next_event(r))
			return false;
		if (r->event.type == YAML_STREAM_END_EVENT)
			return true;
		if (r->event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		r->anchor_count = 0;
		if (!next_event(r))
			return false;
		struct yaml_node *n = read_value(r, NULL, SPAN_NONE, 1);
		if (n == NULL)
			return false;
		if (last != NULL)
			last->next = n;
		else
			*documents = n;
		last = n;
	}
}

bool yaml_parse(struct arena *a, struct span text, const struct yaml_node **documents, struct err *e)
{
	struct reader *r = ARENA_NEW(a, struct reader);

	r->arena = a;
	r->e = e;
	if (text.n > YAML_MAX_BYTES)
		return err_set(e, "larger than %zu bytes", YAML_MAX_BYTES);
	if (!yaml_parser_initialize(&r->parser))
		return err_set(e, "there is no memory for it");
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text.p, text.n);
	bool good = read_documents(r, documents);
	yaml_event_delete(&r->event);
	yaml_parser_delete(&r->parser);
	return good;
}

static bool is_one_of(const struct yaml_node *node, const char *const *words)
{
	if (node == NULL || node->kind != YAML_TEXT || !node->plain)
		return false;
	for (; *words != NULL; words++)
		if (span_eq(node->text, span_of(*words)))
			return true;
	return false;
}

static bool is_null(const struct yaml_node *node)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL", NULL };

	return is_one_of(node, words);
}

bool yaml_is_true(const struct yaml_node *node)
{
	static const char *const words[] = { "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", NULL };

	return is_one_of(node, words);
}

bool yaml_is_false(const struct yaml_node *node)
{
	static const char *const words[] = { "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", NULL };

	return is_one_of(node, words);
}

static const struct yaml_node *own_child(const struct yaml_node *map, struct span key)
{
	const struct yaml_node *child = map != NULL && map->kind == YAML_MAP ? map->first : NULL;

	while (child != NULL && !span_eq(child->key, key))
		child = child->next;
	return child;
}

/* What is merged into a map: one map, or several, of which an earlier one wins. A merge in a merge is not looked at. */
static const struct yaml_node *merged_child(const struct yaml_node *map, struct span key)
{
	const struct yaml_node *merged = own_child(map, SPAN("<<")), *child = own_child(merged, key);

	for (const struct yaml_node *item = yaml_items(merged); item != NULL && child == NULL; item = item->next)
		child = own_child(item, key);
	return child;
}

static const struct yaml_node *child_of(const struct yaml_node *map, struct span key)
{
	const struct yaml_node *child = own_child(map, key);

	if (child == NULL)
		child = merged_child(map, key);
	return is_null(child) ? NULL : child;
}

const struct yaml_node *yaml_child(const struct yaml_node *map, const char *key)
{
	return child_of(map, span_of(key));
}

const struct yaml_node *yaml_at(const struct yaml_node *map, const char *keys)
{
	struct span rest = span_of(keys), key;

	while (map != NULL && span_next(&rest, '.', &key))
		map = child_of(map, key);
	return map;
}

const struct yaml_node *yaml_items(const struct yaml_node *list)
{
	return list != NULL && list->kind == YAML_LIST ? list->first : NULL;
}

struct span yaml_text(const struct yaml_node *node)
{
	return node != NULL && node->kind == YAML_TEXT ? node->text : SPAN_NONE;
}

bool yaml_is(const struct yaml_node *node, const char *text)
{
	return node != NULL && node->kind == YAML_TEXT && span_eq(node->text, span_of(text));
}

bool yaml_int(const struct yaml_node *node, int64_t *out)
{
	struct span text = node != NULL && node->plain ? yaml_text(node) : SPAN_NONE;
	bool minus = span_starts(text, SPAN("-"));
	uint64_t value;

	if (text.n == 0 || !span_to_u64(span_skip(text, minus ? 1 : 0), INT64_MAX, &value))
		return false;
	*out = minus ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool is_item_of_document(const struct yaml_node *node)
{
	const struct yaml_node *list = node->parent;

	return list->parent != NULL && list->parent->parent == NULL && span_eq(list->key, SPAN("items"));
}

const struct yaml_node *yaml_object(const struct yaml_node *node)
{
	while (node->parent != NULL && !is_item_of_document(node))
		node = node->parent;
	return node;
}

static bool is_simple_key(struct span key)
{
	for (size_t i = 0; i < key.n; i++) {
		char c = ascii_lower(key.p[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
			return false;
	}
	return key.n > 0;
}

static size_t index_of(const struct yaml_node *item)
{
	size_t i = 0;

	for (const struct yaml_node *n = item->parent->first; n != item; n = n->next)
		i++;
	return i;
}

static void put_path(struct buf *out, const struct yaml_node *node)
{
	if (node->parent == NULL)
		return;
	put_path(out, node->parent);
	if (node->parent->kind == YAML_LIST)
		buf_printf(out, "[%zu]", index_of(node));
	else if (is_simple_key(node->key))
		buf_printf(out, "%s%.*s", buf_size(out) > 0 ? "." : "", SPAN_ARG(node->key));
	else
		buf_printf(out, "[\"%.*s\"]", SPAN_ARG(node->key));
}

const char *yaml_path(struct arena *a, const struct yaml_node *node)
{
	struct buf path = { 0 };

	put_path(&path, node);
	struct span copy_of = arena_copy(a, buf_span(&path));
	buf_free(&path);
	return copy_of.p;
}
