/* Other servers in a gateway that runs. The backends are puppets: they do what the test says, in a time of its own. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway.h"

#define SERVERS_MAX 4
#define DEBOUNCE_MS 100

/* ---- puppets ---- */

struct puppet {
	struct backend base; /* first */
	struct sched *sched;
	struct list calls;
	uint64_t next_id;
	int starts, configures, stops;
	bool *freed;
	struct post stopped;
};

static struct puppet *puppet_of(struct backend *b)
{
	return (struct puppet *)(void *)b;
}

static void puppet_start(struct backend *b)
{
	puppet_of(b)->starts++;
}

static void puppet_submit(struct backend *b, struct backend_call *call, const struct message *m, struct splice name)
{
	struct puppet *p = puppet_of(b);

	(void)m;
	(void)name;
	call->id = ++p->next_id;
	list_append(&p->calls, &call->node);
}

static enum outcome puppet_cancel(struct backend *b, struct backend_call *call, struct span reason)
{
	(void)b;
	(void)reason;
	list_unlink(&call->node);
	return OUTCOME_UNKNOWN;
}

static void puppet_tell(struct backend *b, enum method method, struct span params)
{
	(void)b;
	(void)method;
	(void)params;
}

static void on_stopped(void *arg)
{
	struct puppet *p = arg;

	p->base.events->state(p->base.arg, BACKEND_STOPPED, "asked to stop", 0);
}

static void puppet_stop(struct backend *b, enum backend_stop how)
{
	struct puppet *p = puppet_of(b);

	(void)how;
	p->stops++;
	post_set(p->sched, &p->stopped, on_stopped, p);
}

static void puppet_no_more(struct backend *b)
{
	(void)b;
}

static void puppet_limit_stop(struct backend *b, msec_t eof_ms, msec_t term_ms)
{
	(void)b;
	(void)eof_ms;
	(void)term_ms;
}

static void puppet_configure(struct backend *b, const struct backend_conf *conf)
{
	b->conf = conf;
	puppet_of(b)->configures++;
}

static void puppet_stats(const struct backend *b, struct backend_stats *stats)
{
	const struct puppet *p = (const struct puppet *)(const void *)b;

	*stats = (struct backend_stats){ .starts = (uint64_t)p->starts, .restarts = 1, .dropped = 2 };
}

static void puppet_free(struct backend *b)
{
	struct puppet *p = puppet_of(b);

	assert_true(list_is_empty(&p->calls));
	post_cancel(&p->stopped);
	if (p->freed != NULL)
		*p->freed = true;
	free(p);
}

static const struct backend_ops ops = {
	.start = puppet_start,
	.submit = puppet_submit,
	.cancel = puppet_cancel,
	.tell = puppet_tell,
	.stop = puppet_stop,
	.no_more = puppet_no_more,
	.limit_stop = puppet_limit_stop,
	.configure = puppet_configure,
	.stats = puppet_stats,
	.free = puppet_free,
};

static void set_state(struct puppet *p, enum backend_state state)
{
	p->base.events->state(p->base.arg, state, "", 0);
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

static void come_up(struct puppet *p, const char *tools)
{
	set_state(p, BACKEND_STARTING);
	set_list(p, LIST_TOOLS, tools);
	set_state(p, BACKEND_READY);
}

static void answer(struct puppet *p, const char *end)
{
	struct backend_call *call = list_entry(list_take_first(&p->calls), struct backend_call, node);
	struct message_fault fault;
	struct message m;
	char text[200];

	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%llu,%s}", (unsigned long long)call->id, end);
	assert_true(message_parse(span_of(text), 20, &m, &fault));
	call->sink->ended(call, m.kind == MESSAGE_RESULT ? END_RESULT : END_SERVER_ERROR, OUTCOME_KNOWN, &m);
}

/* ---- the gateway ---- */

struct stage {
	struct sched sched;
	struct key_ring *keys;
	struct gateway *gw;
	struct session *session;
	struct reload_counts counts;
};

struct asked {
	int ended;
	enum end_reason why;
	char text[300];
};

struct stream {
	struct push push;
	int changes;
	bool ended;
};

static void run(struct stage *s)
{
	for (int i = 0; i < 20; i++)
		sched_run_posts(&s->sched);
}

static void pass(struct stage *s, msec_t ms)
{
	run(s);
	sched_run_timers(&s->sched, mono_add(s->sched.now, ms));
	run(s);
}

static struct puppet *puppet_at(const struct stage *s, size_t i)
{
	return puppet_of(gateway_backend(s->gw, i));
}

static void attach_and_start(struct stage *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (gateway_backend(s->gw, i) != NULL)
			continue;
		struct puppet *p = NEW(struct puppet);
		p->base = (struct backend){ &ops, gateway_backend_conf(s->gw, i), &gateway_backend_events,
			gateway_backend_arg(s->gw, i) };
		p->sched = &s->sched;
		list_init(&p->calls);
		gateway_attach(s->gw, i, &p->base);
	}
	gateway_start(s->gw);
	run(s);
}

static const char *const plain_argv[] = { "sh", NULL };
static const char *const other_argv[] = { "sh", "-x", NULL };

static struct backend_conf server(const char *name)
{
	return (struct backend_conf){
		.name = name,
		.startup = STARTUP_EAGER,
		.request_timeout_ms = 60000,
		.max_request_timeout_ms = 60000,
		.argv = plain_argv,
		.env = plain_argv,
		.max_in_flight = 10,
		.max_message_bytes = 10000,
		.max_depth = 20,
	};
}

static struct gateway_conf conf_of(const struct backend_conf *servers, size_t n)
{
	return (struct gateway_conf){
		.servers = servers,
		.server_count = n,
		.prefixed = true,
		.page_items = 100,
		.max_in_flight = 100,
		.max_in_flight_per_session = 100,
		.version = "0",
		.fail_on_required_loss = true,
	};
}

static void open_stage(struct stage *s, const struct backend_conf *servers, size_t n)
{
	struct gateway_conf conf = conf_of(servers, n);
	const struct session_conf sessions = { .idle_timeout_ms = 3600000, .max = 10, .required = true };
	struct logger silent = { 0 };
	struct err e;

	*s = (struct stage){ 0 };
	sched_init(&s->sched, (mono_t){ 1000 });
	s->keys = key_ring_new(NULL, 0, &e);
	s->gw = gateway_new(&conf, &s->sched, sessions_new(&sessions, s->keys, &s->sched, 1), &silent);
	attach_and_start(s, n);
}

/* The servers of the two stages that most tests want: "a" and "b", up, with one tool each. */
static void open_pair(struct stage *s)
{
	const struct backend_conf servers[] = { server("a"), server("b") };
	const char *initialize =
	        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
	        "\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}";
	struct message_fault fault;
	struct message m;
	struct buf out = { 0 };
	enum end_reason why;

	open_stage(s, servers, 2);
	come_up(puppet_at(s, 0), "[{\"name\":\"x\"}]");
	come_up(puppet_at(s, 1), "[{\"name\":\"y\"}]");
	run(s);
	assert_true(message_parse(span_of(initialize), 20, &m, &fault));
	s->session = gateway_initialize(s->gw, SCOPE_ALL, &m, false, &out, &why);
	assert_non_null(s->session);
	buf_free(&out);
	pass(s, 10 * DEBOUNCE_MS);
}

static void reload(struct stage *s, const struct backend_conf *servers, size_t n)
{
	struct gateway_conf conf = conf_of(servers, n);

	gateway_reload(s->gw, &conf, &s->counts);
	attach_and_start(s, n);
}

static void assert_counts(const struct stage *s, unsigned added, unsigned removed, unsigned changed, unsigned unchanged)
{
	assert_int_equal(s->counts.added, added);
	assert_int_equal(s->counts.removed, removed);
	assert_int_equal(s->counts.changed, changed);
	assert_int_equal(s->counts.unchanged, unchanged);
}

static void close_stage(struct stage *s)
{
	struct gateway_state state;

	gateway_cut_calls(s->gw);
	gateway_stop_backends(s->gw, BACKEND_STOP_LADDER);
	run(s);
	gateway_state(s->gw, &state);
	assert_true(state.backends_stopped);
	assert_int_equal(state.in_flight, 0);
	gateway_free(&s->gw);
	key_ring_free(&s->keys);
	sched_clear(&s->sched);
}

/* ---- clients ---- */

static void on_message(void *arg, const struct pieces *json)
{
	(void)arg;
	(void)json;
}

static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct asked *a = arg;
	struct buf text = { 0 };

	pieces_put(&text, json);
	a->ended++;
	a->why = why;
	snprintf(a->text, sizeof(a->text), "%.*s", SPAN_ARG(buf_span(&text)));
	buf_free(&text);
}

static const struct reply_port reply_port = { on_message, on_ended };

static struct call *ask_in(struct stage *s, struct asked *a, int scope, const char *method, const char *params)
{
	struct buf error = { 0 };
	enum end_reason why;
	struct refusal refusal = { &why, &error };
	struct message_fault fault;
	struct message m;
	char text[300];

	*a = (struct asked){ 0 };
	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}", method, params);
	assert_true(message_parse(span_of(text), 20, &m, &fault));
	struct call *call = gateway_submit(s->gw, s->session, scope, &m, &reply_port, a, &refusal);
	assert_non_null(call);
	run(s);
	return call;
}

static struct call *call_tool(struct stage *s, struct asked *a, const char *tool)
{
	char params[100];

	snprintf(params, sizeof(params), "{\"name\":\"%s\"}", tool);
	return ask_in(s, a, SCOPE_ALL, "tools/call", params);
}

static void assert_tools(struct stage *s, int scope, const char *wanted)
{
	struct asked a;

	ask_in(s, &a, scope, "tools/list", "{}");
	assert_int_equal(a.ended, 1);
	if (strstr(a.text, wanted) == NULL)
		fail_msg("got %s, wanted %s", a.text, wanted);
}

static void on_push(void *arg, const struct pieces *json)
{
	struct stream *stream = arg;

	(void)json;
	stream->changes++;
}

static void on_push_end(void *arg)
{
	struct stream *stream = arg;

	stream->ended = true;
}

static const struct push_port push_port = { on_push, on_push_end };

static void open_stream(struct stage *s, struct stream *stream, int scope)
{
	*stream = (struct stream){ .push = { .scope = scope, .port = &push_port, .arg = stream } };
	gateway_push_open(s->gw, s->session, &stream->push);
}

#define RESULT "\"result\":{\"content\":[]}"

/* ---- the tests ---- */

static void test_an_unchanged_server_keeps_its_backend_and_its_calls_wherever_it_stands(void **state)
{
	const struct backend_conf turned[] = { server("b"), server("c"), server("a") };
	struct asked a, b;
	struct stage s;

	(void)state;
	open_pair(&s);
	struct puppet *pa = puppet_at(&s, 0), *pb = puppet_at(&s, 1);
	call_tool(&s, &a, "a__x");
	call_tool(&s, &b, "b__y");
	reload(&s, turned, 3);
	assert_counts(&s, 1, 0, 0, 2);
	assert_ptr_equal(puppet_at(&s, 0), pb);
	assert_ptr_equal(puppet_at(&s, 2), pa);
	assert_int_equal(pa->starts + pb->starts, 2);
	assert_int_equal(puppet_at(&s, 1)->starts, 1);
	assert_int_equal(pa->configures + pb->configures + pa->stops + pb->stops, 0);
	answer(pa, RESULT);
	answer(pb, RESULT);
	assert_true(a.why == END_RESULT && b.why == END_RESULT);
	call_tool(&s, &a, "a__x");
	answer(pa, RESULT);
	assert_int_equal(a.why, END_RESULT);
	close_stage(&s);
}

static void test_a_removed_server_finishes_its_calls_before_it_is_stopped(void **state)
{
	const struct backend_conf left[] = { server("b") };
	struct asked a, late;
	bool freed = false;
	struct stage s;

	(void)state;
	open_pair(&s);
	struct puppet *p = puppet_at(&s, 0);
	p->freed = &freed;
	call_tool(&s, &a, "a__x");
	reload(&s, left, 1);
	assert_counts(&s, 0, 1, 0, 1);
	assert_int_equal(p->stops, 0);
	assert_tools(&s, SCOPE_ALL, "\"tools\":[{\"name\":\"b__y\"}]");
	call_tool(&s, &late, "a__x");
	assert_int_equal(late.why, END_REFUSED);
	assert_false(gateway_scope(s.gw, SPAN("a"), &(int){ 0 }));
	answer(p, RESULT);
	assert_int_equal(a.why, END_RESULT);
	assert_false(freed);
	run(&s);
	assert_true(freed);
	close_stage(&s);
}

static void test_a_removed_server_without_calls_is_stopped_at_once_also_when_it_never_ran(void **state)
{
	struct backend_conf servers[] = { server("a"), server("b") };
	bool freed[2] = { false, false };
	struct stage s;

	(void)state;
	servers[1].startup = STARTUP_LAZY;
	open_stage(&s, servers, 2);
	come_up(puppet_at(&s, 0), "[]");
	puppet_at(&s, 0)->freed = &freed[0];
	puppet_at(&s, 1)->freed = &freed[1];
	reload(&s, NULL, 0);
	run(&s);
	assert_true(freed[0] && freed[1]);
	close_stage(&s);
}

static void test_a_call_whose_end_is_due_still_knows_its_server_that_left(void **state)
{
	struct asked a;
	struct stage s;

	(void)state;
	open_pair(&s);
	call_tool(&s, &a, "a__x");
	gateway_cut_calls(s.gw); /* its end is posted */
	reload(&s, NULL, 0);
	run(&s);
	assert_int_equal(a.ended, 1);
	assert_non_null(strstr(a.text, "\"a\""));
	close_stage(&s);
}

static void test_a_call_of_a_removed_server_ends_with_its_time_limit(void **state)
{
	bool freed = false;
	struct asked a;
	struct stage s;

	(void)state;
	open_pair(&s);
	puppet_at(&s, 0)->freed = &freed;
	call_tool(&s, &a, "a__x");
	reload(&s, NULL, 0);
	pass(&s, 60000);
	assert_int_equal(a.why, END_BACKEND_TIMEOUT);
	run(&s);
	assert_true(freed);
	close_stage(&s);
}

static void test_the_number_of_servers_that_finish_their_calls_is_bounded(void **state)
{
	enum { LEAVING_MAX = 64, ROUNDS = LEAVING_MAX + 2 };
	struct backend_conf servers[] = { server("a"), server("b") };
	static struct asked asked[ROUNDS];
	struct puppet *puppets[ROUNDS];
	struct stage s;

	(void)state;
	open_pair(&s);
	for (int i = 0; i < ROUNDS; i++) {
		puppets[i] = puppet_at(&s, 0);
		call_tool(&s, &asked[i], "a__x");
		servers[0].argv = i % 2 == 0 ? other_argv : plain_argv;
		reload(&s, servers, 2);
		assert_int_equal(puppets[0]->stops > 0, i >= LEAVING_MAX);
	}
	assert_int_equal(puppets[1]->stops, 1);
	assert_int_equal(puppets[2]->stops, 0);
	assert_int_equal(asked[0].ended, 0); /* it still may answer on its way */
	answer(puppets[0], RESULT);
	assert_int_equal(asked[0].why, END_RESULT);
	close_stage(&s);
}

static void test_a_replaced_server_starts_beside_the_old_one_and_shows_its_lists_until_it_has_its_own(void **state)
{
	struct backend_conf servers[] = { server("a"), server("b") };
	struct stream stream;
	struct asked old, fresh;
	struct stage s;

	(void)state;
	open_pair(&s);
	open_stream(&s, &stream, SCOPE_ALL);
	struct puppet *p = puppet_at(&s, 0);
	call_tool(&s, &old, "a__x");
	servers[0].argv = other_argv;
	reload(&s, servers, 2);
	assert_counts(&s, 0, 0, 1, 1);
	assert_int_equal(s.counts.replaced, 1);
	struct puppet *next = puppet_at(&s, 0);
	assert_ptr_not_equal(next, p);
	assert_int_equal(next->starts, 1);
	assert_tools(&s, SCOPE_ALL, "[{\"name\":\"a__x\"},{\"name\":\"b__y\"}]");
	call_tool(&s, &fresh, "a__x");
	assert_false(list_is_empty(&next->calls));
	set_list(p, LIST_TOOLS, "[]"); /* the old one has no say any more */
	assert_tools(&s, SCOPE_ALL, "[{\"name\":\"a__x\"},{\"name\":\"b__y\"}]");
	answer(p, RESULT);
	assert_int_equal(old.why, END_RESULT);
	come_up(next, "[{\"name\":\"x\"}]");
	answer(next, RESULT);
	assert_int_equal(fresh.why, END_RESULT);
	pass(&s, 2 * DEBOUNCE_MS);
	assert_int_equal(stream.changes, 0); /* the same bytes are no news */
	close_stage(&s);
}

static struct server_view view_of(const struct stage *s, size_t i)
{
	struct server_view view;

	gateway_server(s->gw, i, &view);
	return view;
}

static void test_the_counts_of_a_replaced_server_never_fall(void **state)
{
	struct backend_conf servers[] = { server("a"), server("b") };
	struct asked old, fresh;
	struct stage s;

	(void)state;
	open_pair(&s);
	struct puppet *p = puppet_at(&s, 0);
	call_tool(&s, &old, "a__x");
	servers[0].argv = other_argv;
	reload(&s, servers, 2);
	struct puppet *next = puppet_at(&s, 0);
	call_tool(&s, &fresh, "a__x");
	pass(&s, 30);
	answer(p, RESULT);
	assert_int_equal(view_of(&s, 0).counts->ended[END_RESULT], 1);
	assert_int_equal(view_of(&s, 0).stats.starts, 2); /* while the old one is there */
	pass(&s, DEBOUNCE_MS);
	assert_int_equal(view_of(&s, 0).stats.starts, 2); /* and when it has gone */
	assert_int_equal(view_of(&s, 0).stats.restarts, 2);
	assert_int_equal(view_of(&s, 0).stats.dropped, 4);
	answer(next, RESULT);
	assert_int_equal(view_of(&s, 0).counts->ended[END_RESULT], 2);
	assert_int_equal(histogram_count(&view_of(&s, 0).counts->call_ms), 2);
	assert_int_equal(view_of(&s, 0).counts->call_ms.sum_ms, 30 + 30 + DEBOUNCE_MS);
	assert_int_equal(view_of(&s, 1).counts->ended[END_RESULT], 0);
	close_stage(&s);
}

static void test_a_retuned_server_is_told_and_keeps_its_process(void **state)
{
	static const char *const nothing[] = { NULL };
	struct backend_conf servers[] = { server("a"), server("b") };
	struct stream all, one;
	struct stage s;

	(void)state;
	open_pair(&s);
	assert_tools(&s, SCOPE_ALL, "a__x");
	open_stream(&s, &all, SCOPE_ALL);
	open_stream(&s, &one, 1);
	struct puppet *p = puppet_at(&s, 0);
	servers[0].request_timeout_ms = 5;
	servers[0].include = nothing;
	reload(&s, servers, 2);
	assert_counts(&s, 0, 0, 1, 1);
	assert_int_equal(s.counts.replaced, 0);
	assert_ptr_equal(puppet_at(&s, 0), p);
	assert_int_equal(p->configures, 1);
	assert_int_equal(p->base.conf->request_timeout_ms, 5);
	assert_tools(&s, SCOPE_ALL, "\"tools\":[{\"name\":\"b__y\"}]");
	pass(&s, 2 * DEBOUNCE_MS);
	assert_int_equal(all.changes, 1);
	assert_int_equal(one.changes, 0);
	close_stage(&s);
}

static void test_streams_follow_their_server_and_end_with_it(void **state)
{
	const struct backend_conf left[] = { server("c"), server("b") };
	struct stream gone, stays;
	struct stage s;

	(void)state;
	open_pair(&s);
	open_stream(&s, &gone, 0);
	open_stream(&s, &stays, 1);
	reload(&s, left, 2);
	assert_true(gone.ended);
	assert_false(stays.ended);
	assert_int_equal(stays.push.scope, 1);
	set_list(puppet_at(&s, 1), LIST_TOOLS, "[]");
	pass(&s, 2 * DEBOUNCE_MS);
	assert_int_equal(stays.changes, 1);
	close_stage(&s);
}

static void test_a_list_waits_for_what_was_added_and_not_for_what_is_gone(void **state)
{
	const struct backend_conf before[] = { server("a"), server("slow") }, after[] = { server("a"), server("new") };
	struct asked all, gone;
	struct stage s;

	(void)state;
	open_stage(&s, before, 2);
	come_up(puppet_at(&s, 0), "[{\"name\":\"x\"}]");
	ask_in(&s, &all, SCOPE_ALL, "tools/list", "{}");
	ask_in(&s, &gone, 1, "tools/list", "{}");
	assert_int_equal(all.ended + gone.ended, 0);
	reload(&s, after, 1);
	assert_int_equal(all.why, END_RESULT);
	assert_int_equal(all.ended, 1);
	assert_int_equal(gone.why, END_BACKEND_UNAVAILABLE);
	reload(&s, after, 2);
	ask_in(&s, &all, SCOPE_ALL, "tools/list", "{}");
	assert_int_equal(all.ended, 0);
	come_up(puppet_at(&s, 1), "[{\"name\":\"z\"}]");
	run(&s);
	assert_non_null(strstr(all.text, "new__z"));
	close_stage(&s);
}

static void test_a_list_waits_no_longer_in_all_however_often_servers_are_added(void **state)
{
	const struct backend_conf first[] = { server("a") }, then[] = { server("a"), server("b") };
	struct asked all;
	struct stage s;

	(void)state;
	open_stage(&s, first, 1);
	pass(&s, 1000);
	ask_in(&s, &all, SCOPE_ALL, "tools/list", "{}");
	pass(&s, 2000);
	reload(&s, then, 2);
	pass(&s, FIRST_TRY_WAIT_MS - 2000 - 1);
	assert_int_equal(all.ended, 0);
	pass(&s, 1);
	assert_int_equal(all.ended, 1);
	assert_int_equal(all.why, END_RESULT);
	close_stage(&s);
}

static void test_a_read_goes_on_with_the_servers_that_are_left(void **state)
{
	const struct backend_conf servers[] = { server("a"), server("b"), server("c") };
	const struct backend_conf left[] = { server("c") };
	struct asked a;
	struct stage s;

	(void)state;
	open_stage(&s, servers, 3);
	for (size_t i = 0; i < 3; i++) {
		come_up(puppet_at(&s, i), "[]");
		set_list(puppet_at(&s, i), LIST_RESOURCES, "[]");
	}
	struct puppet *pa = puppet_at(&s, 0), *pc = puppet_at(&s, 2);
	ask_in(&s, &a, SCOPE_ALL, "resources/read", "{\"uri\":\"x:1\"}");
	reload(&s, left, 1);
	answer(pa, "\"error\":{\"code\":-32002,\"message\":\"no\"}");
	answer(pc, RESULT);
	assert_int_equal(a.why, END_RESULT);
	close_stage(&s);
}

static void test_stopping_includes_those_that_leave(void **state)
{
	struct gateway_state now;
	struct asked a;
	struct stage s;

	(void)state;
	open_pair(&s);
	struct puppet *p = puppet_at(&s, 0);
	call_tool(&s, &a, "a__x");
	reload(&s, NULL, 0);
	gateway_state(s.gw, &now);
	assert_int_equal(now.configured, 0);
	assert_int_equal(now.in_flight, 1);
	assert_false(now.backends_stopped);
	gateway_refuse_new(s.gw);
	gateway_stop_backends(s.gw, BACKEND_STOP_LADDER);
	assert_int_equal(p->stops, 1);
	gateway_cut_calls(s.gw);
	run(&s);
	gateway_state(s.gw, &now);
	assert_true(now.backends_stopped);
	close_stage(&s);
}

static void test_a_required_server_that_was_replaced_is_lost_only_when_it_stays_away(void **state)
{
	struct backend_conf servers[] = { server("a") };
	struct gateway_state now;
	struct stage s;

	(void)state;
	servers[0].startup = STARTUP_REQUIRED;
	open_stage(&s, servers, 1);
	come_up(puppet_at(&s, 0), "[]");
	servers[0].argv = other_argv;
	reload(&s, servers, 1);
	pass(&s, 29000);
	gateway_state(s.gw, &now);
	assert_false(now.lost_required);
	pass(&s, 1000);
	gateway_state(s.gw, &now);
	assert_true(now.lost_required);
	servers[0].argv = plain_argv;
	reload(&s, servers, 1);
	gateway_state(s.gw, &now);
	assert_true(now.lost_required); /* a new try is not yet a success */
	come_up(puppet_at(&s, 0), "[]");
	gateway_state(s.gw, &now);
	assert_false(now.lost_required);
	close_stage(&s);
}

static void test_an_added_required_server_is_not_a_lost_one(void **state)
{
	struct backend_conf servers[] = { server("a"), server("b") };
	struct gateway_state now;
	struct stage s;

	(void)state;
	open_stage(&s, servers, 1);
	come_up(puppet_at(&s, 0), "[]");
	servers[1].startup = STARTUP_REQUIRED;
	reload(&s, servers, 2);
	pass(&s, 60000);
	gateway_state(s.gw, &now);
	assert_false(now.lost_required);
	close_stage(&s);
}

static void test_a_lazy_server_that_becomes_eager_is_started(void **state)
{
	struct backend_conf servers[] = { server("a") };
	struct stage s;

	(void)state;
	servers[0].startup = STARTUP_LAZY;
	open_stage(&s, servers, 1);
	assert_int_equal(puppet_at(&s, 0)->starts, 0);
	servers[0].startup = STARTUP_EAGER;
	reload(&s, servers, 1);
	assert_int_equal(puppet_at(&s, 0)->starts, 1);
	servers[0].startup = STARTUP_LAZY;
	reload(&s, servers, 1);
	servers[0].startup = STARTUP_EAGER;
	reload(&s, servers, 1);
	assert_int_equal(puppet_at(&s, 0)->starts, 1);
	close_stage(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_unchanged_server_keeps_its_backend_and_its_calls_wherever_it_stands),
		cmocka_unit_test(test_a_removed_server_finishes_its_calls_before_it_is_stopped),
		cmocka_unit_test(test_a_removed_server_without_calls_is_stopped_at_once_also_when_it_never_ran),
		cmocka_unit_test(test_a_call_whose_end_is_due_still_knows_its_server_that_left),
		cmocka_unit_test(test_a_call_of_a_removed_server_ends_with_its_time_limit),
		cmocka_unit_test(test_the_number_of_servers_that_finish_their_calls_is_bounded),
		cmocka_unit_test(
		        test_a_replaced_server_starts_beside_the_old_one_and_shows_its_lists_until_it_has_its_own),
		cmocka_unit_test(test_the_counts_of_a_replaced_server_never_fall),
		cmocka_unit_test(test_a_retuned_server_is_told_and_keeps_its_process),
		cmocka_unit_test(test_streams_follow_their_server_and_end_with_it),
		cmocka_unit_test(test_a_list_waits_for_what_was_added_and_not_for_what_is_gone),
		cmocka_unit_test(test_a_list_waits_no_longer_in_all_however_often_servers_are_added),
		cmocka_unit_test(test_a_read_goes_on_with_the_servers_that_are_left),
		cmocka_unit_test(test_stopping_includes_those_that_leave),
		cmocka_unit_test(test_a_required_server_that_was_replaced_is_lost_only_when_it_stays_away),
		cmocka_unit_test(test_an_added_required_server_is_not_a_lost_one),
		cmocka_unit_test(test_a_lazy_server_that_becomes_eager_is_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
