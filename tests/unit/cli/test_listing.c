/* The lists of a catalog as JSON and as tables, all pages of them. */
#include "unit.h"

#include <stdlib.h>

#include "cli/listing.h"

static void set(struct catalog *c, size_t server, enum list_kind kind, const char *const *items, size_t n)
{
	struct item_list list = { .count = n, .items = calloc(n, sizeof(struct span)) };
	struct buf text = { 0 };
	bool changed;
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		buf_add(&text, span_of(items[i]));
	list.text = span_dup(buf_span(&text));
	for (size_t i = 0; i < n; at += span_of(items[i++]).n)
		list.items[i] = (struct span){ list.text + at, span_of(items[i]).n };
	buf_free(&text);
	catalog_set(c, server, kind, &list, &changed);
}

#define SET(catalog, server, kind, ...)                                        \
	set((catalog), (server), (kind), (const char *const[]){ __VA_ARGS__ }, \
	        sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static struct catalog *two_servers(size_t page_items)
{
	static const struct catalog_server servers[] = { { .name = "a" }, { .name = "b" } };

	return catalog_new(servers, 2, true, page_items);
}

static void test_json_has_every_item_of_every_page_as_it_is_served(void **state)
{
	struct buf out = { 0 };

	(void)state;
	for (size_t page_items = 1; page_items < 5; page_items++) {
		struct catalog *c = two_servers(page_items);
		SET(c, 0, LIST_TOOLS, "{\"name\":\"x\",\"n\":1.0}", "{ \"name\":\"y\"}");
		SET(c, 1, LIST_TOOLS, "{\"name\":\"x\"}");
		SET(c, 1, LIST_RESOURCES, "{\"uri\":\"u:1\"}");
		listing_put_json(c, &out);
		assert_span(buf_span(&out),
		        "{\"tools\":[{\"name\":\"a__x\",\"n\":1.0},{ \"name\":\"a__y\"},{\"name\":\"b__x\"}],"
		        "\"resources\":[{\"uri\":\"u:1\"}],\"resourceTemplates\":[],\"prompts\":[]}\n");
		buf_free(&out);
		catalog_free(&c);
	}
}

static void assert_tables(struct catalog *c, unsigned width, bool colour, const char *wanted)
{
	struct buf out = { 0 };

	listing_put_tables(c, width, colour, &out);
	assert_span_is(buf_span(&out), span_of(wanted));
	buf_free(&out);
}

static void test_required_arguments_are_marked(void **state)
{
	struct catalog *c = two_servers(10);

	(void)state;
	SET(c, 0, LIST_TOOLS,
	        "{\"name\":\"x\",\"description\":\"Does\\nx\",\"inputSchema\":{\"properties\":"
	        "{\"p\":{},\"q\\u0031\":{},\"r\":{}},\"required\":[\"q1\",\"other\"]}}",
	        "{\"name\":\"y\",\"title\":\"Y\",\"inputSchema\":{\"properties\":[1],\"required\":\"p\"}}");
	SET(c, 0, LIST_PROMPTS,
	        "{\"name\":\"z\",\"arguments\":[{\"name\":\"k\",\"required\":true},{\"name\":\"l\"},7]}");
	assert_tables(c, 80, false,
	        "Tools (2)\n  a__x  p q1* r  Does x\n  a__y           Y\n  * required\n"
	        "\nPrompts (1)\n  a__z  k* l\n  * required\n");
	catalog_free(&c);
}

static void test_resources_and_templates_have_their_names(void **state)
{
	struct catalog *c = two_servers(10);

	(void)state;
	SET(c, 0, LIST_RESOURCES, "{\"uri\":\"u:1\",\"name\":\"one\",\"description\":\"The first\"}");
	SET(c, 1, LIST_TEMPLATES, "{\"uriTemplate\":\"u:{n}\",\"name\":\"any\"}");
	assert_tables(c, 80, true,
	        "\033[1mResources (1)\033[0m\n  \033[36mu:1\033[0m  \033[33mone\033[0m  The first\n"
	        "\n\033[1mResource templates (1)\033[0m\n  \033[36mu:{n}\033[0m  \033[33many\033[0m\n");
	catalog_free(&c);
}

#define TEN "abcdefghij"

static void test_a_name_beyond_64_characters_is_marked(void **state)
{
	struct catalog *c = two_servers(10);

	(void)state;
	SET(c, 0, LIST_TOOLS, "{\"name\":\"" TEN TEN TEN TEN TEN TEN "1\"}",
	        "{\"name\":\"" TEN TEN TEN TEN TEN TEN "12\"}");
	assert_tables(c, 80, false,
	        "Tools (2)\n  a__" TEN TEN TEN TEN TEN TEN "1\n  a__" TEN TEN TEN TEN TEN TEN "12 !\n"
	        "  ! longer than 64 characters: some clients refuse it\n");
	catalog_free(&c);
}

static void test_nothing_is_printed_of_empty_lists(void **state)
{
	struct catalog *c = two_servers(10);

	(void)state;
	assert_tables(c, 80, false, "");
	catalog_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_has_every_item_of_every_page_as_it_is_served),
		cmocka_unit_test(test_required_arguments_are_marked),
		cmocka_unit_test(test_resources_and_templates_have_their_names),
		cmocka_unit_test(test_a_name_beyond_64_characters_is_marked),
		cmocka_unit_test(test_nothing_is_printed_of_empty_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
