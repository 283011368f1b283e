#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/substitute.h"

static const char *const environment[] = { "NAME=ada", "EMPTY=", "QUOTE=a\"b\n{}", "NESTED=${NAME}", NULL };

static void test_placeholders_are_filled_in(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *result; } rows[] = {
		{ "",                      "" },
		{ "plain",                 "plain" },
		{ "${NAME}",               "ada" },
		{ "${env:NAME}",           "ada" },
		{ "a ${NAME}, b ${NAME}.", "a ada, b ada." },
		{ "${NAME}${EMPTY}${NAME}", "adaada" },
		{ "${NONE:-other}",        "other" },
		{ "${env:NONE:-other}",    "other" },
		{ "${EMPTY:-other}",       "other" },
		{ "${NAME:-other}",        "ada" },
		{ "${NONE:-}",             "" },
		{ "${NONE:-a:-b}",         "a:-b" },
		{ "${NONE:-http://x:1/}",  "http://x:1/" },
		{ "${QUOTE}",              "a\"b\n{}" },
		{ "${NESTED}",             "${NAME}" },
		{ "$${NAME}",              "${NAME}" },
		{ "$$${NAME}",             "$${NAME}" },
		{ "$NAME $ $$ $5 {NAME} }", "$NAME $ $$ $5 {NAME} }" },
		{ "$",                     "$" },
		{ "$${",                   "${" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a = { 0 };
		struct span out;
		struct err e;
		if (!substitute(&a, span_of(rows[i].text), environment, NULL, &out, &e))
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_span_is(out, span_of(rows[i].result));
		assert_int_equal(out.p[out.n], '\0');
		arena_free(&a);
	}
}

static void assert_fault(struct span text, const char *sentence)
{
	struct arena a = { 0 };
	struct span out;
	struct err e = { 0 };

	if (substitute(&a, text, environment, NULL, &out, &e) || strstr(e.text, sentence) == NULL)
		fail_msg("%.*s: \"%s\"", SPAN_ARG(text), e.text);
	arena_free(&a);
}

static void test_what_cannot_be_filled_in_is_told(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *sentence; } rows[] = {
		{ "${NONE}",              "the environment variable NONE is not set" },
		{ "${env:NONE}",          "the environment variable NONE is not set" },
		{ "a ${NAME",             "without its }" },
		{ "${",                   "without its }" },
		{ "${}",                  "wants a variable's name" },
		{ "${A B}",               "wants a variable's name" },
		{ "${NAME:+x}",           "wants a variable's name" },
		{ "${vscode:other}",      "wants a variable's name" },
		{ "${input:api-key}",     "nobody can be asked for ${input:api-key}" },
		{ "${file:relative}",     "starts with a slash" },
		{ "${file:}",             "starts with a slash" },
		{ "${file:/nonexistent}", "No such file" },
		{ "${file:/dev/null}",    "not a regular file" },
		{ "${file:/tmp}",         "not a regular file" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_fault(span_of(rows[i].text), rows[i].sentence);
	assert_fault(SPAN("a\0b"), "holds a NUL");
}

/* Writes the text into a file and expects it back; `sentence`: expects this fault instead. */
static void check_file(struct span text, struct span wanted, const char *sentence)
{
	char path[] = "/tmp/sluice-test-XXXXXX", value[64];
	int fd = mkstemp(path);
	struct arena a = { 0 };
	struct span out;
	struct err e;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	snprintf(value, sizeof(value), "<${file:%s}>", path);
	bool ok = substitute(&a, span_of(value), environment, NULL, &out, &e);
	if (sentence == NULL) {
		assert_true(ok);
		assert_span_is(out, wanted);
	} else {
		assert_false(ok);
		assert_non_null(strstr(e.text, sentence));
	}
	arena_free(&a);
	close(fd);
	unlink(path);
}

static void test_a_file_is_put_in_without_its_last_line_feed(void **state)
{
	(void)state;
	check_file(SPAN("secret\n"), SPAN("<secret>"), NULL);
	check_file(SPAN("a\n\n"), SPAN("<a\n>"), NULL);
	check_file(SPAN(""), SPAN("<>"), NULL);
	check_file(SPAN("\n"), SPAN("<>"), NULL);
	check_file(SPAN("${NAME}"), SPAN("<${NAME}>"), NULL);
	check_file(SPAN("a\0b"), SPAN(""), "holds a NUL");
}

static void test_a_file_that_is_too_large_is_refused(void **state)
{
	size_t n = SUBSTITUTE_MAX_BYTES + 1;
	char *text = test_malloc(n);

	(void)state;
	memset(text, 'x', n);
	check_file((struct span){ text, n }, SPAN(""), "larger than");
	check_file((struct span){ text, n - 1 }, SPAN(""), "longer than");
	test_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_placeholders_are_filled_in),
		cmocka_unit_test(test_what_cannot_be_filled_in_is_told),
		cmocka_unit_test(test_a_file_is_put_in_without_its_last_line_feed),
		cmocka_unit_test(test_a_file_that_is_too_large_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
