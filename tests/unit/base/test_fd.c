#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int leave_scope(bool take)
{
	AUTO_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return take ? fd_take(&fd) : fd;
}

static void test_a_descriptor_closes_itself_unless_taken(void **state)
{
	(void)state;
	assert_false(is_open(leave_scope(false)));
	int fd = leave_scope(true);
	assert_true(is_open(fd));
	int copy = fd;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	assert_false(is_open(copy));
	fd_close(&fd); /* none: nothing */
}

static void test_pipes_are_close_on_exec_and_block_until_told(void **state)
{
	int ends[2];
	struct err e;
	char byte;

	(void)state;
	assert_true(fd_pipe(ends, &e));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fcntl(ends[i], F_GETFD), FD_CLOEXEC);
		assert_false(fcntl(ends[i], F_GETFL) & O_NONBLOCK);
	}
	assert_true(fd_set_nonblocking(ends[0], &e));
	assert_int_equal(read(ends[0], &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK); /* the other end keeps its own flags */
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	assert_false(fd_set_nonblocking(-1, &e));
	assert_int_equal(e.sys, EBADF);
}

static void test_a_file_is_read_whole_within_its_bound(void **state)
{
	static const size_t sizes[] = { 0, 1, 4094, 4095, 4096, 8191, 100000 };
	char path[] = "/tmp/sluice-test-fd-XXXXXX", *text;
	static char bytes[100000];
	int fd = mkstemp(path);
	struct err e;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(pwrite(fd, bytes, sizes[i], 0), sizes[i]);
		assert_true(fd_read_file(path, sizes[i], &text, &n, &e));
		assert_int_equal(n, sizes[i]);
		assert_memory_equal(text, bytes, n);
		assert_int_equal(text[n], '\0');
		free(text);
	}
	assert_false(fd_read_file(path, 99999, &text, &n, &e));
	assert_non_null(strstr(e.text, "larger than 99999 bytes"));
	close(fd);
	unlink(path);
	assert_false(fd_read_file(path, 10, &text, &n, &e));
	assert_int_equal(e.sys, ENOENT);
	assert_false(fd_read_file("/tmp", 10, &text, &n, &e));
	assert_int_equal(e.sys, EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_descriptor_closes_itself_unless_taken),
		cmocka_unit_test(test_pipes_are_close_on_exec_and_block_until_told),
		cmocka_unit_test(test_a_file_is_read_whole_within_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
