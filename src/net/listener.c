#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define BACKLOG 4096
#define ACCEPTS_PER_TURN 64
#define ACCEPTS_PER_DRAIN (4 * BACKLOG) /* so that a flood cannot keep us from closing */
#define PAUSE_MS 100
#define COMPLAINT_MS 1000

struct listener {
	struct loop *loop;
	struct watch *watch;
	int reserve; /* a descriptor to give up when there is no other */
	const struct listener_events *events;
	void *arg;
	struct logger log;
	struct timer pause;
	mono_t next_complaint;
	struct address address;
	bool shared; /* others have the socket, too, and it outlives us */
};

enum accepting { GO_ON, NOTHING_LEFT };

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void complain(struct listener *l, const char *msg)
{
	mono_t now = loop_now(l->loop);

	if (!mono_past(l->next_complaint, now))
		return;
	l->next_complaint = mono_add(now, COMPLAINT_MS);
	log_error(&l->log, "accept_failed", msg);
}

static void resume(void *arg)
{
	struct listener *l = arg;

	watch_set(l->watch, WATCH_READ);
}

/* What stands in the backlog keeps the socket readable, so after a failure that time must heal we look away. */
static enum accepting pause_accepting(struct listener *l, const char *msg)
{
	complain(l, msg);
	watch_set(l->watch, 0);
	timer_set_in(loop_sched(l->loop), &l->pause, PAUSE_MS, resume, l);
	return NOTHING_LEFT;
}

static int accept_fd(struct listener *l, struct address *peer)
{
	peer->size = sizeof(peer->any);
	return accept4(
	        watch_fd(l->watch), (struct sockaddr *)(void *)&peer->any, &peer->size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static enum accepting accept_starved(struct listener *l)
{
	struct address peer;

	if (l->reserve < 0)
		l->reserve = open_reserve();
	if (l->reserve < 0)
		return pause_accepting(l, "no descriptor is left, connections have to wait");
	fd_close(&l->reserve);
	int fd = accept_fd(l, &peer);
	if (fd >= 0) {
		complain(l, "no descriptor is left, connections are refused");
		l->events->starved(l->arg, fd);
	}
	l->reserve = open_reserve();
	return fd >= 0 ? GO_ON : NOTHING_LEFT;
}

static enum accepting accept_one(struct listener *l)
{
	struct address peer;
	int fd = accept_fd(l, &peer);

	if (fd >= 0) {
		l->events->accepted(l->arg, fd, &peer);
		return GO_ON;
	}
	switch (errno) {
	case EAGAIN:
		return NOTHING_LEFT;
	case EMFILE:
	case ENFILE:
		return accept_starved(l);
	case ENOBUFS:
	case ENOMEM:
		return pause_accepting(l, "no memory for sockets, connections have to wait");
	default:
		return GO_ON; /* what accept(2) tells of the one connection that is gone already */
	}
}

static void accept_some(struct listener *l, int most)
{
	while (most-- > 0 && accept_one(l) == GO_ON)
		;
}

static void listener_ready(void *arg, unsigned events)
{
	(void)events;
	accept_some(arg, ACCEPTS_PER_TURN);
}

/* TCP_NODELAY is inherited by what is accepted, which saves a call per connection. */
static bool set_options(int fd, const struct address *a, struct err *e)
{
	const int on = 1, off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		return err_sys(e, "socket options");
	if (a->any.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0)
		return err_sys(e, "socket options");
	return true;
}

/* ":8080" means IPv6 and IPv4 by one socket; a kernel without IPv6 gets its IPv4 half. */
static int open_socket(struct span text, struct address *a, struct err *e)
{
	if (!address_parse(text, a, e))
		return -1;
	int fd = socket(a->any.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && span_starts(text, SPAN(":"))) {
		char v4[ADDRESS_TEXT_MAX];
		int n = snprintf(v4, sizeof(v4), "0.0.0.0%.*s", SPAN_ARG(span_cut(text, 6)));
		address_parse((struct span){ v4, (size_t)n }, a, e);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	if (fd < 0)
		err_sys(e, "socket");
	return fd;
}

static int bind_socket(struct span text, struct address *a, struct err *e)
{
	AUTO_FD int fd = open_socket(text, a, e);

	if (fd < 0 || !set_options(fd, a, e))
		return -1;
	if (bind(fd, (const struct sockaddr *)(const void *)&a->any, a->size) != 0 || listen(fd, BACKLOG) != 0) {
		err_sys(e, "listen on %.*s", SPAN_ARG(text));
		return -1;
	}
	return fd_take(&fd);
}

static struct listener *make(struct loop *loop, int listening, const struct listener_events *events, void *arg,
        const struct logger *lg, struct err *e)
{
	AUTO_FD int fd = listening;
	struct address bound = { .size = sizeof(bound.any) };

	if (fd < 0)
		return NULL;
	if (getsockname(fd, (struct sockaddr *)(void *)&bound.any, &bound.size) != 0) {
		err_sys(e, "getsockname");
		return NULL;
	}
	struct listener *l = NEW(struct listener);
	l->watch = watch_open(loop, fd, listener_ready, l);
	if (l->watch == NULL) {
		err_sys(e, "watch the listening socket");
		free(l);
		return NULL;
	}
	fd_take(&fd);
	l->loop = loop;
	l->reserve = open_reserve();
	l->events = events;
	l->arg = arg;
	l->log = *lg;
	l->address = bound;
	watch_set(l->watch, WATCH_READ);
	return l;
}

struct listener *listener_open(struct loop *loop, struct span address, const struct listener_events *events, void *arg,
        const struct logger *lg, struct err *e)
{
	struct address wanted;

	return make(loop, bind_socket(address, &wanted, e), events, arg, lg, e);
}

/* The time of a packet matters more than its size, here as there; if it cannot be said, it works without. */
struct listener *listener_adopt(struct loop *loop, int fd, const struct listener_events *events, void *arg,
        const struct logger *lg, struct err *e)
{
	const int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	struct listener *l = make(loop, fd, events, arg, lg, e);
	if (l != NULL)
		l->shared = true;
	return l;
}

bool listener_is_shared(const struct listener *l)
{
	return l->shared;
}

const struct address *listener_address(const struct listener *l)
{
	return &l->address;
}

/* A filter on a listening socket sees segments from their TCP header on; byte 13 has the flags (RFC 9293, 3.1). */
void listener_refuse_new(struct listener *l)
{
	enum { FLAGS_AT = 13, SYN = 0x02, ACK = 0x10 };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	if (l->shared) {
		timer_stop(loop_sched(l->loop), &l->pause);
		watch_set(l->watch, 0);
		return;
	}
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	(void)setsockopt(watch_fd(l->watch), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void listener_drain(struct listener *l)
{
	if (!l->shared)
		accept_some(l, ACCEPTS_PER_DRAIN);
}

void listener_close(struct listener **lp)
{
	struct listener *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	timer_stop(loop_sched(l->loop), &l->pause);
	watch_close(&l->watch);
	fd_close(&l->reserve);
	free(l);
}
