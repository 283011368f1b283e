#include "net/tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "net/tls_private.h"

#define PEM_MAX_BYTES ((size_t)4 << 20)
#define PEM_BEGIN SPAN("-----BEGIN ")
#define PROTOCOLS "\x08http/1.1"

/* One context in the making. */
struct making {
	struct tls_context *t;
	EVP_MD_CTX *digest;
	const struct tls_notes *notes;
	struct err *e;
};

/* A certificate, a key or a list that was read. */
struct pem {
	const char *name; /* what sentences call it: its path, or whose text it is */
	char *text;
	size_t n;
	BIO *bio;
};

struct tls_roots {
	X509_STORE *store;
};

/* ---- reading ---- */

const char *tls_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return reason != NULL ? reason : "OpenSSL gives no reason";
}

static bool failed(struct making *m, const char *name)
{
	return err_set(m->e, "%s: %s", name, tls_reason());
}

static void tell_reading(const struct making *m, const char *path)
{
	if (m->notes->reads != NULL)
		m->notes->reads(m->notes->arg, path);
}

static void add_to_digest(struct making *m, const void *bytes, size_t n)
{
	uint64_t size = n;

	EVP_DigestUpdate(m->digest, &size, sizeof(size));
	EVP_DigestUpdate(m->digest, bytes, n);
}

/* `value` is a path or the text itself, `what` is what to call that. */
static bool pem_open(struct making *m, const char *value, const char *what, struct pem *pem)
{
	*pem = (struct pem){ .name = value };
	if (span_starts(span_of(value), PEM_BEGIN)) {
		pem->name = what;
		pem->n = strlen(value);
		pem->text = mem_alloc(pem->n + 1);
		memcpy(pem->text, value, pem->n + 1);
	} else {
		tell_reading(m, value);
		if (!fd_read_file(value, PEM_MAX_BYTES, &pem->text, &pem->n, m->e))
			return false;
	}
	add_to_digest(m, pem->text, pem->n);
	pem->bio = BIO_new_mem_buf(pem->text, (int)pem->n);
	return pem->bio != NULL || failed(m, pem->name);
}

static void pem_close(struct pem *pem)
{
	BIO_free(pem->bio);
	if (pem->text != NULL)
		OPENSSL_cleanse(pem->text, pem->n);
	free(pem->text);
	*pem = (struct pem){ 0 };
}

/* The next certificate; NULL with *end at the end of the text, or with a sentence. `nth` is for that. */
static X509 *pem_certificate(struct making *m, struct pem *pem, unsigned nth, bool *end)
{
	X509 *x = PEM_read_bio_X509(pem->bio, NULL, NULL, NULL);
	unsigned long code = ERR_peek_last_error();

	*end = x == NULL && ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	if (*end && nth == 1)
		err_set(m->e, "%s: there is no certificate in it", pem->name);
	else if (x == NULL && !*end)
		err_set(m->e, "%s: certificate %u in it is broken", pem->name, nth);
	return x;
}

/* Gives each certificate of the text to `take`, which may keep a reference. */
static bool each_certificate(struct making *m, const char *value, const char *what,
        bool (*take)(struct making *m, X509 *x, unsigned nth, const char *name))
{
	struct pem pem;
	bool ok = pem_open(m, value, what, &pem), end = false;

	for (unsigned nth = 1; ok && !end; nth++) {
		X509 *x = pem_certificate(m, &pem, nth, &end);
		ok = x != NULL ? take(m, x, nth, pem.name) : end && nth > 1;
		X509_free(x);
	}
	pem_close(&pem);
	return ok;
}

/* ---- what we show ---- */

static void warn_of(const struct making *m, const char *name, const char *what, const ASN1_TIME *when)
{
	char sentence[ERR_TEXT_MAX];
	BIO *bio = BIO_new(BIO_s_mem());
	char *date = NULL;

	if (m->notes->warns != NULL && bio != NULL && ASN1_TIME_print(bio, when) == 1) {
		int n = (int)BIO_get_mem_data(bio, &date);
		snprintf(sentence, sizeof(sentence), "%s: the certificate %s %.*s", name, what, n, date);
		m->notes->warns(m->notes->arg, sentence);
	}
	BIO_free(bio);
}

static void check_dates(const struct making *m, const X509 *x, const char *name)
{
	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		warn_of(m, name, "has expired on", X509_get0_notAfter(x));
	if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		warn_of(m, name, "is not valid before", X509_get0_notBefore(x));
}

static bool take_shown(struct making *m, X509 *x, unsigned nth, const char *name)
{
	bool ok = nth == 1 ? SSL_CTX_use_certificate(m->t->ctx, x) == 1 : SSL_CTX_add1_chain_cert(m->t->ctx, x) == 1;

	if (ok)
		check_dates(m, x, name);
	return ok || failed(m, name);
}

/* Nobody is there to be asked for a passphrase. */
static int no_passphrase(char *to, int room, int writing, void *arg)
{
	(void)to;
	(void)room;
	(void)writing;
	*(bool *)arg = true;
	return -1;
}

static bool use_key(struct making *m, struct pem *pem, const char *cert)
{
	bool asked = false;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(pem->bio, NULL, no_passphrase, &asked);
	bool ok = false;

	ERR_clear_error();
	if (asked)
		err_set(m->e, "%s: the key is encrypted, and there is nobody to ask for its passphrase", pem->name);
	else if (key == NULL)
		err_set(m->e, "%s: there is no private key in it that can be read", pem->name);
	else if (X509_check_private_key(SSL_CTX_get0_certificate(m->t->ctx), key) != 1)
		err_set(m->e, "%s: the key does not belong to the certificate in %s", pem->name, cert);
	else
		ok = SSL_CTX_use_PrivateKey(m->t->ctx, key) == 1 || failed(m, pem->name);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

static bool show(struct making *m, const char *cert, const char *key)
{
	const char *cert_name = span_starts(span_of(cert), PEM_BEGIN) ? "the text of \"cert\"" : cert;
	struct pem pem;

	if (!each_certificate(m, cert, "the text of \"cert\"", take_shown))
		return false;
	bool ok = pem_open(m, key, "the text of \"key\"", &pem) && use_key(m, &pem, cert_name);
	pem_close(&pem);
	return ok;
}

/* ---- whom we trust ---- */

/* Whoever is listed is trusted, also when it is no root: that is what a list of one's own is for. */
static bool take_trusted(struct making *m, X509 *x, unsigned nth, const char *name)
{
	SSL_CTX *ctx = m->t->ctx;

	(void)nth;
	if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x) != 1)
		return failed(m, name);
	return !m->t->server || SSL_CTX_add_client_CA(ctx, x) == 1 || failed(m, name);
}

static bool trust(struct making *m, const char *value, const char *what)
{
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(m->t->ctx), X509_V_FLAG_PARTIAL_CHAIN);
	return each_certificate(m, value, what, take_trusted);
}

/* Where the systems keep them that OpenSSL, built for another, does not know. */
static bool read_known_bundle(X509_STORE *store)
{
	static const char *const bundles[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem",
		"/etc/ssl/ca-bundle.pem",
	};

	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++)
		if (access(bundles[i], R_OK) == 0)
			return X509_STORE_load_file(store, bundles[i]) == 1;
	return false;
}

/* One file with all of them, for a folder would be read while connections wait; unless the environment names another.
 */
static struct tls_roots *read_roots(void)
{
	struct tls_roots *roots = NEW(struct tls_roots);
	bool named =
	        getenv(X509_get_default_cert_file_env()) != NULL || getenv(X509_get_default_cert_dir_env()) != NULL;

	roots->store = X509_STORE_new();
	if (roots->store != NULL && (named || !read_known_bundle(roots->store)))
		X509_STORE_set_default_paths(roots->store);
	ERR_clear_error();
	return roots;
}

void tls_roots_free(struct tls_roots **rp)
{
	if (*rp == NULL)
		return;
	X509_STORE_free((*rp)->store);
	free(*rp);
	*rp = NULL;
}

static bool trust_system(struct making *m)
{
	struct tls_roots *own = NULL, **roots = m->notes->roots != NULL ? m->notes->roots : &own;

	if (*roots == NULL)
		*roots = read_roots();
	bool ok = (*roots)->store != NULL;
	if (ok)
		SSL_CTX_set1_cert_store(m->t->ctx, (*roots)->store);
	tls_roots_free(&own);
	return ok || failed(m, "the system's authorities");
}

/* ---- contexts ---- */

/* RFC 7301, 3.2: who speaks ALPN and not HTTP/1.1 must be told so, rather than hear what it cannot understand. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size,
        const unsigned char *offered, unsigned offered_size, void *arg)
{
	static const unsigned char ours[] = PROTOCOLS;
	unsigned char *found = NULL;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&found, chosen_size, ours, sizeof(ours) - 1, offered, offered_size) !=
	        OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen = found;
	return SSL_TLSEXT_ERR_OK;
}

/* An end without close_notify is for those to judge who know what is spoken: tls_session_is_cut tells. */
static void set_up_both(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
	                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY); /* a session counts what it reads */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
}

static void set_up_server(SSL_CTX *ctx, bool with_clients)
{
	static const unsigned char name[] = "sluice";

	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_session_id_context(ctx, name, sizeof(name) - 1);
	if (!with_clients)
		return;
	SSL_CTX_set_num_tickets(ctx, 0); /* a client is looked at each time it comes */
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static bool set_up_client(struct making *m)
{
	static const unsigned char ours[] = PROTOCOLS;

	SSL_CTX_set_verify(m->t->ctx, m->t->unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	return SSL_CTX_set_alpn_protos(m->t->ctx, ours, sizeof(ours) - 1) == 0 || failed(m, "ALPN");
}

/* As seal.c does it: no configuration of the machine's, nothing to be done at an exit that never comes. The error
 * texts are needed here. */
static bool begin(struct making *m, bool server)
{
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	m->t->refs = 1;
	m->t->server = server;
	m->t->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	m->t->socket = tls_session_socket();
	m->digest = EVP_MD_CTX_new();
	if (m->t->ctx == NULL || m->t->socket == NULL || m->digest == NULL ||
	        EVP_DigestInit_ex(m->digest, EVP_sha256(), NULL) != 1)
		return failed(m, "TLS");
	set_up_both(m->t->ctx);
	return true;
}

static struct tls_context *end(struct making *m, bool ok)
{
	static const char *const purposes[] = { "client", "server" };

	if (ok) {
		add_to_digest(m, purposes[m->t->server], strlen(purposes[m->t->server]));
		EVP_DigestFinal_ex(m->digest, m->t->digest, NULL);
	} else {
		tls_context_unref(&m->t);
	}
	EVP_MD_CTX_free(m->digest);
	return m->t;
}

static const struct tls_notes nobody;

static bool is_pair(const char *cert, const char *key, struct err *e)
{
	return (cert == NULL) == (key == NULL) ||
	       err_set(e, "a certificate and its key go together, and the %s is missing",
	               cert == NULL ? "certificate" : "key");
}

struct tls_context *tls_server_new(const struct tls_server_conf *conf, const struct tls_notes *notes, struct err *e)
{
	struct making m = { .t = NEW(struct tls_context), .notes = notes != NULL ? notes : &nobody, .e = e };

	bool ok = begin(&m, true) && is_pair(conf->cert, conf->key, e) &&
	          (conf->cert != NULL || err_set(e, "a server needs a certificate and its key")) &&
	          show(&m, conf->cert, conf->key) &&
	          (conf->client_ca == NULL || trust(&m, conf->client_ca, "the text of \"clientCa\""));
	if (ok)
		set_up_server(m.t->ctx, conf->client_ca != NULL);
	return end(&m, ok);
}

struct tls_context *tls_client_new(const struct tls_client_conf *conf, const struct tls_notes *notes, struct err *e)
{
	struct making m = { .t = NEW(struct tls_context), .notes = notes != NULL ? notes : &nobody, .e = e };

	m.t->unverified = conf->unverified;
	bool ok = begin(&m, false) && is_pair(conf->cert, conf->key, e);
	if (ok && conf->ca != NULL)
		ok = trust(&m, conf->ca, "the text of \"ca\"");
	else if (ok && !conf->unverified)
		ok = trust_system(&m);
	ok = ok && (conf->cert == NULL || show(&m, conf->cert, conf->key)) && set_up_client(&m);
	return end(&m, ok);
}

struct tls_context *tls_context_ref(struct tls_context *t)
{
	if (t != NULL)
		t->refs++;
	return t;
}

void tls_context_unref(struct tls_context **tp)
{
	struct tls_context *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	assert(t->refs > 0);
	if (--t->refs > 0)
		return;
	SSL_CTX_free(t->ctx);
	BIO_meth_free(t->socket);
	free(t);
}

bool tls_context_same(const struct tls_context *a, const struct tls_context *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->server == b->server && memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}
