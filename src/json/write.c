#include "json/write.h"

#include "json/chars.h"

/* A comma if one is due, and one is due after what follows. */
static void begin_value(struct json_writer *w)
{
	if (w->comma)
		buf_add_char(w->out, ',');
	w->comma = true;
}

struct json_writer json_writer(struct buf *out)
{
	return (struct json_writer){ .out = out };
}

void json_open(struct json_writer *w, char bracket)
{
	begin_value(w);
	buf_add_char(w->out, bracket);
	w->comma = false;
}

void json_close(struct json_writer *w, char bracket)
{
	buf_add_char(w->out, bracket);
	w->comma = true;
}

void json_key(struct json_writer *w, const char *key)
{
	json_key_span(w, span_of(key));
}

void json_key_span(struct json_writer *w, struct span key)
{
	json_text(w, key);
	buf_add_char(w->out, ':');
	w->comma = false;
}

void json_text(struct json_writer *w, struct span text)
{
	begin_value(w);
	json_put_string(w->out, text);
}

void json_int(struct json_writer *w, int64_t value)
{
	begin_value(w);
	if (value < 0)
		buf_add_char(w->out, '-');
	buf_add_u64(w->out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_bool(struct json_writer *w, bool value)
{
	json_raw(w, value ? SPAN("true") : SPAN("false"));
}

void json_null(struct json_writer *w)
{
	json_raw(w, SPAN("null"));
}

void json_raw(struct json_writer *w, struct span json)
{
	begin_value(w);
	buf_add(w->out, json);
}

void json_member_text(struct json_writer *w, const char *key, struct span text)
{
	json_key(w, key);
	json_text(w, text);
}

void json_member_int(struct json_writer *w, const char *key, int64_t value)
{
	json_key(w, key);
	json_int(w, value);
}

void json_member_bool(struct json_writer *w, const char *key, bool value)
{
	json_key(w, key);
	json_bool(w, value);
}

void json_member_raw(struct json_writer *w, const char *key, struct span json)
{
	json_key(w, key);
	json_raw(w, json);
}

static void put_escape(struct buf *out, char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char with_letter[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = memchr(with_letter, c, sizeof(with_letter) - 1);

	buf_add_char(out, '\\');
	if (at != NULL) {
		buf_add_char(out, letters[at - with_letter]);
		return;
	}
	buf_add(out, SPAN("u00"));
	buf_add_char(out, hex[(unsigned char)c >> 4]);
	buf_add_char(out, hex[(unsigned char)c & 15]);
}

void json_put_string(struct buf *out, struct span text)
{
	const char *p = text.n > 0 ? text.p : "", *end = p + text.n;

	buf_add_char(out, '"');
	while (p < end) {
		const char *special = json_skip_plain(p, end);
		buf_add(out, span_between(p, special));
		p = special;
		if (p == end)
			break;
		size_t n = utf8_size(p, end);
		if (n == 0)
			buf_add(out, SPAN(UTF8_REPLACEMENT));
		else if (n == 1)
			put_escape(out, *p);
		else
			buf_add(out, (struct span){ p, n });
		p += n > 0 ? n : 1;
	}
	buf_add_char(out, '"');
}
