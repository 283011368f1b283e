#include "mcp/header_value.h"

#include "unit.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct pair {
	const char *text, *header;
} pairs[] = {
	{ "us-west1", "us-west1" },
	{ "two words", "two words" },
	{ "a\tb", "a\tb" },
	{ "=?base64?", "=?base64?" }, /* a beginning without its end */
	{ "=?base64?=", "=?base64?=" },
	{ "", "=?base64?"
	      "?=" },
	{ " edge", "=?base64?IGVkZ2U=?=" },
	{ "edge\t", "=?base64?ZWRnZQk=?=" },
	{ "h\xc3\xa9", "=?base64?aMOp?=" },
	{ "a\nb", "=?base64?YQpi?=" },
	{ "\x7f", "=?base64?fw==?=" },
	{ "=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?=" },
};

static void test_a_text_is_written_so_that_it_arrives(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct buf header = { 0 }, text = { 0 };
		header_value_encode(span_of(pairs[i].text), &header);
		assert_span_is(buf_span(&header), span_of(pairs[i].header));
		assert_true(header_value_decode(buf_span(&header), &text));
		assert_span_is(buf_span(&text), span_of(pairs[i].text));
		buf_free(&header);
		buf_free(&text);
	}
}

static void test_what_no_sender_may_write_is_refused(void **state)
{
	static const char *const values[] = {
		"h\xc3\xa9",           /* bare UTF-8 */
		"a\x01",               /* a control character */
		"=?base64?YQ?=",       /* no padding */
		"=?base64?YQ===?=",    /* too much of it */
		"=?base64?YR==?=",     /* bits that are left over */
		"=?base64?Y Q=?=",     /* white space */
		"=?base64?YQ-_?=",     /* the other alphabet */
		"=?base64?/////w==?=", /* no UTF-8 */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct buf text = { 0 };
		if (header_value_decode(span_of(values[i]), &text))
			fail_msg("\"%s\" was accepted", values[i]);
		buf_free(&text);
	}
}

static void test_what_is_almost_marked_is_a_literal(void **state)
{
	static const char *const values[] = { "=?BASE64?YQ==?=", "=?base64?YQ==", "YQ==?=", "=?utf-8?YQ==?=" };

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct buf text = { 0 };
		assert_true(header_value_decode(span_of(values[i]), &text));
		assert_span_is(buf_span(&text), span_of(values[i]));
		buf_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_text_is_written_so_that_it_arrives),
		cmocka_unit_test(test_what_no_sender_may_write_is_refused),
		cmocka_unit_test(test_what_is_almost_marked_is_a_literal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
