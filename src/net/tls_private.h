/*
 * Private to tls.c (contexts) and tls_session.c (connections): what a context is.
 */
#ifndef SLUICE_NET_TLS_PRIVATE_H
#define SLUICE_NET_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "net/tls.h"

#define TLS_DIGEST_BYTES 32

struct tls_context {
	SSL_CTX *ctx;
	BIO_METHOD *socket; /* of its sessions */
	unsigned refs;
	bool server, unverified;
	unsigned char digest[TLS_DIGEST_BYTES]; /* of all that it was made from */
};

/* What OpenSSL complained of first; empties its list. */
const char *tls_reason(void);

/* tls_session.c: reads from the socket, writes into the session. NULL when there is no memory. */
BIO_METHOD *tls_session_socket(void);

#endif
