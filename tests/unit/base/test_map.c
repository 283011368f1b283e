#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

static int values[4];

static void test_text_is_found_by_its_bytes(void **state)
{
	struct map m = { 0 };

	(void)state;
	assert_null(map_get(&m, SPAN("a")));
	assert_null(map_remove(&m, SPAN("a")));
	map_put(&m, SPAN("a"), &values[0]);
	map_put(&m, SPAN("a\0b"), &values[1]);
	map_put(&m, SPAN(""), &values[2]);
	map_put(&m, SPAN("longer than eight bytes"), &values[3]);
	assert_ptr_equal(map_get(&m, span_of("a")), &values[0]);
	assert_ptr_equal(map_get(&m, SPAN("a\0b")), &values[1]);
	assert_ptr_equal(map_get(&m, SPAN_NONE), &values[2]);
	assert_ptr_equal(map_get(&m, SPAN("longer than eight bytes")), &values[3]);
	assert_null(map_get(&m, SPAN("longer than eight byteS")));
	assert_int_equal(m.count, 4);
	map_free(&m);
	assert_null(map_get(&m, SPAN("a")));
}

static void test_numbers_and_text_do_not_meet(void **state)
{
	struct map m = { 0 };

	(void)state;
	map_put_u64(&m, 0, &values[0]);
	map_put_u64(&m, 1, &values[1]);
	map_put(&m, SPAN(""), &values[2]);
	map_put(&m, SPAN("x"), &values[3]);
	assert_ptr_equal(map_get_u64(&m, 0), &values[0]);
	assert_ptr_equal(map_get_u64(&m, 1), &values[1]);
	assert_ptr_equal(map_get(&m, SPAN("")), &values[2]);
	assert_ptr_equal(map_remove_u64(&m, 0), &values[0]);
	assert_null(map_get_u64(&m, 0));
	assert_ptr_equal(map_get(&m, SPAN("")), &values[2]);
	map_free(&m);
}

/* Against an array that says what should be there, under any seed, with runs of slots that wrap around. */
static void test_a_long_random_life(void **state)
{
	enum { KEYS = 300 };
	static char names[KEYS][8];
	unsigned short seed[3] = { 1, 2, 3 };

	(void)state;
	for (uint64_t map_seed_value = 0; map_seed_value < 3; map_seed_value++) {
		struct map m = { 0 };
		bool there[KEYS] = { false };
		size_t count = 0;
		map_seed(&m, map_seed_value * 0x9e3779b97f4a7c15u);
		for (int round = 0; round < 20000; round++) {
			size_t i = (size_t)nrand48(seed) % KEYS;
			snprintf(names[i], sizeof(names[i]), "k%zu", i);
			struct span key = span_of(names[i]);
			assert_ptr_equal(map_get(&m, key), there[i] ? names[i] : NULL);
			if (there[i])
				assert_ptr_equal(map_remove(&m, key), names[i]);
			else
				map_put(&m, key, names[i]);
			there[i] = !there[i];
			count = there[i] ? count + 1 : count - 1;
			assert_int_equal(m.count, count);
		}
		for (size_t i = 0; i < KEYS; i++)
			assert_ptr_equal(map_get(&m, span_of(names[i])), there[i] ? names[i] : NULL);
		map_free(&m);
	}
}

static void test_many_numbers(void **state)
{
	struct map m = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 10000; i++)
		map_put_u64(&m, i << 32, &values[i % 4]);
	for (uint64_t i = 0; i < 10000; i += 2)
		assert_ptr_equal(map_remove_u64(&m, i << 32), &values[i % 4]);
	for (uint64_t i = 0; i < 10000; i++)
		assert_ptr_equal(map_get_u64(&m, i << 32), i % 2 == 0 ? NULL : &values[i % 4]);
	assert_int_equal(m.count, 5000);
	assert_true(m.size <= 16384 * 2);
	map_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_found_by_its_bytes),
		cmocka_unit_test(test_numbers_and_text_do_not_meet),
		cmocka_unit_test(test_a_long_random_life),
		cmocka_unit_test(test_many_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
