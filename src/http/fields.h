/*
 * Private to this folder: what the heads of requests and responses have in common. Where a head ends, its field lines
 * (RFC 9112, 5), and those fields that say how the body ends and whether the connection goes on.
 */
#ifndef SLUICE_HTTP_FIELDS_H
#define SLUICE_HTTP_FIELDS_H

#include "http/head.h"

struct fields {
	struct head_field *at; /* room for HEAD_FIELDS_MAX */
	unsigned count;
	unsigned minor; /* of the version; set it and keep_alive before the first line */
	bool keep_alive, chunked, has_length;
	uint64_t content_length;
	int status; /* what a request with this fault is answered with */
	const char *sentence;
};

/* Each returns false, and says why in status and sentence, when something is wrong. */

/* "HTTP/1.1" or "HTTP/1.0". */
bool fields_take_version(struct fields *f, struct span text);

/* The end of the head is an empty line behind some lines; *end stays 0 while it is not there. */
bool fields_find_end(struct fields *f, struct span text, size_t *scanned, size_t *end);

/* One field line, without its CRLF: it is added, and heard if it has a meaning for body or connection. */
bool fields_take_line(struct fields *f, struct span line);

/* When all lines have been taken. */
bool fields_check(struct fields *f);

bool fields_fault(struct fields *f, int status, const char *sentence);

/* Takes the next line of a text in which each LF is known to end a CRLF. */
struct span fields_next_line(struct span *text);

struct span fields_get(const struct head_field *at, unsigned count, struct span name);

#endif
