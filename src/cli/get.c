#include "cli/get.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/tls_session.h"

#define READ_BYTES 16384
#define SCHEME SPAN("http://")
#define SCHEME_TLS SPAN("https://")
#define HEAD_END "\r\n\r\n"
#define LENGTH_FIELD SPAN("content-length:")

/* ---- what to get ---- */

/* "[::1]:8080" is for "[::1]", and ":8080" for this machine. */
static void put_name(struct get_url *url, struct span address)
{
	size_t port = address.n;

	while (port > 0 && address.p[port - 1] != ':')
		port--;
	struct span name = span_cut(address, port > 0 ? port - 1 : 0);
	snprintf(url->name, sizeof(url->name), "%.*s", SPAN_ARG(name));
}

bool get_url_at(struct get_url *url, struct span address, struct span path, struct err *e)
{
	char text[ADDRESS_TEXT_MAX];

	*url = (struct get_url){ .path = path };
	snprintf(text, sizeof(text), "%s%.*s", span_starts(address, SPAN(":")) ? "127.0.0.1" : "", SPAN_ARG(address));
	if (!address_parse(span_of(text), &url->address, e))
		return false;
	address_format(&url->address, url->host);
	put_name(url, span_of(text));
	return true;
}

/* Visible ASCII: nothing that could end the request line early. */
static bool is_clean(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= 0x20 || text.p[i] >= 0x7f)
			return false;
	return true;
}

static bool has_port(struct span authority)
{
	size_t at = authority.n;

	while (at > 0 && authority.p[at - 1] >= '0' && authority.p[at - 1] <= '9')
		at--;
	return at > 0 && at < authority.n && authority.p[at - 1] == ':';
}

bool get_url_parse(struct get_url *url, struct span text, struct err *e)
{
	char address[ADDRESS_TEXT_MAX];
	bool tls = span_starts(text, SCHEME_TLS);
	struct span rest = span_skip(text, tls ? SCHEME_TLS.n : SCHEME.n), authority = rest;

	if ((!tls && !span_starts(text, SCHEME)) || !is_clean(text))
		return err_set(e, "\"%.*s\" is not of the form http://ADDRESS:PORT/PATH", SPAN_ARG(text));
	authority = span_cut(authority, span_find(authority, '/'));
	authority = span_cut(authority, span_find(authority, '?'));
	struct span path = span_skip(rest, authority.n);
	path = span_cut(path, span_find(path, '#'));
	if (authority.n == 0 || authority.n >= sizeof(address) - sizeof(":443"))
		return err_set(e, "\"%.*s\" names no address", SPAN_ARG(text));
	snprintf(address, sizeof(address), "%.*s%s", SPAN_ARG(authority),
	        has_port(authority) ? ""
	        : tls               ? ":443"
	                            : ":80");
	if (!get_url_at(url, span_of(address), path.n > 0 ? path : SPAN("/"), e))
		return false;
	url->tls = tls;
	return true;
}

void get_url_trust(struct get_url *url, const struct cli *c)
{
	const struct cli_options *o = &c->options;

	url->trust = (struct tls_client_conf){
		.ca = o->ca,
		.cert = o->cert,
		.key = o->key,
		.unverified = o->ca == NULL && address_is_loopback(&url->address),
	};
}

bool get_url_admin(struct get_url *url, const struct cli *c, struct span path, struct err *e)
{
	struct span given = span_of(c->options.admin);
	bool tls = span_starts(given, SCHEME_TLS);
	struct span address = tls ? span_skip(given, SCHEME_TLS.n) : given;

	if (!get_url_at(url, address.n > 0 ? address : SPAN(CLI_ADMIN_ADDRESS), path, e))
		return err_wrap(e, "--admin");
	url->tls = tls;
	get_url_trust(url, c);
	return true;
}

/* ---- the connection ---- */

/* Waits until the descriptor is ready; false when time is up. */
static bool wait_for(int fd, short events, mono_t deadline, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = events };
	int ready;

	do {
		msec_t left_ms = mono_diff(deadline, clock_mono());
		ready = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
	} while (ready < 0 && errno == EINTR);
	return ready > 0 || err_set(e, "no answer in time");
}

static bool connect_to(int fd, const struct get_url *url, mono_t deadline, struct err *e)
{
	int failed = 0;
	socklen_t size = sizeof(failed);

	if (connect(fd, (const struct sockaddr *)&url->address.any, url->address.size) == 0)
		return true;
	if (errno != EINPROGRESS)
		return err_sys(e, "connect");
	if (!wait_for(fd, POLLOUT, deadline, e))
		return false;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
	errno = failed;
	return failed == 0 || err_sys(e, "connect");
}

static bool send_all(int fd, struct span text, mono_t deadline, struct err *e)
{
	while (text.n > 0) {
		ssize_t n = send(fd, text.p, text.n, MSG_NOSIGNAL);
		if (n >= 0)
			text = span_skip(text, (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, "send");
		else if (!wait_for(fd, POLLOUT, deadline, e))
			return false;
	}
	return true;
}

static bool receive_all(int fd, struct buf *answer, mono_t deadline, struct err *e)
{
	while (buf_size(answer) <= GET_BYTES_MAX) {
		if (!wait_for(fd, POLLIN, deadline, e))
			return false;
		ssize_t n = recv(fd, buf_reserve(answer, READ_BYTES), READ_BYTES, 0);
		if (n == 0)
			return true;
		if (n > 0)
			buf_added(answer, (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, "receive");
	}
	return err_set(e, "the answer is larger than %zu bytes", GET_BYTES_MAX);
}

static void put_request(const struct get_url *url, struct buf *request)
{
	buf_printf(request, "GET %s%.*s HTTP/1.0\r\nHost: %s\r\nUser-Agent: sluice/%s\r\n%s%s\r\n",
	        url->path.p[0] == '/' ? "" : "/", SPAN_ARG(url->path), url->host, SLUICE_VERSION,
	        url->field != NULL ? url->field : "", url->field != NULL ? "\r\n" : "");
}

/* ---- the same under TLS ---- */

/* Sends what there is to be sent, then waits for what comes. */
static bool turn(struct tls_session *s, int fd, mono_t deadline, struct err *e)
{
	struct buf *wire = tls_session_wire(s);
	bool sent = send_all(fd, buf_span(wire), deadline, e);

	buf_free(wire);
	return sent && wait_for(fd, POLLIN, deadline, e);
}

static bool shake_hands(struct tls_session *s, int fd, mono_t deadline, struct err *e)
{
	enum tls_io io;

	while ((io = tls_session_handshake(s)) == TLS_BLOCKED)
		if (!turn(s, fd, deadline, e))
			return false;
	return io == TLS_OK || err_set(e, "%s", tls_session_error(s));
}

static bool receive_all_opened(struct tls_session *s, int fd, struct buf *answer, mono_t deadline, struct err *e)
{
	size_t n;

	while (buf_size(answer) <= GET_BYTES_MAX) {
		enum tls_io io = tls_session_read(s, buf_reserve(answer, READ_BYTES), READ_BYTES, &n);
		buf_added(answer, n);
		if (io == TLS_END)
			return true;
		if (io == TLS_FAILED)
			return err_set(e, "%s", tls_session_error(s));
		if (io == TLS_BLOCKED && !tls_session_has_more(s) && !turn(s, fd, deadline, e))
			return false;
	}
	return err_set(e, "the answer is larger than %zu bytes", GET_BYTES_MAX);
}

static bool exchange_sealed(
        const struct get_url *url, int fd, struct span request, mono_t deadline, struct buf *answer, struct err *e)
{
	struct tls_context *t = tls_client_new(&url->trust, NULL, e);

	if (t == NULL)
		return false;
	struct tls_session *s = tls_session_new(t, fd, url->name);
	bool ok = shake_hands(s, fd, deadline, e) &&
	          (tls_session_write(s, request) || err_set(e, "%s", tls_session_error(s))) &&
	          receive_all_opened(s, fd, answer, deadline, e);
	tls_session_free(&s);
	tls_context_unref(&t);
	return ok;
}

static bool exchange(const struct get_url *url, mono_t deadline, struct buf *answer, struct err *e)
{
	AUTO_FD int fd = socket(url->address.any.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct buf request = { 0 };

	if (fd < 0)
		return err_sys(e, "socket");
	put_request(url, &request);
	bool ok = connect_to(fd, url, deadline, e);
	if (ok && url->tls)
		ok = exchange_sealed(url, fd, buf_span(&request), deadline, answer, e);
	else if (ok)
		ok = send_all(fd, buf_span(&request), deadline, e) && receive_all(fd, answer, deadline, e);
	buf_free(&request);
	return ok;
}

/* ---- the answer ---- */

/* Of a head's lines; SPAN_NONE when it does not tell. */
static struct span content_length(struct span head)
{
	struct span line;

	while (span_next(&head, '\n', &line)) {
		struct span value = span_skip(line, LENGTH_FIELD.n);
		if (span_eq_nocase(span_cut(line, LENGTH_FIELD.n), LENGTH_FIELD))
			return span_trim(span_cut(value, span_find(value, '\r')));
	}
	return SPAN_NONE;
}

/* RFC 9112, 4: HTTP/1.x, a space, three digits; the reason phrase may be missing. */
bool get_read_answer(struct span answer, int *status, size_t *head, struct err *e)
{
	uint64_t code, length;

	if (!span_is_set(answer) || answer.n == 0)
		return err_set(e, "the connection was closed without an answer");
	const char *end = memmem(answer.p, answer.n, HEAD_END, sizeof(HEAD_END) - 1);
	if (end == NULL || !span_starts(answer, SPAN("HTTP/1.")) || answer.p[8] != ' ')
		return err_set(e, "not an HTTP answer");
	if (!span_to_u64(span_cut(span_skip(answer, 9), 3), 599, &code) || code < 100)
		return err_set(e, "not an HTTP answer");
	*status = (int)code;
	*head = (size_t)(end - answer.p) + sizeof(HEAD_END) - 1;
	struct span told = content_length(span_cut(answer, *head));
	if (span_is_set(told) && (!span_to_u64(told, SIZE_MAX, &length) || length > answer.n - *head))
		return err_set(e, "the answer is cut off");
	return true;
}

bool get_fetch(const struct get_url *url, msec_t timeout_ms, int *status, struct buf *body, struct err *e)
{
	struct buf answer = { 0 };
	size_t head = 0;

	bool ok = exchange(url, mono_add(clock_mono(), timeout_ms), &answer, e) &&
	          get_read_answer(buf_span(&answer), status, &head, e);
	if (ok)
		buf_add(body, span_skip(buf_span(&answer), head));
	buf_free(&answer);
	return ok || err_wrap(e, "%s", url->host);
}
