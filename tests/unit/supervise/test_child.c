#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "supervise/child.h"
#include "supervise/reaper.h"

/* What is waited for in vain, and how long we are patient with a loaded machine for what will come. */
enum { SHORT_MS = 50, LONG_MS = 5000, PATIENCE_MS = 20000 };

struct world;

/* What a backend would be: it owns the pipes. */
struct owner {
	struct world *world;
	struct child *child;
	struct watch *out;
	int in, err;
	char text[4096];
	size_t n;
	const char *until; /* stop the loop when this was read */
	struct child_exit exited, gone;
	int exits, gones, closes;
};

struct world {
	struct log *log;
	int nowhere;
	struct loop *loop;
	struct supervisor *sup;
	struct owner owners[20];
	struct timer guard;
	int left; /* to be gone before the loop stops */
	bool swept;
	mono_t start;
	msec_t eof_ms, term_ms, output_ms; /* of the children to come */
};

static void on_signal(void *arg, int signo, int pid)
{
	struct world *w = arg;

	(void)pid;
	assert_int_equal(signo, SIGCHLD);
	supervisor_sigchld(w->sup);
}

static void too_long(void *arg)
{
	(void)arg;
	fail_msg("nothing happens any more");
}

static void run(struct world *w)
{
	timer_set(loop_sched(w->loop), &w->guard, mono_add(clock_mono(), PATIENCE_MS), too_long, w);
	loop_run(w->loop);
	timer_stop(loop_sched(w->loop), &w->guard);
}

static void stop_loop(void *arg)
{
	struct world *w = arg;

	loop_stop(w->loop);
}

static void run_for(struct world *w, msec_t ms)
{
	struct timer timer = { 0 };

	timer_set(loop_sched(w->loop), &timer, mono_add(clock_mono(), ms), stop_loop, w);
	run(w);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	sigset_t set;
	struct err e;

	w->nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	w->log = log_open(w->nowhere, LOG_TEXT);
	assert_true(log_set_levels(w->log, SPAN("trace"), &e));
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	w->loop = loop_new(&e);
	w->sup = supervisor_new(w->loop, &(struct logger){ .log = w->log, .module = "supervise" }, &e);
	assert_true(loop_signals(w->loop, &set, on_signal, w, &e));
	w->start = clock_mono();
	w->eof_ms = w->term_ms = w->output_ms = LONG_MS;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	/* Nobody is left. One that was killed with its group may have been missing from the list of children
	 * (proc_pid_task_children(5)), so that the supervisor reaps it at its next look, a second later. */
	for (mono_t until = mono_add(clock_mono(), LONG_MS); !reaper_is_alone() && !mono_past(until, clock_mono());)
		run_for(w, 10);
	assert_true(reaper_is_alone());
	for (size_t i = 0; i < 20; i++) {
		watch_close(&w->owners[i].out);
		if (w->owners[i].in > 0)
			close(w->owners[i].in);
		if (w->owners[i].err > 0)
			close(w->owners[i].err);
	}
	supervisor_free(&w->sup);
	loop_free(&w->loop);
	log_close(&w->log);
	close(w->nowhere);
	free(w);
	return 0;
}

/* The owner */

static void on_out(void *arg, unsigned events)
{
	struct owner *o = arg;
	ssize_t n = read(watch_fd(o->out), o->text + o->n, sizeof(o->text) - 1 - o->n);

	(void)events;
	if (n <= 0) {
		watch_set(o->out, 0);
		child_output_ended(o->child);
		return;
	}
	o->n += (size_t)n;
	if (o->until != NULL && strstr(o->text, o->until) != NULL)
		loop_stop(o->world->loop);
}

static void on_close_stdin(void *arg)
{
	struct owner *o = arg;

	o->closes++;
	close(o->in);
	o->in = -1;
}

static void on_exited(void *arg, const struct child_exit *how)
{
	struct owner *o = arg;

	assert_int_equal(o->gones, 0);
	o->exits++;
	o->exited = *how;
}

static void on_gone(void *arg, const struct child_exit *how)
{
	struct owner *o = arg;

	assert_int_equal(o->exits, 1);
	o->gones++;
	o->gone = *how;
	watch_close(&o->out); /* an escapee may hold it open; nobody waits for that */
	if (--o->world->left == 0)
		loop_stop(o->world->loop);
}

static const struct child_events events = { on_exited, on_gone };
static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };

static struct owner *start_argv(struct world *w, const char *const *argv)
{
	const struct child_conf conf = { .name = "test",
		.argv = argv,
		.env = env,
		.stop_eof_ms = w->eof_ms,
		.stop_term_ms = w->term_ms,
		.output_ms = w->output_ms };
	struct owner *o = w->owners;
	struct err e;
	int out;

	while (o->world != NULL)
		o++;
	o->world = w;
	o->child = child_spawn(w->sup, &conf, &events, o, &o->in, &out, &o->err, &e);
	if (o->child == NULL)
		fail_msg("%s", e.text);
	child_on_close_stdin(o->child, on_close_stdin);
	o->out = watch_open(w->loop, out, on_out, o);
	watch_set(o->out, WATCH_READ);
	w->left++;
	return o;
}

static struct owner *start(struct world *w, const char *script)
{
	return start_argv(w, (const char *const[]){ "sh", "-c", script, NULL });
}

static void run_until(struct owner *o, const char *text)
{
	o->until = text;
	if (strstr(o->text, text) == NULL)
		run(o->world);
	o->until = NULL;
}

static void send_line(struct owner *o)
{
	assert_int_equal(write(o->in, "go\n", 3), 3);
}

/* The ladder, with real processes */

static const struct stop_row {
	const char *what, *script;
	enum child_stop how;
	msec_t eof_ms, term_ms;
	struct child_exit end;
	msec_t least_ms;
} stop_rows[] = {
/* clang-format off */
#define STUBBORN "trap '' TERM; echo up; exec sleep 100"
	{ "leaves at EOF",      "echo up; cat",            CHILD_STOP_LADDER, LONG_MS,  LONG_MS,  { false, 0, false, true },      0 },
	{ "leaves at EOF, 7",   "echo up; cat; exit 7",    CHILD_STOP_LADDER, LONG_MS,  LONG_MS,  { false, 7, false, true },      0 },
	{ "leaves at SIGTERM",  "echo up; exec sleep 100", CHILD_STOP_LADDER, SHORT_MS, LONG_MS,  { true, SIGTERM, false, true }, SHORT_MS },
	{ "handles SIGTERM",    "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done",
	                                                   CHILD_STOP_LADDER, SHORT_MS, LONG_MS,  { false, 5, false, true },      SHORT_MS },
	{ "stubborn",           STUBBORN,                  CHILD_STOP_LADDER, SHORT_MS, SHORT_MS, { true, SIGKILL, true, true },  2 * SHORT_MS },
	{ "fast, at SIGTERM",   "echo up; exec sleep 100", CHILD_STOP_FAST,   LONG_MS,  LONG_MS,  { true, SIGTERM, false, true }, 0 },
	{ "fast, stubborn",     STUBBORN,                  CHILD_STOP_FAST,   LONG_MS,  LONG_MS,  { true, SIGKILL, true, true },  500 },
	{ "killed",             "echo up; exec sleep 100", CHILD_STOP_KILL,   LONG_MS,  LONG_MS,  { true, SIGKILL, true, true },  0 },
	/* clang-format on */
};

static void assert_exit(const struct child_exit *got, const struct child_exit *wanted, const char *what)
{
	if (got->signaled != wanted->signaled || got->code != wanted->code || got->killed != wanted->killed ||
	        got->asked != wanted->asked)
		fail_msg("%s: signaled %d code %d killed %d asked %d", what, got->signaled, got->code, got->killed,
		        got->asked);
}

static void test_every_way_to_stop_ends_as_it_should(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(stop_rows) / sizeof(stop_rows[0]); i++) {
		const struct stop_row *row = &stop_rows[i];
		w->eof_ms = row->eof_ms;
		w->term_ms = row->term_ms;
		struct owner *o = start(w, row->script);
		run_until(o, "up\n");
		mono_t asked = loop_now(w->loop);
		child_stop(o->child, row->how);
		assert_int_equal(o->closes, 0); /* posted, not within the call */
		run(w);
		assert_exit(&o->exited, &row->end, row->what);
		assert_exit(&o->gone, &row->end, row->what);
		assert_int_equal(o->exits, 1);
		assert_int_equal(o->gones, 1);
		assert_true(o->closes <= 1); /* 0: it was gone first */
		msec_t took = mono_diff(loop_now(w->loop), asked);
		if (took < row->least_ms || took >= row->least_ms + LONG_MS)
			fail_msg("%s: after %d ms", row->what, (int)took);
	}
}

static void test_a_crash_is_told_apart_from_a_stop(void **state)
{
	struct world *w = *state;
	struct owner *o = start(w, "exit 3");

	run(w);
	assert_exit(&o->gone, &(struct child_exit){ false, 3, false, false }, "exit 3");
	o = start(w, "kill -SEGV $$");
	run(w);
	assert_exit(&o->gone, &(struct child_exit){ true, SIGSEGV, false, false }, "SIGSEGV");
	o = start(w, "kill -KILL $$"); /* the OOM killer, say */
	run(w);
	assert_exit(&o->gone, &(struct child_exit){ true, SIGKILL, false, false }, "SIGKILL");
	assert_int_equal(o->closes, 0);
	struct supervisor_stats stats;
	supervisor_stats(w->sup, &stats);
	assert_int_equal(stats.spawned, 3);
	assert_int_equal(stats.killed, 0);
	assert_int_equal(stats.children, 0);
}

/* The end of its stdout may be seen before its exit, and make its owner stop it. */
static void test_who_is_stopped_when_already_dead_was_not_asked(void **state)
{
	struct world *w = *state;
	struct owner *o = start(w, "exit 3");
	struct supervisor_stats stats;
	siginfo_t info;

	waitid(P_PID, (id_t)child_pid(o->child), &info, WEXITED | WNOWAIT);
	child_stop(o->child, CHILD_STOP_LADDER);
	run(w);
	assert_exit(&o->gone, &(struct child_exit){ false, 3, false, false }, "exit 3");
	supervisor_stats(w->sup, &stats);
	assert_int_equal(stats.stopped, 0);
}

static void test_stopping_again_and_faster_shortens_the_way(void **state)
{
	struct world *w = *state;
	struct owner *o = start(w, "trap '' TERM; echo up; exec sleep 100");

	run_until(o, "up\n");
	child_stop(o->child, CHILD_STOP_LADDER);
	child_stop(o->child, CHILD_STOP_LADDER);
	child_stop(o->child, CHILD_STOP_FAST);
	child_stop(o->child, CHILD_STOP_FAST);
	child_stop(o->child, CHILD_STOP_LADDER);
	child_stop(o->child, CHILD_STOP_KILL);
	child_stop(o->child, CHILD_STOP_FAST);
	run(w);
	assert_true(o->closes <= 1);
	assert_true(o->gone.killed);
}

static void test_what_was_written_before_the_end_can_be_read(void **state)
{
	struct world *w = *state;
	struct owner *o = start(w, "read x; i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done; exit 4");

	watch_set(o->out, 0);
	send_line(o);
	run_for(w, 30);
	assert_int_equal(o->gones, 0); /* its output is waited for */
	watch_set(o->out, WATCH_READ);
	run(w);
	assert_non_null(strstr(o->text, "\n299\n"));
	assert_int_equal(o->gone.code, 4);
}

static void test_a_failed_start_says_why_and_leaves_nothing(void **state)
{
	struct world *w = *state;
	const struct child_conf conf = { .name = "x", .argv = (const char *const[]){ "nope", NULL }, .env = env };
	int in, out, err;
	struct err e;

	assert_null(child_spawn(w->sup, &conf, &events, w, &in, &out, &err, &e));
	assert_string_equal(e.text, "command \"nope\": not found in PATH (/usr/bin:/bin)");
	assert_int_equal(e.sys, ENOENT);
	struct supervisor_stats stats;
	supervisor_stats(w->sup, &stats);
	assert_int_equal(stats.children, 0);
	assert_int_equal(stats.spawned, 0);
}

static void test_the_environment_names_the_backend_and_the_serial(void **state)
{
	struct world *w = *state;
	struct owner *o = start(w, "env; cat");

	run_until(o, "PATH=/usr/bin:/bin\n");
	assert_non_null(strstr(o->text, "SLUICE_BACKEND=test.1\n"));
	child_stop(o->child, CHILD_STOP_KILL);
	run(w);
	o = start(w, "echo $SLUICE_BACKEND");
	run(w);
	assert_string_equal(o->text, "test.2\n");
}

static void test_children_get_the_old_limit_of_open_files(void **state)
{
	struct world *w = *state;
	char wanted[32];

	supervisor_set_child_fds(w->sup, 99);
	struct owner *o = start(w, "echo $$; ulimit -n");
	snprintf(wanted, sizeof(wanted), "%d\n99\n", child_pid(o->child));
	run(w);
	assert_string_equal(o->text, wanted);
}

/* Who the leader leaves behind */

static struct world *with_short_times(void **state)
{
	struct world *w = *state;

	w->term_ms = w->output_ms = SHORT_MS;
	return w;
}

static void test_the_rest_of_the_group_is_warned_before_it_is_killed(void **state)
{
	struct world *w = *state;
	struct owner *o =
	        start(w, "(trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.01; done) & read x; exit 1");

	run_until(o, "up\n");
	send_line(o);
	run(w);
	assert_non_null(strstr(o->text, "bye\n"));
	assert_int_equal(o->gone.code, 1);
}

static void test_the_rest_of_the_group_is_warned_once(void **state)
{
	struct world *w = with_short_times(state);
	struct owner *o = start(w, "(trap 'echo warned' TERM; echo up; while :; do sleep 0.01; done) & read x; exit 1");

	run_until(o, "up\n");
	send_line(o);
	run(w);
	const char *first = strstr(o->text, "warned\n");
	assert_non_null(first);
	assert_null(strstr(first + 1, "warned\n"));
}

static void test_a_stubborn_rest_of_the_group_is_killed(void **state)
{
	struct world *w = with_short_times(state);
	struct owner *o = start(w, "(trap '' TERM; echo up; exec sleep 100) & read x; exit 1");

	run_until(o, "up\n");
	mono_t start = clock_mono();
	send_line(o);
	run(w);
	assert_true(mono_diff(clock_mono(), start) >= SHORT_MS); /* it had its time */
}

static void test_an_escapee_to_another_session_is_warned_too(void **state)
{
	struct world *w = *state;
	struct owner *o = start(w,
	        "setsid sh -c 'trap \"echo bye; exit\" TERM; echo up; while :; do sleep 0.01; done' & read x; exit 1");

	run_until(o, "up\n");
	send_line(o);
	run(w);
	assert_non_null(strstr(o->text, "bye\n"));
}

static void test_a_stubborn_escapee_that_holds_stdout_is_killed_in_time(void **state)
{
	struct world *w = with_short_times(state);
	struct owner *o = start(w, "setsid sh -c 'trap \"\" TERM; echo up; exec sleep 100' & cat");

	run_until(o, "up\n");
	mono_t start = clock_mono();
	child_stop(o->child, CHILD_STOP_LADDER);
	run(w);
	assert_in_range(mono_diff(clock_mono(), start), SHORT_MS, LONG_MS);
	assert_false(o->gone.killed); /* the leader left in peace */
}

static void test_an_escapee_without_our_tag_is_known_by_its_session(void **state)
{
	struct world *w = with_short_times(state);
	struct owner *o = start(w, "env -i /bin/sh -c 'trap \"\" TERM; echo up; exec /bin/sleep 100' & cat");

	run_until(o, "up\n");
	child_stop(o->child, CHILD_STOP_LADDER);
	run(w);
}

/* Each generation is re-parented to us only when the one before has died. */
static void test_generations_of_escapees_are_swept(void **state)
{
	struct world *w = with_short_times(state);
	struct owner *o = start(w,
	        "f='trap \"\" TERM; n=$((n-1)); export n; [ $n -gt 0 ] && setsid sh -c \"$f\" & echo $n; exec sleep 100';"
	        "export f n=8; setsid sh -c \"$f\" & read x");

	run_until(o, "\n0\n");
	child_stop(o->child, CHILD_STOP_LADDER);
	run(w);
}

static void test_the_escapee_of_a_living_child_is_left_alone(void **state)
{
	struct world *w = *state;
	struct owner *living = start(w, "(setsid sh -c 'echo up; exec sleep 100' &) ; cat");
	struct owner *other = start(w, "read x");

	run_until(living, "up\n");
	w->left--;
	send_line(other);
	run(w); /* gone, and everybody was looked at */
	assert_int_equal(other->gones, 1);
	for (int i = 0; i < 3; i++) {
		supervisor_sigchld(w->sup);
		run_for(w, 10);
	}
	assert_int_equal(living->exits, 0);
	struct reaper r;
	struct err e;
	reaper_init(&r, &e);
	reaper_list(&r);
	assert_int_equal(r.n, 2); /* the child and its escapee, alive */
	reaper_clear(&r);
	w->left++;
	child_stop(living->child, CHILD_STOP_LADDER);
	w->left = 1;
	run(w);
}

/* It hides from the sweep behind a parent of which nothing is known, and comes out when the child is long gone. */
static void test_an_orphan_of_a_child_long_gone_is_warned_then_killed(void **state)
{
	struct world *w = with_short_times(state);
	struct owner *o =
	        start(w, "env -i setsid sh -c 'trap \"\" TERM; sleep 0.3; SLUICE_BACKEND=test.1 sleep 100 &' & cat");
	struct supervisor_stats stats;

	run_for(w, 50);
	child_stop(o->child, CHILD_STOP_LADDER);
	run(w);
	mono_t start = clock_mono();
	do {
		run_for(w, 10);
		supervisor_stats(w->sup, &stats);
	} while (!reaper_is_alone());
	assert_int_equal(stats.killed, 0); /* that is the count of children */
	assert_in_range(mono_diff(clock_mono(), start), 1000, LONG_MS);
}

/* During exec the environment is empty for a moment: a storm of scans must not use up all looks in it. */
static void test_an_orphan_that_cannot_be_told_at_first_is_looked_at_again(void **state)
{
	struct world *w = with_short_times(state);
	struct owner *o = start(
	        w, "(env -i setsid sh -c 'echo up; sleep 0.3; SLUICE_BACKEND=test.1 exec sleep 100' >&2 &) ; exit 1");

	run(w);
	assert_int_equal(o->gones, 1);
	do {
		supervisor_sigchld(w->sup);
		run_for(w, 10);
	} while (!reaper_is_alone());
}

static void test_strangers_are_reaped_and_no_status_is_stolen(void **state)
{
	struct world *w = *state;
	struct owner *o[10];
	struct supervisor_stats stats;
	char script[100];

	for (int i = 0; i < 10; i++) {
		snprintf(script, sizeof(script), "for j in 1 2 3 4 5 6 7 8; do (true &) ; done; read x; exit %d", i);
		o[i] = start(w, script);
	}
	do {
		run_for(w, 10);
		supervisor_stats(w->sup, &stats);
	} while (stats.orphans_reaped < 80);
	assert_int_equal(stats.orphans_reaped, 80);
	for (int i = 0; i < 10; i++)
		send_line(o[i]);
	run(w);
	for (int i = 0; i < 10; i++)
		assert_exit(&o[i]->gone, &(struct child_exit){ false, i, false, false }, "one of ten");
}

/* The end */

static void on_swept(void *arg)
{
	struct world *w = arg;

	w->swept = true;
	loop_stop(w->loop);
}

static void sweep(struct world *w, msec_t ms)
{
	w->left++; /* the loop stops when all is swept, not when the last child is gone */
	supervisor_sweep(w->sup, mono_add(clock_mono(), ms), on_swept, w);
	assert_false(w->swept);
	run(w);
	assert_true(w->swept);
}

static void test_the_final_sweep_leaves_nobody(void **state)
{
	struct world *w = *state;
	struct owner *stubborn = start(w, "trap '' TERM; echo up; exec sleep 100");
	struct owner *escaped = start(
	        w, "setsid sh -c 'trap \"\" TERM; setsid sleep 100 & setsid sleep 100 & echo up; cat <&3' 3<&0 & cat");
	struct owner *ended = start(w, "exit 0");

	run_until(stubborn, "up\n");
	run_until(escaped, "up\n");
	sweep(w, PATIENCE_MS);
	assert_int_equal(stubborn->gones, 1);
	assert_int_equal(escaped->gones, 1);
	assert_int_equal(ended->gones, 1);
	assert_true(stubborn->gone.killed);
	assert_true(stubborn->gone.asked);
	assert_int_equal(stubborn->closes, 1);
}

static void test_the_final_sweep_takes_strangers_too(void **state)
{
	struct world *w = with_short_times(state);
	struct owner *o =
	        start(w, "env -i /usr/bin/setsid /bin/sh -c 'trap \"\" TERM; echo up; exec /bin/sleep 100' & cat");

	run_until(o, "up\n");
	child_stop(o->child, CHILD_STOP_LADDER);
	run(w); /* nothing tells whose it is: it stays */
	struct reaper r;
	struct err e;
	reaper_init(&r, &e);
	reaper_list(&r);
	assert_int_equal(r.n, 1);
	reaper_clear(&r);
	sweep(w, PATIENCE_MS);
}

static void test_a_sweep_of_nobody_is_done_at_once(void **state)
{
	struct world *w = *state;

	sweep(w, PATIENCE_MS);
	assert_true(mono_diff(clock_mono(), w->start) < 1000);
}

static void test_a_sweep_whose_time_is_up_is_done_all_the_same(void **state)
{
	struct world *w = *state;
	struct owner *o = start(w, "echo up; exec sleep 100");

	run_until(o, "up\n");
	sweep(w, 0);
	w->left = 1;
	run(w); /* in the program nobody waits for this */
	assert_true(o->gone.killed);
}

static void test_killing_all_reaches_every_group(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 5; i++)
		run_until(start(w, "trap '' TERM; (exec sleep 100) & echo up; exec sleep 100"), "up\n");
	supervisor_kill_all(w->sup);
	run(w);
	for (int i = 0; i < 5; i++)
		assert_true(w->owners[i].gone.killed);
}

/* As pid 1 of a namespace whose /proc is an outer one: its numbers would kill others. */
static int init_of_a_namespace(void)
{
	void *state;
	struct reaper r;
	struct err e;

	reaper_init(&r, &e);
	assert_false(r.proc_is_ours);
	reaper_clear(&r);
	set_up(&state);
	struct world *w = with_short_times(&state);
	struct owner *o = start(w, "setsid sh -c 'trap \"\" TERM; setsid sleep 100 & echo up; exec sleep 100' & cat");
	run_until(o, "up\n");
	child_stop(o->child, CHILD_STOP_LADDER);
	run(w);
	sweep(w, PATIENCE_MS);
	return tear_down(&state) + 42;
}

static void test_a_foreign_proc_is_not_believed(void **state)
{
	int status;

	(void)state;
	pid_t helper = fork();
	if (helper == 0) {
		if (unshare(CLONE_NEWPID) != 0)
			_exit(42); /* no right to: nothing to see */
		pid_t init = fork();
		if (init == 0)
			_exit(init_of_a_namespace());
		waitpid(init, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	assert_int_equal(waitpid(helper, &status, 0), helper);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_way_to_stop_ends_as_it_should),
		TEST(test_a_crash_is_told_apart_from_a_stop),
		TEST(test_who_is_stopped_when_already_dead_was_not_asked),
		TEST(test_stopping_again_and_faster_shortens_the_way),
		TEST(test_what_was_written_before_the_end_can_be_read),
		TEST(test_a_failed_start_says_why_and_leaves_nothing),
		TEST(test_the_environment_names_the_backend_and_the_serial),
		TEST(test_children_get_the_old_limit_of_open_files),
		TEST(test_the_rest_of_the_group_is_warned_before_it_is_killed),
		TEST(test_the_rest_of_the_group_is_warned_once),
		TEST(test_a_stubborn_rest_of_the_group_is_killed),
		TEST(test_an_escapee_to_another_session_is_warned_too),
		TEST(test_a_stubborn_escapee_that_holds_stdout_is_killed_in_time),
		TEST(test_an_escapee_without_our_tag_is_known_by_its_session),
		TEST(test_generations_of_escapees_are_swept),
		TEST(test_the_escapee_of_a_living_child_is_left_alone),
		TEST(test_an_orphan_of_a_child_long_gone_is_warned_then_killed),
		TEST(test_an_orphan_that_cannot_be_told_at_first_is_looked_at_again),
		TEST(test_strangers_are_reaped_and_no_status_is_stolen),
		TEST(test_the_final_sweep_leaves_nobody),
		TEST(test_the_final_sweep_takes_strangers_too),
		TEST(test_a_sweep_of_nobody_is_done_at_once),
		TEST(test_a_sweep_whose_time_is_up_is_done_all_the_same),
		TEST(test_killing_all_reaches_every_group),
		cmocka_unit_test(test_a_foreign_proc_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
