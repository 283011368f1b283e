/*
 * TLS contexts: what a server shows and demands, or what a client trusts and shows. Made once from certificates and
 * keys, shared by all connections that begin with it, and never changed: who has new certificates makes a new one, and
 * the old one goes with the last connection that holds it.
 *
 * TLS 1.2 and later, HTTP/1.1 by ALPN, no renegotiation, no 0-RTT. A server keeps no sessions; its tickets are sealed
 * by keys that go with the context, so that nobody resumes what an older context has granted, and where clients must
 * show certificates it gives none.
 *
 * Each certificate, key or list of authorities is the path of a file, or the PEM text itself ("-----BEGIN ...").
 * Reading blocks: it is for the start, and for a thread beside the loop. References are counted without locks: a
 * context passes from one thread to another as a whole.
 */
#ifndef SLUICE_NET_TLS_H
#define SLUICE_NET_TLS_H

#include "base/err.h"
#include "base/span.h"

struct tls_context;
struct tls_roots;

/* What a server shows: both, or no TLS. */
struct tls_server_conf {
	const char *cert;      /* its certificate, then those that lead to an authority */
	const char *key;       /* of the first one */
	const char *client_ca; /* NULL: anybody may come; else those only who show a certificate by one of these */
};

/* What a client trusts and shows; all may be NULL. */
struct tls_client_conf {
	const char *ca;         /* authorities; NULL: the system's */
	const char *cert, *key; /* both or none */
	/* What the certificate must name instead of the URL's host: for who opens the connections. */
	const char *server_name;
	bool unverified; /* whoever answers will do: not for the configuration */
};

/* Who is told while a context is made, and what several share. Each may be NULL. */
struct tls_notes {
	void (*reads)(void *arg, const char *path);     /* before a file is read */
	void (*warns)(void *arg, const char *sentence); /* of what works today: a certificate that has expired */
	void *arg;
	struct tls_roots **roots; /* the system's authorities, read when a first client wants them: it takes 30 ms */
};

void tls_roots_free(struct tls_roots **rp);

/* NULL and a sentence that names the file and what is wrong with it. `notes` may be NULL. */
struct tls_context *tls_server_new(const struct tls_server_conf *conf, const struct tls_notes *notes, struct err *e);
struct tls_context *tls_client_new(const struct tls_client_conf *conf, const struct tls_notes *notes, struct err *e);

struct tls_context *tls_context_ref(struct tls_context *t);
void tls_context_unref(struct tls_context **t); /* NULL inside is fine */

/* Made from the same bytes, for the same purpose; NULL is no TLS. */
bool tls_context_same(const struct tls_context *a, const struct tls_context *b);

#endif
