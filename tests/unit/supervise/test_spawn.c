#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "supervise/spawn.h"

static const char *const usual_env[] = { "PATH=/usr/bin:/bin", NULL };

struct world {
	struct spawner spawner;
	struct spawned child;
	char dir[64]; /* for programs that are not what they seem */
	char out[65536];
	struct err e;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_true(spawner_init(&w->spawner, &w->e));
	snprintf(w->dir, sizeof(w->dir), "/tmp/sluice-test-spawn-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	*state = w;
	return 0;
}

static void remove_all(const char *path)
{
	DIR *dir = opendir(path);
	char name[512];

	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		snprintf(name, sizeof(name), "%s/%s", path, d->d_name);
		unlink(name);
	}
	closedir(dir);
	rmdir(path);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	spawner_clear(&w->spawner);
	remove_all(w->dir);
	free(w);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
	assert_int_equal(errno, ECHILD);
	return 0;
}

static void make_file(const struct world *w, const char *name, const char *text, mode_t mode)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void read_to_end(int fd, char *out, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	ssize_t got;

	while (poll(&p, 1, 10000) == 1 && (got = read(fd, out + n, size - 1 - n)) > 0)
		n += (size_t)got;
	out[n] = '\0';
}

static int finish(struct world *w)
{
	int status;

	fd_close(&w->child.in);
	read_to_end(w->child.out, w->out, sizeof(w->out));
	fd_close(&w->child.out);
	fd_close(&w->child.err);
	fd_close(&w->child.pidfd);
	assert_int_equal(waitpid(w->child.pid, &status, 0), w->child.pid);
	return status;
}

/* What the program prints. */
static const char *output_of(struct world *w, const char *const *argv, const char *const *env, const char *cwd)
{
	if (!spawn(&w->spawner, &(struct spawn_conf){ .argv = argv, .env = env, .cwd = cwd }, &w->child, &w->e))
		fail_msg("%s", w->e.text);
	assert_int_equal(finish(w), 0);
	return w->out;
}

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void on_signal(int signo)
{
	(void)signo;
}

static void test_no_signal_is_blocked_ignored_or_handled(void **state)
{
	struct world *w = *state;
	sigset_t all, old, now;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, on_signal);
	output_of(w, ARGV("cat", "/proc/self/status"), usual_env, NULL);
	sigprocmask(SIG_SETMASK, NULL, &now);
	assert_int_equal(sigismember(&now, SIGTERM), 1); /* ours is as it was */
	assert_ptr_equal(signal(SIGPIPE, SIG_IGN), SIG_IGN);
	assert_ptr_equal(signal(SIGUSR1, SIG_DFL), on_signal);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_non_null(strstr(w->out, "SigBlk:\t0000000000000000\n"));
	assert_non_null(strstr(w->out, "SigIgn:\t0000000000000000\n"));
	assert_non_null(strstr(w->out, "SigCgt:\t0000000000000000\n"));
}

static void test_it_leads_a_session_and_a_group_of_its_own(void **state)
{
	struct world *w = *state;
	int pid, parent, group, session;

	output_of(w, ARGV("cat", "/proc/self/stat"), usual_env, NULL);
	assert_int_equal(sscanf(w->out, "%d (cat) R %d %d %d ", &pid, &parent, &group, &session), 4);
	assert_int_equal(pid, w->child.pid);
	assert_int_equal(parent, getpid());
	assert_int_equal(group, pid);
	assert_int_equal(session, pid);
}

static void test_it_has_three_descriptors_and_no_other(void **state)
{
	struct world *w = *state;
	int leaked[20];

	for (int i = 0; i < 20; i++)
		leaked[i] = open("/dev/null", O_RDONLY); /* by a library that does not know of O_CLOEXEC */
	output_of(w, ARGV("ls", "/proc/self/fd"), usual_env, NULL);
	for (int i = 0; i < 20; i++)
		close(leaked[i]);
	assert_string_equal(w->out, "0\n1\n2\n3\n"); /* 3: the directory that ls reads */
}

static void test_it_has_the_environment_that_it_is_given_and_no_more(void **state)
{
	struct world *w = *state;

	setenv("SLUICE_TEST_SECRET", "x", 1);
	assert_string_equal(
	        output_of(w, ARGV("env"), ((const char *const[]){ "PATH=/usr/bin:/bin", "A=1", NULL }), NULL),
	        "PATH=/usr/bin:/bin\nA=1\n");
	unsetenv("SLUICE_TEST_SECRET");
}

static void test_it_starts_in_its_directory_and_a_relative_command_is_below_it(void **state)
{
	struct world *w = *state;
	char wanted[80];

	make_file(w, "here", "#!/bin/sh\npwd -P\n", 0755);
	snprintf(wanted, sizeof(wanted), "%s\n", w->dir);
	assert_string_equal(output_of(w, ARGV("./here"), usual_env, w->dir), wanted);
	assert_string_equal(
	        output_of(w, ARGV("here"), ((const char *const[]){ "PATH=/usr/bin::/bin", NULL }), w->dir), wanted);
	assert_string_equal(output_of(w, ARGV("pwd"), ((const char *const[]){ "X=no PATH at all", NULL }), "/"), "/\n");
}

static void test_it_gets_back_the_soft_limit_of_open_files(void **state)
{
	struct world *w = *state;
	rlim_t old;
	struct rlimit now, start;

	getrlimit(RLIMIT_NOFILE, &start);
	assert_true(limits_raise_fds(&old, &w->e));
	assert_int_equal(old, start.rlim_cur);
	getrlimit(RLIMIT_NOFILE, &now);
	assert_int_equal(now.rlim_cur, start.rlim_max);
	w->spawner.soft_fds = 123;
	assert_string_equal(output_of(w, ARGV("sh", "-c", "ulimit -n"), usual_env, NULL), "123\n");
	setrlimit(RLIMIT_NOFILE, &start);
}

static void test_its_three_streams_are_ours_and_do_not_block_us(void **state)
{
	struct world *w = *state;
	char text[16];

	assert_true(spawn(&w->spawner,
	        &(struct spawn_conf){
	                .argv = ARGV("sh", "-c", "read x; echo out $x; echo err $x >&2"), .env = usual_env },
	        &w->child, &w->e));
	assert_int_equal(read(w->child.out, text, sizeof(text)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(w->child.in, "hi\n", 3), 3);
	read_to_end(w->child.err, text, sizeof(text));
	assert_string_equal(text, "err hi\n");
	assert_int_equal(finish(w), 0);
	assert_string_equal(w->out, "out hi\n");
}

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static void test_without_a_stdin_there_is_nothing_to_read(void **state)
{
	struct world *w = *state;
	const struct spawn_conf conf = {
		.argv = ARGV("sh", "-c", "cat; readlink /proc/$$/fd/0; ls /proc/$$/fd; true"),
		.env = usual_env,
		.no_stdin = true,
	};

	assert_true(spawn(&w->spawner, &conf, &w->child, &w->e));
	assert_int_equal(w->child.in, -1);
	assert_int_equal(finish(w), 0);
	assert_string_equal(w->out, "/dev/null\n0\n1\n2\n");
}

static void test_a_program_can_be_looked_for_without_starting_it(void **state)
{
	struct world *w = *state;

	assert_true(spawn_check(&(struct spawn_conf){ .argv = ARGV("sh"), .env = usual_env }, &w->e));
	assert_false(spawn_check(&(struct spawn_conf){ .argv = ARGV("no-such-thing"), .env = usual_env }, &w->e));
	assert_string_equal(w->e.text, "command \"no-such-thing\": not found in PATH (/usr/bin:/bin)");
}

static void test_a_failure_says_what_and_where_and_leaves_nothing(void **state)
{
	struct world *w = *state;
	static const struct row {
		const char *command, *cwd, *text;
		int sys;
	} rows[] = {
		{ "no-such-thing", NULL, "command \"no-such-thing\": not found in PATH (/usr/bin:.)", ENOENT },
		{ "", NULL, "command \"\": No such file or directory", ENOENT },
		{ "/no/such/thing", NULL, "command \"/no/such/thing\": No such file or directory", ENOENT },
		{ "./plain", NULL, "command \"./plain\": Permission denied", EACCES },
		{ "plain", NULL, "command \"plain\": not executable in PATH (/usr/bin:.)", EACCES },
		{ "/tmp", NULL, "command \"/tmp\": Is a directory", EISDIR },
		{ "./junk", NULL, "command \"./junk\": Exec format error", ENOEXEC },
		{ "./orphan", NULL, "command \"./orphan\": its interpreter, or it: No such file or directory", ENOENT },
		{ "sh", "/no/such/dir", "cwd \"/no/such/dir\": No such file or directory", ENOENT },
		{ "sh", "/dev/null", "cwd \"/dev/null\": Not a directory", ENOTDIR },
	};
	static const char *const env[] = { "PATH=/usr/bin:.", NULL };

	make_file(w, "plain", "text", 0644);
	make_file(w, "junk", "\x01\x02\x03\x04", 0755);
	make_file(w, "orphan", "#!/no/such/interpreter\n", 0755);
	size_t fds = count_fds();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *cwd = rows[i].cwd != NULL ? rows[i].cwd : w->dir;
		struct spawn_conf conf = { .argv = ARGV(rows[i].command), .env = env, .cwd = cwd };
		assert_false(spawn(&w->spawner, &conf, &w->child, &w->e));
		assert_string_equal(w->e.text, rows[i].text);
		assert_int_equal(w->e.sys, rows[i].sys);
	}
	assert_int_equal(count_fds(), fds);
}

/* What can only be seen in the child itself. */
static void test_a_failure_behind_the_clone_is_told_too(void **state)
{
	struct world *w = *state;
	struct spawn_conf conf = { .argv = ARGV("true"), .env = usual_env, .cwd = w->dir };
	struct rlimit fds;
	char wanted[128];

	getrlimit(RLIMIT_NOFILE, &fds);
	w->spawner.soft_fds = fds.rlim_max + 1;
	assert_false(spawn(&w->spawner, &conf, &w->child, &w->e));
	assert_string_equal(w->e.text, "limit of open files: Invalid argument");
	w->spawner.soft_fds = 0;
	if (geteuid() != 0)
		skip();
	assert_int_equal(seteuid(65534), 0); /* to whom the directory of root is closed */
	bool fine = spawn(&w->spawner, &conf, &w->child, &w->e);
	assert_int_equal(seteuid(0), 0);
	assert_false(fine);
	snprintf(wanted, sizeof(wanted), "cwd \"%s\": Permission denied", w->dir);
	assert_string_equal(w->e.text, wanted);
}

/* Step by step, so that every descriptor on the way is once the one too many. */
static void test_a_want_of_descriptors_is_told_and_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct spawn_conf conf = { .argv = ARGV("true"), .env = usual_env, .cwd = "/" };
	struct rlimit usual, low;
	size_t fds = count_fds();
	bool fine = false;

	getrlimit(RLIMIT_NOFILE, &usual);
	for (low = (struct rlimit){ 3, usual.rlim_max }; !fine; low.rlim_cur++) {
		setrlimit(RLIMIT_NOFILE, &low);
		fine = spawn(&w->spawner, &conf, &w->child, &w->e);
		setrlimit(RLIMIT_NOFILE, &usual);
		if (!fine)
			assert_int_equal(w->e.sys, EMFILE);
		if (!fine)
			assert_int_equal(count_fds(), fds);
	}
	assert_true(low.rlim_cur > 3 + 9); /* 6 for the pipes, 2 for the error, 1 for the pidfd */
	assert_int_equal(finish(w), 0);
}

/* A gateway that is killed takes its children with it. */
static void test_it_dies_with_its_parent(void **state)
{
	struct world *w = *state;
	int ends[2];
	pid_t child;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t parent = fork();
	if (parent == 0) {
		bool fine = spawn(&w->spawner, &(struct spawn_conf){ .argv = ARGV("sleep", "100"), .env = usual_env },
		        &w->child, &w->e);
		(void)!write(ends[1], &w->child.pid, sizeof(w->child.pid));
		_exit(!fine);
	}
	int status;
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_int_equal(status, 0);
	assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(ends[0]);
	close(ends[1]);
}

static void test_the_stack_serves_one_after_another(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 30; i++)
		assert_string_equal(output_of(w, ARGV("echo", "x"), usual_env, NULL), "x\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_signal_is_blocked_ignored_or_handled),
		TEST(test_it_leads_a_session_and_a_group_of_its_own),
		TEST(test_it_has_three_descriptors_and_no_other),
		TEST(test_it_has_the_environment_that_it_is_given_and_no_more),
		TEST(test_it_starts_in_its_directory_and_a_relative_command_is_below_it),
		TEST(test_it_gets_back_the_soft_limit_of_open_files),
		TEST(test_its_three_streams_are_ours_and_do_not_block_us),
		TEST(test_without_a_stdin_there_is_nothing_to_read),
		TEST(test_a_program_can_be_looked_for_without_starting_it),
		TEST(test_a_failure_says_what_and_where_and_leaves_nothing),
		TEST(test_a_failure_behind_the_clone_is_told_too),
		TEST(test_a_want_of_descriptors_is_told_and_leaves_nothing),
		TEST(test_it_dies_with_its_parent),
		TEST(test_the_stack_serves_one_after_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
