/*
 * The body of an HTTP answer as a stream of JSON texts: in practice one, but there are servers that write several, one
 * behind the other, and leave the body open. Finds where each ends, by brackets and quotes alone; whether it is valid
 * is for its reader to say. Objects and arrays only, as every message is one or the other. A byte order mark at the beginning
 * of the body is passed over (RFC 8259, 8.1).
 */
#ifndef SLUICE_BACKEND_JSON_TEXTS_H
#define SLUICE_BACKEND_JSON_TEXTS_H

#include "base/buf.h"

/* Zeroed is at the beginning. */
struct json_texts {
	struct buf text; /* the beginning of one whose end has not come */
	size_t depth;
	bool quoted, escaped;
	bool told;     /* the text in the buffer is one that the caller has had */
	bool begun;    /* it is not the time for a byte order mark any more */
	unsigned mark; /* so many bytes of it have come */
};

enum json_texts_got {
	JSON_TEXTS_MORE,      /* all of *in is taken */
	JSON_TEXTS_TEXT,      /* *text is valid until the next call; call again for the rest of *in */
	JSON_TEXTS_TOO_LARGE, /* this and the next one are final */
	JSON_TEXTS_GARBAGE    /* something else than an object or an array begins */
};

/* Takes bytes from the front of *in. A text in one piece is not copied. */
enum json_texts_got json_texts_next(struct json_texts *t, struct span *in, size_t max, struct span *text);

/* At the end of the body: true when it ends in the middle of a text. */
bool json_texts_is_open(const struct json_texts *t);
void json_texts_clear(struct json_texts *t);

#endif
