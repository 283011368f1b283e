#include "base/buf.h"

#include "backend/help_private.h"

#define TAB 8

struct cleaner {
	struct buf out;
	size_t line;   /* where the present line begins in `out` */
	size_t column; /* in characters */
	bool titled;   /* it is the upper edge of a frame */
};

static void put(struct cleaner *c, char byte)
{
	buf_add_char(&c->out, byte);
	c->column += ((unsigned char)byte & 0xC0) != 0x80;
}

/* Upper edge of a frame: its title is a heading. */
static void end_title(struct cleaner *c)
{
	struct span line = span_skip(buf_span(&c->out), c->line);
	struct span title = span_trim(line);

	if (title.n > 0)
		memmove(c->out.mem + c->out.from + c->line, title.p, title.n);
	c->out.to = c->out.from + c->line + title.n;
	if (title.n > 0)
		buf_add_char(&c->out, ':');
}

static void end_line(struct cleaner *c)
{
	if (c->titled)
		end_title(c);
	buf_add_char(&c->out, '\n');
	c->line = buf_size(&c->out);
	c->column = 0;
	c->titled = false;
}

static void put_tab(struct cleaner *c)
{
	size_t n = TAB - c->column % TAB;

	for (n = n < 2 ? 2 : n; n > 0; n--)
		put(c, ' ');
}

/* Bold and underlined text of printers: a character, a backspace, a character. */
static void step_back(struct cleaner *c)
{
	bool more = buf_size(&c->out) > c->line;

	c->column -= more && c->column > 0;
	while (more) {
		c->out.to--;
		more = ((unsigned char)c->out.mem[c->out.to] & 0xC0) == 0x80 && buf_size(&c->out) > c->line;
	}
}

/* How long an escape sequence is: CSI up to its final byte, OSC up to BEL or ST, others two bytes (ECMA-48). */
static size_t escape_size(struct span s)
{
	size_t n = 2;

	if (s.n < 2)
		return s.n;
	if (s.p[1] == '[') {
		while (n < s.n && (s.p[n] < 0x40 || s.p[n] > 0x7E) && s.p[n] != '\n')
			n++;
		return n < s.n && s.p[n] != '\n' ? n + 1 : n;
	}
	if (s.p[1] != ']')
		return n;
	while (n < s.n && s.p[n] != '\a' && s.p[n] != '\033' && s.p[n] != '\n')
		n++;
	if (n < s.n && s.p[n] == '\033')
		return n + 1 < s.n && s.p[n + 1] == '\\' ? n + 2 : n;
	return n < s.n && s.p[n] == '\a' ? n + 1 : n;
}

/* U+2500 to U+257F draw frames. */
static bool is_frame(struct span s)
{
	return s.n >= 3 && s.p[0] == '\xE2' && (s.p[1] == '\x94' || s.p[1] == '\x95');
}

/* Returns how many bytes it has used, at least one. */
static size_t clean_one(struct cleaner *c, struct span s)
{
	char byte = s.p[0];

	if (byte == '\n')
		end_line(c);
	else if (byte == '\t')
		put_tab(c);
	else if (byte == '\b')
		step_back(c);
	else if (byte == '\033')
		return escape_size(s);
	else if (is_frame(s)) {
		c->titled |= s.p[1] == '\x95' && s.p[2] == '\xAD';
		put(c, ' ');
		return 3;
	} else if ((unsigned char)byte >= 0x20 && byte != 0x7F)
		put(c, byte);
	return 1;
}

struct span help_clean(struct arena *a, struct span raw)
{
	struct cleaner c = { 0 };

	raw = span_cut(raw, HELP_BYTES_MAX);
	while (raw.n > 0 && buf_size(&c.out) < HELP_BYTES_MAX)
		raw = span_skip(raw, clean_one(&c, raw));
	end_line(&c);
	struct span clean = arena_copy(a, buf_span(&c.out));
	buf_free(&c.out);
	return clean;
}
