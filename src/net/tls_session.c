#include "net/tls_session.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/tls_private.h"

#define NAME_MAX_BYTES 256
#define SEAL_AT_ONCE ((size_t)1 << 20)
#define READS_AT_ONCE 64 /* records, so that a stream of tiny ones keeps nobody else waiting */

struct tls_session {
	struct tls_context *context;
	SSL *ssl;
	int fd;
	struct buf wire;
	bool at_end;    /* of the socket */
	bool is_dry;    /* the socket had nothing, when it was last asked */
	bool has_read;  /* from the socket, so `first` is the first byte */
	bool has_more;  /* to read without the socket */
	bool is_cut;    /* ... without close_notify */
	bool secured;   /* the handshake is done */
	bool has_ended; /* close_notify is in the wire */
	bool has_failed;
	char first;
	int failed_read; /* errno of the socket, or 0 */
	char name[NAME_MAX_BYTES];
	struct err error;
};

/* ---- the socket, as OpenSSL sees it ---- */

static int socket_read(BIO *bio, char *to, int room)
{
	struct tls_session *s = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = recv(s->fd, to, (size_t)room, 0);
	while (n < 0 && errno == EINTR);
	s->is_dry = n < 0 && errno == EAGAIN;
	if (s->is_dry)
		BIO_set_retry_read(bio);
	else if (n < 0)
		s->failed_read = errno;
	s->at_end |= n == 0;
	if (n > 0 && !s->has_read) {
		s->has_read = true;
		s->first = to[0];
	}
	return (int)n;
}

/* Whatever it is, the wire takes it. */
static int socket_write(BIO *bio, const char *from, int n)
{
	struct tls_session *s = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buf_add(&s->wire, (struct span){ from, (size_t)n });
	return n;
}

static long socket_control(BIO *bio, int what, long number, void *pointer)
{
	const struct tls_session *s = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (what) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return s->at_end;
	default:
		return 0;
	}
}

BIO_METHOD *tls_session_socket(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket and wire");

	if (method == NULL)
		return NULL;
	BIO_meth_set_read(method, socket_read);
	BIO_meth_set_write(method, socket_write);
	BIO_meth_set_ctrl(method, socket_control);
	return method;
}

/* ---- what went wrong ---- */

static const char *whose(const struct tls_session *s)
{
	return s->context->server ? "the client" : s->name;
}

static void explain_certificate(struct tls_session *s, long verdict)
{
	err_set(&s->error, "the certificate of %s is not accepted: %s", whose(s),
	        X509_verify_cert_error_string(verdict));
}

static void explain(struct tls_session *s)
{
	long verdict = SSL_get_verify_result(s->ssl);
	const char *when = s->secured ? "" : " during the TLS handshake";

	if (tls_session_met_text(s))
		err_set(&s->error, "%s speaks no TLS", whose(s));
	else if (verdict != X509_V_OK && !s->context->unverified && !s->secured)
		explain_certificate(s, verdict);
	else if (s->failed_read != 0)
		err_set(&s->error, "the connection broke%s: %s", when, strerror(s->failed_read));
	else if (s->at_end)
		err_set(&s->error, "%s closed the connection%s", whose(s), when);
	else
		err_set(&s->error, "TLS failed%s: %s", s->secured ? "" : " in the handshake", tls_reason());
	ERR_clear_error();
}

static enum tls_io fail(struct tls_session *s)
{
	if (!s->has_failed)
		explain(s);
	s->has_failed = true;
	s->has_more = false;
	return TLS_FAILED;
}

/* ---- the beginning ---- */

/* "[::1]" as "::1", and "example.com." as "example.com": what certificates say. */
static void put_name(struct tls_session *s, const char *given)
{
	struct span name = span_of(given);

	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = (struct span){ name.p + 1, name.n - 2 };
	else if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	snprintf(s->name, sizeof(s->name), "%.*s", SPAN_ARG(name));
}

static bool is_numeric(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* RFC 6066, 3: a numeric address is no server name. One that is too long to be a name is not verified by any. */
static bool expect_name(struct tls_session *s)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);

	if (is_numeric(s->name))
		return X509_VERIFY_PARAM_set1_ip_asc(param, s->name) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(s->ssl, s->name) == 1 && X509_VERIFY_PARAM_set1_host(param, s->name, 0) == 1;
}

static bool set_up(struct tls_session *s, const char *server_name)
{
	BIO *bio = BIO_new(s->context->socket);

	if (bio == NULL)
		return false;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	s->ssl = SSL_new(s->context->ctx);
	if (s->ssl == NULL) {
		BIO_free(bio);
		return false;
	}
	SSL_set_bio(s->ssl, bio, bio);
	if (s->context->server) {
		SSL_set_accept_state(s->ssl);
		return true;
	}
	SSL_set_connect_state(s->ssl);
	assert(server_name != NULL || s->context->unverified);
	put_name(s, server_name != NULL ? server_name : "the server");
	return server_name == NULL || expect_name(s);
}

struct tls_session *tls_session_new(struct tls_context *t, int fd, const char *server_name)
{
	struct tls_session *s = NEW(struct tls_session);

	s->context = tls_context_ref(t);
	s->fd = fd;
	if (!set_up(s, server_name)) {
		s->has_failed = true;
		err_set(&s->error, "TLS cannot begin with \"%s\": %s", s->name, tls_reason());
	}
	return s;
}

void tls_session_free(struct tls_session **sp)
{
	struct tls_session *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	SSL_free(s->ssl);
	buf_free(&s->wire);
	tls_context_unref(&s->context);
	free(s);
}

/* ---- at work ---- */

enum tls_io tls_session_handshake(struct tls_session *s)
{
	if (s->has_failed)
		return TLS_FAILED;
	ERR_clear_error();
	int done = SSL_do_handshake(s->ssl);
	if (done != 1)
		return SSL_get_error(s->ssl, done) == SSL_ERROR_WANT_READ ? TLS_BLOCKED : fail(s);
	s->secured = true;
	s->has_more = SSL_has_pending(s->ssl) == 1;
	return TLS_OK;
}

/* SSL_ERROR_NONE: with room or turns at their end. What is no data (tickets, new keys) takes a turn, too. */
static int read_records(struct tls_session *s, char *to, size_t room, size_t *n)
{
	int why = SSL_ERROR_NONE;

	for (int turns = 0; turns < READS_AT_ONCE && *n < room; turns++) {
		s->is_dry = false;
		int got = SSL_read(s->ssl, to + *n, (int)(room - *n));
		*n += got > 0 ? (size_t)got : 0;
		why = got > 0 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, got);
		if (why == SSL_ERROR_WANT_READ && !s->is_dry)
			why = SSL_ERROR_NONE;
		if (why != SSL_ERROR_NONE)
			break;
	}
	return why;
}

enum tls_io tls_session_read(struct tls_session *s, char *to, size_t room, size_t *n)
{
	*n = 0;
	if (s->has_failed)
		return TLS_FAILED;
	ERR_clear_error();
	int why = read_records(s, to, room, n);
	if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_ZERO_RETURN)
		fail(s);
	s->has_more = why == SSL_ERROR_NONE || (*n > 0 && why != SSL_ERROR_WANT_READ);
	s->is_cut |= why == SSL_ERROR_ZERO_RETURN && s->at_end; /* a close_notify is read before the end behind it */
	if (*n > 0)
		return TLS_OK;
	if (s->has_failed)
		return TLS_FAILED;
	return why == SSL_ERROR_ZERO_RETURN ? TLS_END : TLS_BLOCKED;
}

bool tls_session_has_more(const struct tls_session *s)
{
	return s->has_more;
}

bool tls_session_write(struct tls_session *s, struct span plain)
{
	ERR_clear_error();
	while (plain.n > 0 && !s->has_failed) {
		struct span part = span_cut(plain, SEAL_AT_ONCE);
		if (SSL_write(s->ssl, part.p, (int)part.n) != (int)part.n)
			fail(s);
		plain = span_skip(plain, part.n);
	}
	return !s->has_failed;
}

void tls_session_say_end(struct tls_session *s)
{
	if (s->has_ended || s->has_failed || !s->secured)
		return;
	s->has_ended = true;
	ERR_clear_error();
	SSL_shutdown(s->ssl);
}

struct buf *tls_session_wire(struct tls_session *s)
{
	return &s->wire;
}

bool tls_session_is_at_end(const struct tls_session *s)
{
	return s->at_end;
}

bool tls_session_is_cut(const struct tls_session *s)
{
	return s->is_cut;
}

bool tls_session_met_text(const struct tls_session *s)
{
	return !s->secured && s->has_read && s->first >= 'A' && s->first <= 'Z';
}

const char *tls_session_error(const struct tls_session *s)
{
	return s->error.text;
}
