#include "gateway/uri_template.h"

#include <stdlib.h>

#include "base/buf.h"
#include "unit.h"

static bool fits(const char *template, struct span uri)
{
	struct arena a = { 0 };
	bool matched = uri_template_matches(uri_template_compile(&a, span_of(template)), uri);

	arena_free(&a);
	return matched;
}

static void test_templates_and_uris(void **state)
{
	static const struct {
		const char *template, *uri;
		bool fits;
	} rows[] = {
		{ "file:///a", "file:///a", true },
		{ "file:///a", "file:///b", false },
		{ "file:///a", "file:///ab", false },
		{ "file:///a", "file:///", false },
		{ "file:///{path}", "file:///x", true },
		{ "file:///{path}", "file:///", false },
		{ "file:///{path}", "file:///x/y", false },
		{ "file:///{path}", "file:///x%2Fy", true },
		{ "file:///{+path}", "file:///x/y", true },
		{ "file:///{+path}", "file:///", false },
		{ "db://{db}/{table}", "db://a/b", true },
		{ "db://{db}/{table}", "db://a/", false },
		{ "db://{db}/{table}", "db://a", false },
		{ "db://{db}/{table}", "db://a/b/c", false },
		{ "db://{db}/{table}/rows", "db://a/b/rows", true },
		{ "db://{db}/{table}/rows", "db://a/rows", false },
		{ "x{a}y{b}z", "x1y2z", true },
		{ "x{a}y{b}z", "xyyyz", true },
		{ "x{a}y{b}z", "xyyz", false },
		{ "x{a}y{b}z", "x1y2zz", true },
		{ "{+a}/{b}.txt", "http://h/p/q.txt", true },
		{ "{+a}/{b}.txt", "http://h/p/q.txt/r", false },
		{ "{+a}/{b}.txt", "/q.txt", false },
		{ "{+a}/{b}x{+c}", "p/q/r/sxt", true },
		{ "search{?q,page}", "search", true },
		{ "search{?q,page}", "search?q=1/2&page=3", true },
		{ "users{/id}", "users/7", true },
		{ "users{/id}", "users", true },
		{ "page{#part}", "page#one", true },
		{ "{a}{b}", "12", true },
		{ "{a}{b}", "1", false },
		{ "{}", "", true },
		{ "{}", "anything/at all", true },
		{ "", "", true },
		{ "", "x", false },
		{ "{a", "{a", true },
		{ "{a", "1", false },
		{ "a}", "a}", true },
		{ "{a}}", "1}", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (fits(rows[i].template, span_of(rows[i].uri)) != rows[i].fits)
			fail_msg("%s and %s", rows[i].template, rows[i].uri);
}

static void test_control_bytes_of_a_server_are_no_expressions(void **state)
{
	struct arena a = { 0 };

	(void)state;
	assert_false(fits("a\x01", SPAN("ab")));
	assert_false(fits("a\x01", SPAN("a\x01")));
	assert_false(fits("\x03", SPAN("anything")));
	assert_false(uri_template_matches(uri_template_compile(&a, (struct span){ "\0", 1 }), SPAN("\0")));
	assert_true(fits("{x}", SPAN("\x01")));
	arena_free(&a);
}

static void test_the_work_is_bounded(void **state)
{
	char uri[URI_MATCH_MAX + 1];

	(void)state;
	memset(uri, 'a', sizeof(uri));
	assert_true(fits("{+x}a{y}a{z}", (struct span){ uri, URI_MATCH_MAX }));
	assert_false(fits("{+x}", (struct span){ uri, URI_MATCH_MAX + 1 }));
	/* the worst known: every place of the first mark is tried with every place of the second */
	assert_false(fits("{+x}a{y}b", (struct span){ uri, URI_MATCH_MAX }));
	assert_false(fits("{+a}a{+b}a{+c}a{+d}a{+e}a{f}a{g}a{h}b", (struct span){ uri, URI_MATCH_MAX }));
}

/* The plain meaning of a template, in time without bounds. */
static bool could_be(const char *t, const char *uri)
{
	if (*t == '\0')
		return *uri == '\0';
	if (*t != '{')
		return *uri == *t && could_be(t + 1, uri + 1);
	bool any = t[1] == '?', segment = t[1] != '+' && !any;
	const char *rest = strchr(t, '}') + 1;
	if (any && could_be(rest, uri))
		return true;
	for (; *uri != '\0' && !(segment && *uri == '/'); uri++)
		if (could_be(rest, uri + 1))
			return true;
	return false;
}

static const char *random_text(struct buf *b, unsigned *seed, unsigned kinds, unsigned most)
{
	static const char *const pieces[] = { "a", "b", "/", "{x}", "{+x}", "{?x}" };

	buf_reset(b);
	for (unsigned n = (unsigned)rand_r(seed) % (most + 1); n > 0; n--)
		buf_add(b, span_of(pieces[(unsigned)rand_r(seed) % kinds]));
	buf_add_char(b, '\0');
	return buf_span(b).p;
}

static void test_the_quick_way_finds_what_trying_everything_finds(void **state)
{
	struct buf template_text = { 0 }, uri_text = { 0 };
	unsigned seed = 7, matched = 0;

	(void)state;
	for (int i = 0; i < 40000; i++) {
		const char *template = random_text(&template_text, &seed, 6, 6);
		const char *uri = random_text(&uri_text, &seed, 3, 9);
		bool wanted = could_be(template, uri);
		matched += wanted;
		if (fits(template, span_of(uri)) != wanted)
			fail_msg("%s and %s: wanted %d", template, uri, wanted);
	}
	assert_true(matched > 1000);
	buf_free(&template_text);
	buf_free(&uri_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates_and_uris),
		cmocka_unit_test(test_control_bytes_of_a_server_are_no_expressions),
		cmocka_unit_test(test_the_work_is_bounded),
		cmocka_unit_test(test_the_quick_way_finds_what_trying_everything_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
