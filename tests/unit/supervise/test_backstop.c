#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "supervise/backstop.h"

#define LIMIT_MS 400
#define ROOM_MS 3000 /* for a loaded machine */

/* A process that hangs, and what is seen of it from outside. Shared between the two. */
struct scene {
	int log[2];      /* a pipe: the reader's end, the hanging process's */
	char path[64];   /* of the termination log */
	int file;        /* the same, open */
	mono_t armed_at; /* set by the process */
	pid_t leader, escapee;
	bool ready;
	/* from outside */
	int code;
	msec_t took_ms;
	char said[4096], last_words[4096];
	/* inside */
	struct log *opened;
	struct loop *loop;
	struct backstop *backstop;
	struct groups groups;
};

static struct scene *scene;

/* Ways to hang, each as a callback of the loop */

static void spin(void *arg)
{
	(void)arg;
	for (volatile unsigned n = 0;; n++)
		;
}

static void allocate_for_ever(void *arg)
{
	(void)arg;
	for (size_t n = 1;; n = n % 5000 + 1) {
		void *volatile p = malloc(n);
		free(p);
	}
}

static void write_to_a_full_pipe(void *arg)
{
	static const char bytes[4096];
	int ends[2];
	struct err e;

	(void)arg;
	assert_true(fd_pipe(ends, &e));
	while (write(ends[1], bytes, sizeof(bytes)) > 0)
		;
}

static void write_to_a_full_log(void *arg)
{
	static const char bytes[4096];

	(void)arg;
	while (write(scene->log[1], bytes, sizeof(bytes)) > 0)
		;
}

static void lock_twice(void *arg)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	(void)arg;
	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&mutex);
}

static __attribute__((noreturn)) int never_exec(void *arg)
{
	(void)arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static void wait_for_exec(void *arg)
{
	static char stack[65536] __attribute__((aligned(16)));

	(void)arg;
	clone(never_exec, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
}

/* Inside */

static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		signal(SIGTERM, SIG_IGN);
		for (;;)
			pause();
	}
	return pid;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void open_backstop(void)
{
	struct err e;

	scene->opened = log_open(scene->log[1], LOG_TEXT);
	log_info(&(struct logger){ .log = scene->opened }, "started", "its first line");
	scene->loop = loop_new(&e);
	scene->backstop = backstop_start(&(struct backstop_conf){ .limit_ms = LIMIT_MS,
	                                         .last_words = scene->file,
	                                         .log = { .log = scene->opened, .module = "backstop" },
	                                         .loop = scene->loop,
	                                         .groups = &scene->groups },
	        &e);
	assert_non_null(scene->backstop);
}

static void hang(void (*way)(void *arg), bool is_armed)
{
	struct post post = { 0 };

	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	block_signals();
	scene->groups.proc_is_ours = getpid() != 1;
	scene->leader = start_sleeper();
	groups_add(&scene->groups, scene->leader);
	if (scene->groups.proc_is_ours)
		scene->escapee = start_sleeper();
	open_backstop();
	scene->armed_at = clock_mono();
	if (is_armed)
		backstop_arm(scene->backstop, mono_add(scene->armed_at, LIMIT_MS));
	scene->ready = true;
	post_set_named(loop_sched(scene->loop), &post, way, NULL, "the_way");
	loop_run(scene->loop);
	_exit(1);
}

/* Outside */

static int set_up(void **state)
{
	(void)state;
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* what it leaves behind is ours to see */
	assert_int_equal(pipe2(scene->log, O_CLOEXEC), 0);
	snprintf(scene->path, sizeof(scene->path), "/tmp/sluice-test-backstop-XXXXXX");
	scene->file = mkstemp(scene->path);
	assert_int_equal(pwrite(scene->file, "what was there before", 21, 0), 21);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(scene->path);
	fd_close(&scene->log[0]);
	fd_close(&scene->log[1]);
	fd_close(&scene->file);
	munmap(scene, sizeof(*scene));
	return 0;
}

static void read_into(int fd, char text[4096])
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = poll(&p, 1, 0) == 1 ? read(fd, text, 4095) : 0;

	text[n > 0 ? n : 0] = '\0';
}

static void watch_it_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	scene->took_ms = mono_diff(clock_mono(), scene->armed_at);
	assert_true(WIFEXITED(status));
	scene->code = WEXITSTATUS(status);
	read_into(scene->log[0], scene->said);
	lseek(scene->file, 0, SEEK_SET);
	read_into(scene->file, scene->last_words);
}

static void wait_until_ready(void)
{
	while (!*(volatile bool *)&scene->ready)
		poll(NULL, 0, 1);
}

static void assert_killed(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void assert_ended_in_time(void)
{
	assert_int_equal(scene->code, BACKSTOP_EXIT);
	assert_in_range(scene->took_ms, LIMIT_MS, LIMIT_MS + ROOM_MS);
}

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("not in \"%s\": \"%s\"", text, part);
}

static void assert_all_is_said(void)
{
	assert_has(scene->said, "event=backstop module=backstop reason=fatal");
	assert_has(scene->said, "callback=the_way groups_killed=1 forced=true exit_code=70\n");
	assert_ptr_equal(strstr(scene->last_words, "{\"ts\":"), scene->last_words);
	assert_has(scene->last_words, "\"exit_code\":70}\n");
}

static void run(void (*way)(void *arg))
{
	pid_t pid = fork();

	if (pid == 0)
		hang(way, true);
	watch_it_end(pid);
	assert_ended_in_time();
	assert_killed(scene->leader);
	assert_killed(scene->escapee);
}

static void test_a_busy_loop_is_ended(void **state)
{
	(void)state;
	run(spin);
	assert_all_is_said();
}

static void test_work_in_malloc_for_ever_is_ended(void **state)
{
	(void)state;
	run(allocate_for_ever);
	assert_all_is_said();
}

static void test_a_write_to_a_full_pipe_is_ended(void **state)
{
	(void)state;
	run(write_to_a_full_pipe);
	assert_all_is_said();
}

static void test_a_lock_that_nobody_opens_is_ended(void **state)
{
	(void)state;
	run(lock_twice);
	assert_all_is_said();
}

static void test_a_child_that_hangs_before_exec_is_ended_and_so_are_we(void **state)
{
	(void)state;
	run(wait_for_exec);
	assert_all_is_said();
}

static void test_a_full_log_takes_no_line_and_no_time(void **state)
{
	(void)state;
	run(write_to_a_full_log);
	assert_null(strstr(scene->said, "event=backstop"));
	assert_non_null(strstr(scene->last_words, "\"exit_code\":70}\n"));
}

/* The loop hangs, and then comes the signal that it should read. */
static void test_a_signal_that_nobody_reads_arms_it(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (pid == 0)
		hang(spin, false);
	wait_until_ready();
	poll(NULL, 0, 300);
	scene->armed_at = clock_mono();
	assert_int_equal(kill(pid, SIGTERM), 0);
	poll(NULL, 0, 100);
	assert_int_equal(kill(pid, SIGINT), 0); /* prolongs nothing */
	watch_it_end(pid);
	assert_ended_in_time();
	assert_all_is_said();
	assert_killed(scene->leader);
	assert_killed(scene->escapee);
}

static void test_it_works_as_pid_1(void **state)
{
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid_t outer = fork();
	if (outer == 0) {
		if (unshare(CLONE_NEWPID) != 0)
			_exit(99);
		pid_t pid = fork();
		if (pid == 0)
			hang(wait_for_exec, true);
		_exit(waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	watch_it_end(outer);
	if (scene->code == 99)
		skip();
	assert_ended_in_time();
	assert_all_is_said();
}

static void test_it_is_shortened_but_not_lengthened_and_never_strikes_at_once(void **state)
{
	(void)state;
	block_signals();
	open_backstop();
	assert_int_equal(backstop_at(scene->backstop).ms, MONO_NEVER.ms);
	mono_t now = clock_mono();
	backstop_arm(scene->backstop, mono_add(now, 60000));
	backstop_arm(scene->backstop, mono_add(now, 50000));
	backstop_arm(scene->backstop, mono_add(now, 70000));
	assert_int_equal(backstop_at(scene->backstop).ms, now.ms + 50000);
	backstop_arm(scene->backstop, now);
	assert_in_range(backstop_at(scene->backstop).ms, now.ms + 200, now.ms + 200 + ROOM_MS);
	backstop_free(&scene->backstop);
	loop_free(&scene->loop);
	log_close(&scene->opened);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_busy_loop_is_ended),
		TEST(test_work_in_malloc_for_ever_is_ended),
		TEST(test_a_write_to_a_full_pipe_is_ended),
		TEST(test_a_lock_that_nobody_opens_is_ended),
		TEST(test_a_child_that_hangs_before_exec_is_ended_and_so_are_we),
		TEST(test_a_full_log_takes_no_line_and_no_time),
		TEST(test_a_signal_that_nobody_reads_arms_it),
		TEST(test_it_works_as_pid_1),
		TEST(test_it_is_shortened_but_not_lengthened_and_never_strikes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
