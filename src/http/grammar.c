#include "http/grammar.h"

#define T CHAR_TOKEN
#define V CHAR_VALUE
#define R CHAR_TARGET
#define H CHAR_HOST
#define X CHAR_HEX

/* clang-format off */
const unsigned char http_chars[256] = {
	['\t'] = V,          [' '] = V,           ['!'] = T | V | R,   ['"'] = V,           ['#'] = T | V,
	['$'] = T | V | R,   ['%'] = T | V | R,   ['&'] = T | V | R,   ['\''] = T | V | R,  ['('] = V | R,
	[')'] = V | R,       ['*'] = T | V | R,   ['+'] = T | V | R,   [','] = V | R,       ['-'] = T | V | R | H,
	['.'] = T | V | R | H, ['/'] = V | R,     [':'] = V | R,       [';'] = V | R,       ['<'] = V,
	['='] = V | R,       ['>'] = V,           ['?'] = V | R,       ['@'] = V | R,       ['['] = V | R,
	['\\'] = V,          [']'] = V | R,       ['^'] = T | V | R,   ['_'] = T | V | R | H, ['`'] = T | V | R,
	['{'] = V | R,       ['|'] = T | V | R,   ['}'] = V | R,       ['~'] = T | V | R | H,
	['0' ... '9'] = T | V | R | H | X,
	['A' ... 'F'] = T | V | R | H | X,        ['G' ... 'Z'] = T | V | R | H,
	['a' ... 'f'] = T | V | R | H | X,        ['g' ... 'z'] = T | V | R | H,
	[0x80 ... 0xff] = V, /* obs-text */
};
/* clang-format on */
