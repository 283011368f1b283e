/*
 * Certificates for tests, made on the spot: an authority, and whoever it vouches for. All with keys on P-256, which are
 * made in no time.
 */
#ifndef SLUICE_TESTS_CERTS_H
#define SLUICE_TESTS_CERTS_H

#include <openssl/evp.h>
#include <openssl/x509.h>

struct cert {
	X509 *x;
	EVP_PKEY *private_key;
	char *pem, *key; /* the same as text */
};

/*
 * `names`: "DNS:localhost,IP:127.0.0.1"; NULL: it is an authority. `issuer`: NULL: signed by itself. Valid from that
 * many days from now to that many.
 */
void cert_make(struct cert *c, const char *names, const struct cert *issuer, int from_days, int to_days);
void cert_clear(struct cert *c);

/* The key's text, under a passphrase; from malloc. */
char *cert_encrypted_key(const struct cert *c);

#endif
