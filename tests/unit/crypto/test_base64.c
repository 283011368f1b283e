#include "crypto/base64.h"

#include "unit.h"

/* RFC 4648, section 10, and the two digits that differ. */
static const struct pair {
	struct span plain, standard, url;
} pairs[] = {
	{ { "", 0 }, { "", 0 }, { "", 0 } },
	{ { "f", 1 }, { "Zg==", 4 }, { "Zg", 2 } },
	{ { "fo", 2 }, { "Zm8=", 4 }, { "Zm8", 3 } },
	{ { "foo", 3 }, { "Zm9v", 4 }, { "Zm9v", 4 } },
	{ { "foob", 4 }, { "Zm9vYg==", 8 }, { "Zm9vYg", 6 } },
	{ { "fooba", 5 }, { "Zm9vYmE=", 8 }, { "Zm9vYmE", 7 } },
	{ { "foobar", 6 }, { "Zm9vYmFy", 8 }, { "Zm9vYmFy", 8 } },
	{ { "\xfb\xff\xfe", 3 }, { "+//+", 4 }, { "-__-", 4 } },
	{ { "\0\0\0", 3 }, { "AAAA", 4 }, { "AAAA", 4 } },
};

static void test_the_vectors_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		struct buf standard = { 0 }, url = { 0 }, text = { 0 }, padded = { 0 };
		assert_true(base64_decode(pairs[i].standard, &standard));
		assert_span_is(buf_span(&standard), pairs[i].plain);
		assert_true(base64url_decode(pairs[i].url, &url));
		assert_span_is(buf_span(&url), pairs[i].plain);
		base64url_encode(pairs[i].plain, &text);
		assert_span_is(buf_span(&text), pairs[i].url);
		base64_encode(pairs[i].plain, &padded);
		assert_span_is(buf_span(&padded), pairs[i].standard);
		buf_free(&padded);
		buf_free(&standard);
		buf_free(&url);
		buf_free(&text);
	}
}

static void test_every_byte_survives(void **state)
{
	struct buf text = { 0 }, back = { 0 };
	char all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	for (size_t n = 0; n <= sizeof(all); n++) {
		buf_reset(&text);
		buf_reset(&back);
		base64url_encode((struct span){ all, n }, &text);
		assert_true(base64url_decode(buf_span(&text), &back));
		assert_span_is(buf_span(&back), (struct span){ all, n });
	}
	buf_free(&text);
	buf_free(&back);
}

static void test_what_could_be_written_otherwise_is_refused(void **state)
{
	static const char *const standard[] = { "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "====", "=", "Z===", "Zm 9",
		"Zm9v\n", " Zm9v", "Zg==Zg==", "-__-", "Zm=9", "Zm9vYg=v", "Z\xc3\xa4g" };
	static const char *const url[] = { "Z", "Zg==", "Zh", "Zm9", "+//+", "Zm9vY", "Zm 9", "Zm9v\n", "Zm.v" };
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(standard) / sizeof(*standard); i++)
		if (base64_decode(span_of(standard[i]), &out))
			fail_msg("%s was taken", standard[i]);
	for (size_t i = 0; i < sizeof(url) / sizeof(*url); i++)
		if (base64url_decode(span_of(url[i]), &out))
			fail_msg("%s was taken", url[i]);
	assert_int_equal(buf_size(&out), 0);
	buf_free(&out);
}

static void test_bytes_are_appended(void **state)
{
	struct buf out = { 0 };

	(void)state;
	buf_add(&out, SPAN("x"));
	assert_true(base64_decode(SPAN("Zm9v"), &out));
	base64url_encode(SPAN("f"), &out);
	assert_span(buf_span(&out), "xfooZg");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_vectors_of_the_rfc),
		cmocka_unit_test(test_every_byte_survives),
		cmocka_unit_test(test_what_could_be_written_otherwise_is_refused),
		cmocka_unit_test(test_bytes_are_appended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
