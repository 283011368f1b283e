#include "unit.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/stderr_log.h"

#define AT(n) ((mono_t){ n })

struct rig {
	int fd;
	struct log *log;
	struct logger logger;
	struct stderr_log s;
};

static void rig_open(struct rig *r)
{
	r->fd = memfd_create("log", MFD_CLOEXEC);
	r->log = log_open(r->fd, LOG_TEXT);
	r->logger = (struct logger){ .log = r->log, .module = "backend", .about = F_STR("backend", "fake") };
	stderr_log_init(&r->s, &r->logger, AT(0));
}

/* How often `text` stands in the log. */
static int count(struct rig *r, const char *text)
{
	char *all = calloc(1, 1 << 20);
	int n = 0;

	log_flush(r->log);
	assert_true(pread(r->fd, all, (1 << 20) - 1, 0) >= 0);
	for (const char *at = all; (at = strstr(at, text)) != NULL; at++)
		n++;
	free(all);
	return n;
}

static void rig_close(struct rig *r)
{
	stderr_log_clear(&r->s);
	log_close(&r->log);
	close(r->fd);
}

static void test_lines_become_log_lines_with_the_servers_name(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	stderr_log_feed(&r.s, SPAN("hello\nwor"), AT(0));
	stderr_log_feed(&r.s, SPAN("ld\n\nlast"), AT(0));
	assert_int_equal(count(&r, "last"), 0);
	stderr_log_end(&r.s, AT(0));
	assert_int_equal(count(&r, "backend_stderr"), 3);
	assert_int_equal(count(&r, "fake"), 3);
	assert_int_equal(count(&r, "hello"), 1);
	assert_int_equal(count(&r, "world"), 1);
	assert_int_equal(count(&r, "last"), 1);
	rig_close(&r);
}

static void test_a_long_line_is_cut(void **state)
{
	static char text[100001];
	struct rig r;

	(void)state;
	rig_open(&r);
	memset(text, 'x', sizeof(text) - 1);
	stderr_log_feed(&r.s, span_of(text), AT(0));
	stderr_log_feed(&r.s, SPAN("\n"), AT(0));
	assert_int_equal(count(&r, "backend_stderr"), 1);
	assert_int_equal(count(&r, "xxxx") > 0, 1);
	assert_in_range(count(&r, "x"), 1, STDERR_LINE_MAX);
	assert_int_equal(count(&r, "100000"), 1);
	rig_close(&r);
}

static void test_a_flood_is_counted_and_summed_up(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	for (int i = 0; i < 1000; i++)
		stderr_log_feed(&r.s, SPAN("flood\n"), AT(0));
	assert_int_equal(count(&r, "flood"), STDERR_LINES_PER_S);
	assert_int_equal(count(&r, "backend_stderr_dropped"), 0);
	stderr_log_feed(&r.s, SPAN("flood\n"), AT(1000));
	assert_int_equal(count(&r, "backend_stderr_dropped"), 1);
	assert_int_equal(count(&r, "900"), 1);
	stderr_log_end(&r.s, AT(1000));
	assert_int_equal(count(&r, "backend_stderr_dropped"), 1);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_become_log_lines_with_the_servers_name),
		cmocka_unit_test(test_a_long_line_is_cut),
		cmocka_unit_test(test_a_flood_is_counted_and_summed_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
