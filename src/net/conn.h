/*
 * One connected stream socket, plain or under TLS: what is sent is collected and written once per turn, a slow reader
 *is waited for with a bound, and the end is orderly: everything written, our half shut down, the rest read and thrown
 * away, so that no RST overtakes the last bytes. It knows nothing of what is spoken.
 *
 *	OPEN       reading and writing
 *	FINISHING  writing what is queued (conn_finish)
 *	LINGERING  our half is shut down; until the other side closes, for 1 s or 1 MiB at most
 *	CLOSED     the descriptor is closed, no callback comes any more
 *
 * TLS begins with conn_start_tls and changes nothing for the owner: it may send at once (that waits for the handshake),
 *it reads plain bytes, and all four states mean the same. The other side's end is its close_notify or its FIN,
 *whichever comes first; ours is a close_notify before the FIN. A handshake that fails or takes too long makes the conn
 *`lost`, and conn_error says why.
 *
 * A conn is part of the object that owns it, and may close inside any of its callbacks: so the owner gives its memory
 * back at the end of the turn (loop_bury), never at once. The calls below never call back.
 */
#ifndef SLUICE_NET_CONN_H
#define SLUICE_NET_CONN_H

#include "base/buf.h"
#include "loop/loop.h"

#define CONN_STATES(X) X(OPEN) X(FINISHING) X(LINGERING) X(CLOSED)
#define X(name) CONN_##name,
enum conn_state { CONN_STATES(X) CONN_STATE_COUNT };
#undef X

struct conn_events {
	void (*readable)(void *arg); /* bytes, the other side's end, or an error: conn_read tells which */
	void (*hung_up)(void *arg);  /* asked for by WATCH_HANGUP: the other side's end is behind unread bytes */
	void (*sent)(void *arg);     /* all that was queued has been written */
	void (*lost)(void *arg);     /* was OPEN, and nothing more can be sent: reset, broken, or too slow */
	void (*closed)(void *arg);   /* by itself, after `lost` or after conn_finish; the last callback */
	void (*secured)(void *arg);  /* the TLS handshake is done; NULL: the owner does not ask */
};

struct conn_tls;
struct tls_context;

struct conn {
	struct loop *loop;
	struct watch *watch;
	int fd;
	unsigned char state;
	unsigned char looks; /* at the slow reader since then */
	bool blocked;        /* the kernel takes no more for now */
	bool ended;          /* the other side's end has been read */
	bool owes;           /* a `sent`, when all that is queued has been written */
	unsigned interest;
	struct buf out;
	struct conn_tls *tls; /* NULL: plain */
	struct post flush;
	struct timer timer; /* of the slow reader, then of lingering */
	msec_t write_timeout_ms;
	int unacknowledged; /* by the slow reader's kernel, when it was seen to take something last */
	size_t discarded;
	size_t *waiting; /* where the queued bytes of all conns of the owner's owner are counted */
	const struct conn_events *events;
	void *arg;
};

/* Takes `fd`, which must be non-blocking; false (with errno, and `fd` still the caller's) if it cannot be watched. */
bool conn_open(struct conn *c, struct loop *l, int fd, const struct conn_events *events, void *arg,
        msec_t write_timeout_ms, size_t *waiting);

/*
 * TLS from here on; right after conn_open (or, through a proxy, when nothing is queued and all that it said was read).
 * A server's context makes us the server, a client's the client. The handshake has `deadline_ms`.
 *
 * `server_name`, a client's: what the other side's certificate must be for, a name or a numeric address ("[::1]" too).
 * `plain_answer`, a server's: what somebody gets who does not speak TLS; not set: an alert. It must stay where it is.
 */
void conn_start_tls(struct conn *c, struct tls_context *t, const char *server_name, msec_t deadline_ms);
void conn_answer_plain(struct conn *c, struct span plain_answer);

/* The handshake is under way. */
bool conn_is_securing(const struct conn *c);

/* What went wrong with TLS: in `lost`, or when conn_read fails; "" when it was something else. */
const char *conn_error(const struct conn *c);

const char *conn_state_name(enum conn_state state);
bool conn_life_is_complete(void); /* for the test of the table: no cell was forgotten */

/* What to hear of: WATCH_READ, WATCH_HANGUP or WATCH_RESET. (WATCH_WRITE is the conn's own affair.) */
void conn_watch(struct conn *c, unsigned events);

enum conn_io { CONN_OK, CONN_BLOCKED, CONN_END, CONN_FAILED };

/* One read of at most `room` bytes. Under TLS it is CONN_BLOCKED until the handshake is done. */
enum conn_io conn_read(struct conn *c, char *to, size_t room, size_t *n);

/* Writes at once what can be written, if nothing is queued, and queues the rest. Nothing is kept of `parts`. */
void conn_send(struct conn *c, const struct span *parts, size_t n);

/* Queues, to be written at the end of this turn with all else that it brings. */
void conn_queue(struct conn *c, const struct span *parts, size_t n);

/*
 * After CONN_END under TLS: the socket has ended without a close_notify, as somebody else can make it. What says itself
 * how long it is may be whole; what ends with the connection is not (RFC 9112, 9.8).
 */
bool conn_is_cut(const struct conn *c);

/* Under TLS: what is sealed already and not yet written. */
size_t conn_sealed(const struct conn *c);

static inline size_t conn_queued(const struct conn *c)
{
	return buf_size(&c->out) + (c->tls != NULL ? conn_sealed(c) : 0);
}

/* No more will be sent: ends in order, see above. */
void conn_finish(struct conn *c);

/* For before conn_close, when nothing was left unsaid: tells the other side so (TLS), if it can be told at once. */
void conn_say_end(struct conn *c);

/* At once. Safe at any time and twice. */
void conn_close(struct conn *c);

#endif
