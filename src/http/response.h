/*
 * The head of an HTTP/1.1 response, as strict as that of a request (http/head.h) and for the same reason: a body whose
 * end two parsers could see in two places is an error. No I/O, nothing is copied: spans point into the caller's buffer.
 */
#ifndef SLUICE_HTTP_RESPONSE_H
#define SLUICE_HTTP_RESPONSE_H

#include "http/head.h"

struct response_head {
	int status; /* 100 to 599 */
	struct span reason;
	unsigned minor;  /* HTTP/1.minor: 0 or 1 */
	bool keep_alive; /* by version and Connection */
	bool chunked;
	bool has_length;
	uint64_t content_length;
	const char *sentence; /* when HEAD_BAD */
	unsigned field_count;
	struct head_field fields[HEAD_FIELDS_MAX]; /* last, so that a head is made ready without clearing them */
};

/*
 * Parses `text` from its first byte. Call it again with more text after HEAD_MORE: *scanned remembers how far the
 * search for the end has come (0 at first). `max` bounds the head. HEAD_DONE: *used is its length.
 */
enum head_verdict response_head_parse(
        struct span text, size_t max, size_t *scanned, struct response_head *head, size_t *used);

/* How the body ends (RFC 9112, 6.3). */
enum response_body { RESPONSE_NO_BODY, RESPONSE_LENGTH, RESPONSE_CHUNKED, RESPONSE_UNTIL_CLOSE };
enum response_body response_body(const struct response_head *head, bool answers_head);

/* The value of the first field of that name (any case); SPAN_NONE without one. */
struct span response_get(const struct response_head *head, struct span name);

#endif
