#include "unit.h"

#include "backend/wanted.h"

static void test_what_is_wanted_is_kept_once_and_in_order(void **state)
{
	struct span seen[3];
	struct wanted w;
	int n = 0;

	(void)state;
	wanted_init(&w);
	assert_false(wanted_any(&w));
	assert_true(wanted_set(&w, SPAN("\"b\""), true));
	assert_true(wanted_set(&w, SPAN("\"a\""), true));
	assert_false(wanted_set(&w, SPAN("\"b\""), true));
	wanted_each(uri, &w) seen[n++] = wanted_text(uri);
	assert_int_equal(n, 2);
	assert_span(seen[0], "\"b\"");
	assert_span(seen[1], "\"a\"");
	assert_true(wanted_set(&w, SPAN("\"b\""), false));
	assert_false(wanted_set(&w, SPAN("\"b\""), false));
	assert_true(wanted_any(&w));
	wanted_clear(&w);
}

static void test_what_is_listened_for(void **state)
{
	const struct backend_hello none = { .logging = true },
	                           all = { .tools = true, .resources = true, .subscribe = true };
	struct wanted w;
	struct buf out = { 0 };

	(void)state;
	wanted_init(&w);
	assert_false(wanted_put_listen(&out, &none, true, &w));
	assert_false(wanted_put_listen(&out, &all, false, &w));
	buf_reset(&out);
	assert_true(wanted_put_listen(&out, &all, true, &w));
	assert_span_is(
	        buf_span(&out), SPAN("{\"notifications\":{\"toolsListChanged\":true,\"promptsListChanged\":false,"
	                             "\"resourcesListChanged\":true}}"));
	wanted_set(&w, SPAN("\"u:1\""), true);
	assert_false(wanted_put_listen(&out, &none, true, &w));
	buf_reset(&out);
	assert_true(wanted_put_listen(&out, &all, false, &w));
	assert_span_is(
	        buf_span(&out), SPAN("{\"notifications\":{\"toolsListChanged\":false,\"promptsListChanged\":false,"
	                             "\"resourcesListChanged\":false,\"resourceSubscriptions\":[\"u:1\"]}}"));
	wanted_clear(&w);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_listened_for),
		cmocka_unit_test(test_what_is_wanted_is_kept_once_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
