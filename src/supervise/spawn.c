#include "supervise/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/span.h"

#define STACK_SIZE (64 * 1024)
#define GUARD_SIZE (64 * 1024) /* a multiple of every page size in use */
#define SIGNALS 64             /* of the kernel, with the two that glibc keeps for itself */
#define ERROR_FD 3             /* in the child */
#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

enum step { STEP_SESSION, STEP_STDIO, STEP_CWD, STEP_LIMITS, STEP_EXEC };

/* What the child tells us through the error pipe before it gives up. */
struct failure {
	enum step step;
	int sys;
};

/* The kernel's own, as glibc's sigset_t and sigaction leave out signals 32 and 33. */
typedef uint64_t kernel_sigset;

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	kernel_sigset mask;
};

struct job {
	const struct spawn_conf *conf;
	const char *path;
	pid_t parent;
	int stdio[3], error;
	struct rlimit fds; /* rlim_cur 0: leave it */
};

/* In the child: memory, errno and stack are shared with the parent, so nothing but system calls */

/* ASan marks the frames of functions that do not return, and would find the marks on the next child's stack. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined")))

static IN_CHILD __attribute__((noreturn)) void fail(int error, enum step step)
{
	struct failure f = { step, errno };

	(void)!write(error, &f, sizeof(f));
	_exit(127);
}

/*
 * The parent-death signal comes first: a child that hangs on its way to exec must not outlive us. If the parent was
 * gone before, nobody will send it. Dispositions go before the mask is cleared, or one of the parent's handlers could
 * run here, in its memory.
 */
static IN_CHILD void reset_signals(const struct job *job)
{
	static const struct kernel_sigaction usual = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != job->parent)
		_exit(127);
	for (int signo = 1; signo <= SIGNALS; signo++)
		syscall(SYS_rt_sigaction, signo, &usual, NULL, sizeof(kernel_sigset));
}

/* All sources are above 2, as fds 0 to 2 are open in the parent, so that no dup2 crosses another. */
static IN_CHILD void take_fds(const struct job *job)
{
	for (int fd = 0; fd < 3; fd++)
		if (dup2(job->stdio[fd], fd) < 0)
			fail(job->error, STEP_STDIO);
	if (job->error != ERROR_FD && dup3(job->error, ERROR_FD, O_CLOEXEC) < 0)
		fail(job->error, STEP_STDIO);
	close_range(ERROR_FD + 1, ~0U, 0); /* the belt; the braces are that all we open is close-on-exec */
}

static IN_CHILD int child_main(void *arg)
{
	static const kernel_sigset none = 0;
	const struct job *job = arg;

	reset_signals(job);
	if (setsid() < 0)
		fail(job->error, STEP_SESSION);
	take_fds(job);
	if (job->conf->cwd != NULL && chdir(job->conf->cwd) != 0)
		fail(ERROR_FD, STEP_CWD);
	if (job->fds.rlim_cur != 0 && setrlimit(RLIMIT_NOFILE, &job->fds) != 0)
		fail(ERROR_FD, STEP_LIMITS);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
	syscall(SYS_execve, job->path, job->conf->argv,
	        job->conf->env); /* gcov would wrap execve() to write its files */
	fail(ERROR_FD, STEP_EXEC);
}

/* Looking up the program */

static const char *path_of(const char *const *env)
{
	for (; *env != NULL; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	return USUAL_PATH;
}

/* execve comes after chdir, so a relative path means one below the child's directory, which is `at`. */
static bool is_program(int at, const char *path)
{
	struct stat st;

	if (fstatat(at, path, &st, 0) != 0)
		return false;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return false;
	}
	return faccessat(at, path, X_OK, AT_EACCESS) == 0;
}

/* An empty part means the working directory. Something that is there but may not be run is worth telling. */
static bool search(const struct spawn_conf *conf, int at, char found[PATH_MAX], struct err *e)
{
	const char *name = conf->argv[0], *path = path_of(conf->env);
	struct span rest = span_of(path), dir;
	int sys = ENOENT;

	while (span_next(&rest, ':', &dir)) {
		if (dir.n == 0)
			dir = SPAN(".");
		int n = snprintf(found, PATH_MAX, "%.*s/%s", SPAN_ARG(dir), name);
		if (n >= PATH_MAX)
			continue;
		if (is_program(at, found))
			return true;
		if (errno == EACCES)
			sys = EACCES;
	}
	err_set(e, "command \"%s\": %s in PATH (%s)", name, sys == EACCES ? "not executable" : "not found", path);
	e->sys = sys;
	return false;
}

static bool find_program(const struct spawn_conf *conf, char found[PATH_MAX], struct err *e)
{
	AUTO_FD int dir = conf->cwd != NULL ? open(conf->cwd, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	int at = conf->cwd != NULL ? dir : AT_FDCWD;
	const char *name = conf->argv[0];

	if (conf->cwd != NULL && dir < 0)
		return err_sys(e, "cwd \"%s\"", conf->cwd);
	if (strchr(name, '/') == NULL && name[0] != '\0')
		return search(conf, at, found, e);
	if (!is_program(at, name)) /* ENAMETOOLONG too: what passes fits into PATH_MAX */
		return err_sys(e, "command \"%s\"", name);
	snprintf(found, PATH_MAX, "%s", name);
	return true;
}

/* In the parent */

static bool tell_failure(const struct job *job, struct failure f, struct err *e)
{
	errno = f.sys;
	switch (f.step) {
	case STEP_SESSION:
		return err_sys(e, "a session of its own");
	case STEP_STDIO:
		return err_sys(e, "its stdin, stdout and stderr");
	case STEP_CWD:
		return err_sys(e, "cwd \"%s\"", job->conf->cwd);
	case STEP_LIMITS:
		return err_sys(e, "limit of open files");
	case STEP_EXEC:
		break;
	}
	if (f.sys == ENOENT) /* the file was there a moment ago */
		return err_sys(e, "command \"%s\": its interpreter, or it", job->path);
	return err_sys(e, "command \"%s\"", job->path);
}

/* The child is past exec, or it has written why not: this does not wait. */
static bool read_failure(int from, struct failure *f)
{
	ssize_t n;

	do
		n = read(from, f, sizeof(*f));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*f);
}

static void reap_failed(struct spawned *child)
{
	siginfo_t info;

	while (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED) != 0 && errno == EINTR)
		;
	fd_close(&child->pidfd);
}

/* With every signal blocked, so that no handler of ours runs in the child. */
static pid_t clone_blocked(struct spawner *sp, struct job *job, int *pidfd)
{
	const kernel_sigset all = ~(kernel_sigset)0;
	kernel_sigset old;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(old));
	pid_t pid = clone(child_main, sp->stack + GUARD_SIZE + STACK_SIZE,
	        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, job, pidfd);
	int saved = errno;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	errno = saved;
	return pid;
}

static bool run_job(struct spawner *sp, struct job *job, struct spawned *child, struct err *e)
{
	int ends[2];
	struct failure f;

	if (!fd_pipe(ends, e))
		return false;
	AUTO_FD int from = ends[0];
	job->error = ends[1];
	child->pid = clone_blocked(sp, job, &child->pidfd);
	int sys = errno;
	close(ends[1]);
	errno = sys;
	if (child->pid < 0)
		return err_sys(e, "start a process");
	if (!read_failure(from, &f))
		return true;
	reap_failed(child);
	return tell_failure(job, f, e);
}

static bool nothing_to_read(int *theirs, struct err *e)
{
	*theirs = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *theirs >= 0 || err_sys(e, "/dev/null");
}

static bool pipes(const struct spawn_conf *conf, int ours[3], int theirs[3], struct err *e)
{
	if (conf->no_stdin && !nothing_to_read(&theirs[0], e))
		return false;
	for (int i = conf->no_stdin ? 1 : 0; i < 3; i++) {
		int ends[2];
		if (!fd_pipe(ends, e))
			return false;
		ours[i] = ends[i == 0];
		theirs[i] = ends[i != 0];
		assert(theirs[i] > STDERR_FILENO); /* main has seen to it that 0 to 2 are taken */
		if (!fd_set_nonblocking(ours[i], e))
			return false;
	}
	return true;
}

bool spawn(struct spawner *sp, const struct spawn_conf *conf, struct spawned *child, struct err *e)
{
	char path[PATH_MAX];
	int ours[3] = { -1, -1, -1 };
	struct job job = { .conf = conf, .path = path, .parent = getpid(), .stdio = { -1, -1, -1 } };

	assert(gettid() == getpid());
	assert(conf->argv[0] != NULL);
	if (sp->soft_fds != 0 && getrlimit(RLIMIT_NOFILE, &job.fds) == 0)
		job.fds.rlim_cur = sp->soft_fds;
	else
		job.fds.rlim_cur = 0;
	bool fine = find_program(conf, path, e) && pipes(conf, ours, job.stdio, e) && run_job(sp, &job, child, e);
	for (int i = 0; i < 3; i++) {
		fd_close(&job.stdio[i]);
		if (!fine)
			fd_close(&ours[i]);
	}
	child->in = ours[0];
	child->out = ours[1];
	child->err = ours[2];
	return fine;
}

bool spawn_check(const struct spawn_conf *conf, struct err *e)
{
	char path[PATH_MAX];

	return find_program(conf, path, e);
}

bool spawner_init(struct spawner *sp, struct err *e)
{
	*sp = (struct spawner){ 0 };
	char *mem = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_READ | PROT_WRITE,
	        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED)
		return err_sys(e, "stack for new processes");
	mprotect(mem, GUARD_SIZE, PROT_NONE);
	sp->stack = mem;
	return true;
}

void spawner_clear(struct spawner *sp)
{
	if (sp->stack != NULL)
		munmap(sp->stack, GUARD_SIZE + STACK_SIZE);
	sp->stack = NULL;
}

bool limits_raise_fds(rlim_t *old_soft, struct err *e)
{
	struct rlimit fds;

	if (getrlimit(RLIMIT_NOFILE, &fds) != 0)
		return err_sys(e, "read the limit of open files");
	*old_soft = fds.rlim_cur;
	fds.rlim_cur = fds.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &fds) != 0)
		return err_sys(e, "raise the limit of open files to %llu", (unsigned long long)fds.rlim_max);
	return true;
}
