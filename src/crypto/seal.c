#include "crypto/seal.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"

#define HASH_BYTES 4
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define HEAD_BYTES (HASH_BYTES + NONCE_BYTES)
#define AROUND_BYTES (HEAD_BYTES + TAG_BYTES)
#define BASE64_SIZE(n) (((n)*4 + 2) / 3)

struct ring_key {
	unsigned char hash[HASH_BYTES]; /* of its id: which key of the ring a token needs */
	unsigned char secret[SEAL_KEY_BYTES];
};

struct key_ring {
	EVP_CIPHER *cipher; /* NULL until the first token */
	EVP_CIPHER_CTX *ctx;
	unsigned n, generation;
	struct ring_key keys[SEAL_KEYS_MAX];
};

/*
 * Without openssl.cnf, error texts and an exit handler: a third less memory, and we leave by _exit anyway. Whoever
 * touches OpenSSL first decides, so every way into this file comes by here.
 */
static void start_openssl(void)
{
	OPENSSL_init_crypto(
	        OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ATEXIT, NULL);
}

void random_bytes(void *out, size_t n)
{
	static const char line[] = "sluice: no random bytes from the kernel\n";
	unsigned char *at = out;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		} else if (got == 0 || errno != EINTR) {
			(void)!write(STDERR_FILENO, line, sizeof(line) - 1);
			_exit(70);
		}
	}
}

void digest(struct span text, unsigned char out[32])
{
	start_openssl();
	int done = EVP_Digest(text.p, text.n, out, NULL, EVP_sha256(), NULL);
	assert(done == 1);
}

static bool ids_differ(const struct seal_key *keys, unsigned n, struct err *e)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < i; k++)
			if (span_eq(keys[i].id, keys[k].id))
				return err_set(e, "two keys have the id \"%.*s\"", SPAN_ARG(keys[i].id));
	return true;
}

static bool put_keys(struct key_ring *r, const struct seal_key *keys, unsigned n, struct err *e)
{
	if (n > SEAL_KEYS_MAX)
		return err_set(e, "%u keys are more than %d", n, SEAL_KEYS_MAX);
	if (!ids_differ(keys, n, e))
		return false;
	OPENSSL_cleanse(r->keys, sizeof(r->keys));
	for (unsigned i = 0; i < n; i++) {
		unsigned char hash[32];
		digest(keys[i].id, hash);
		memcpy(r->keys[i].hash, hash, HASH_BYTES);
		memcpy(r->keys[i].secret, keys[i].secret, SEAL_KEY_BYTES);
	}
	if (n == 0)
		random_bytes(&r->keys[0], sizeof(r->keys[0]));
	r->n = n > 0 ? n : 1;
	return true;
}

struct key_ring *key_ring_new(const struct seal_key *keys, unsigned n, struct err *e)
{
	struct key_ring *r = NEW(struct key_ring);

	if (!put_keys(r, keys, n, e))
		key_ring_free(&r);
	return r;
}

bool key_ring_set(struct key_ring *r, const struct seal_key *keys, unsigned n, struct err *e)
{
	if (!put_keys(r, keys, n, e))
		return false;
	r->generation++;
	return true;
}

unsigned key_ring_generation(const struct key_ring *r)
{
	return r->generation;
}

void key_ring_free(struct key_ring **r)
{
	if (*r == NULL)
		return;
	EVP_CIPHER_CTX_free((*r)->ctx);
	EVP_CIPHER_free((*r)->cipher);
	OPENSSL_cleanse((*r)->keys, sizeof((*r)->keys));
	free(*r);
	*r = NULL;
}

static bool get_ready(struct key_ring *r)
{
	if (r->ctx != NULL)
		return true;
	start_openssl();
	if (r->cipher == NULL)
		r->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (r->cipher != NULL)
		r->ctx = EVP_CIPHER_CTX_new();
	return r->ctx != NULL;
}

static const unsigned char *bytes_of(struct span s)
{
	return (const unsigned char *)s.p;
}

/*
 * The way of both directions up to the text: key, nonce, and as additional data the purpose and the hash in the head,
 * so that no byte of a token can be changed.
 */
static bool begin(
        struct key_ring *r, const struct ring_key *key, const unsigned char *head, struct span purpose, bool sealing)
{
	int n;

	return get_ready(r) &&
	       EVP_CipherInit_ex2(r->ctx, r->cipher, key->secret, head + HASH_BYTES, sealing, NULL) == 1 &&
	       EVP_CipherUpdate(r->ctx, NULL, &n, bytes_of(purpose), (int)purpose.n) == 1 &&
	       EVP_CipherUpdate(r->ctx, NULL, &n, head, HASH_BYTES) == 1;
}

static bool encrypt(struct key_ring *r, struct span purpose, struct span plain, unsigned char *raw)
{
	const struct ring_key *key = &r->keys[0];
	int n, rest;

	memcpy(raw, key->hash, HASH_BYTES);
	random_bytes(raw + HASH_BYTES, NONCE_BYTES);
	return begin(r, key, raw, purpose, true) &&
	       EVP_CipherUpdate(r->ctx, raw + HEAD_BYTES, &n, bytes_of(plain), (int)plain.n) == 1 &&
	       EVP_CipherFinal_ex(r->ctx, raw + HEAD_BYTES + n, &rest) == 1 &&
	       EVP_CIPHER_CTX_ctrl(r->ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, raw + HEAD_BYTES + plain.n) == 1;
}

bool seal(struct key_ring *r, struct span purpose, struct span plain, struct buf *token)
{
	size_t size = AROUND_BYTES + plain.n;

	assert(plain.n <= SEAL_PLAIN_MAX && purpose.n > 0 && purpose.n <= SEAL_PLAIN_MAX);
	unsigned char *raw = mem_alloc(size);
	bool sealed = encrypt(r, purpose, plain, raw);
	if (sealed)
		base64url_encode((struct span){ (char *)raw, size }, token);
	else
		ERR_clear_error();
	free(raw);
	return sealed;
}

/* The tag is compared inside OpenSSL, in constant time. */
static bool decrypt(
        struct key_ring *r, const struct ring_key *key, struct span purpose, struct span raw, struct buf *plain)
{
	size_t size = raw.n - AROUND_BYTES;
	const unsigned char *from = bytes_of(raw) + HEAD_BYTES;
	unsigned char *to = (unsigned char *)buf_reserve(plain, size + 1);
	unsigned char tag[TAG_BYTES];
	int n, rest;

	memcpy(tag, from + size, TAG_BYTES);
	if (begin(r, key, bytes_of(raw), purpose, false) && EVP_CipherUpdate(r->ctx, to, &n, from, (int)size) == 1 &&
	        EVP_CIPHER_CTX_ctrl(r->ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
	        EVP_CipherFinal_ex(r->ctx, to + n, &rest) == 1) {
		buf_added(plain, size);
		return true;
	}
	OPENSSL_cleanse(to, size); /* what was never authentic is nobody's to read */
	ERR_clear_error();
	return false;
}

/* The keys whose id is that of the token, or the others. */
static bool open_by(struct key_ring *r, bool of_that_id, struct span purpose, struct span raw, struct buf *plain)
{
	for (unsigned i = 0; i < r->n; i++)
		if ((memcmp(r->keys[i].hash, raw.p, HASH_BYTES) == 0) == of_that_id &&
		        decrypt(r, &r->keys[i], purpose, raw, plain))
			return true;
	return false;
}

/* An id only tells which key to try first: a secret that has another id by now opens what it has sealed, too. */
static bool open_raw(struct key_ring *r, struct span purpose, struct span raw, struct buf *plain)
{
	return open_by(r, true, purpose, raw, plain) || open_by(r, false, purpose, raw, plain);
}

bool unseal(struct key_ring *r, struct span purpose, struct span token, struct buf *plain)
{
	struct buf raw = { 0 };

	if (token.n < BASE64_SIZE(AROUND_BYTES) || token.n > BASE64_SIZE(AROUND_BYTES + SEAL_PLAIN_MAX))
		return false;
	bool opened = base64url_decode(token, &raw) && open_raw(r, purpose, buf_span(&raw), plain);
	buf_free(&raw);
	return opened;
}
