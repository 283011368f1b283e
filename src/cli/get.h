/*
 * One GET over HTTP or HTTPS, for commands that ask a gateway how it is. It blocks, with one limit for all of it: such
 * a command has nothing else to do. HTTP/1.0, so that the body ends with the connection and is never chunked.
 *
 * A loopback address is this machine, and what it shows is taken as it is, unless authorities are named: certificates
 * are made out to how a gateway is called from elsewhere.
 */
#ifndef SLUICE_CLI_GET_H
#define SLUICE_CLI_GET_H

#include "base/buf.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "net/address.h"
#include "net/tls.h"

#define GET_BYTES_MAX ((size_t)64 << 20)

/* What to get. The path points into the text that was parsed. */
struct get_url {
	struct address address;
	char host[ADDRESS_TEXT_MAX]; /* for the Host field */
	struct span path;            /* with the query, if any */
	const char *field;           /* "Name: value" of one more header field; NULL: none */
	bool tls;
	char name[ADDRESS_TEXT_MAX]; /* that the certificate must be for */
	struct tls_client_conf trust;
};

/* ADDRESS:PORT; no address: this machine. */
bool get_url_at(struct get_url *url, struct span address, struct span path, struct err *e);

/* http://ADDRESS[:PORT][/PATH][?QUERY], or https://; the address as in net/address.h. */
bool get_url_parse(struct get_url *url, struct span text, struct err *e);

/* What --ca, --cert and --key say. */
void get_url_trust(struct get_url *url, const struct cli *c);

/* A path of the admin port that --admin names, or of the default one; with `https://` before the address over TLS. With
 * what get_url_trust does. */
bool get_url_admin(struct get_url *url, const struct cli *c, struct span path, struct err *e);

/* An answer came: its status, and its body is appended. False: none did. */
bool get_fetch(const struct get_url *url, msec_t timeout_ms, int *status, struct buf *body, struct err *e);

/* Takes an answer apart: the status, and the length of its head. False: it is none, or not a whole one. */
bool get_read_answer(struct span answer, int *status, size_t *head, struct err *e);

#endif
