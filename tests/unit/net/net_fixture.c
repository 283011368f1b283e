#include "unit.h"

#include "net_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "http/chunked.h"

/* The handler */

static void on_gone(void *arg)
{
	struct fixture *f = arg;

	f->live.gone++;
}

static void on_half_closed(void *arg)
{
	struct fixture *f = arg;

	f->live.half_closed++;
}

static void hold(struct fixture *f, struct http_exchange *ex, bool listen)
{
	assert_true(f->live.held_count < HELD_MAX);
	f->held[f->live.held_count++] = ex;
	if (!listen)
		return;
	exchange_on_gone(ex, on_gone, f);
	exchange_on_half_closed(ex, on_half_closed, f);
}

static void echo(struct http_exchange *ex, const struct http_request *req)
{
	const struct span parts[] = { req->head->method, SPAN(" "), req->head->path, SPAN(" "), req->body };

	exchange_reply_parts(ex, 200, &(struct http_header){ "Content-Type", SPAN("text/plain") }, 1, parts, 5);
}

static void big(struct http_exchange *ex, struct span digits)
{
	uint64_t n = 0;

	span_to_u64(digits, 64 << 20, &n);
	char *bytes = calloc(1, n + 1);
	memset(bytes, 'x', n);
	exchange_reply(ex, 200, NULL, 0, (struct span){ bytes, n });
	free(bytes);
}

static void on_request(void *arg, struct http_exchange *ex, const struct http_request *req)
{
	struct fixture *f = arg;
	struct span path = req->head->path;

	f->live.requests++;
	if (span_starts(path, SPAN("/big/")))
		big(ex, span_skip(path, 5));
	else if (span_eq(path, SPAN("/hold")))
		hold(f, ex, true);
	else if (span_eq(path, SPAN("/silent")))
		hold(f, ex, false);
	else if (span_eq(path, SPAN("/nothing")))
		exchange_reply(ex, 204, NULL, 0, SPAN(""));
	else if (span_eq(path, SPAN("/heed"))) {
		hold(f, ex, true);
		exchange_heed_fin(ex);
	} else if (span_eq(path, SPAN("/stream")) || span_eq(path, SPAN("/forever"))) {
		hold(f, ex, true);
		exchange_stream(ex, 200, NULL, 0);
		if (span_eq(path, SPAN("/forever")))
			exchange_forever(ex);
	} else {
		if (span_eq(path, SPAN("/own")))
			exchange_belongs_to(ex, 7);
		echo(ex, req);
	}
}

static int on_head(void *arg, const struct request_head *head)
{
	(void)arg;
	return span_eq(head->path, SPAN("/unwanted")) ? 404 : 0;
}

/* The loop's thread */

static void on_command(void *arg, unsigned events)
{
	struct fixture *f = arg;
	void (*call)(struct fixture * f);

	(void)events;
	if (read(f->commands[0], &call, sizeof(call)) != (ssize_t)sizeof(call))
		return;
	call(f);
	if (write(f->commands[0], "", 1) != 1)
		abort();
}

static void *run(void *arg)
{
	struct fixture *f = arg;

	loop_run(f->loop);
	return NULL;
}

void fixture_call(struct fixture *f, void (*call)(struct fixture *f))
{
	char done;

	assert_int_equal(write(f->commands[1], &call, sizeof(call)), sizeof(call));
	assert_int_equal(read(f->commands[1], &done, 1), 1);
}

void fixture_look(struct fixture *f)
{
	f->seen = f->live;
	if (f->server != NULL)
		http_server_stats(f->server, &f->stats);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

void fixture_await(struct fixture *f, const unsigned *counter, unsigned wanted)
{
	const mono_t until = mono_add(clock_mono(), PATIENCE_MS);

	for (; mono_diff(until, clock_mono()) > 0; nap()) {
		fixture_call(f, fixture_look);
		if (*counter == wanted)
			return;
	}
	fail_msg("waited for %u, have %u", wanted, *counter);
}

void fixture_await_connections(struct fixture *f, size_t wanted)
{
	const mono_t until = mono_add(clock_mono(), PATIENCE_MS);

	for (; mono_diff(until, clock_mono()) > 0; nap()) {
		fixture_call(f, fixture_look);
		if (f->stats.connections == wanted)
			return;
	}
	fail_msg("waited for %zu connections, have %zu", wanted, f->stats.connections);
}

void fixture_init(struct fixture *f)
{
	*f = (struct fixture){ .conf = {
		                       .max_header_bytes = 4096,
		                       .max_body_bytes = 1 << 20,
		                       .header_timeout_ms = 5000,
		                       .body_timeout_ms = 5000,
		                       .idle_timeout_ms = 5000,
		                       .write_timeout_ms = 5000,
		                       .max_connections = 100,
		                       .max_buffered_bytes = 64 << 20,
		               } };
}

void fixture_start(struct fixture *f)
{
	const struct http_handler handler = { .request = on_request, .head = on_head, .arg = f };
	const struct logger silent = { .log = NULL, .module = "http" };
	struct err e;

	f->loop = loop_new(&e);
	f->server = http_server_listen(f->loop, SPAN("127.0.0.1:0"), &f->conf, &handler, &silent, &e);
	if (f->server == NULL)
		fail_msg("%s", e.text);
	f->port = (unsigned short)atoi(strrchr(http_server_address(f->server), ':') + 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->commands), 0);
	f->command_watch = watch_open(f->loop, f->commands[0], on_command, f);
	watch_set(f->command_watch, WATCH_READ);
	assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
}

static void stop(struct fixture *f)
{
	http_server_free(&f->server);
	loop_stop(f->loop);
}

void fixture_stop(struct fixture *f)
{
	fixture_call(f, stop);
	pthread_join(f->thread, NULL);
	watch_close(&f->command_watch);
	close(f->commands[1]);
	loop_free(&f->loop);
}

/* The client */

int client_open(const struct fixture *f)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	const struct timeval patience = { .tv_sec = 3 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)(void *)&to, sizeof(to)), 0);
	return fd;
}

void client_send_span(int fd, struct span text)
{
	while (text.n > 0) {
		ssize_t n = send(fd, text.p, text.n, MSG_NOSIGNAL);
		if (n <= 0)
			fail_msg("send: %s", strerror(errno));
		text = span_skip(text, (size_t)n);
	}
}

void client_send(int fd, const char *text)
{
	client_send_span(fd, span_of(text));
}

static bool read_more(int fd, struct buf *in)
{
	ssize_t n = recv(fd, buf_reserve(in, 65536), 65536, 0);

	if (n < 0)
		fail_msg("recv: %s", strerror(errno));
	buf_added(in, (size_t)n);
	return n > 0;
}

static struct span field(const struct answer *a, struct span name)
{
	struct span rest = buf_span(&a->head), line;

	while (span_next(&rest, '\n', &line)) {
		size_t colon = span_find(line, ':');
		if (span_eq_nocase(span_cut(line, colon), name))
			return span_trim(span_cut(span_skip(line, colon + 1), line.n - colon - 2));
	}
	return SPAN_NONE;
}

/* "HTTP/1.1 200 OK" */
static int status_of(struct span head)
{
	uint64_t status = 0;

	span_to_u64(span_cut(span_skip(head, strlen("HTTP/1.1 ")), 3), 999, &status);
	return (int)status;
}

static void read_head(int fd, struct buf *in, struct answer *a)
{
	char *end;

	for (;;) {
		end = memmem(buf_span(in).p, buf_size(in), "\r\n\r\n", 4);
		if (end != NULL)
			break;
		if (!read_more(fd, in))
			return;
	}
	struct span head = span_between(buf_span(in).p, end + 4);
	buf_add(&a->head, head);
	a->status = status_of(head);
	buf_take(in, head.n);
	a->closing = span_eq(field(a, SPAN("Connection")), SPAN("close"));
}

static void read_chunked(int fd, struct buf *in, struct answer *a)
{
	struct chunked c = { 0 };

	for (;;) {
		struct span rest = buf_span(in), data;
		enum chunked_verdict verdict;
		while ((verdict = chunked_next(&c, &rest, &data)) == CHUNKED_DATA)
			buf_add(&a->body, data);
		assert_int_not_equal(verdict, CHUNKED_BAD);
		buf_take(in, buf_size(in) - rest.n);
		a->whole = verdict == CHUNKED_DONE;
		if (a->whole || !read_more(fd, in))
			return;
	}
}

void client_read(int fd, struct buf *in, struct answer *a)
{
	uint64_t length = 0;

	*a = (struct answer){ 0 };
	read_head(fd, in, a);
	if (a->status == 0)
		return;
	if (span_is_set(field(a, SPAN("Transfer-Encoding")))) {
		read_chunked(fd, in, a);
		return;
	}
	span_to_u64(field(a, SPAN("Content-Length")), UINT64_MAX, &length);
	while (buf_size(in) < length && read_more(fd, in))
		;
	a->whole = buf_size(in) >= length;
	if (!a->whole)
		length = buf_size(in);
	buf_add(&a->body, span_cut(buf_span(in), length));
	buf_take(in, length);
}

void answer_clear(struct answer *a)
{
	buf_free(&a->head);
	buf_free(&a->body);
}

bool client_expect(int fd, int status, const char *body)
{
	struct buf in = { 0 };
	struct answer a;

	client_read(fd, &in, &a);
	if (a.status != status)
		fail_msg("got %d, wanted %d: %.*s", a.status, status, SPAN_ARG(buf_span(&a.head)));
	if (body != NULL)
		assert_span_is(buf_span(&a.body), span_of(body));
	assert_true(a.whole);
	assert_int_equal(buf_size(&in), 0);
	bool closing = a.closing;
	answer_clear(&a);
	buf_free(&in);
	return closing;
}

void client_expect_end(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	if (n != 0)
		fail_msg("wanted the end, got %zd: %s", n, n < 0 ? strerror(errno) : "a byte");
	close(fd);
}
