/*
 * A span is text by pointer and length: passed by value, owned by somebody else, never assumed to end in NUL.
 * All wire data travels as spans. A span lives as long as the buffer that it points into; a header that hands
 * one out says how long that is.
 */
#ifndef SLUICE_BASE_SPAN_H
#define SLUICE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(literal) ((struct span){ "" literal, sizeof(literal) - 1 })
#define SPAN_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

/* A span that is not there, as opposed to one that is empty. */
#define SPAN_NONE ((struct span){ NULL, 0 })

static inline struct span span_of(const char *text)
{
	return (struct span){ text, text != NULL ? strlen(text) : 0 };
}

/* The bytes from `from` up to, not including, `to`. */
static inline struct span span_between(const char *from, const char *to)
{
	return (struct span){ from, (size_t)(to - from) };
}

static inline const char *span_end(struct span s)
{
	return s.p + s.n;
}

static inline bool span_is_set(struct span s)
{
	return s.p != NULL;
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_starts(struct span s, struct span with)
{
	return s.n >= with.n && (with.n == 0 || memcmp(s.p, with.p, with.n) == 0);
}

static inline struct span span_skip(struct span s, size_t n)
{
	return n < s.n ? (struct span){ s.p + n, s.n - n } : (struct span){ span_end(s), 0 };
}

static inline struct span span_cut(struct span s, size_t n)
{
	return (struct span){ s.p, n < s.n ? n : s.n };
}

/* Where `c` stands first in `s`, or s.n. */
static inline size_t span_find(struct span s, char c)
{
	const char *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return at != NULL ? (size_t)(at - s.p) : s.n;
}

/* ASCII only, independent of the locale, as protocol tokens are. */
static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool span_same_nocase(struct span a, struct span b); /* of equal length */

/* The length decides nearly always, and so spares the call. */
static inline bool span_eq_nocase(struct span a, struct span b)
{
	return a.n == b.n && span_same_nocase(a, b);
}

/* Without the spaces and tabs at both ends. */
struct span span_trim(struct span s);

/* The part before the first `by`; *rest becomes what follows it. False when *rest was used up (p == NULL). */
bool span_next(struct span *rest, char by, struct span *part);

/* A decimal number without sign, space or leading garbage, at most `most`. */
bool span_to_u64(struct span s, uint64_t most, uint64_t *out);

/* A NUL-terminated copy from malloc, for system calls; NULL stays NULL. */
char *span_dup(struct span s);

/* A glob in which only `*` is special and stands for any run of bytes. Never backtracks more than pattern x text. */
bool span_glob(struct span pattern, struct span text);

#endif
