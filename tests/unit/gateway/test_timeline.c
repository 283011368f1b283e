#include "unit.h"

#include "gateway/timeline.h"

#define T0 1000

static const struct lifecycle_conf conf = {
	.grace_ms = 30000,
	.lame_duck_min_ms = 5000,
	.lame_duck_quiet_ms = 2000,
	.lame_duck_max_ms = 10000,
	.margin_ms = 2000,
};

static struct timeline made(bool begun, const mono_t entered[TIMELINE_STEP_COUNT], msec_t now_ms)
{
	struct budget b = budget_at(&conf, 2000, 2000, (mono_t){ T0 });
	struct timeline t;

	timeline_make(&t, &b, begun, entered, (mono_t){ T0 + now_ms });
	assert_int_equal(t.end_ms, 28000);
	assert_int_equal(t.killed_ms, 30000);
	return t;
}

static void assert_step(const struct timeline *t, enum timeline_step step, msec_t from_ms, msec_t to_ms)
{
	assert_int_equal(t->spans[step].from_ms, from_ms);
	assert_int_equal(t->spans[step].to_ms, to_ms);
}

static void test_before_a_stop_it_is_the_plan_whatever_was_before(void **state)
{
	const mono_t entered[] = { { 500 }, MONO_NEVER, MONO_NEVER, MONO_NEVER };
	struct timeline t = made(false, entered, 700);

	(void)state;
	assert_false(t.begun);
	assert_int_equal(t.elapsed_ms, 0);
	assert_step(&t, TIMELINE_LAME_DUCK, 0, 10000);
	assert_step(&t, TIMELINE_DRAINING, 10000, 23500);
	assert_step(&t, TIMELINE_STOPPING_BACKENDS, 23500, 28000);
	assert_step(&t, TIMELINE_EXITING, 28000, 30000);
	for (unsigned i = 0; i < TIMELINE_STEP_COUNT; i++)
		assert_false(t.spans[i].begun || t.spans[i].over);
}

static void test_what_is_over_ended_where_the_next_one_began(void **state)
{
	const mono_t entered[] = { { T0 }, { T0 + 6000 }, MONO_NEVER, MONO_NEVER };
	struct timeline t = made(true, entered, 7000);

	(void)state;
	assert_int_equal(t.elapsed_ms, 7000);
	assert_step(&t, TIMELINE_LAME_DUCK, 0, 6000);
	assert_true(t.spans[TIMELINE_LAME_DUCK].over);
	assert_step(&t, TIMELINE_DRAINING, 6000, 23500);
	assert_true(t.spans[TIMELINE_DRAINING].begun && !t.spans[TIMELINE_DRAINING].over);
	assert_step(&t, TIMELINE_STOPPING_BACKENDS, 23500, 28000);
}

static void test_a_phase_that_was_skipped_takes_no_time(void **state)
{
	const mono_t entered[] = { MONO_NEVER, { T0 }, { T0 + 40 }, { T0 + 90 } };
	struct timeline t = made(true, entered, 100);

	(void)state;
	assert_step(&t, TIMELINE_LAME_DUCK, 0, 0);
	assert_true(t.spans[TIMELINE_LAME_DUCK].over && !t.spans[TIMELINE_LAME_DUCK].begun);
	assert_step(&t, TIMELINE_DRAINING, 0, 40);
	assert_step(&t, TIMELINE_STOPPING_BACKENDS, 40, 90);
	assert_step(&t, TIMELINE_EXITING, 90, 30000);
}

static void test_a_lame_duck_that_began_before_the_signal_begins_with_it(void **state)
{
	const mono_t entered[] = { { T0 - 700 }, MONO_NEVER, MONO_NEVER, MONO_NEVER };
	struct timeline t = made(true, entered, 100);

	(void)state;
	assert_step(&t, TIMELINE_LAME_DUCK, 0, 10000);
	assert_true(t.spans[TIMELINE_LAME_DUCK].begun);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_a_stop_it_is_the_plan_whatever_was_before),
		cmocka_unit_test(test_what_is_over_ended_where_the_next_one_began),
		cmocka_unit_test(test_a_phase_that_was_skipped_takes_no_time),
		cmocka_unit_test(test_a_lame_duck_that_began_before_the_signal_begins_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
