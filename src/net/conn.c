#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PARTS_AT_ONCE 16
#define LINGER_MS 1000
#define LINGER_BYTES ((size_t)1 << 20)
#define DISCARD_BYTES 16384
#define LOOKS_PER_TIMEOUT 4

/* The life of a connection */

enum event {
	FINISH,  /* asked for */
	SENT,    /* nothing is queued any more */
	TIMEOUT, /* no byte taken in time, or lingered long enough */
	ENDED,   /* the other side has closed too: nothing is left to do */
	BROKEN,  /* reset, or a write failed */
	CLOSE,   /* asked for */
	EVENTS
};

enum action {
	NOTHING = 0,
	TELL_SENT = 1,
	TELL_LOST = 2,
	LINGER = 4, /* drop what is queued, shut our half down, read until the end */
	CLOSE_FD = 8,
	TELL_CLOSED = 16,
};

struct step {
	enum { FORGOTTEN, NEVER, GO } kind;
	enum conn_state next;
	unsigned actions;
};

/* clang-format off */
static const struct step life[CONN_STATE_COUNT][EVENTS] = {
	[CONN_OPEN] = {
		[FINISH]  = { GO, CONN_FINISHING, NOTHING },
		[SENT]    = { GO, CONN_OPEN,      TELL_SENT },
		[TIMEOUT] = { GO, CONN_LINGERING, LINGER | TELL_LOST },
		[ENDED]   = { NEVER, CONN_OPEN,   NOTHING }, /* the owner reads, and decides */
		[BROKEN]  = { GO, CONN_CLOSED,    CLOSE_FD | TELL_LOST | TELL_CLOSED },
		[CLOSE]   = { GO, CONN_CLOSED,    CLOSE_FD },
	},
	[CONN_FINISHING] = {
		[FINISH]  = { GO, CONN_FINISHING, NOTHING },
		[SENT]    = { GO, CONN_LINGERING, LINGER },
		[TIMEOUT] = { GO, CONN_LINGERING, LINGER },
		[ENDED]   = { GO, CONN_CLOSED,    CLOSE_FD | TELL_CLOSED },
		[BROKEN]  = { GO, CONN_CLOSED,    CLOSE_FD | TELL_CLOSED },
		[CLOSE]   = { GO, CONN_CLOSED,    CLOSE_FD },
	},
	[CONN_LINGERING] = {
		[FINISH]  = { GO, CONN_LINGERING, NOTHING },
		[SENT]    = { NEVER, CONN_LINGERING, NOTHING },
		[TIMEOUT] = { GO, CONN_CLOSED,    CLOSE_FD | TELL_CLOSED },
		[ENDED]   = { GO, CONN_CLOSED,    CLOSE_FD | TELL_CLOSED },
		[BROKEN]  = { GO, CONN_CLOSED,    CLOSE_FD | TELL_CLOSED },
		[CLOSE]   = { GO, CONN_CLOSED,    CLOSE_FD },
	},
	[CONN_CLOSED] = {
		[FINISH]  = { GO, CONN_CLOSED,    NOTHING },
		[SENT]    = { NEVER, CONN_CLOSED, NOTHING },
		[TIMEOUT] = { NEVER, CONN_CLOSED, NOTHING },
		[ENDED]   = { NEVER, CONN_CLOSED, NOTHING },
		[BROKEN]  = { NEVER, CONN_CLOSED, NOTHING },
		[CLOSE]   = { GO, CONN_CLOSED,    NOTHING },
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
		for (int event = 0; event < EVENTS; event++)
			if (life[state][event].kind == FORGOTTEN)
				return false;
	return true;
}

static void drop_queue(struct conn *c)
{
	*c->waiting -= buf_size(&c->out);
	buf_free(&c->out);
	post_cancel(&c->flush);
	c->blocked = false;
}

static void close_fd(struct conn *c)
{
	drop_queue(c);
	timer_stop(loop_sched(c->loop), &c->timer);
	watch_close(&c->watch);
	c->fd = -1;
}

static void lingered(void *arg);

static void linger(struct conn *c)
{
	drop_queue(c);
	shutdown(c->fd, SHUT_WR);
	conn_watch(c, WATCH_READ);
	timer_set_in(loop_sched(c->loop), &c->timer, LINGER_MS, lingered, c);
}

/* The one place where the state changes. */
static void happens(struct conn *c, enum event event)
{
	const struct step *step = &life[c->state][event];

	assert(step->kind == GO);
	c->state = (unsigned char)step->next;
	if (step->actions & LINGER)
		linger(c);
	if (step->actions & CLOSE_FD)
		close_fd(c);
	if (step->actions & TELL_SENT)
		c->events->sent(c->arg);
	if (step->actions & TELL_LOST)
		c->events->lost(c->arg);
	if (step->actions & TELL_CLOSED)
		c->events->closed(c->arg);
}

static void lingered(void *arg)
{
	happens(arg, TIMEOUT);
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
		happens(c, TIMEOUT);
}

/* Watching */

/* While the last bytes wait for a slow reader, what it still sends is of no interest. */
static void watch_again(struct conn *c)
{
	if (c->state == CONN_FINISHING)
		c->interest = WATCH_RESET;
	watch_set(c->watch, c->interest | (c->blocked ? WATCH_WRITE : 0));
}

void conn_watch(struct conn *c, unsigned events)
{
	c->interest = events;
	watch_again(c);
}

static void set_blocked(struct conn *c, bool blocked)
{
	c->blocked = blocked;
	watch_again(c);
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

static void flush(void *arg)
{
	struct conn *c = arg;
	size_t size = buf_size(&c->out);

	if (size > 0) {
		struct iovec whole = { (void *)(uintptr_t)buf_span(&c->out).p, size };
		ssize_t taken = write_parts(c, &whole, 1);
		if (taken < 0) {
			happens(c, BROKEN);
			return;
		}
		*c->waiting -= (size_t)taken;
		buf_take(&c->out, (size_t)taken);
		if ((size_t)taken < size) {
			if (taken > 0 || !c->blocked)
				set_blocked(c, true);
			return;
		}
	}
	if (c->blocked)
		set_blocked(c, false);
	happens(c, c->state == CONN_FINISHING && c->ended ? ENDED : SENT);
}

static void flush_later(struct conn *c)
{
	if (!c->blocked)
		post_set(loop_sched(c->loop), &c->flush, flush, c);
}

static void add_to_queue(struct conn *c, const struct span *parts, size_t n, size_t skip)
{
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
	flush_later(c);
}

/* A failed write is not told from here: the flush will meet the same failure. */
void conn_send(struct conn *c, const struct span *parts, size_t n)
{
	struct iovec io[PARTS_AT_ONCE];
	size_t size = 0;

	if (n > PARTS_AT_ONCE || buf_size(&c->out) > 0) {
		conn_queue(c, parts, n);
		return;
	}
	assert(c->state == CONN_OPEN);
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
		flush_later(c);
}

/* Reading */

enum conn_io conn_read(struct conn *c, char *to, size_t room, size_t *n)
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

static void discard(struct conn *c)
{
	char thrown_away[DISCARD_BYTES];
	size_t n;

	switch (conn_read(c, thrown_away, sizeof(thrown_away), &n)) {
	case CONN_BLOCKED:
		return;
	case CONN_END:
		happens(c, ENDED);
		return;
	case CONN_FAILED:
		happens(c, BROKEN);
		return;
	case CONN_OK:
		break;
	}
	c->discarded += n;
	if (c->discarded > LINGER_BYTES)
		happens(c, ENDED);
}

static void conn_ready(void *arg, unsigned events)
{
	struct conn *c = arg;

	if (c->state == CONN_LINGERING) {
		discard(c);
		return;
	}
	if (events & WATCH_RESET) {
		happens(c, BROKEN);
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
	happens(c, FINISH);
	if (c->state != CONN_FINISHING)
		return;
	if (c->blocked)
		watch_again(c);
	else
		flush_later(c);
}

void conn_close(struct conn *c)
{
	happens(c, CLOSE);
}

void conn_start_tls(struct conn *c, struct tls_context *t, const char *server_name, msec_t deadline_ms)
{
	(void)c;
	(void)t;
	(void)server_name;
	(void)deadline_ms;
}

void conn_answer_plain(struct conn *c, struct span plain_answer)
{
	(void)c;
	(void)plain_answer;
}

bool conn_is_securing(const struct conn *c)
{
	(void)c;
	return false;
}

const char *conn_error(const struct conn *c)
{
	(void)c;
	return "";
}

size_t conn_sealed(const struct conn *c)
{
	(void)c;
	return 0;
}

void conn_say_end(struct conn *c)
{
	(void)c;
}
