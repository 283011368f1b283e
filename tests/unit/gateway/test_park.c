/* Modern clients of a legacy server that asks something: their calls are parked, and go on with a retry. */
#include "asking_stage.h"

#include "mcp/meta.h"

#define META "\"_meta\":{\"" META_VERSION "\":\"2026-07-28\",\"" META_CAPABILITIES "\":{\"elicitation\":{}}}"
#define PARAMS META ",\"name\":\"a__x\",\"arguments\":{\"n\":1}"

/* A modern client's requests: each on its own. */
struct modern {
	struct stage *s;
	struct call *call;
	int ends;
	char text[1200]; /* the last answer */
	char state[600]; /* its requestState, raw, or empty */
};

static void on_modern_message(void *arg, const struct pieces *json)
{
	(void)arg;
	(void)json;
	fail_msg("nothing but the answer");
}

static void on_modern_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct modern *m = arg;
	struct buf text = { 0 };

	(void)why;
	pieces_put(&text, json);
	snprintf(m->text, sizeof(m->text), "%.*s", SPAN_ARG(buf_span(&text)));
	struct message answer = parsed(m->text);
	struct span state = answer.kind == MESSAGE_RESULT ? json_member(answer.result, "requestState") : SPAN_NONE;
	m->state[0] = '\0';
	if (span_is_set(state))
		snprintf(m->state, sizeof(m->state), "%.*s", SPAN_ARG(state));
	m->ends++;
	m->call = NULL;
	buf_free(&text);
}

static const struct reply_port modern_port = { on_modern_message, on_modern_ended };

static void submit(struct modern *m, int id, const char *params)
{
	struct buf text = { 0 }, error = { 0 };
	enum end_reason why;

	buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\",\"params\":{%s}}", id, params);
	buf_add_char(&text, '\0');
	struct message request = parsed(buf_span(&text).p);
	struct request_meta meta = meta_read(request.meta);
	m->call = gateway_submit_modern(
	        m->s->gw, NULL, SCOPE_ALL, &request, &meta, &modern_port, m, &(struct refusal){ &why, &error });
	assert_non_null(m->call);
	buf_free(&text);
	buf_free(&error);
}

static void retry(struct modern *m, int id, const char *state, const char *responses)
{
	char params[1500];

	snprintf(params, sizeof(params), PARAMS ",\"requestState\":%s,\"inputResponses\":%s", state, responses);
	submit(m, id, params);
	run(m->s);
}

static void open_modern(struct stage *s, struct modern *m)
{
	struct backend_conf conf = server_conf(ISOLATION_SHARED);

	stage_open(s, &conf);
	*m = (struct modern){ .s = s };
}

/* Up to the point where the client has been told what is asked. */
static void park(struct stage *s, struct modern *m)
{
	open_modern(s, m);
	submit(m, 1, PARAMS);
	server_asks(s);
	assert_int_equal(m->ends, 0);
	pass(s, 20);
	assert_int_equal(m->ends, 1);
	assert_non_null(
	        strstr(m->text, "\"inputRequests\":{\"r1\":{\"method\":\"elicitation/create\",\"params\":{}}}"));
	assert_true(m->state[0] == '"');
	buf_free(&s->a->down);
}

static struct gateway_state state_of(const struct stage *s)
{
	struct gateway_state state;

	gateway_state(s->gw, &state);
	return state;
}

static void test_a_parked_call_goes_on_with_the_retry(void **state)
{
	struct modern m;
	struct stage s;

	(void)state;
	park(&s, &m);
	assert_int_equal(state_of(&s).in_flight, 0);
	assert_int_equal(state_of(&s).parked, 1);
	retry(&m, 2, m.state, "{\"r1\":{\"action\":\"accept\"}}");
	expect(&s.a->down, "answer 1 \"result\":{\"action\":\"accept\"}\n");
	assert_int_equal(state_of(&s).in_flight, 1);
	assert_int_equal(state_of(&s).parked, 0);
	server_answers(&s);
	assert_int_equal(m.ends, 2);
	assert_non_null(strstr(m.text, "\"id\":2"));
	assert_non_null(strstr(m.text, "\"resultType\":\"complete\""));
	assert_int_equal(gateway_counts(s.gw)->accepted, 2);
	assert_int_equal(gateway_counts(s.gw)->ended[END_RESULT], 2);
	stage_close(&s);
}

static void test_a_state_is_good_for_one_use(void **state)
{
	char first[600];
	struct modern m;
	struct stage s;

	(void)state;
	park(&s, &m);
	snprintf(first, sizeof(first), "%s", m.state);
	retry(&m, 2, first, "{}"); /* says nothing: it is asked again */
	pass(&s, 1);
	assert_true(m.state[0] == '"');
	assert_string_not_equal(m.state, first);
	retry(&m, 3, first, "{\"r1\":{}}");
	assert_non_null(strstr(m.text, "\"code\":-32602"));
	expect(&s.a->down, "");
	stage_close(&s);
}

static void test_an_answer_that_is_no_object_changes_nothing(void **state)
{
	char first[600];
	struct modern m;
	struct stage s;

	(void)state;
	park(&s, &m);
	snprintf(first, sizeof(first), "%s", m.state);
	retry(&m, 2, first, "{\"r1\":null}");
	assert_non_null(strstr(m.text, "\"code\":-32602"));
	retry(&m, 3, first, "{\"r1\":{}}");
	expect(&s.a->down, "answer 1 \"result\":{}\n");
	stage_close(&s);
}

static void test_the_servers_word_is_kept_until_the_client_comes_back(void **state)
{
	struct modern m;
	struct stage s;

	(void)state;
	park(&s, &m);
	server_answers(&s);
	expect(&s.a->down, "answer 1 \"result\":{\"action\":\"cancel\"}\n");
	assert_int_equal(state_of(&s).parked, 1);
	retry(&m, 2, m.state, "{}");
	assert_int_equal(m.ends, 2);
	assert_non_null(strstr(m.text, "\"resultType\":\"complete\""));
	assert_int_equal(state_of(&s).parked, 0);
	stage_close(&s);
}

static void test_time_is_up_when_nobody_comes_back(void **state)
{
	struct modern m;
	struct stage s;

	(void)state;
	park(&s, &m);
	pass(&s, 5000);
	expect(&s.a->down, "");
	pass(&s, 5000);
	expect(&s.a->down, "cancel 1\nanswer 1 \"result\":{\"action\":\"cancel\"}\n");
	assert_int_equal(state_of(&s).parked, 0);
	assert_int_equal(m.ends, 1);
	stage_close(&s);
}

static void test_while_it_drains_only_what_is_parked_goes_on(void **state)
{
	struct modern m;
	struct stage s;

	(void)state;
	park(&s, &m);
	gateway_refuse_new(s.gw);
	retry(&m, 2, m.state, "{\"r1\":{}}");
	buf_free(&s.a->down);
	server_asks(&s);
	expect(&s.a->down, "answer 2 \"error\":{\"code\":-32603,\"message\":\"the gateway is shutting down\"}\n");
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_parked_call_goes_on_with_the_retry),
		cmocka_unit_test(test_a_state_is_good_for_one_use),
		cmocka_unit_test(test_an_answer_that_is_no_object_changes_nothing),
		cmocka_unit_test(test_the_servers_word_is_kept_until_the_client_comes_back),
		cmocka_unit_test(test_time_is_up_when_nobody_comes_back),
		cmocka_unit_test(test_while_it_drains_only_what_is_parked_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
