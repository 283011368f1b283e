#include "gateway/session_token.h"

#define LAYOUT 1
#define EPOCH 0

static void put_number(struct buf *out, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0)
		buf_add_char(out, (char)(value >> (8 * bytes)));
}

static void put_text(struct buf *out, const char *text)
{
	struct span s = span_of(text);

	put_number(out, s.n, 1);
	buf_add(out, s);
}

void session_token_encode(const struct session_claims *claims, struct buf *out)
{
	put_number(out, LAYOUT, 1);
	put_number(out, (uint64_t)claims->info.revision, 1); /* the enum grows at its end only */
	put_number(out, claims->info.capabilities, 2);
	put_number(out, EPOCH, 4);
	put_number(out, (uint64_t)claims->created_ms, 8);
	put_number(out, claims->nonce, 8);
	put_text(out, claims->info.client_name);
	put_text(out, claims->info.client_version);
	put_text(out, "");
}

struct reader {
	struct span rest;
	bool failed;
};

static struct span take(struct reader *r, size_t n)
{
	struct span taken = span_cut(r->rest, n);

	r->failed = r->failed || taken.n < n;
	r->rest = span_skip(r->rest, n);
	return taken;
}

static uint64_t take_number(struct reader *r, unsigned bytes)
{
	struct span s = take(r, bytes);
	uint64_t value = 0;

	for (size_t i = 0; i < s.n; i++)
		value = value << 8 | (unsigned char)s.p[i];
	return value;
}

static void take_text(struct reader *r, char text[SESSION_NAME_MAX + 1])
{
	struct span s = take(r, take_number(r, 1));

	r->failed = r->failed || s.n > SESSION_NAME_MAX;
	s = span_cut(s, SESSION_NAME_MAX);
	if (s.n > 0)
		memcpy(text, s.p, s.n);
	text[s.n] = '\0';
}

bool session_token_decode(struct span bytes, struct session_claims *claims)
{
	struct reader r = { .rest = bytes };
	uint64_t layout = take_number(&r, 1);
	uint64_t revision = take_number(&r, 1);

	if (layout != LAYOUT || revision > REVISION_NEWEST_LEGACY)
		return false;
	claims->info.revision = (enum revision)revision;
	claims->info.capabilities = (unsigned)take_number(&r, 2);
	take_number(&r, 4); /* the epoch: a changed configuration never makes a token invalid */
	claims->created_ms = (int64_t)take_number(&r, 8);
	claims->nonce = take_number(&r, 8);
	take_text(&r, claims->info.client_name);
	take_text(&r, claims->info.client_version);
	return take_number(&r, 1) == 0 && !r.failed && r.rest.n == 0;
}
