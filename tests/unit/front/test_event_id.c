#include "unit.h"

#include "front/event_id.h"
#include "front/sse_id.h"

static void test_what_is_written_is_read(void **state)
{
	const struct event_id ids[] = {
		{ 0, 0, false, SPAN("") },
		{ 0x9f86d081884c7d65, 12, false, SPAN("MQ") },
		{ UINT64_MAX, UINT64_MAX - 1, true, SPAN("ImEi") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct buf text = { 0 };
		struct event_id back;
		event_id_put(&text, &ids[i]);
		assert_true(event_id_parse(buf_span(&text), &back));
		assert_true(back.stream == ids[i].stream && back.seq == ids[i].seq && back.last == ids[i].last);
		assert_span_is(back.call, ids[i].call);
		buf_free(&text);
	}
}

static void test_other_texts_are_no_ids(void **state)
{
	static const struct span texts[] = {
#define T(text) { text, sizeof(text) - 1 }
		T(""),
		T("."),
		T(".."),
		T("0123456789abcdef"),
		T("0123456789abcdef.1"),
		T("0123456789abcde.1."),
		T("0123456789abcdef0.1."),
		T("0123456789ABCDEF.1."),
		T("0123456789abcdeg.1."),
		T("0123456789abcdef.."),
		T("0123456789abcdef.e."),
		T("0123456789abcdef.01."),
		T("0123456789abcdef.+1."),
		T("0123456789abcdef.1ee."),
		T("0123456789abcdef.18446744073709551615."),
		T("0123456789abcdef.1.MQ="),
		T("0123456789abcdef.1.M.Q"),
		T("0123456789abcdef.1.M\nQ"),
		T("0123456789abcdef.1.M Q"),
		T(" 0123456789abcdef.1.MQ"),
#undef T
	};
	struct event_id id;
	char long_call[600];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (event_id_parse(texts[i], &id))
			fail_msg("taken for an id: %.*s", SPAN_ARG(texts[i]));
	memset(long_call, 'A', sizeof(long_call));
	memcpy(long_call, "0123456789abcdef.1.", 19);
	assert_false(event_id_parse((struct span){ long_call, sizeof(long_call) }, &id));
}

/* base64url of what stands behind it */
static void test_only_whole_strings_and_numbers_are_calls(void **state)
{
	static const struct {
		struct span text, json; /* json not set: none */
	} rows[] = {
#define YES(text, json)                        \
	{                                      \
		{ text, sizeof(text) - 1 },    \
		{                              \
			json, sizeof(json) - 1 \
		}                              \
	}
#define NO(text)                            \
	{                                   \
		{ text, sizeof(text) - 1 }, \
		{                           \
			NULL, 0             \
		}                           \
	}
		YES("MQ", "1"), YES("LTEw", "-10"), YES("ImEi", "\"a\""), YES("Ilx1MDBlOSI", "\"\\u00e9\""), NO(""),
		NO("M"), NO("MR"), /* bits left over */
		NO("bnVsbA"),      /* null */
		NO("dHJ1ZQ"),      /* true */
		NO("e30"),         /* {} */
		NO("W10"),         /* [] */
		NO("IDE"),         /* " 1" */
		NO("MQo"),         /* "1\n" */
		NO("MSAy"),        /* "1 2" */
		NO("ImE"),         /* "a */
		NO("ImEiImIi"),    /* "a""b" */
		NO("IgoiIg"),      /* a string with a line feed in it */
		NO("Iv8i"),        /* not UTF-8 */
#undef YES
#undef NO
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf json = { 0 };
		bool is = event_id_call(&(struct event_id){ .call = rows[i].text }, &json);
		if (is != span_is_set(rows[i].json) || !span_eq(buf_span(&json), rows[i].json))
			fail_msg("%.*s gave \"%.*s\"", SPAN_ARG(rows[i].text), SPAN_ARG(buf_span(&json)));
		buf_free(&json);
	}
}

static void test_the_legacy_id_names_a_session_and_calls(void **state)
{
	struct buf id = { 0 }, json = { 0 };
	struct span rest;
	unsigned count = 0;

	(void)state;
	sse_id_begin(&id, SPAN("token"));
	sse_id_add_call(&id, SPAN("1"));
	sse_id_add_call(&id, SPAN("\"0123456789012345678901234567890123456789012345678901234567890123456789\""));
	sse_id_add_call(&id, SPAN("\"a\""));
	assert_span(buf_span(&id), "token~MQ~ImEi");
	assert_span(sse_id_token(buf_span(&id), &rest), "token");
	assert_true(sse_id_next_call(&rest, &count, &json));
	assert_span(buf_span(&json), "1");
	assert_true(sse_id_next_call(&rest, &count, &json));
	assert_span(buf_span(&json), "\"a\"");
	assert_false(sse_id_next_call(&rest, &count, &json));
	buf_free(&id);
	buf_free(&json);
}

static void test_the_legacy_id_is_read_with_a_bound(void **state)
{
	struct buf id = { 0 }, json = { 0 };
	struct span rest;
	unsigned count = 0, calls = 0;

	(void)state;
	sse_id_begin(&id, SPAN(""));
	for (int i = 0; i < 100; i++)
		buf_add(&id, i % 2 == 0 ? SPAN("~MQ") : SPAN("~nonsense"));
	assert_span(sse_id_token(buf_span(&id), &rest), "");
	while (sse_id_next_call(&rest, &count, &json))
		calls++;
	assert_int_equal(calls, SSE_ID_CALLS_MAX / 2);
	buf_free(&id);
	buf_free(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_other_texts_are_no_ids),
		cmocka_unit_test(test_only_whole_strings_and_numbers_are_calls),
		cmocka_unit_test(test_the_legacy_id_names_a_session_and_calls),
		cmocka_unit_test(test_the_legacy_id_is_read_with_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
