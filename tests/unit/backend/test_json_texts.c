#include "backend/json_texts.h"

#include "unit.h"

#define MAX 100

/* Feeds the text in pieces of `step` bytes; what came out, each text in its own line, then the last verdict. */
static const char *texts_of(const char *body, size_t step)
{
	static char out[1000];
	struct json_texts t = { 0 };
	struct buf got = { 0 };
	struct span rest = span_of(body), text;
	enum json_texts_got verdict = JSON_TEXTS_MORE;

	while (rest.n > 0 && verdict == JSON_TEXTS_MORE) {
		struct span in = span_cut(rest, step);
		rest = span_skip(rest, step);
		while ((verdict = json_texts_next(&t, &in, MAX, &text)) == JSON_TEXTS_TEXT)
			buf_printf(&got, "%.*s\n", SPAN_ARG(text));
	}
	buf_add(&got, verdict == JSON_TEXTS_GARBAGE     ? SPAN("garbage")
	              : verdict == JSON_TEXTS_TOO_LARGE ? SPAN("too large")
	              : json_texts_is_open(&t)          ? SPAN("open")
	                                                : SPAN("end"));
	buf_add_char(&got, '\0');
	memcpy(out, got.mem, buf_size(&got));
	buf_free(&got);
	json_texts_clear(&t);
	return out;
}

static void test_texts_come_out_however_they_are_cut(void **state)
{
	static const struct {
		const char *body, *texts;
	} rows[] = {
		{ "{}", "{}\nend" },
		{ " \r\n", "end" },
		{ "{\"a\":[1,{\"b\":2}]}", "{\"a\":[1,{\"b\":2}]}\nend" },
		{ "{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}\n{\"b\":2}\nend" },
		{ "{\"a\":1}{\"b\":2}[3]", "{\"a\":1}\n{\"b\":2}\n[3]\nend" },
		{ "{\"a\":\"}\\\"]{\"}  {\"b\":\"\\\\\"}", "{\"a\":\"}\\\"]{\"}\n{\"b\":\"\\\\\"}\nend" },
		{ "{\"a\":1}\n{\"b\":", "{\"a\":1}\nopen" },
		{ "{\"a\":1},{\"b\":2}", "{\"a\":1}\ngarbage" },
		{ "<html>", "garbage" },
		{ "\"text\"", "garbage" },
		{ "]", "garbage" },
		{ "\xEF\xBB\xBF{\"a\":1}{}", "{\"a\":1}\n{}\nend" },
		{ "\xEF\xBB\xBF", "end" },
		{ "\xEF\xBB{}", "garbage" },
		{ "\xEF\xBB\xBF\xEF\xBB\xBF{}", "garbage" },
		{ "{}\xEF\xBB\xBF{}", "{}\ngarbage" },
		{ " \xEF\xBB\xBF{}", "garbage" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t step = 1; step < 40; step++)
			assert_string_equal(texts_of(rows[i].body, step), rows[i].texts);
}

static void test_a_text_is_bounded_and_the_body_is_not(void **state)
{
	char body[300];

	(void)state;
	memset(body, 'x', sizeof(body));
	memcpy(body, "{\"", 2);
	body[150] = '\0';
	for (size_t step = 1; step < 200; step += 7)
		assert_string_equal(texts_of(body, step), "too large");
	for (size_t i = 0; i < 148; i += 2)
		memcpy(body + i, "{}", 2);
	body[148] = '\0';
	assert_null(strstr(texts_of(body, 11), "too large"));
}

static void test_a_text_in_one_piece_is_not_copied(void **state)
{
	struct json_texts t = { 0 };
	const char body[] = "{\"a\":1}";
	struct span in = span_of(body), text;

	(void)state;
	assert_int_equal(json_texts_next(&t, &in, MAX, &text), JSON_TEXTS_TEXT);
	assert_ptr_equal(text.p, body);
	json_texts_clear(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_come_out_however_they_are_cut),
		cmocka_unit_test(test_a_text_is_bounded_and_the_body_is_not),
		cmocka_unit_test(test_a_text_in_one_piece_is_not_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
