/*
 * The characters of HTTP, in one table: which byte may stand where. Shared by the parsers of this folder.
 */
#ifndef SLUICE_HTTP_GRAMMAR_H
#define SLUICE_HTTP_GRAMMAR_H

#include "base/span.h"

enum {
	CHAR_TOKEN = 1,  /* RFC 9110, 5.6.2: tchar */
	CHAR_VALUE = 2,  /* RFC 9110, 5.5: field-value; so no control character but the tab */
	CHAR_TARGET = 4, /* RFC 3986, 3.3 and 3.4, and []{}|^` which browsers leave as they are */
	CHAR_HOST = 8,   /* RFC 3986, 3.2.2: unreserved, which is all that registered names use */
	CHAR_HEX = 16,
};

extern const unsigned char http_chars[256];

static inline bool char_is(char c, unsigned char_class)
{
	return (http_chars[(unsigned char)c] & char_class) != 0;
}

/* True if all bytes are of the class; so for an empty span too. */
static inline bool span_is(struct span s, unsigned char_class)
{
	for (size_t i = 0; i < s.n; i++)
		if (!char_is(s.p[i], char_class))
			return false;
	return true;
}

#endif
