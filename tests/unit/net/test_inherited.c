#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/inherited.h"

#define FIRST 100 /* in place of 3, which is taken in a test */

static char ours[16];

static void put(int fd, int at)
{
	assert_int_equal(dup2(fd, at), at);
	close(fd);
}

static void put_listening(int at)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)(void *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	put(fd, at);
}

static bool take(const char *pid, const char *fds, const char *names, struct inherited *in, struct err *e)
{
	return inherited_take(
	        &(struct inherited_conf){ .pid = pid, .fds = fds, .names = names, .first = FIRST }, in, e);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(ours, sizeof(ours), "%d", (int)getpid());
	put_listening(FIRST);
	put_listening(FIRST + 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int fd = FIRST; fd < FIRST + 3; fd++)
		close(fd);
	return 0;
}

static void test_names_tell_the_ports(void **state)
{
	struct inherited in;
	struct err e;

	(void)state;
	assert_true(take(ours, "2", "admin:sluice.socket", &in, &e));
	assert_int_equal(in.admin.fd, FIRST);
	assert_int_equal(in.http.fd, FIRST + 1);
	assert_true(span_starts(span_of(in.http.address), SPAN("127.0.0.1:")));
	assert_string_not_equal(in.http.address, in.admin.address);
	assert_true(fcntl(FIRST, F_GETFD) & FD_CLOEXEC);
	inherited_clear(&in);
	assert_int_equal(in.http.fd, -1);
	assert_int_equal(fcntl(FIRST, F_GETFD), -1);
}

static void test_without_names_the_one_is_the_main_port(void **state)
{
	static const char *const names[] = { NULL, "", "x" };
	struct inherited in;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(take(ours, "1", names[i], &in, &e));
		assert_int_equal(in.http.fd, FIRST);
		assert_int_equal(in.admin.fd, -1);
	}
}

static void test_what_is_not_for_us_is_left_alone(void **state)
{
	static const struct {
		const char *pid, *fds;
	} rows[] = { { NULL, NULL }, { NULL, "1" }, { "1", "1" }, { "", "1" }, { "x", "1" }, { ours, NULL },
		{ ours, "0" }, { ours, "" }, { ours, "-1" }, { ours, "99999999999999999999" } };
	struct inherited in;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(take(rows[i].pid, rows[i].fds, NULL, &in, &e));
		assert_int_equal(in.http.fd, -1);
		assert_int_equal(in.admin.fd, -1);
		assert_false(fcntl(FIRST, F_GETFD) & FD_CLOEXEC);
	}
}

static void assert_refused(const char *fds, const char *names, const char *why)
{
	struct inherited in;
	struct err e;

	assert_false(take(ours, fds, names, &in, &e));
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void test_what_cannot_be_served_is_refused(void **state)
{
	(void)state;
	assert_refused("2", NULL, "main port");
	assert_refused("2", "admin:admin", "admin port");
	assert_refused("65", NULL, "65 descriptors");
	assert_refused("3", "http:admin:x", "descriptor 102"); /* there is none */
	put(socket(AF_INET, SOCK_STREAM, 0), FIRST);
	assert_refused("1", NULL, "no listening TCP socket");
	put(socket(AF_INET, SOCK_DGRAM, 0), FIRST);
	assert_refused("1", NULL, "no listening TCP socket");
	put(open("/dev/null", O_RDONLY), FIRST);
	assert_refused("1", "http", "(\"http\")");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(listen(fd, 1), -1);
	put(fd, FIRST);
	assert_refused("1", NULL, "no listening TCP socket");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names_tell_the_ports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_names_the_one_is_the_main_port, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_not_for_us_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_served_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
