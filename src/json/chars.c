#include "json/chars.h"

/* What may stand behind a backslash, and what it means; \u is not in the list. */
static const char escapes[] = "\"\\/bfnrt";
static const char escapes_mean[] = "\"\\/\b\f\n\r\t";

static const char *find_escape(char c)
{
	return memchr(escapes, c, sizeof(escapes) - 1);
}

bool json_is_short_escape(char c)
{
	return find_escape(c) != NULL;
}

int json_hex_digit(char c)
{
	char lower = ascii_lower(c);

	if (c >= '0' && c <= '9')
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static uint32_t hex4(const char *p)
{
	uint32_t code = 0;

	for (int i = 0; i < 4; i++)
		code = code << 4 | (uint32_t)(json_hex_digit(p[i]) & 15);
	return code;
}

size_t json_decode_escape(const char **at, const char *end, char out[UTF8_SIZE_MAX])
{
	const char *p = *at + 1;

	if (*p != 'u') {
		*at = p + 1;
		out[0] = escapes_mean[find_escape(*p) - escapes];
		return 1;
	}
	uint32_t code = hex4(p + 1);
	p += 5;
	bool pair = code >> 10 == 0xD800 >> 10 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
	            hex4(p + 2) >> 10 == 0xDC00 >> 10;
	if (pair) {
		code = 0x10000 + ((code & 0x3FF) << 10 | (hex4(p + 2) & 0x3FF));
		p += 6;
	} else if (code >> 11 == 0xD800 >> 11) {
		code = 0xFFFD;
	}
	*at = p;
	return utf8_put(out, code);
}
