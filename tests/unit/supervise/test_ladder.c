#include "unit.h"

#include "supervise/ladder.h"

#define ARMS (LADDER_DO_ARM_EOF | LADDER_DO_ARM_TERM | LADDER_DO_ARM_FAST | LADDER_DO_ARM_KILL | LADDER_DO_ARM_OUTPUT)
#define FOR_EACH_CELL(s, e)                                                           \
	for (enum ladder_state s = (enum ladder_state)0; s < LADDER_STATE_COUNT; s++) \
		for (enum ladder_event e = (enum ladder_event)0; e < LADDER_EVENT_COUNT; e++)

static bool waits_for_a_timer(enum ladder_state s)
{
	return s == LADDER_EOF_SENT || s == LADDER_TERM_SENT || s == LADDER_KILL_SENT || s == LADDER_EXITED;
}

static int bits(unsigned actions)
{
	return __builtin_popcount(actions);
}

static void test_every_cell_is_set_and_says_where_to(void **state)
{
	(void)state;
	FOR_EACH_CELL(s, e)
	{
		struct ladder_step step = ladder_cell(s, e);
		assert_true(step.set);
		assert_true(step.next < LADDER_STATE_COUNT);
		if (step.never)
			assert_int_equal(step.actions, 0);
		else
			assert_int_equal(ladder_next(s, e).next, step.next);
	}
}

static void test_the_ladder_goes_down_only(void **state)
{
	(void)state;
	FOR_EACH_CELL(s, e) assert_true(ladder_cell(s, e).next >= s);
}

#define ARMS_OR_KEEPS (ARMS | LADDER_DO_KEEP_TIMER)

/* A state that waits has its timer armed on every way in, or kept, and no other state has one. */
static void test_a_state_that_waits_has_one_timer(void **state)
{
	(void)state;
	FOR_EACH_CELL(s, e)
	{
		struct ladder_step step = ladder_cell(s, e);
		assert_true(bits(step.actions & ARMS) <= 1);
		if (step.next != s && waits_for_a_timer(step.next))
			assert_int_equal(bits(step.actions & ARMS_OR_KEEPS), 1);
		if (step.actions & LADDER_DO_KEEP_TIMER)
			assert_true(waits_for_a_timer(s) && (step.actions & ARMS) == 0);
		if (step.next != s && !waits_for_a_timer(step.next))
			assert_true((step.actions & LADDER_DO_DISARM) != 0);
		assert_true((step.actions & LADDER_DO_DISARM) == 0 || (step.actions & ARMS) == 0);
	}
}

static void test_time_comes_only_where_a_timer_is_armed(void **state)
{
	(void)state;
	for (enum ladder_state s = (enum ladder_state)0; s < LADDER_STATE_COUNT; s++)
		assert_int_equal(!ladder_cell(s, LADDER_EV_TIME).never, waits_for_a_timer(s));
}

static void test_the_group_is_killed_before_the_leader_is_reaped(void **state)
{
	(void)state;
	assert_true(LADDER_DO_KILL_GROUP < LADDER_DO_REAP && LADDER_DO_REAP < LADDER_DO_TELL_GONE);
	FOR_EACH_CELL(s, e)
	{
		unsigned actions = ladder_cell(s, e).actions;
		bool reaps = (actions & LADDER_DO_REAP) != 0;
		assert_int_equal(reaps, s == LADDER_EXITED && ladder_cell(s, e).next == LADDER_GONE);
		assert_int_equal(reaps, (actions & LADDER_DO_TELL_GONE) != 0);
		if (reaps)
			assert_true((actions & LADDER_DO_KILL_GROUP) != 0);
	}
}

/* A child that does not exist: what it obeys, and the signals it got. */
enum obeys { OBEYS_EOF, OBEYS_TERM, OBEYS_KILL, OBEYS_COUNT };
enum { EOF_MS = 20, TERM_MS = 30, FAST_MS = 5, KILL_MS = 10, OUTPUT_MS = 7 };
#define BOUND_MS (EOF_MS + TERM_MS + OUTPUT_MS)

struct life {
	enum ladder_state state;
	enum obeys obeys;
	bool closes_stdout;
	int now, timer; /* -1: not armed */
	bool got_eof, got_term, got_kill, exited, output_ended;
	int gone, killed;
};

static void arm(struct life *l, int ms)
{
	l->timer = l->now + ms;
}

static void step(struct life *l, enum ladder_event event)
{
	struct ladder_step step = ladder_next(l->state, event);
	int old_timer = l->state == LADDER_EOF_SENT ? -1 : l->timer;

	l->state = step.next;
	l->got_eof |= (step.actions & LADDER_DO_CLOSE_STDIN) != 0;
	l->got_term |= (step.actions & LADDER_DO_TERM_GROUP) != 0;
	l->got_kill |= (step.actions & LADDER_DO_KILL_GROUP) != 0;
	if (step.actions & LADDER_DO_ARM_EOF)
		arm(l, EOF_MS);
	if (step.actions & LADDER_DO_ARM_TERM)
		arm(l, TERM_MS);
	if (step.actions & LADDER_DO_ARM_FAST) {
		arm(l, FAST_MS);
		if (old_timer >= 0 && old_timer < l->timer)
			l->timer = old_timer;
	}
	if (step.actions & LADDER_DO_ARM_KILL)
		arm(l, KILL_MS);
	if (step.actions & LADDER_DO_ARM_OUTPUT)
		arm(l, OUTPUT_MS);
	if (step.actions & LADDER_DO_DISARM)
		l->timer = -1;
	l->gone += (step.actions & LADDER_DO_TELL_GONE) != 0;
	l->killed += (step.actions & LADDER_DO_COUNT_KILLED) != 0;
}

static bool wants_to_leave(const struct life *l)
{
	return l->got_kill || (l->obeys == OBEYS_TERM && l->got_term) ||
	       (l->obeys == OBEYS_EOF && (l->got_eof || l->got_term));
}

static void tick(struct life *l)
{
	l->now++;
	if (!l->exited && wants_to_leave(l)) {
		l->exited = true;
		step(l, LADDER_EV_EXIT);
	}
	if (l->exited && l->closes_stdout && !l->output_ended) {
		l->output_ended = true;
		step(l, LADDER_EV_OUTPUT_END);
	}
	if (l->timer >= 0 && l->now >= l->timer) {
		l->timer = -1;
		step(l, LADDER_EV_TIME);
	}
}

static const enum ladder_event askings[] = { LADDER_EV_STOP, LADDER_EV_STOP_FAST, LADDER_EV_KILL };

/* Asked at 0, asked again at `again`: whatever the child obeys, it is gone in time, once, and killed only if need be.
 */
static void live(struct life *l, enum ladder_event first, enum ladder_event second, int again)
{
	step(l, first);
	while (l->state != LADDER_GONE) {
		assert_true(l->now <= BOUND_MS + 3);
		if (l->now == again)
			step(l, second);
		tick(l);
	}
	for (size_t i = 0; i < 3; i++)
		step(l, askings[i]);
	assert_int_equal(l->gone, 1);
	assert_true(l->killed <= 1);
	assert_int_equal(l->timer, -1);
	if (l->obeys == OBEYS_KILL)
		assert_int_equal(l->killed, 1);
	if (l->obeys == OBEYS_EOF && first != LADDER_EV_KILL && (second != LADDER_EV_KILL || again > 2))
		assert_int_equal(l->killed, 0);
}

static void test_every_child_is_gone_in_time_however_it_is_asked(void **state)
{
	(void)state;
	for (int obeys = 0; obeys < OBEYS_COUNT; obeys++)
		for (int closes = 0; closes < 2; closes++)
			for (int pair = 0; pair < 9; pair++)
				for (int again = 0; again <= BOUND_MS; again++) {
					struct life l = {
						.obeys = (enum obeys)obeys, .closes_stdout = closes != 0, .timer = -1
					};
					live(&l, askings[pair / 3], askings[pair % 3], again);
				}
}

static void test_asking_fast_again_and_again_does_not_lengthen_it(void **state)
{
	struct life l = { .obeys = OBEYS_KILL, .timer = -1 };

	(void)state;
	for (; l.state != LADDER_GONE; tick(&l)) {
		assert_true(l.now <= FAST_MS + OUTPUT_MS + 3);
		step(&l, LADDER_EV_STOP_FAST);
	}
}

static void test_a_crash_warns_the_rest_of_the_group_before_it_is_killed(void **state)
{
	struct life l = { .timer = -1, .exited = true };

	(void)state;
	step(&l, LADDER_EV_EXIT);
	assert_int_equal(l.state, LADDER_EXITED);
	assert_true(l.got_term && !l.got_kill);
	while (l.state != LADDER_GONE)
		tick(&l);
	assert_true(l.got_kill);
	assert_int_equal(l.now, OUTPUT_MS);
	assert_int_equal(l.killed, 0);
}

/* A wrapper that leaves at once: what it has wrapped still gets its time. */
static void test_the_family_of_a_child_that_leaves_has_the_time_of_sigterm(void **state)
{
	struct life at_eof = { .obeys = OBEYS_EOF, .timer = -1 }, at_term = { .obeys = OBEYS_TERM, .timer = -1 };

	(void)state;
	live(&at_eof, LADDER_EV_STOP, LADDER_EV_STOP, -1);
	assert_int_equal(at_eof.now, 1 + TERM_MS);
	live(&at_term, LADDER_EV_STOP, LADDER_EV_STOP, -1);
	assert_int_equal(at_term.now, EOF_MS + TERM_MS);
}

static void test_states_and_events_have_names(void **state)
{
	(void)state;
	assert_string_equal(ladder_state_name(LADDER_EOF_SENT), "EOF_SENT");
	assert_string_equal(ladder_event_name(LADDER_EV_OUTPUT_END), "OUTPUT_END");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell_is_set_and_says_where_to),
		cmocka_unit_test(test_the_ladder_goes_down_only),
		cmocka_unit_test(test_a_state_that_waits_has_one_timer),
		cmocka_unit_test(test_time_comes_only_where_a_timer_is_armed),
		cmocka_unit_test(test_the_group_is_killed_before_the_leader_is_reaped),
		cmocka_unit_test(test_every_child_is_gone_in_time_however_it_is_asked),
		cmocka_unit_test(test_asking_fast_again_and_again_does_not_lengthen_it),
		cmocka_unit_test(test_a_crash_warns_the_rest_of_the_group_before_it_is_killed),
		cmocka_unit_test(test_the_family_of_a_child_that_leaves_has_the_time_of_sigterm),
		cmocka_unit_test(test_states_and_events_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
