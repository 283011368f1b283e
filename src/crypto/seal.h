/*
 * Sealed tokens: a few bytes encrypted and authenticated (AES-256-GCM), so that they can be given to a client and come
 * back unread and unchanged. A ring of keys: the first seals, all open, whatever their ids are: an id tells which key
 * to try first. Token text is base64url without padding: key id hash (4 bytes), nonce (12), sealed bytes, tag (16).
 *
 * Nonces are random, so one key may seal about 2^32 tokens before it should be replaced (NIST SP 800-38D, 8.3).
 * OpenSSL is woken up at the first token, not before: it takes a millisecond and more than one megabyte.
 */
#ifndef SLUICE_CRYPTO_SEAL_H
#define SLUICE_CRYPTO_SEAL_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/base64.h"

#define SEAL_KEY_BYTES 32
#define SEAL_KEYS_MAX 16
#define SEAL_PLAIN_MAX 65536 /* what one token holds at most */

struct seal_key {
	struct span id;
	unsigned char secret[SEAL_KEY_BYTES];
};

struct key_ring;

/*
 * Copies the keys. Without any (n == 0) one is made at random. NULL and a sentence when there are too many, or when two
 * have one id.
 */
struct key_ring *key_ring_new(const struct seal_key *keys, unsigned n, struct err *e);
void key_ring_free(struct key_ring **r); /* wipes the secrets */

/* Other keys in the same ring, by the same rules; false and a sentence: it is as it was. */
bool key_ring_set(struct key_ring *r, const struct seal_key *keys, unsigned n, struct err *e);

/* How often that was done: what has opened before may not open now. */
unsigned key_ring_generation(const struct key_ring *r);

/* Appends the token's text. `purpose` is bound to it: a token for one purpose does not open for another. */
bool seal(struct key_ring *r, struct span purpose, struct span plain, struct buf *token);

/* False for anything that was not sealed by a key of this ring for this purpose. Appends the plain bytes. */
bool unseal(struct key_ring *r, struct span purpose, struct span token, struct buf *plain);

/* Strong random bytes; the process ends if there are none to be had. */
void random_bytes(void *out, size_t n);

/* SHA-256 */
void digest(struct span text, unsigned char out[32]);

#endif
