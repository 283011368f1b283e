/*
 * A JSON document as a tree in an arena, with the place of each value in the text: for the configuration and for the
 * command line, never for traffic. Comments (line and block) are allowed when asked for.
 */
#ifndef SLUICE_JSON_TREE_H
#define SLUICE_JSON_TREE_H

#include "base/arena.h"
#include "base/err.h"
#include "json/scan.h"

struct json_node {
	enum json_type type;
	struct span key;       /* decoded; the member's name when the parent is an object */
	struct span text;      /* strings: decoded; numbers and literals: as written; objects and arrays: not set */
	unsigned line, column; /* of the value, from 1; a column is a character */
	struct json_node *parent, *first, *next; /* children in the order of the text */
	size_t count;                            /* of children */
};

enum { JSON_COMMENTS = 1 };

/*
 * NULL and "line 3, column 7: ..." in `e` when the text is not valid. A key that comes twice in one object is a fault.
 * The tree does not point into the text; its keys and texts have a NUL behind them.
 */
struct json_node *json_parse(struct arena *a, struct span text, unsigned flags, unsigned max_depth, struct err *e);

/* NULL when it is not there, or `object` is none, or NULL. */
struct json_node *json_child(const struct json_node *object, const char *key);

/* "mcpServers.github.args[2]", for messages; odd keys as in env["a b"]; the root is "the file" */
const char *json_path(struct arena *a, const struct json_node *node);

#endif
