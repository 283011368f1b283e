/*
 * Absolute http and https URLs (RFC 3986, 3 and RFC 9110, 4.2), taken apart strictly: what two parsers could read in
 * two ways is a fault with a sentence. Nothing is copied or decoded: spans point into the text.
 */
#ifndef SLUICE_HTTP_URL_H
#define SLUICE_HTTP_URL_H

#include "base/buf.h"
#include "base/err.h"

struct url {
	bool secure;          /* https */
	struct span host;     /* a name or an address; an IPv6 address without its brackets */
	bool is_v6;           /* it had brackets */
	unsigned port;        /* the scheme's own when the text names none */
	struct span userinfo; /* "user:password" in front of the host; SPAN_NONE without */
	struct span path;     /* begins with "/"; "/" when the text has none */
	struct span query;    /* behind the "?"; SPAN_NONE without */
};

/* RFC 3986, 3.2 without user information: host [ ":" port ], where the port may be empty. False for anything else. */
struct authority {
	struct span host; /* without brackets */
	bool is_v6;
	struct span port; /* "" when it is empty, SPAN_NONE without a colon */
	uint64_t port_number;
};
bool authority_parse(struct span text, struct authority *a);

/* A "%" without two hexadecimal digits behind it. */
bool url_has_bad_escape(struct span text);

/* A fragment is a fault. Whether user information is welcome is the caller's to say. */
bool url_parse(struct span text, struct url *u, struct err *e);

/* The same for what people write for proxies: without a scheme it is http. */
bool url_parse_lenient(struct span text, struct url *u, struct err *e);

/*
 * `reference` (absolute, "//host/path", "/path", "path" or "?query") as seen from `base`, RFC 3986, 5.2: *u has its
 * parts, whose spans point into `text`, which is filled with the whole, or into those of `base`.
 */
bool url_resolve(const struct url *base, struct span reference, struct buf *text, struct url *u, struct err *e);

/* True when scheme, host and port are the same: what is allowed towards the one is allowed towards the other. */
bool url_same_origin(const struct url *a, const struct url *b);

/* Appends "host", "host:port" or "[address]:port": the port only when it is not the scheme's own, or `with_port`. */
void url_put_authority(struct buf *out, const struct url *u, bool with_port);

/* Appends the path with its query, as it goes into a request line. */
void url_put_target(struct buf *out, const struct url *u);

#endif
