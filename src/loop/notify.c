#include "loop/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/mem.h"

#define MESSAGE_MAX 1024
#define RETRY_MS 100

struct message {
	struct list node;
	size_t n;
	char text[];
};

struct notify {
	struct loop *loop;
	struct logger log;
	int fd;
	struct sockaddr_un to;
	socklen_t to_size;
	struct list waiting;
	unsigned waiting_count;
	bool complained;
	msec_t watchdog_ms; /* between two signs of life */
	struct timer retry, watchdog;
};

static bool set_address(struct notify *n, struct span to)
{
	if ((to.p[0] != '/' && to.p[0] != '@') || to.n < 2 || to.n >= sizeof(n->to.sun_path))
		return false;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, to.p, to.n); /* the rest is zeroes */
	n->to_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + to.n + (to.p[0] == '/'));
	if (to.p[0] == '@')
		n->to.sun_path[0] = '\0';
	return true;
}

struct notify *notify_open(struct loop *l, const char *to, const struct logger *lg)
{
	if (to == NULL || to[0] == '\0')
		return NULL;
	struct notify *n = NEW(struct notify);
	n->loop = l;
	n->log = *lg;
	list_init(&n->waiting);
	n->fd = set_address(n, span_of(to)) ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	if (n->fd >= 0)
		return n;
	log_warn(lg, "notify_off", "the service manager cannot be told how this is", F_STR("notify_socket", to));
	free(n);
	return NULL;
}

static void drop_first(struct notify *n)
{
	struct message *m = list_entry(list_first(&n->waiting), struct message, node);

	list_unlink(&m->node);
	n->waiting_count--;
	free(m);
}

void notify_close(struct notify **np)
{
	struct notify *n = *np;

	if (n == NULL)
		return;
	*np = NULL;
	timer_stop(loop_sched(n->loop), &n->retry);
	timer_stop(loop_sched(n->loop), &n->watchdog);
	while (!list_is_empty(&n->waiting))
		drop_first(n);
	fd_close(&n->fd);
	free(n);
}

/* False: the manager has no room now. Any other failure is one for good, and told once. */
static bool put(struct notify *n, const char *text, size_t size)
{
	const struct sockaddr *to = (const struct sockaddr *)(const void *)&n->to;

	if (sendto(n->fd, text, size, MSG_DONTWAIT | MSG_NOSIGNAL, to, n->to_size) >= 0)
		return true;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		return false;
	if (!n->complained)
		log_warn(&n->log, "notify_failed", "the service manager does not take what it is told",
		        F_STR("why", strerror(errno)));
	n->complained = true;
	return true;
}

static void retry(void *arg)
{
	struct notify *n = arg;

	while (!list_is_empty(&n->waiting)) {
		const struct message *m = list_entry(list_first(&n->waiting), struct message, node);
		if (!put(n, m->text, m->n)) {
			timer_set_in(loop_sched(n->loop), &n->retry, RETRY_MS, retry, n);
			return;
		}
		drop_first(n);
	}
}

static void keep(struct notify *n, const char *text, size_t size)
{
	struct message *m = mem_alloc(sizeof(*m) + size);

	if (n->waiting_count == NOTIFY_WAITING_MAX)
		drop_first(n);
	*m = (struct message){ .n = size };
	memcpy(m->text, text, size);
	list_append(&n->waiting, &m->node);
	n->waiting_count++;
	if (!timer_is_set(&n->retry))
		timer_set_in(loop_sched(n->loop), &n->retry, RETRY_MS, retry, n);
}

void notify_send(struct notify *n, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	if (n == NULL)
		return;
	va_start(args, format);
	int length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length <= 0)
		return;
	size_t size = (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;
	if (!list_is_empty(&n->waiting) || !put(n, text, size))
		keep(n, text, size);
}

/* A sign of life that finds no room is not kept: the next one says the same. */
static void sign_of_life(void *arg)
{
	struct notify *n = arg;
	const struct span text = SPAN("WATCHDOG=1");

	(void)put(n, text.p, text.n);
	timer_set_in(loop_sched(n->loop), &n->watchdog, n->watchdog_ms, sign_of_life, n);
}

void notify_watchdog(struct notify *n, msec_t limit_ms)
{
	if (n == NULL)
		return;
	timer_stop(loop_sched(n->loop), &n->watchdog);
	if (limit_ms <= 0)
		return;
	n->watchdog_ms = limit_ms > 1 ? limit_ms / 2 : 1;
	sign_of_life(n);
}
