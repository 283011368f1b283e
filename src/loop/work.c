#include "loop/work.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

struct work {
	pthread_t thread;
	struct watch *watch; /* of the descriptor that the thread signals its end by */
	int end;             /* its number */
	void (*run)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

static void *thread_main(void *arg)
{
	struct work *w = arg;
	const uint64_t one = 1;

	w->run(w->arg);
	ssize_t written = write(w->end, &one, sizeof(one));
	assert(written == (ssize_t)sizeof(one)); /* an eventfd takes the first one always */
	return NULL;
}

static void on_end(void *arg, unsigned events)
{
	struct work *w = arg;
	void (*done)(void *arg) = w->done;
	void *done_arg = w->arg;

	(void)events;
	pthread_join(w->thread, NULL);
	watch_close(&w->watch);
	free(w);
	done(done_arg);
}

static bool start(struct work *w, struct loop *l, struct err *e)
{
	AUTO_FD int end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (end < 0)
		return err_sys(e, "eventfd");
	w->end = end;
	w->watch = watch_open(l, end, on_end, w);
	if (w->watch == NULL)
		return err_sys(e, "watch an eventfd");
	fd_take(&end);
	watch_set(w->watch, WATCH_READ);
	errno = pthread_create(&w->thread, NULL, thread_main, w);
	if (errno == 0)
		return true;
	err_sys(e, "a thread");
	watch_close(&w->watch);
	return false;
}

bool work_start(struct loop *l, void (*run)(void *arg), void (*done)(void *arg), void *arg, struct err *e)
{
	struct work *w = NEW(struct work);

	*w = (struct work){ .run = run, .done = done, .arg = arg };
	if (start(w, l, e))
		return true;
	free(w);
	return false;
}
