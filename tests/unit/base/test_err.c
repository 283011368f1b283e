#include "unit.h"

#include <errno.h>

#include "base/err.h"

static void test_context_goes_in_front_and_the_errno_is_kept(void **state)
{
	struct err e = { .sys = 99 };

	(void)state;
	assert_false(err_set(&e, "only %d", 3));
	assert_string_equal(e.text, "only 3");
	assert_int_equal(e.sys, 0);
	errno = ENOENT;
	assert_false(err_sys(&e, "cwd %s", "/x"));
	assert_false(err_wrap(&e, "server %s", "github"));
	assert_string_equal(e.text, "server github: cwd /x: No such file or directory");
	assert_int_equal(e.sys, ENOENT);
}

static void test_what_is_too_long_is_cut_at_its_end(void **state)
{
	struct err e;
	char wide[2 * ERR_TEXT_MAX];

	(void)state;
	memset(wide, 'x', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	err_set(&e, "%s", wide);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	err_wrap(&e, "context");
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(e.text, "context: xxx", 12);
	errno = EACCES;
	err_sys(&e, "%s", wide);
	assert_non_null(strstr(e.text, ": Permission denied"));
	err_wrap(&e, "%s", wide);
	assert_true(strlen(e.text) < ERR_TEXT_MAX);
	for (int i = 0; i < 100; i++)
		err_wrap(&e, "layer %d", i);
	assert_memory_equal(e.text, "layer 99: layer 98: ", 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_context_goes_in_front_and_the_errno_is_kept),
		cmocka_unit_test(test_what_is_too_long_is_cut_at_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
