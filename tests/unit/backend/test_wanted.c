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
	assert_true(wanted_set(&w, WANTED_RESOURCE, SPAN("\"b\""), true));
	assert_true(wanted_set(&w, WANTED_RESOURCE, SPAN("\"a\""), true));
	assert_false(wanted_set(&w, WANTED_RESOURCE, SPAN("\"b\""), true));
	wanted_each(thing, &w) seen[n++] = wanted_text(thing);
	assert_int_equal(n, 2);
	assert_span(seen[0], "\"b\"");
	assert_span(seen[1], "\"a\"");
	assert_true(wanted_set(&w, WANTED_RESOURCE, SPAN("\"b\""), false));
	assert_false(wanted_set(&w, WANTED_RESOURCE, SPAN("\"b\""), false));
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
	wanted_set(&w, WANTED_RESOURCE, SPAN("\"u:1\""), true);
	assert_false(wanted_put_listen(&out, &none, true, &w));
	buf_reset(&out);
	assert_true(wanted_put_listen(&out, &all, false, &w));
	assert_span_is(
	        buf_span(&out), SPAN("{\"notifications\":{\"toolsListChanged\":false,\"promptsListChanged\":false,"
	                             "\"resourcesListChanged\":false,\"resourceSubscriptions\":[\"u:1\"]}}"));
	wanted_set(&w, WANTED_TASK, SPAN("\"t\""), true);
	wanted_set(&w, WANTED_TASK, SPAN("\"u:1\""), true);
	buf_reset(&out);
	assert_true(wanted_put_listen(&out, &(struct backend_hello){ .tasks_extension = true }, false, &w));
	assert_span_is(
	        buf_span(&out), SPAN("{\"notifications\":{\"toolsListChanged\":false,\"promptsListChanged\":false,"
	                             "\"resourcesListChanged\":false,\"taskIds\":[\"t\",\"u:1\"]}}"));
	wanted_clear(&w);
	buf_free(&out);
}

static void note(void *arg, enum wanted_kind kind, struct span text, bool agreed)
{
	buf_printf(arg, "%s%.*s%s ", kind == WANTED_TASK ? "t" : "", SPAN_ARG(text), agreed ? "" : " no");
}

static void expect(struct buf *notes, const char *wanted)
{
	assert_span_is(buf_span(notes), span_of(wanted));
	buf_reset(notes);
}

static void test_what_the_server_agrees_to(void **state)
{
	const struct backend_hello all = { .subscribe = true, .tasks_extension = true },
	                           tasks = { .tasks_extension = true };
	struct wanted w;
	struct buf notes = { 0 };

	(void)state;
	wanted_init(&w);
	wanted_set(&w, WANTED_RESOURCE, SPAN("\"a\\/\u00e4\""), true);
	wanted_set(&w, WANTED_RESOURCE, SPAN("\"b\""), true);
	wanted_set(&w, WANTED_TASK, SPAN("\"b\""), true);
	wanted_listening(&w, &all, 5);
	wanted_set(&w, WANTED_TASK, SPAN("\"late\""), true);
	wanted_acknowledged(&w, 5,
	        SPAN("{\"notifications\":{\"resourceSubscriptions\":[\"b\",7,\"c\"],\"taskIds\":7}}"), note, &notes);
	expect(&notes, "\"a\\/\u00e4\" no \"b\" t\"b\" no ");
	wanted_acknowledged(&w, 5, SPAN("{\"notifications\":{\"taskIds\":[\"\\u0062\"]}}"), note, &notes);
	expect(&notes, "\"a\\/\u00e4\" no \"b\" no t\"b\" ");
	wanted_acknowledged(&w, 5, SPAN("{}"), note, &notes);
	expect(&notes, "\"a\\/\u00e4\" \"b\" t\"b\" ");
	wanted_acknowledged(&w, 4, SPAN("{}"), note, &notes);
	expect(&notes, "");
	wanted_listening(&w, &tasks, 6);
	assert_true(wanted_answered(&w, 6, false, note, &notes));
	expect(&notes, "t\"b\" no t\"late\" no ");
	assert_false(wanted_answered(&w, 6, false, note, &notes));
	wanted_asked(&w, WANTED_RESOURCE, SPAN("\"b\""), 7);
	wanted_asked(&w, WANTED_RESOURCE, SPAN("\"none\""), 8);
	assert_true(wanted_answered(&w, 7, true, note, &notes));
	assert_false(wanted_answered(&w, 8, true, note, &notes));
	expect(&notes, "\"b\" ");
	wanted_refuse(&w, WANTED_TASK, note, &notes);
	expect(&notes, "t\"b\" no t\"late\" no ");
	wanted_clear(&w);
	buf_free(&notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_listened_for),
		cmocka_unit_test(test_what_the_server_agrees_to),
		cmocka_unit_test(test_what_is_wanted_is_kept_once_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
