#include "gateway/park_token.h"

#define LAYOUT 1

static void put_number(struct buf *out, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0)
		buf_add_char(out, (char)(value >> (8 * bytes)));
}

static uint64_t take_number(struct span *rest, unsigned bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | (unsigned char)rest->p[i];
	*rest = span_skip(*rest, bytes);
	return value;
}

void park_token_encode(const struct park_claims *claims, struct buf *out)
{
	put_number(out, LAYOUT, 1);
	put_number(out, claims->process, 8);
	put_number(out, claims->park, 8);
	put_number(out, claims->turn, 4);
	buf_add(out, (struct span){ (const char *)claims->digest, PARK_DIGEST_BYTES });
	put_number(out, (uint64_t)claims->expires_ms, 8);
}

bool park_token_decode(struct span bytes, struct park_claims *claims)
{
	if (bytes.n != 1 + 8 + 8 + 4 + PARK_DIGEST_BYTES + 8 || take_number(&bytes, 1) != LAYOUT)
		return false;
	claims->process = take_number(&bytes, 8);
	claims->park = take_number(&bytes, 8);
	claims->turn = (uint32_t)take_number(&bytes, 4);
	memcpy(claims->digest, bytes.p, PARK_DIGEST_BYTES);
	bytes = span_skip(bytes, PARK_DIGEST_BYTES);
	claims->expires_ms = (int64_t)take_number(&bytes, 8);
	return true;
}
