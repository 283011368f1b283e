#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

bool fd_set_nonblocking(int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return err_sys(e, "set O_NONBLOCK on fd %d", fd);
	return true;
}

bool fd_pipe(int ends[2], struct err *e)
{
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_sys(e, "pipe");
	return true;
}

bool fd_read_all(int fd, size_t max, char **text, size_t *n, struct err *e)
{
	size_t size = 0, room = 4096;
	char *mem = mem_alloc(room);

	for (;;) {
		ssize_t got = read(fd, mem + size, room - size - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err_sys(e, "read");
			free(mem);
			return false;
		}
		size += (size_t)got;
		if (size > max) {
			free(mem);
			return err_set(e, "larger than %zu bytes", max);
		}
		if (got == 0)
			break;
		if (size + 1 == room)
			mem = mem_realloc(mem, room *= 2);
	}
	mem[size] = '\0';
	*text = mem;
	*n = size;
	return true;
}

bool fd_read_file(const char *path, size_t max, char **text, size_t *n, struct err *e)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "%s", path);
	return fd_read_all(fd, max, text, n, e) || err_wrap(e, "%s", path);
}
