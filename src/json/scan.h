/*
 * The JSON scanner: checks a text strictly (RFC 8259, UTF-8, a bound on depth) in one pass without allocation, and on
 * the way picks out the few members that somebody asked for, as spans into the text. Nothing is copied or converted:
 * what is forwarded keeps its numbers, escapes and order of keys.
 *
 * What to pick is a "shape", a constant table of keys, nested as the text is:
 *
 *	static const struct json_shape params[] = { { "name", SLOT_NAME, NULL }, { NULL, 0, NULL } };
 *	static const struct json_shape message[] = {
 *		{ "id", SLOT_ID, NULL }, { "params", SLOT_PARAMS, params }, { NULL, 0, NULL }
 *	};
 *
 * A key is compared by its meaning ("\u0069d" is "id"). A member that the shape names and that comes twice is marked
 * in `twice`; the first one is kept, and nothing is picked inside the second. Other duplicates are none of our
 * business.
 */
#ifndef SLUICE_JSON_SCAN_H
#define SLUICE_JSON_SCAN_H

#include "base/span.h"

#define JSON_SLOTS 64       /* slots are bits of a word */
#define JSON_DEPTH_MAX 1000 /* of what may be asked for as max_depth: the scanner recurses */

struct json_shape {
	const char *key; /* NULL ends the table */
	unsigned slot;
	const struct json_shape *inner; /* what to pick inside, if it is an object; NULL: nothing */
};

struct json_found {
	struct span slot[JSON_SLOTS]; /* the value's own bytes, quotes and brackets included; p == NULL: not there */
	uint64_t twice;               /* bit n: slot n came more than once */
	bool multiline;               /* line feeds or carriage returns stand between the tokens */
};

enum json_fault_kind { JSON_SYNTAX, JSON_BAD_UTF8, JSON_TOO_DEEP };

struct json_fault {
	enum json_fault_kind kind;
	size_t at;            /* offset of the first byte that is wrong */
	const char *sentence; /* "a control character in a string" */
};

/*
 * The text is one value, with white space around it at most. max_depth 1 allows an array, but none in it. `shape` may
 * be NULL, and so may `found` then. After a fault `found` is of no use.
 */
bool json_scan(struct span text, unsigned max_depth, const struct json_shape *shape, struct json_found *found,
        struct json_fault *fault);

/* The rest reads values that json_scan has accepted, and asserts no more than their first byte. */

enum json_type { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL, JSON_NONE };

/* JSON_NONE for a span that is not set. */
enum json_type json_type_of(struct span value);

/*
 * Walks the members of an object or the items of an array; anything else is walked like an empty one. `key` is the raw
 * text between the quotes.
 */
struct json_walk {
	const char *at, *end;
	bool object;
};

struct json_walk json_walk(struct span container);
bool json_next(struct json_walk *w, struct span *key, struct span *value); /* key may be NULL */

/* The value of a member of an object, compared by meaning; SPAN_NONE when it is not there. */
struct span json_member(struct span object, const char *key);

/* True if `value` is a JSON string that means `text`. */
bool json_string_is(struct span value, struct span text);

/*
 * Decodes a JSON string (quotes included) into `out`, which has room for value.n bytes; the result never is longer.
 * A lone surrogate becomes U+FFFD. Returns the decoded span inside `out`, or inside `value` itself if there was no
 * escape in it.
 */
struct span json_decode(struct span value, char *out);

/* An integer without fraction or exponent that fits; false for anything else. */
bool json_to_i64(struct span value, int64_t *out);

#endif
