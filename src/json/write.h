/*
 * Writes JSON into a buffer: commas and quotes are its business, so that call sites read as the text they make.
 *
 *	struct json_writer w = json_writer(&buf);
 *	json_open(&w, '{');
 *	json_key(&w, "code"), json_int(&w, -32603);
 *	json_key(&w, "data"), json_open(&w, '{'), json_member_text(&w, "reason", name), json_close(&w, '}');
 *	json_close(&w, '}');
 */
#ifndef SLUICE_JSON_WRITE_H
#define SLUICE_JSON_WRITE_H

#include "base/buf.h"

struct json_writer {
	struct buf *out;
	bool comma; /* one is due before the next value or key */
};

struct json_writer json_writer(struct buf *out);

void json_open(struct json_writer *w, char bracket);  /* '{' or '[' */
void json_close(struct json_writer *w, char bracket); /* '}' or ']' */
void json_key(struct json_writer *w, const char *key);
void json_key_span(struct json_writer *w, struct span key);
void json_text(
        struct json_writer *w, struct span text); /* as a string, escaped; bytes that are no UTF-8 become U+FFFD */
void json_int(struct json_writer *w, int64_t value);
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
void json_raw(struct json_writer *w, struct span json); /* a value that is JSON already */

/* Key and value in one go. */
void json_member_text(struct json_writer *w, const char *key, struct span text);
void json_member_int(struct json_writer *w, const char *key, int64_t value);
void json_member_bool(struct json_writer *w, const char *key, bool value);
void json_member_raw(struct json_writer *w, const char *key, struct span json);

/* A bare string literal with its quotes, without a writer. */
void json_put_string(struct buf *out, struct span text);

#endif
