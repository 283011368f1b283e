/* What the gateway does for modern clients, in front of a puppet that speaks a legacy revision. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/listen.h"

#define DEBOUNCE_MS 100
#define META "\"_meta\":{\"" META_VERSION "\":\"2026-07-28\",\"" META_CAPABILITIES "\":{\"sampling\":{}}"
#define STAMP "\"_meta\":{\"" META_SERVER "\":{\"name\":\"sluice\",\"version\":\"0\"}}"
#define CHANGED(topic, id)                                       \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" topic \
	"/list_changed\",\"params\":{\"_meta\":{\"" META_SUBSCRIPTION "\":" id "}}}"
#define ACKNOWLEDGED(id, topics)                                                                                                   \
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"_meta\":{\"" META_SUBSCRIPTION \
	"\":" id "},\"notifications\":{" topics "}}}"
#define OVER(id)                                                                                                     \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"resultType\":\"complete\",\"_meta\":{\"" META_SUBSCRIPTION \
	"\":" id ",\"" META_SERVER "\":{\"name\":\"sluice\",\"version\":\"0\"}}}}"

/* ---- the puppet ---- */

struct puppet {
	struct backend base; /* first */
	struct sched *sched;
	struct list calls;
	int cancels;
	char told[64]; /* the params of the last logging/setLevel */
	struct backend_link link;
	struct post stopped;
};

static struct puppet *puppet_of(struct backend *b)
{
	return (struct puppet *)(void *)b;
}

static void puppet_start(struct backend *b)
{
	(void)b;
}

static void puppet_submit(struct backend *b, struct backend_call *call, const struct message *m, struct splice name)
{
	(void)m;
	(void)name;
	call->id = 7;
	call->link = &puppet_of(b)->link;
	list_append(&puppet_of(b)->calls, &call->node);
}

static enum outcome puppet_cancel(struct backend *b, struct backend_call *call, struct span reason)
{
	(void)reason;
	list_unlink(&call->node);
	puppet_of(b)->cancels++;
	return OUTCOME_UNKNOWN;
}

static void puppet_tell(struct backend *b, enum method method, struct span params)
{
	assert_int_equal(method, METHOD_SET_LEVEL);
	snprintf(puppet_of(b)->told, sizeof(puppet_of(b)->told), "%.*s", SPAN_ARG(params));
}

static void on_stopped(void *arg)
{
	struct puppet *p = arg;

	p->base.events->state(p->base.arg, BACKEND_STOPPED, "asked to stop", 0);
}

static void puppet_stop(struct backend *b, enum backend_stop how)
{
	(void)how;
	post_set(puppet_of(b)->sched, &puppet_of(b)->stopped, on_stopped, puppet_of(b));
}

static void puppet_no_more(struct backend *b)
{
	(void)b;
}

static void puppet_free(struct backend *b)
{
	free(puppet_of(b));
}

static const struct backend_ops ops = {
	.start = puppet_start,
	.submit = puppet_submit,
	.cancel = puppet_cancel,
	.tell = puppet_tell,
	.stop = puppet_stop,
	.no_more = puppet_no_more,
	.free = puppet_free,
};

/* ---- the gateway and its client ---- */

struct stage {
	struct sched sched;
	struct gateway *gw;
	struct puppet *puppet;
	struct session *local;
};

/* What a client has heard: lines, the last one the end. */
struct heard {
	struct buf lines;
	int ended;
	enum end_reason why;
};

static void put_line(struct heard *h, const struct pieces *json)
{
	pieces_put(&h->lines, json);
	buf_add_char(&h->lines, '\n');
}

static void on_message(void *arg, const struct pieces *json)
{
	put_line(arg, json);
}

static void on_call_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct heard *h = arg;

	put_line(h, json);
	h->ended++;
	h->why = why;
}

static void on_listen_ended(void *arg, const struct pieces *json)
{
	struct heard *h = arg;

	put_line(h, json);
	h->ended++;
}

static const struct reply_port reply_port = { on_message, on_call_ended };
static const struct listen_port listen_port = { on_message, on_message, on_listen_ended };

#define assert_heard(h, literal)                             \
	do {                                                 \
		assert_span(buf_span(&(h)->lines), literal); \
		buf_free(&(h)->lines);                       \
	} while (0)

static void pass(struct stage *s, msec_t ms)
{
	sched_run_posts(&s->sched);
	sched_run_timers(&s->sched, mono_add(s->sched.now, ms));
	sched_run_posts(&s->sched);
}

static void set_list(struct puppet *p, enum list_kind kind, const char *array)
{
	struct item_list list = { .text = span_dup(span_of(array)),
		.items = mem_alloc(strlen(array) * sizeof(struct span)) };
	struct json_walk w = json_walk(span_of(list.text));

	while (json_next(&w, NULL, &list.items[list.count]))
		list.count++;
	p->base.events->list(p->base.arg, kind, &list);
}

static void come_up(struct stage *s)
{
	static const struct backend_hello hello = { .tools = true, .resources = true, .logging = true };
	struct puppet *p = s->puppet;

	p->base.events->hello(p->base.arg, &hello);
	set_list(p, LIST_TOOLS, "[{\"name\":\"x\",\"inputSchema\":{\"type\":\"object\"}}]");
	p->base.events->state(p->base.arg, BACKEND_READY, "", 0);
	pass(s, 10 * DEBOUNCE_MS);
}

static void open_stage(struct stage *s)
{
	static const char *const argv[] = { "sh", NULL };
	const struct backend_conf server = {
		.name = "a",
		.startup = STARTUP_EAGER,
		.request_timeout_ms = 60000,
		.max_request_timeout_ms = 60000,
		.argv = argv,
		.env = argv,
		.max_depth = 20,
	};
	const struct gateway_conf conf = {
		.servers = &server,
		.server_count = 1,
		.prefixed = true,
		.page_items = 100,
		.max_in_flight = 3,
		.max_in_flight_per_session = 2,
		.version = "0",
	};
	const struct session_conf sessions = { .idle_timeout_ms = 3600000, .max = 10 };
	struct logger silent = { 0 };

	*s = (struct stage){ 0 };
	sched_init(&s->sched, (mono_t){ 1000 });
	s->gw = gateway_new(&conf, &s->sched, sessions_new(&sessions, NULL, &s->sched, 1), &silent);
	s->puppet = NEW(struct puppet);
	s->puppet->base = (struct backend){ &ops, gateway_backend_conf(s->gw, 0), &gateway_backend_events,
		gateway_backend_arg(s->gw, 0) };
	s->puppet->sched = &s->sched;
	list_init(&s->puppet->calls);
	gateway_attach(s->gw, 0, &s->puppet->base);
	gateway_start(s->gw);
	come_up(s);
}

static void close_stage(struct stage *s)
{
	gateway_cut_calls(s->gw);
	gateway_stop_backends(s->gw, BACKEND_STOP_LADDER);
	pass(s, 0);
	pass(s, 0);
	gateway_free(&s->gw);
	sched_clear(&s->sched);
}

static struct message parse(const char *text)
{
	struct message m;
	struct message_fault fault;

	if (!message_parse(span_of(text), 20, &m, &fault))
		fail_msg("%s: %s", text, fault.sentence);
	return m;
}

static struct call *ask(struct stage *s, struct heard *h, const char *method, const char *more)
{
	char text[512];
	enum end_reason why;
	struct refusal refusal = { &why, &h->lines };

	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"%s\",\"params\":{" META "%s}}",
	        method, more);
	struct message m = parse(text);
	struct request_meta meta = meta_read(m.meta);
	return gateway_submit_modern(s->gw, s->local, SCOPE_ALL, &m, &meta, &reply_port, h, &refusal);
}

static struct call *call_tool(struct stage *s, struct heard *h, const char *more_meta)
{
	char more[256];

	snprintf(more, sizeof(more), "%s},\"name\":\"a__x\"", more_meta);
	return ask(s, h, "tools/call", more);
}

static void answer(struct stage *s, const char *end)
{
	struct backend_call *call = list_entry(list_take_first(&s->puppet->calls), struct backend_call, node);
	char text[300];

	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%llu,%s}", (unsigned long long)call->id, end);
	struct message m = parse(text);
	call->sink->ended(call, m.kind == MESSAGE_RESULT ? END_RESULT : END_SERVER_ERROR, OUTCOME_KNOWN, &m);
}

static struct listen *listen_for(struct stage *s, struct heard *h, const char *id, const char *filter)
{
	char text[512];
	enum end_reason why = END_RESULT;
	struct refusal refusal = { &why, &h->lines };

	snprintf(text, sizeof(text),
	        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"subscriptions/listen\",\"params\":{" META "},"
	        "\"notifications\":%s}}",
	        id, filter);
	struct message m = parse(text);
	struct listen *l = gateway_listen(s->gw, s->local, SCOPE_ALL, &m, &listen_port, h, &refusal);
	h->why = why;
	return l;
}

/* ---- calls ---- */

static void test_answers_are_stamped(void **state)
{
	struct stage s;
	struct heard h = { 0 };

	(void)state;
	open_stage(&s);
	assert_non_null(call_tool(&s, &h, ""));
	answer(&s, "\"result\":{\"content\":[]}");
	assert_heard(&h, "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"result\":{\"resultType\":\"complete\"," STAMP
	                 ",\"content\":[]}}\n");
	call_tool(&s, &h, "");
	answer(&s, "\"error\":{\"code\":-32001,\"message\":\"m\"}");
	assert_heard(&h,
	        "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"error\":{\"data\":{\"original\":{\"code\":-32001,\"message\":"
	        "\"m\"}},\"code\":-32603,\"message\":\"m\"}}\n");
	ask(&s, &h, "tools/list", "}");
	pass(&s, 0);
	assert_heard(&h, "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"result\":{\"resultType\":\"complete\",\"ttlMs\":0,"
	                 "\"cacheScope\":\"private\"," STAMP ",\"tools\":[{\"name\":\"a__x\",\"inputSchema\":{\"type\":"
	                 "\"object\"}}]}}\n");
	ask(&s, &h, "prompts/list", "}");
	pass(&s, 0);
	assert_heard(&h,
	        "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"error\":{\"code\":-32601,\"message\":\"no server offers this "
	        "list\"}}\n");
	close_stage(&s);
}

static void test_the_server_is_told_who_asks(void **state)
{
	struct stage s;
	struct heard h = { 0 };

	(void)state;
	open_stage(&s);
	call_tool(&s, &h, ",\"" META_CLIENT "\":{\"name\":\"me\"},\"" META_LEVEL "\":\"notice\"");
	const struct backend_call *call = list_entry(list_first(&s.puppet->calls), struct backend_call, node);
	assert_int_equal(call->client->revision, REVISION_MODERN);
	assert_int_equal(call->client->capabilities, CLIENT_SAMPLING);
	assert_int_equal(call->client->level, LEVEL_NOTICE);
	assert_span(call->client->info, "{\"name\":\"me\"}");
	assert_span(call->client->declared, "{\"sampling\":{}}");
	assert_string_equal(s.puppet->told, "{\"level\":\"notice\"}");
	answer(&s, "\"result\":{}");
	buf_free(&h.lines);
	close_stage(&s);
}

static void log_something(struct stage *s, const char *level)
{
	char text[200];

	snprintf(text, sizeof(text),
	        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"%s\",\"data\":1}}",
	        level);
	struct message m = parse(text);
	s->puppet->base.events->notification(s->puppet->base.arg, &s->puppet->link, &m);
}

static void test_log_messages_go_to_the_one_request_that_wants_them(void **state)
{
	struct stage s;
	struct heard silent = { 0 }, wants = { 0 };

	(void)state;
	open_stage(&s);
	call_tool(&s, &silent, "");
	log_something(&s, "error");
	answer(&s, "\"result\":{}");
	call_tool(&s, &wants, ",\"" META_LEVEL "\":\"warning\"");
	log_something(&s, "info");
	assert_int_equal(buf_size(&wants.lines), 0);
	log_something(&s, "error");
	assert_heard(&wants,
	        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\","
	        "\"data\":1}}\n");
	call_tool(&s, &silent, "");
	log_something(&s, "error"); /* about which of the two? */
	assert_int_equal(buf_size(&wants.lines), 0);
	answer(&s, "\"result\":{}");
	answer(&s, "\"result\":{}");
	buf_free(&silent.lines);
	buf_free(&wants.lines);
	close_stage(&s);
}

static void test_a_client_that_leaves_has_cancelled(void **state)
{
	struct gateway_state now;
	struct stage s;
	struct heard h = { 0 };

	(void)state;
	open_stage(&s);
	struct call *c = call_tool(&s, &h, "");
	gateway_client_gone(c);
	gateway_state(s.gw, &now);
	assert_int_equal(now.in_flight, 0);
	assert_int_equal(s.puppet->cancels, 1);
	assert_int_equal(gateway_counts(s.gw)->ended[END_CLIENT_GONE], 1);
	assert_int_equal(gateway_counts(s.gw)->unknown, 1);
	assert_int_equal(h.ended, 0);
	close_stage(&s);
}

static void test_the_client_of_a_front_has_bounds_and_may_cancel(void **state)
{
	struct message m =
	        parse("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"i\"}}");
	struct stage s;
	struct heard h = { 0 }, refused = { 0 };

	(void)state;
	open_stage(&s);
	s.local = gateway_local_session(s.gw);
	call_tool(&s, &h, "");
	call_tool(&s, &h, "");
	assert_null(call_tool(&s, &refused, ""));
	assert_non_null(memmem(buf_span(&refused.lines).p, buf_size(&refused.lines), "overloaded", 10));
	gateway_notify(s.gw, s.local, &m);
	pass(&s, 0);
	assert_int_equal(h.ended, 1);
	assert_int_equal(h.why, END_CANCELLED);
	answer(&s, "\"result\":{}");
	assert_int_equal(h.ended, 2);
	buf_free(&h.lines);
	buf_free(&refused.lines);
	close_stage(&s);
}

/* ---- listens ---- */

static void test_a_listen_is_acknowledged_and_told_what_it_wants(void **state)
{
	struct stage s;
	struct heard tools = { 0 }, all = { 0 };

	(void)state;
	open_stage(&s);
	struct listen *l = listen_for(&s, &tools, "1", "{\"toolsListChanged\":true,\"promptsListChanged\":false}");
	assert_non_null(l);
	assert_int_equal(buf_size(&tools.lines), 0); /* not from inside */
	struct listen *k = listen_for(&s, &all, "\"1\"",
	        "{\"promptsListChanged\":true,\"resourcesListChanged\":true,\"toolsListChanged\":true,\"taskIds\":[]}");
	pass(&s, 0);
	assert_heard(&tools, ACKNOWLEDGED("1", "\"toolsListChanged\":true") "\n");
	assert_heard(&all, ACKNOWLEDGED("\"1\"", "\"toolsListChanged\":true,\"resourcesListChanged\":true") "\n");
	set_list(s.puppet, LIST_TOOLS, "[]");
	set_list(s.puppet, LIST_PROMPTS, "[{\"name\":\"p\"}]");
	pass(&s, 2 * DEBOUNCE_MS);
	assert_heard(&tools, CHANGED("tools", "1") "\n");
	assert_heard(&all, CHANGED("tools", "\"1\"") "\n");
	set_list(s.puppet, LIST_RESOURCES, "[{\"uri\":\"a:b\",\"name\":\"r\"}]");
	set_list(s.puppet, LIST_TEMPLATES, "[{\"uriTemplate\":\"a:{b}\",\"name\":\"r\"}]");
	pass(&s, 2 * DEBOUNCE_MS);
	assert_int_equal(buf_size(&tools.lines), 0);
	assert_heard(&all, CHANGED("resources", "\"1\"") "\n");
	gateway_unlisten(l);
	gateway_unlisten(k);
	close_stage(&s);
}

static void test_a_listen_ends_with_a_result(void **state)
{
	struct stage s;
	struct heard late = { 0 }, h[16] = { 0 };
	unsigned ended = 0;

	(void)state;
	open_stage(&s);
	for (int i = 0; i < 16; i++)
		assert_non_null(listen_for(&s, &h[i], "2", "{}"));
	pass(&s, 0);
	gateway_end_pushes(s.gw, 1000);
	pass(&s, 500);
	for (int i = 0; i < 16; i++)
		ended += (unsigned)h[i].ended;
	assert_in_range(ended, 5, 11); /* spread */
	gateway_keep_pushes(s.gw);
	pass(&s, 1000);
	assert_non_null(listen_for(&s, &late, "3", "{\"toolsListChanged\":true}"));
	gateway_end_pushes(s.gw, 0);
	assert_heard(&late, ACKNOWLEDGED("3", "\"toolsListChanged\":true") "\n" OVER("3") "\n");
	for (int i = 0; i < 16; i++) {
		assert_int_equal(h[i].ended, 1);
		assert_heard(&h[i], ACKNOWLEDGED("2", "") "\n" OVER("2") "\n");
	}
	close_stage(&s);
}

static void test_listens_are_refused_when_they_are_wrong_or_too_many_or_too_late(void **state)
{
	static const char *const filters[] = { "7", "null", "{\"toolsListChanged\":1}" };
	struct stage s;
	struct heard h = { 0 };

	(void)state;
	open_stage(&s);
	for (int i = 0; i < 3; i++) {
		assert_null(listen_for(&s, &h, "2", filters[i]));
		assert_int_equal(h.why, END_REFUSED);
		assert_non_null(memmem(buf_span(&h.lines).p, buf_size(&h.lines), "-32602", 6));
		buf_free(&h.lines);
	}
	s.local = gateway_local_session(s.gw);
	for (int i = 0; i < LISTENS_PER_SESSION_MAX; i++)
		assert_non_null(listen_for(&s, &h, "2", "{}"));
	assert_null(listen_for(&s, &h, "2", "{}"));
	assert_int_equal(h.why, END_OVERLOADED);
	s.local = NULL;
	gateway_refuse_new(s.gw);
	assert_null(listen_for(&s, &h, "2", "{}"));
	assert_int_equal(h.why, END_DRAINING);
	assert_int_equal(gateway_counts(s.gw)->refused, 2);
	close_stage(&s); /* frees those that nobody has ended */
	buf_free(&h.lines);
}

static void test_a_listen_is_given_up_by_its_id(void **state)
{
	struct message m =
	        parse("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}");
	struct stage s;
	struct heard other = { 0 }, h = { 0 };

	(void)state;
	open_stage(&s);
	assert_non_null(listen_for(&s, &other, "2", "{}")); /* somebody else's */
	s.local = gateway_local_session(s.gw);
	assert_non_null(listen_for(&s, &h, "2", "{}"));
	gateway_notify(s.gw, s.local, &m);
	gateway_end_pushes(s.gw, 0);
	assert_int_equal(h.ended, 0);
	assert_int_equal(buf_size(&h.lines), 0);
	assert_int_equal(other.ended, 1);
	buf_free(&other.lines);
	close_stage(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_are_stamped),
		cmocka_unit_test(test_the_server_is_told_who_asks),
		cmocka_unit_test(test_log_messages_go_to_the_one_request_that_wants_them),
		cmocka_unit_test(test_a_client_that_leaves_has_cancelled),
		cmocka_unit_test(test_the_client_of_a_front_has_bounds_and_may_cancel),
		cmocka_unit_test(test_a_listen_is_acknowledged_and_told_what_it_wants),
		cmocka_unit_test(test_a_listen_ends_with_a_result),
		cmocka_unit_test(test_listens_are_refused_when_they_are_wrong_or_too_many_or_too_late),
		cmocka_unit_test(test_a_listen_is_given_up_by_its_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
