#include "gateway/catalog.h"

#include <stdlib.h>

#include "base/mem.h"
#include "unit.h"

#include <stdio.h>
#include "json/scan.h"

/* The one thing that the catalog needs of backend/; the linker takes the real one when it is there. */
__attribute__((weak)) void item_list_free(struct item_list *list)
{
	free(list->items);
	free(list->text);
	*list = (struct item_list){ 0 };
}

#define PAGE 3

static const char *const none[] = { NULL };
static const char *const only_get[] = { "get*", NULL };
static const char *const no_secrets[] = { "*secret*", "get_root", NULL };

static const struct catalog_server servers[] = {
	{ "a", NULL, NULL },
	{ "b", NULL, none },
	{ "git-hub_2", only_get, no_secrets },
	{ "a_", NULL, NULL },
};
enum { A, B, GITHUB, A_, SERVERS };

static struct catalog *new_catalog(bool prefixed)
{
	return catalog_new(servers, SERVERS, prefixed, PAGE);
}

/* Makes a list of the items of a JSON array and hands it over. */
static bool set_own(struct catalog *c, size_t server, enum list_kind kind, const char *array, bool *own)
{
	struct item_list list = { .text = span_dup(span_of(array)),
		.items = mem_alloc(strlen(array) * sizeof(struct span)) };
	struct json_walk w = json_walk(span_of(list.text));

	while (json_next(&w, NULL, &list.items[list.count]))
		list.count++;
	bool changed = catalog_set(c, server, kind, &list, own);
	assert_null(list.text);
	assert_null(list.items);
	assert_int_equal(list.count, 0);
	return changed;
}

static bool set(struct catalog *c, size_t server, enum list_kind kind, const char *array)
{
	bool own;

	return set_own(c, server, kind, array, &own);
}

static void assert_page(struct catalog *c, int scope, enum list_kind kind, struct span cursor, const char *wanted)
{
	struct buf out = { 0 };

	buf_add(&out, SPAN("before"));
	assert_true(catalog_page(c, scope, kind, cursor, &out));
	assert_span_is(buf_span(&out), (struct span){ wanted, strlen(wanted) });
	buf_free(&out);
}

#define assert_list(c, scope, kind, wanted) assert_page(c, scope, kind, SPAN_NONE, "before" wanted)

/* The names (or what `member` says) of all pages of a walk, with a space behind each; cursors are followed. */
static struct span walk(struct catalog *c, int scope, enum list_kind kind, const char *member, struct buf *names)
{
	struct buf page = { 0 }, cursor = { 0 };
	struct span item, at = SPAN_NONE;

	buf_reset(names);
	do {
		buf_reset(&page);
		assert_true(catalog_page(c, scope, kind, at, &page));
		struct json_walk w = json_walk(json_member(buf_span(&page), list_member(kind)));
		while (json_next(&w, NULL, &item)) {
			struct span name = json_member(item, member);
			if (json_type_of(name) == JSON_STRING)
				name = span_cut(span_skip(name, 1), name.n - 2);
			buf_add(names, name);
			buf_add_char(names, ' ');
		}
		struct span next = json_member(buf_span(&page), "nextCursor");
		buf_reset(&cursor);
		buf_add(&cursor, next);
		at = span_is_set(next) ? buf_span(&cursor) : SPAN_NONE;
	} while (span_is_set(at));
	buf_free(&page);
	buf_free(&cursor);
	return buf_span(names);
}

static void assert_walk(struct catalog *c, int scope, enum list_kind kind, const char *member, const char *wanted)
{
	struct buf names = { 0 };

	assert_span_is(walk(c, scope, kind, member, &names), span_of(wanted));
	buf_free(&names);
}

static void assert_route(struct catalog *c, int scope, enum list_kind kind, const char *name, size_t server,
        const char *local, bool listed)
{
	struct span text = span_of(name);
	struct route r;

	if (!catalog_route(c, scope, kind, text, &r))
		fail_msg("%s is nobody's", name);
	assert_int_equal(r.server, server);
	assert_span_is(r.name, span_of(local));
	assert_int_equal(r.listed, listed);
	assert_ptr_equal(span_end(r.name), span_end(text)); /* a part of what was asked for */
}

static void assert_nobodys(struct catalog *c, int scope, enum list_kind kind, const char *name)
{
	struct route r;

	if (catalog_route(c, scope, kind, span_of(name), &r))
		fail_msg("%s is number %zu's", name, r.server);
}

static void test_an_empty_catalog_has_empty_lists(void **state)
{
	struct catalog *c = new_catalog(true), *empty = catalog_new(NULL, 0, true, 1);

	(void)state;
	assert_list(c, SCOPE_ALL, LIST_TOOLS, "{\"tools\":[]}");
	assert_list(c, A, LIST_RESOURCES, "{\"resources\":[]}");
	assert_list(c, SCOPE_ALL, LIST_TEMPLATES, "{\"resourceTemplates\":[]}");
	assert_list(empty, SCOPE_ALL, LIST_PROMPTS, "{\"prompts\":[]}");
	assert_nobodys(empty, SCOPE_ALL, LIST_TOOLS, "a__x");
	assert_int_equal(catalog_count(c, SCOPE_ALL, LIST_TOOLS), 0);
	catalog_free(&c);
	catalog_free(&empty);
	catalog_free(&empty);
	assert_null(c);
}

static void test_lists_are_merged_in_the_order_of_the_configuration(void **state)
{
	struct catalog *c = new_catalog(true);

	(void)state;
	assert_true(set(c, B, LIST_TOOLS, "[{\"name\":\"x\"},{\"name\":\"w\"}]"));
	assert_true(set(c, A, LIST_TOOLS, "[{\"name\":\"y\"}]"));
	assert_list(
	        c, SCOPE_ALL, LIST_TOOLS, "{\"tools\":[{\"name\":\"a__y\"},{\"name\":\"b__x\"},{\"name\":\"b__w\"}]}");
	assert_list(c, B, LIST_TOOLS, "{\"tools\":[{\"name\":\"x\"},{\"name\":\"w\"}]}");
	assert_int_equal(catalog_count(c, SCOPE_ALL, LIST_TOOLS), 3);
	assert_int_equal(catalog_count(c, B, LIST_TOOLS), 2);
	assert_list(c, SCOPE_ALL, LIST_PROMPTS, "{\"prompts\":[]}");
	catalog_free(&c);
}

/* Everything that a server may write and that no reader should change. */
#define ODD_BEFORE \
	"{ \"title\":\"a\\/b\\u00e9\\ud83d\\ude00\\u200d\xc2\xa0\xe2\x80\x8d\",\"n\":12345678901234567890123, \"\\u006eame\" :\t\""
#define ODD_NAME "\\u0074ool\\\"\\\\"
#define ODD_AFTER                                                                                           \
	"\",\"f\":1.0,\"e\":1E+2,\"dup\":1,\"dup\":2,\"x-name\":{\"name\":\"inner\"},\"annotations\":null," \
	"\"inputSchema\":{\"properties\":{\"name\":{\"type\":\"string\"}}} }"

static void test_items_pass_byte_for_byte_but_for_the_prefix(void **state)
{
	struct catalog *c = new_catalog(true);

	(void)state;
	set(c, GITHUB, LIST_PROMPTS, "[ " ODD_BEFORE ODD_NAME ODD_AFTER " ]");
	assert_list(c, SCOPE_ALL, LIST_PROMPTS, "{\"prompts\":[" ODD_BEFORE "git-hub_2__" ODD_NAME ODD_AFTER "]}");
	assert_list(c, GITHUB, LIST_PROMPTS, "{\"prompts\":[" ODD_BEFORE ODD_NAME ODD_AFTER "]}");
	assert_route(c, SCOPE_ALL, LIST_PROMPTS, "git-hub_2__tool\"\\", GITHUB, "tool\"\\", true);
	assert_route(c, GITHUB, LIST_PROMPTS, "tool\"\\", GITHUB, "tool\"\\", true);
	catalog_free(&c);
}

static void test_uris_and_the_names_of_resources_have_no_prefix(void **state)
{
	struct catalog *c = new_catalog(true);

	(void)state;
	set(c, B, LIST_RESOURCES, "[{\"uri\":\"file:///x\",\"name\":\"x\"}]");
	set(c, B, LIST_TEMPLATES, "[{\"uriTemplate\":\"file:///{p}\",\"name\":\"files\"}]");
	assert_list(c, SCOPE_ALL, LIST_RESOURCES, "{\"resources\":[{\"uri\":\"file:///x\",\"name\":\"x\"}]}");
	assert_list(c, SCOPE_ALL, LIST_TEMPLATES,
	        "{\"resourceTemplates\":[{\"uriTemplate\":\"file:///{p}\",\"name\":\"files\"}]}");
	assert_route(c, SCOPE_ALL, LIST_RESOURCES, "file:///x", B, "file:///x", true);
	assert_route(c, SCOPE_ALL, LIST_TEMPLATES, "file:///{p}", B, "file:///{p}", true);
	assert_nobodys(c, SCOPE_ALL, LIST_RESOURCES, "file:///y");
	assert_nobodys(c, B, LIST_RESOURCES, "file:///y");
	catalog_free(&c);
}

static void test_a_name_finds_its_server(void **state)
{
	struct catalog *c = new_catalog(true);

	(void)state;
	set(c, A, LIST_TOOLS, "[{\"name\":\"x__y\"},{\"name\":\"\"},{\"name\":\"__z\"}]");
	set(c, B, LIST_TOOLS, "[{\"name\":\"x\"}]");
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "a__x__y", A, "x__y", true);
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "a__", A, "", true);
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "a____z", A, "__z", true);
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "b__x", B, "x", true);
	assert_route(c, B, LIST_TOOLS, "x", B, "x", true);
	/* not listed, yet there is no doubt */
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "b__new", B, "new", false);
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "b__x__y", B, "x__y", false);
	assert_route(c, SCOPE_ALL, LIST_PROMPTS, "git-hub_2__p", GITHUB, "p", false);
	assert_route(c, B, LIST_TOOLS, "b__x", B, "b__x", false);
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "x");
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "b__");
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "c__x");
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "__x");
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "a_x");
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "A__x");
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "");
	assert_nobodys(c, B, LIST_TOOLS, "");
	catalog_free(&c);
}

static void test_a_server_name_that_ends_in_an_underscore(void **state)
{
	struct catalog *c = new_catalog(true);

	(void)state;
	/* "a___x" could be a's "_x" as well as a_'s "x": a list decides, then the order of the configuration */
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "a___x", A, "_x", false);
	set(c, A_, LIST_TOOLS, "[{\"name\":\"x\"}]");
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "a___x", A_, "x", true);
	set(c, A, LIST_TOOLS, "[{\"name\":\"_x\"}]");
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "a___x", A, "_x", true);
	assert_list(c, SCOPE_ALL, LIST_TOOLS, "{\"tools\":[{\"name\":\"a___x\"}]}");
	assert_list(c, A_, LIST_TOOLS, "{\"tools\":[{\"name\":\"x\"}]}");
	catalog_free(&c);
}

static void test_hints_are_read_from_annotations(void **state)
{
	struct catalog *c = new_catalog(true);
	struct route r;

	(void)state;
	set(c, A, LIST_TOOLS,
	        "[{\"name\":\"r\",\"annotations\":{\"readOnlyHint\":true}},"
	        "{\"annotations\":{\"idempotentHint\":true,\"readOnlyHint\":false},\"name\":\"i\"},"
	        "{\"name\":\"n\",\"readOnlyHint\":true,\"annotations\":{\"readOnlyHint\":\"true\"}}]");
	assert_true(catalog_route(c, SCOPE_ALL, LIST_TOOLS, SPAN("a__r"), &r) && r.read_only && !r.idempotent);
	assert_true(catalog_route(c, SCOPE_ALL, LIST_TOOLS, SPAN("a__i"), &r) && !r.read_only && r.idempotent);
	assert_true(catalog_route(c, SCOPE_ALL, LIST_TOOLS, SPAN("a__n"), &r) && !r.read_only && !r.idempotent);
	assert_true(catalog_route(c, SCOPE_ALL, LIST_TOOLS, SPAN("a__?"), &r) && !r.read_only && !r.idempotent);
	catalog_free(&c);
}

static void test_excluded_tools_are_neither_listed_nor_called(void **state)
{
	struct catalog *c = new_catalog(true);

	(void)state;
	set(c, GITHUB, LIST_TOOLS,
	        "[{\"name\":\"get_user\"},{\"name\":\"put\"},{\"name\":\"get_root\"},{\"name\":\"get_secret\"},{\"name\":"
	        "\"get\"}]");
	assert_walk(c, SCOPE_ALL, LIST_TOOLS, "name", "git-hub_2__get_user git-hub_2__get ");
	assert_walk(c, GITHUB, LIST_TOOLS, "name", "get_user get ");
	assert_int_equal(catalog_count(c, SCOPE_ALL, LIST_TOOLS), 2);
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "git-hub_2__get_user", GITHUB, "get_user", true);
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "git-hub_2__get_new", GITHUB, "get_new", false);
	static const char *const refused[] = { "put", "get_root", "get_secret", "secret", "new" };
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct buf name = { 0 };
		buf_printf(&name, "git-hub_2__%s%c", refused[i], 0);
		assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, buf_span(&name).p);
		assert_nobodys(c, GITHUB, LIST_TOOLS, refused[i]);
		assert_route(c, GITHUB, LIST_PROMPTS, refused[i], GITHUB, refused[i], false); /* tools only */
		buf_free(&name);
	}
	catalog_free(&c);
}

static void test_without_prefixes_the_first_server_has_a_name(void **state)
{
	struct catalog *c = new_catalog(false);

	(void)state;
	set(c, B, LIST_TOOLS, "[{\"name\":\"x\",\"of\":\"b\"},{\"name\":\"y\"}]");
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "x", B, "x", true);
	assert_true(set(c, A_, LIST_TOOLS, "[{\"name\":\"x\",\"of\":\"a_\"},{\"name\":\"z\"}]"));
	assert_walk(c, SCOPE_ALL, LIST_TOOLS, "name", "x y z ");
	assert_true(set(c, A, LIST_TOOLS, "[{\"name\":\"x\",\"of\":\"a\"}]"));
	assert_walk(c, SCOPE_ALL, LIST_TOOLS, "of", "a   "); /* the other three have none */
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "x", A, "x", true);
	assert_route(c, A_, LIST_TOOLS, "x", A_, "x", true);
	/* a rival's change is no change of the merged list */
	bool own;
	assert_false(set_own(c, A_, LIST_TOOLS, "[{\"name\":\"x\",\"of\":\"new\"},{\"name\":\"z\"}]", &own));
	assert_true(own);
	/* rivals come up in their order when the owner goes */
	assert_true(set(c, A, LIST_TOOLS, "[]"));
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "x", B, "x", true);
	assert_true(set(c, B, LIST_TOOLS, "[]"));
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "x", A_, "x", true);
	assert_list(c, SCOPE_ALL, LIST_TOOLS, "{\"tools\":[{\"name\":\"x\",\"of\":\"new\"},{\"name\":\"z\"}]}");
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "b__x");
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "w");
	catalog_free(&c);
}

static void test_one_server_without_prefixes_gets_unknown_names_too(void **state)
{
	struct catalog *c = catalog_new(&servers[GITHUB], 1, false, PAGE);

	(void)state;
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "get_it", 0, "get_it", false);
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "get_secret");
	assert_nobodys(c, SCOPE_ALL, LIST_TOOLS, "other");
	assert_route(c, SCOPE_ALL, LIST_PROMPTS, "other", 0, "other", false);
	catalog_free(&c);
}

static void test_the_same_uri_twice_is_the_first_servers(void **state)
{
	struct catalog *c = new_catalog(true);
	size_t to[SERVERS];

	(void)state;
	set(c, B, LIST_RESOURCES, "[{\"uri\":\"u:1\",\"of\":\"b\"},{\"uri\":\"u:2\",\"of\":\"b\"}]");
	assert_true(set(c, A, LIST_RESOURCES, "[{\"uri\":\"u:1\",\"of\":\"a\"}]"));
	assert_walk(c, SCOPE_ALL, LIST_RESOURCES, "of", "a b ");
	assert_int_equal(catalog_route_uri(c, SCOPE_ALL, SPAN("u:1"), to, SERVERS), 1);
	assert_int_equal(to[0], A);
	assert_walk(c, B, LIST_RESOURCES, "uri", "u:1 u:2 ");
	assert_int_equal(catalog_route_uri(c, B, SPAN("u:1"), to, SERVERS), 1);
	assert_int_equal(to[0], B);
	catalog_free(&c);
}

static void test_uris_that_are_not_listed_go_where_a_template_fits_else_everywhere(void **state)
{
	struct catalog *c = new_catalog(true);
	size_t to[SERVERS];

	(void)state;
	assert_int_equal(catalog_route_uri(c, SCOPE_ALL, SPAN("file:///x"), to, SERVERS), 0);
	set(c, B, LIST_TEMPLATES, "[{\"uriTemplate\":\"db://{t}\"},{\"uriTemplate\":\"file:///{+p}\"}]");
	set(c, A_, LIST_TEMPLATES, "[{\"uriTemplate\":\"file:///{p}\"},{\"uriTemplate\":\"file:///x\"}]");
	set(c, A, LIST_RESOURCES, "[]");
	set(c, GITHUB, LIST_TOOLS, "[{\"name\":\"get\"}]");
	assert_int_equal(catalog_route_uri(c, SCOPE_ALL, SPAN("file:///x"), to, SERVERS), 2);
	assert_true(to[0] == B && to[1] == A_);
	assert_int_equal(catalog_route_uri(c, SCOPE_ALL, SPAN("file:///x/y"), to, SERVERS), 1);
	assert_int_equal(to[0], B);
	assert_int_equal(catalog_route_uri(c, SCOPE_ALL, SPAN("other:x"), to, SERVERS), 3);
	assert_true(to[0] == A && to[1] == B && to[2] == A_); /* the one with tools only is not asked */
	assert_int_equal(catalog_route_uri(c, SCOPE_ALL, SPAN("other:x"), to, 2), 2);
	assert_int_equal(catalog_route_uri(c, SCOPE_ALL, SPAN("file:///x"), to, 0), 0);
	assert_int_equal(catalog_route_uri(c, GITHUB, SPAN("file:///x"), to, SERVERS), 1);
	assert_int_equal(to[0], GITHUB);
	catalog_free(&c);
}

static void test_only_a_change_of_bytes_is_a_change(void **state)
{
	struct catalog *c = new_catalog(true);
	bool own;

	(void)state;
	assert_true(set_own(c, A, LIST_TOOLS, "[{\"name\":\"x\"},{\"name\":\"y\"}]", &own) && own);
	assert_false(set_own(c, A, LIST_TOOLS, "[{\"name\":\"x\"},{\"name\":\"y\"}]", &own) || own);
	assert_false(set_own(c, A, LIST_TOOLS, "[ {\"name\":\"x\"} , {\"name\":\"y\"} ]", &own) || own);
	assert_true(set_own(c, A, LIST_TOOLS, "[{\"name\":\"y\"},{\"name\":\"x\"}]", &own) && own);
	assert_true(set_own(c, A, LIST_TOOLS, "[{\"name\":\"y\"}]", &own) && own);
	assert_true(set_own(c, A, LIST_TOOLS, "[{\"name\": \"y\"}]", &own) && own);
	assert_true(set_own(c, A, LIST_TOOLS, "[{\"name\":\"\\u0079\"}]", &own) && own);
	assert_true(set_own(c, A, LIST_TOOLS, "[]", &own) && own);
	assert_false(set_own(c, A, LIST_TOOLS, "[]", &own) || own);
	assert_false(set_own(c, B, LIST_TOOLS, "[]", &own) || own);
	assert_false(set_own(c, GITHUB, LIST_TOOLS, "[{\"name\":\"excluded\"}]", &own) || own);
	assert_false(set_own(c, A, LIST_TOOLS, "[17]", &own) || own);
	/* the second server lists what the first had, with the same bytes: nobody can see who has it */
	assert_true(set_own(c, A, LIST_RESOURCES, "[{\"uri\":\"u\"}]", &own) && own);
	assert_false(set_own(c, B, LIST_RESOURCES, "[{\"uri\":\"u\"}]", &own) || !own);
	assert_false(set_own(c, A, LIST_RESOURCES, "[]", &own) || !own);
	assert_list(c, SCOPE_ALL, LIST_RESOURCES, "{\"resources\":[{\"uri\":\"u\"}]}");
	catalog_free(&c);
}

struct told {
	struct buf text;
	unsigned n;
};

static void on_warning(void *arg, struct span name, const char *what)
{
	struct told *t = arg;

	t->n++;
	buf_printf(&t->text, "%.*s: %s\n", SPAN_ARG(name), what);
}

static void test_items_that_cannot_be_used_are_left_out_and_told(void **state)
{
	struct catalog *c = new_catalog(true);
	struct told told = { 0 };

	(void)state;
	set(c, A, LIST_TOOLS,
	        "[17,null,[\"name\"],\"name\",{},{\"Name\":\"x\"},{\"name\":7},{\"name\":null},{\"name\":\"x\",\"name\":\"y\"},"
	        "{\"name\":\"twice\",\"of\":1},{\"name\":\"ok\"},{\"name\":\"\\u0074wice\",\"of\":2}]");
	assert_walk(c, SCOPE_ALL, LIST_TOOLS, "name", "a__twice a__ok ");
	assert_walk(c, SCOPE_ALL, LIST_TOOLS, "of", "1  ");
	catalog_warnings(c, on_warning, &told);
	assert_span(buf_span(&told.text), "twice: left out: the server lists it twice\n"
	                                  "a: 9 items of tools left out: they have no usable \"name\"\n");
	set(c, A, LIST_TOOLS, "[]");
	told.n = 0;
	catalog_warnings(c, on_warning, &told);
	assert_int_equal(told.n, 0);
	buf_free(&told.text);
	catalog_free(&c);
}

#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static void test_long_names_and_collisions_are_told(void **state)
{
	struct catalog *c = new_catalog(true), *plain = new_catalog(false);
	struct told told = { 0 };

	(void)state;
	set(c, A, LIST_TOOLS, "[{\"name\":\"" SIXTY "1\"},{\"name\":\"" SIXTY "12\"}]"); /* 64 and 65 with "a__" */
	set(c, A, LIST_RESOURCES, "[{\"uri\":\"u:" SIXTY SIXTY "\"}]");
	set(c, B, LIST_RESOURCES, "[{\"uri\":\"u:" SIXTY SIXTY "\"}]");
	catalog_warnings(c, on_warning, &told);
	assert_span(buf_span(&told.text),
	        "a__" SIXTY "12: longer than 64 characters: some clients refuse it\n"
	        "u:" SIXTY SIXTY ": left out: its name collides with one of a server before it\n");
	told.n = 0;
	set(plain, A, LIST_TOOLS, "[{\"name\":\"" SIXTY "12345\"},{\"name\":\"x\"}]");
	set(plain, B, LIST_TOOLS, "[{\"name\":\"x\"}]");
	catalog_warnings(plain, on_warning, &told);
	assert_int_equal(told.n, 2);
	buf_free(&told.text);
	catalog_free(&c);
	catalog_free(&plain);
}

/* `n` tools named first, first + 1, ... */
static void set_numbers(struct catalog *c, size_t server, int first, int n)
{
	struct buf b = { 0 };

	buf_add_char(&b, '[');
	for (int i = 0; i < n; i++)
		buf_printf(&b, "%s{\"name\":\"%d\"}", i > 0 ? "," : "", first + i);
	buf_add(&b, (struct span){ "]", 2 });
	set(c, server, LIST_TOOLS, buf_span(&b).p);
	buf_free(&b);
}

static void test_pages_hold_so_many_items_and_the_last_has_no_cursor(void **state)
{
	struct catalog *c = catalog_new(servers, 2, false, PAGE);
	struct buf page = { 0 };

	(void)state;
	for (int n = 0; n <= 2 * PAGE + 1; n++) {
		set_numbers(c, A, 0, n / 2);
		set_numbers(c, B, n / 2, n - n / 2);
		struct buf wanted = { 0 };
		for (int i = 0; i < n; i++)
			buf_printf(&wanted, "%d ", i);
		buf_add_char(&wanted, '\0');
		assert_walk(c, SCOPE_ALL, LIST_TOOLS, "name", buf_span(&wanted).p);
		assert_walk(c, SCOPE_ALL, LIST_TOOLS, "name", buf_span(&wanted).p); /* from memory */
		buf_free(&wanted);
		buf_reset(&page);
		assert_true(catalog_page(c, SCOPE_ALL, LIST_TOOLS, SPAN_NONE, &page));
		assert_int_equal(span_is_set(json_member(buf_span(&page), "nextCursor")), n > PAGE);
	}
	buf_free(&page);
	catalog_free(&c);
}

/* The cursor behind the first page, as the client gets it: a JSON string. */
static struct span first_cursor(struct catalog *c, int scope, enum list_kind kind, struct buf *page)
{
	buf_reset(page);
	assert_true(catalog_page(c, scope, kind, SPAN_NONE, page));
	struct span cursor = json_member(buf_span(page), "nextCursor");
	assert_true(span_is_set(cursor));
	return cursor;
}

static bool is_taken(struct catalog *c, int scope, enum list_kind kind, struct span cursor)
{
	struct buf out = { 0 };
	bool taken = catalog_page(c, scope, kind, cursor, &out);

	if (!taken)
		assert_int_equal(buf_size(&out), 0);
	buf_free(&out);
	return taken;
}

static void test_a_cursor_that_we_did_not_give_is_refused(void **state)
{
	static const char *const texts[] = { "\"\"", "\"x\"", "null", "0", "7", "true", "{}", "[]", "\"AAAA\"",
		"\"AAAAAAAAAAAAAAAAAAAAAAA\"", "\"AAAAAAAAAAAAAAAAAAAAAAAA\"", "\"====\"", "\"\\u0000\"",
		"\"" SIXTY SIXTY "\"" };
	struct catalog *c = new_catalog(true);
	struct buf page = { 0 };

	(void)state;
	set_numbers(c, A, 0, 9);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (is_taken(c, SCOPE_ALL, LIST_TOOLS, span_of(texts[i])))
			fail_msg("%s was taken", texts[i]);
	struct span cursor = first_cursor(c, SCOPE_ALL, LIST_TOOLS, &page);
	assert_true(is_taken(c, SCOPE_ALL, LIST_TOOLS, cursor));
	char *text = (char *)(uintptr_t)cursor.p;
	for (size_t i = 1; i + 1 < cursor.n; i++) {
		char kept = text[i];
		for (const char *other = "ABCDabcd0189-_ =+/"; *other != '\0'; other++) {
			text[i] = *other;
			if (is_taken(c, SCOPE_ALL, LIST_TOOLS, cursor) != (*other == kept))
				fail_msg("%.*s", SPAN_ARG(cursor));
		}
		text[i] = kept;
	}
	buf_free(&page);
	catalog_free(&c);
}

static void test_a_cursor_is_good_for_its_list_and_its_configuration_only(void **state)
{
	struct catalog *c = new_catalog(true), *same = new_catalog(true), *plain = new_catalog(false);
	struct catalog *fewer = catalog_new(servers, 3, true, PAGE);
	struct buf page = { 0 };

	(void)state;
	set_numbers(c, A, 0, 9);
	struct span cursor = first_cursor(c, SCOPE_ALL, LIST_TOOLS, &page);
	assert_false(is_taken(c, A, LIST_TOOLS, cursor));
	assert_false(is_taken(c, SCOPE_ALL, LIST_PROMPTS, cursor));
	assert_true(is_taken(same, SCOPE_ALL, LIST_TOOLS, cursor)); /* another replica */
	assert_false(is_taken(plain, SCOPE_ALL, LIST_TOOLS, cursor));
	assert_false(is_taken(fewer, SCOPE_ALL, LIST_TOOLS, cursor));
	buf_free(&page);
	catalog_free(&c);
	catalog_free(&same);
	catalog_free(&plain);
	catalog_free(&fewer);
}

static void assert_rest(struct catalog *c, struct span cursor, const char *wanted)
{
	struct buf names = { 0 }, page = { 0 };
	struct span item;

	assert_true(catalog_page(c, SCOPE_ALL, LIST_TOOLS, cursor, &page));
	struct json_walk w = json_walk(json_member(buf_span(&page), "tools"));
	while (json_next(&w, NULL, &item)) {
		buf_add(&names, json_member(item, "name"));
		buf_add_char(&names, ' ');
	}
	assert_span_is(buf_span(&names), span_of(wanted));
	buf_free(&names);
	buf_free(&page);
}

static void test_a_walk_goes_on_where_it_was_when_the_list_changes(void **state)
{
	struct catalog *c = new_catalog(true);
	struct buf page = { 0 };

	(void)state;
	set_numbers(c, B, 0, 9);
	struct span cursor = first_cursor(c, SCOPE_ALL, LIST_TOOLS, &page);
	assert_rest(c, cursor, "\"b__3\" \"b__4\" \"b__5\" ");
	set_numbers(c, A, 0, 5); /* a server before it came up */
	assert_rest(c, cursor, "\"b__3\" \"b__4\" \"b__5\" ");
	set_numbers(c, A_, 0, 1);
	set_numbers(c, B, 0, 4);
	assert_rest(c, cursor, "\"b__3\" \"a___0\" ");
	set_numbers(c, B, 0, 2);
	assert_rest(c, cursor, "\"a___0\" ");
	set_numbers(c, A_, 0, 0);
	assert_rest(c, cursor, "");
	buf_free(&page);
	catalog_free(&c);
}

static void test_a_cursor_stays_good_when_only_hidden_items_change(void **state)
{
	struct catalog *c = catalog_new(servers, 2, false, PAGE);
	struct buf page = { 0 };

	(void)state;
	set_numbers(c, A, 0, 2);
	set_numbers(c, B, 1, 6); /* its "1" is A's */
	struct span cursor = first_cursor(c, SCOPE_ALL, LIST_TOOLS, &page);
	set_numbers(c, B, 2, 5); /* before the second page was ever written */
	assert_rest(c, cursor, "\"3\" \"4\" \"5\" ");
	buf_free(&page);
	catalog_free(&c);
}

#define MANY 200
#define TOOLS 50

static void test_two_hundred_servers_with_fifty_tools_each(void **state)
{
	struct catalog_server many[MANY];
	struct buf names = { 0 }, walked = { 0 };
	size_t at[MANY];
	struct catalog *c;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		at[i] = buf_size(&names);
		buf_printf(&names, "server-%d", i);
		buf_add_char(&names, '\0');
	}
	for (int i = 0; i < MANY; i++)
		many[i] = (struct catalog_server){ .name = buf_span(&names).p + at[i] };
	c = catalog_new(many, MANY, true, 1000);
	for (int i = MANY - 1; i >= 0; i--)
		set_numbers(c, (size_t)i, i * TOOLS, TOOLS);
	assert_int_equal(catalog_count(c, SCOPE_ALL, LIST_TOOLS), MANY * TOOLS);
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "server-0__49", 0, "49", true);
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "server-199__9999", 199, "9999", true);
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "server-199__0", 199, "0", false);
	struct span text = walk(c, SCOPE_ALL, LIST_TOOLS, "name", &walked), name;
	for (int i = 0; i < MANY * TOOLS; i++) {
		struct buf wanted = { 0 };
		buf_printf(&wanted, "server-%d__%d", i / TOOLS, i);
		assert_true(span_next(&text, ' ', &name));
		assert_span_is(name, buf_span(&wanted));
		buf_free(&wanted);
	}
	assert_true(span_next(&text, ' ', &name) && name.n == 0 && !span_is_set(text));
	catalog_free(&c);
	buf_free(&names);
	buf_free(&walked);
}

/* A million steps of a hostile name must not be taken: only its first bytes can be a server's. */
static void test_a_name_of_underscores_is_nobodys(void **state)
{
	struct catalog *c = new_catalog(true);
	size_t n = 1000000;
	char *name = mem_alloc(n);
	struct route r;

	(void)state;
	memset(name, '_', n);
	assert_false(catalog_route(c, SCOPE_ALL, LIST_TOOLS, (struct span){ name, n }, &r));
	free(name);
	catalog_free(&c);
}

static const char *random_list(struct buf *list, unsigned *seed)
{
	static const char *const keys[] = { "x", "y", "z", "_x", "w" };

	buf_reset(list);
	buf_add_char(list, '[');
	for (unsigned n = (unsigned)rand_r(seed) % 5; n > 0; n--)
		buf_printf(list, "{\"name\":\"%s\",\"of\":%d},", keys[(unsigned)rand_r(seed) % 5], rand_r(seed) % 2);
	buf_add(list, SPAN("{}]"));
	buf_add_char(list, '\0');
	return buf_span(list).p;
}

/* All that a list of random_list shows, in one text. */
static struct span shown(struct catalog *c, int scope, struct buf *out)
{
	struct buf of = { 0 };

	walk(c, scope, LIST_PROMPTS, "name", out);
	buf_add(out, walk(c, scope, LIST_PROMPTS, "of", &of));
	buf_free(&of);
	return buf_span(out);
}

static void assert_like_fresh(struct catalog *c, bool prefixed, const struct buf lists[SERVERS])
{
	struct catalog *fresh = new_catalog(prefixed);
	struct buf left = { 0 }, right = { 0 };

	for (size_t i = 0; i < SERVERS; i++)
		if (buf_size(&lists[i]) > 0)
			set(fresh, i, LIST_PROMPTS, buf_span(&lists[i]).p);
	for (int scope = SCOPE_ALL; scope < SERVERS; scope++)
		assert_span_is(shown(c, scope, &left), shown(fresh, scope, &right));
	catalog_free(&fresh);
	buf_free(&left);
	buf_free(&right);
}

/* What the catalog keeps up by steps is what a catalog made afresh from the same lists would say, and it tells a change
 * exactly when one can be seen. */
static void test_random_changes_leave_what_the_lists_say(void **state)
{
	unsigned seed = 3;

	(void)state;
	for (int prefixed = 0; prefixed < 2; prefixed++) {
		struct catalog *c = new_catalog(prefixed != 0);
		struct buf lists[SERVERS] = { 0 }, before = { 0 }, after = { 0 };
		for (int step = 0; step < 500; step++) {
			size_t server = (unsigned)rand_r(&seed) % SERVERS;
			shown(c, SCOPE_ALL, &before);
			bool told = set(c, server, LIST_PROMPTS, random_list(&lists[server], &seed));
			shown(c, SCOPE_ALL, &after);
			assert_int_equal(told, !span_eq(buf_span(&before), buf_span(&after)));
			assert_like_fresh(c, prefixed != 0, lists);
		}
		for (size_t i = 0; i < SERVERS; i++)
			buf_free(&lists[i]);
		buf_free(&before);
		buf_free(&after);
		catalog_free(&c);
	}
}

static void test_other_servers_keep_the_lists_of_those_that_were_there_before(void **state)
{
	static const struct catalog_server renewed[] = { { "new", NULL, NULL }, { "git-hub_2", NULL, NULL },
		{ "a", NULL, NULL } };
	bool own[3][LIST_KINDS];
	struct catalog_changes changes = { .own = own };
	struct catalog *c = new_catalog(true);

	(void)state;
	set(c, A, LIST_TOOLS, "[{\"name\":\"x\"}]");
	set(c, B, LIST_PROMPTS, "[{\"name\":\"p\"}]");
	set(c, GITHUB, LIST_TOOLS, "[{\"name\":\"get_it\"},{\"name\":\"put_it\"}]");
	catalog_renew(&c, renewed, 3, &changes);
	assert_walk(c, SCOPE_ALL, LIST_TOOLS, "name", "git-hub_2__get_it git-hub_2__put_it a__x ");
	assert_route(c, SCOPE_ALL, LIST_TOOLS, "a__x", 2, "x", true);
	assert_true(changes.merged[LIST_TOOLS] && changes.merged[LIST_PROMPTS]);
	assert_false(changes.merged[LIST_RESOURCES]);
	assert_true(own[1][LIST_TOOLS]); /* more of it is included now */
	assert_false(own[2][LIST_TOOLS] || own[0][LIST_TOOLS] || own[1][LIST_PROMPTS]);
	catalog_renew(&c, renewed, 3, &changes);
	assert_false(changes.merged[LIST_TOOLS] || own[1][LIST_TOOLS]);
	catalog_renew(&c, NULL, 0, &changes);
	assert_list(c, SCOPE_ALL, LIST_TOOLS, "{\"tools\":[]}");
	catalog_free(&c);
}

static void assert_legacy_list(struct catalog *c, int scope, const char *wanted)
{
	struct buf out = { 0 };

	assert_true(catalog_page_legacy(c, scope, LIST_TOOLS, SPAN_NONE, &out));
	assert_span_is(buf_span(&out), span_of(wanted));
	buf_free(&out);
}

#define OF_OBJECT "{\"type\":\"object\",\"properties\":{\"a\":{}},\"required\":[\"a\"]}"

static void test_legacy_clients_get_no_schema_that_they_cannot_read(void **state)
{
	static const char *const odd[] = { "{\"type\":\"array\"}", "{}", "true", "{\"$ref\":\"#/$defs/a\"}",
		"{\"type\":[\"object\"]}", "{\"type\":\"object\",\"properties\":{\"a\":true}}",
		"{\"type\":\"object\",\"properties\":[]}", "{\"type\":\"object\",\"required\":[1]}" };
	char list[300], whole[300];

	(void)state;
	for (int i = 0; i < 8; i++) {
		struct catalog *c = new_catalog(true);
		snprintf(list, sizeof(list), "[{\"outputSchema\":%s,\"name\":\"x\",\"inputSchema\":{\"type\":\"array\"}}]", odd[i]);
		set(c, 0, LIST_TOOLS, list);
		snprintf(whole, sizeof(whole),
		        "before{\"tools\":[{\"outputSchema\":%s,\"name\":\"a__x\",\"inputSchema\":{\"type\":\"array\"}}]}", odd[i]);
		for (int again = 0; again < 2; again++) {
			assert_page(c, SCOPE_ALL, LIST_TOOLS, SPAN_NONE, whole);
			assert_legacy_list(c, SCOPE_ALL, "{\"tools\":[{\"name\":\"a__x\",\"inputSchema\":{\"type\":\"array\"}}]}");
			assert_legacy_list(c, 0, "{\"tools\":[{\"name\":\"x\",\"inputSchema\":{\"type\":\"array\"}}]}");
		}
		set(c, 0, LIST_TOOLS, "[{\"name\":\"y\",\"outputSchema\":" OF_OBJECT "}]");
		assert_legacy_list(c, 0, "{\"tools\":[{\"name\":\"y\",\"outputSchema\":" OF_OBJECT "}]}");
		catalog_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_catalog_has_empty_lists),
		cmocka_unit_test(test_lists_are_merged_in_the_order_of_the_configuration),
		cmocka_unit_test(test_items_pass_byte_for_byte_but_for_the_prefix),
		cmocka_unit_test(test_uris_and_the_names_of_resources_have_no_prefix),
		cmocka_unit_test(test_a_name_finds_its_server),
		cmocka_unit_test(test_a_server_name_that_ends_in_an_underscore),
		cmocka_unit_test(test_hints_are_read_from_annotations),
		cmocka_unit_test(test_excluded_tools_are_neither_listed_nor_called),
		cmocka_unit_test(test_without_prefixes_the_first_server_has_a_name),
		cmocka_unit_test(test_one_server_without_prefixes_gets_unknown_names_too),
		cmocka_unit_test(test_the_same_uri_twice_is_the_first_servers),
		cmocka_unit_test(test_uris_that_are_not_listed_go_where_a_template_fits_else_everywhere),
		cmocka_unit_test(test_only_a_change_of_bytes_is_a_change),
		cmocka_unit_test(test_items_that_cannot_be_used_are_left_out_and_told),
		cmocka_unit_test(test_long_names_and_collisions_are_told),
		cmocka_unit_test(test_pages_hold_so_many_items_and_the_last_has_no_cursor),
		cmocka_unit_test(test_a_cursor_that_we_did_not_give_is_refused),
		cmocka_unit_test(test_a_cursor_is_good_for_its_list_and_its_configuration_only),
		cmocka_unit_test(test_a_walk_goes_on_where_it_was_when_the_list_changes),
		cmocka_unit_test(test_a_cursor_stays_good_when_only_hidden_items_change),
		cmocka_unit_test(test_two_hundred_servers_with_fifty_tools_each),
		cmocka_unit_test(test_a_name_of_underscores_is_nobodys),
		cmocka_unit_test(test_random_changes_leave_what_the_lists_say),
		cmocka_unit_test(test_other_servers_keep_the_lists_of_those_that_were_there_before),
		cmocka_unit_test(test_legacy_clients_get_no_schema_that_they_cannot_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
