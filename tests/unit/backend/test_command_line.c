#include "stdio_rig.h"

#include <sys/stat.h>

#include "backend/command_line.h"

/* Scripts by the name of their tool. */
static const char *const sh_args[] = { NULL };
static const char *const echo_args[] = { "-c", "echo \"$@\"", "sh", NULL };
static const char *const hold_args[] = { "-c", "exec sleep 600", NULL };
static const char *const soon_args[] = { "-c", "sleep 0.3; echo done", NULL };
static const struct command_preset presets[] = {
	{ .name = "echo", .args = echo_args },
	{ .name = "hold", .args = hold_args },
	{ .name = "soon", .args = soon_args },
	{ .name = "plain", .args = sh_args },
};

static void use_argv(struct rig *r, const char *const *argv)
{
	r->conf.argv = argv;
	r->conf.kind = BACKEND_COMMAND;
	r->conf.depth = 2;
	r->conf.max_processes = 16;
	r->conf.stop_eof_ms = 0;
	r->b = NULL;
}

static void open_command(struct rig *r)
{
	static const char *const argv[] = { "sh", NULL };

	rig_open(r, "unused");
	use_argv(r, argv);
	r->conf.presets = presets;
	r->conf.preset_count = sizeof(presets) / sizeof(presets[0]);
}

static void make(struct rig *r)
{
	r->b = command_line_new(r->loop, r->supervisor, &r->conf, &events, r, &(struct logger){ 0 }, 1);
}

static void start_command(struct rig *r)
{
	open_command(r);
	make(r);
	start(r);
	assert_true(run_until(r, is_ready));
}

/* A program whose help text never comes. */
static void open_hanging(struct rig *r)
{
	static const char *const argv[] = { "sh", "-c", "trap '' TERM; while :; do sleep 1; done", NULL };

	rig_open(r, "unused");
	use_argv(r, argv);
	r->conf.stop_term_ms = 100;
	make(r);
}

static bool is_probing(struct rig *r)
{
	struct supervisor_stats stats;

	supervisor_stats(r->supervisor, &stats);
	return stats.children > 0;
}

static bool has_pid(struct rig *r)
{
	return stats_of(r).pid != 0;
}

static bool is_tried_again(struct rig *r)
{
	return stats_of(r).restarts == 1;
}

static void no_more(struct rig *r)
{
	r->down = true;
	r->b->ops->no_more(r->b);
	r->down = false;
}

static void test_ready_without_a_process_and_one_for_each_call(void **state)
{
	struct call a, b;
	struct rig r;

	(void)state;
	start_command(&r);
	assert_int_equal(r.hellos, 1);
	assert_int_equal(r.lists, 1);
	assert_int_equal(r.tools, 4);
	assert_int_equal(stats_of(&r).pid, 0);
	submit(&r, &a, "\"name\":\"echo\",\"arguments\":{\"args\":[\"a b\",\"c\"]}");
	submit(&r, &b, "\"name\":\"echo\",\"arguments\":{\"args\":[\"-d\"]}");
	await(&r, &a);
	await(&r, &b);
	expect_end(&a, END_RESULT, OUTCOME_KNOWN);
	assert_non_null(strstr(a.answer, "\"text\":\"a b c\\n\"}],\"isError\":false"));
	assert_non_null(strstr(b.answer, "\"text\":\"-- -d\\n\""));
	assert_int_equal(stats_of(&r).pid, 0);
	assert_int_equal(r.state, BACKEND_READY);
	rig_end(&r);
}

static void test_what_is_wrong_is_answered_without_a_process(void **state)
{
	static const struct {
		const char *params, *answer;
		enum end_reason why;
	} rows[] = {
		{ "\"name\":\"echo\",\"arguments\":{\"x\":1}", "there is no argument", END_RESULT },
		{ "\"name\":\"echo\",\"arguments\":7", "must be an object", END_RESULT },
		{ "\"name\":\"ech\"", "-32602", END_SERVER_ERROR },
		{ "\"name\":7", "-32602", END_SERVER_ERROR },
	};
	struct call c;
	struct rig r;

	(void)state;
	start_command(&r);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		submit(&r, &c, rows[i].params);
		await(&r, &c);
		expect_end(&c, rows[i].why, OUTCOME_KNOWN);
		assert_non_null(strstr(c.answer, rows[i].answer));
	}
	submit(&r, &c, "\"name\":\"ech\"");
	assert_int_equal(cancel(&r, &c), OUTCOME_NOT_SENT); /* its answer was due */
	struct supervisor_stats stats;
	supervisor_stats(r.supervisor, &stats);
	assert_int_equal(stats.spawned, 0);
	rig_end(&r);
	assert_int_equal(c.ends, 0);
}

static void test_so_many_at_a_time_and_no_more_than_may_wait(void **state)
{
	struct call first, second, third, fourth;
	struct rig r;

	(void)state;
	open_command(&r);
	r.conf.max_processes = 1;
	r.conf.max_in_flight = 3;
	make(&r);
	submit_tool(&r, &first, "hold");
	submit_tool(&r, &second, "hold");
	submit_tool(&r, &third, "echo");
	submit_tool(&r, &fourth, "echo");
	await(&r, &fourth);
	expect_end(&fourth, END_OVERLOADED, OUTCOME_NOT_SENT);
	assert_true(run_until(&r, has_pid));
	assert_int_equal(cancel(&r, &second), OUTCOME_NOT_SENT);
	assert_int_equal(third.ends, 0);
	assert_int_equal(cancel(&r, &first), OUTCOME_UNKNOWN); /* its place is free when it is gone */
	await(&r, &third);
	expect_end(&third, END_RESULT, OUTCOME_KNOWN);
	rig_end(&r);
	assert_int_equal(first.ends + second.ends, 0);
}

static void test_a_configuration_with_more_room_is_used_at_once(void **state)
{
	struct call first, second;
	struct rig r;

	(void)state;
	open_command(&r);
	r.conf.max_processes = 1;
	make(&r);
	submit_tool(&r, &first, "hold");
	submit_tool(&r, &second, "echo");
	assert_true(run_until(&r, has_pid));
	struct backend_conf *more = backend_conf_copy(&r.conf);
	more->max_processes = 2;
	r.down = true;
	r.b->ops->configure(r.b, more);
	r.down = false;
	await(&r, &second);
	expect_end(&second, END_RESULT, OUTCOME_KNOWN);
	assert_int_equal(first.ends, 0);
	cancel(&r, &first);
	rig_end(&r);
	backend_conf_free(&more);
}

static void test_no_more_lets_what_runs_finish_and_begins_nothing(void **state)
{
	struct call running, waiting, late;
	struct rig r;

	(void)state;
	open_command(&r);
	r.conf.max_processes = 1;
	make(&r);
	submit_tool(&r, &running, "soon");
	submit_tool(&r, &waiting, "echo");
	assert_true(run_until(&r, has_pid));
	no_more(&r);
	submit_tool(&r, &late, "echo");
	await(&r, &late);
	await(&r, &waiting);
	expect_end(&waiting, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	expect_end(&late, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	assert_int_equal(running.ends, 0);
	await(&r, &running);
	expect_end(&running, END_RESULT, OUTCOME_KNOWN);
	assert_int_equal(r.state, BACKEND_READY);
	stop(&r, BACKEND_STOP_LADDER);
	assert_true(run_until(&r, is_stopped));
	rig_end(&r);
}

static void test_a_stop_ends_what_runs(void **state)
{
	static const enum backend_stop hows[] = { BACKEND_STOP_LADDER, BACKEND_STOP_FAST, BACKEND_STOP_KILL };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct call running;
		struct rig r;
		start_command(&r);
		submit_tool(&r, &running, "hold");
		assert_true(run_until(&r, has_pid));
		r.b->ops->limit_stop(r.b, 10, 500);
		stop(&r, hows[i]);
		await(&r, &running);
		expect_end(&running, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
		assert_true(run_until(&r, is_stopped));
		rig_end(&r);
	}
}

static void test_a_stop_while_it_is_asked_for_help(void **state)
{
	static void (*const ways[])(struct rig * r) = { no_more, NULL, NULL, NULL };
	static const enum backend_stop hows[] = { 0, BACKEND_STOP_LADDER, BACKEND_STOP_FAST, BACKEND_STOP_KILL };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct call waiting;
		struct rig r;
		open_hanging(&r);
		submit_tool(&r, &waiting, "x");
		assert_true(run_until(&r, is_probing));
		if (ways[i] != NULL)
			ways[i](&r);
		else
			stop(&r, hows[i]);
		await(&r, &waiting);
		expect_end(&waiting, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
		assert_true(run_until(&r, is_stopped));
		assert_false(is_probing(&r));
		rig_end(&r);
	}
}

static void test_a_start_has_its_time_and_another_try(void **state)
{
	struct rig r;

	(void)state;
	open_hanging(&r);
	r.conf.startup_timeout_ms = 200;
	r.b->ops->configure(r.b, &r.conf);
	start(&r);
	assert_true(run_until(&r, is_backoff));
	assert_string_equal(r.why, "not ready within 200 ms"); /* it does not heed the SIGTERM of its help text */
	assert_true(run_until(&r, is_tried_again));
	rig_end(&r);
}

static void test_a_program_that_is_not_there_is_given_up_for_the_moment(void **state)
{
	static const char *const argv[] = { "no-such-program", NULL };
	struct call waiting, next;
	struct rig r;

	(void)state;
	rig_open(&r, "unused");
	use_argv(&r, argv);
	make(&r);
	submit_tool(&r, &waiting, "x");
	r.wanted_why = "command \"no-such-program\": not found in PATH (/usr/bin:/bin)";
	assert_true(run_until(&r, is_hopeless));
	expect_end(&waiting, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	call(&r, &next, "x");
	expect_end(&next, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	assert_int_equal(r.hellos, 0);
	rig_end(&r);
}

static void test_a_program_that_goes_away_is_told_by_each_call(void **state)
{
	char path[] = "/tmp/sluice-test-command-XXXXXX";
	const char *argv[] = { path, NULL };
	struct call c;
	struct rig r;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "#!/bin/sh\necho here\n", 20), 20);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	open_command(&r);
	use_argv(&r, argv);
	make(&r);
	start(&r);
	assert_true(run_until(&r, is_ready));
	call(&r, &c, "plain");
	expect_end(&c, END_RESULT, OUTCOME_KNOWN);
	unlink(path);
	call(&r, &c, "plain");
	expect_end(&c, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	assert_non_null(strstr(stats_of(&r).last_error, "No such file"));
	assert_int_equal(r.state, BACKEND_READY);
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready_without_a_process_and_one_for_each_call),
		cmocka_unit_test(test_what_is_wrong_is_answered_without_a_process),
		cmocka_unit_test(test_so_many_at_a_time_and_no_more_than_may_wait),
		cmocka_unit_test(test_a_configuration_with_more_room_is_used_at_once),
		cmocka_unit_test(test_no_more_lets_what_runs_finish_and_begins_nothing),
		cmocka_unit_test(test_a_stop_ends_what_runs),
		cmocka_unit_test(test_a_stop_while_it_is_asked_for_help),
		cmocka_unit_test(test_a_start_has_its_time_and_another_try),
		cmocka_unit_test(test_a_program_that_is_not_there_is_given_up_for_the_moment),
		cmocka_unit_test(test_a_program_that_goes_away_is_told_by_each_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
