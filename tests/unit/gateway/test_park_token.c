#include "unit.h"

#include "gateway/park_token.h"

static void test_what_was_written_is_read(void **state)
{
	struct park_claims claims = {
		.process = UINT64_MAX, .park = 7, .turn = UINT32_MAX, .expires_ms = 1790000000000
	};
	struct park_claims read;
	struct buf out = { 0 };

	(void)state;
	memset(claims.digest, 0xA5, sizeof(claims.digest));
	park_token_encode(&claims, &out);
	assert_true(park_token_decode(buf_span(&out), &read));
	assert_int_equal(read.process, claims.process);
	assert_int_equal(read.park, 7);
	assert_int_equal(read.turn, UINT32_MAX);
	assert_memory_equal(read.digest, claims.digest, sizeof(read.digest));
	assert_int_equal(read.expires_ms, claims.expires_ms);
	buf_free(&out);
}

static void test_other_bytes_are_not_read(void **state)
{
	struct park_claims claims = { .park = 1 }, read;
	struct buf out = { 0 };

	(void)state;
	park_token_encode(&claims, &out);
	for (size_t n = 0; n < buf_size(&out); n++)
		assert_false(park_token_decode(span_cut(buf_span(&out), n), &read));
	out.mem[0] = 2;
	assert_false(park_token_decode(buf_span(&out), &read));
	out.mem[0] = 1;
	buf_add_char(&out, 'x');
	assert_false(park_token_decode(buf_span(&out), &read));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_written_is_read),
		cmocka_unit_test(test_other_bytes_are_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
