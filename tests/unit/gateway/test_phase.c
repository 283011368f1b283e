#include "gateway/phase.h"

#include <stdlib.h>

#include "unit.h"

#define DO(action) PHASE_DO_##action

#define each_phase(p) for (enum phase p = 0; p < PHASE_COUNT; p++)
#define each_event(e) for (enum phase_event e = 0; e < PHASE_EVENT_COUNT; e++)

/* A step of a walk: the event, and what it must lead to. */
struct walk_step {
	enum phase_event event;
	enum phase next;
	unsigned actions;
};

static void walk(enum phase from, const struct walk_step *steps, size_t n)
{
	enum phase at = from;

	for (size_t i = 0; i < n; i++) {
		struct phase_step step = phase_next(at, steps[i].event);
		if (step.next != steps[i].next || step.actions != steps[i].actions)
			fail_msg("%s, %s: got %s %#x, wanted %s %#x", phase_name(at), phase_event_name(steps[i].event),
			        phase_name(step.next), step.actions, phase_name(steps[i].next), steps[i].actions);
		at = step.next;
	}
}

/* clang-format off */
#define WALK(from, ...) \
	do { \
		static const struct walk_step steps_[] = { __VA_ARGS__ }; \
		walk(PHASE_##from, steps_, sizeof(steps_) / sizeof(*steps_)); \
	} while (0)
#define ON(event, next, actions) { PHASE_EV_##event, PHASE_##next, (actions) }
/* clang-format on */

static bool is_asked_to_stop(enum phase p)
{
	return p >= PHASE_LAME_DUCK;
}

static void test_every_cell_is_written(void **state)
{
	(void)state;
	each_phase(p)
	{
		each_event(e)
		{
			struct phase_step cell = phase_cell(p, e);
			assert_true(cell.set);
			assert_true(cell.next < PHASE_COUNT);
			if (cell.never)
				assert_true(cell.next == 0 && cell.actions == 0);
		}
	}
}

static void test_every_name_is_there(void **state)
{
	(void)state;
	each_phase(p) assert_true(phase_name(p)[0] != '\0');
	each_event(e) assert_true(phase_event_name(e)[0] != '\0');
	assert_string_equal(phase_name(PHASE_LAME_DUCK_HELD), "lame_duck");
	assert_string_equal(phase_name(PHASE_HURRYING), "draining");
	assert_string_equal(phase_event_name(PHASE_EV_STDIN_EOF), "stdin_eof");
}

static void test_sigterm_goes_through_all_phases(void **state)
{
	(void)state;
	WALK(STARTING, ON(STARTED, READY, 0), ON(SIGTERM, LAME_DUCK, DO(SET_BUDGET) | DO(ANNOUNCE) | DO(ARM_LAME_DUCK)),
	        ON(LAME_DUCK_OVER, DRAINING, DO(REFUSE_NEW)), ON(CALLS_DONE, STOPPING_BACKENDS, DO(STOP_BACKENDS)),
	        ON(STOP_TIME, STOPPING_BACKENDS, 0), ON(BACKENDS_DONE, EXITING, DO(CLOSE_FRONTS)),
	        ON(FRONTS_DONE, EXITING, DO(EXIT)));
}

static void test_sigint_and_the_end_of_stdin_skip_lame_duck(void **state)
{
	(void)state;
	WALK(READY, ON(SIGINT, DRAINING, DO(SET_BUDGET) | DO(ANNOUNCE) | DO(REFUSE_NEW)),
	        ON(CALLS_DONE, STOPPING_BACKENDS, DO(STOP_BACKENDS)));
	WALK(READY, ON(STDIN_EOF, DRAINING, DO(SET_BUDGET) | DO(ANNOUNCE) | DO(REFUSE_NEW)),
	        ON(CALLS_DONE, STOPPING_BACKENDS, DO(STOP_BACKENDS)));
}

static void test_a_signal_while_starting_stops_what_is_not_up_fast(void **state)
{
	unsigned stop = DO(SET_BUDGET) | DO(ANNOUNCE) | DO(REFUSE_NEW) | DO(STOP_UNREADY);

	(void)state;
	assert_int_equal(phase_next(PHASE_STARTING, PHASE_EV_SIGTERM).actions, stop);
	assert_int_equal(phase_next(PHASE_STARTING, PHASE_EV_SIGINT).actions, stop);
	assert_int_equal(phase_next(PHASE_STARTING, PHASE_EV_START_DEADLINE).actions, stop);
	assert_int_equal(phase_next(PHASE_STARTING, PHASE_EV_SIGTERM).next, PHASE_DRAINING);
}

static void test_the_end_of_stdin_while_starting_leaves_waiting_calls_their_servers(void **state)
{
	(void)state;
	WALK(STARTING, ON(STDIN_EOF, DRAINING, DO(SET_BUDGET) | DO(ANNOUNCE) | DO(REFUSE_NEW)),
	        ON(STARTED, DRAINING, 0), ON(CALLS_DONE, STOPPING_BACKENDS, DO(STOP_BACKENDS)));
}

static void test_the_start_deadline_means_nothing_once_started(void **state)
{
	(void)state;
	WALK(STARTING, ON(STARTED, READY, 0), ON(START_DEADLINE, READY, 0));
}

static void test_a_second_signal_hurries(void **state)
{
	(void)state;
	WALK(LAME_DUCK, ON(AGAIN, HURRYING, DO(FORCED) | DO(REFUSE_NEW) | DO(HURRY_CALLS)),
	        ON(LAME_DUCK_OVER, HURRYING, 0), ON(STOP_TIME, STOPPING_BACKENDS, DO(CUT_CALLS) | DO(STOP_FAST)),
	        ON(CALLS_DONE, STOPPING_BACKENDS, 0), ON(BACKENDS_DONE, EXITING, DO(CLOSE_FRONTS)));
	WALK(DRAINING, ON(AGAIN, HURRYING, DO(FORCED) | DO(HURRY_CALLS)),
	        ON(CALLS_DONE, STOPPING_BACKENDS, DO(STOP_FAST)));
	WALK(STOPPING_BACKENDS, ON(AGAIN, STOPPING_BACKENDS, DO(FORCED) | DO(HURRY_END) | DO(STOP_FAST)));
	WALK(EXITING, ON(AGAIN, EXITING, DO(FORCED) | DO(HURRY_END)));
}

static void test_a_third_signal_kills_and_leaves_from_anywhere(void **state)
{
	(void)state;
	each_phase(p)
	{
		struct phase_step step = phase_next(p, PHASE_EV_NOW);
		assert_int_equal(step.next, PHASE_EXITING);
		assert_true((step.actions & (DO(FORCED) | DO(EXIT))) == (DO(FORCED) | DO(EXIT)));
		if (p != PHASE_EXITING)
			assert_true((step.actions & (DO(CUT_CALLS) | DO(KILL_BACKENDS))) ==
			            (DO(CUT_CALLS) | DO(KILL_BACKENDS)));
	}
}

static void test_a_drain_is_held_until_cancelled(void **state)
{
	(void)state;
	WALK(READY, ON(DRAIN, LAME_DUCK_HELD, DO(ANNOUNCE)), ON(DRAIN, LAME_DUCK_HELD, 0),
	        ON(CALLS_DONE, LAME_DUCK_HELD, 0), ON(START_DEADLINE, LAME_DUCK_HELD, 0),
	        ON(DRAIN_CANCEL, READY, DO(UNANNOUNCE)), ON(DRAIN_CANCEL, READY, 0));
}

static void test_a_drain_before_the_start_is_over_lets_it_go_on(void **state)
{
	(void)state;
	WALK(STARTING, ON(DRAIN, STARTING_HELD, DO(ANNOUNCE)), ON(DRAIN, STARTING_HELD, 0),
	        ON(DRAIN_CANCEL, STARTING, DO(UNANNOUNCE)), ON(DRAIN, STARTING_HELD, DO(ANNOUNCE)),
	        ON(STARTED, LAME_DUCK_HELD, 0));
}

static void test_sigterm_after_such_a_drain_is_one_while_starting(void **state)
{
	(void)state;
	WALK(STARTING_HELD, ON(SIGTERM, DRAINING, DO(SET_BUDGET) | DO(REFUSE_NEW) | DO(STOP_UNREADY)),
	        ON(CALLS_DONE, STOPPING_BACKENDS, DO(STOP_BACKENDS)));
}

static void test_sigterm_continues_a_drain_and_takes_away_its_way_back(void **state)
{
	(void)state;
	WALK(LAME_DUCK_HELD, ON(SIGTERM, LAME_DUCK, DO(SET_BUDGET) | DO(ARM_LAME_DUCK)), ON(DRAIN_CANCEL, LAME_DUCK, 0),
	        ON(DRAIN, LAME_DUCK, 0));
}

static void test_the_end_of_stdin_ends_lame_duck(void **state)
{
	(void)state;
	WALK(LAME_DUCK, ON(STDIN_EOF, DRAINING, DO(REFUSE_NEW)), ON(STDIN_EOF, DRAINING, 0));
	WALK(LAME_DUCK_HELD, ON(STDIN_EOF, DRAINING, DO(SET_BUDGET) | DO(REFUSE_NEW)));
}

static void test_stop_time_cuts_calls(void **state)
{
	(void)state;
	WALK(DRAINING, ON(STOP_TIME, STOPPING_BACKENDS, DO(CUT_CALLS) | DO(STOP_BACKENDS)),
	        ON(CALLS_DONE, STOPPING_BACKENDS, 0));
	WALK(LAME_DUCK, ON(STOP_TIME, STOPPING_BACKENDS, DO(REFUSE_NEW) | DO(CUT_CALLS) | DO(STOP_BACKENDS)),
	        ON(LAME_DUCK_OVER, STOPPING_BACKENDS, 0));
}

static void test_end_time_leaves_whatever_is_left(void **state)
{
	(void)state;
	WALK(STOPPING_BACKENDS,
	        ON(END_TIME, EXITING, DO(FORCED) | DO(REFUSE_NEW) | DO(CUT_CALLS) | DO(KILL_BACKENDS) | DO(EXIT)));
	WALK(EXITING, ON(END_TIME, EXITING, DO(EXIT)));
}

/* Together these three say: whatever comes, in whatever order, a request to stop ends in EXITING, by END at the latest.
 */

static void test_every_request_to_stop_sets_the_budget_once(void **state)
{
	(void)state;
	each_phase(p)
	{
		each_event(e)
		{
			struct phase_step cell = phase_cell(p, e);
			bool first = !is_asked_to_stop(p) && is_asked_to_stop(cell.next);
			if (!cell.never)
				assert_int_equal((cell.actions & DO(SET_BUDGET)) != 0, first);
		}
		if (!is_asked_to_stop(p)) {
			assert_true(is_asked_to_stop(phase_next(p, PHASE_EV_SIGTERM).next));
			assert_true(is_asked_to_stop(phase_next(p, PHASE_EV_SIGINT).next));
			assert_true(is_asked_to_stop(phase_next(p, PHASE_EV_STDIN_EOF).next));
		}
	}
}

static void test_nothing_leads_back_once_asked_to_stop(void **state)
{
	(void)state;
	each_phase(p)
	{
		each_event(e)
		{
			if (is_asked_to_stop(p) && !phase_cell(p, e).never)
				assert_true(phase_next(p, e).next >= p);
		}
	}
}

static void test_the_end_time_reaches_the_exit_from_every_phase(void **state)
{
	(void)state;
	each_phase(p)
	{
		if (!is_asked_to_stop(p))
			continue;
		assert_int_equal(phase_next(p, PHASE_EV_END_TIME).next, PHASE_EXITING);
		assert_true(phase_next(p, PHASE_EV_END_TIME).actions & DO(EXIT));
	}
}

static void test_new_requests_are_refused_when_lame_duck_is_left_and_on_the_way_out(void **state)
{
	(void)state;
	each_phase(p)
	{
		each_event(e)
		{
			struct phase_step cell = phase_cell(p, e);
			bool leaves = (cell.actions & DO(EXIT)) != 0 && e != PHASE_EV_FRONTS_DONE && p != PHASE_EXITING;
			bool refuses = leaves || (p < PHASE_DRAINING && cell.next >= PHASE_DRAINING);
			if (!cell.never)
				assert_int_equal((cell.actions & DO(REFUSE_NEW)) != 0, refuses);
		}
	}
}

static void test_calls_are_done_or_cut_before_backends_stop(void **state)
{
	(void)state;
	each_phase(p)
	{
		each_event(e)
		{
			struct phase_step cell = phase_cell(p, e);
			if (cell.never || p >= PHASE_STOPPING_BACKENDS || cell.next < PHASE_STOPPING_BACKENDS)
				continue;
			assert_true(e == PHASE_EV_CALLS_DONE || (cell.actions & DO(CUT_CALLS)) != 0);
			assert_true((cell.actions & (DO(STOP_BACKENDS) | DO(STOP_FAST) | DO(KILL_BACKENDS))) != 0);
		}
	}
}

static void test_signals_and_drains_are_welcome_at_any_time(void **state)
{
	static const enum phase_event from_outside[] = { PHASE_EV_DRAIN, PHASE_EV_DRAIN_CANCEL, PHASE_EV_SIGTERM,
		PHASE_EV_SIGINT, PHASE_EV_STDIN_EOF, PHASE_EV_NOW };

	(void)state;
	each_phase(p)
	{
		for (size_t i = 0; i < sizeof(from_outside) / sizeof(*from_outside); i++)
			assert_false(phase_cell(p, from_outside[i]).never);
	}
}

static void test_a_hundred_thousand_random_shutdowns_end(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		enum phase at = PHASE_STARTING;
		for (int n = 0; n < 30 && at != PHASE_EXITING; n++) {
			enum phase_event e = (enum phase_event)((unsigned)rand_r(&seed) % PHASE_EVENT_COUNT);
			if (!phase_cell(at, e).never)
				at = phase_next(at, e).next;
		}
		if (!is_asked_to_stop(at))
			at = phase_next(at, PHASE_EV_SIGTERM).next;
		assert_int_equal(phase_next(at, PHASE_EV_END_TIME).next, PHASE_EXITING);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell_is_written),
		cmocka_unit_test(test_every_name_is_there),
		cmocka_unit_test(test_sigterm_goes_through_all_phases),
		cmocka_unit_test(test_sigint_and_the_end_of_stdin_skip_lame_duck),
		cmocka_unit_test(test_a_signal_while_starting_stops_what_is_not_up_fast),
		cmocka_unit_test(test_the_end_of_stdin_while_starting_leaves_waiting_calls_their_servers),
		cmocka_unit_test(test_the_start_deadline_means_nothing_once_started),
		cmocka_unit_test(test_a_second_signal_hurries),
		cmocka_unit_test(test_a_third_signal_kills_and_leaves_from_anywhere),
		cmocka_unit_test(test_a_drain_is_held_until_cancelled),
		cmocka_unit_test(test_a_drain_before_the_start_is_over_lets_it_go_on),
		cmocka_unit_test(test_sigterm_after_such_a_drain_is_one_while_starting),
		cmocka_unit_test(test_sigterm_continues_a_drain_and_takes_away_its_way_back),
		cmocka_unit_test(test_the_end_of_stdin_ends_lame_duck),
		cmocka_unit_test(test_stop_time_cuts_calls),
		cmocka_unit_test(test_end_time_leaves_whatever_is_left),
		cmocka_unit_test(test_every_request_to_stop_sets_the_budget_once),
		cmocka_unit_test(test_nothing_leads_back_once_asked_to_stop),
		cmocka_unit_test(test_the_end_time_reaches_the_exit_from_every_phase),
		cmocka_unit_test(test_new_requests_are_refused_when_lame_duck_is_left_and_on_the_way_out),
		cmocka_unit_test(test_calls_are_done_or_cut_before_backends_stop),
		cmocka_unit_test(test_signals_and_drains_are_welcome_at_any_time),
		cmocka_unit_test(test_a_hundred_thousand_random_shutdowns_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
