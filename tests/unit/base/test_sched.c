#include "unit.h"

#include <stdlib.h>

#include "base/sched.h"

enum { TIMERS = 200 };

struct world {
	struct sched sched;
	struct timer timers[TIMERS];
	struct post posts[4];
	int fired[TIMERS]; /* in this order */
	size_t count;
	int wanted;
};

static struct world *world; /* timers get their own address as the argument */

static int set_up(void **state)
{
	world = calloc(1, sizeof(*world));
	sched_init(&world->sched, (mono_t){ 1000 });
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	sched_clear(&world->sched);
	free(*state);
	return 0;
}

static void fire(void *arg)
{
	struct timer *t = arg;

	assert_false(timer_is_set(t));
	world->fired[world->count++] = (int)(t - world->timers);
}

static void set(int i, int64_t at)
{
	timer_set(&world->sched, &world->timers[i], (mono_t){ at }, fire, &world->timers[i]);
}

static void run_at(int64_t ms)
{
	world->count = 0;
	sched_run_timers(&world->sched, (mono_t){ ms });
}

static void test_timers_fire_when_due_in_order(void **state)
{
	(void)state;
	assert_int_equal(sched_first(&world->sched).ms, MONO_NEVER.ms);
	set(0, 1030);
	set(1, 1010);
	set(2, 1020);
	assert_int_equal(sched_first(&world->sched).ms, 1010);
	run_at(1009);
	assert_int_equal(world->count, 0);
	run_at(1020);
	assert_int_equal(world->sched.now.ms, 1020);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->fired[0], 1);
	assert_int_equal(world->fired[1], 2);
	assert_int_equal(sched_first(&world->sched).ms, 1030);
}

static void test_equal_points_fire_in_the_order_of_their_setting(void **state)
{
	(void)state;
	for (int i = TIMERS - 1; i >= 0; i--)
		set(i, 1010);
	set(5, 1010); /* set again: the last now */
	run_at(1010);
	assert_int_equal(world->count, TIMERS);
	assert_int_equal(world->fired[0], TIMERS - 1);
	assert_int_equal(world->fired[TIMERS - 1], 5);
	for (size_t i = 1; i < TIMERS - 1; i++)
		assert_true(world->fired[i] < world->fired[i - 1]);
}

static void test_a_stopped_or_moved_timer_does_not_fire_at_its_old_point(void **state)
{
	(void)state;
	set(0, 1010);
	set(1, 1010);
	set(2, 1010);
	timer_stop(&world->sched, &world->timers[1]);
	timer_stop(&world->sched, &world->timers[1]); /* an idle one: nothing */
	set(2, 1050);
	set(3, 1040);
	set(3, MONO_NEVER.ms); /* stopped, as well */
	assert_false(timer_is_set(&world->timers[3]));
	run_at(1020);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->fired[0], 0);
	timer_set_in(&world->sched, &world->timers[3], 5, fire, &world->timers[3]);
	assert_int_equal(sched_first(&world->sched).ms, 1025);
}

/* Against the plain truth: what is set and due fires, sorted. */
static void test_a_random_life_of_the_heap(void **state)
{
	unsigned short seed[3] = { 4, 5, 6 };
	int64_t now = 1000;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		int i = (int)(nrand48(seed) % TIMERS);
		if (nrand48(seed) % 4 == 0)
			timer_stop(&world->sched, &world->timers[i]);
		else
			set(i, now + nrand48(seed) % 100);
		if (nrand48(seed) % 8 != 0)
			continue;
		now += nrand48(seed) % 20;
		size_t due = 0;
		for (size_t t = 0; t < TIMERS; t++)
			due += timer_is_set(&world->timers[t]) && world->timers[t].at.ms <= now;
		run_at(now);
		assert_int_equal(world->count, due);
		for (size_t t = 1; t < world->count; t++)
			assert_true(world->timers[world->fired[t - 1]].at.ms <= world->timers[world->fired[t]].at.ms);
		assert_true(sched_first(&world->sched).ms > now);
	}
}

static void set_itself(void *arg)
{
	struct timer *t = arg;

	fire(arg);
	timer_set(&world->sched, t, world->sched.now, set_itself, t);
}

static void test_a_timer_that_sets_itself_waits_for_the_next_turn(void **state)
{
	(void)state;
	timer_set(&world->sched, &world->timers[0], (mono_t){ 1000 }, set_itself, &world->timers[0]);
	run_at(1001);
	assert_int_equal(world->count, 1);
	run_at(1001);
	assert_int_equal(world->count, 1);
	assert_true(timer_is_set(&world->timers[0]));
}

static void stop_all(void *arg)
{
	fire(arg);
	for (size_t i = 0; i < TIMERS; i++)
		timer_stop(&world->sched, &world->timers[i]);
}

static void test_a_callback_may_stop_those_that_are_due_too(void **state)
{
	(void)state;
	timer_set(&world->sched, &world->timers[0], (mono_t){ 1000 }, stop_all, &world->timers[0]);
	set(1, 1000);
	set(2, 1000);
	run_at(1000);
	assert_int_equal(world->count, 1);
}

static void run_post(void *arg)
{
	struct post *p = arg;

	world->fired[world->count++] = (int)(p - world->posts);
}

static void post(int i)
{
	post_set(&world->sched, &world->posts[i], run_post, &world->posts[i]);
}

static void post_others(void *arg)
{
	run_post(arg);
	post_cancel(&world->posts[1]); /* in this batch */
	post(3);                       /* for the next */
}

static void test_posts_run_once_in_order_and_may_post(void **state)
{
	(void)state;
	post_set(&world->sched, &world->posts[0], post_others, &world->posts[0]);
	post(1);
	post(2);
	post(2); /* posted already */
	sched_run_posts(&world->sched);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->fired[0], 0);
	assert_int_equal(world->fired[1], 2);
	sched_run_posts(&world->sched);
	assert_int_equal(world->count, 3);
	assert_int_equal(world->fired[2], 3);
	sched_run_posts(&world->sched);
	assert_int_equal(world->count, 3);
}

static void count_wanted(struct sched *s)
{
	(void)s;
	world->wanted++;
}

static void test_the_driver_is_told_when_it_must_look_again(void **state)
{
	(void)state;
	world->sched.wanted = count_wanted;
	set(0, 1050);
	assert_int_equal(world->wanted, 1);
	set(1, 1060); /* later: no need */
	assert_int_equal(world->wanted, 1);
	set(2, 1040);
	assert_int_equal(world->wanted, 2);
	post(0);
	assert_int_equal(world->wanted, 3);
	post(1); /* not the first */
	assert_int_equal(world->wanted, 3);
}

static void test_points_in_time_do_not_overflow(void **state)
{
	(void)state;
	assert_int_equal(mono_add(MONO_NEVER, 5).ms, MONO_NEVER.ms);
	assert_int_equal(mono_diff((mono_t){ 7 }, (mono_t){ 9 }), -2);
	assert_true(mono_past((mono_t){ 5 }, (mono_t){ 5 }));
	assert_false(mono_past((mono_t){ 6 }, (mono_t){ 5 }));
	assert_int_equal(mono_min((mono_t){ 1 }, MONO_NEVER).ms, 1);
	assert_int_equal(mono_max((mono_t){ 1 }, (mono_t){ 2 }).ms, 2);
	mono_t before = clock_mono();
	assert_true(mono_past(before, clock_mono()));
	assert_true(clock_wall_ms() > 1600000000000); /* after 2020 */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_timers_fire_when_due_in_order),
		TEST(test_equal_points_fire_in_the_order_of_their_setting),
		TEST(test_a_stopped_or_moved_timer_does_not_fire_at_its_old_point),
		TEST(test_a_random_life_of_the_heap),
		TEST(test_a_timer_that_sets_itself_waits_for_the_next_turn),
		TEST(test_a_callback_may_stop_those_that_are_due_too),
		TEST(test_posts_run_once_in_order_and_may_post),
		TEST(test_the_driver_is_told_when_it_must_look_again),
		TEST(test_points_in_time_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
