/*
 * Private to conn.c (the life of a connection, reading and writing) and conn_tls.c (the same under TLS): what they
 * share. The calls that begin with conn_tls_ want a conn whose `tls` is set, unless they say otherwise.
 */
#ifndef SLUICE_NET_CONN_PRIVATE_H
#define SLUICE_NET_CONN_PRIVATE_H

#include "net/conn.h"

enum conn_event {
	CONN_EV_FINISH,  /* asked for */
	CONN_EV_SENT,    /* nothing is queued any more */
	CONN_EV_TIMEOUT, /* no byte taken in time, no handshake in time, or lingered long enough */
	CONN_EV_REFUSED, /* the handshake has failed: an alert is all that is left to say */
	CONN_EV_ENDED,   /* the other side has closed too: nothing is left to do */
	CONN_EV_BROKEN,  /* reset, or a write failed */
	CONN_EV_CLOSE,   /* asked for */
	CONN_EVENTS
};

/* conn.c: the one place where the state changes. It may call back. */
void conn_happens(struct conn *c, enum conn_event event);
void conn_watch_again(struct conn *c);
void conn_flush_later(struct conn *c);

/* conn.c: writes what can be written now; never calls back. */
enum conn_io conn_write_queued(struct conn *c);

/* conn_tls.c */
void conn_tls_step(struct conn *c);        /* the handshake, when there is something to read */
void conn_tls_look_again(struct conn *c);  /* at what was read from the socket already, if the owner wants to read */
struct buf *conn_tls_seal(struct conn *c); /* what is to be written next; NULL: it cannot be sealed */
enum conn_io conn_tls_read(struct conn *c, char *to, size_t room, size_t *n);
bool conn_tls_is_at_end(const struct conn *c); /* of the socket, not only of what was said */
void conn_tls_drop(struct conn *c);            /* what was to be written */
void conn_tls_stop(struct conn *c);            /* no more of it; the socket may go on. Also of a plain conn */
void conn_tls_free(struct conn *c);            /* also of a plain conn */

#endif
