#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervise/reaper.h"

static struct reaper start(void)
{
	struct reaper r;
	struct err e;

	assert_true(reaper_init(&r, &e));
	assert_true(r.proc_is_ours);
	return r;
}

static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setenv(REAPER_TAG_NAME, "github.7", 1);
		execlp("sleep", "sleep", "100", (char *)NULL);
		_exit(127);
	}
	return pid;
}

static bool is_listed(const struct reaper *r, pid_t pid)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->pids[i] == pid)
			return true;
	return false;
}

static void end(pid_t pid)
{
	siginfo_t info;

	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

static void test_the_living_and_the_dead_are_listed_both_ways(void **state)
{
	struct reaper r = start();
	pid_t living = start_sleeper(), dead = start_sleeper();

	(void)state;
	end(dead);
	for (int way = 0; way < 2; way++) {
		r.has_children_file = way == 0 && r.has_children_file;
		reaper_list(&r);
		assert_int_equal(r.n, 2);
		assert_true(is_listed(&r, living));
		assert_true(is_listed(&r, dead));
	}
	assert_int_equal(reaper_peek(), dead);
	assert_false(reaper_reap(living));
	assert_true(reaper_reap(dead));
	assert_false(reaper_reap(dead));
	assert_int_equal(reaper_peek(), 0);
	assert_false(reaper_is_alone());
	end(living);
	assert_true(reaper_reap(living));
	assert_true(reaper_is_alone());
	reaper_list(&r);
	assert_int_equal(r.n, 0);
	reaper_clear(&r);
}

static void test_a_process_is_known_by_tag_and_name(void **state)
{
	struct reaper r = start();
	pid_t pid = start_sleeper();
	char tag[REAPER_TAG_MAX], name[16];

	(void)state;
	do /* until it has come to its exec */
		reaper_name(pid, name);
	while (strcmp(name, "sleep") != 0);
	while (!reaper_tag(pid, tag))
		;
	assert_string_equal(tag, "github.7");
	end(pid);
	assert_false(reaper_tag(pid, tag)); /* a zombie has no environment */
	assert_true(reaper_reap(pid));
	reaper_name(pid, name);
	assert_string_equal(name, "?");
	assert_false(reaper_tag(pid, tag));
	reaper_clear(&r);
}

static void test_nothing_is_listed_when_proc_is_not_ours(void **state)
{
	struct reaper r = start();
	pid_t pid = start_sleeper();

	(void)state;
	r.proc_is_ours = false;
	reaper_list(&r);
	assert_int_equal(r.n, 0);
	end(pid);
	assert_true(reaper_reap(pid));
	reaper_clear(&r);
}

static void test_many_children_are_all_listed(void **state)
{
	struct reaper r = start();
	pid_t pids[150];

	(void)state;
	for (size_t i = 0; i < 150; i++)
		if ((pids[i] = fork()) == 0)
			_exit(0);
	for (size_t i = 0; i < 150; i++)
		end(pids[i]);
	reaper_list(&r);
	assert_int_equal(r.n, 150);
	for (size_t i = 0; i < 150; i++)
		assert_true(reaper_reap(pids[i]));
	assert_true(reaper_is_alone());
	reaper_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_living_and_the_dead_are_listed_both_ways),
		cmocka_unit_test(test_a_process_is_known_by_tag_and_name),
		cmocka_unit_test(test_nothing_is_listed_when_proc_is_not_ours),
		cmocka_unit_test(test_many_children_are_all_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
