#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "loop/loop.h"

struct world {
	struct loop *loop;
	struct timer timer, late;
	struct post post;
	struct watch *watch;
	int peer; /* the other end of what `watch` watches */
	char log[64];
	size_t logged;
	unsigned events;
	int calls, limit;
};

static void note(struct world *w, char c)
{
	if (w->logged < sizeof(w->log) - 1)
		w->log[w->logged++] = c;
}

static void stop(void *arg)
{
	struct world *w = arg;

	note(w, '.');
	loop_stop(w->loop);
}

static void run_for(struct world *w, msec_t ms)
{
	timer_set(loop_sched(w->loop), &w->late, mono_add(clock_mono(), ms), stop, w);
	loop_run(w->loop);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err e;

	w->loop = loop_new(&e);
	assert_non_null(w->loop);
	w->peer = -1;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	watch_close(&w->watch);
	loop_free(&w->loop);
	assert_null(w->loop);
	fd_close(&w->peer);
	free(w);
	return 0;
}

/* A fresh pair, our end watched. */
static void watch_pair(struct world *w, void (*ready)(void *arg, unsigned events))
{
	int ends[2];

	fd_close(&w->peer);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	w->watch = watch_open(w->loop, ends[0], ready, w);
	assert_non_null(w->watch);
	w->peer = ends[1];
}

static void note_t(void *arg)
{
	note(arg, 't');
}

static void note_p(void *arg)
{
	note(arg, 'p');
}

static void test_a_timer_never_fires_early(void **state)
{
	struct world *w = *state;
	mono_t start = clock_mono();

	run_for(w, 30);
	assert_true(mono_diff(clock_mono(), start) >= 30);
	assert_true(mono_diff(loop_now(w->loop), start) >= 30);
}

static void test_a_timer_set_after_long_work_is_not_early(void **state)
{
	struct world *w = *state;
	mono_t start = clock_mono();

	while (mono_diff(clock_mono(), start) < 30)
		;
	run_for(w, 20);
	assert_true(mono_diff(clock_mono(), start) >= 50);
}

static void test_a_post_does_not_wait_for_an_event(void **state)
{
	struct world *w = *state;
	mono_t start = clock_mono();

	timer_set_in(loop_sched(w->loop), &w->timer, 60000, note_t, w);
	post_set(loop_sched(w->loop), &w->post, stop, w);
	loop_run(w->loop);
	timer_stop(loop_sched(w->loop), &w->timer);
	assert_true(mono_diff(clock_mono(), start) < 1000);
	assert_string_equal(w->log, ".");
}

static void post_again(void *arg)
{
	struct world *w = arg;

	if (++w->calls < w->limit)
		post_set(loop_sched(w->loop), &w->post, post_again, w);
}

static void test_a_post_that_posts_itself_for_ever_starves_nobody(void **state)
{
	struct world *w = *state;

	w->limit = INT32_MAX;
	post_set(loop_sched(w->loop), &w->post, post_again, w);
	run_for(w, 20);
	post_cancel(&w->post);
	assert_true(w->calls > 16); /* more than one turn's share */
}

static void on_event_note(void *arg, unsigned events)
{
	struct world *w = arg;
	char byte;

	w->events |= events;
	w->calls++;
	note(w, 'e');
	if ((events & WATCH_READ) != 0 && read(watch_fd(w->watch), &byte, 1) == 0)
		watch_set(w->watch, 0);
}

static void on_event_set_all(void *arg, unsigned events)
{
	struct world *w = arg;

	on_event_note(arg, events);
	post_set(loop_sched(w->loop), &w->post, note_p, w);
	timer_set_in(loop_sched(w->loop), &w->timer, 0, note_t, w);
}

static void test_a_turn_runs_events_then_timers_then_posts(void **state)
{
	struct world *w = *state;

	watch_pair(w, on_event_set_all);
	watch_set(w->watch, WATCH_READ);
	assert_int_equal(write(w->peer, "x", 1), 1);
	run_for(w, 10);
	assert_string_equal(w->log, "etp.");
}

static void test_a_watch_hears_only_of_its_mask(void **state)
{
	struct world *w = *state;

	watch_pair(w, on_event_note);
	assert_int_equal(write(w->peer, "x", 1), 1);
	run_for(w, 5);
	assert_int_equal(w->calls, 0);
	watch_set(w->watch, WATCH_WRITE);
	run_for(w, 5);
	assert_int_equal(w->events, WATCH_WRITE);
	w->events = 0;
	watch_set(w->watch, WATCH_HANGUP);
	run_for(w, 5);
	assert_int_equal(w->events, 0);
	assert_int_equal(shutdown(w->peer, SHUT_WR), 0);
	run_for(w, 5);
	assert_int_equal(w->events, WATCH_HANGUP);
	w->events = 0;
	watch_set(w->watch, WATCH_RESET);
	w->calls = 0;
	run_for(w, 5);
	assert_int_equal(w->calls, 0);
}

static void on_event_close(void *arg, unsigned events)
{
	struct world *w = arg;

	(void)events;
	w->calls++;
	watch_close(&w->watch);
}

static void test_no_callback_comes_after_the_close(void **state)
{
	struct world *w = *state;

	watch_pair(w, on_event_close);
	watch_set(w->watch, WATCH_READ | WATCH_WRITE | WATCH_HANGUP);
	assert_int_equal(write(w->peer, "x", 1), 1);
	run_for(w, 10);
	assert_int_equal(w->calls, 1);
	assert_null(w->watch);
	watch_close(&w->watch); /* closing nothing is fine */
}

static void test_a_descriptor_number_can_be_watched_again_at_once(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++) {
		watch_pair(w, on_event_note);
		watch_set(w->watch, WATCH_READ);
		int fd = watch_fd(w->watch);
		watch_close(&w->watch);
		watch_pair(w, on_event_note);
		assert_int_equal(watch_fd(w->watch), fd);
		watch_close(&w->watch);
	}
}

static void test_a_released_descriptor_stays_open(void **state)
{
	struct world *w = *state;

	watch_pair(w, on_event_note);
	watch_set(w->watch, WATCH_READ);
	int fd = watch_release(&w->watch);
	assert_null(w->watch);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	close(fd);
	assert_int_equal(watch_release(&w->watch), -1);
}

static void on_error_stop_after_three(void *arg, unsigned events)
{
	struct world *w = arg;

	w->events = events;
	if (++w->calls == 3)
		watch_set(w->watch, 0);
}

static void test_an_error_is_told_as_all_that_was_asked_for_until_dealt_with(void **state)
{
	struct world *w = *state;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]); /* nobody reads: EPOLLERR on the writing end */
	w->watch = watch_open(w->loop, ends[1], on_error_stop_after_three, w);
	watch_set(w->watch, WATCH_WRITE);
	run_for(w, 10);
	assert_int_equal(w->calls, 3);
	assert_int_equal(w->events, WATCH_WRITE);
}

static void test_a_regular_file_is_refused_and_stays_the_callers(void **state)
{
	struct world *w = *state;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_null(watch_open(w->loop, fd, on_event_note, w));
	assert_int_equal(errno, EPERM);
	assert_int_equal(close(fd), 0);
}

static void on_event_stop(void *arg, unsigned events)
{
	struct world *w = arg;

	on_event_note(arg, events);
	loop_stop(w->loop);
}

static void test_without_a_timer_the_wait_ends_by_an_event(void **state)
{
	struct world *w = *state;

	watch_pair(w, on_event_stop);
	watch_set(w->watch, WATCH_READ);
	assert_int_equal(write(w->peer, "x", 1), 1);
	loop_run(w->loop);
	assert_string_equal(w->log, "e");
}

/* As the log's own set is, whose members' flags must not be touched. */
static void test_an_epoll_set_can_be_watched(void **state)
{
	struct world *w = *state;
	int ends[2], set = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN };

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &ev), 0);
	w->watch = watch_open(w->loop, set, on_event_close, w);
	assert_non_null(w->watch);
	watch_set(w->watch, WATCH_READ);
	run_for(w, 5);
	assert_int_equal(w->calls, 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	run_for(w, 5);
	assert_int_equal(w->calls, 1);
	assert_false(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	close(ends[0]);
	close(ends[1]);
}

static void on_signal(void *arg, int signo, int pid)
{
	struct world *w = arg;

	assert_int_equal(pid, getpid());
	note(w, signo == SIGUSR1 ? '1' : '2');
}

static void test_signals_come_with_their_sender_and_flooding_loses_none(void **state)
{
	struct world *w = *state;
	sigset_t set;
	struct err e;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	assert_true(loop_signals(w->loop, &set, on_signal, w, &e));
	for (int i = 0; i < 10000; i++)
		kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	run_for(w, 5);
	assert_string_equal(w->log, "12.");
	kill(getpid(), SIGUSR2);
	run_for(w, 5);
	assert_string_equal(w->log, "12.2.");
}

static void bury(void *object)
{
	note(object, 'b');
}

static void bury_in_turn(void *arg)
{
	struct world *w = arg;

	loop_bury(w->loop, w, bury);
	note(w, 't');
	post_set(loop_sched(w->loop), &w->post, note_p, w);
}

static void test_an_object_is_buried_at_the_end_of_the_turn(void **state)
{
	struct world *w = *state;

	timer_set_in(loop_sched(w->loop), &w->timer, 0, bury_in_turn, w);
	run_for(w, 10);
	assert_string_equal(w->log, "tpb.");
	loop_bury(w->loop, w, bury); /* not in a turn: in the next, at once */
	run_for(w, 10);
	assert_string_equal(w->log, "tpb.b.");
}

static void test_a_stop_before_the_run_is_not_lost(void **state)
{
	struct world *w = *state;

	loop_stop(w->loop);
	loop_run(w->loop);
}

/* In a process of its own, for it aborts. */
static void test_a_watch_that_is_left_is_named_by_file_and_line(void **state)
{
	struct world *w = *state;
	int ends[2], status;
	char text[256] = "";

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		watch_pair(w, on_event_note);
		loop_free(&w->loop);
		_exit(0);
	}
	close(ends[1]);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "test_loop.c:"));
}

/* Stalls */

static void busy_for(msec_t ms)
{
	mono_t start = clock_mono();

	while (mono_diff(clock_mono(), start) < ms)
		;
}

static void take_long(void *arg)
{
	busy_for(300);
	note(arg, 'l');
}

static void take_long_on_event(void *arg, unsigned events)
{
	on_event_note(arg, events);
	busy_for(300);
}

/* What was logged, in `text`. */
static struct log *log_into(int ends[2], struct logger *lg)
{
	struct err e;

	assert_true(fd_pipe(ends, &e));
	struct log *log = log_open(ends[1], LOG_TEXT);
	*lg = (struct logger){ .log = log, .module = "loop" };
	return log;
}

static void test_a_callback_that_takes_long_is_counted_and_told_by_name(void **state)
{
	struct world *w = *state;
	struct logger lg;
	char text[4096] = "";
	int ends[2];
	struct log *log = log_into(ends, &lg);

	loop_tell_stalls(w->loop, &lg);
	watch_pair(w, on_event_note);
	int fd = watch_release(&w->watch);
	w->watch = watch_open(w->loop, fd, take_long_on_event, w);
	watch_set(w->watch, WATCH_READ);
	assert_int_equal(write(w->peer, "x", 1), 1);
	timer_set_in(loop_sched(w->loop), &w->timer, 1, take_long, w);
	run_for(w, 1000);
	assert_string_equal(w->log, "el.");
	assert_int_equal(loop_stats(w->loop)->stalls, 2);
	log_close(&log);
	close(ends[1]);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	close(ends[0]);
	assert_non_null(
	        strstr(text, "event=loop_stalled module=loop callback=test_loop.c:take_long_on_event took_ms="));
	assert_null(strstr(text, "callback=test_loop.c:take_long ")); /* one line in ten seconds */
}

static void look_who_runs(void *arg)
{
	struct world *w = arg;

	assert_string_equal(loop_running(w->loop), "test_loop.c:look_who_runs");
	w->calls++;
}

static void test_the_callback_at_work_has_a_name(void **state)
{
	struct world *w = *state;

	post_set(loop_sched(w->loop), &w->post, look_who_runs, w);
	run_for(w, 1);
	assert_int_equal(w->calls, 1);
	assert_null(loop_running(w->loop));
}

/* Reads bytes one by one, as an owner with a bound per turn would. */
static void read_a_byte(void *arg, unsigned events)
{
	struct world *w = arg;
	char byte;

	(void)events;
	assert_int_equal(read(watch_fd(w->watch), &byte, 1), 1);
	note(w, byte);
	if (byte == '9')
		timer_stop(loop_sched(w->loop), &w->timer);
}

static void test_what_came_during_a_stall_is_read_before_timers_run(void **state)
{
	struct world *w = *state;

	watch_pair(w, read_a_byte);
	watch_set(w->watch, WATCH_READ);
	timer_set_in(loop_sched(w->loop), &w->timer, 10, note_t, w); /* a deadline that the answer, 9, met */
	assert_int_equal(write(w->peer, "0123456789", 10), 10);
	busy_for(300);
	run_for(w, 1);
	assert_string_equal(w->log, "0123456789.");
}

static void read_for_ever(void *arg, unsigned events)
{
	struct world *w = arg;

	(void)events;
	w->calls++;
}

static void test_a_descriptor_that_is_never_empty_holds_up_no_timer_for_long(void **state)
{
	struct world *w = *state;

	watch_pair(w, read_for_ever);
	watch_set(w->watch, WATCH_WRITE);
	timer_set_in(loop_sched(w->loop), &w->timer, 10, stop, w);
	busy_for(300);
	loop_run(w->loop);
	assert_in_range(w->calls, 16, 100);
}

static void nothing(void *arg)
{
	struct world *w = arg;

	if (++w->calls < w->limit)
		post_set(loop_sched(w->loop), &w->post, nothing, w);
	else
		loop_stop(w->loop);
}

/* "The price of a callback": prints what posting and running one costs, with all that is done around it. */
static void test_watching_over_callbacks_costs_next_to_nothing(void **state)
{
	struct world *w = *state;
	mono_t start = clock_mono();

	w->limit = 1000000;
	post_set(loop_sched(w->loop), &w->post, nothing, w);
	loop_run(w->loop);
	print_message("a post, set and run: %d ns\n", (int)mono_diff(clock_mono(), start));
	assert_true(mono_diff(clock_mono(), start) < 5000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_timer_never_fires_early),
		TEST(test_a_timer_set_after_long_work_is_not_early),
		TEST(test_a_post_does_not_wait_for_an_event),
		TEST(test_a_post_that_posts_itself_for_ever_starves_nobody),
		TEST(test_a_turn_runs_events_then_timers_then_posts),
		TEST(test_a_watch_hears_only_of_its_mask),
		TEST(test_no_callback_comes_after_the_close),
		TEST(test_a_descriptor_number_can_be_watched_again_at_once),
		TEST(test_a_released_descriptor_stays_open),
		TEST(test_an_error_is_told_as_all_that_was_asked_for_until_dealt_with),
		TEST(test_a_regular_file_is_refused_and_stays_the_callers),
		TEST(test_without_a_timer_the_wait_ends_by_an_event),
		TEST(test_an_epoll_set_can_be_watched),
		TEST(test_signals_come_with_their_sender_and_flooding_loses_none),
		TEST(test_an_object_is_buried_at_the_end_of_the_turn),
		TEST(test_a_stop_before_the_run_is_not_lost),
		TEST(test_a_watch_that_is_left_is_named_by_file_and_line),
		TEST(test_a_callback_that_takes_long_is_counted_and_told_by_name),
		TEST(test_the_callback_at_work_has_a_name),
		TEST(test_what_came_during_a_stall_is_read_before_timers_run),
		TEST(test_a_descriptor_that_is_never_empty_holds_up_no_timer_for_long),
		TEST(test_watching_over_callbacks_costs_next_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
