/*
 * One GET over plain HTTP, for commands that ask a gateway how it is. It blocks, with one limit for all of it: such a
 * command has nothing else to do. HTTP/1.0, so that the body ends with the connection and is never chunked.
 */
#ifndef SLUICE_CLI_GET_H
#define SLUICE_CLI_GET_H

#include "base/buf.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "net/address.h"

#define GET_BYTES_MAX ((size_t)64 << 20)

/* What to get. The path points into the text that was parsed. */
struct get_url {
	struct address address;
	char host[ADDRESS_TEXT_MAX]; /* for the Host field */
	struct span path;            /* with the query, if any */
	const char *field;           /* "Name: value" of one more header field; NULL: none */
};

/* ADDRESS:PORT; no address: this machine. */
bool get_url_at(struct get_url *url, struct span address, struct span path, struct err *e);

/* http://ADDRESS[:PORT][/PATH][?QUERY]; the address as in net/address.h. */
bool get_url_parse(struct get_url *url, struct span text, struct err *e);

/* A path of the admin port that --admin names, or of the default one. */
bool get_url_admin(struct get_url *url, const struct cli *c, struct span path, struct err *e);

/* An answer came: its status, and its body is appended. False: none did. */
bool get_fetch(const struct get_url *url, msec_t timeout_ms, int *status, struct buf *body, struct err *e);

/* Takes an answer apart: the status, and the length of its head. False: it is none, or not a whole one. */
bool get_read_answer(struct span answer, int *status, size_t *head, struct err *e);

#endif
