/*
 * The scanner against its own readers: whatever it accepts can be walked, decoded and written again, each part of it is
 * a text too, what it picks is what json_member finds, and the bound on depth is exact.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "json/scan.h"
#include "json/write.h"

#define DEPTH 32

enum { SLOT_A, SLOT_B, SLOT_ID };

static const struct json_shape inner_shape[] = { { "b", SLOT_B, NULL }, { NULL, 0, NULL } };
static const struct json_shape shape[] = { { "a", SLOT_A, inner_shape }, { "id", SLOT_ID, NULL }, { NULL, 0, NULL } };

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static bool accepts(struct span text, unsigned max_depth)
{
	struct json_fault fault;

	return json_scan(text, max_depth, NULL, NULL, &fault);
}

/* What a string means can be written and read again, and is what it is compared with. */
static void check_string(struct span value)
{
	struct buf room = { 0 }, again_room = { 0 }, written = { 0 };
	struct span text = json_decode(value, buf_reserve(&room, value.n));

	demand(text.n <= value.n - 2);
	demand(json_string_is(value, text));
	json_put_string(&written, text);
	demand(accepts(buf_span(&written), 0));
	struct span again = json_decode(buf_span(&written), buf_reserve(&again_room, buf_size(&written)));
	demand(span_eq(again, text));
	buf_free(&room);
	buf_free(&again_room);
	buf_free(&written);
}

/* Returns how deep the value is nested. */
static unsigned check_value(struct span value)
{
	struct json_walk walk = json_walk(value);
	enum json_type type = json_type_of(value);
	struct span key, item;
	unsigned deepest = 0;
	int64_t number;

	demand(accepts(value, DEPTH));
	if (type == JSON_STRING)
		check_string(value);
	demand(!json_to_i64(value, &number) || type == JSON_NUMBER);
	while (json_next(&walk, &key, &item)) {
		demand(item.p > value.p && span_end(item) < span_end(value));
		if (walk.object)
			check_string((struct span){ key.p - 1, key.n + 2 });
		unsigned depth = check_value(item);
		deepest = depth > deepest ? depth : deepest;
	}
	return type == JSON_OBJECT || type == JSON_ARRAY ? deepest + 1 : 0;
}

static unsigned count_members(struct span object, struct span name)
{
	struct json_walk walk = json_walk(object);
	struct span key, value;
	unsigned n = 0;

	while (walk.object && json_next(&walk, &key, &value))
		n += json_string_is((struct span){ key.p - 1, key.n + 2 }, name);
	return n;
}

static void check_slot(const struct json_found *found, unsigned slot, struct span object, const char *key)
{
	demand(found->slot[slot].p == json_member(object, key).p);
	demand(found->slot[slot].n == json_member(object, key).n);
	demand((found->twice >> slot & 1) == (count_members(object, span_of(key)) > 1));
}

static void check_accepted(struct span text, const struct json_found *found)
{
	struct json_walk whole = { text.p, span_end(text), false };
	struct span value;

	demand(json_next(&whole, NULL, &value) && whole.at == span_end(value));
	demand(found->multiline == (span_find(text, '\n') < text.n || span_find(text, '\r') < text.n));
	check_slot(found, SLOT_A, value, "a");
	check_slot(found, SLOT_B, found->slot[SLOT_A], "b");
	check_slot(found, SLOT_ID, value, "id");
	unsigned depth = check_value(value);
	demand(accepts(text, depth));
	demand(depth == 0 || !accepts(text, depth - 1));
	if (depth > 0 || json_type_of(value) == JSON_STRING)
		demand(!accepts(span_cut(value, value.n - 1), DEPTH));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct json_found found;
	struct json_fault fault, same;

	if (json_scan(text, DEPTH, shape, &found, &fault)) {
		demand(json_scan(text, DEPTH, NULL, NULL, &fault));
		check_accepted(text, &found);
		return 0;
	}
	demand(fault.at <= size && fault.sentence != NULL);
	demand(!json_scan(text, DEPTH, NULL, NULL, &same));
	demand(same.at == fault.at && same.kind == fault.kind && same.sentence == fault.sentence);
	return 0;
}
