#include "http/chunked.h"

#include "http/grammar.h"

#define LINE_MAX_BYTES 1024 /* a chunk's size with its extensions */
#define TRAILER_MAX_BYTES 8192
#define SIZE_MAX_DIGITS 16 /* of 64 bits */

enum state {
	SIZE,       /* the first digit of a chunk's size */
	SIZE_MORE,  /* more digits */
	EXTENSION,  /* skipped */
	SIZE_LF,    /* the LF behind the size */
	DATA,       /* of the chunk, not read by the table */
	DATA_CR,    /* the CR behind it */
	DATA_LF,    /* the LF behind it */
	TRAILER,    /* the beginning of a trailer field or of the empty line */
	NAME,       /* of a trailer field */
	VALUE,      /* of a trailer field */
	TRAILER_LF, /* the LF behind it */
	END_LF,     /* the LF of the empty line */
	DONE,
	BAD,
	STATES
};

enum class { HEX, TOKEN, COLON, SEMI, BLANK, CR, LF, TEXT, CONTROL, CLASSES };

/* clang-format off */
/* No white space around the size, and each line ends in CRLF: what is lenient here splits requests elsewhere. */
static const unsigned char next_state[STATES][CLASSES] = {
	/*                HEX        TOKEN      COLON      SEMI       BLANK      CR          LF       TEXT       CONTROL */
	[SIZE]       = { SIZE_MORE, BAD,       BAD,       BAD,       BAD,       BAD,        BAD,     BAD,       BAD },
	[SIZE_MORE]  = { SIZE_MORE, BAD,       BAD,       EXTENSION, BAD,       SIZE_LF,    BAD,     BAD,       BAD },
	[EXTENSION]  = { EXTENSION, EXTENSION, EXTENSION, EXTENSION, EXTENSION, SIZE_LF,    BAD,     EXTENSION, BAD },
	[SIZE_LF]    = { BAD,       BAD,       BAD,       BAD,       BAD,       BAD,        DATA,    BAD,       BAD },
	[DATA]       = { BAD,       BAD,       BAD,       BAD,       BAD,       BAD,        BAD,     BAD,       BAD },
	[DATA_CR]    = { BAD,       BAD,       BAD,       BAD,       BAD,       DATA_LF,    BAD,     BAD,       BAD },
	[DATA_LF]    = { BAD,       BAD,       BAD,       BAD,       BAD,       BAD,        SIZE,    BAD,       BAD },
	[TRAILER]    = { NAME,      NAME,      BAD,       BAD,       BAD,       END_LF,     BAD,     BAD,       BAD },
	[NAME]       = { NAME,      NAME,      VALUE,     BAD,       BAD,       BAD,        BAD,     BAD,       BAD },
	[VALUE]      = { VALUE,     VALUE,     VALUE,     VALUE,     VALUE,     TRAILER_LF, BAD,     VALUE,     BAD },
	[TRAILER_LF] = { BAD,       BAD,       BAD,       BAD,       BAD,       BAD,        TRAILER, BAD,       BAD },
	[END_LF]     = { BAD,       BAD,       BAD,       BAD,       BAD,       BAD,        DONE,    BAD,       BAD },
	[DONE]       = { BAD,       BAD,       BAD,       BAD,       BAD,       BAD,        BAD,     BAD,       BAD },
	[BAD]        = { BAD,       BAD,       BAD,       BAD,       BAD,       BAD,        BAD,     BAD,       BAD },
};
/* clang-format on */

static enum class class_of(char c) {
	switch (c){
		case ':' : return COLON; case ';' : return SEMI; case ' ' : case '\t' : return BLANK;
		case '\r' : return CR;
		case '\n' : return LF;
		default : break;
	}
if (char_is(c, CHAR_HEX)) return HEX;
if (char_is(c, CHAR_TOKEN))
	return TOKEN;
return char_is(c, CHAR_VALUE) ? TEXT : CONTROL;
}

static uint64_t hex_value(char c)
{
	return (uint64_t)(c <= '9' ? c - '0' : ascii_lower(c) - 'a' + 10);
}

/* False when the byte takes its line, its number or the trailers over their bound. */
static bool count_byte(struct chunked *c, char byte)
{
	switch (c->state) {
	case SIZE_MORE:
		c->left = c->left << 4 | hex_value(byte);
		return ++c->line <= SIZE_MAX_DIGITS;
	case EXTENSION:
		return ++c->line <= LINE_MAX_BYTES;
	case NAME:
	case VALUE:
		return ++c->trailer <= TRAILER_MAX_BYTES;
	default:
		return true;
	}
}

static void step(struct chunked *c, char byte)
{
	c->state = next_state[c->state][class_of(byte)];
	if (!count_byte(c, byte))
		c->state = BAD;
	if (c->state == SIZE)
		c->left = c->line = 0;
	if (c->state == DATA && c->left == 0)
		c->state = TRAILER;
}

static void take_data(struct chunked *c, struct span *in, struct span *data)
{
	*data = c->left < in->n ? span_cut(*in, (size_t)c->left) : *in;
	*in = span_skip(*in, data->n);
	c->left -= data->n;
	if (c->left == 0)
		c->state = DATA_CR;
}

enum chunked_verdict chunked_next(struct chunked *c, struct span *in, struct span *data)
{
	while (in->n > 0 && c->state != DONE && c->state != BAD) {
		if (c->state == DATA) {
			take_data(c, in, data);
			return CHUNKED_DATA;
		}
		step(c, in->p[0]);
		*in = span_skip(*in, 1);
	}
	if (c->state == DONE)
		return CHUNKED_DONE;
	return c->state == BAD ? CHUNKED_BAD : CHUNKED_MORE;
}

void chunked_put_head(struct buf *out, size_t size)
{
	char text[SIZE_MAX_DIGITS + 2];
	size_t at = sizeof(text);

	text[--at] = '\n';
	text[--at] = '\r';
	do {
		text[--at] = "0123456789abcdef"[size & 15];
		size >>= 4;
	} while (size > 0);
	buf_add(out, (struct span){ text + at, sizeof(text) - at });
}
