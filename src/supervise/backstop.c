#include "supervise/backstop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/leave.h"
#include "base/log_line.h"
#include "base/mem.h"

#define STACK_SIZE (PTHREAD_STACK_MIN + 64 * 1024)
#define LEAST_MS 200

struct backstop {
	struct backstop_conf conf;
	pthread_t thread;
	int wake;    /* an eventfd: something below has changed */
	int signals; /* readable while a stop signal is pending; -1 from then on. The thread's */
	_Atomic int last_words;
	_Atomic int64_t at_ms, limit_ms;
	_Atomic int64_t armed_ms, signalled_ms; /* when it was first armed; when the thread saw a signal */
	atomic_bool quit;
};

/* The end */

/* What the last line of a usual end says, as far as it is known here. */
static void say(struct backstop *b, const char *callback, unsigned killed)
{
	char text[LOG_LINE_MAX];
	AUTO_FD int file = backstop_take_last_words(b);
	mono_t armed = { atomic_load(&b->armed_ms) };
	const struct log_field fields[] = {
		F_STR("reason", "fatal"),
		F_MS("elapsed_ms", mono_diff(clock_mono(), armed)),
		F_STR("callback", callback),
		F_INT("groups_killed", killed),
		F_BOOL("forced", true),
		F_INT("exit_code", BACKSTOP_EXIT),
	};
	const struct log_line line = {
		.wall_ms = clock_wall_ms(),
		.level = LOG_ERROR,
		.event = "backstop",
		.msg = "the time is up and the loop hangs: ended by force",
		.module = b->conf.log.module,
		.fields = fields,
		.n = sizeof(fields) / sizeof(fields[0]),
	};

	log_write_past(b->conf.log.log, &line);
	if (file < 0)
		return;
	size_t n = log_line_format(text, LOG_JSON, &line);
	(void)!ftruncate(file, 0);
	(void)!write(file, text, n);
}

/* Main may go on for a moment when the child dies that it waits for: hence the name first. */
static _Noreturn void strike(struct backstop *b)
{
	const char *callback = loop_running(b->conf.loop);
	unsigned killed = groups_kill(b->conf.groups);

	say(b, callback, killed);
	process_leave_hung(BACKSTOP_EXIT);
}

/* The thread */

static void shorten(struct backstop *b, mono_t at)
{
	mono_t now = clock_mono();
	int64_t wanted = mono_max(at, mono_add(now, LEAST_MS)).ms, before = atomic_load(&b->at_ms);
	int64_t never = MONO_NEVER.ms;

	atomic_compare_exchange_strong(&b->armed_ms, &never, now.ms);
	while (wanted < before && !atomic_compare_exchange_weak(&b->at_ms, &before, wanted))
		;
}

static void signal_seen(struct backstop *b)
{
	mono_t now = clock_mono();

	fd_close(&b->signals);
	atomic_store(&b->signalled_ms, now.ms);
	shorten(b, mono_add(now, atomic_load(&b->limit_ms)));
}

static int wait_ms(mono_t at)
{
	msec_t left = mono_diff(at, clock_mono());

	return at.ms == MONO_NEVER.ms ? -1 : left > INT_MAX ? INT_MAX : (int)left;
}

static void *wait_and_see(void *arg)
{
	struct backstop *b = arg;
	uint64_t count;

	while (!atomic_load(&b->quit)) {
		mono_t at = backstop_at(b);
		if (mono_past(at, clock_mono()))
			strike(b);
		struct pollfd p[] = { { .fd = b->wake, .events = POLLIN }, { .fd = b->signals, .events = POLLIN } };
		poll(p, 2, wait_ms(at));
		if (p[0].revents != 0)
			(void)!read(b->wake, &count, sizeof(count));
		if (p[1].revents != 0)
			signal_seen(b);
	}
	return NULL;
}

/* The thread inherits the mask of the caller, in which main has blocked all signals that matter. */
static bool start_thread(struct backstop *b, struct err *e)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)STACK_SIZE);
	int failed = pthread_create(&b->thread, &attr, wait_and_see, b);
	pthread_attr_destroy(&attr);
	if (failed != 0) {
		errno = failed;
		return err_sys(e, "start the backstop's thread");
	}
	pthread_setname_np(b->thread, "backstop");
	return true;
}

/* Main */

static bool open_fds(struct backstop *b, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	b->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	b->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return (b->wake >= 0 && b->signals >= 0) || err_sys(e, "descriptors of the backstop");
}

static void release(struct backstop *b)
{
	int file = backstop_take_last_words(b);

	fd_close(&b->wake);
	fd_close(&b->signals);
	fd_close(&file);
	free(b);
}

struct backstop *backstop_start(const struct backstop_conf *conf, struct err *e)
{
	struct backstop *b = NEW(struct backstop);

	b->conf = *conf;
	atomic_store(&b->last_words, conf->last_words);
	atomic_store(&b->at_ms, MONO_NEVER.ms);
	atomic_store(&b->armed_ms, MONO_NEVER.ms);
	atomic_store(&b->signalled_ms, MONO_NEVER.ms);
	atomic_store(&b->limit_ms, conf->limit_ms);
	if (open_fds(b, e) && start_thread(b, e))
		return b;
	release(b);
	return NULL;
}

static void wake_thread(struct backstop *b)
{
	static const uint64_t one = 1;

	(void)!write(b->wake, &one, sizeof(one));
}

void backstop_free(struct backstop **bp)
{
	struct backstop *b = *bp;

	if (b == NULL)
		return;
	*bp = NULL;
	atomic_store(&b->quit, true);
	wake_thread(b);
	pthread_join(b->thread, NULL);
	release(b);
}

void backstop_arm(struct backstop *b, mono_t at)
{
	shorten(b, at);
	wake_thread(b);
}

mono_t backstop_at(const struct backstop *b)
{
	return (mono_t){ atomic_load(&b->at_ms) };
}

mono_t backstop_signalled(const struct backstop *b)
{
	return (mono_t){ atomic_load(&b->signalled_ms) };
}

void backstop_limit(struct backstop *b, msec_t limit_ms)
{
	atomic_store(&b->limit_ms, limit_ms);
}

int backstop_take_last_words(struct backstop *b)
{
	return atomic_exchange(&b->last_words, -1);
}
