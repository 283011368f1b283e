/* Modern clients of a legacy server that asks something: their calls are parked, and go on with a retry. */
#include "modern_stage.h"

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

static void test_answers_that_are_no_object_change_nothing(void **state)
{
	static const char *const wrong[] = { "5", "null", "[]", "\"r1\"" };
	char first[600];
	struct modern m;
	struct stage s;

	(void)state;
	park(&s, &m);
	snprintf(first, sizeof(first), "%s", m.state);
	for (int i = 0; i < 4; i++) {
		retry(&m, 10 + i, first, wrong[i]);
		assert_non_null(strstr(m.text, "\"code\":-32602"));
	}
	retry(&m, 3, first, "{\"r1\":{}}");
	expect(&s.a->down, "answer 1 \"result\":{}\n");
	stage_close(&s);
}

static void test_a_state_that_is_not_ours_is_refused_where_no_server_can_have_given_it(void **state)
{
	static const char *const states[] = { "\"theirs\"", "\"sluice.x\"", "\"\"", "7", "null" };
	struct modern m;
	struct stage s;

	(void)state;
	open_modern(&s, &m);
	for (int i = 0; i < 5; i++) {
		retry(&m, i, states[i], "{}");
		assert_int_equal(m.ends, i + 1);
		assert_non_null(strstr(m.text, "\"code\":-32602"));
	}
	submit(&m, 8, PARAMS ",\"inputResponses\":[]");
	run(&s);
	assert_non_null(strstr(m.text, "\"code\":-32602"));
	expect(&s.a->down, "");
	submit(&m, 9, PARAMS ",\"inputResponses\":{}"); /* the first of its kind, with answers to nothing */
	run(&s);
	assert_int_equal(m.ends, 6);
	stage_close(&s);
}

static void greet(struct stage *s, enum revision revision)
{
	const struct backend *b = &s->a->base;
	struct backend_hello hello = { .tools = true, .revision = revision, .modern_only = true };

	b->events->hello(b->arg, &hello);
	run(s);
}

static void test_a_modern_server_judges_its_states_itself(void **state)
{
	struct modern m;
	struct stage s;

	(void)state;
	open_modern(&s, &m);
	greet(&s, REVISION_MODERN);
	retry(&m, 1, "\"theirs\"", "5");
	assert_int_equal(m.ends, 0);
	assert_true(span_has(buf_span(&s.a->down), "\"requestState\":\"theirs\",\"inputResponses\":5"));
	stage_close(&s);
}

static void test_a_server_that_comes_back_as_a_legacy_one_gets_no_state(void **state)
{
	struct modern m;
	struct stage s;

	(void)state;
	open_modern(&s, &m);
	greet(&s, REVISION_MODERN);
	retry(&m, 1, "\"theirs\"", "{}");
	buf_free(&s.a->down);
	greet(&s, REVISION_2025_11_25);
	expect(&s.a->down, "cancel 1\n");
	assert_int_equal(m.ends, 1);
	assert_non_null(strstr(m.text, "\"code\":-32602"));
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
		cmocka_unit_test(test_answers_that_are_no_object_change_nothing),
		cmocka_unit_test(test_a_state_that_is_not_ours_is_refused_where_no_server_can_have_given_it),
		cmocka_unit_test(test_a_modern_server_judges_its_states_itself),
		cmocka_unit_test(test_a_server_that_comes_back_as_a_legacy_one_gets_no_state),
		cmocka_unit_test(test_the_servers_word_is_kept_until_the_client_comes_back),
		cmocka_unit_test(test_time_is_up_when_nobody_comes_back),
		cmocka_unit_test(test_while_it_drains_only_what_is_parked_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
