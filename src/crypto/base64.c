#include "crypto/base64.h"

/* The value of a digit, or -1; `last` are the two digits in which the alphabets differ. */
static int digit_value(char c, const char last[2])
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == last[0])
		return 62;
	return c == last[1] ? 63 : -1;
}

static bool decode(struct span text, const char last[2], struct buf *out)
{
	if (text.n % 4 == 1)
		return false;
	unsigned char *to = (unsigned char *)buf_reserve(out, text.n / 4 * 3 + 2);
	uint32_t word = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int value = digit_value(text.p[i], last);
		if (value < 0)
			return false;
		word = word << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			to[n++] = (unsigned char)(word >> bits);
		}
	}
	if ((word & ((1u << bits) - 1)) != 0)
		return false;
	buf_added(out, n);
	return true;
}

bool base64_decode(struct span text, struct buf *out)
{
	size_t n = text.n;

	if (n % 4 != 0)
		return false;
	while (n > 0 && text.n - n < 2 && text.p[n - 1] == '=')
		n--;
	return decode(span_cut(text, n), "+/", out);
}

bool base64url_decode(struct span text, struct buf *out)
{
	return decode(text, "-_", out);
}

static void encode(struct span bytes, const char *digits, struct buf *out)
{
	char *to = buf_reserve(out, bytes.n / 3 * 4 + 3);
	uint32_t word = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < bytes.n; i++) {
		word = word << 8 | (unsigned char)bytes.p[i];
		for (bits += 8; bits >= 6; bits -= 6)
			to[n++] = digits[word >> (bits - 6) & 63];
	}
	if (bits > 0)
		to[n++] = digits[word << (6 - bits) & 63];
	buf_added(out, n);
}

void base64_encode(struct span bytes, struct buf *out)
{
	encode(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", out);
	for (size_t n = bytes.n; n % 3 != 0; n++)
		buf_add_char(out, '=');
}

void base64url_encode(struct span bytes, struct buf *out)
{
	encode(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", out);
}
