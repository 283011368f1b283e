#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/mem.h"
#include "net/http_client_private.h"

/* The life of a connection */

enum action {
	NOTHING = 0,
	CLOSE_IT = 1,
	ASK_PROXY = 2,
	START_TLS = 4,
	POOL = 8,        /* and give it to a fetch that waits */
	SEND = 16,       /* the request of the fetch */
	TELL_POOL = 32,  /* that it could not be made */
	TELL_FETCH = 64, /* that its connection is gone */
};

struct step {
	enum { FORGOTTEN, NEVER, GO } kind;
	enum link_state next;
	unsigned actions;
};

/* clang-format off */
static const struct step life[LINK_STATE_COUNT][LINK_EVENTS] = {
	[LINK_DIALING] = {
		[LINK_ASK]    = { GO, LINK_TUNNELING, ASK_PROXY },
		[LINK_SECURE] = { GO, LINK_SECURING,  START_TLS },
		[LINK_READY]  = { GO, LINK_IDLE,      POOL },
		[LINK_TAKE]   = { NEVER, LINK_DIALING, NOTHING },
		[LINK_KEEP]   = { NEVER, LINK_DIALING, NOTHING },
		[LINK_FAIL]   = { GO, LINK_CLOSED,    CLOSE_IT | TELL_POOL },
		[LINK_CLOSE]  = { GO, LINK_CLOSED,    CLOSE_IT },
	},
	[LINK_TUNNELING] = {
		[LINK_ASK]    = { NEVER, LINK_TUNNELING, NOTHING },
		[LINK_SECURE] = { GO, LINK_SECURING,  START_TLS },
		[LINK_READY]  = { NEVER, LINK_TUNNELING, NOTHING }, /* a tunnel is for TLS */
		[LINK_TAKE]   = { NEVER, LINK_TUNNELING, NOTHING },
		[LINK_KEEP]   = { NEVER, LINK_TUNNELING, NOTHING },
		[LINK_FAIL]   = { GO, LINK_CLOSED,    CLOSE_IT | TELL_POOL },
		[LINK_CLOSE]  = { GO, LINK_CLOSED,    CLOSE_IT },
	},
	[LINK_SECURING] = {
		[LINK_ASK]    = { NEVER, LINK_SECURING, NOTHING },
		[LINK_SECURE] = { NEVER, LINK_SECURING, NOTHING },
		[LINK_READY]  = { GO, LINK_IDLE,      POOL },
		[LINK_TAKE]   = { NEVER, LINK_SECURING, NOTHING },
		[LINK_KEEP]   = { NEVER, LINK_SECURING, NOTHING },
		[LINK_FAIL]   = { GO, LINK_CLOSED,    CLOSE_IT | TELL_POOL },
		[LINK_CLOSE]  = { GO, LINK_CLOSED,    CLOSE_IT },
	},
	[LINK_IDLE] = {
		[LINK_ASK]    = { NEVER, LINK_IDLE, NOTHING },
		[LINK_SECURE] = { NEVER, LINK_IDLE, NOTHING },
		[LINK_READY]  = { NEVER, LINK_IDLE, NOTHING },
		[LINK_TAKE]   = { GO, LINK_BUSY,      SEND },
		[LINK_KEEP]   = { NEVER, LINK_IDLE, NOTHING },
		[LINK_FAIL]   = { GO, LINK_CLOSED,    CLOSE_IT },
		[LINK_CLOSE]  = { GO, LINK_CLOSED,    CLOSE_IT },
	},
	[LINK_BUSY] = {
		[LINK_ASK]    = { NEVER, LINK_BUSY, NOTHING },
		[LINK_SECURE] = { NEVER, LINK_BUSY, NOTHING },
		[LINK_READY]  = { NEVER, LINK_BUSY, NOTHING },
		[LINK_TAKE]   = { NEVER, LINK_BUSY, NOTHING },
		[LINK_KEEP]   = { GO, LINK_IDLE,      POOL },
		[LINK_FAIL]   = { GO, LINK_CLOSED,    CLOSE_IT | TELL_FETCH },
		[LINK_CLOSE]  = { GO, LINK_CLOSED,    CLOSE_IT }, /* the fetch knows */
	},
	[LINK_CLOSED] = {
		[LINK_ASK]    = { NEVER, LINK_CLOSED, NOTHING },
		[LINK_SECURE] = { NEVER, LINK_CLOSED, NOTHING },
		[LINK_READY]  = { NEVER, LINK_CLOSED, NOTHING },
		[LINK_TAKE]   = { NEVER, LINK_CLOSED, NOTHING },
		[LINK_KEEP]   = { NEVER, LINK_CLOSED, NOTHING },
		[LINK_FAIL]   = { GO, LINK_CLOSED,    NOTHING },
		[LINK_CLOSE]  = { GO, LINK_CLOSED,    NOTHING },
	},
};
/* clang-format on */

#define X(name) [LINK_##name] = #name,
static const char *const state_names[] = { LINK_STATES(X) };
#undef X

const char *link_state_name(enum link_state state)
{
	return state_names[state];
}

bool link_life_is_complete(void)
{
	for (int state = 0; state < LINK_STATE_COUNT; state++)
		for (int event = 0; event < LINK_EVENTS; event++)
			if (life[state][event].kind == FORGOTTEN)
				return false;
	return true;
}

static bool is_making(enum link_state state)
{
	return state == LINK_DIALING || state == LINK_TUNNELING || state == LINK_SECURING;
}

/* Its buffers may be in use until the end of the turn. */
static void destroy(void *object)
{
	struct http_client_conn *l = object;

	buf_free(&l->in);
	free(l);
}

static void close_it(struct http_client_conn *l)
{
	struct http_client *c = l->client;

	dial_cancel(&l->dial);
	timer_stop(loop_sched(c->loop), &l->timer);
	post_cancel(&l->again);
	if (l->is_open) {
		conn_say_end(&l->conn);
		conn_close(&l->conn);
	}
	list_unlink(&l->node);
	c->count--;
	loop_bury(c->loop, l, destroy);
}

static void pool(struct http_client_conn *l)
{
	struct http_client *c = l->client;

	timer_stop(loop_sched(c->loop), &l->timer);
	l->idle_since = loop_now(c->loop);
	list_unlink(&l->node);
	list_append(&c->idle, &l->node);
	http_client_count_age(c);
	http_client_serve(c);
}

static void ask_proxy(struct http_client_conn *l)
{
	const struct span request = buf_span(&l->client->connect);

	conn_send(&l->conn, &request, 1);
}

static void start_tls(struct http_client_conn *l)
{
	struct http_client *c = l->client;

	conn_start_tls(&l->conn, c->conf.tls, c->tls_name, c->conf.connect_timeout_ms);
}

static void send_request(struct http_client_conn *l)
{
	list_unlink(&l->node);
	list_append(&l->client->others, &l->node);
	http_client_read_begin(l);
	http_fetch_sent(l->fetch, l);
}

/* Whoever this tells may let other things happen: so it comes last. */
static void tell(struct http_client_conn *l, unsigned actions)
{
	struct http_fetch *f = l->fetch;

	if (actions & TELL_POOL)
		http_client_not_made(l->client, l->sentence);
	if (!(actions & TELL_FETCH))
		return;
	l->fetch = NULL;
	http_fetch_lost(f, l);
}

/* The one place where the state changes. */
void http_client_conn_happens(struct http_client_conn *l, enum link_event event)
{
	struct http_client *c = l->client;
	enum link_state old = l->state;
	const struct step *step = &life[old][event];

	assert(step->kind == GO);
	l->state = step->next;
	c->making += (size_t)is_making(l->state) - (size_t)is_making(old);
	c->idle_count += (size_t)(l->state == LINK_IDLE) - (size_t)(old == LINK_IDLE);
	if (step->actions & CLOSE_IT)
		close_it(l);
	if (step->actions & ASK_PROXY)
		ask_proxy(l);
	if (step->actions & START_TLS)
		start_tls(l);
	if (step->actions & SEND)
		send_request(l);
	if (step->actions & POOL)
		pool(l);
	tell(l, step->actions);
}

void http_client_conn_fail(struct http_client_conn *l, enum fetch_end why, const char *format, ...)
{
	va_list ap;

	if (l->state == LINK_CLOSED)
		return;
	va_start(ap, format);
	vsnprintf(l->sentence, sizeof(l->sentence), format, ap);
	va_end(ap);
	l->why = why;
	http_client_conn_happens(l, LINK_FAIL);
}

void http_client_conn_pause(struct http_client_conn *l)
{
	conn_watch(&l->conn, l->fetch->paused && l->has_head ? 0 : WATCH_READ);
}

/* Events of the socket */

/* Nothing is expected of it. Under TLS there may be something to read that is not for us. */
bool http_client_conn_is_alive(struct http_client_conn *l)
{
	char byte;
	size_t n;

	return conn_read(&l->conn, &byte, 1, &n) == CONN_BLOCKED;
}

static void on_readable(void *arg)
{
	struct http_client_conn *l = arg;

	if (l->state == LINK_BUSY)
		http_client_read(l);
	else if (l->state == LINK_TUNNELING)
		http_client_read_proxy(l);
	else if (l->state == LINK_IDLE && !http_client_conn_is_alive(l))
		http_client_conn_happens(l, LINK_CLOSE);
}

static void on_hung_up(void *arg)
{
	(void)arg;
}

static void on_sent(void *arg)
{
	struct http_client_conn *l = arg;

	if (l->fetch != NULL)
		l->fetch->sent = true;
}

/* An answer may have come before. */
static void on_lost(void *arg)
{
	struct http_client_conn *l = arg;
	const char *error = conn_error(&l->conn);

	if (l->state == LINK_SECURING)
		http_client_conn_fail(l, FETCH_UNREACHABLE, "TLS with %s: %s", l->client->name,
		        error[0] != '\0' ? error : "the connection ended");
	else if (l->state == LINK_BUSY)
		http_client_read_rest(l);
	else
		http_client_conn_fail(l, FETCH_UNREACHABLE, "the connection to %s was lost", l->client->name);
}

static void on_closed(void *arg)
{
	(void)arg; /* `lost` has done it */
}

static void on_secured(void *arg)
{
	http_client_conn_happens(arg, LINK_READY);
}

static const struct conn_events events = {
	.readable = on_readable,
	.hung_up = on_hung_up,
	.sent = on_sent,
	.lost = on_lost,
	.closed = on_closed,
	.secured = on_secured,
};

/* Making one */

static void on_connected(void *arg, int fd)
{
	struct http_client_conn *l = arg;
	struct http_client *c = l->client;

	l->dial = NULL;
	if (!conn_open(&l->conn, c->loop, fd, &events, l, c->conf.write_timeout_ms, &c->queued)) {
		close(fd);
		http_client_conn_fail(l, FETCH_UNREACHABLE, "the connection to %s cannot be watched", c->name);
		return;
	}
	l->is_open = true;
	c->opened++;
	conn_watch(&l->conn, WATCH_READ);
	http_client_conn_happens(l, c->tunnels ? LINK_ASK : c->secure ? LINK_SECURE : LINK_READY);
}

static void on_not_connected(void *arg, const char *sentence)
{
	struct http_client_conn *l = arg;

	l->dial = NULL;
	http_client_conn_fail(l, FETCH_UNREACHABLE, "%s", sentence);
}

static const struct dial_events dial_events = { .connected = on_connected, .failed = on_not_connected };

static void took_too_long(void *arg)
{
	static const char *const doing[LINK_STATE_COUNT] = {
		[LINK_DIALING] = "connecting to",
		[LINK_TUNNELING] = "the proxy's answer for",
		[LINK_SECURING] = "the TLS handshake with",
	};
	struct http_client_conn *l = arg;
	struct http_client *c = l->client;

	http_client_conn_fail(l, FETCH_UNREACHABLE, "%s %s took longer than %s", doing[l->state], c->name,
	        duration_text(c->conf.connect_timeout_ms).text);
}

void http_client_conn_new(struct http_client *c)
{
	struct http_client_conn *l = NEW(struct http_client_conn);

	l->client = c;
	l->state = LINK_DIALING;
	list_append(&c->others, &l->node);
	c->count++;
	c->making++;
	timer_set_in(loop_sched(c->loop), &l->timer, c->conf.connect_timeout_ms, took_too_long, l);
	l->dial = dial_start(c->loop, c->resolver, c->hop.host, c->hop.port, &dial_events, l);
}
