#include "net/http_server.h"

#include <assert.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/http_conn.h"
#include "net/tls.h"

#define REFUSED_MAX 64      /* connections over the bound that may still hear so in order, at a time */
#define ACCEPT_STOP_MS 1000 /* before the deadline */
#define TLS_TOLD_EVERY_MS 10000
#define SETTLE_MS 20 /* for handshakes that were under way when the kernel was told to keep new ones out */

/* Connections */

/* Without room even for a connection of its own: the answer, what has come of the request thrown away, the end. Under
 * TLS there is no answer without a handshake, and for that is no room. */
static void refuse_at_once(void *arg, int fd)
{
	struct http_server *s = arg;
	const struct span answer = s->leaving ? http_answer_leaving() : http_answer_overloaded();
	char thrown_away[4096];

	if (s->tls == NULL)
		(void)!send(fd, answer.p, answer.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)!recv(fd, thrown_away, sizeof(thrown_away), MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
	close(fd);
	s->refused_ever++;
}

static void accepted(void *arg, int fd, const struct address *peer)
{
	struct http_server *s = arg;
	bool full = s->count - s->refused >= s->conf.max_connections;

	if (s->leaving || (full && s->refused >= REFUSED_MAX)) {
		refuse_at_once(s, fd);
		return;
	}
	http_conn_accept(s, fd, peer, full);
}

static const struct listener_events listener_events = { .accepted = accepted, .starved = refuse_at_once };

static void close_step(void *arg);

void http_server_conn_began(struct http_server *s, struct http_conn *c)
{
	c->serial = s->accepted++;
	list_append(&s->conns, &c->node);
	s->count++;
	s->refused += c->refused;
	s->refused_ever += c->refused;
	s->late += s->announced;
}

void http_server_conn_ended(struct http_server *s, struct http_conn *c)
{
	list_unlink(&c->node);
	s->count--;
	s->refused -= c->refused;
	if (s->closing)
		post_set(loop_sched(s->loop), &s->step, close_step, s);
}

/* Whoever scans for ports makes a handshake fail: told now and then, or nobody would see the client whose certificate
 * is not accepted. */
void http_server_tls_failed(struct http_server *s, const char *peer, const char *why)
{
	mono_t now = loop_now(s->loop);

	s->tls_failures++;
	if (!mono_past(s->tls_failure_told_next, now)) {
		log_debug(&s->log, "tls_failed", "a client gets no TLS", F_STR("peer", peer), F_STR("why", why));
		return;
	}
	s->tls_failure_told_next = mono_add(now, TLS_TOLD_EVERY_MS);
	log_info(&s->log, "tls_failed", "a client gets no TLS", F_STR("peer", peer), F_STR("why", why),
	        F_INT("failures", s->tls_failures));
}

static void close_connections(struct http_server *s)
{
	for (struct list *node; (node = list_first(&s->conns)) != NULL;)
		http_conn_close(list_entry(node, struct http_conn, node));
}

/* The server */

/* With `s->listener`, or NULL if there is none. */
static struct http_server *make(struct http_server *s, struct loop *l, const struct http_server_conf *conf,
        const struct http_handler *handler, const struct logger *lg)
{
	if (s->listener == NULL) {
		free(s);
		return NULL;
	}
	s->loop = l;
	s->conf = *conf;
	s->handler = *handler;
	s->log = *lg;
	s->scratch = mem_alloc(SCRATCH_BYTES);
	s->date_second = -1;
	list_init(&s->conns);
	address_format(listener_address(s->listener), s->address);
	return s;
}

struct http_server *http_server_listen(struct loop *l, struct span address, const struct http_server_conf *conf,
        const struct http_handler *handler, const struct logger *lg, struct err *e)
{
	struct http_server *s = NEW(struct http_server);

	s->listener = listener_open(l, address, &listener_events, s, lg, e);
	return make(s, l, conf, handler, lg);
}

struct http_server *http_server_adopt(struct loop *l, int fd, const struct http_server_conf *conf,
        const struct http_handler *handler, const struct logger *lg, struct err *e)
{
	struct http_server *s = NEW(struct http_server);

	s->listener = listener_adopt(l, fd, &listener_events, s, lg, e);
	return make(s, l, conf, handler, lg);
}

void http_server_use_tls(struct http_server *s, struct tls_context *t)
{
	struct tls_context *old = s->tls;

	s->tls = tls_context_ref(t);
	tls_context_unref(&old);
}

const char *http_server_address(const struct http_server *s)
{
	return s->address;
}

void http_server_stats(const struct http_server *s, struct http_server_stats *stats)
{
	*stats = (struct http_server_stats){
		.connections = s->count,
		.accepted = s->accepted,
		.requests = s->requests,
		.late_connections = s->late,
		.refused = s->refused_ever,
		.tls_failures = s->tls_failures,
		.buffered_bytes = s->buffered + s->queued,
	};
}

void http_server_announce_close(struct http_server *s, bool on)
{
	s->announced = on;
}

void http_server_end_resting(struct http_server *s, bool (*stays)(void *arg, uint64_t owner), void *arg)
{
	assert(s->pumping == NULL);
	list_each (node, &s->conns) {
		struct http_conn *c = list_entry(node, struct http_conn, node);
		if (!stays(arg, c->owner))
			http_conn_end_rest(c);
	}
}

/* The end */

static bool has_old_connections(const struct http_server *s)
{
	struct list *first = list_first(&s->conns);

	return first != NULL && list_entry(first, struct http_conn, node)->serial < s->old;
}

uint64_t http_server_undelivered(const struct http_server *s)
{
	uint64_t n = s->undelivered;

	list_each (node, &s->conns)
		n += http_conn_owes(list_entry(node, struct http_conn, node));
	return n;
}

static void cut(struct http_server *s)
{
	s->undelivered = http_server_undelivered(s);
	close_connections(s);
}

static void shut(struct http_server *s, mono_t now)
{
	listener_refuse_new(s->listener);
	s->shut = true;
	s->settled_at = mono_min(mono_add(now, SETTLE_MS), s->deadline);
}

static bool may_shut(const struct http_server *s, mono_t now)
{
	return listener_is_shared(s->listener) || !has_old_connections(s) || mono_past(s->accept_until, now);
}

static void close_step(void *arg)
{
	struct http_server *s = arg;
	mono_t now = loop_now(s->loop);

	if (!s->shut && may_shut(s, now))
		shut(s, now);
	bool empty = s->shut && list_is_empty(&s->conns);
	if (!mono_past(empty ? s->settled_at : s->deadline, now)) {
		mono_t next = !s->shut ? s->accept_until : empty ? s->settled_at : s->deadline;
		timer_set(loop_sched(s->loop), &s->timer, next, close_step, s);
		return;
	}
	timer_stop(loop_sched(s->loop), &s->timer);
	cut(s);
	post_cancel(&s->step);
	s->done(s->done_arg);
}

static void begin_closing(void *arg)
{
	struct http_server *s = arg;

	list_each (node, &s->conns)
		http_conn_wind_down(list_entry(node, struct http_conn, node));
	close_step(s);
}

void http_server_close(struct http_server *s, mono_t deadline, void (*done)(void *arg), void *arg)
{
	mono_t now = loop_now(s->loop);
	msec_t half = mono_diff(deadline, now) / 2;

	assert(!s->closing);
	http_server_announce_close(s, true);
	s->closing = true;
	s->old = s->accepted;
	s->deadline = deadline;
	s->accept_until = mono_add(now, half > ACCEPT_STOP_MS ? mono_diff(deadline, now) - ACCEPT_STOP_MS : half);
	s->done = done;
	s->done_arg = arg;
	post_set(loop_sched(s->loop), &s->step, begin_closing, s);
}

void http_server_leave(struct http_server *s)
{
	s->leaving = true;
	listener_drain(s->listener);
}

void http_server_free(struct http_server **sp)
{
	struct http_server *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	assert(s->pumping == NULL);
	listener_close(&s->listener);
	close_connections(s);
	timer_stop(loop_sched(s->loop), &s->timer);
	post_cancel(&s->step);
	buf_free(&s->text);
	tls_context_unref(&s->tls);
	free(s->scratch);
	free(s);
}
