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
	struct span text;      /* strings: decoded and NUL-terminated; numbers: as written; else the literal */
	unsigned line, column; /* of the value, from 1 */
	struct json_node *parent, *first, *next; /* children in the order of the text */
	size_t count;                            /* of children */
};

enum { JSON_COMMENTS = 1 };

/* NULL and "line 3, column 7: ..." in `e` when the text is not valid. A key that comes twice in one object is a fault.
 */
struct json_node *json_parse(struct arena *a, struct span text, unsigned flags, unsigned max_depth, struct err *e);

struct json_node *json_child(const struct json_node *object, const char *key); /* NULL: not there */

/* "mcpServers.github.args[2]", for messages; the root is "the file" */
const char *json_path(struct arena *a, const struct json_node *node);

#endif
