/* What every unit test includes: cmocka and its prerequisites, in the order that it wants them. */
#ifndef SLUICE_TESTS_UNIT_H
#define SLUICE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"

/* cmocka does not say that it jumps away. */
void _fail(const char *file, int line) __attribute__((noreturn)); /* NOLINT(readability-redundant-declaration) */

#define assert_span(actual, literal) assert_span_is((actual), SPAN(literal))

static inline void assert_span_is(struct span actual, struct span wanted)
{
	if (!span_eq(actual, wanted))
		fail_msg("got \"%.*s\", wanted \"%.*s\"", SPAN_ARG(actual), SPAN_ARG(wanted));
}

static inline bool span_has(struct span text, const char *part)
{
	return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

#endif
