#include "unit.h"

#include "base/buf.h"

static void test_an_empty_buffer_holds_no_memory(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_span(buf_span(&b), "");
	buf_add(&b, SPAN(""));
	assert_null(b.mem);
	buf_add(&b, SPAN("abc"));
	buf_take(&b, 3);
	assert_null(b.mem);
	assert_int_equal(buf_size(&b), 0);
	buf_free(&b);
}

static void test_what_is_put_in_comes_out_in_order(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_add(&b, SPAN("abc"));
	buf_add_char(&b, 'd');
	assert_span(buf_span(&b), "abcd");
	buf_take(&b, 2);
	buf_add(&b, SPAN("ef"));
	assert_span(buf_span(&b), "cdef");
	buf_free(&b);
	assert_span(buf_span(&b), "");
}

static void test_numbers_are_written_whole(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_add_u64(&b, 0);
	buf_add_char(&b, ' ');
	buf_add_u64(&b, 1234567890);
	buf_add_char(&b, ' ');
	buf_add_u64(&b, UINT64_MAX);
	assert_span(buf_span(&b), "0 1234567890 18446744073709551615");
	buf_free(&b);
}

static void test_printing_appends(void **state)
{
	struct buf b = { 0 };
	char wide[600];

	(void)state;
	buf_printf(&b, "%s=%d", "a", 1);
	buf_printf(&b, "%s", "");
	assert_span(buf_span(&b), "a=1");
	buf_printf(&b, "%599s", "x");
	assert_int_equal(buf_size(&b), 602);
	memset(wide, ' ', sizeof(wide));
	assert_memory_equal(buf_span(&b).p + 3, wide, 598);
	buf_free(&b);
}

static void test_room_is_made_and_used_by_hand(void **state)
{
	struct buf b = { 0 };

	(void)state;
	memcpy(buf_reserve(&b, 5), "hello", 5);
	assert_true(buf_room(&b) >= 5);
	buf_added(&b, 5);
	assert_span(buf_span(&b), "hello");
	buf_reset(&b);
	assert_int_equal(buf_size(&b), 0);
	assert_non_null(b.mem); /* kept for the next use */
	buf_free(&b);
}

/* A queue that is never empty must not creep through memory. */
static void test_a_long_life_does_not_grow_it(void **state)
{
	struct buf b = { 0 };
	uint64_t in = 0, out = 0;

	(void)state;
	for (int round = 0; round < 100000; round++) {
		buf_add(&b, (struct span){ (const char *)&in, sizeof(in) });
		in++;
		if (round < 20)
			continue;
		uint64_t got;
		memcpy(&got, buf_span(&b).p, sizeof(got));
		assert_int_equal(got, out++);
		buf_take(&b, sizeof(got));
	}
	assert_int_equal(buf_size(&b), 20 * sizeof(in));
	assert_int_equal(b.cap, 512);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_buffer_holds_no_memory),
		cmocka_unit_test(test_what_is_put_in_comes_out_in_order),
		cmocka_unit_test(test_numbers_are_written_whole),
		cmocka_unit_test(test_printing_appends),
		cmocka_unit_test(test_room_is_made_and_used_by_hand),
		cmocka_unit_test(test_a_long_life_does_not_grow_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
