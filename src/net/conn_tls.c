#include <assert.h>
#include <sys/socket.h>

#include "base/duration.h"
#include "base/mem.h"
#include "net/conn_private.h"
#include "net/tls_session.h"

#define SEAL_BYTES ((size_t)256 * 1024) /* of what is queued, before it is written */
#define WIRE_MAX ((size_t)1 << 20)      /* sealed and not written, while more is read that makes us answer */

struct conn_tls {
	struct tls_session *session;
	struct post step; /* the beginning of the handshake; later: there is more to read */
	struct timer deadline;
	msec_t deadline_ms;
	bool securing;
	bool stopped; /* nothing is sealed or opened any more: failed, or lingering */
	struct span plain_answer;
	struct err error;
};

/* ---- the handshake ---- */

bool conn_is_securing(const struct conn *c)
{
	return c->tls != NULL && c->tls->securing;
}

const char *conn_error(const struct conn *c)
{
	if (c->tls == NULL)
		return "";
	return c->tls->error.text[0] != '\0' ? c->tls->error.text : tls_session_error(c->tls->session);
}

static void end_handshake(struct conn *c)
{
	c->tls->securing = false;
	timer_stop(loop_sched(c->loop), &c->tls->deadline);
	post_cancel(&c->tls->step);
}

/* What was put into the wire meanwhile waits to be written, too. */
static void count_wire(struct conn *c, size_t before)
{
	*c->waiting += conn_sealed(c) - before;
}

/* Text for who speaks plainly, and is not a word of what was queued. */
static void put_last_words(struct conn *c)
{
	struct buf *wire = tls_session_wire(c->tls->session);

	*c->waiting -= buf_size(&c->out);
	buf_free(&c->out);
	c->owes = false;
	if (!tls_session_met_text(c->tls->session) || !span_is_set(c->tls->plain_answer))
		return;
	*c->waiting -= buf_size(wire);
	buf_free(wire);
	buf_add(wire, c->tls->plain_answer);
	*c->waiting += buf_size(wire);
}

/* An alert tells the other side why, if the owner does not close before it is out. */
static void refuse(struct conn *c)
{
	end_handshake(c);
	put_last_words(c);
	c->tls->stopped = true;
	if (conn_write_queued(c) == CONN_FAILED) {
		conn_happens(c, CONN_EV_BROKEN);
		return;
	}
	conn_happens(c, CONN_EV_REFUSED);
	if (c->state != CONN_FINISHING)
		return;
	conn_watch_again(c);
	conn_flush_later(c);
}

static void secure(struct conn *c)
{
	end_handshake(c);
	conn_watch_again(c);
	conn_flush_later(c);
	if (c->state == CONN_OPEN && c->events->secured != NULL)
		c->events->secured(c->arg);
}

void conn_tls_step(struct conn *c)
{
	size_t before = conn_sealed(c);
	enum tls_io io = tls_session_handshake(c->tls->session);

	count_wire(c, before);
	if (io == TLS_OK)
		secure(c);
	else if (io == TLS_BLOCKED)
		conn_flush_later(c);
	else
		refuse(c);
}

static void begin_handshake(void *arg)
{
	conn_tls_step(arg);
}

static void handshake_took_too_long(void *arg)
{
	struct conn *c = arg;

	err_set(&c->tls->error, "the TLS handshake took longer than %s", duration_text(c->tls->deadline_ms).text);
	conn_happens(c, CONN_EV_TIMEOUT);
}

void conn_start_tls(struct conn *c, struct tls_context *t, const char *server_name, msec_t deadline_ms)
{
	struct conn_tls *tls = NEW(struct conn_tls);

	assert(c->state == CONN_OPEN && c->tls == NULL && conn_queued(c) == 0);
	tls->session = tls_session_new(t, c->fd, server_name);
	tls->securing = true;
	tls->deadline_ms = deadline_ms;
	c->tls = tls;
	timer_set_in(loop_sched(c->loop), &tls->deadline, deadline_ms, handshake_took_too_long, c);
	post_set(loop_sched(c->loop), &tls->step, begin_handshake, c);
	conn_watch_again(c);
}

void conn_answer_plain(struct conn *c, struct span plain_answer)
{
	c->tls->plain_answer = plain_answer;
}

/* ---- writing ---- */

size_t conn_sealed(const struct conn *c)
{
	return buf_size(tls_session_wire(c->tls->session));
}

/* A part of what is queued, and at the end of it close_notify: so that they leave together. */
struct buf *conn_tls_seal(struct conn *c)
{
	struct conn_tls *tls = c->tls;
	struct buf *wire = tls_session_wire(tls->session);

	if (buf_size(wire) > 0 || tls->securing || tls->stopped)
		return wire;
	struct span part = span_cut(buf_span(&c->out), SEAL_BYTES);
	if (part.n > 0 && !tls_session_write(tls->session, part))
		return NULL;
	*c->waiting -= part.n;
	if (part.n > 0)
		buf_take(&c->out, part.n);
	if (c->state == CONN_FINISHING && buf_size(&c->out) == 0)
		tls_session_say_end(tls->session);
	count_wire(c, 0);
	return wire;
}

void conn_say_end(struct conn *c)
{
	if (c->tls == NULL || c->state != CONN_OPEN || c->tls->securing || c->tls->stopped || conn_queued(c) > 0)
		return;
	tls_session_say_end(c->tls->session);
	count_wire(c, 0);
	c->tls->stopped = true;
	(void)conn_write_queued(c);
}

/* ---- reading ---- */

static void more_to_read(void *arg)
{
	struct conn *c = arg;

	if (c->state != CONN_OPEN || !(c->interest & WATCH_READ) || !tls_session_has_more(c->tls->session))
		return;
	c->events->readable(c->arg);
	if (c->tls != NULL)
		conn_tls_look_again(c);
}

void conn_tls_look_again(struct conn *c)
{
	if (c->state == CONN_OPEN && !c->tls->securing && c->interest & WATCH_READ &&
	        tls_session_has_more(c->tls->session))
		post_set(loop_sched(c->loop), &c->tls->step, more_to_read, c);
}

enum conn_io conn_tls_read(struct conn *c, char *to, size_t room, size_t *n)
{
	static const enum conn_io same[] = {
		[TLS_OK] = CONN_OK, [TLS_BLOCKED] = CONN_BLOCKED, [TLS_END] = CONN_END, [TLS_FAILED] = CONN_FAILED
	};
	size_t before = conn_sealed(c);

	*n = 0;
	if (c->tls->securing)
		return CONN_BLOCKED;
	if (c->tls->stopped)
		return CONN_FAILED;
	if (before > WIRE_MAX) {
		err_set(&c->tls->error, "the other side makes TLS answer and does not read it");
		c->tls->stopped = true;
		return CONN_FAILED;
	}
	enum tls_io io = tls_session_read(c->tls->session, to, room, n);
	count_wire(c, before);
	c->ended |= io == TLS_END;
	if (io == TLS_FAILED) {
		c->tls->stopped = true;
		(void)conn_write_queued(c); /* an alert */
	} else if (conn_sealed(c) > 0) {
		conn_flush_later(c);
	}
	return same[io];
}

bool conn_is_cut(const struct conn *c)
{
	return c->tls != NULL && tls_session_is_cut(c->tls->session);
}

bool conn_tls_is_at_end(const struct conn *c)
{
	return tls_session_is_at_end(c->tls->session);
}

/* ---- the end ---- */

void conn_tls_drop(struct conn *c)
{
	buf_free(tls_session_wire(c->tls->session));
}

void conn_tls_stop(struct conn *c)
{
	if (c->tls == NULL)
		return;
	end_handshake(c);
	c->tls->stopped = true;
}

void conn_tls_free(struct conn *c)
{
	if (c->tls == NULL)
		return;
	end_handshake(c);
	tls_session_free(&c->tls->session);
	free(c->tls);
	c->tls = NULL;
}
