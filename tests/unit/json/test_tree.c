#include "unit.h"

#include "json/tree.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define DEPTH 8

static struct json_node *parse(struct arena *a, struct span text, unsigned flags)
{
	struct err e;
	struct json_node *root = json_parse(a, text, flags, DEPTH, &e);

	if (root == NULL)
		fail_msg("%.*s: %s", SPAN_ARG(text), e.text);
	return root;
}

static void test_a_tree_holds_what_the_text_says(void **state)
{
	struct arena a = { 0 };
	char text[] = " { \"a\\n\" : [ 1.50, \"b\\u00e9\\\"\", true ], \"c\" : { }, \"d\":null, \"e\": false}\n";
	struct json_node *root = parse(&a, span_of(text), 0);

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(root->type, JSON_OBJECT);
	assert_int_equal(root->count, 4);
	assert_false(span_is_set(root->text));

	struct json_node *list = json_child(root, "a\n");
	assert_ptr_equal(list, root->first);
	assert_int_equal(list->type, JSON_ARRAY);
	assert_int_equal(list->count, 3);
	assert_span(list->first->text, "1.50");
	assert_span(list->first->next->text, "b\xC3\xA9\"");
	assert_string_equal(list->first->next->text.p, "b\xC3\xA9\"");
	assert_int_equal(list->first->next->next->type, JSON_TRUE);
	assert_null(list->first->next->next->next);
	assert_ptr_equal(list->first->parent, list);

	assert_int_equal(json_child(root, "c")->count, 0);
	assert_null(json_child(root, "c")->first);
	assert_string_equal(json_child(root, "d")->text.p, "null");
	assert_int_equal(json_child(root, "e")->type, JSON_FALSE);
	arena_free(&a);
}

static void test_a_child_is_there_or_not(void **state)
{
	struct arena a = { 0 };
	struct json_node *root = parse(&a, SPAN("{\"\":1,\"a\":[2]}"), 0);

	(void)state;
	assert_span(json_child(root, "")->text, "1");
	assert_null(json_child(root, "b"));
	assert_null(json_child(json_child(root, "a"), ""));
	assert_null(json_child(json_child(root, "b"), "c"));
	arena_free(&a);
}

static void test_any_value_may_be_the_root(void **state)
{
	struct arena a = { 0 };

	(void)state;
	assert_span(parse(&a, SPAN(" \"x\" "), 0)->text, "x");
	assert_span(parse(&a, SPAN("\n-1\n"), JSON_COMMENTS)->text, "-1");
	assert_int_equal(parse(&a, SPAN("[]"), 0)->type, JSON_ARRAY);
	arena_free(&a);
}

static void test_values_know_their_line_and_column(void **state)
{
	struct arena a = { 0 };
	struct json_node *root = parse(&a,
	        SPAN("// \xC3\xA9\n{\r\n  \"\xC3\xA9\xE6\xBC\xA2\": 1, /* \xC3\xA9\n */ \"b\":\n\t[ 2, /* \xE6\xBC\xA2 */ 3 ] }"),
	        JSON_COMMENTS);
	struct json_node *list = json_child(root, "b");

	(void)state;
	assert_int_equal(root->line, 2);
	assert_int_equal(root->column, 1);
	assert_int_equal(root->first->line, 3);
	assert_int_equal(root->first->column, 9);
	assert_int_equal(list->line, 5);
	assert_int_equal(list->column, 2);
	assert_int_equal(list->first->column, 4);
	assert_int_equal(list->first->next->line, 5);
	assert_int_equal(list->first->next->column, 15);
	arena_free(&a);
}

static void test_comments_are_skipped_where_white_space_may_be(void **state)
{
	static const struct span texts[] = {
		SPAN("//\n[1,\"a\"]"),
		SPAN("[1,\"a\"]//"),
		SPAN("[1,\"a\"] // the end \xFF \" /*"),
		SPAN("/**/[/* */1/***/,/* // */\"a\"/*\n\n*/]/*/ */"),
		SPAN("[1, // one\r\n\"a\" // \"b\"\r\n]\r\n"),
		SPAN("[1,//\n//\n\"a\"]"),
	};
	struct arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct json_node *root = parse(&a, texts[i], JSON_COMMENTS);
		assert_int_equal(root->count, 2);
		assert_span(root->first->text, "1");
		assert_span(root->first->next->text, "a");
	}
	arena_free(&a);
}

static void test_what_looks_like_a_comment_in_a_string_is_kept(void **state)
{
	struct arena a = { 0 };
	struct json_node *root =
	        parse(&a, SPAN("{\"https://a/*b*/\":\"\\\"// c\",/* \"d\":1, */\"\\\\\":\"/*\"}"), JSON_COMMENTS);

	(void)state;
	assert_int_equal(root->count, 2);
	assert_span(root->first->key, "https://a/*b*/");
	assert_span(root->first->text, "\"// c");
	assert_span(root->first->next->key, "\\");
	assert_span(root->first->next->text, "/*");
	arena_free(&a);
}

static void test_faults_are_told_with_their_place(void **state)
{
	/* clang-format off */
	static const struct { struct span text; unsigned flags; const char *message; } rows[] = {
		{ SPAN(""),                              JSON_COMMENTS, "line 1, column 1: the text is empty" },
		{ { NULL, 0 },                           0,             "line 1, column 1: the text is empty" },
		{ SPAN("// only\n"),                     JSON_COMMENTS, "line 2, column 1: the text is empty" },
		{ SPAN("{\n  \"a\": 1,\n}"),             0,             "line 3, column 1: the name of a member was expected" },
		{ SPAN("[\n\"\xC3\xA9\", x]"),           0,             "line 2, column 6: a value was expected" },
		{ SPAN("[1] // no"),                     0,             "line 1, column 5: something follows the value" },
		{ SPAN("[1, /* \n"),                     JSON_COMMENTS, "line 1, column 5: a comment that is not closed" },
		{ SPAN("[1, /*/"),                       JSON_COMMENTS, "line 1, column 5: a comment that is not closed" },
		{ SPAN("[1 / 2]"),                       JSON_COMMENTS, "line 1, column 4: a comma or a closing bracket was expected" },
		{ SPAN("[1/"),                           JSON_COMMENTS, "line 1, column 3: a comma or a closing bracket was expected" },
		{ SPAN("[\"a // b\n\"]"),                JSON_COMMENTS, "line 1, column 9: a control character in a string" },
		{ SPAN("[\"a\\\n// \"]"),                JSON_COMMENTS, "line 1, column 5: an escape that JSON does not know" },
		{ SPAN("[\"\\"),                         JSON_COMMENTS, "line 1, column 4: the text ends too early" },
		{ SPAN("[[[[[[[[[]]]]]]]]]"),            0,             "line 1, column 9: the text is nested too deeply" },
		{ SPAN("{\"a\":1,\n \"\\u0061\":2}"),    0,             "line 2, column 2: a member that comes twice in its object" },
		{ SPAN("{\"a\":{\"b\":1,\"b\":2}}"),     0,             "line 1, column 13: a member that comes twice in its object" },
		{ SPAN("[1,{\"\":1,\"\":2},3]"),         0,             "line 1, column 10: a member that comes twice in its object" },
	};
	/* clang-format on */
	struct arena a = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_null(json_parse(&a, rows[i].text, rows[i].flags, DEPTH, &e));
		assert_string_equal(e.text, rows[i].message);
	}
	arena_free(&a);
}

static void test_the_same_key_in_two_objects_is_fine(void **state)
{
	struct arena a = { 0 };

	(void)state;
	parse(&a, SPAN("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}"), 0);
	arena_free(&a);
}

static void test_paths_read_like_code(void **state)
{
	struct arena a = { 0 };
	struct json_node *root = parse(&a,
	        SPAN("{\"mcpServers\":{\"git-hub_1\":{\"args\":[0,{\"x\":[[1]]}],\"a.b \\\"\":{\"\":1}}},\"[0]\":1}"),
	        0);
	struct json_node *server = json_child(root, "mcpServers")->first;
	struct json_node *second = json_child(server, "args")->first->next;

	(void)state;
	assert_string_equal(json_path(&a, root), "the file");
	assert_string_equal(json_path(&a, root->first), "mcpServers");
	assert_string_equal(json_path(&a, server), "mcpServers.git-hub_1");
	assert_string_equal(json_path(&a, second), "mcpServers.git-hub_1.args[1]");
	assert_string_equal(
	        json_path(&a, json_child(second, "x")->first->first), "mcpServers.git-hub_1.args[1].x[0][0]");
	assert_string_equal(
	        json_path(&a, json_child(server, "a.b \"")->first), "mcpServers.git-hub_1[\"a.b \\\"\"][\"\"]");
	assert_string_equal(json_path(&a, json_child(root, "[0]")), "[\"[0]\"]");
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_tree_holds_what_the_text_says),
		cmocka_unit_test(test_a_child_is_there_or_not),
		cmocka_unit_test(test_any_value_may_be_the_root),
		cmocka_unit_test(test_values_know_their_line_and_column),
		cmocka_unit_test(test_comments_are_skipped_where_white_space_may_be),
		cmocka_unit_test(test_what_looks_like_a_comment_in_a_string_is_kept),
		cmocka_unit_test(test_faults_are_told_with_their_place),
		cmocka_unit_test(test_the_same_key_in_two_objects_is_fine),
		cmocka_unit_test(test_paths_read_like_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
