#include "unit.h"

#include <stdio.h>

#include "base/buf.h"
#include "manifest/yaml.h"

struct parsed {
	struct arena arena;
	const struct yaml_node *documents;
	struct err e;
	bool good;
};

static struct parsed parse(struct span text)
{
	struct parsed p = { 0 };

	p.good = yaml_parse(&p.arena, text, &p.documents, &p.e);
	return p;
}

static void assert_refused(struct span text, const char *why)
{
	struct parsed p = parse(text);

	assert_false(p.good);
	if (strstr(p.e.text, why) == NULL)
		fail_msg("got \"%s\", wanted \"%s\"", p.e.text, why);
	arena_free(&p.arena);
}

static void test_values_have_their_places_and_paths(void **state)
{
	struct parsed p = parse(SPAN("kind: Pod\nspec:\n  containers:\n  - name: a\n    \"x/y\": 1\n  - name: 'b'\n"));

	(void)state;
	assert_true(p.good);
	const struct yaml_node *first = yaml_items(yaml_at(p.documents, "spec.containers"));
	const struct yaml_node *name = yaml_child(first->next, "name"), *odd = yaml_child(first, "x/y");
	assert_span(yaml_text(name), "b");
	assert_false(name->plain);
	assert_int_equal(name->line, 6);
	assert_int_equal(name->column, 11);
	assert_string_equal(yaml_path(&p.arena, name), "spec.containers[1].name");
	assert_string_equal(yaml_path(&p.arena, odd), "spec.containers[0][\"x/y\"]");
	assert_string_equal(yaml_path(&p.arena, p.documents), "");
	assert_ptr_equal(yaml_object(odd), p.documents);
	arena_free(&p.arena);
}

static void test_documents_follow_each_other(void **state)
{
	struct parsed p = parse(SPAN("---\n# nothing\n---\na: 1\n---\n- b\n...\n"));

	(void)state;
	assert_true(p.good);
	assert_null(yaml_child(p.documents, "a"));
	assert_true(yaml_is(yaml_child(p.documents->next, "a"), "1"));
	assert_true(yaml_is(yaml_items(p.documents->next->next), "b"));
	assert_null(p.documents->next->next->next);
	arena_free(&p.arena);
	p = parse(SPAN(""));
	assert_true(p.good && p.documents == NULL);
	arena_free(&p.arena);
}

static void test_numbers_and_booleans_are_without_quotes(void **state)
{
	struct parsed p =
	        parse(SPAN("a: 30\nb: \"30\"\nc: -5\nd: 99999999999999999999\ne: true\nf: \"true\"\ng: no\nh: 1.5\n"
	                   "i: ~\nj:\nk: null\nl: \"\"\n"));
	int64_t n;

	(void)state;
	assert_true(p.good);
	const struct yaml_node *d = p.documents;
	assert_true(yaml_int(yaml_child(d, "a"), &n) && n == 30);
	assert_false(yaml_int(yaml_child(d, "b"), &n));
	assert_true(yaml_int(yaml_child(d, "c"), &n) && n == -5);
	assert_false(yaml_int(yaml_child(d, "d"), &n));
	assert_true(yaml_is_true(yaml_child(d, "e")));
	assert_false(yaml_is_true(yaml_child(d, "f")));
	assert_true(yaml_is_false(yaml_child(d, "g")));
	assert_false(yaml_int(yaml_child(d, "h"), &n));
	assert_null(yaml_child(d, "i"));
	assert_null(yaml_child(d, "j"));
	assert_null(yaml_child(d, "k"));
	assert_non_null(yaml_child(d, "l"));
	assert_false(yaml_int(NULL, &n) || yaml_is_true(NULL) || yaml_is_false(NULL) || yaml_is(NULL, ""));
	assert_null(yaml_child(NULL, "a"));
	assert_null(yaml_items(d));
	arena_free(&p.arena);
}

static void test_anchors_aliases_and_merges(void **state)
{
	struct parsed p = parse(SPAN("base: &b { x: 1, y: [2, 3] }\nsame: *b\nmore: { <<: *b, x: 4 }\n"
	                             "list: { <<: [{ z: 5 }, *b] }\nagain: &b 6\nlast: *b\n"));

	(void)state;
	assert_true(p.good);
	assert_true(yaml_is(yaml_at(p.documents, "same.x"), "1"));
	assert_true(yaml_is(yaml_at(p.documents, "more.x"), "4"));
	assert_true(yaml_is(yaml_items(yaml_at(p.documents, "more.y")), "2"));
	assert_true(yaml_is(yaml_at(p.documents, "list.z"), "5"));
	assert_true(yaml_is(yaml_at(p.documents, "list.x"), "1"));
	assert_true(yaml_is(yaml_at(p.documents, "last"), "6"));
	assert_string_equal(yaml_path(&p.arena, yaml_at(p.documents, "same.x")), "same.x");
	arena_free(&p.arena);
}

static void test_aliases_of_aliases_are_refused_when_they_become_too_many(void **state)
{
	struct buf bomb = { 0 };

	(void)state;
	buf_printf(&bomb, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 12; i++) {
		buf_printf(&bomb, "a%d: &a%d [", i, i);
		for (int n = 0; n < 9; n++)
			buf_printf(&bomb, "%s*a%d", n > 0 ? ", " : "", i - 1);
		buf_printf(&bomb, "]\n");
	}
	assert_refused(buf_span(&bomb), "too many values");
	buf_free(&bomb);
	assert_refused(SPAN("a: &a [*a]"), "not yet complete");
	assert_refused(SPAN("a: *b"), "not there");
}

static void test_every_bound(void **state)
{
	struct buf text = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_add_char(&text, '[');
	assert_refused(buf_span(&text), "nested too deeply");
	buf_reset(&text);
	for (unsigned i = 0; i <= YAML_MAX_ANCHORS; i++)
		buf_printf(&text, "- &n%u x\n", i);
	assert_refused(buf_span(&text), "too many anchors");
	buf_reset(&text);
	buf_add_char(&text, '[');
	for (size_t i = 0; i < YAML_MAX_NODES; i++)
		buf_add(&text, SPAN("1,"));
	buf_add_char(&text, ']');
	assert_refused(buf_span(&text), "too many values");
	buf_reset(&text);
	for (size_t i = 0; i <= YAML_MAX_BYTES / 16; i++)
		buf_add(&text, SPAN("# sixteen bytes\n"));
	assert_refused(buf_span(&text), "larger than");
	buf_free(&text);
}

static void test_depth_by_aliases_is_bounded_too(void **state)
{
	struct buf text = { 0 };

	(void)state;
	buf_add(&text, SPAN("a0: &a0 x\n"));
	for (int i = 1; i < 70; i++)
		buf_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	assert_refused(buf_span(&text), "nested too deeply");
	buf_free(&text);
}

static void test_what_is_no_yaml_is_refused_with_its_place(void **state)
{
	(void)state;
	assert_refused(SPAN("a: b: c"), "line 1");
	assert_refused(SPAN("a:\n\t- b"), "line 2");
	assert_refused(SPAN("{ [a]: b }"), "a key that is no text");
	assert_refused(SPAN("a: \"b"), "line 1");
	assert_refused(SPAN("\xff\xfe\xfd"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_have_their_places_and_paths),
		cmocka_unit_test(test_documents_follow_each_other),
		cmocka_unit_test(test_numbers_and_booleans_are_without_quotes),
		cmocka_unit_test(test_anchors_aliases_and_merges),
		cmocka_unit_test(test_aliases_of_aliases_are_refused_when_they_become_too_many),
		cmocka_unit_test(test_every_bound),
		cmocka_unit_test(test_depth_by_aliases_is_bounded_too),
		cmocka_unit_test(test_what_is_no_yaml_is_refused_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
