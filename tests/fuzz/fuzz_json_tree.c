/*
 * Trees: without comments a text makes one if the scanner accepts it and no key comes twice; allowing comments changes
 * nothing for such a text; a tree that is written makes the same tree again.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "json/tree.h"
#include "json/write.h"

#define DEPTH 32

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void write_node(struct json_writer *w, const struct json_node *node)
{
	if (node->type == JSON_STRING) {
		json_text(w, node->text);
		return;
	}
	if (node->type != JSON_OBJECT && node->type != JSON_ARRAY) {
		json_raw(w, node->text);
		return;
	}
	json_open(w, node->type == JSON_OBJECT ? '{' : '[');
	for (const struct json_node *child = node->first; child != NULL; child = child->next) {
		if (node->type == JSON_OBJECT)
			json_key_span(w, child->key);
		write_node(w, child);
	}
	json_close(w, node->type == JSON_OBJECT ? '}' : ']');
}

static void check_same(const struct json_node *a, const struct json_node *b, bool same_place)
{
	const struct json_node *p = a->first, *q = b->first;

	demand(a->type == b->type && a->count == b->count);
	demand(span_eq(a->key, b->key) && span_eq(a->text, b->text));
	demand(!same_place || (a->line == b->line && a->column == b->column));
	for (; p != NULL && q != NULL; p = p->next, q = q->next)
		check_same(p, q, same_place);
	demand(p == NULL && q == NULL);
}

static void check_node(struct arena *a, const struct json_node *node)
{
	size_t count = 0;

	demand(node->line >= 1 && node->column >= 1);
	demand(json_path(a, node)[0] != '\0');
	for (const struct json_node *child = node->first; child != NULL; child = child->next, count++) {
		demand(child->parent == node);
		if (node->type == JSON_OBJECT && strlen(child->key.p) == child->key.n)
			demand(json_child(node, child->key.p) == child);
		check_node(a, child);
	}
	demand(count == node->count);
}

static void check_tree(struct arena *a, const struct json_node *root)
{
	struct buf out = { 0 };
	struct json_writer w = json_writer(&out);
	struct err e;

	check_node(a, root);
	write_node(&w, root);
	struct json_node *again = json_parse(a, buf_span(&out), 0, DEPTH, &e);
	demand(again != NULL);
	check_same(root, again, false);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct arena a = { 0 };
	struct err e;
	struct json_fault fault;
	struct json_node *plain = json_parse(&a, text, 0, DEPTH, &e);
	bool valid = json_scan(text, DEPTH, NULL, NULL, &fault);

	demand(plain != NULL || strncmp(e.text, "line ", 5) == 0);
	demand(valid ? plain != NULL || strstr(e.text, "twice") != NULL : plain == NULL);
	struct json_node *commented = json_parse(&a, text, JSON_COMMENTS, DEPTH, &e);
	demand(commented != NULL || strncmp(e.text, "line ", 5) == 0);
	if (commented != NULL)
		check_tree(&a, commented);
	if (plain != NULL) {
		demand(commented != NULL);
		check_same(plain, commented, true);
	}
	arena_free(&a);
	return 0;
}
