#include "unit.h"

#include "json/scan.h"
#include "json/write.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define assert_written(buf, literal)                    \
	do {                                            \
		assert_span(buf_span(&(buf)), literal); \
		buf_free(&(buf));                       \
	} while (0)

static void test_commas_and_colons_stand_where_they_belong(void **state)
{
	struct buf out = { 0 };
	struct json_writer w = json_writer(&out);

	(void)state;
	json_open(&w, '{');
	json_key(&w, "a"), json_int(&w, -32603);
	json_key(&w, "b"), json_open(&w, '['), json_close(&w, ']');
	json_key(&w, "c"), json_open(&w, '[');
	json_int(&w, 1), json_open(&w, '{'), json_close(&w, '}'), json_null(&w), json_text(&w, SPAN("x"));
	json_close(&w, ']');
	json_key_span(&w, SPAN("d\n")), json_open(&w, '{'), json_member_bool(&w, "e", true), json_close(&w, '}');
	json_member_text(&w, "f", SPAN("g"));
	json_member_int(&w, "h", 0);
	json_member_bool(&w, "i", false);
	json_member_raw(&w, "j", SPAN("[1.0]"));
	json_close(&w, '}');
	assert_written(out, "{\"a\":-32603,\"b\":[],\"c\":[1,{},null,\"x\"],\"d\\n\":{\"e\":true},\"f\":\"g\",\"h\":0,"
	                    "\"i\":false,\"j\":[1.0]}");
}

static void test_a_value_may_stand_alone(void **state)
{
	struct buf out = { 0 };
	struct json_writer w = json_writer(&out);

	(void)state;
	json_text(&w, SPAN("x"));
	assert_written(out, "\"x\"");
}

static void test_integers_are_written_from_end_to_end(void **state)
{
	struct buf out = { 0 };
	struct json_writer w = json_writer(&out);

	(void)state;
	json_open(&w, '[');
	json_int(&w, INT64_MIN), json_int(&w, -1), json_int(&w, 0), json_int(&w, INT64_MAX);
	json_close(&w, ']');
	assert_written(out, "[-9223372036854775808,-1,0,9223372036854775807]");
}

static void test_strings_are_escaped_where_they_must_be(void **state)
{
	/* clang-format off */
	static const struct { struct span text, json; } rows[] = {
		{ SPAN(""),                         SPAN("\"\"") },
		{ { NULL, 0 },                      SPAN("\"\"") },
		{ SPAN("plain text / 'quoted'"),    SPAN("\"plain text / 'quoted'\"") },
		{ SPAN("\"\\"),                     SPAN("\"\\\"\\\\\"") },
		{ SPAN("\b\f\n\r\t"),               SPAN("\"\\b\\f\\n\\r\\t\"") },
		{ SPAN("\0\x01\x1f\x7f"),           SPAN("\"\\u0000\\u0001\\u001f\x7f\"") },
		{ SPAN("\xC3\xA9 \xE6\xBC\xA2 \xF0\x9F\x98\x80"), SPAN("\"\xC3\xA9 \xE6\xBC\xA2 \xF0\x9F\x98\x80\"") },
		{ SPAN("twenty characters, \nthen more of them"), SPAN("\"twenty characters, \\nthen more of them\"") },
		/* not UTF-8: each byte that is wrong alone */
		{ SPAN("a\xFF" "b"),                SPAN("\"a\xEF\xBF\xBD" "b\"") },
		{ SPAN("\xC3"),                     SPAN("\"\xEF\xBF\xBD\"") },
		{ SPAN("\xED\xA0\x80"),             SPAN("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"") },
		{ SPAN("\xE2\x82\n"),               SPAN("\"\xEF\xBF\xBD\xEF\xBF\xBD\\n\"") },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = { 0 };
		struct json_fault fault;
		json_put_string(&out, rows[i].text);
		assert_span_is(buf_span(&out), rows[i].json);
		assert_true(json_scan(buf_span(&out), 0, NULL, NULL, &fault));
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commas_and_colons_stand_where_they_belong),
		cmocka_unit_test(test_a_value_may_stand_alone),
		cmocka_unit_test(test_integers_are_written_from_end_to_end),
		cmocka_unit_test(test_strings_are_escaped_where_they_must_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
