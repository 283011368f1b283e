#include "base/log_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define ESCAPE_MAX 8
#define PIECE_MAX 32
#define TAIL_MAX 32 /* kept for the end of a cut line: the dots, the quote, cut=true, the brace, the newline */

struct out {
	char *p;
	size_t n, most;
	bool json, cut;
};

static bool put(struct out *o, const char *p, size_t n)
{
	if (n > o->most - o->n)
		return false;
	memcpy(o->p + o->n, p, n);
	o->n += n;
	return true;
}

static bool put_str(struct out *o, const char *text)
{
	return put(o, text, strlen(text));
}

/* Short things only: keys, numbers, times. */
static bool __attribute__((format(printf, 2, 3), nonnull)) putf(struct out *o, const char *format, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < sizeof(text) && put(o, text, (size_t)n);
}

static size_t utf8_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc0 || first >= 0xf8)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The length of the character at the front, or 0 when it is not UTF-8 (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_take(struct span s, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s.p[0];
	size_t n = utf8_length(first);

	if (n == 0 || n > s.n)
		return 0;
	uint32_t c = n == 1 ? first : first & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return n;
}

/* C0, DEL and C1 drive terminals; U+2028 and U+2029 end lines; U+202A to E and U+2066 to 9 reorder what is shown. */
static bool is_harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* How the one character at the front is written: escaped, in `esc`, or (esc is "") as it stands. Returns its length. */
static size_t escape(struct span s, bool json, char esc[ESCAPE_MAX])
{
	uint32_t c = 0;
	size_t n = utf8_take(s, &c);

	esc[0] = '\0';
	if (n == 0) {
		snprintf(esc, ESCAPE_MAX, json ? "\\ufffd" : "\\x%02x", (unsigned char)s.p[0]);
		return 1;
	}
	if (c == '"' || c == '\\')
		snprintf(esc, ESCAPE_MAX, "\\%c", (char)c);
	else if (c == '\n' || c == '\t' || c == '\r')
		snprintf(esc, ESCAPE_MAX, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
	else if (is_harmful(c))
		snprintf(esc, ESCAPE_MAX, "\\u%04x", (unsigned)c & 0xffff);
	return n;
}

/* Takes a short run of plain characters, or one other, and returns how it is written. */
static struct span next_piece(struct span *s, bool json, char esc[ESCAPE_MAX])
{
	struct span from = *s;
	size_t n = 0;

	while (n < from.n && n < PIECE_MAX && is_plain(from.p[n]))
		n++;
	esc[0] = '\0';
	if (n == 0)
		n = escape(from, json, esc);
	*s = span_skip(from, n);
	return esc[0] != '\0' ? span_of(esc) : span_cut(from, n);
}

/* Cut near `most` bytes of output with three dots. The caller knows that there is room for these. */
static void put_escaped(struct out *o, struct span s, size_t most)
{
	size_t end = o->n + most;
	char esc[ESCAPE_MAX];

	while (s.n > 0) {
		struct span piece = next_piece(&s, o->json, esc);
		if (piece.n > end - o->n) {
			o->cut = true;
			put_str(o, "...");
			return;
		}
		put(o, piece.p, piece.n);
	}
}

/* What a value may take up: its own bound, and what is left before the tail. */
static size_t value_room(const struct out *o)
{
	size_t left = o->most > o->n + TAIL_MAX ? o->most - o->n - TAIL_MAX : 0;

	return left < LOG_VALUE_MAX ? left : LOG_VALUE_MAX;
}

static void put_quoted(struct out *o, struct span s)
{
	put_str(o, "\"");
	put_escaped(o, s, value_room(o));
	put_str(o, "\"");
}

static bool needs_quotes(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_plain(s.p[i]) || s.p[i] == ' ' || s.p[i] == '=')
			return true;
	return s.n == 0;
}

static void put_text(struct out *o, struct span s)
{
	if (o->json || needs_quotes(s))
		put_quoted(o, s);
	else
		put_escaped(o, s, value_room(o));
}

/*
 * Of valid JSON: a control character is white space between tokens, quotes and backslashes mean what they say, and all
 * else that is harmful stands inside a string.
 */
static struct span next_json_piece(struct span *s, char esc[ESCAPE_MAX])
{
	char c = s->p[0];

	if (c != '"' && c != '\\' && (unsigned char)c >= 0x20)
		return next_piece(s, true, esc);
	struct span one = (unsigned char)c < 0x20 ? SPAN(" ") : span_cut(*s, 1);
	*s = span_skip(*s, 1);
	return one;
}

/* It cannot be cut, so it is there as a whole or not at all. */
static void put_json(struct out *o, struct span s)
{
	size_t start = o->n, end = start + value_room(o);
	char esc[ESCAPE_MAX];

	while (s.n > 0) {
		struct span piece = next_json_piece(&s, esc);
		if (piece.n > end - o->n) {
			o->n = start;
			o->cut = true;
			put_str(o, "null");
			return;
		}
		put(o, piece.p, piece.n);
	}
}

static void put_value(struct out *o, const struct log_field *f)
{
	switch (f->type) {
	case FIELD_INT:
		putf(o, "%lld", (long long)f->number);
		return;
	case FIELD_BOOL:
		put_str(o, f->number != 0 ? "true" : "false");
		return;
	case FIELD_TEXT:
	case FIELD_JSON:
		if (!span_is_set(f->text))
			put_str(o, o->json ? "null" : "-");
		else if (f->type == FIELD_TEXT)
			put_text(o, f->text);
		else
			put_json(o, f->text);
	}
}

static void put_field(struct out *o, const struct log_field *f)
{
	if (strlen(f->key) + 32 > value_room(o)) { /* 32: the marks around it, and the longest number */
		o->cut = true;
		return;
	}
	putf(o, o->json ? ",\"%s\":" : " %s=", f->key);
	put_value(o, f);
}

static void put_time(struct out *o, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	putf(o, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	        tm.tm_min, tm.tm_sec, (int)(wall_ms % 1000));
}

static void put_head_json(struct out *o, const struct log_line *line)
{
	put_str(o, "{\"ts\":\"");
	put_time(o, line->wall_ms);
	putf(o, "\",\"level\":\"%s\"", log_level_name(line->level));
	put_field(o, &F_STR("event", line->event));
	put_field(o, &F_STR("msg", line->msg));
}

static void put_head_text(struct out *o, const struct log_line *line)
{
	put_time(o, line->wall_ms);
	putf(o, " %-5s ", log_level_name(line->level));
	put_escaped(o, span_of(line->msg), value_room(o));
	put_str(o, " ");
	put_field(o, &F_STR("event", line->event));
}

size_t log_line_format(char out[LOG_LINE_MAX], enum log_format format, const struct log_line *line)
{
	struct out o = { .p = out, .most = LOG_LINE_MAX, .json = format == LOG_JSON };

	if (o.json)
		put_head_json(&o, line);
	else
		put_head_text(&o, line);
	if (line->module != NULL)
		put_field(&o, &F_STR("module", line->module));
	if (line->about != NULL && line->about->key != NULL)
		put_field(&o, line->about);
	for (size_t i = 0; i < line->n; i++)
		put_field(&o, &line->fields[i]);
	if (o.cut)
		put_str(&o, o.json ? ",\"cut\":true" : " cut=true");
	put_str(&o, o.json ? "}\n" : "\n");
	return o.n;
}
