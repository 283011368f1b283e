/*
 * The characters of JSON strings, shared by the scanner and the writer: what may stand in a string as it is, what the
 * escapes mean, and UTF-8 checked strictly (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
#ifndef SLUICE_JSON_CHARS_H
#define SLUICE_JSON_CHARS_H

#include <endian.h>

#include "base/span.h"

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define UTF8_SIZE_MAX 4

/* ASCII that needs no care: no quote, no backslash, no control character. */
static inline bool json_is_plain(char c)
{
	unsigned char byte = (unsigned char)c;

	return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/*
 * Marks the bytes of a word that are not plain in their top bits. A byte is marked if it has its top bit set, or if one
 * of the subtractions borrows: from zero (the quote and the backslash, after the XOR) or from a control character. A
 * borrow can mark the bytes above it wrongly; so only the lowest mark counts.
 */
static inline uint64_t json_mark_special(uint64_t word)
{
	const uint64_t ones = UINT64_MAX / 255;

	return (((word ^ ones * '"') - ones) | ((word ^ ones * '\\') - ones) | (word - ones * 0x20) | word) & ones << 7;
}

/* The first byte from `p` on that is not plain, or `end`; eight bytes at a time. */
static inline const char *json_skip_plain(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t word;
		memcpy(&word, p, sizeof(word));
		uint64_t special = json_mark_special(le64toh(word));
		if (special != 0)
			return p + __builtin_ctzll(special) / 8;
	}
	while (p < end && json_is_plain(*p))
		p++;
	return p;
}

/* How many bytes the character at `p` has, or 0 if it is not valid. There is at least one byte. */
static inline size_t utf8_size(const char *p, const char *end)
{
	const unsigned char *c = (const unsigned char *)p;
	size_t room = (size_t)(end - p);

	if (c[0] < 0x80)
		return 1;
	if (c[0] < 0xC2 || room < 2 || (c[1] & 0xC0) != 0x80)
		return 0;
	if (c[0] < 0xE0)
		return 2;
	if (room < 3 || (c[2] & 0xC0) != 0x80)
		return 0;
	if (c[0] < 0xF0) {
		bool overlong = c[0] == 0xE0 && c[1] < 0xA0;
		bool surrogate = c[0] == 0xED && c[1] > 0x9F;
		return overlong || surrogate ? 0 : 3;
	}
	if (room < 4 || (c[3] & 0xC0) != 0x80)
		return 0;
	bool overlong = c[0] == 0xF0 && c[1] < 0x90;
	bool beyond = c[0] > 0xF4 || (c[0] == 0xF4 && c[1] > 0x8F);
	return overlong || beyond ? 0 : 4;
}

/* Writes a code point that is not a surrogate; returns how many bytes. */
static inline size_t utf8_put(char out[UTF8_SIZE_MAX], uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3F));
	out[0] = (char)((0xF00 >> n & 0xFF) | code);
	return n;
}

/* True for what may stand behind a backslash, but for the `u`. */
bool json_is_short_escape(char c);

/* Its value, or -1. */
int json_hex_digit(char c);

/*
 * Decodes the escape at *at, which is known to be valid, and moves *at behind it. Two that are a surrogate pair count
 * as one, a lone surrogate is U+FFFD. Returns how many bytes.
 */
size_t json_decode_escape(const char **at, const char *end, char out[UTF8_SIZE_MAX]);

#endif
