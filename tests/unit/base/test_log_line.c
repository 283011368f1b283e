#include "unit.h"

#include <stdio.h>

#include "base/log_line.h"

#define AT_MS 1795345200123 /* 2026-11-22T11:00:00.123Z */

static const struct log_field nobody = { 0 };

static struct span line_of(enum log_format format, const struct log_field *fields, size_t n)
{
	static char out[LOG_LINE_MAX];
	const struct log_line line = { .wall_ms = AT_MS,
		.level = LOG_INFO,
		.event = "e",
		.msg = "it happened",
		.module = "mod",
		.about = &nobody,
		.fields = fields,
		.n = n };

	return (struct span){ out, log_line_format(out, format, &line) };
}

#define TEXT(...)                                              \
	line_of(LOG_TEXT, (struct log_field[]){ __VA_ARGS__ }, \
	        sizeof((struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
#define JSON(...)                                              \
	line_of(LOG_JSON, (struct log_field[]){ __VA_ARGS__ }, \
	        sizeof((struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
#define TEXT_HEAD "2026-11-22T11:00:00.123Z info  it happened  event=e module=mod "
#define JSON_HEAD \
	"{\"ts\":\"2026-11-22T11:00:00.123Z\",\"level\":\"info\",\"event\":\"e\",\"msg\":\"it happened\",\"module\":\"mod\","

static void test_every_type_of_field_has_its_form(void **state)
{
	(void)state;
	assert_span(TEXT(F_STR("s", "v"), F_INT("n", -7), F_BOOL("b", true), F_STR("none", NULL),
	                    F_JSON("j", SPAN("{\"a\": [1]}"))),
	        TEXT_HEAD "s=v n=-7 b=true none=- j={\"a\": [1]}\n");
	assert_span(JSON(F_STR("s", "v"), F_INT("n", -7), F_BOOL("b", false), F_STR("none", NULL),
	                    F_JSON("j", SPAN("{\"a\": [1]}"))),
	        JSON_HEAD "\"s\":\"v\",\"n\":-7,\"b\":false,\"none\":null,\"j\":{\"a\": [1]}}\n");
}

static void test_the_object_comes_before_the_fields(void **state)
{
	char out[LOG_LINE_MAX];
	const struct log_field about = F_STR("backend", "github"), field = F_INT("tools", 12);
	const struct log_line line = { AT_MS, LOG_ERROR, "e", "m", NULL, &about, &field, 1 };

	(void)state;
	size_t n = log_line_format(out, LOG_TEXT, &line);
	assert_span(((struct span){ out, n }), "2026-11-22T11:00:00.123Z error m  event=e backend=github tools=12\n");
}

static void test_values_are_quoted_when_they_must_be(void **state)
{
	static const struct row {
		const char *value, *written;
	} rows[] = {
		{ "plain", "v=plain\n" },
		{ "", "v=\"\"\n" },
		{ "two words", "v=\"two words\"\n" },
		{ "a=b", "v=\"a=b\"\n" },
		{ "say \"hi\"", "v=\"say \\\"hi\\\"\"\n" },
		{ "back\\slash", "v=\"back\\\\slash\"\n" },
		{ "\u00e4\u65e5\U0001f600", "v=\"\u00e4\u65e5\U0001f600\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span line = TEXT(F_STR("v", rows[i].value));
		assert_span_is(span_skip(line, sizeof(TEXT_HEAD) - 1), span_of(rows[i].written));
	}
}

static void test_nothing_a_server_writes_reaches_the_terminal(void **state)
{
	static const struct row {
		struct span value;
		const char *text, *json;
	} rows[] = {
		{ SPAN("a\nb\r\t"), "a\\nb\\r\\t", "a\\nb\\r\\t" },
		{ SPAN("\x1b[2J"), "\\u001b[2J", "\\u001b[2J" },
		{ SPAN("\x00"), "\\u0000", "\\u0000" },
		{ SPAN("\x7f"), "\\u007f", "\\u007f" },
		{ SPAN("\xc2\x9b"
		       "31m"),
		        "\\u009b31m", "\\u009b31m" }, /* C1 CSI */
		{ SPAN("\x9b"
		       "31m"),
		        "\\x9b31m", "\\ufffd31m" },
		{ SPAN("\xe2\x80\xae"
		       "evil"),
		        "\\u202eevil", "\\u202eevil" }, /* right to left */
		{ SPAN("\xe2\x80\xa8"), "\\u2028", "\\u2028" },
		{ SPAN("\xc0\xaf"), "\\xc0\\xaf", "\\ufffd\\ufffd" },                 /* overlong */
		{ SPAN("\xed\xa0\x80"), "\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd" }, /* a surrogate */
		{ SPAN("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
		{ SPAN("\xe6\x97"), "\\xe6\\x97", "\\ufffd\\ufffd" }, /* cut short */
		{ SPAN("\xff"), "\\xff", "\\ufffd" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char wanted[256];
		snprintf(wanted, sizeof(wanted), TEXT_HEAD "v=\"%s\"\n", rows[i].text);
		assert_span_is(TEXT(F_SPAN("v", rows[i].value)), span_of(wanted));
		snprintf(wanted, sizeof(wanted), JSON_HEAD "\"v\":\"%s\"}\n", rows[i].json);
		assert_span_is(JSON(F_SPAN("v", rows[i].value)), span_of(wanted));
	}
}

static void test_raw_json_stays_on_one_line_and_off_the_terminal(void **state)
{
	(void)state;
	assert_span(JSON(F_JSON("j", SPAN("{\n\t\"a\\n\": \"\xc2\x9b\"}"))),
	        JSON_HEAD "\"j\":{  \"a\\n\": \"\\u009b\"}}\n");
}

static void test_a_long_value_is_cut_and_the_rest_still_told(void **state)
{
	char value[3000];

	(void)state;
	memset(value, 'x', sizeof(value));
	struct span line = JSON(F_SPAN("v", ((struct span){ value, sizeof(value) })), F_INT("n", 1));
	assert_true(line.n < sizeof(value));
	struct span end = span_skip(line, line.n - strlen("xxx...\",\"n\":1,\"cut\":true}\n"));
	assert_span(end, "xxx...\",\"n\":1,\"cut\":true}\n");
}

/* Whatever the lengths, the end of the line is there. */
static void test_no_line_is_longer_than_a_pipe_takes_at_once(void **state)
{
	static char value[5000];

	(void)state;
	memset(value, '\x1b', sizeof(value));
	for (size_t n = 600; n < 700; n++) {
		struct span v = { value, n };
		struct span json = JSON(F_SPAN("a", span_cut(v, n / 2)), F_SPAN("b", v), F_SPAN("c", v), F_INT("d", 1));
		assert_true(json.n <= LOG_LINE_MAX);
		assert_span(span_skip(json, json.n - strlen(",\"cut\":true}\n")), ",\"cut\":true}\n");
		struct span text = TEXT(F_JSON("a", SPAN("[1]")), F_SPAN("b", v), F_SPAN("c", v), F_INT("d", 1));
		assert_true(text.n <= LOG_LINE_MAX);
		assert_span(span_skip(text, text.n - strlen(" cut=true\n")), " cut=true\n");
	}
}

static void test_raw_json_that_is_too_long_is_left_out_whole(void **state)
{
	static char value[3000];

	(void)state;
	memset(value, '1', sizeof(value));
	assert_span(JSON(F_JSON("j", ((struct span){ value, sizeof(value) }))), JSON_HEAD "\"j\":null,\"cut\":true}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type_of_field_has_its_form),
		cmocka_unit_test(test_the_object_comes_before_the_fields),
		cmocka_unit_test(test_values_are_quoted_when_they_must_be),
		cmocka_unit_test(test_nothing_a_server_writes_reaches_the_terminal),
		cmocka_unit_test(test_raw_json_stays_on_one_line_and_off_the_terminal),
		cmocka_unit_test(test_a_long_value_is_cut_and_the_rest_still_told),
		cmocka_unit_test(test_no_line_is_longer_than_a_pipe_takes_at_once),
		cmocka_unit_test(test_raw_json_that_is_too_long_is_left_out_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
