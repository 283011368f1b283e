#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

struct world {
	struct log *log;
	struct logger lg;
	int ends[2]; /* the reader's, ours */
	int flags;   /* of ours, at the start */
	char got[1 << 20];
	size_t n;
};

static void open_log(struct world *w, int reader, int writer)
{
	w->ends[0] = reader;
	w->ends[1] = writer;
	w->flags = fcntl(writer, F_GETFL);
	w->log = log_open(writer, LOG_TEXT);
	w->lg = (struct logger){ .log = w->log, .module = "test" };
}

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct world));
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	if (w->log != NULL)
		assert_int_equal(fcntl(w->ends[1], F_GETFL), w->flags); /* others share them */
	log_close(&w->log);
	fd_close(&w->ends[0]);
	fd_close(&w->ends[1]);
	free(w);
	return 0;
}

static void open_pipe(struct world *w)
{
	int ends[2];
	struct err e;

	assert_true(fd_pipe(ends, &e));
	open_log(w, ends[0], ends[1]);
}

/* All that can be read now. */
static const char *read_all(struct world *w)
{
	struct pollfd p = { .fd = w->ends[0], .events = POLLIN };
	ssize_t n;

	while (poll(&p, 1, 0) == 1 && (n = read(w->ends[0], w->got + w->n, sizeof(w->got) - 1 - w->n)) > 0)
		w->n += (size_t)n;
	w->got[w->n] = '\0';
	return w->got;
}

static size_t count_lines(const struct world *w)
{
	size_t lines = 0;

	for (size_t i = 0; i < w->n; i++)
		lines += w->got[i] == '\n';
	return lines;
}

static void test_levels_are_per_module(void **state)
{
	struct world *w = *state;
	struct err e;

	open_pipe(w);
	assert_true(log_on(&w->lg, LOG_INFO));
	assert_false(log_on(&w->lg, LOG_DEBUG));
	assert_true(log_set_levels(w->log, SPAN("warn, backend=debug,http=error"), &e));
	assert_false(log_on(&w->lg, LOG_INFO));
	assert_true(log_on(&w->lg, LOG_WARN));
	w->lg.module = "backend";
	assert_true(log_on(&w->lg, LOG_DEBUG));
	assert_false(log_on(&w->lg, LOG_TRACE));
	w->lg.module = "http";
	assert_false(log_on(&w->lg, LOG_WARN));
	w->lg.module = NULL;
	assert_true(log_on(&w->lg, LOG_WARN));
	w->lg.log = NULL;
	assert_false(log_on(&w->lg, LOG_ERROR));
}

static void test_a_bad_level_is_refused_and_changes_nothing(void **state)
{
	struct world *w = *state;
	static const char *const specs[] = {
		"", "loud", "info,", "debug,backend", "backend=", "=debug", "backend=loud",
		"a_name_of_more_than_15=debug",
		"a=warn,b=warn,c=warn,d=warn,e=warn,f=warn,g=warn,h=warn,i=warn,j=warn,k=warn,l=warn,m=warn,n=warn,o=warn,p=warn,q=warn"
	};
	struct err e;

	open_pipe(w);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		assert_false(log_set_levels(w->log, span_of(specs[i]), &e));
		assert_true(strlen(e.text) > 0);
		assert_false(log_on(&w->lg, LOG_DEBUG));
	}
}

static int calls;

static int costly(void)
{
	return ++calls;
}

static void test_arguments_are_not_evaluated_when_the_level_is_off(void **state)
{
	struct world *w = *state;

	open_pipe(w);
	calls = 0;
	log_debug(&w->lg, "e", "m", F_INT("n", costly()));
	assert_int_equal(calls, 0);
	log_info(&w->lg, "e", "m", F_INT("n", costly()));
	assert_int_equal(calls, 1);
	log_info(&w->lg, "bare", "no fields");
	assert_non_null(strstr(read_all(w), "event=bare module=test\n"));
}

static void test_a_stalled_reader_costs_lines_but_no_time(void **state)
{
	struct world *w = *state;
	mono_t start = clock_mono();

	open_pipe(w);
	for (int i = 0; i < 10000; i++)
		log_info(
		        &w->lg, "e", "a line of about a hundred bytes, so that ten thousand do not fit", F_INT("i", i));
	assert_true(mono_diff(clock_mono(), start) < 5000);
	assert_true(log_dropped(w->log) > 0);
	assert_false(log_flush(w->log));
	log_last_words(w->log);
	log_info(&w->lg, "shutdown_complete", "the last line");
	do
		read_all(w);
	while (!log_flush(w->log));
	read_all(w);
	assert_int_equal(count_lines(w) - 2, 10000 - log_dropped(w->log));
	char notice[64];
	snprintf(notice, sizeof(notice), "event=log_dropped lines=%d\n", (int)log_dropped(w->log));
	assert_non_null(strstr(w->got, notice));
	assert_true(strstr(w->got, "event=shutdown_complete") > strstr(w->got, notice)); /* the last is the last */
}

static void test_the_wait_fd_is_readable_when_there_is_room_and_something_to_write(void **state)
{
	struct world *w = *state;

	open_pipe(w);
	struct pollfd p = { .fd = log_wait_fd(w->log), .events = POLLIN };
	assert_true(p.fd >= 0);
	log_info(&w->lg, "e", "m");
	assert_int_equal(poll(&p, 1, 0), 0); /* nothing waits */
	for (int i = 0; i < 2000; i++)
		log_info(&w->lg, "e", "fill the pipe until it can take no more");
	assert_int_equal(poll(&p, 1, 0), 0); /* no room */
	read_all(w);
	assert_int_equal(poll(&p, 1, 0), 1);
	while (!log_flush(w->log))
		read_all(w);
	assert_int_equal(poll(&p, 1, 0), 0);
}

static void test_a_reader_that_is_gone_is_survived(void **state)
{
	struct world *w = *state;

	open_pipe(w);
	for (int i = 0; i < 2000; i++)
		log_info(&w->lg, "e", "fill the pipe until it can take no more");
	fd_close(&w->ends[0]);
	assert_true(log_flush(w->log));
	log_info(&w->lg, "e", "m");
	struct pollfd p = { .fd = log_wait_fd(w->log), .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0); /* no spinning on EPOLLERR */
	log_finish(w->log, mono_add(clock_mono(), 1000));
	assert_true(log_dropped(w->log) > 0);
}

static void test_the_finish_waits_for_a_slow_reader_no_longer_than_told(void **state)
{
	struct world *w = *state;
	mono_t start = clock_mono();

	open_pipe(w);
	for (int i = 0; i < 2000; i++)
		log_info(&w->lg, "e", "fill the pipe until it can take no more");
	log_finish(w->log, mono_add(start, 60));
	assert_in_range(mono_diff(clock_mono(), start), 60, 2000);
}

static void test_a_file_a_socket_and_dev_null_are_written_to(void **state)
{
	struct world *w = *state;
	char path[] = "/tmp/sluice-test-log-XXXXXX";
	int ends[2];

	int file = mkstemp(path);
	open_log(w, open(path, O_RDONLY | O_CLOEXEC), file);
	unlink(path);
	log_info(&w->lg, "to_file", "m");
	assert_non_null(strstr(read_all(w), "event=to_file"));
	assert_int_equal(tear_down(state), 0);

	set_up(state);
	w = *state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	open_log(w, ends[0], ends[1]);
	log_info(&w->lg, "to_socket", "m");
	assert_non_null(strstr(read_all(w), "event=to_socket"));
	for (int i = 0; i < 5000; i++)
		log_info(&w->lg, "e", "fill the socket until it can take no more");
	assert_true(log_dropped(w->log) > 0);
	assert_int_equal(tear_down(state), 0);

	set_up(state);
	w = *state;
	open_log(w, -1, open("/dev/null", O_WRONLY | O_CLOEXEC));
	log_info(&w->lg, "to_nowhere", "m");
	assert_true(log_flush(w->log));
	assert_int_equal(log_dropped(w->log), 0);
}

static void test_a_terminal_that_is_stopped_does_not_block(void **state)
{
	struct world *w = *state;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		skip();
	open_log(w, master, open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC));
	log_info(&w->lg, "to_tty", "m");
	assert_non_null(strstr(read_all(w), "event=to_tty"));
	assert_int_equal(tcflow(w->ends[1], TCOOFF), 0); /* Ctrl-S */
	for (int i = 0; i < 5000; i++)
		log_info(&w->lg, "e", "fill the terminal until it can take no more");
	assert_true(log_dropped(w->log) > 0);
	assert_int_equal(tcflow(w->ends[1], TCOON), 0);
}

/* Neither RWF_NOWAIT nor a description of our own can be had: asked first, then written. */
static void test_a_terminal_of_somebody_else_is_asked_first(void **state)
{
	struct world *w = *state;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (geteuid() != 0 || master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		skip();
	open_log(w, master, open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC));
	assert_int_equal(seteuid(65534), 0);
	log_info(&w->lg, "to_tty", "m");
	assert_int_equal(seteuid(0), 0);
	assert_non_null(strstr(read_all(w), "event=to_tty"));
	assert_int_equal(tcflow(w->ends[1], TCOOFF), 0);
	log_info(&w->lg, "later", "m");
	assert_false(log_flush(w->log));
	assert_int_equal(tcflow(w->ends[1], TCOON), 0);
	assert_true(log_flush(w->log));
	assert_non_null(strstr(read_all(w), "event=later"));
}

static void test_the_format_can_be_changed(void **state)
{
	struct world *w = *state;

	open_pipe(w);
	log_set_format(w->log, LOG_JSON);
	log_info(&w->lg, "e", "m");
	assert_non_null(strstr(read_all(w), "\"event\":\"e\",\"msg\":\"m\",\"module\":\"test\"}\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_levels_are_per_module),
		TEST(test_a_bad_level_is_refused_and_changes_nothing),
		TEST(test_arguments_are_not_evaluated_when_the_level_is_off),
		TEST(test_a_stalled_reader_costs_lines_but_no_time),
		TEST(test_the_wait_fd_is_readable_when_there_is_room_and_something_to_write),
		TEST(test_a_reader_that_is_gone_is_survived),
		TEST(test_the_finish_waits_for_a_slow_reader_no_longer_than_told),
		TEST(test_a_file_a_socket_and_dev_null_are_written_to),
		TEST(test_a_terminal_of_somebody_else_is_asked_first),
		TEST(test_the_format_can_be_changed),
		TEST(test_a_terminal_that_is_stopped_does_not_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
