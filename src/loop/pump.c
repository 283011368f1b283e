#include "loop/pump.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define PUMP_BYTES 65536
#define PUMP_STACK (PTHREAD_STACK_MIN + 2 * PUMP_BYTES)

struct pump {
	int from, to;
	int ours; /* the end of it that is the pump's own, closed at the end */
};

static bool write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static void *run(void *arg)
{
	struct pump *p = arg;
	char bytes[PUMP_BYTES];
	ssize_t n;

	do {
		n = read(p->from, bytes, sizeof(bytes));
	} while ((n < 0 && errno == EINTR) || (n > 0 && write_all(p->to, bytes, (size_t)n)));
	close(p->ours);
	free(p);
	return NULL;
}

/* The thread inherits the mask of the caller, in which main has blocked all signals that matter. */
static bool start(struct pump *p, struct err *e)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, (size_t)PUMP_STACK);
	int failed = pthread_create(&thread, &attr, run, p);
	pthread_attr_destroy(&attr);
	if (failed == 0)
		return true;
	errno = failed;
	return err_sys(e, "start a thread");
}

static int pump(int fd, bool in, struct err *e)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		err_sys(e, "socketpair");
		return -1;
	}
	struct pump *p = NEW(struct pump);
	*p = (struct pump){ .from = in ? fd : ends[1], .to = in ? ends[1] : fd, .ours = ends[1] };
	if (start(p, e))
		return ends[0];
	free(p);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	return -1;
}

int pump_in(int fd, struct err *e)
{
	return pump(fd, true, e);
}

int pump_out(int fd, struct err *e)
{
	return pump(fd, false, e);
}
