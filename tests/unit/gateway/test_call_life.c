#include "unit.h"

#include "gateway/call_life.h"

static void test_every_cell_is_filled(void **state)
{
	(void)state;
	for (enum call_state s = 0; s < CALL_STATE_COUNT; s++)
		for (enum call_event e = 0; e < CALL_EVENT_COUNT; e++)
			if (!call_cell(s, e).set)
				fail_msg("%s has no answer to %s", call_state_name(s), call_event_name(e));
}

static void test_end_and_ended_come_together(void **state)
{
	(void)state;
	for (enum call_state s = 0; s < CALL_STATE_COUNT; s++) {
		for (enum call_event e = 0; e < CALL_EVENT_COUNT; e++) {
			struct call_step step = call_cell(s, e);
			if (step.never)
				continue;
			bool ends = (step.actions & CALL_DO_END) != 0, drops = (step.actions & CALL_DO_DROP) != 0;
			bool answered = s == CALL_PARKED || s == CALL_KEPT; /* its request was, and is counted */
			assert_int_equal(ends, step.next == CALL_ENDED && !answered);
			assert_int_equal(drops, step.next == CALL_ENDED && answered);
		}
	}
}

static void test_nothing_happens_to_an_ended_call(void **state)
{
	(void)state;
	for (enum call_event e = 0; e < CALL_EVENT_COUNT; e++)
		assert_true(call_cell(CALL_ENDED, e).never);
}

/* Whoever leaves the backend's hands without its last word is taken back, or the backend would answer a freed call. */
static void test_a_call_is_taken_back_unless_the_backend_ended_it(void **state)
{
	(void)state;
	for (enum call_state s = CALL_AT_BACKEND; s <= CALL_PARKED; s++) {
		for (enum call_event e = 0; e < CALL_EVENT_COUNT; e++) {
			struct call_step step = call_cell(s, e);
			bool by_it = e == CALL_EV_BACKEND_END || e == CALL_EV_INPUT;
			bool leaves = !step.never && (step.next == CALL_ENDING || step.next == CALL_ENDED);
			if (leaves && !by_it)
				assert_true(step.actions & CALL_DO_TAKE_BACK);
		}
	}
}

/* An end that is posted has the port until then; one that nobody waits for has none. */
static void test_posting_happens_only_on_the_way_to_ending(void **state)
{
	(void)state;
	for (enum call_state s = 0; s < CALL_STATE_COUNT; s++) {
		for (enum call_event e = 0; e < CALL_EVENT_COUNT; e++) {
			struct call_step step = call_cell(s, e);
			bool enters = !step.never && step.next == CALL_ENDING && s != CALL_ENDING;
			assert_int_equal(enters, !step.never && (step.actions & CALL_DO_POST_END) != 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell_is_filled),
		cmocka_unit_test(test_end_and_ended_come_together),
		cmocka_unit_test(test_nothing_happens_to_an_ended_call),
		cmocka_unit_test(test_a_call_is_taken_back_unless_the_backend_ended_it),
		cmocka_unit_test(test_posting_happens_only_on_the_way_to_ending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
