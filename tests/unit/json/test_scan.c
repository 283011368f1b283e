#include "unit.h"

#include <stdlib.h>

#include "json/scan.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The text is scanned in a block of exactly its size, so that ASan sees a read beyond it. */
static bool scan(struct span text, unsigned max_depth, struct json_fault *fault)
{
	char *copy = malloc(text.n + 1);
	memcpy(copy + 1, text.p, text.n);
	bool ok = json_scan((struct span){ copy + 1, text.n }, max_depth, NULL, NULL, fault);
	free(copy);
	return ok;
}

/* clang-format off */
static const struct span valid[] = {
	/* any value may stand alone (RFC 8259, section 2) */
	SPAN("null"), SPAN("true"), SPAN("false"), SPAN("0"), SPAN("\"\""), SPAN("[]"), SPAN("{}"), SPAN(" \t\r\n1\n"),
	/* numbers */
	SPAN("-0"), SPAN("-1"), SPAN("10"), SPAN("1234567890123456789012345678901234567890"), SPAN("0.0"), SPAN("-0.01"),
	SPAN("1e5"), SPAN("1E5"), SPAN("1e+5"), SPAN("1e-05"), SPAN("0e0"), SPAN("1.50E+10"), SPAN("1e999999"), SPAN("[1,-2,3.5]"),
	/* strings */
	SPAN("\"plain\""), SPAN("\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t\""), SPAN("\"\\u0000\""), SPAN("\"\\uABCD\\uabcd\""),
	SPAN("\"\\uD834\\uDD1E\""), SPAN("\"\x7f\""), SPAN("\"eight chars: exactly as long as a word and more\""),
	SPAN("\"seven7.\\n\""), SPAN("\"'\""), SPAN("\"/* no comment */\""),
	/* lone surrogates are in the grammar (RFC 8259, section 8.2) */
	SPAN("\"\\uD800\""), SPAN("\"\\uDC00\\uD800\""), SPAN("\"\\uD800\\uD800\\n\""), SPAN("\"\\uD800x\""),
	/* UTF-8: the first and the last of each length, noncharacters, U+2028, a byte order mark inside */
	SPAN("\"\xC2\x80\xDF\xBF\""), SPAN("\"\xE0\xA0\x80\xEF\xBF\xBF\""), SPAN("\"\xED\x9F\xBF\xEE\x80\x80\""),
	SPAN("\"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\""), SPAN("\"\xE2\x80\xA8\""), SPAN("\"\xEF\xBB\xBF\""),
	SPAN("\"ascii \xC3\xA9 ascii \xE6\xBC\xA2\xE5\xAD\x97 ascii\""),
	/* arrays */
	SPAN("[ ]"), SPAN("[1]"), SPAN("[1,2]"), SPAN("[\n1\n,\n2\n]"), SPAN("[null,true,false,\"\",[],{}]"), SPAN("[[[[]]]]"),
	SPAN("[1] "), SPAN(" [1]"),
	/* objects */
	SPAN("{ }"), SPAN("{\"a\":1}"), SPAN("{\"a\":1,\"b\":2}"), SPAN("{\"a\":1,\"a\":2}"), SPAN("{\"\":0}"),
	SPAN("{ \"a\" : { \"b\" : [ ] } , \"c\" : null }"), SPAN("{\"a\\u0000b\":1}"), SPAN("{\"a\":{\"a\":{\"a\":{}}}}"),
};

static const struct {
	struct span text;
	enum json_fault_kind kind;
	size_t at;
} invalid[] = {
	/* nothing, or too much */
	{ SPAN(""),                     JSON_SYNTAX,   0 },
	{ SPAN(" \n"),                  JSON_SYNTAX,   2 },
	{ SPAN("1 2"),                  JSON_SYNTAX,   2 },
	{ SPAN("{}}"),                  JSON_SYNTAX,   2 },
	{ SPAN("[]["),                  JSON_SYNTAX,   2 },
	{ SPAN("\"a\"b"),               JSON_SYNTAX,   3 },
	{ SPAN("1\0"),                  JSON_SYNTAX,   1 },
	{ SPAN("null,"),                JSON_SYNTAX,   4 },
	{ SPAN("{}#"),                  JSON_SYNTAX,   2 },
	/* byte order marks and other white space */
	{ SPAN("\xEF\xBB\xBF{}"),       JSON_SYNTAX,   0 },
	{ SPAN("\xFE\xFF\0{"),          JSON_SYNTAX,   0 },
	{ SPAN("{}\xEF\xBB\xBF"),       JSON_SYNTAX,   2 },
	{ SPAN("\f1"),                  JSON_SYNTAX,   0 },
	{ SPAN("[\v1]"),                JSON_SYNTAX,   1 },
	{ SPAN("[\xC2\xA0]"),           JSON_SYNTAX,   1 },
	{ SPAN("\0"),                   JSON_SYNTAX,   0 },
	/* literals */
	{ SPAN("nul"),                  JSON_SYNTAX,   3 },
	{ SPAN("True"),                 JSON_SYNTAX,   0 },
	{ SPAN("trueish"),              JSON_SYNTAX,   4 },
	{ SPAN("nulL"),                 JSON_SYNTAX,   3 },
	{ SPAN("NaN"),                  JSON_SYNTAX,   0 },
	{ SPAN("Infinity"),             JSON_SYNTAX,   0 },
	{ SPAN("undefined"),            JSON_SYNTAX,   0 },
	{ SPAN("[fals]"),               JSON_SYNTAX,   5 },
	/* numbers */
	{ SPAN("-"),                    JSON_SYNTAX,   1 },
	{ SPAN("+1"),                   JSON_SYNTAX,   0 },
	{ SPAN("--1"),                  JSON_SYNTAX,   1 },
	{ SPAN("01"),                   JSON_SYNTAX,   0 },
	{ SPAN("-01"),                  JSON_SYNTAX,   1 },
	{ SPAN("00"),                   JSON_SYNTAX,   0 },
	{ SPAN("1."),                   JSON_SYNTAX,   2 },
	{ SPAN("[1.]"),                 JSON_SYNTAX,   3 },
	{ SPAN(".5"),                   JSON_SYNTAX,   0 },
	{ SPAN("-.5"),                  JSON_SYNTAX,   1 },
	{ SPAN("1.e1"),                 JSON_SYNTAX,   2 },
	{ SPAN("1e"),                   JSON_SYNTAX,   2 },
	{ SPAN("1e+"),                  JSON_SYNTAX,   3 },
	{ SPAN("[1e]"),                 JSON_SYNTAX,   3 },
	{ SPAN("1e5.5"),                JSON_SYNTAX,   3 },
	{ SPAN("1.2.3"),                JSON_SYNTAX,   3 },
	{ SPAN("0x1F"),                 JSON_SYNTAX,   1 },
	{ SPAN("1_000"),                JSON_SYNTAX,   1 },
	{ SPAN("[1 000]"),              JSON_SYNTAX,   3 },
	{ SPAN("- 1"),                  JSON_SYNTAX,   1 },
	{ SPAN("-Infinity"),            JSON_SYNTAX,   1 },
	/* full-width digit one */
	{ SPAN("\xEF\xBC\x91"),         JSON_SYNTAX,   0 },
	/* strings */
	{ SPAN("\""),                   JSON_SYNTAX,   1 },
	{ SPAN("\"abc"),                JSON_SYNTAX,   4 },
	{ SPAN("'a'"),                  JSON_SYNTAX,   0 },
	{ SPAN("\"a\nb\""),             JSON_SYNTAX,   2 },
	{ SPAN("\"a\tb\""),             JSON_SYNTAX,   2 },
	{ SPAN("\"a\0b\""),             JSON_SYNTAX,   2 },
	{ SPAN("\"\x1f\""),             JSON_SYNTAX,   1 },
	{ SPAN("\"a long string with one \x01 in it\""), JSON_SYNTAX, 24 },
	{ SPAN("\"\\"),                 JSON_SYNTAX,   2 },
	{ SPAN("\"\\\""),               JSON_SYNTAX,   3 },
	{ SPAN("\"\\a\""),              JSON_SYNTAX,   2 },
	{ SPAN("\"\\'\""),              JSON_SYNTAX,   2 },
	{ SPAN("\"\\x41\""),            JSON_SYNTAX,   2 },
	{ SPAN("\"\\U0041\""),          JSON_SYNTAX,   2 },
	{ SPAN("\"\\\0\""),             JSON_SYNTAX,   2 },
	{ SPAN("\"\\\xC3\xA9\""),       JSON_SYNTAX,   2 },
	{ SPAN("\"\\u"),                JSON_SYNTAX,   3 },
	{ SPAN("\"\\u00"),              JSON_SYNTAX,   5 },
	{ SPAN("\"\\u00\""),            JSON_SYNTAX,   5 },
	{ SPAN("\"\\u00G0\""),          JSON_SYNTAX,   5 },
	{ SPAN("\"\\u-001\""),          JSON_SYNTAX,   3 },
	{ SPAN("\"\\uD800\\u\""),       JSON_SYNTAX,   9 },
	/* UTF-8: alone, cut, overlong, surrogates, beyond U+10FFFF, bytes that never occur */
	{ SPAN("\"\x80\""),             JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xBF\""),             JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xC3\""),             JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xC3"),               JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xE2\x82\""),         JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xE2\x82"),           JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xE2\x28\xA1\""),     JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xF0\x9F\x98\""),     JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xF0\x9F\x98"),       JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xC0\x80\""),         JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xC0\xAF\""),         JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xC1\xBF\""),         JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xE0\x9F\xBF\""),     JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xF0\x8F\xBF\xBF\""), JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xED\xA0\x80\""),     JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xED\xBF\xBF\""),     JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xF4\x90\x80\x80\""), JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xF5\x80\x80\x80\""), JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xF8\x88\x80\x80\x80\""), JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xFE\""),             JSON_BAD_UTF8, 1 },
	{ SPAN("\"\xFF\""),             JSON_BAD_UTF8, 1 },
	{ SPAN("\"ok \xC3\xA9 then \xE9\""), JSON_BAD_UTF8, 12 },
	{ SPAN("{\"\xE9\":1}"),         JSON_BAD_UTF8, 2 },
	/* outside of strings it is syntax */
	{ SPAN("[\xE9]"),               JSON_SYNTAX,   1 },
	/* arrays */
	{ SPAN("["),                    JSON_SYNTAX,   1 },
	{ SPAN("]"),                    JSON_SYNTAX,   0 },
	{ SPAN("[1"),                   JSON_SYNTAX,   2 },
	{ SPAN("[1,"),                  JSON_SYNTAX,   3 },
	{ SPAN("[1,]"),                 JSON_SYNTAX,   3 },
	{ SPAN("[,1]"),                 JSON_SYNTAX,   1 },
	{ SPAN("[1,,2]"),               JSON_SYNTAX,   3 },
	{ SPAN("[1 2]"),                JSON_SYNTAX,   3 },
	{ SPAN("[1;2]"),                JSON_SYNTAX,   2 },
	{ SPAN("[1}"),                  JSON_SYNTAX,   2 },
	{ SPAN("[\"a\":1]"),            JSON_SYNTAX,   4 },
	{ SPAN("[*]"),                  JSON_SYNTAX,   1 },
	/* objects */
	{ SPAN("{"),                    JSON_SYNTAX,   1 },
	{ SPAN("}"),                    JSON_SYNTAX,   0 },
	{ SPAN("{]"),                   JSON_SYNTAX,   1 },
	{ SPAN("{\"a\""),               JSON_SYNTAX,   4 },
	{ SPAN("{\"a\":"),              JSON_SYNTAX,   5 },
	{ SPAN("{\"a\":1"),             JSON_SYNTAX,   6 },
	{ SPAN("{\"a\":1,"),            JSON_SYNTAX,   7 },
	{ SPAN("{\"a\":1,}"),           JSON_SYNTAX,   7 },
	{ SPAN("{,}"),                  JSON_SYNTAX,   1 },
	{ SPAN("{\"a\"}"),              JSON_SYNTAX,   4 },
	{ SPAN("{\"a\",1}"),            JSON_SYNTAX,   4 },
	{ SPAN("{\"a\" 1}"),            JSON_SYNTAX,   5 },
	{ SPAN("{\"a\"::1}"),           JSON_SYNTAX,   5 },
	{ SPAN("{\"a\":}"),             JSON_SYNTAX,   5 },
	{ SPAN("{\"a\":1 \"b\":2}"),    JSON_SYNTAX,   7 },
	{ SPAN("{\"a\":1,,\"b\":2}"),   JSON_SYNTAX,   7 },
	{ SPAN("{\"a\":1]"),            JSON_SYNTAX,   6 },
	{ SPAN("{a:1}"),                JSON_SYNTAX,   1 },
	{ SPAN("{'a':1}"),              JSON_SYNTAX,   1 },
	{ SPAN("{1:1}"),                JSON_SYNTAX,   1 },
	{ SPAN("{\"a\":1/**/}"),        JSON_SYNTAX,   6 },
	{ SPAN("// no\n{}"),            JSON_SYNTAX,   0 },
};
/* clang-format on */

static void test_valid_texts_are_accepted(void **state)
{
	struct json_fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT(valid); i++)
		if (!scan(valid[i], 8, &fault))
			fail_msg("%.*s: refused at %zu: %s", SPAN_ARG(valid[i]), fault.at, fault.sentence);
}

static void test_invalid_texts_are_refused_at_the_byte_that_is_wrong(void **state)
{
	struct json_fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT(invalid); i++) {
		struct span text = invalid[i].text;
		if (scan(text, 8, &fault))
			fail_msg("row %zu: %.*s: accepted", i, SPAN_ARG(text));
		if (fault.kind != invalid[i].kind || fault.at != invalid[i].at)
			fail_msg("row %zu: %.*s: fault %d at %zu: %s", i, SPAN_ARG(text), fault.kind, fault.at,
			        fault.sentence);
		assert_non_null(fault.sentence);
	}
}

static void test_each_truncation_of_a_text_is_refused(void **state)
{
	static const struct span text = SPAN("{\"jsonrpc\": \"2.0\", \"id\": -1.5e+3, \"a\": [true, false, null, {}],"
	                                     " \"s\": \"\\u00e9 \xC3\xA9 \xE6\xBC\xA2 \xF0\x9F\x98\x80 \\n\"}");
	struct json_fault fault;

	(void)state;
	assert_true(scan(text, 3, &fault));
	for (size_t n = 0; n < text.n; n++) {
		assert_false(scan(span_cut(text, n), 3, &fault));
		assert_true(fault.at <= n);
	}
}

static void test_a_string_is_checked_at_every_offset_in_a_word(void **state)
{
	char text[64];
	struct json_fault fault;

	(void)state;
	for (size_t n = 3; n <= 40; n++) {
		for (size_t bad = 1; bad < n - 1; bad++) {
			memset(text, 'a', n);
			text[0] = text[n - 1] = '"';
			assert_true(scan((struct span){ text, n }, 1, &fault));
			text[bad] = '\x1f';
			assert_false(scan((struct span){ text, n }, 1, &fault));
			assert_int_equal(fault.at, bad);
			text[bad] = '\xff';
			assert_false(scan((struct span){ text, n }, 1, &fault));
			assert_int_equal(fault.at, bad);
			text[bad] = '"';
			assert_false(scan((struct span){ text, n }, 1, &fault));
			assert_int_equal(fault.at, bad + 1);
		}
	}
}

static void test_depth_is_allowed_up_to_its_bound(void **state)
{
	static const unsigned depths[] = { 1, 2, 127, 128, JSON_DEPTH_MAX };
	static char text[2 * JSON_DEPTH_MAX];
	struct json_fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT(depths); i++) {
		memset(text, '[', depths[i]);
		memset(text + depths[i], ']', depths[i]);
		struct span whole = { text, 2 * (size_t)depths[i] };
		assert_true(scan(whole, depths[i], &fault));
		assert_false(scan(whole, depths[i] - 1, &fault));
		assert_int_equal(fault.kind, JSON_TOO_DEEP);
		assert_int_equal(fault.at, depths[i] - 1);
	}
	assert_true(scan(SPAN("7"), 0, &fault));
	assert_true(scan(SPAN("[[],[],{\"a\":[]},{}]"), 3, &fault));
	assert_false(scan(SPAN("[[],[],{\"a\":[]},{}]"), 2, &fault));
}

enum { ID, METHOD, PARAMS, NAME, META, TOKEN };

static const struct json_shape meta_shape[] = { { "progressToken", TOKEN, NULL }, { NULL, 0, NULL } };
static const struct json_shape params_shape[] = {
	{ "name", NAME, NULL },
	{ "_meta", META, meta_shape },
	{ NULL, 0, NULL },
};
static const struct json_shape message_shape[] = {
	{ "id", ID, NULL },
	{ "method", METHOD, NULL },
	{ "params", PARAMS, params_shape },
	{ NULL, 0, NULL },
};

static struct json_found pick(struct span text)
{
	struct json_found found;
	struct json_fault fault;

	memset(&found, 0x55, sizeof(found));
	assert_true(json_scan(text, 16, message_shape, &found, &fault));
	return found;
}

static void test_members_are_picked_as_they_are_written(void **state)
{
	struct json_found f =
	        pick(SPAN("{ \"method\" : \"a\\/b\" , \"x\":{\"id\":9}, \"params\":{\"name\": \"n\", \"y\":[],"
	                  "\"_meta\":{ \"progressToken\":1.0 }}, \"id\":12345678901234567890 }"));

	(void)state;
	assert_span(f.slot[ID], "12345678901234567890");
	assert_span(f.slot[METHOD], "\"a\\/b\"");
	assert_span(f.slot[PARAMS], "{\"name\": \"n\", \"y\":[],\"_meta\":{ \"progressToken\":1.0 }}");
	assert_span(f.slot[NAME], "\"n\"");
	assert_span(f.slot[META], "{ \"progressToken\":1.0 }");
	assert_span(f.slot[TOKEN], "1.0");
	assert_false(span_is_set(f.slot[63]));
	assert_int_equal(f.twice, 0);
	assert_false(f.multiline);
}

static void test_nothing_is_picked_elsewhere(void **state)
{
	static const struct span texts[] = {
		SPAN("[{\"id\":1,\"params\":{\"name\":2}}]"),
		SPAN("{\"params\":[{\"name\":1}]}"),
		SPAN("{\"params\":\"name\"}"),
		SPAN("{\"x\":{\"id\":1,\"params\":{\"name\":2}}}"),
		SPAN("{\"params\":{\"id\":1,\"x\":{\"name\":2}}}"),
		SPAN("{\"ID\":1,\"i\":2,\"idx\":3,\"\":4,\"name\":5}"),
		SPAN("\"id\""),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct json_found f = pick(texts[i]);
		assert_false(span_is_set(f.slot[ID]));
		assert_false(span_is_set(f.slot[NAME]));
		assert_int_equal(f.twice, 0);
	}
}

static void test_a_key_is_compared_by_its_meaning(void **state)
{
	struct json_found f = pick(SPAN("{\"\\u0069d\":1,\"m\\u0065thod\":2,\"p\\u0061rams\":{\"nam\\u0065\":3}}"));

	(void)state;
	assert_span(f.slot[ID], "1");
	assert_span(f.slot[METHOD], "2");
	assert_span(f.slot[NAME], "3");
	f = pick(SPAN("{\"id\\u0000\":1,\"\\\\u0069d\":2}"));
	assert_false(span_is_set(f.slot[ID]));
}

static void test_a_member_that_comes_twice_is_marked(void **state)
{
	static const struct {
		struct span text;
		uint64_t twice;
	} rows[] = {
		{ SPAN("{\"id\":1,\"x\":0,\"x\":1}"), 0 },
		{ SPAN("{\"id\":1,\"id\":2}"), 1 << ID },
		{ SPAN("{\"id\":1,\"id\":2,\"id\":3}"), 1 << ID },
		{ SPAN("{\"id\":1,\"\\u0069d\":2}"), 1 << ID },
		{ SPAN("{\"id\":1,\"params\":{\"name\":1,\"name\":2}}"), 1 << NAME },
		{ SPAN("{\"id\":1,\"params\":{},\"params\":{\"name\":2}}"), 1 << PARAMS },
		{ SPAN("{\"id\":1,\"method\":0,\"id\":1,\"method\":0}"), 1 << ID | 1 << METHOD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_found f = pick(rows[i].text);
		assert_int_equal(f.twice, rows[i].twice);
		assert_span(f.slot[ID], "1");
		if (f.twice == 1 << PARAMS) {
			assert_span(f.slot[PARAMS], "{}");
			assert_false(span_is_set(f.slot[NAME]));
		}
	}
}

static void test_line_breaks_between_tokens_are_told(void **state)
{
	static const struct {
		struct span text;
		bool multiline;
	} rows[] = {
		{ SPAN("{}"), false },
		{ SPAN("\t{ }"), false },
		{ SPAN("{\"a\":\"\\n\\r\"}"), false },
		{ SPAN("{}\n"), true },
		{ SPAN("\r{}"), true },
		{ SPAN("{\n}"), true },
		{ SPAN("{\"a\"\n:1}"), true },
		{ SPAN("{\"a\":\r1}"), true },
		{ SPAN("[1,\n2]"), true },
		{ SPAN("[1\n,2]"), true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(pick(rows[i].text).multiline, rows[i].multiline);
}

static void test_types_are_told_by_the_first_byte(void **state)
{
	(void)state;
	assert_int_equal(json_type_of(SPAN("{}")), JSON_OBJECT);
	assert_int_equal(json_type_of(SPAN("[]")), JSON_ARRAY);
	assert_int_equal(json_type_of(SPAN("\"\"")), JSON_STRING);
	assert_int_equal(json_type_of(SPAN("-1")), JSON_NUMBER);
	assert_int_equal(json_type_of(SPAN("0")), JSON_NUMBER);
	assert_int_equal(json_type_of(SPAN("true")), JSON_TRUE);
	assert_int_equal(json_type_of(SPAN("false")), JSON_FALSE);
	assert_int_equal(json_type_of(SPAN("null")), JSON_NULL);
	assert_int_equal(json_type_of(SPAN_NONE), JSON_NONE);
}

static void test_an_array_is_walked_item_by_item(void **state)
{
	static const char *const items[] = { "1", "\"a,]\\\"\"", "[2,[3]]", "{\"k\":[\"]}\"]}", "true", "-0.5e1",
		"null" };
	struct json_walk w = json_walk(SPAN("[ 1,\"a,]\\\"\" , [2,[3]],{\"k\":[\"]}\"]}\n,true, -0.5e1 ,null ]"));
	struct span value;

	(void)state;
	for (size_t i = 0; i < COUNT(items); i++) {
		assert_true(json_next(&w, NULL, &value));
		assert_span_is(value, span_of(items[i]));
	}
	assert_false(json_next(&w, NULL, &value));
	assert_false(json_next(&w, NULL, &value));
}

static void test_an_object_is_walked_member_by_member(void **state)
{
	struct json_walk w = json_walk(SPAN("{\"\":0 , \"a\\\"b\" : \"v\",\"c:d\":{\"e\":1}\t,\"f\":[ ]}"));
	struct span key, value;

	(void)state;
	assert_true(json_next(&w, &key, &value));
	assert_span(key, "");
	assert_span(value, "0");
	assert_true(json_next(&w, &key, &value));
	assert_span(key, "a\\\"b");
	assert_span(value, "\"v\"");
	assert_true(json_next(&w, &key, &value));
	assert_span(key, "c:d");
	assert_span(value, "{\"e\":1}");
	assert_true(json_next(&w, NULL, &value));
	assert_span(value, "[ ]");
	assert_false(json_next(&w, &key, &value));
}

static void test_what_holds_nothing_is_walked_like_an_empty_one(void **state)
{
	static const struct span values[] = { SPAN("{}"), SPAN("[ ]"), SPAN("{\n}"), SPAN("1"), SPAN("\"{\""),
		{ NULL, 0 } };
	struct span value;

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct json_walk w = json_walk(values[i]);
		assert_false(json_next(&w, NULL, &value));
	}
}

static void test_a_member_is_found_by_its_name(void **state)
{
	static const struct span object = SPAN("{\"a\":1,\"b\":{\"c\":2},\"\\u0063\":3,\"a\":4}");

	(void)state;
	assert_span(json_member(object, "a"), "1");
	assert_span(json_member(object, "b"), "{\"c\":2}");
	assert_span(json_member(object, "c"), "3");
	assert_false(span_is_set(json_member(object, "d")));
	assert_false(span_is_set(json_member(SPAN("[\"a\",1]"), "a")));
	assert_false(span_is_set(json_member(SPAN_NONE, "a")));
}

static void test_a_string_is_compared_by_its_meaning(void **state)
{
	(void)state;
	assert_true(json_string_is(SPAN("\"tools/call\""), SPAN("tools/call")));
	assert_true(json_string_is(SPAN("\"tools\\/call\""), SPAN("tools/call")));
	assert_true(
	        json_string_is(SPAN("\"\\u00e9\\u6f22\\ud83d\\ude00\""), SPAN("\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80")));
	assert_true(json_string_is(SPAN("\"\""), SPAN("")));
	assert_true(json_string_is(SPAN("\"\\u0000\""), SPAN("\0")));
	assert_false(json_string_is(SPAN("\"\\n\""), SPAN("\\n")));
	assert_false(json_string_is(SPAN("\"a\""), SPAN("ab")));
	assert_false(json_string_is(SPAN("\"ab\""), SPAN("a")));
	assert_false(json_string_is(SPAN("2.0"), SPAN("2.0")));
	assert_false(json_string_is(SPAN_NONE, SPAN("")));
}

static void test_strings_are_decoded(void **state)
{
	static const struct {
		struct span json, text;
	} rows[] = {
		{ SPAN("\"\""), SPAN("") },
		{ SPAN("\"plain \xC3\xA9\""), SPAN("plain \xC3\xA9") },
		{ SPAN("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), SPAN("\"\\/\b\f\n\r\t") },
		{ SPAN("\"x\\u0041y\\u00e9z\\u6F22\""), SPAN("xAy\xC3\xA9z\xE6\xBC\xA2") },
		{ SPAN("\"\\u0000\\u007f\\u0080\\u07ff\\u0800\\uffff\""),
		        SPAN("\0\x7f\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF") },
		{ SPAN("\"\\ud800\\udc00\\uDBFF\\uDFFF\""), SPAN("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF") },
		/* lone ones, in the wrong order, one before a pair */
		{ SPAN("\"\\ud800\""), SPAN("\xEF\xBF\xBD") },
		{ SPAN("\"\\udc00\\ud800\""), SPAN("\xEF\xBF\xBD\xEF\xBF\xBD") },
		{ SPAN("\"\\ud83d\\ud83d\\ude00\""), SPAN("\xEF\xBF\xBD\xF0\x9F\x98\x80") },
		{ SPAN("\"\\ud83d\\n\""), SPAN("\xEF\xBF\xBD\n") },
		{ SPAN("\"\\ud83d\\u0041\""), SPAN("\xEF\xBF\xBD"
		                                   "A") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *out = malloc(rows[i].json.n);
		assert_span_is(json_decode(rows[i].json, out), rows[i].text);
		free(out);
	}
}

static void test_a_string_without_escapes_is_not_copied(void **state)
{
	struct span value = SPAN("\"plain\"");
	char out[16];

	(void)state;
	assert_ptr_equal(json_decode(value, out).p, value.p + 1);
}

static void test_integers_that_fit_are_read(void **state)
{
	static const struct {
		struct span json;
		bool ok;
		int64_t value;
	} rows[] = {
		{ SPAN("0"), true, 0 },
		{ SPAN("-0"), true, 0 },
		{ SPAN("-32603"), true, -32603 },
		{ SPAN("9223372036854775807"), true, INT64_MAX },
		{ SPAN("-9223372036854775808"), true, INT64_MIN },
		{ SPAN("9223372036854775808"), false, 0 },
		{ SPAN("-9223372036854775809"), false, 0 },
		{ SPAN("1.0"), false, 0 },
		{ SPAN("1e3"), false, 0 },
		{ SPAN("\"1\""), false, 0 },
		{ SPAN("null"), false, 0 },
		{ { NULL, 0 }, false, 0 },
	};
	int64_t value = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(json_to_i64(rows[i].json, &value), rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(value, rows[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_texts_are_accepted),
		cmocka_unit_test(test_invalid_texts_are_refused_at_the_byte_that_is_wrong),
		cmocka_unit_test(test_each_truncation_of_a_text_is_refused),
		cmocka_unit_test(test_a_string_is_checked_at_every_offset_in_a_word),
		cmocka_unit_test(test_depth_is_allowed_up_to_its_bound),
		cmocka_unit_test(test_members_are_picked_as_they_are_written),
		cmocka_unit_test(test_nothing_is_picked_elsewhere),
		cmocka_unit_test(test_a_key_is_compared_by_its_meaning),
		cmocka_unit_test(test_a_member_that_comes_twice_is_marked),
		cmocka_unit_test(test_line_breaks_between_tokens_are_told),
		cmocka_unit_test(test_types_are_told_by_the_first_byte),
		cmocka_unit_test(test_an_array_is_walked_item_by_item),
		cmocka_unit_test(test_an_object_is_walked_member_by_member),
		cmocka_unit_test(test_what_holds_nothing_is_walked_like_an_empty_one),
		cmocka_unit_test(test_a_member_is_found_by_its_name),
		cmocka_unit_test(test_a_string_is_compared_by_its_meaning),
		cmocka_unit_test(test_strings_are_decoded),
		cmocka_unit_test(test_a_string_without_escapes_is_not_copied),
		cmocka_unit_test(test_integers_that_fit_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
