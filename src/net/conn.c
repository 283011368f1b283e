#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "net/conn_private.h"

#define PARTS_AT_ONCE 16
#define LINGER_MS 1000
#define LINGER_BYTES ((size_t)1 << 20)
#define DISCARD_BYTES 16384
#define LOOKS_PER_TIMEOUT 4

/* The life of a connection */

enum action {
	NOTHING = 0,
	TELL_SENT = 1,
	LINGER = 2, /* drop what is queued, shut our half down, read until the end */
	TELL_LOST = 4,
	CLOSE_FD = 8,
	TELL_CLOSED = 16,
};

struct step {
	enum { FORGOTTEN, NEVER, GO } kind;
	enum conn_state next;
	unsigned actions;
};

/* clang-format off */
static const struct step life[CONN_STATE_COUNT][CONN_EVENTS] = {
	[CONN_OPEN] = {
		[CONN_EV_FINISH]  = { GO, CONN_FINISHING, NOTHING },
		[CONN_EV_SENT]    = { GO, CONN_OPEN,      TELL_SENT },
		[CONN_EV_TIMEOUT] = { GO, CONN_LINGERING, LINGER | TELL_LOST },
		[CONN_EV_REFUSED] = { GO, CONN_FINISHING, TELL_LOST },
		[CONN_EV_ENDED]   = { NEVER, CONN_OPEN,   NOTHING }, /* the owner reads, and decides */
		[CONN_EV_BROKEN]  = { GO, CONN_CLOSED,    TELL_LOST | CLOSE_FD | TELL_CLOSED },
		[CONN_EV_CLOSE]   = { GO, CONN_CLOSED,    CLOSE_FD },
	},
	[CONN_FINISHING] = {
		[CONN_EV_FINISH]  = { GO, CONN_FINISHING, NOTHING },
		[CONN_EV_SENT]    = { GO, CONN_LINGERING, LINGER },
		[CONN_EV_TIMEOUT] = { GO, CONN_LINGERING, LINGER },
		[CONN_EV_REFUSED] = { GO, CONN_FINISHING, NOTHING },
		[CONN_EV_ENDED]   = { GO, CONN_CLOSED,    CLOSE_FD | TELL_CLOSED },
		[CONN_EV_BROKEN]  = { GO, CONN_CLOSED,    CLOSE_FD | TELL_CLOSED },
		[CONN_EV_CLOSE]   = { GO, CONN_CLOSED,    CLOSE_FD },
	},
	[CONN_LINGERING] = {
		[CONN_EV_FINISH]  = { GO, CONN_LINGERING, NOTHING },
		[CONN_EV_SENT]    = { NEVER, CONN_LINGERING, NOTHING },
		[CONN_EV_TIMEOUT] = { GO, CONN_CLOSED,    CLOSE_FD | TELL_CLOSED },
		[CONN_EV_REFUSED] = { NEVER, CONN_LINGERING, NOTHING },
		[CONN_EV_ENDED]   = { GO, CONN_CLOSED,    CLOSE_FD | TELL_CLOSED },
		[CONN_EV_BROKEN]  = { GO, CONN_CLOSED,    CLOSE_FD | TELL_CLOSED },
		[CONN_EV_CLOSE]   = { GO, CONN_CLOSED,    CLOSE_FD },
	},
	[CONN_CLOSED] = {
		[CONN_EV_FINISH]  = { GO, CONN_CLOSED,    NOTHING },
		[CONN_EV_SENT]    = { NEVER, CONN_CLOSED, NOTHING },
		[CONN_EV_TIMEOUT] = { NEVER, CONN_CLOSED, NOTHING },
		[CONN_EV_REFUSED] = { NEVER, CONN_CLOSED, NOTHING },
		[CONN_EV_ENDED]   = { NEVER, CONN_CLOSED, NOTHING },
		[CONN_EV_BROKEN]  = { NEVER, CONN_CLOSED, NOTHING },
		[CONN_EV_CLOSE]   = { GO, CONN_CLOSED,    NOTHING },
	},
};
/* clang-format on */

#define X(name) [CONN_##name] = #name,
static const char *const state_names[] = { CONN_STATES(X) };
#undef X

const char *conn_state_name(enum conn_state state)
{
	return state_names[state];
}

bool conn_life_is_complete(void)
{
	for (int state = 0; state < CONN_STATE_COUNT; state++)
		for (int event = 0; event < CONN_EVENTS; event++)
			if (life[state][event].kind == FORGOTTEN)
				return false;
	return true;
}

static void drop_queue(struct conn *c)
{
	*c->waiting -= conn_queued(c);
	buf_free(&c->out);
	if (c->tls != NULL)
		conn_tls_drop(c);
	post_cancel(&c->flush);
	c->blocked = false;
	c->owes = false;
}

static void close_fd(struct conn *c)
{
	drop_queue(c);
	timer_stop(loop_sched(c->loop), &c->timer);
	conn_tls_free(c);
	watch_close(&c->watch);
	c->fd = -1;
}

static void lingered(void *arg);

static void linger(struct conn *c)
{
	drop_queue(c);
	conn_tls_stop(c);
	shutdown(c->fd, SHUT_WR);
	conn_watch(c, WATCH_READ);
	timer_set_in(loop_sched(c->loop), &c->timer, LINGER_MS, lingered, c);
}

/* The one place where the state changes. */
void conn_happens(struct conn *c, enum conn_event event)
{
	const struct step *step = &life[c->state][event];

	assert(step->kind == GO);
	c->state = (unsigned char)step->next;
	if (step->actions & TELL_SENT)
		c->events->sent(c->arg);
	if (step->actions & LINGER)
		linger(c);
	if (step->actions & TELL_LOST)
		c->events->lost(c->arg);
	if (step->actions & CLOSE_FD)
		close_fd(c);
	if (step->actions & TELL_CLOSED)
		c->events->closed(c->arg);
}

static void lingered(void *arg)
{
	conn_happens(arg, CONN_EV_TIMEOUT);
}

/* What the kernel has taken from us and the other side not yet from it. */
static int unacknowledged(const struct conn *c)
{
	int n = 0;

	return ioctl(c->fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

static void look_at_reader(void *arg);

static void look_later(struct conn *c)
{
	timer_set_in(loop_sched(c->loop), &c->timer, c->write_timeout_ms / LOOKS_PER_TIMEOUT, look_at_reader, c);
}

static void wait_for_reader(struct conn *c)
{
	c->unacknowledged = unacknowledged(c);
	c->looks = 0;
	look_later(c);
}

/* The socket turns writable when a third of its buffer is free, and a slow reader may need long for that: so what
 * counts is whether it took a byte. */
static void look_at_reader(void *arg)
{
	struct conn *c = arg;

	if (unacknowledged(c) < c->unacknowledged)
		wait_for_reader(c);
	else if (++c->looks < LOOKS_PER_TIMEOUT)
		look_later(c);
	else
		conn_happens(c, CONN_EV_TIMEOUT);
}

/* Watching */

/* While the last bytes wait for a slow reader, what it still sends is of no interest. */
void conn_watch_again(struct conn *c)
{
	if (c->state == CONN_FINISHING)
		c->interest = WATCH_RESET;
	unsigned events = conn_is_securing(c) ? WATCH_READ : c->interest;
	watch_set(c->watch, events | (c->blocked ? WATCH_WRITE : 0));
	if (c->tls != NULL)
		conn_tls_look_again(c);
}

void conn_watch(struct conn *c, unsigned events)
{
	c->interest = events;
	conn_watch_again(c);
}

static void set_blocked(struct conn *c, bool blocked)
{
	c->blocked = blocked;
	conn_watch_again(c);
	if (blocked)
		wait_for_reader(c);
	else
		timer_stop(loop_sched(c->loop), &c->timer);
}

/* Writing */

/* The bytes taken; 0 when the kernel takes none for now, -1 when it never will again. */
static ssize_t write_parts(struct conn *c, struct iovec *parts, size_t n)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = n };
	ssize_t taken;

	do
		taken = sendmsg(c->fd, &message, MSG_NOSIGNAL);
	while (taken < 0 && errno == EINTR);
	return taken < 0 && errno == EAGAIN ? 0 : taken;
}

/* What is to be written next: plain as it was queued, or sealed. NULL: that cannot be done. */
static struct buf *next_to_write(struct conn *c)
{
	return c->tls == NULL ? &c->out : conn_tls_seal(c);
}

static enum conn_io write_next(struct conn *c, struct buf *next)
{
	size_t size = buf_size(next);
	struct iovec whole = { (void *)(uintptr_t)buf_span(next).p, size };
	ssize_t taken = write_parts(c, &whole, 1);

	if (taken < 0)
		return CONN_FAILED;
	*c->waiting -= (size_t)taken;
	buf_take(next, (size_t)taken);
	if ((size_t)taken == size)
		return CONN_OK;
	if (taken > 0 || !c->blocked)
		set_blocked(c, true);
	return CONN_BLOCKED;
}

/* CONN_OK: all of it was written, but for what waits for a handshake. */
enum conn_io conn_write_queued(struct conn *c)
{
	struct buf *next;

	while ((next = next_to_write(c)) != NULL && buf_size(next) > 0) {
		enum conn_io io = write_next(c, next);
		if (io != CONN_OK)
			return io;
	}
	if (next == NULL)
		return CONN_FAILED;
	if (c->blocked)
		set_blocked(c, false);
	return CONN_OK;
}

/* A side that is at its end as well needs no waiting for; close_notify alone is not that. */
static bool is_over(const struct conn *c)
{
	return c->state == CONN_FINISHING && c->ended && (c->tls == NULL || conn_tls_is_at_end(c));
}

static void flush(void *arg)
{
	struct conn *c = arg;

	switch (conn_write_queued(c)) {
	case CONN_FAILED:
		conn_happens(c, CONN_EV_BROKEN);
		return;
	case CONN_BLOCKED:
	case CONN_END:
		return;
	case CONN_OK:
		break;
	}
	if (conn_is_securing(c) || (c->state == CONN_OPEN && !c->owes))
		return;
	c->owes = false;
	conn_happens(c, is_over(c) ? CONN_EV_ENDED : CONN_EV_SENT);
}

void conn_flush_later(struct conn *c)
{
	if (!c->blocked)
		post_set(loop_sched(c->loop), &c->flush, flush, c);
}

static void add_to_queue(struct conn *c, const struct span *parts, size_t n, size_t skip)
{
	c->owes = true;
	for (size_t i = 0; i < n; i++) {
		struct span part = span_skip(parts[i], skip);
		skip -= parts[i].n - part.n;
		*c->waiting += part.n;
		buf_add(&c->out, part);
	}
}

void conn_queue(struct conn *c, const struct span *parts, size_t n)
{
	assert(c->state == CONN_OPEN);
	add_to_queue(c, parts, n, 0);
	conn_flush_later(c);
}

/* A failed write is not told from here: the flush will meet the same failure. */
static void send_sealed(struct conn *c, const struct span *parts, size_t n)
{
	add_to_queue(c, parts, n, 0);
	enum conn_io io = conn_write_queued(c);
	c->owes = io != CONN_OK;
	if (io == CONN_FAILED)
		conn_flush_later(c);
}

static void send_plain(struct conn *c, const struct span *parts, size_t n)
{
	struct iovec io[PARTS_AT_ONCE];
	size_t size = 0;

	for (size_t i = 0; i < n; i++) {
		io[i] = (struct iovec){ (void *)(uintptr_t)parts[i].p, parts[i].n };
		size += parts[i].n;
	}
	ssize_t taken = write_parts(c, io, n);
	if (taken >= 0 && (size_t)taken == size)
		return;
	add_to_queue(c, parts, n, taken > 0 ? (size_t)taken : 0);
	if (taken >= 0)
		set_blocked(c, true);
	else
		conn_flush_later(c);
}

void conn_send(struct conn *c, const struct span *parts, size_t n)
{
	if (n > PARTS_AT_ONCE || conn_queued(c) > 0 || conn_is_securing(c)) {
		conn_queue(c, parts, n);
		return;
	}
	assert(c->state == CONN_OPEN);
	if (c->tls != NULL)
		send_sealed(c, parts, n);
	else
		send_plain(c, parts, n);
}

/* Reading */

static enum conn_io read_plain(struct conn *c, char *to, size_t room, size_t *n)
{
	ssize_t got;

	do
		got = recv(c->fd, to, room, 0);
	while (got < 0 && errno == EINTR);
	*n = got > 0 ? (size_t)got : 0;
	if (got > 0)
		return CONN_OK;
	c->ended |= got == 0;
	if (got == 0)
		return CONN_END;
	return errno == EAGAIN ? CONN_BLOCKED : CONN_FAILED;
}

enum conn_io conn_read(struct conn *c, char *to, size_t room, size_t *n)
{
	return c->tls != NULL ? conn_tls_read(c, to, room, n) : read_plain(c, to, room, n);
}

/* Sealed or not: nobody looks at it. */
static void discard(struct conn *c)
{
	char thrown_away[DISCARD_BYTES];
	size_t n;

	switch (read_plain(c, thrown_away, sizeof(thrown_away), &n)) {
	case CONN_BLOCKED:
		return;
	case CONN_END:
		conn_happens(c, CONN_EV_ENDED);
		return;
	case CONN_FAILED:
		conn_happens(c, CONN_EV_BROKEN);
		return;
	case CONN_OK:
		break;
	}
	c->discarded += n;
	if (c->discarded > LINGER_BYTES)
		conn_happens(c, CONN_EV_ENDED);
}

/* Not before it is secured is anything for the owner. */
static void handshake_ready(struct conn *c, unsigned events)
{
	if (events & WATCH_WRITE)
		flush(c);
	if (events & WATCH_READ && conn_is_securing(c))
		conn_tls_step(c);
}

static void conn_ready(void *arg, unsigned events)
{
	struct conn *c = arg;

	if (c->state == CONN_LINGERING) {
		discard(c);
		return;
	}
	if (conn_is_securing(c)) {
		handshake_ready(c, events);
		return;
	}
	if (events & WATCH_RESET) {
		conn_happens(c, CONN_EV_BROKEN);
		return;
	}
	if (events & WATCH_WRITE)
		flush(c);
	if (c->state != CONN_OPEN)
		return;
	if (events & c->interest & WATCH_READ)
		c->events->readable(c->arg);
	else if (events & c->interest & WATCH_HANGUP)
		c->events->hung_up(c->arg);
	if (c->tls != NULL)
		conn_tls_look_again(c);
}

/* Beginning and end */

bool conn_open(struct conn *c, struct loop *l, int fd, const struct conn_events *events, void *arg,
        msec_t write_timeout_ms, size_t *waiting)
{
	*c = (struct conn){ .loop = l,
		.fd = fd,
		.state = CONN_OPEN,
		.write_timeout_ms = write_timeout_ms,
		.waiting = waiting,
		.events = events,
		.arg = arg };
	c->watch = watch_open(l, fd, conn_ready, c);
	return c->watch != NULL;
}

void conn_finish(struct conn *c)
{
	conn_happens(c, CONN_EV_FINISH);
	if (c->state != CONN_FINISHING)
		return;
	if (c->blocked)
		conn_watch_again(c);
	else
		conn_flush_later(c);
}

void conn_close(struct conn *c)
{
	conn_happens(c, CONN_EV_CLOSE);
}
