/*
 * C strings as configurations have them: NULL when there is none, and NULL-terminated arrays of them, which may be
 * NULL too.
 */
#ifndef SLUICE_BASE_CSTR_H
#define SLUICE_BASE_CSTR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool cstr_eq(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* An empty array is another than none. */
static inline bool cstrs_eq(const char *const *a, const char *const *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	while (*a != NULL && cstr_eq(*a, *b)) {
		a++;
		b++;
	}
	return *a == *b; /* both at their end */
}

#endif
