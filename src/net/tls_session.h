/*
 * TLS on one connection: the handshake, plain bytes into sealed ones, and back. It reads the socket itself, and what is
 * to be sent it puts into `wire`, from where its owner writes it: so an owner keeps all rules of writing, and nothing
 * here ever waits. It has no timer and calls nobody.
 *
 *	handshake until TLS_OK, then read and write in any order; after TLS_FAILED only `wire` is of use: an alert
 *
 * The session holds a reference to its context. The descriptor is the owner's and must stay open.
 */
#ifndef SLUICE_NET_TLS_SESSION_H
#define SLUICE_NET_TLS_SESSION_H

#include "base/buf.h"
#include "net/tls.h"

struct tls_session;

enum tls_io { TLS_OK, TLS_BLOCKED, TLS_END, TLS_FAILED };

/*
 * `server_name`, a client's: the name or the numeric address that the other side's certificate must be for; a client
 * needs one, unless its context is unverified. NULL for a server.
 */
struct tls_session *tls_session_new(struct tls_context *t, int fd, const char *server_name);
void tls_session_free(struct tls_session **s);

/* TLS_BLOCKED: write the wire, and come again when the socket is readable. Never TLS_END. */
enum tls_io tls_session_handshake(struct tls_session *s);

/* At most `room` bytes; TLS_OK only with some. TLS_END: close_notify, or the end of the socket. TLS_BLOCKED: what there
 * was gave none; ask tls_session_has_more before waiting. */
enum tls_io tls_session_read(struct tls_session *s, char *to, size_t room, size_t *n);

/* After a read: there may be more although the socket has nothing. */
bool tls_session_has_more(const struct tls_session *s);

/* Seals all of it into the wire; false when that has failed. */
bool tls_session_write(struct tls_session *s, struct span plain);

/* Puts close_notify into the wire, once; nothing is written after it. */
void tls_session_say_end(struct tls_session *s);

struct buf *tls_session_wire(struct tls_session *s);

/* Nothing more comes from the socket: its end was read. */
bool tls_session_is_at_end(const struct tls_session *s);

/* The end that was read was that of the socket, and no close_notify came before it. */
bool tls_session_is_cut(const struct tls_session *s);

/* What came first was no TLS but text: for the server that wants to answer in kind. */
bool tls_session_met_text(const struct tls_session *s);

/* After TLS_FAILED: a sentence. */
const char *tls_session_error(const struct tls_session *s);

#endif
