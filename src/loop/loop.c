#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/fd.h"
#include "base/mem.h"

#define POST_ROUNDS_PER_TURN 16
#define STALL_MS 250
#define STALL_TOLD_EVERY_MS 10000
#define LATE_MS 50
#define HELD_TURNS_MAX 32

struct grave {
	void *object;
	void (*bury)(void *object);
};

struct loop {
	uv_loop_t uv;
	uv_prepare_t before_wait;
	uv_check_t after_events;
	uv_timer_t alarm;    /* only ends the wait; what is due runs in after_events */
	bool awake;          /* the clock of this turn was read */
	unsigned held_turns; /* in which due timers had to wait, because we are late */
	mono_t mark;         /* the end of the last callback, or the beginning of the turn */
	struct loop_stats stats;
	mono_t stall_told_next;
	struct logger log;
	struct sched sched;
	struct grave *graves;
	size_t grave_count, grave_room;
	struct watch *signals;
	void (*got_signal)(void *arg, int signo, int pid);
	void *signal_arg;
};

struct watch {
	uv_poll_t poll; /* poll.data: the argument of `ready` */
	void (*ready)(void *arg, unsigned events);
	const char *name; /* of `ready` */
	int line;
	unsigned events; /* the mask in force */
};

/* Masks are handed to libuv as they are. */
_Static_assert((int)WATCH_READ == (int)UV_READABLE, "");
_Static_assert((int)WATCH_WRITE == (int)UV_WRITABLE, "");
_Static_assert((int)WATCH_HANGUP == (int)UV_DISCONNECT, "");
_Static_assert((int)WATCH_RESET == (int)UV_PRIORITIZED, "");

/* The turn */

/* libuv has no hook between the wait and the first callback, so whoever comes first reads the clock. */
static void wake(struct loop *l)
{
	if (l->awake)
		return;
	l->awake = true;
	l->sched.now = l->mark = clock_mono();
}

static void stalled(struct loop *l, const char *callback, msec_t took_ms)
{
	l->stats.stalls++;
	if (!mono_past(l->stall_told_next, l->mark))
		return;
	l->stall_told_next = mono_add(l->mark, STALL_TOLD_EVERY_MS);
	log_warn(&l->log, "loop_stalled", "a callback held up all others", F_STR("callback", callback),
	        F_MS("took_ms", took_ms), F_INT("stalls", l->stats.stalls));
}

/* By the coarse clock, which is a few milliseconds behind: the first callback of a turn seems that much shorter. */
static void callback_ended(struct sched *s, const char *callback)
{
	struct loop *l = s->owner;
	mono_t now = clock_mono_coarse();
	msec_t took_ms = mono_diff(now, l->mark);

	l->mark = mono_max(l->mark, now);
	if (took_ms > STALL_MS)
		stalled(l, callback, took_ms);
}

static mono_t next_due(const struct loop *l)
{
	bool at_once = !list_is_empty(&l->sched.posts) || l->grave_count > 0;

	return at_once ? l->sched.now : sched_first(&l->sched);
}

static void alarm_rang(uv_timer_t *timer)
{
	(void)timer;
}

/* libuv's timers count from its cached time, which is stale after long callbacks: hence uv_update_time. */
static void before_wait(uv_prepare_t *prepare)
{
	struct loop *l = prepare->loop->data;
	mono_t due = next_due(l);

	l->awake = false;
	if (due.ms == MONO_NEVER.ms) {
		uv_timer_stop(&l->alarm);
		return;
	}
	msec_t wait_ms = mono_diff(due, clock_mono());
	uv_update_time(&l->uv);
	uv_timer_start(&l->alarm, alarm_rang, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

static void bury_all(struct loop *l)
{
	while (l->grave_count > 0) {
		struct grave g = l->graves[--l->grave_count];
		g.bury(g.object);
	}
}

/*
 * Until a turn brings nothing new, or for long enough. The first turn proves nothing: after a SIGCONT epoll_wait fails
 * with EINTR, and libuv then does not look for events again when the time is over.
 */
static bool must_timers_wait(struct loop *l, bool had_events)
{
	bool is_late = mono_diff(l->sched.now, sched_first(&l->sched)) > LATE_MS;
	bool is_quiet = !had_events && list_is_empty(&l->sched.posts);

	if (is_late && (!is_quiet || l->held_turns == 0) && l->held_turns < HELD_TURNS_MAX) {
		l->held_turns++;
		return true;
	}
	l->held_turns = 0;
	return false;
}

static void run_timers(struct loop *l)
{
	mono_t first = sched_first(&l->sched);

	if (!mono_past(first, l->sched.now))
		return;
	histogram_add(&l->stats.lag, mono_diff(l->sched.now, first));
	sched_run_timers(&l->sched, l->sched.now);
}

static void after_events(uv_check_t *check)
{
	struct loop *l = check->loop->data;
	bool had_events = l->awake;

	wake(l);
	if (!must_timers_wait(l, had_events))
		run_timers(l);
	for (int round = 0; round < POST_ROUNDS_PER_TURN && !list_is_empty(&l->sched.posts); round++)
		sched_run_posts(&l->sched);
	bury_all(l);
	histogram_add(&l->stats.turns, mono_diff(l->mark, l->sched.now));
}

/* The loop */

struct loop *loop_new(struct err *e)
{
	struct loop *l = NEW(struct loop);
	int failed = uv_loop_init(&l->uv);

	if (failed != 0) {
		err_set(e, "event loop: %s", uv_strerror(failed));
		free(l);
		return NULL;
	}
	l->uv.data = l;
	sched_init(&l->sched, clock_mono());
	l->sched.owner = l;
	l->sched.ended = callback_ended;
	uv_timer_init(&l->uv, &l->alarm);
	uv_prepare_init(&l->uv, &l->before_wait);
	uv_prepare_start(&l->before_wait, before_wait);
	uv_check_init(&l->uv, &l->after_events);
	uv_check_start(&l->after_events, after_events);
	return l;
}

static void assert_not_left(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (handle->type != UV_POLL || uv_is_closing(handle))
		return;
	const struct watch *w = (const struct watch *)(const void *)handle;
	fprintf(stderr, "loop_free: the watch of fd %d, %s, opened in line %d, is left\n", watch_fd(w), w->name,
	        w->line);
	abort();
}

void loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	watch_close(&l->signals);
	bury_all(l);
	uv_walk(&l->uv, assert_not_left, NULL);
	uv_close((uv_handle_t *)&l->alarm, NULL);
	uv_close((uv_handle_t *)&l->before_wait, NULL);
	uv_close((uv_handle_t *)&l->after_events, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT); /* a closed handle is given back in its close callback only */
	int busy = uv_loop_close(&l->uv);
	assert(busy == 0);
	sched_clear(&l->sched);
	free(l->graves);
	free(l);
}

void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

struct sched *loop_sched(struct loop *l)
{
	return &l->sched;
}

void loop_tell_stalls(struct loop *l, const struct logger *lg)
{
	l->log = *lg;
}

const struct loop_stats *loop_stats(const struct loop *l)
{
	return &l->stats;
}

const char *loop_running(const struct loop *l)
{
	return atomic_load_explicit(&l->sched.running, memory_order_relaxed);
}

void loop_bury(struct loop *l, void *object, void (*bury)(void *object))
{
	if (l->grave_count == l->grave_room) {
		l->grave_room = l->grave_room > 0 ? l->grave_room * 2 : 16;
		l->graves = mem_realloc(l->graves, l->grave_room * sizeof(*l->graves));
	}
	l->graves[l->grave_count++] = (struct grave){ .object = object, .bury = bury };
}

/* Watches */

static void watch_ready(uv_poll_t *poll, int status, int events);

static void watch_arm(struct watch *w)
{
	int failed = w->events == 0 ? uv_poll_stop(&w->poll) : uv_poll_start(&w->poll, (int)w->events, watch_ready);

	assert(failed == 0);
}

/* On an error libuv stops the handle itself. Most owners close; for the others the watch stays level-triggered. */
static void watch_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *w = (struct watch *)(void *)poll;
	struct loop *l = poll->loop->data;
	const char *name = w->name;

	wake(l);
	sched_begin(&l->sched, name);
	w->ready(poll->data, status < 0 ? w->events : (unsigned)events);
	sched_end(&l->sched, name);
	if (status < 0 && !uv_is_closing((uv_handle_t *)poll) && !uv_is_active((uv_handle_t *)poll))
		watch_arm(w);
}

struct watch *watch_open_at(
        struct loop *l, int fd, void (*ready)(void *arg, unsigned events), void *arg, const char *name, int line)
{
	struct watch *w = NEW(struct watch);
	int failed = uv_poll_init(&l->uv, &w->poll, fd);

	if (failed != 0) {
		free(w);
		errno = -failed;
		return NULL;
	}
	w->poll.data = arg;
	w->ready = ready;
	w->name = name;
	w->line = line;
	return w;
}

/* uv_poll_start costs two epoll_ctl even for the mask that it has already. */
void watch_set(struct watch *w, unsigned events)
{
	if (w->events == events)
		return;
	w->events = events;
	watch_arm(w);
}

int watch_fd(const struct watch *w)
{
	uv_os_fd_t fd = -1;
	int failed = uv_fileno((const uv_handle_t *)&w->poll, &fd);

	assert(failed == 0);
	return fd;
}

static void watch_free(uv_handle_t *handle)
{
	free(handle);
}

/* Leaves epoll at once, before the number can be used again; the memory is libuv's until the callback. */
int watch_release(struct watch **wp)
{
	struct watch *w = *wp;

	if (w == NULL)
		return -1;
	*wp = NULL;
	int fd = watch_fd(w);
	uv_close((uv_handle_t *)&w->poll, watch_free);
	return fd;
}

void watch_close(struct watch **wp)
{
	int fd = watch_release(wp);

	fd_close(&fd);
}

/* Signals */

static void signals_ready(void *arg, unsigned events)
{
	struct loop *l = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(watch_fd(l->signals), &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		l->stats.signals[info.ssi_signo % LOOP_SIGNALS]++;
		l->got_signal(l->signal_arg, (int)info.ssi_signo, (int)info.ssi_pid);
	}
}

bool loop_signals(
        struct loop *l, const sigset_t *set, void (*got)(void *arg, int signo, int pid), void *arg, struct err *e)
{
	AUTO_FD int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);

	assert(l->signals == NULL);
	if (fd < 0)
		return err_sys(e, "signalfd");
	l->got_signal = got;
	l->signal_arg = arg;
	l->signals = watch_open(l, fd, signals_ready, l);
	if (l->signals == NULL)
		return err_sys(e, "watch signals");
	fd_take(&fd);
	watch_set(l->signals, WATCH_READ);
	return true;
}
