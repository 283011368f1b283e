#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/outbox.h"
#include "base/fd.h"

static void parse(const char *text, struct message *m)
{
	struct message_fault fault;

	if (!message_parse(span_of(text), 128, m, &fault))
		fail_msg("%s: %s", text, fault.sentence);
}

static struct outgoing *request(struct backend_call *call, const char *text, const char *name)
{
	struct message m;

	parse(text, &m);
	return outgoing_request(
	        call, &m, (struct splice){ name != NULL ? m.name : SPAN_NONE, span_of(name) }, LINE_LEGACY);
}

static void test_id_token_and_name_are_replaced_and_nothing_else(void **state)
{
	static const struct {
		const char *text, *name, *line;
	} cases[] = {
		/* clang-format off */
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"a b\",\"method\":\"tools/call\"}", NULL,
		  "{\"jsonrpc\":\"2.0\",\"id\":42,\"method\":\"tools/call\"}\n" },
		{ "{\"params\":{\"name\":\"s__echo\",\"x\":1.0,\"_meta\":{\"progressToken\":\"t\",\"y\":\"\\u0041\"}},\"id\":1,"
		  "\"method\":\"tools/call\",\"jsonrpc\":\"2.0\"}", "\"echo\"",
		  "{\"params\":{\"name\":\"echo\",\"x\":1.0,\"_meta\":{\"progressToken\":42,\"y\":\"\\u0041\"}},\"id\":42,"
		  "\"method\":\"tools/call\",\"jsonrpc\":\"2.0\"}\n" },
		{ "{\r\n \"jsonrpc\":\"2.0\",\n\"id\":1,\"method\":\"ping\"\n}", NULL,
		  "{   \"jsonrpc\":\"2.0\", \"id\":42,\"method\":\"ping\" }\n" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct backend_call call = { .id = 42 };
		struct outgoing *line = request(&call, cases[i].text, cases[i].name);
		assert_span_is((struct span){ line->text, line->n }, span_of(cases[i].line));
		assert_ptr_equal(line->call, &call);
		free(line);
	}
}

/* A pipe whose buffer is as small as the kernel allows. */
static void small_pipe(int ends[2])
{
	struct err e;

	assert_true(fd_pipe(ends, &e));
	assert_true(fd_set_nonblocking(ends[0], &e));
	assert_true(fd_set_nonblocking(ends[1], &e));
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
}

static void close_pipe(int ends[2])
{
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

static size_t drain(int fd, struct buf *into)
{
	ssize_t n;
	size_t all = 0;

	while ((n = read(fd, buf_reserve(into, 65536), 65536)) > 0) {
		buf_added(into, (size_t)n);
		all += (size_t)n;
	}
	return all;
}

static void test_lines_go_out_in_order_and_calls_are_sent_from_their_first_byte_on(void **state)
{
	struct backend_call calls[300] = { 0 };
	struct buf got = { 0 }, wanted = { 0 };
	struct outbox o;
	int ends[2];

	(void)state;
	small_pipe(ends);
	outbox_init(&o);
	for (unsigned i = 0; i < 300; i++) {
		calls[i].id = i + 1;
		outbox_add(&o, request(&calls[i], "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"ping\"}", NULL));
		assert_non_null(calls[i].unsent);
		buf_printf(&wanted, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"ping\"}\n", i + 1);
	}
	assert_int_equal(o.call_bytes, buf_size(&wanted));
	assert_int_equal(outbox_write(&o, ends[1]), OUTBOX_BLOCKED);
	size_t written = buf_size(&wanted) - o.call_bytes, at = 0;
	assert_in_range(written, 1, 4096);
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(calls[i].unsent == NULL, at < written);
		at += span_find(span_skip(buf_span(&wanted), at), '\n') + 1;
	}
	while (outbox_write(&o, ends[1]) == OUTBOX_BLOCKED)
		drain(ends[0], &got);
	drain(ends[0], &got);
	assert_span_is(buf_span(&got), buf_span(&wanted));
	assert_int_equal(o.call_bytes, 0);
	buf_free(&got);
	buf_free(&wanted);
	close_pipe(ends);
}

static void test_held_calls_wait_while_our_own_messages_go_out(void **state)
{
	struct backend_call call = { .id = 1 };
	struct buf got = { 0 };
	struct outbox o;
	int ends[2];

	(void)state;
	small_pipe(ends);
	outbox_init(&o);
	outbox_hold(&o, request(&call, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}", NULL));
	outbox_add(&o, outgoing_text(SPAN("own")));
	assert_int_equal(o.own_bytes, 4);
	assert_int_equal(outbox_write(&o, ends[1]), OUTBOX_DONE);
	assert_int_equal(o.own_bytes, 0);
	drain(ends[0], &got);
	assert_span(buf_span(&got), "own\n");
	assert_non_null(call.unsent);
	outbox_release(&o);
	assert_int_equal(outbox_write(&o, ends[1]), OUTBOX_DONE);
	assert_null(call.unsent);
	assert_int_equal(o.call_bytes, 0);
	buf_free(&got);
	close_pipe(ends);
}

/* Two calls, the first of them 8 KB: half sent when the process dies. */
static void test_unsent_calls_survive_the_process_and_half_sent_ones_do_not(void **state)
{
	struct backend_call big = { .id = 1 }, small = { .id = 2 }, later = { .id = 3 };
	struct buf text = { 0 }, got = { 0 };
	struct outbox o;
	int ends[2];

	(void)state;
	small_pipe(ends);
	outbox_init(&o);
	buf_printf(
	        &text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"x\":\"%8000d\"}}%c", 1, '\0');
	outbox_add(&o, request(&big, buf_span(&text).p, NULL));
	outbox_add(&o, outgoing_text(SPAN("own")));
	outbox_add(&o, request(&small, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", NULL));
	outbox_hold(&o, request(&later, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", NULL));
	assert_int_equal(outbox_write(&o, ends[1]), OUTBOX_BLOCKED);
	fd_close(&ends[0]);
	assert_int_equal(outbox_write(&o, ends[1]), OUTBOX_BROKEN);
	outbox_recall(&o);
	assert_null(big.unsent);
	assert_int_equal(o.call_bytes, small.unsent->n + later.unsent->n);
	assert_int_equal(o.own_bytes, 0);
	fd_close(&ends[1]);
	small_pipe(ends);
	outbox_release(&o);
	assert_int_equal(outbox_write(&o, ends[1]), OUTBOX_DONE);
	drain(ends[0], &got);
	assert_span(buf_span(&got), "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n"
	                            "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}\n");
	buf_free(&got);
	buf_free(&text);
	close_pipe(ends);
}

static void test_a_line_can_be_taken_out_and_clear_forgets_all(void **state)
{
	struct backend_call a = { .id = 1 }, b = { .id = 2 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	outbox_add(&o, request(&a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", NULL));
	outbox_hold(&o, request(&b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", NULL));
	outbox_add(&o, outgoing_text(SPAN("own")));
	outbox_remove(&o, a.unsent);
	assert_null(a.unsent);
	assert_int_equal(o.call_bytes, b.unsent->n);
	outbox_clear(&o);
	assert_null(b.unsent);
	assert_int_equal(o.call_bytes + o.own_bytes, 0);
}

static struct span text_of(const struct backend_call *call)
{
	return (struct span){ call->unsent->text, call->unsent->n };
}

static struct outgoing *as_it_came(struct backend_call *call, const char *text)
{
	struct message m;

	parse(text, &m);
	return outgoing_request(call, &m, (struct splice){ .out = SPAN_NONE }, LINE_AS_IT_CAME);
}

#define MODERN_META                                                                                 \
	"\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                               \
	"\"io.modelcontextprotocol/clientInfo\":{\"name\":\"sluice\",\"version\":\"" SLUICE_VERSION \
	"\"},\"io.modelcontextprotocol/clientCapabilities\":{}"

static void test_what_waits_is_written_as_the_server_turns_out_to_want_it(void **state)
{
	struct backend_call a = { .id = 7 }, b = { .id = 8 }, sub = { .id = 9 };
	struct outbox o;

	(void)state;
	outbox_init(&o);
	outbox_hold(&o, as_it_came(&a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"));
	outbox_hold(&o, as_it_came(&b, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"_meta\":{"
	                               "\"progressToken\":1}}}"));
	outbox_hold(&o,
	        as_it_came(&sub, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"resources/subscribe\",\"params\":{}}"));
	outbox_fit(&o, LINE_MODERN);
	assert_true(a.modern && b.modern);
	assert_span_is(text_of(&a),
	        SPAN("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\",\"params\":{\"_meta\":{" MODERN_META
	             "}}}\n"));
	assert_span_is(text_of(&b),
	        SPAN("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/call\",\"params\":{\"_meta\":{" MODERN_META
	             ",\"progressToken\":8}}}\n"));
	assert_null(outbox_first_aside(&o));
	outbox_set_aside(&o, METHOD_RESOURCES_SUBSCRIBE);
	assert_ptr_equal(outbox_first_aside(&o), &sub);
	outbox_fit(&o, LINE_LEGACY); /* another process, of another kind */
	assert_false(a.modern || b.modern);
	assert_span_is(
	        text_of(&b), SPAN("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/call\",\"params\":{\"_meta\":{"
	                          "\"progressToken\":8}}}\n"));
	size_t bytes = a.unsent->n + b.unsent->n + sub.unsent->n;
	assert_int_equal(o.call_bytes, bytes);
	outbox_recall(&o);
	assert_null(outbox_first_aside(&o));
	assert_int_equal(o.call_bytes, bytes);
	outbox_clear(&o);
	assert_null(a.unsent);
	assert_null(b.unsent);
	assert_null(sub.unsent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_waits_is_written_as_the_server_turns_out_to_want_it),
		cmocka_unit_test(test_id_token_and_name_are_replaced_and_nothing_else),
		cmocka_unit_test(test_lines_go_out_in_order_and_calls_are_sent_from_their_first_byte_on),
		cmocka_unit_test(test_held_calls_wait_while_our_own_messages_go_out),
		cmocka_unit_test(test_unsent_calls_survive_the_process_and_half_sent_ones_do_not),
		cmocka_unit_test(test_a_line_can_be_taken_out_and_clear_forgets_all),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
