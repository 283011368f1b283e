#include "unit.h"

#include <pthread.h>

#include "loop/work.h"

struct job {
	struct loop *loop;
	pthread_t worker;
	int ran, done;
};

static void run(void *arg)
{
	struct job *j = arg;

	j->worker = pthread_self();
	j->ran++;
}

static void done(void *arg)
{
	struct job *j = arg;

	j->done++;
	loop_stop(j->loop);
}

static void test_work_runs_in_another_thread_and_its_end_is_told_in_the_loop(void **state)
{
	struct err e;
	struct job j = { .loop = loop_new(&e) };

	(void)state;
	for (int i = 1; i <= 3; i++) {
		assert_true(work_start(j.loop, run, done, &j, &e));
		assert_int_equal(j.done, i - 1);
		loop_run(j.loop);
		assert_int_equal(j.ran, i);
		assert_int_equal(j.done, i);
		assert_false(pthread_equal(j.worker, pthread_self()));
	}
	loop_free(&j.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work_runs_in_another_thread_and_its_end_is_told_in_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
