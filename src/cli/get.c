#include "cli/get.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define READ_BYTES 16384
#define SCHEME SPAN("http://")
#define HEAD_END "\r\n\r\n"
#define LENGTH_FIELD SPAN("content-length:")

/* ---- what to get ---- */

bool get_url_at(struct get_url *url, struct span address, struct span path, struct err *e)
{
	char text[ADDRESS_TEXT_MAX];

	snprintf(text, sizeof(text), "%s%.*s", span_starts(address, SPAN(":")) ? "127.0.0.1" : "", SPAN_ARG(address));
	if (!address_parse(span_of(text), &url->address, e))
		return false;
	address_format(&url->address, url->host);
	url->path = path;
	url->field = NULL;
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

	if (!span_starts(text, SCHEME) || !is_clean(text))
		return err_set(e, "\"%.*s\" is not of the form http://ADDRESS:PORT/PATH", SPAN_ARG(text));
	struct span rest = span_skip(text, SCHEME.n), authority = rest;
	authority = span_cut(authority, span_find(authority, '/'));
	authority = span_cut(authority, span_find(authority, '?'));
	struct span path = span_skip(rest, authority.n);
	path = span_cut(path, span_find(path, '#'));
	if (authority.n == 0 || authority.n >= sizeof(address) - sizeof(":80"))
		return err_set(e, "\"%.*s\" names no address", SPAN_ARG(text));
	snprintf(address, sizeof(address), "%.*s%s", SPAN_ARG(authority), has_port(authority) ? "" : ":80");
	return get_url_at(url, span_of(address), path.n > 0 ? path : SPAN("/"), e);
}

bool get_url_admin(struct get_url *url, const struct cli *c, struct span path, struct err *e)
{
	const char *given = c->options.admin != NULL ? c->options.admin : "";

	return get_url_at(url, span_of(given[0] != '\0' ? given : CLI_ADMIN_ADDRESS), path, e) ||
	       err_wrap(e, "--admin");
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

static bool exchange(const struct get_url *url, mono_t deadline, struct buf *answer, struct err *e)
{
	AUTO_FD int fd = socket(url->address.any.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct buf request = { 0 };

	if (fd < 0)
		return err_sys(e, "socket");
	buf_printf(&request, "GET %s%.*s HTTP/1.0\r\nHost: %s\r\nUser-Agent: sluice/%s\r\n%s%s\r\n",
	        url->path.p[0] == '/' ? "" : "/", SPAN_ARG(url->path), url->host, SLUICE_VERSION,
	        url->field != NULL ? url->field : "", url->field != NULL ? "\r\n" : "");
	bool ok = connect_to(fd, url, deadline, e) && send_all(fd, buf_span(&request), deadline, e) &&
	          receive_all(fd, answer, deadline, e);
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
