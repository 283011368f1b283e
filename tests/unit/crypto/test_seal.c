#include "crypto/seal.h"

#include <stdlib.h>

#include "unit.h"

#define PURPOSE SPAN("test")
#define PLAIN SPAN("some bytes \x00\xff of a client")

static struct seal_key key(const char *id, unsigned char fill)
{
	struct seal_key k = { .id = span_of(id) };

	memset(k.secret, fill, sizeof(k.secret));
	return k;
}

static struct key_ring *ring(const struct seal_key *keys, unsigned n)
{
	struct err e;
	struct key_ring *r = key_ring_new(keys, n, &e);

	assert_non_null(r);
	return r;
}

static struct buf sealed(struct key_ring *r, struct span plain)
{
	struct buf token = { 0 };

	assert_true(seal(r, PURPOSE, plain, &token));
	return token;
}

static bool opens(struct key_ring *r, struct span purpose, struct span token, struct span plain)
{
	struct buf out = { 0 };

	buf_add(&out, SPAN("before"));
	bool opened = unseal(r, purpose, token, &out);
	if (opened)
		assert_span_is(span_skip(buf_span(&out), 6), plain);
	else
		assert_span(buf_span(&out), "before");
	buf_free(&out);
	return opened;
}

static void test_what_was_sealed_opens(void **state)
{
	char big[1000] = { 1, 2, 3 };
	struct key_ring *r = ring(NULL, 0);

	(void)state;
	for (size_t n = 0; n < sizeof(big); n += n < 50 ? 1 : 131) {
		struct buf token = sealed(r, (struct span){ big, n });
		assert_true(opens(r, PURPOSE, buf_span(&token), (struct span){ big, n }));
		buf_free(&token);
	}
	key_ring_free(&r);
	assert_null(r);
}

static void test_the_largest_token_opens_and_a_larger_text_is_not_looked_at(void **state)
{
	struct key_ring *r = ring(NULL, 0);
	char *big = calloc(1, SEAL_PLAIN_MAX);
	struct buf token = sealed(r, (struct span){ big, SEAL_PLAIN_MAX });

	(void)state;
	assert_true(opens(r, PURPOSE, buf_span(&token), (struct span){ big, SEAL_PLAIN_MAX }));
	buf_add(&token, SPAN("AAAA"));
	assert_false(opens(r, PURPOSE, buf_span(&token), PLAIN));
	buf_free(&token);
	free(big);
	key_ring_free(&r);
}

static void test_a_token_is_visible_ascii_and_never_the_same_twice(void **state)
{
	struct key_ring *r = ring(NULL, 0);
	struct buf one = sealed(r, PLAIN), two = sealed(r, PLAIN);

	(void)state;
	for (size_t i = 0; i < buf_size(&one); i++)
		assert_true(buf_span(&one).p[i] > ' ' && buf_span(&one).p[i] < 0x7f);
	assert_false(span_eq(buf_span(&one), buf_span(&two)));
	buf_free(&one);
	buf_free(&two);
	key_ring_free(&r);
}

static void test_a_change_of_any_byte_is_noticed(void **state)
{
	struct key_ring *r = ring(NULL, 0);
	struct buf token = sealed(r, PLAIN);

	(void)state;
	for (size_t i = 0; i < buf_size(&token); i++) {
		char kept = token.mem[i];
		for (int c = 0; c < 256; c++) {
			token.mem[i] = (char)c;
			assert_int_equal(opens(r, PURPOSE, buf_span(&token), PLAIN), (char)c == kept);
		}
		token.mem[i] = kept;
	}
	buf_free(&token);
	key_ring_free(&r);
}

static void test_a_token_cut_or_made_longer_does_not_open(void **state)
{
	struct key_ring *r = ring(NULL, 0);
	struct buf token = sealed(r, PLAIN);

	(void)state;
	for (size_t n = 0; n < buf_size(&token); n++)
		assert_false(opens(r, PURPOSE, span_cut(buf_span(&token), n), PLAIN));
	buf_add(&token, SPAN("A"));
	assert_false(opens(r, PURPOSE, buf_span(&token), PLAIN));
	buf_add(&token, SPAN("AAA"));
	assert_false(opens(r, PURPOSE, buf_span(&token), PLAIN));
	buf_free(&token);
	key_ring_free(&r);
}

static void test_a_token_for_one_purpose_does_not_open_for_another(void **state)
{
	struct key_ring *r = ring(NULL, 0);
	struct buf token = sealed(r, PLAIN);

	(void)state;
	assert_false(opens(r, SPAN("tess"), buf_span(&token), PLAIN));
	assert_false(opens(r, SPAN("test2"), buf_span(&token), PLAIN));
	assert_true(opens(r, PURPOSE, buf_span(&token), PLAIN));
	buf_free(&token);
	key_ring_free(&r);
}

static void test_replicas_with_the_same_key_open_each_others_tokens(void **state)
{
	struct seal_key k = key("a", 7), same_id = key("a", 8), same_secret = key("b", 7);
	struct key_ring *one = ring(&k, 1), *two = ring(&k, 1), *other = ring(&same_id, 1),
	                *renamed = ring(&same_secret, 1);
	struct key_ring *random = ring(NULL, 0);
	struct buf token = sealed(one, PLAIN);

	(void)state;
	assert_true(opens(two, PURPOSE, buf_span(&token), PLAIN));
	assert_false(opens(other, PURPOSE, buf_span(&token), PLAIN));
	assert_true(opens(renamed, PURPOSE, buf_span(&token), PLAIN));
	assert_false(opens(random, PURPOSE, buf_span(&token), PLAIN));
	buf_free(&token);
	key_ring_free(&one);
	key_ring_free(&two);
	key_ring_free(&other);
	key_ring_free(&renamed);
	key_ring_free(&random);
}

static void test_an_old_key_opens_while_the_new_one_seals(void **state)
{
	struct seal_key before[] = { key("2025", 1) };
	struct seal_key during[] = { key("2026", 2), key("2025", 1) };
	struct seal_key after[] = { key("2026", 2) };
	struct key_ring *r1 = ring(before, 1), *r2 = ring(during, 2), *r3 = ring(after, 1);
	struct buf old = sealed(r1, PLAIN), new = sealed(r2, PLAIN);

	(void)state;
	assert_true(opens(r2, PURPOSE, buf_span(&old), PLAIN));
	assert_true(opens(r3, PURPOSE, buf_span(&new), PLAIN));
	assert_false(opens(r3, PURPOSE, buf_span(&old), PLAIN));
	assert_false(opens(r1, PURPOSE, buf_span(&new), PLAIN));
	buf_free(&old);
	buf_free(&new);
	key_ring_free(&r1);
	key_ring_free(&r2);
	key_ring_free(&r3);
}

/* As when two files of a mounted Secret change places: the ids stay, and the secrets move. */
static void test_secrets_may_change_places(void **state)
{
	struct seal_key before[] = { key("first", 1), key("second", 2) };
	struct seal_key after[] = { key("first", 2), key("second", 1) };
	struct key_ring *r1 = ring(before, 2), *r2 = ring(after, 2);
	struct buf old = sealed(r1, PLAIN), new = sealed(r2, PLAIN);

	(void)state;
	assert_true(opens(r2, PURPOSE, buf_span(&old), PLAIN));
	assert_true(opens(r1, PURPOSE, buf_span(&new), PLAIN));
	buf_free(&old);
	buf_free(&new);
	key_ring_free(&r1);
	key_ring_free(&r2);
}

static void test_a_ring_with_a_fault_is_refused_with_a_sentence(void **state)
{
	struct seal_key keys[SEAL_KEYS_MAX + 1];
	struct err e;

	(void)state;
	for (unsigned i = 0; i <= SEAL_KEYS_MAX; i++)
		keys[i] = key("same", (unsigned char)i);
	assert_null(key_ring_new(keys, SEAL_KEYS_MAX + 1, &e));
	assert_string_equal(e.text, "17 keys are more than 16");
	assert_null(key_ring_new(keys, 2, &e));
	assert_string_equal(e.text, "two keys have the id \"same\"");
}

static void test_other_keys_in_the_ring_are_a_new_generation_and_wrong_ones_change_nothing(void **state)
{
	struct seal_key keys[2] = { { .id = SPAN("a") }, { .id = SPAN("a") } };
	struct buf token = { 0 }, plain = { 0 };
	struct err e;
	struct key_ring *r = key_ring_new(keys, 1, &e);

	(void)state;
	assert_true(seal(r, SPAN("p"), SPAN("text"), &token));
	assert_int_equal(key_ring_generation(r), 0);
	assert_false(key_ring_set(r, keys, 2, &e));
	assert_int_equal(key_ring_generation(r), 0);
	assert_true(unseal(r, SPAN("p"), buf_span(&token), &plain));
	keys[1].id = SPAN("b");
	keys[1].secret[0] = 1;
	assert_true(key_ring_set(r, &keys[1], 1, &e));
	assert_int_equal(key_ring_generation(r), 1);
	assert_false(unseal(r, SPAN("p"), buf_span(&token), &plain));
	assert_true(key_ring_set(r, NULL, 0, &e));
	assert_true(seal(r, SPAN("p"), SPAN("text"), &token));
	buf_free(&token);
	buf_free(&plain);
	key_ring_free(&r);
}

static void test_digest_is_sha256(void **state)
{
	/* FIPS 180-4, example for "abc" */
	static const unsigned char wanted[32] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
		0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
		0xf2, 0x00, 0x15, 0xad };
	unsigned char got[32];

	(void)state;
	digest(SPAN("abc"), got);
	assert_memory_equal(got, wanted, sizeof(wanted));
}

static void test_random_bytes_fill_all_of_it(void **state)
{
	unsigned char one[1000] = { 0 }, two[1000] = { 0 };
	unsigned zeros = 0;

	(void)state;
	random_bytes(one, sizeof(one));
	random_bytes(two, sizeof(two));
	assert_memory_not_equal(one, two, sizeof(one));
	for (size_t i = 0; i < sizeof(one); i++)
		zeros += one[i] == 0;
	assert_true(zeros < 50); /* four are to be expected */
	assert_memory_not_equal(one + 990, "\0\0\0\0\0\0\0\0\0\0", 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_sealed_opens),
		cmocka_unit_test(test_the_largest_token_opens_and_a_larger_text_is_not_looked_at),
		cmocka_unit_test(test_a_token_is_visible_ascii_and_never_the_same_twice),
		cmocka_unit_test(test_a_change_of_any_byte_is_noticed),
		cmocka_unit_test(test_a_token_cut_or_made_longer_does_not_open),
		cmocka_unit_test(test_a_token_for_one_purpose_does_not_open_for_another),
		cmocka_unit_test(test_replicas_with_the_same_key_open_each_others_tokens),
		cmocka_unit_test(test_an_old_key_opens_while_the_new_one_seals),
		cmocka_unit_test(test_secrets_may_change_places),
		cmocka_unit_test(test_a_ring_with_a_fault_is_refused_with_a_sentence),
		cmocka_unit_test(test_other_keys_in_the_ring_are_a_new_generation_and_wrong_ones_change_nothing),
		cmocka_unit_test(test_digest_is_sha256),
		cmocka_unit_test(test_random_bytes_fill_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
