#include "backend/run.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define READ_BYTES 65536 /* once per turn: others first */
#define READS_AT_END 64  /* of what is left in a pipe when all is over; a pipe holds 64 KiB, or 1 MiB at most */
#define OUTPUT_MS 500    /* the rest of its output, when a descendant holds it open after the exit */

struct run {
	struct child *child;
	struct watch *out, *err;
	struct buf kept_out, kept_err;
	struct run_result result;
	size_t keep_bytes, keep_err_bytes, flood_bytes;
	void (*done)(void *arg, const struct run_result *result);
	void *arg;
};

static void keep_out(struct run *r, struct span bytes)
{
	size_t kept = buf_size(&r->kept_out);

	r->result.out_bytes += bytes.n;
	if (kept < r->keep_bytes)
		buf_add(&r->kept_out, span_cut(bytes, r->keep_bytes - kept));
	if (r->result.out_bytes <= r->flood_bytes || r->result.flooded)
		return;
	r->result.flooded = true;
	run_stop(r, CHILD_STOP_LADDER);
}

static void keep_err(struct run *r, struct span bytes)
{
	r->result.err_bytes += bytes.n;
	buf_add(&r->kept_err, bytes);
	if (buf_size(&r->kept_err) > r->keep_err_bytes)
		buf_take(&r->kept_err, buf_size(&r->kept_err) - r->keep_err_bytes);
}

/* False: nothing more will come, now or ever. */
static bool read_once(struct run *r, struct watch *w, void (*keep)(struct run *r, struct span bytes), bool *ended)
{
	char bytes[READ_BYTES];
	ssize_t n = read(watch_fd(w), bytes, sizeof(bytes));

	*ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	if (n > 0)
		keep(r, (struct span){ bytes, (size_t)n });
	return n > 0 || (n < 0 && errno == EINTR);
}

static void on_stdout(void *arg, unsigned events)
{
	struct run *r = arg;
	bool ended;

	(void)events;
	read_once(r, r->out, keep_out, &ended);
	if (!ended)
		return;
	watch_close(&r->out);
	child_output_ended(r->child);
}

static void on_stderr(void *arg, unsigned events)
{
	struct run *r = arg;
	bool ended;

	(void)events;
	read_once(r, r->err, keep_err, &ended);
	if (ended)
		watch_close(&r->err);
}

static void read_rest(struct run *r, struct watch *w, void (*keep)(struct run *r, struct span bytes))
{
	bool ended;

	for (int i = 0; w != NULL && i < READS_AT_END && read_once(r, w, keep, &ended); i++)
		;
}

static void exited(void *arg, const struct child_exit *how)
{
	(void)arg;
	(void)how;
}

static void gone(void *arg, const struct child_exit *how)
{
	struct run *r = arg;

	r->result.how = *how;
	r->child = NULL;
	read_rest(r, r->out, keep_out);
	read_rest(r, r->err, keep_err);
	watch_close(&r->out);
	watch_close(&r->err);
	r->result.out = buf_span(&r->kept_out);
	r->result.err = buf_span(&r->kept_err);
	r->done(r->arg, &r->result);
	buf_free(&r->kept_out);
	buf_free(&r->kept_err);
	free(r);
}

static const struct child_events events = { .exited = exited, .gone = gone };

static void watch_output(struct run *r, struct loop *l, int out, int err)
{
	r->out = watch_open(l, out, on_stdout, r);
	r->err = watch_open(l, err, on_stderr, r);
	if (r->out != NULL && r->err != NULL) {
		watch_set(r->out, WATCH_READ);
		watch_set(r->err, WATCH_READ);
		return;
	}
	if (r->out == NULL)
		fd_close(&out);
	if (r->err == NULL)
		fd_close(&err);
	run_stop(r, CHILD_STOP_KILL); /* nobody would read what it writes */
}

struct run *run_start(struct loop *l, struct supervisor *s, const struct run_conf *conf,
        void (*done)(void *arg, const struct run_result *result), void *arg, struct err *e)
{
	struct run *r = NEW(struct run);
	struct child_conf child = *conf->child;
	int in, out, err;

	child.no_stdin = true;
	child.stop_eof_ms = 0;
	child.output_ms = OUTPUT_MS;
	r->keep_bytes = conf->keep_bytes;
	r->keep_err_bytes = conf->keep_err_bytes;
	r->flood_bytes = conf->flood_bytes;
	r->done = done;
	r->arg = arg;
	r->child = child_spawn(s, &child, &events, r, &in, &out, &err, e);
	if (r->child == NULL) {
		free(r);
		return NULL;
	}
	watch_output(r, l, out, err);
	return r;
}

void run_stop(struct run *r, enum child_stop how)
{
	if (r->child != NULL)
		child_stop(r->child, how);
}

void run_limit_stop(struct run *r, msec_t term_ms)
{
	if (r->child != NULL)
		child_limit_stop(r->child, 0, term_ms);
}

void run_set_stop(struct run *r, msec_t term_ms)
{
	if (r->child != NULL)
		child_set_stop(r->child, 0, term_ms);
}

int run_pid(const struct run *r)
{
	return r->child != NULL ? child_pid(r->child) : 0;
}
