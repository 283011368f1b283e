/*
 * Base64 (RFC 4648), strictly: a text has exactly one meaning and a meaning exactly one text. Whatever could be written
 * in two ways (white space, wrong padding, bits that are left over and not zero) is refused, so that a token cannot be
 * varied into a second one that opens as well.
 */
#ifndef SLUICE_CRYPTO_BASE64_H
#define SLUICE_CRYPTO_BASE64_H

#include "base/buf.h"

/* The standard alphabet; padding is required when due. Appends the bytes; nothing is appended on failure. */
bool base64_decode(struct span text, struct buf *out);
void base64_encode(struct span bytes, struct buf *out);

/* The alphabet for URLs and headers, without padding. */
bool base64url_decode(struct span text, struct buf *out);
void base64url_encode(struct span bytes, struct buf *out);

#endif
