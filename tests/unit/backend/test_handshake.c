#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/handshake.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AT(n) ((mono_t){ n })

/* Writes down what the handshake does, a line each. */
struct rig {
	struct handshake h;
	struct buf log;
	uint64_t last_id;
	bool reset_at_list;
};

static uint64_t note_request(void *arg, enum method method, struct span params)
{
	struct rig *r = arg;

	buf_printf(&r->log, "%llu %.*s", (unsigned long long)++r->last_id, SPAN_ARG(method_name(method)));
	if (span_is_set(params))
		buf_printf(&r->log, " %.*s", SPAN_ARG(params));
	buf_add_char(&r->log, '\n');
	return r->last_id;
}

static void note_notify(void *arg, enum method method)
{
	struct rig *r = arg;

	buf_printf(&r->log, "%.*s\n", SPAN_ARG(method_name(method)));
}

static struct span or_dash(struct span s)
{
	return span_is_set(s) ? s : SPAN("-");
}

static void note_hello(void *arg, const struct backend_hello *hello)
{
	struct rig *r = arg;

	buf_printf(&r->log, "hello %.*s %.*s %.*s%s%s%s%s%s%s\n", SPAN_ARG(revision_name(hello->revision)),
	        SPAN_ARG(or_dash(hello->server_info)), SPAN_ARG(or_dash(hello->instructions)),
	        hello->tools ? " tools" : "", hello->resources ? " resources" : "",
	        hello->subscribe ? " subscribe" : "", hello->prompts ? " prompts" : "",
	        hello->completions ? " completions" : "", hello->logging ? " logging" : "");
}

static void note_list(void *arg, enum list_kind kind, struct item_list *list)
{
	struct rig *r = arg;

	buf_printf(&r->log, "%s:", list_member(kind));
	for (size_t i = 0; i < list->count; i++)
		buf_printf(&r->log, " %.*s", SPAN_ARG(list->items[i]));
	buf_add_char(&r->log, '\n');
	if (kind == LIST_TOOLS) { /* takes it over, as the catalog does */
		free(list->items);
		free(list->text);
		*list = (struct item_list){ 0 };
	}
	if (r->reset_at_list)
		handshake_reset(&r->h);
}

static void note_done(void *arg, const char *fault)
{
	struct rig *r = arg;

	buf_printf(&r->log, "done%s%s\n", fault != NULL ? ": " : "", fault != NULL ? fault : "");
}

static void note_warning(void *arg, enum list_kind kind, const char *sentence)
{
	struct rig *r = arg;

	buf_printf(&r->log, "warning: %s: %s\n", list_member(kind), sentence);
}

static const struct handshake_port port = { note_request, note_notify, note_hello, note_list, note_done, note_warning };

static void rig_start(struct rig *r, size_t max_bytes)
{
	*r = (struct rig){ 0 };
	handshake_init(&r->h, max_bytes, 60000, &port, r);
	handshake_start(&r->h);
}

static void rig_end(struct rig *r)
{
	handshake_clear(&r->h);
	buf_free(&r->log);
}

/* `member`: "result": ... or "error": ... */
static bool answer(struct rig *r, uint64_t id, const char *member, int64_t now)
{
	struct message_fault fault;
	struct message m;
	struct buf text = { 0 };

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,%s}", (unsigned long long)id, member);
	if (!message_parse(buf_span(&text), 128, &m, &fault))
		fail_msg("%.*s: %s", SPAN_ARG(buf_span(&text)), fault.sentence);
	bool ours = handshake_answer(&r->h, id, &m, AT(now));
	buf_free(&text);
	return ours;
}

static void expect(struct rig *r, const char *log)
{
	assert_span_is(buf_span(&r->log), span_of(log));
	buf_reset(&r->log);
}

#define INITIALIZE                                                                             \
	"1 initialize {\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":" \
	"{\"name\":\"sluice\",\"version\":\"" SLUICE_VERSION "\"}}\n"
#define HELLO(version, capabilities)                                                                          \
	"\"result\":{\"protocolVersion\":\"" version "\",\"capabilities\":{" capabilities "},\"serverInfo\":" \
	"{\"name\":\"x\"}}"
#define EMPTY_OTHERS "resources:\nresourceTemplates:\nprompts:\n"
#define TOOL(name) "{\"name\":\"" name "\"}"

/* Up to the point where tools/list is asked for, as request 2. */
static void start_with_tools(struct rig *r, size_t max_bytes)
{
	rig_start(r, max_bytes);
	assert_true(answer(r, 1, HELLO("2025-11-25", "\"tools\":{}"), 0));
	expect(r, INITIALIZE "notifications/initialized\n"
	                     "hello 2025-11-25 {\"name\":\"x\"} - tools\n"
	                     "2 tools/list\n" EMPTY_OTHERS);
}

static void test_what_the_client_can_do_is_declared(void **state)
{
	struct rig r = { 0 };

	(void)state;
	handshake_init(&r.h, 1000, 60000, &port, &r);
	r.h.declares = CLIENT_ROOTS;
	handshake_start(&r.h);
	expect(&r, "1 initialize {\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"roots\":{}},\"clientInfo\":"
	           "{\"name\":\"sluice\",\"version\":\"" SLUICE_VERSION "\"}}\n");
	rig_end(&r);
}

static void test_without_lists_the_first_words_are_enough(void **state)
{
	struct rig r = { 0 };

	(void)state;
	handshake_init(&r.h, 1000, 60000, &port, &r);
	r.h.without_lists = true;
	handshake_start(&r.h);
	assert_true(answer(&r, 1, HELLO("2025-11-25", "\"tools\":{}"), 0));
	handshake_changed(&r.h, LIST_TOOLS, AT(0));
	expect(&r, INITIALIZE "notifications/initialized\n"
	                      "hello 2025-11-25 {\"name\":\"x\"} - tools\ndone\n");
	rig_end(&r);
}

static void test_all_pages_of_all_lists_are_fetched(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 10000);
	answer(&r, 1,
	        "\"result\":{\"protocolVersion\":\"2025-06-18\",\"serverInfo\":{\"name\":\n\"x\"},\"instructions\":\"Do.\","
	        "\"capabilities\":{\"tools\":{},\"resources\":{\"subscribe\":true},\"prompts\":{},\"logging\":{},"
	        "\"completions\":{}}}",
	        0);
	expect(&r, INITIALIZE
	        "notifications/initialized\n"
	        "hello 2025-06-18 {\"name\": \"x\"} \"Do.\" tools resources subscribe prompts completions logging\n"
	        "2 tools/list\n3 resources/list\n4 resources/templates/list\n5 prompts/list\n");
	answer(&r, 4, "\"error\":{\"code\":-32601,\"message\":\"no such method\"}", 0);
	answer(&r, 2, "\"result\":{\"tools\":[{\"name\":\"a\",\r\n\"n\":1.0}],\"nextCursor\":\"p\\u0032\"}", 0);
	expect(&r, "resourceTemplates:\n6 tools/list {\"cursor\":\"p\\u0032\"}\n");
	answer(&r, 3, "\"result\":{\"resources\":[{\"uri\":\"a:\"},{\"uri\":\"b:\"}]}", 0);
	answer(&r, 5, "\"result\":{\"prompts\":[],\"nextCursor\":null}", 0);
	expect(&r, "resources: {\"uri\":\"a:\"} {\"uri\":\"b:\"}\nprompts:\n");
	assert_false(answer(&r, 2, "\"result\":{\"tools\":[]}", 0)); /* a second answer */
	answer(&r, 6, "\"result\":{\"tools\":[{\"name\":\"b\"}]}", 0);
	expect(&r, "tools: {\"name\":\"a\",  \"n\":1.0} {\"name\":\"b\"}\ndone\n");
	rig_end(&r);
}

static void test_a_server_without_lists_is_ready_at_once(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 10000);
	answer(&r, 1, "\"result\":{\"protocolVersion\":\"2024-11-05\",\"capabilities\":[]}", 0);
	expect(&r, INITIALIZE "notifications/initialized\nhello 2024-11-05 - -\ntools:\n" EMPTY_OTHERS "done\n");
	rig_end(&r);
}

static void test_each_legacy_revision_is_taken_and_no_other(void **state)
{
	static const struct {
		const char *answer, *done;
	} cases[] = {
		/* clang-format off */
		{ HELLO("2024-11-05", ""), "done\n" },
		{ HELLO("2025-03-26", ""), "done\n" },
		{ HELLO("2025-06-18", ""), "done\n" },
		{ HELLO("2025-11-25", ""), "done\n" },
		{ HELLO("2025-11-\\u00325", ""), "done\n" },
		{ HELLO("2026-07-28", ""),
		  "done: initialize: the server speaks protocol version \"2026-07-28\", which we do not\n" },
		{ HELLO("", ""), "done: initialize: the server speaks protocol version \"\", which we do not\n" },
		{ "\"result\":{\"protocolVersion\":20251125}", "done: initialize: the answer names no protocolVersion\n" },
		{ "\"result\":[\"2025-11-25\"]", "done: initialize: the answer names no protocolVersion\n" },
		{ "\"error\":{\"code\":-32602,\"message\":\"too new\"}", "done: initialize: error -32602: \"too new\"\n" },
		{ "\"error\":{\"code\":-1}", "done: initialize: error -1: \"\"\n" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rig r;
		rig_start(&r, 10000);
		answer(&r, 1, cases[i].answer, 0);
		struct span log = buf_span(&r.log), done = span_of(cases[i].done);
		assert_true(log.n >= done.n);
		assert_span_is(span_skip(log, log.n - done.n), done);
		assert_int_equal(r.h.state, strcmp(cases[i].done, "done\n") == 0 ? HANDSHAKE_DONE : HANDSHAKE_OFF);
		rig_end(&r);
	}
}

static void test_pages_are_bounded_and_what_is_strange_is_left_away(void **state)
{
	static const struct {
		const char *answer, *log;
	} cases[] = {
		/* clang-format off */
		{ "\"result\":{\"tools\":[7,null,{\"title\":\"x\"},{\"name\":1}," TOOL("a") "]}",
		  "warning: tools: items without a name are left away\ntools: " TOOL("a") "\ndone\n" },
		{ "\"result\":{\"tools\":[" TOOL("a") "," TOOL("0123456789012345678901234567890123456789") "]}",
		  "warning: tools: the list is larger than the limit of a message: the rest is left away\ntools: " TOOL("a")
		  "\ndone\n" },
		{ "\"result\":{\"tools\":[" TOOL("a") "],\"nextCursor\":\"0123456789012345678901234567890123456789012345\"}",
		  "warning: tools: the cursors of the list are larger than the limit of a message: the rest is left away\n"
		  "tools: " TOOL("a") "\ndone\n" },
		{ "\"result\":{}", "done: tools/list: the answer has no array \"tools\"\n" },
		{ "\"result\":{\"tools\":{}}", "done: tools/list: the answer has no array \"tools\"\n" },
		{ "\"result\":[]", "done: tools/list: the answer has no array \"tools\"\n" },
		{ "\"error\":{\"code\":-32603,\"message\":\"broken\"}", "done: tools/list: error -32603: \"broken\"\n" },
		{ "\"error\":{\"code\":-32601,\"message\":\"what?\"}", "tools:\ndone\n" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rig r;
		start_with_tools(&r, 40);
		answer(&r, 2, cases[i].answer, 0);
		expect(&r, cases[i].log);
		rig_end(&r);
	}
}

static void test_a_repeated_cursor_ends_the_list(void **state)
{
	struct rig r;

	(void)state;
	start_with_tools(&r, 1000);
	answer(&r, 2, "\"result\":{\"tools\":[" TOOL("a") "],\"nextCursor\":\"x\"}", 0);
	answer(&r, 3, "\"result\":{\"tools\":[" TOOL("b") "],\"nextCursor\":\"\"}", 0);
	answer(&r, 4, "\"result\":{\"tools\":[" TOOL("c") "],\"nextCursor\":\"x\"}", 0);
	expect(&r, "3 tools/list {\"cursor\":\"x\"}\n4 tools/list {\"cursor\":\"\"}\n"
	           "warning: tools: the list repeats a cursor: it ends here\n"
	           "tools: " TOOL("a") " " TOOL("b") " " TOOL("c") "\ndone\n");
	rig_end(&r);
}

static void test_no_more_than_1000_pages_are_fetched(void **state)
{
	char page[100];
	struct rig r;

	(void)state;
	start_with_tools(&r, 1000000);
	for (int i = 0; i < 1000; i++) {
		buf_reset(&r.log);
		snprintf(page, sizeof(page), "\"result\":{\"tools\":[],\"nextCursor\":\"%d\"}", i);
		assert_true(answer(&r, r.last_id, page, 0));
	}
	expect(&r, "warning: tools: the list has more than 1000 pages: the rest is left away\ntools:\ndone\n");
	rig_end(&r);
}

static void test_no_more_than_100000_items_are_kept(void **state)
{
	struct buf page = { 0 };
	struct rig r;

	(void)state;
	start_with_tools(&r, 10000000);
	buf_add(&page, SPAN("\"result\":{\"tools\":["));
	for (int i = 0; i < 100001; i++)
		buf_printf(&page, "%s{\"name\":\"%d\"}", i > 0 ? "," : "", i);
	buf_add(&page, SPAN("]}\0"));
	answer(&r, 2, buf_span(&page).p, 0);
	assert_true(span_starts(buf_span(&r.log),
	        SPAN("warning: tools: the list has more than 100000 items: the rest is left away\n")));
	assert_span(span_skip(buf_span(&r.log), buf_size(&r.log) - 23), " {\"name\":\"99999\"}\ndone\n");
	buf_free(&page);
	rig_end(&r);
}

static void test_another_list_that_fails_at_start_counts_as_empty(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 1000);
	answer(&r, 1, HELLO("2025-11-25", "\"prompts\":{}"), 0);
	buf_reset(&r.log);
	answer(&r, 2, "\"result\":{\"prompts\":[" TOOL("a") "],\"nextCursor\":\"x\"}", 0);
	answer(&r, 3, "\"error\":{\"code\":-32000,\"message\":\"no\"}", 0);
	expect(&r,
	        "3 prompts/list {\"cursor\":\"x\"}\nwarning: prompts: prompts/list: error -32000: \"no\"\nprompts:\ndone\n");
	rig_end(&r);
}

static void become_done(struct rig *r)
{
	start_with_tools(r, 1000);
	answer(r, 2, "\"result\":{\"tools\":[]}", 0);
	expect(r, "tools:\ndone\n");
}

static void test_a_list_that_changed_is_fetched_anew_and_once_more_if_it_changed_meanwhile(void **state)
{
	struct rig r;

	(void)state;
	become_done(&r);
	handshake_changed(&r.h, LIST_TOOLS, AT(0));
	handshake_changed(&r.h, LIST_TOOLS, AT(1));
	handshake_changed(&r.h, LIST_TOOLS, AT(2));
	expect(&r, "3 tools/list\n");
	answer(&r, 3, "\"result\":{\"tools\":[" TOOL("a") "]}", 3);
	expect(&r, "4 tools/list\ntools: " TOOL("a") "\n");
	answer(&r, 4, "\"result\":{\"tools\":[" TOOL("b") "]}", 3);
	expect(&r, "tools: " TOOL("b") "\n");
	rig_end(&r);
}

static void test_a_change_during_the_first_fetch_does_not_delay_the_start(void **state)
{
	struct rig r;

	(void)state;
	start_with_tools(&r, 1000);
	handshake_changed(&r.h, LIST_TOOLS, AT(0));
	answer(&r, 2, "\"result\":{\"tools\":[]}", 0);
	expect(&r, "3 tools/list\ntools:\ndone\n");
	answer(&r, 3, "\"result\":{\"tools\":[]}", 0);
	expect(&r, "tools:\n");
	rig_end(&r);
}

static void test_a_fetch_that_fails_later_leaves_the_last_list(void **state)
{
	struct rig r;

	(void)state;
	become_done(&r);
	handshake_changed(&r.h, LIST_TOOLS, AT(0));
	handshake_changed(&r.h, LIST_TOOLS, AT(0));
	answer(&r, 3, "\"error\":{\"code\":-32000,\"message\":\"no\"}", 0);
	expect(&r, "3 tools/list\nwarning: tools: tools/list: error -32000: \"no\"\n4 tools/list\n");
	answer(&r, 4, "\"error\":{\"code\":-32601,\"message\":\"gone\"}", 0);
	expect(&r, "tools:\n");
	rig_end(&r);
}

static void test_a_list_that_never_comes_does_not_block_later_changes(void **state)
{
	struct rig r;

	(void)state;
	become_done(&r);
	handshake_changed(&r.h, LIST_TOOLS, AT(0));
	handshake_changed(&r.h, LIST_TOOLS, AT(60001));
	expect(&r, "3 tools/list\n4 tools/list\n");
	assert_false(answer(&r, 3, "\"result\":{\"tools\":[]}", 60002));
	rig_end(&r);
}

static void test_changes_of_what_is_not_offered_or_while_off_are_ignored(void **state)
{
	struct rig r;

	(void)state;
	become_done(&r);
	handshake_changed(&r.h, LIST_PROMPTS, AT(0));
	handshake_reset(&r.h);
	handshake_changed(&r.h, LIST_TOOLS, AT(0));
	assert_false(answer(&r, 0, "\"result\":{}", 0));
	assert_false(answer(&r, 1, "\"result\":{}", 0));
	expect(&r, "");
	rig_end(&r);
}

static void test_a_listener_may_reset_it(void **state)
{
	struct rig r;

	(void)state;
	start_with_tools(&r, 1000);
	r.reset_at_list = true;
	answer(&r, 2, "\"result\":{\"tools\":[]}", 0);
	expect(&r, "tools:\n");
	handshake_start(&r.h);
	answer(&r, 3, HELLO("2025-11-25", ""), 0);
	assert_span(span_skip(buf_span(&r.log), buf_size(&r.log) - 7), "tools:\n");
	rig_end(&r);
}

static void test_the_second_process_gets_a_handshake_like_the_first(void **state)
{
	struct rig r;

	(void)state;
	become_done(&r);
	handshake_reset(&r.h);
	handshake_start(&r.h);
	answer(&r, 3, HELLO("2025-11-25", ""), 0);
	buf_take(&r.log, strlen(INITIALIZE));
	expect(&r, "notifications/initialized\nhello 2025-11-25 {\"name\":\"x\"} -\ntools:\n" EMPTY_OTHERS "done\n");
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_client_can_do_is_declared),
		cmocka_unit_test(test_without_lists_the_first_words_are_enough),
		cmocka_unit_test(test_all_pages_of_all_lists_are_fetched),
		cmocka_unit_test(test_a_server_without_lists_is_ready_at_once),
		cmocka_unit_test(test_each_legacy_revision_is_taken_and_no_other),
		cmocka_unit_test(test_pages_are_bounded_and_what_is_strange_is_left_away),
		cmocka_unit_test(test_a_repeated_cursor_ends_the_list),
		cmocka_unit_test(test_no_more_than_1000_pages_are_fetched),
		cmocka_unit_test(test_no_more_than_100000_items_are_kept),
		cmocka_unit_test(test_another_list_that_fails_at_start_counts_as_empty),
		cmocka_unit_test(test_a_list_that_changed_is_fetched_anew_and_once_more_if_it_changed_meanwhile),
		cmocka_unit_test(test_a_change_during_the_first_fetch_does_not_delay_the_start),
		cmocka_unit_test(test_a_fetch_that_fails_later_leaves_the_last_list),
		cmocka_unit_test(test_a_list_that_never_comes_does_not_block_later_changes),
		cmocka_unit_test(test_changes_of_what_is_not_offered_or_while_off_are_ignored),
		cmocka_unit_test(test_a_listener_may_reset_it),
		cmocka_unit_test(test_the_second_process_gets_a_handshake_like_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
