/*
 * The head of an HTTP/1.1 request, checked strictly (RFC 9112): whatever two parsers could read in two ways is an
 * error, because a gateway sits exactly where smuggling matters. No I/O, nothing is copied: spans point into the
 * caller's buffer, and live as long as it is not moved.
 */
#ifndef SLUICE_HTTP_HEAD_H
#define SLUICE_HTTP_HEAD_H

#include "base/span.h"

#define HEAD_FIELDS_MAX 100

struct head_field {
	struct span name, value; /* value without the white space around it */
};

enum head_verdict {
	HEAD_DONE, /* *used is the length of the head with its empty line */
	HEAD_MORE, /* so far so good */
	HEAD_BAD   /* status and sentence say what */
};

struct request_head {
	struct span method, target, path, query; /* path: up to "?"; query: behind it, p == NULL without one */
	struct span host;                        /* of the target in absolute form, else the Host field */
	unsigned minor;                          /* HTTP/1.minor: 0 or 1 */
	bool keep_alive;                         /* by version and Connection */
	bool chunked;
	bool has_length;
	uint64_t content_length;
	bool expects_continue; /* and has a body to wait for */
	/* when HEAD_BAD: */
	int status; /* 400, 414, 417, 431, 501, 505 */
	const char *sentence;
	unsigned field_count;
	struct head_field fields[HEAD_FIELDS_MAX]; /* last, so that a head is made ready without clearing them */
};

/*
 * Parses `text` from its first byte; a few leading empty lines are skipped (RFC 9112, 2.2). Call it again with more
 * text after HEAD_MORE: *scanned remembers how far the search for the end has come (0 at first). `max` bounds the head:
 * 431, or 414 when not even the request line ends within it.
 */
enum head_verdict request_head_parse(
        struct span text, size_t max, size_t *scanned, struct request_head *head, size_t *used);

/* The value of the first field of that name (any case); SPAN_NONE without one. */
struct span head_get(const struct request_head *head, struct span name);

/* How often the field is there. */
unsigned head_count(const struct request_head *head, struct span name);

/* True if the comma-separated list `value` has `token`, without case; parameters behind ";" are ignored. */
bool list_has_token(struct span value, struct span token);

/* "Not Found" for 404. */
const char *status_phrase(int status);

#endif
