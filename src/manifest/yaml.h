/*
 * YAML documents as trees in an arena, with the place of each value in the text: for manifests that somebody hands to
 * the command line, never for traffic. libyaml does the reading; it is seen by this module alone.
 *
 * A tree is bounded in size, depth, documents and nodes, and an alias is copied as often as it is used, so a small text
 * whose aliases stand for each other a billion times is refused. Tags are not looked at. The key `<<` merges, as in
 * YAML 1.1. A value that is null is as good as not there, as it is for Kubernetes.
 */
#ifndef SLUICE_MANIFEST_YAML_H
#define SLUICE_MANIFEST_YAML_H

#include "base/arena.h"
#include "base/err.h"

#define YAML_MAX_BYTES ((size_t)8 << 20)
#define YAML_MAX_DEPTH 64
#define YAML_MAX_NODES ((size_t)200000)
#define YAML_MAX_ANCHORS 256

enum yaml_kind { YAML_TEXT, YAML_MAP, YAML_LIST };

struct yaml_node {
	enum yaml_kind kind;
	bool plain;            /* of a text: written without quotes, so it may be a number, a boolean or null */
	struct span key;       /* the member's name when the parent is a map */
	struct span text;      /* of a text; it and keys have a NUL behind them */
	unsigned line, column; /* of the value, from 1; of the alias where one stands */
	struct yaml_node *parent, *first, *last, *next; /* children in the order of the text */
};

/* The documents, linked by `next`; *documents is NULL when there is none. False: it is no YAML, or beyond a bound. */
bool yaml_parse(struct arena *a, struct span text, const struct yaml_node **documents, struct err *e);

/* The value of a key; NULL when it is not there or null, or `map` is none, or NULL. */
const struct yaml_node *yaml_child(const struct yaml_node *map, const char *key);

/* The same for a key in a map in a map: "spec.template.spec". */
const struct yaml_node *yaml_at(const struct yaml_node *map, const char *keys);

/* The first item of a list; the others follow by `next`. NULL when it is empty, or no list. */
const struct yaml_node *yaml_items(const struct yaml_node *list);

/* The text of a scalar, with or without quotes; not set for anything else, and for NULL. */
struct span yaml_text(const struct yaml_node *node);
bool yaml_is(const struct yaml_node *node, const char *text);

/* A whole number without quotes. */
bool yaml_int(const struct yaml_node *node, int64_t *out);

/* One of the words for true, without quotes; the words for false are those of yaml_is_false. */
bool yaml_is_true(const struct yaml_node *node);
bool yaml_is_false(const struct yaml_node *node);

/* "spec.template.spec.containers[0].args[2]"; odd keys as in annotations["a.b/c"]; empty for a document. */
const char *yaml_path(struct arena *a, const struct yaml_node *node);

/* The object that a node belongs to: its document, or the item of a document that is a list of objects. */
const struct yaml_node *yaml_object(const struct yaml_node *node);

#endif
