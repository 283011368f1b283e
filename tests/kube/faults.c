/*
 * Preloaded into the real program by tests that need it to go wrong in ways that nobody can bring about from outside:
 * main hangs in the callback of the listener, a child hangs on its way to exec, the wall clock jumps.
 *
 *	SIGRTMIN+1   at the next accept: a busy loop, for ever
 *	SIGRTMIN+2   at the next accept: a write on a full pipe, for ever
 *	SIGRTMIN+3   at the next accept: 400 ms of nothing
 *	SIGRTMIN+4   the wall clock is an hour further
 *	SIGRTMIN+5   ... an hour back
 *	chdir to a directory called "hangs": never returns
 */
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600

static volatile sig_atomic_t fault;
static int first;
static volatile time_t shift;

static void on_signal(int number)
{
	int n = number - first;

	if (n == 4 || n == 5)
		shift = shift + (n == 4 ? HOUR : -HOUR);
	else
		fault = n;
}

__attribute__((constructor)) static void begin(void)
{
	first = SIGRTMIN;
	for (int n = 1; n <= 5; n++)
		signal(first + n, on_signal);
}

static void write_for_ever(void)
{
	static const char bytes[4096];
	int ends[2];

	if (pipe(ends) == 0)
		while (write(ends[1], bytes, sizeof(bytes)) > 0)
			;
}

static void go_wrong(int how)
{
	if (how == 1)
		while (fault == 0)
			;
	if (how == 2)
		write_for_ever();
	if (how == 3)
		usleep(400000);
}

int accept4(int fd, struct sockaddr *addr, socklen_t *n, int flags)
{
	int (*next)(int, struct sockaddr *, socklen_t *, int) =
	        (int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
	int how = fault;

	fault = 0;
	go_wrong(how);
	return next(fd, addr, n, flags);
}

int chdir(const char *path)
{
	int (*next)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "chdir");
	const char *name = strrchr(path, '/');

	while (name != NULL && strcmp(name, "/hangs") == 0)
		pause();
	return next(path);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's begin with two underscores */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*next)(clockid_t, struct timespec *);

	if (next == NULL)
		next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int failed = next(id, ts);
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ts->tv_sec += shift;
	return failed;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's begin with two underscores */
time_t time(time_t *t)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){ .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000 };
	return 0;
}
