#include "unit.h"

#include "backend/life.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MINUTE ((msec_t)60 * 1000)
#define AT(n) ((mono_t){ n })

/* The next state of each cell by the first letters of its name; "." stands for never. */
static const struct row {
	enum life_state state;
	const char *next[LIFE_EVENT_COUNT];
} rows[] = {
	/* clang-format off */
	/*                 WANT  NOSPAWN UP      REFUSED ANOTHER MUTE    DEAF    EXIT    GONE    TIME    NOMORE  STOP    FAST    KILL */
	{ LIFE_STOPPED, { "STA", ".", ".", ".", ".", ".", ".", ".", ".", ".", "END", "END", "END", "END" } },
	{ LIFE_STARTING, { "STA", "BAC", "REA", "FAL", "WAK", "FAL", "FAL", "FAL", ".", "FAL", "STA", "STOPPI", "STOPPI", "STOPPI" } },
	{ LIFE_READY, { "REA", ".", ".", ".", ".", "FAL", "FAL", "FAL", ".", "PAR", "REA", "STOPPI", "STOPPI", "STOPPI" } },
	{ LIFE_FALLING, { "FAL", ".", "FAL", "FAL", "FAL", "FAL", "FAL", "FAL", "BAC", ".", "STOPPI", "STOPPI", "STOPPI", "STOPPI" } },
	{ LIFE_BACKOFF, { "BAC", ".", ".", ".", ".", ".", ".", ".", ".", "STA", "END", "END", "END", "END" } },
	{ LIFE_PARKING, { "WAK", ".", "PAR", "PAR", "PAR", "PAR", "PAR", "PAR", "IDL", ".", "STOPPI", "STOPPI", "STOPPI", "STOPPI" } },
	{ LIFE_WAKING, { "WAK", ".", "WAK", "WAK", "WAK", "WAK", "WAK", "WAK", "STA", ".", "STOPPI", "STOPPI", "STOPPI", "STOPPI" } },
	{ LIFE_IDLE, { "STA", ".", ".", ".", ".", ".", ".", ".", ".", ".", "END", "END", "END", "END" } },
	{ LIFE_STOPPING, { "STOPPI", ".", "STOPPI", "STOPPI", "STOPPI", "STOPPI", "STOPPI", "STOPPI", "END", ".", "STOPPI", "STOPPI", "STOPPI", "STOPPI" } },
	{ LIFE_ENDED, { "END", ".", ".", ".", ".", ".", ".", ".", ".", ".", "END", "END", "END", "END" } },
	/* clang-format on */
};

static const struct life_conf conf = {
	.startup_timeout_ms = 60000,
	.idle = IDLE_ADAPTIVE,
	.min_idle_ms = 1 * MINUTE,
	.max_idle_ms = 5 * MINUTE,
};

/* Calls `check` for each cell that is not a "never". */
static void each_step(void (*check)(enum life_state from, enum life_event event, struct life_step step))
{
	for (int s = 0; s < LIFE_STATE_COUNT; s++)
		for (int e = 0; e < LIFE_EVENT_COUNT; e++) {
			struct life_step step = life_cell((enum life_state)s, (enum life_event)e);
			if (!step.never)
				check((enum life_state)s, (enum life_event)e, step);
		}
}

static bool has_process(enum life_state s)
{
	return life_has_process(&(struct life){ .state = s });
}

static bool has_timer(enum life_state s)
{
	return s == LIFE_STARTING || s == LIFE_READY || s == LIFE_BACKOFF;
}

#define ARMS (LIFE_DO_ARM_STARTUP | LIFE_DO_ARM_BACKOFF | LIFE_DO_ARM_IDLE)
#define STOPS (LIFE_DO_LADDER | LIFE_DO_FAST | LIFE_DO_KILL)

static void test_every_cell_is_set_and_leads_where_it_should(void **state)
{
	(void)state;
	assert_int_equal(COUNT(rows), LIFE_STATE_COUNT);
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int e = 0; e < LIFE_EVENT_COUNT; e++) {
			struct life_step step = life_cell(rows[i].state, (enum life_event)e);
			const char *wanted = rows[i].next[e];
			const char *got = step.never ? "." : life_state_name(step.next);
			assert_true(step.set);
			if (strncmp(wanted, got, strlen(wanted)) != 0)
				fail_msg("%s x %s -> %s, wanted %s", life_state_name(rows[i].state),
				        life_event_name((enum life_event)e), got, wanted);
		}
}

static void check_process(enum life_state from, enum life_event event, struct life_step step)
{
	bool starts = (step.actions & LIFE_DO_SPAWN) != 0;

	if (!has_process(from)) {
		assert_false(step.actions & STOPS);
		assert_true(has_process(step.next) == starts);
	}
	if (starts) {
		assert_int_equal(step.next, LIFE_STARTING);
		assert_true(!has_process(from) || event == LIFE_EV_GONE);
	}
	if (has_process(from) && !has_process(step.next))
		assert_true(event == LIFE_EV_GONE || event == LIFE_EV_NO_SPAWN);
}

static void test_a_process_is_started_only_where_none_is_and_left_only_when_it_is_gone(void **state)
{
	(void)state;
	each_step(check_process);
}

static void check_timer(enum life_state from, enum life_event event, struct life_step step)
{
	bool armed = has_timer(from) && event != LIFE_EV_TIME;

	if (step.actions & LIFE_DO_DISARM)
		armed = false;
	if (step.actions & ARMS)
		armed = true;
	if (armed != has_timer(step.next))
		fail_msg("%s x %s leaves the timer wrong", life_state_name(from), life_event_name(event));
}

static void test_the_timer_is_armed_in_the_states_that_need_it_and_in_no_other(void **state)
{
	(void)state;
	each_step(check_timer);
}

static void check_stop(enum life_state from, enum life_event event, struct life_step step)
{
	(void)from;
	if (event < LIFE_EV_STOP)
		return;
	assert_true(step.next == LIFE_STOPPING || step.next == LIFE_ENDED);
	assert_false(step.actions & LIFE_DO_SPAWN);
}

static void test_stop_is_obeyed_in_every_state(void **state)
{
	(void)state;
	each_step(check_stop);
}

static void check_public(enum life_state from, enum life_event event, struct life_step step)
{
	(void)event;
	if (step.next == LIFE_READY)
		assert_true(from == LIFE_READY || step.actions & LIFE_DO_FLUSH);
	if (from == LIFE_READY && step.next == LIFE_FALLING)
		assert_true(step.actions & LIFE_DO_COUNT_DEATH);
	if (from == LIFE_STARTING && (step.next == LIFE_FALLING || step.next == LIFE_BACKOFF))
		assert_true(step.actions & LIFE_DO_COUNT_FAILURE);
	assert_non_null(backend_state_name(life_shown(step.next)));
}

static void test_failures_and_deaths_are_counted_and_waiting_calls_let_go(void **state)
{
	(void)state;
	each_step(check_public);
}

static void test_parking_and_waking_look_like_idle_and_starting(void **state)
{
	(void)state;
	assert_int_equal(life_shown(LIFE_PARKING), BACKEND_IDLE);
	assert_int_equal(life_shown(LIFE_WAKING), BACKEND_STARTING);
	assert_int_equal(life_shown(LIFE_FALLING), BACKEND_BACKOFF);
	assert_int_equal(life_shown(LIFE_ENDED), BACKEND_STOPPED);
	assert_string_equal(backend_state_name(BACKEND_BACKOFF), "backoff");
}

static void test_the_backoff_starts_at_100_ms_and_doubles_to_30_s_less_up_to_a_quarter(void **state)
{
	static const msec_t longest[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };

	(void)state;
	assert_int_equal(life_backoff_ms(1, 12345), 100);
	for (unsigned i = 1; i < COUNT(longest); i++)
		for (uint64_t random = 0; random < 20000; random += 7) {
			msec_t wait = life_backoff_ms(i + 1, random);
			assert_in_range(wait, longest[i] - longest[i] / 4, longest[i]);
		}
	assert_int_equal(life_backoff_ms(1000000, 0), 30000);
}

/* --- a life told event by event --- */

static struct life new_life(void)
{
	struct life l;

	life_init(&l, &conf);
	return l;
}

static unsigned on(struct life *l, enum life_event event, int64_t now)
{
	return life_on(l, event, AT(now), 0).actions;
}

static void become_ready(struct life *l, int64_t now)
{
	on(l, l->state == LIFE_BACKOFF ? LIFE_EV_TIME : LIFE_EV_WANT, now);
	on(l, LIFE_EV_UP, now);
	assert_int_equal(l->state, LIFE_READY);
}

static void test_after_5_failed_starts_calls_fail_at_once_until_one_succeeds(void **state)
{
	struct life l = new_life();

	(void)state;
	on(&l, LIFE_EV_WANT, 0);
	for (unsigned n = 1; n <= 5; n++) {
		assert_false(life_refuses(&l));
		unsigned todo = on(&l, n % 2 ? LIFE_EV_REFUSED : LIFE_EV_TIME, 0);
		assert_int_equal(l.failures, n);
		assert_int_equal((todo & LIFE_DO_FAIL_QUEUED) != 0, n == 5);
		on(&l, LIFE_EV_GONE, 0);
		on(&l, LIFE_EV_TIME, 0);
	}
	assert_true(life_refuses(&l));
	assert_true(on(&l, LIFE_EV_NO_SPAWN, 0) & LIFE_DO_FAIL_QUEUED);
	become_ready(&l, 0);
	assert_false(life_refuses(&l));
	assert_int_equal(l.failures, 0);
}

/* Dies `lived` ms after it became ready; returns how long the next start is away. */
static msec_t dies(struct life *l, int64_t *now, msec_t lived, bool answers)
{
	become_ready(l, *now);
	if (answers) {
		life_call_begins(l, AT(*now));
		life_call_ends(l, AT(*now), true);
	}
	*now += lived;
	on(l, LIFE_EV_EXIT, *now);
	msec_t wait = mono_diff(life_on(l, LIFE_EV_GONE, AT(*now), 0).at, AT(*now));
	*now += wait;
	return wait;
}

static void test_a_death_is_no_failed_start_and_is_followed_by_a_restart_after_100_ms(void **state)
{
	struct life l = new_life();
	int64_t now = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(dies(&l, &now, 0, true), 100);
	assert_int_equal(l.failures, 0);
	assert_false(life_refuses(&l));
}

static void test_a_server_that_dies_at_every_first_call_is_started_less_and_less_often(void **state)
{
	struct life l = new_life();
	int64_t now = 0;

	(void)state;
	assert_int_equal(dies(&l, &now, 0, false), 100);
	assert_int_equal(dies(&l, &now, 99, false), 200);
	assert_int_equal(dies(&l, &now, 199, false), 400);
	assert_int_equal(dies(&l, &now, 400, false), 100); /* it was up for as long as we had waited */
}

static void test_an_idle_stop_is_expected_and_a_call_brings_it_back(void **state)
{
	struct life l = new_life();

	(void)state;
	become_ready(&l, 0);
	assert_true(on(&l, LIFE_EV_TIME, 5 * MINUTE) & LIFE_DO_LADDER);
	on(&l, LIFE_EV_EXIT, 5 * MINUTE);
	on(&l, LIFE_EV_GONE, 5 * MINUTE);
	assert_int_equal(l.state, LIFE_IDLE);
	assert_true(on(&l, LIFE_EV_WANT, 6 * MINUTE) & LIFE_DO_SPAWN);
	assert_int_equal(l.failures + l.falls, 0);
}

static void test_a_call_during_the_idle_stop_starts_the_next_process_when_the_old_one_is_gone(void **state)
{
	struct life l = new_life();

	(void)state;
	become_ready(&l, 0);
	on(&l, LIFE_EV_TIME, 5 * MINUTE);
	assert_int_equal(on(&l, LIFE_EV_WANT, 5 * MINUTE), 0);
	assert_true(on(&l, LIFE_EV_GONE, 5 * MINUTE) & LIFE_DO_SPAWN);
	assert_int_equal(l.state, LIFE_STARTING);
}

static void test_after_no_more_the_last_process_stays_and_none_follows_it(void **state)
{
	struct life l = new_life();

	(void)state;
	become_ready(&l, 0);
	on(&l, LIFE_EV_NO_MORE, 1);
	assert_int_equal(on(&l, LIFE_EV_TIME, 60 * MINUTE), 0); /* not parked either */
	assert_int_equal(l.state, LIFE_READY);
	assert_true(on(&l, LIFE_EV_EXIT, 60 * MINUTE) & LIFE_DO_FAIL_QUEUED);
	assert_true(on(&l, LIFE_EV_GONE, 60 * MINUTE) & LIFE_DO_FAIL_SENT);
	assert_int_equal(l.state, LIFE_ENDED);
}

static void test_after_no_more_a_start_that_is_on_its_way_may_still_succeed(void **state)
{
	struct life l = new_life(), failing = new_life();

	(void)state;
	on(&l, LIFE_EV_WANT, 0);
	on(&l, LIFE_EV_NO_MORE, 1);
	assert_true(on(&l, LIFE_EV_UP, 2) & LIFE_DO_FLUSH);
	assert_int_equal(l.state, LIFE_READY);
	on(&failing, LIFE_EV_WANT, 0);
	on(&failing, LIFE_EV_NO_MORE, 1);
	assert_true(on(&failing, LIFE_EV_REFUSED, 2) & LIFE_DO_FAIL_QUEUED);
	on(&failing, LIFE_EV_GONE, 3);
	assert_int_equal(failing.state, LIFE_ENDED);
}

static void test_a_timer_that_comes_too_early_is_set_again(void **state)
{
	struct life l = new_life();
	struct life_step step;

	(void)state;
	become_ready(&l, 0);
	life_call_begins(&l, AT(1000));
	life_call_ends(&l, AT(290000), true); /* the last use is the end of the call */
	step = life_on(&l, LIFE_EV_TIME, AT(300000), 0);
	assert_int_equal(step.next, LIFE_READY);
	assert_int_equal(step.actions, LIFE_DO_ARM_IDLE);
	assert_int_equal(step.at.ms, 290000 + 1 * MINUTE);
	life_call_begins(&l, AT(300000));
	step = life_on(&l, LIFE_EV_TIME, AT(350000), 0);
	assert_int_equal(step.next, LIFE_READY);
	assert_int_equal(step.at.ms, INT64_MAX);
}

/* Uses at these points, each a call without duration; then when is it idle? Minutes. */
static const struct idle_case {
	const char *name;
	enum idle_rule rule;
	msec_t fixed, min, max;
	int uses;
	msec_t every; /* one use each so many minutes, from 0 */
	msec_t idle_after;
} idle_cases[] = {
	/* clang-format off */
	{ "never",                              IDLE_NEVER,    0, 1, 5, 3,  1, -1 },
	{ "fixed",                              IDLE_FIXED,    7, 1, 5, 3,  1,  7 },
	{ "fixed, unused",                      IDLE_FIXED,    7, 1, 5, 0,  0,  7 },
	{ "unused: as long as the maximum",     IDLE_ADAPTIVE, 0, 1, 5, 0,  0,  5 },
	{ "a single use: the minimum",          IDLE_ADAPTIVE, 0, 1, 5, 1,  0,  1 },
	{ "30 per hour",                        IDLE_ADAPTIVE, 0, 1, 5, 30, 2,  5 },
	{ "10 per hour",                        IDLE_ADAPTIVE, 0, 1, 5, 10, 6,  3 },
	{ "4 per hour",                         IDLE_ADAPTIVE, 0, 1, 5, 8, 15,  1 },
	{ "2 at once: the rate falls meanwhile", IDLE_ADAPTIVE, 0, 1, 5, 2, 0,  5 },
	{ "clamped from above",                 IDLE_ADAPTIVE, 0, 1, 2, 30, 2,  2 },
	{ "clamped from below",                 IDLE_ADAPTIVE, 0, 4, 9, 8, 15,  4 },
	{ "clamped in the middle",              IDLE_ADAPTIVE, 0, 2, 4, 10, 6,  3 },
	/* clang-format on */
};

static void test_idle_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(idle_cases); i++) {
		const struct idle_case *c = &idle_cases[i];
		struct life l;
		int64_t last = 0;
		life_init(
		        &l, &(struct life_conf){ 60000, c->rule, c->fixed * MINUTE, c->min * MINUTE, c->max * MINUTE });
		become_ready(&l, 0);
		for (int n = 0; n < c->uses; n++) {
			last = n * c->every * MINUTE;
			life_call_begins(&l, AT(last));
			life_call_ends(&l, AT(last), true);
		}
		mono_t at = life_idle_at(&l);
		msec_t wanted = c->idle_after < 0 ? INT64_MAX : last + c->idle_after * MINUTE;
		if (at.ms != wanted)
			fail_msg("%s: idle %lld ms after the last use", c->name, (long long)(at.ms - last));
	}
}

/* The closed form against the rule as it is written down, asked every second. */
static void test_the_adaptive_point_is_the_first_at_which_the_rule_holds(void **state)
{
	(void)state;
	for (int64_t seed = 1; seed < 200; seed++) {
		struct life l = new_life();
		int64_t uses = 2 + seed % 60, span = seed * 37 % 7200, now = 1000 * (1 + span);
		become_ready(&l, 0);
		l.uses = (uint64_t)uses;
		l.first_use = AT(1000);
		l.last_use = AT(now);
		for (mono_t at = life_idle_at(&l); now < at.ms; now += 1000) {
			int64_t since = now - l.last_use.ms, per = now - 1000;
			bool often = uses * 60 * MINUTE > 20 * per, some = uses * 60 * MINUTE > 5 * per;
			assert_true(since < (often ? 5 : some ? 3 : 1) * MINUTE);
		}
	}
}

static void test_nothing_is_idle_while_a_call_is_in_flight(void **state)
{
	struct life l = new_life();

	(void)state;
	become_ready(&l, 0);
	life_call_begins(&l, AT(0));
	life_call_begins(&l, AT(0));
	life_call_ends(&l, AT(5), false);
	assert_int_equal(life_idle_at(&l).ms, INT64_MAX);
	life_call_ends(&l, AT(9), false);
	assert_in_range(life_idle_at(&l).ms, 9, 9 + 5 * MINUTE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell_is_set_and_leads_where_it_should),
		cmocka_unit_test(test_a_process_is_started_only_where_none_is_and_left_only_when_it_is_gone),
		cmocka_unit_test(test_the_timer_is_armed_in_the_states_that_need_it_and_in_no_other),
		cmocka_unit_test(test_stop_is_obeyed_in_every_state),
		cmocka_unit_test(test_failures_and_deaths_are_counted_and_waiting_calls_let_go),
		cmocka_unit_test(test_parking_and_waking_look_like_idle_and_starting),
		cmocka_unit_test(test_the_backoff_starts_at_100_ms_and_doubles_to_30_s_less_up_to_a_quarter),
		cmocka_unit_test(test_after_5_failed_starts_calls_fail_at_once_until_one_succeeds),
		cmocka_unit_test(test_a_death_is_no_failed_start_and_is_followed_by_a_restart_after_100_ms),
		cmocka_unit_test(test_a_server_that_dies_at_every_first_call_is_started_less_and_less_often),
		cmocka_unit_test(test_an_idle_stop_is_expected_and_a_call_brings_it_back),
		cmocka_unit_test(test_a_call_during_the_idle_stop_starts_the_next_process_when_the_old_one_is_gone),
		cmocka_unit_test(test_after_no_more_the_last_process_stays_and_none_follows_it),
		cmocka_unit_test(test_after_no_more_a_start_that_is_on_its_way_may_still_succeed),
		cmocka_unit_test(test_a_timer_that_comes_too_early_is_set_again),
		cmocka_unit_test(test_idle_rules),
		cmocka_unit_test(test_the_adaptive_point_is_the_first_at_which_the_rule_holds),
		cmocka_unit_test(test_nothing_is_idle_while_a_call_is_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
