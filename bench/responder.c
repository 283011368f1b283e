/*
 * responder BODY-FILE: an HTTP/1.1 server on a port of 127.0.0.1 that it picks and prints. To each request it answers
 * 200 with the file's bytes. It is what nginx proxies to when `bench/run` compares: as cheap as a server can be, and
 * only as correct as nginx needs it (requests have a Content-Length or no body).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

#define EVENTS 256
#define READ_SIZE 16384
#define BODY_MAX 10000000

struct client {
	int fd;
	struct buf in, out;
};

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int listen_somewhere(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, 1024) < 0 ||
	        getsockname(fd, (struct sockaddr *)&at, &size) < 0)
		return -1;
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

/* The length of a request whose head ends before `body`; 0 while its body is not there yet. */
static size_t request_size(struct span in, const char *body)
{
	static const char name[] = "content-length:";
	uint64_t length = 0;
	struct span rest = span_between(in.p, body), line;

	while (span_next(&rest, '\n', &line))
		if (line.n > sizeof(name) && span_eq_nocase(span_cut(line, sizeof(name) - 1), SPAN("content-length:")))
			span_to_u64(span_trim(span_cut(span_skip(line, sizeof(name) - 1), line.n - sizeof(name))),
			        BODY_MAX, &length);
	size_t whole = (size_t)(body - in.p) + length;
	return whole <= in.n ? whole : 0;
}

static void answer_all(struct client *c, struct span answer)
{
	for (;;) {
		struct span in = buf_span(&c->in);
		const char *end = memmem(in.p, in.n, "\r\n\r\n", 4);
		size_t n = end != NULL ? request_size(in, end + 4) : 0;
		if (n == 0)
			return;
		buf_add(&c->out, answer);
		buf_take(&c->in, n);
	}
}

/* False when the client is gone. Answers are small and clients read them, so a full socket is not expected. */
static bool serve(struct client *c, struct span answer)
{
	ssize_t n = read(c->fd, buf_reserve(&c->in, READ_SIZE), READ_SIZE);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	buf_added(&c->in, (size_t)n);
	answer_all(c, answer);
	if (buf_size(&c->out) == 0)
		return true;
	struct span out = buf_span(&c->out);
	bool sent = write(c->fd, out.p, out.n) == (ssize_t)out.n;
	buf_reset(&c->out);
	return sent;
}

static void admit(int epoll, int listener)
{
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct client *c = NEW(struct client);
	c->fd = fd;
	struct epoll_event want = { .events = EPOLLIN, .data.ptr = c };
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want);
}

static void dismiss(struct client *c)
{
	fd_close(&c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

static void run(int epoll, int listener, struct span answer)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;
			if (c == NULL)
				admit(epoll, listener);
			else if (!serve(c, answer))
				dismiss(c);
		}
	}
}

int main(int argc, char **argv)
{
	struct buf answer = { 0 };
	struct err e;
	char *body;
	size_t n;

	if (argc != 2) {
		fputs("usage: responder BODY-FILE\n", stderr);
		return 64;
	}
	if (!fd_read_file(argv[1], BODY_MAX, &body, &n, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	buf_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", n);
	buf_add(&answer, (struct span){ body, n });
	int listener = listen_somewhere(), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event want = { .events = EPOLLIN, .data.ptr = NULL };
	if (listener < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &want) < 0)
		return fail("responder");
	run(epoll, listener, buf_span(&answer));
}
