/*
 * How long one exchange takes, one at a time, in microseconds:
 *
 *	latency http PORT REQUEST-FILE COUNT             whole requests on one keep-alive connection to 127.0.0.1
 *	latency pipe LINE-FILE COUNT COMMAND [ARG...]    lines to a child's stdin; each is answered by one line
 *
 * The first line of LINE-FILE is sent once in front (initialize), the second is the one that is measured. Prints
 * "p50 p90 p99", after a tenth of the count as warm-up.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

#define FILE_MAX 1000000
#define COUNT_MAX 10000000

struct peer {
	int in, out;
	struct buf answer;
	bool (*complete)(struct span answer);
};

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "latency: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct span load(const char *path)
{
	struct err e;
	struct span s;
	char *text;

	if (!fd_read_file(path, FILE_MAX, &text, &s.n, &e)) {
		fprintf(stderr, "latency: %s\n", e.text);
		exit(1);
	}
	s.p = text;
	return s;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool line_complete(struct span answer)
{
	return answer.n > 0 && answer.p[answer.n - 1] == '\n';
}

/* A response with a Content-Length, as small JSON answers have. */
static bool response_complete(struct span answer)
{
	static const char name[] = "\r\ncontent-length:";
	const char *body = memmem(answer.p, answer.n, "\r\n\r\n", 4);
	uint64_t length;

	if (body == NULL)
		return false;
	for (const char *at = answer.p; (at = memchr(at, '\r', (size_t)(body - at))) != NULL; at++) {
		struct span rest = span_between(at, body + 2);
		if (rest.n <= sizeof(name) ||
		        !span_eq_nocase(span_cut(rest, sizeof(name) - 1), SPAN("\r\ncontent-length:")))
			continue;
		rest = span_skip(rest, sizeof(name) - 1);
		if (span_to_u64(span_trim(span_cut(rest, span_find(rest, '\r'))), FILE_MAX, &length))
			return (size_t)(span_end(answer) - (body + 4)) >= length;
	}
	errno = EPROTO;
	die("a response without a Content-Length");
}

static void exchange(struct peer *p, struct span request)
{
	if (write(p->out, request.p, request.n) != (ssize_t)request.n)
		die("write");
	do {
		ssize_t n = read(p->in, buf_reserve(&p->answer, 65536), 65536);
		if (n <= 0)
			die("read");
		buf_added(&p->answer, (size_t)n);
	} while (!p->complete(buf_span(&p->answer)));
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double percentile(const int64_t *sorted, size_t count, size_t percent)
{
	size_t at = count * percent / 100;

	return (double)sorted[at] / 1000;
}

static void measure(struct peer *p, struct span request, size_t count)
{
	int64_t *took = mem_alloc(count * sizeof(*took));

	for (size_t i = 0; i < count / 10; i++) {
		exchange(p, request);
		buf_reset(&p->answer);
	}
	for (size_t i = 0; i < count; i++) {
		int64_t start = now_ns();
		exchange(p, request);
		took[i] = now_ns() - start;
		buf_reset(&p->answer);
	}
	qsort(took, count, sizeof(*took), by_value);
	printf("%.1f %.1f %.1f\n", percentile(took, count, 50), percentile(took, count, 90),
	        percentile(took, count, 99));
	free(took);
}

static int connect_to(uint64_t port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void spawn(char **argv, struct peer *p)
{
	posix_spawn_file_actions_t actions;
	int to[2], from[2];
	pid_t pid;
	struct err e;

	if (!fd_pipe(to, &e) || !fd_pipe(from, &e))
		die("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], 0);
	posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	if ((errno = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ)) != 0)
		die(argv[0]);
	posix_spawn_file_actions_destroy(&actions);
	fd_close(&to[0]);
	fd_close(&from[1]);
	p->out = to[1];
	p->in = from[0];
}

static uint64_t number(const char *text, uint64_t most)
{
	uint64_t n;

	if (span_to_u64(span_of(text), most, &n) && n > 0)
		return n;
	errno = EINVAL;
	die(text);
}

int main(int argc, char **argv)
{
	struct peer p = { 0 };

	if (argc == 5 && strcmp(argv[1], "http") == 0) {
		p.in = p.out = connect_to(number(argv[2], 65535));
		p.complete = response_complete;
		measure(&p, load(argv[3]), number(argv[4], COUNT_MAX));
		return 0;
	}
	if (argc >= 5 && strcmp(argv[1], "pipe") == 0) {
		struct span lines = load(argv[2]);
		size_t first = span_find(lines, '\n') + 1;
		spawn(argv + 4, &p);
		p.complete = line_complete;
		exchange(&p, span_cut(lines, first));
		buf_reset(&p.answer);
		measure(&p, span_skip(lines, first), number(argv[3], COUNT_MAX));
		return 0;
	}
	fputs("usage: latency http PORT REQUEST-FILE COUNT | latency pipe LINE-FILE COUNT COMMAND...\n", stderr);
	return 64;
}
