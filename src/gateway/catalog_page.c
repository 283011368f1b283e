#include <stdlib.h>

#include "base/mem.h"
#include "crypto/base64.h"
#include "gateway/catalog_private.h"
#include "json/scan.h"
#include "json/write.h"
#include "mcp/rewrite.h"

/*
 * A cursor names a place in the order of the configuration, not an offset, so that a walk goes on where it was when a
 * server's list came or went meanwhile. As bytes: kind 1 | scope + 1, 4 | server 4 | index 4 | check 4, big-endian.
 * It holds nothing worth forging; the check tells a cursor of ours, of this configuration, from another text.
 */
#define CURSOR_BYTES 17
#define CURSOR_TEXT_MAX 32

static void put_number(unsigned char *out, size_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (unsigned char)(value >> (24 - 8 * i));
}

static size_t get_number(const unsigned char *in)
{
	return (size_t)in[0] << 24 | (size_t)in[1] << 16 | (size_t)in[2] << 8 | in[3];
}

static size_t scope_number(int scope)
{
	return scope == SCOPE_ALL ? 0 : (size_t)scope + 1;
}

/* FNV-1a, on from the configuration's */
static uint32_t check_of(const struct catalog *c, const unsigned char *bytes)
{
	uint32_t h = c->fingerprint;

	for (int i = 0; i < CURSOR_BYTES - 4; i++)
		h = (h ^ bytes[i]) * 0x01000193u;
	return h;
}

static void put_cursor(const struct catalog *c, int scope, enum list_kind kind, struct place at, struct buf *out)
{
	unsigned char bytes[CURSOR_BYTES] = { (unsigned char)kind };

	put_number(bytes + 1, scope_number(scope));
	put_number(bytes + 5, at.server);
	put_number(bytes + 9, at.index);
	put_number(bytes + 13, check_of(c, bytes));
	base64url_encode((struct span){ (char *)bytes, sizeof(bytes) }, out);
}

static bool get_cursor_bytes(struct span cursor, unsigned char bytes[CURSOR_BYTES])
{
	char text[CURSOR_TEXT_MAX];
	struct buf raw = { 0 };

	if (json_type_of(cursor) != JSON_STRING || cursor.n > sizeof(text))
		return false;
	bool decoded = base64url_decode(json_decode(cursor, text), &raw) && buf_size(&raw) == CURSOR_BYTES;
	if (decoded)
		memcpy(bytes, buf_span(&raw).p, CURSOR_BYTES);
	buf_free(&raw);
	return decoded;
}

static bool get_cursor(const struct catalog *c, int scope, enum list_kind kind, struct span cursor, struct place *at)
{
	unsigned char bytes[CURSOR_BYTES];

	if (!get_cursor_bytes(cursor, bytes))
		return false;
	*at = (struct place){ get_number(bytes + 5), get_number(bytes + 9) };
	return get_number(bytes + 13) == check_of(c, bytes) && bytes[0] == kind &&
	       get_number(bytes + 1) == scope_number(scope) && at->server < c->count;
}

static const struct entry *entry_at(const struct catalog *c, int scope, enum list_kind kind, size_t i)
{
	return scope == SCOPE_ALL ? c->merged[kind].entries[i] : &catalog_part(c, scope, kind)->entries[i];
}

static struct place place_of(const struct entry *e, int scope)
{
	return (struct place){ e->server, scope == SCOPE_ALL ? e->merged_index : e->own_index };
}

static bool is_before(struct place a, struct place b)
{
	return a.server != b.server ? a.server < b.server : a.index < b.index;
}

/* The number of the first entry that is not before the place. */
static size_t find_place(const struct catalog *c, int scope, enum list_kind kind, struct place at)
{
	size_t low = 0, high = catalog_count(c, scope, kind);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (is_before(place_of(entry_at(c, scope, kind, middle), scope), at))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void put_item(const struct catalog *c, int scope, const struct entry *e, bool legacy, struct buf *out)
{
	bool prefixed = scope == SCOPE_ALL && e->name.n > e->key.n;
	const struct splice splices[] = {
		{ { e->item.p + e->prefix_at, 0 }, prefixed ? c->servers[e->server].prefix : SPAN("") },
		{ legacy ? e->hidden : SPAN_NONE, SPAN("") },
	};
	struct pieces item = pieces_splice(e->item, splices, 2);

	pieces_put(out, &item);
}

/* Writes the page that starts at the place, and returns the place where the next one does. */
static struct place put_page(
        const struct catalog *c, int scope, enum list_kind kind, struct place at, bool legacy, struct buf *out)
{
	size_t i = find_place(c, scope, kind, at), count = catalog_count(c, scope, kind);
	size_t end = count - i > c->page_items ? i + c->page_items : count;
	struct place next = { c->count, 0 };

	buf_printf(out, "{\"%s\":[", list_member(kind));
	for (size_t k = i; k < end; k++) {
		if (k > i)
			buf_add_char(out, ',');
		put_item(c, scope, entry_at(c, scope, kind, k), legacy, out);
	}
	buf_add_char(out, ']');
	if (end < count) {
		next = place_of(entry_at(c, scope, kind, end), scope);
		buf_add(out, SPAN(",\"nextCursor\":\""));
		put_cursor(c, scope, kind, next, out);
		buf_add_char(out, '"');
	}
	buf_add_char(out, '}');
	return next;
}

static void view_clear(struct view *v)
{
	for (size_t i = 0; i < v->count; i++)
		free((char *)(uintptr_t)v->pages[i].text.p);
	free(v->pages);
	*v = (struct view){ 0 };
}

void views_clear(struct view views[VIEWS])
{
	for (int i = 0; i < VIEWS; i++)
		view_clear(&views[i]);
}

static bool same_place(struct place a, struct place b)
{
	return a.server == b.server && a.index == b.index;
}

static const struct page *find_page(const struct view *v, struct place at)
{
	for (size_t i = 0; i < v->count; i++)
		if (same_place(v->pages[i].from, at))
			return &v->pages[i];
	return NULL;
}

/* Whether the page is the one behind those that are kept already. */
static bool is_due(const struct view *v, struct place at, struct place first)
{
	return same_place(at, v->count > 0 ? v->pages[v->count - 1].next : first);
}

static void keep_page(struct view *v, struct place from, struct place next, struct span text)
{
	v->pages = mem_realloc(v->pages, (v->count + 1) * sizeof(*v->pages));
	v->pages[v->count++] = (struct page){ from, next, { span_dup(text), text.n } };
}

static bool page(
        struct catalog *c, int scope, enum list_kind kind, struct span cursor, bool legacy, struct buf *out)
{
	struct view *views = scope == SCOPE_ALL ? c->merged[kind].views : c->servers[scope].parts[kind].views;
	struct view *v = &views[legacy ? VIEW_LEGACY : VIEW_WHOLE];
	struct place first = { scope == SCOPE_ALL ? 0 : (size_t)scope, 0 }, at = first;

	if (span_is_set(cursor) && !get_cursor(c, scope, kind, cursor, &at))
		return false;
	const struct page *kept = find_page(v, at);
	if (kept != NULL) {
		buf_add(out, kept->text);
		return true;
	}
	size_t start = buf_size(out);
	struct place next = put_page(c, scope, kind, at, legacy, out);
	if (is_due(v, at, first))
		keep_page(v, at, next, span_skip(buf_span(out), start));
	return true;
}

bool catalog_page(struct catalog *c, int scope, enum list_kind kind, struct span cursor, struct buf *out)
{
	return page(c, scope, kind, cursor, false, out);
}

bool catalog_page_legacy(struct catalog *c, int scope, enum list_kind kind, struct span cursor, struct buf *out)
{
	return page(c, scope, kind, cursor, true, out);
}
