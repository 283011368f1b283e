#include "net/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "net/address.h"

#define NEXT_AFTER_MS 250

/* A peer that has vanished without a word is noticed after two minutes. */
#define PROBE_AFTER_S 60
#define PROBE_EVERY_S 15
#define PROBES 4

struct attempt {
	struct dial *dial;
	struct watch *watch; /* NULL: not begun, or over */
	struct address to;
};

struct dial {
	struct loop *loop;
	struct resolve_query query;
	struct timer timer; /* of the next attempt */
	struct attempt attempts[RESOLVE_ADDRESSES_MAX];
	unsigned count, begun, pending;
	unsigned port;
	struct err error; /* of the first attempt that failed: it was the one most wanted */
	const struct dial_events *events;
	void *arg;
	size_t host_size;
	char host[RESOLVE_NAME_MAX + 1];
};

static struct span host_of(const struct dial *d)
{
	return (struct span){ d->host, d->host_size };
}

static void destroy(void *object)
{
	free(object);
}

void dial_cancel(struct dial **dp)
{
	struct dial *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	resolve_cancel(&d->query);
	timer_stop(loop_sched(d->loop), &d->timer);
	for (unsigned i = 0; i < d->count; i++)
		watch_close(&d->attempts[i].watch);
	loop_bury(d->loop, d, destroy);
}

static void fail(struct dial *d)
{
	const struct dial_events *events = d->events;
	void *arg = d->arg;

	dial_cancel(&(struct dial *){ d });
	events->failed(arg, d->error.text); /* the memory is there until the end of the turn */
}

/* Attempts */

static void note_failure(struct attempt *a, int sys)
{
	char text[ADDRESS_TEXT_MAX];
	struct err *e = &a->dial->error;

	if (e->text[0] != '\0')
		return;
	address_format(&a->to, text);
	errno = sys;
	err_sys(e, "connect to %s", text);
}

static void set_port(struct address *a, unsigned port)
{
	if (a->any.ss_family == AF_INET6) {
		((struct sockaddr_in6 *)(void *)&a->any)->sin6_port = htons((in_port_t)port);
		a->size = sizeof(struct sockaddr_in6);
	} else {
		((struct sockaddr_in *)(void *)&a->any)->sin_port = htons((in_port_t)port);
		a->size = sizeof(struct sockaddr_in);
	}
}

/* A connection without them works as well. */
static void set_options(int fd)
{
	const int on = 1, after = PROBE_AFTER_S, every = PROBE_EVERY_S, probes = PROBES;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof(after));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static void try_next(struct dial *d);

static void writable(void *arg, unsigned events)
{
	struct attempt *a = arg;
	struct dial *d = a->dial;
	int failed = 0;
	socklen_t size = sizeof(failed);

	(void)events;
	if (getsockopt(watch_fd(a->watch), SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0) {
		const struct dial_events *taker = d->events;
		void *taker_arg = d->arg;
		int fd = watch_release(&a->watch);
		dial_cancel(&d);
		taker->connected(taker_arg, fd);
		return;
	}
	note_failure(a, failed);
	watch_close(&a->watch);
	d->pending--;
	try_next(d);
}

/* Connected at once or not: either way the socket turns writable. */
static bool begin(struct attempt *a)
{
	AUTO_FD int fd = socket(a->to.any.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	set_options(fd);
	if (connect(fd, (const struct sockaddr *)(const void *)&a->to.any, a->to.size) != 0 && errno != EINPROGRESS)
		return false;
	a->watch = watch_open(a->dial->loop, fd, writable, a);
	if (a->watch == NULL)
		return false;
	fd_take(&fd);
	watch_set(a->watch, WATCH_WRITE);
	return true;
}

static void next_is_due(void *arg)
{
	try_next(arg);
}

/* Begins the next attempt that can be begun. */
static void try_next(struct dial *d)
{
	timer_stop(loop_sched(d->loop), &d->timer);
	while (d->begun < d->count) {
		struct attempt *a = &d->attempts[d->begun++];
		if (begin(a)) {
			d->pending++;
			if (d->begun < d->count)
				timer_set_in(loop_sched(d->loop), &d->timer, NEXT_AFTER_MS, next_is_due, d);
			return;
		}
		note_failure(a, errno);
	}
	if (d->pending == 0)
		fail(d);
}

static void resolved(void *arg, const struct resolve_answer *answer)
{
	struct dial *d = arg;

	if (answer->count == 0) {
		err_set(&d->error, "look up \"%.*s\": %s", SPAN_ARG(host_of(d)), answer->error);
		fail(d);
		return;
	}
	d->count = answer->count;
	for (unsigned i = 0; i < d->count; i++) {
		d->attempts[i].dial = d;
		d->attempts[i].to.any = answer->addresses[i];
		set_port(&d->attempts[i].to, d->port);
	}
	try_next(d);
}

struct dial *dial_start(struct loop *l, struct resolver *r, struct span host, unsigned port,
        const struct dial_events *events, void *arg)
{
	struct dial *d = NEW(struct dial);

	d->loop = l;
	d->port = port;
	d->events = events;
	d->arg = arg;
	d->host_size = host.n < sizeof(d->host) ? host.n : sizeof(d->host) - 1;
	memcpy(d->host, host.p, d->host_size);
	resolve_start(r, &d->query, host, resolved, d);
	return d;
}
