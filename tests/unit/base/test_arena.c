#include "unit.h"

#include <stdalign.h>

#include "base/arena.h"

static void test_pieces_are_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = { 1, 0, 3, 16, 17, 100, 4000, 4001, 1, 100000, 7 };
	enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
	struct arena a = { 0 };
	unsigned char *pieces[COUNT];
	size_t total = 0;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		pieces[i] = arena_alloc(&a, sizes[i]);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(pieces[i][at], 0);
		memset(pieces[i], (int)i + 1, sizes[i]);
		total += sizes[i];
	}
	for (size_t i = 0; i < COUNT; i++)
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(pieces[i][at], i + 1);
	assert_int_equal(a.used, total);
	arena_free(&a);
	assert_null(a.chunks);
	assert_int_equal(a.used, 0);
}

static void test_copies_are_c_strings_too(void **state)
{
	struct arena a = { 0 };
	struct span copy = arena_copy(&a, span_cut(SPAN("hello"), 4));

	(void)state;
	assert_span(copy, "hell");
	assert_int_equal(copy.p[4], '\0');
	assert_string_equal(arena_copy(&a, SPAN_NONE).p, "");
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
	arena_free(&a);
}

static void test_arrays_and_objects(void **state)
{
	struct arena a = { 0 };
	struct pair {
		long x, y;
	} *one = ARENA_NEW(&a, struct pair), *many = ARENA_ARRAY(&a, struct pair, 100);

	(void)state;
	many[99].y = 1;
	assert_int_equal(one->x, 0);
	assert_int_equal(a.used, 101 * sizeof(struct pair));
	arena_free(&a);
	arena_free(&a); /* empty again */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(test_copies_are_c_strings_too),
		cmocka_unit_test(test_arrays_and_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
