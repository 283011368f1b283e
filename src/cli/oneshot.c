#include "cli/oneshot.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/duration.h"
#include "cli/text.h"
#include "config/environment.h"
#include "config/suggest.h"
#include "loop/pump.h"

#define READ_BYTES 65536
#define COMPLAINT_MAX 4096
#define LOOK_AGAIN_MS 10
#define SWEEP_MS 500
#define LOG_MS 1000 /* for a reader of stderr that has stalled */

static const struct backend *backend_at(const struct oneshot *o, size_t i)
{
	return gateway_backend(o->app.gateway, i);
}

static struct backend_stats stats_of(const struct oneshot *o, size_t i)
{
	const struct backend *b = backend_at(o, i);
	struct backend_stats stats;

	b->ops->stats(b, &stats);
	return stats;
}

/* ---- waiting ---- */

void oneshot_wake(struct oneshot *o)
{
	loop_stop(o->app.loop);
}

static void on_wake(void *arg)
{
	oneshot_wake(arg);
}

bool oneshot_wait(struct oneshot *o)
{
	if (!o->interrupted && !o->timed_out)
		loop_run(o->app.loop);
	return !o->interrupted && !o->timed_out;
}

static void stop_backends(struct oneshot *o, enum backend_stop how)
{
	o->how = how;
	gateway_stop_backends(o->app.gateway, how);
}

static void on_signal(void *arg, int signo, int pid)
{
	struct oneshot *o = arg;

	(void)pid;
	o->interrupted = true;
	if (o->ending) {
		o->hurried = true;
		stop_backends(
		        o, signo == SIGQUIT || o->how != BACKEND_STOP_LADDER ? BACKEND_STOP_KILL : BACKEND_STOP_FAST);
	}
	oneshot_wake(o);
}

static void on_timeout(void *arg)
{
	struct oneshot *o = arg;

	o->timed_out = true;
	oneshot_wake(o);
}

/* ---- messages ---- */

void oneshot_complain(struct oneshot *o, const char *format, ...)
{
	char text[COMPLAINT_MAX];
	struct buf line = { 0 };
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text_put_line(&line, span_of(text));
	spinner_wipe(&o->spinner);
	fprintf(o->cli->err, "sluice %s: %.*s\n", o->command, SPAN_ARG(buf_span(&line)));
	buf_free(&line);
}

void oneshot_tell_cut(struct oneshot *o)
{
	if (o->interrupted)
		oneshot_complain(o, "interrupted");
	else
		oneshot_complain(o, "gave up after %s", duration_text(o->cli->options.timeout_ms).text);
}

/* ---- start ---- */

/* What becomes of the servers is told by the command itself. */
#define USUAL_LEVELS "warn,backend=error"

static struct config_sources quiet_sources(const struct cli *c)
{
	struct config_sources from = cli_config_sources(c);
	const char *level = environment_get(c->environment, SPAN("MCP_LOG_LEVEL"));

	if (from.log_level == NULL && (level == NULL || level[0] == '\0'))
		from.log_level = USUAL_LEVELS;
	return from;
}

static struct config *load_or_leave(const struct cli *c)
{
	struct config_sources from = quiet_sources(c);
	struct config_messages messages = { 0 };
	struct config *config = config_load(&from, &messages, NULL);

	if (config == NULL) {
		cli_print_messages(&messages, c->err, c->environment);
		config_messages_free(&messages);
		app_exit(&(struct app){ 0 }, CLI_CONFIG, clock_mono());
	}
	config_messages_free(&messages);
	return config;
}

/* --timeout is the one limit: no server may be cut earlier. */
static void lift_limits(struct config *config, msec_t timeout_ms)
{
	for (size_t i = 0; timeout_ms > 0 && i < config->server_count; i++)
		config->servers[i].request_timeout_ms = config->servers[i].max_request_timeout_ms = timeout_ms;
}

void oneshot_open(struct oneshot *o, const struct cli *c, const char *command)
{
	struct config *config = load_or_leave(c);
	msec_t timeout_ms = c->options.timeout_ms;

	*o = (struct oneshot){ .cli = c, .command = command };
	lift_limits(config, timeout_ms);
	int failed = app_open_loaded(&o->app, &config, on_signal, o);
	if (failed != 0)
		app_exit(&o->app, failed, mono_add(clock_mono(), LOG_MS));
	spinner_init(&o->spinner, loop_sched(o->app.loop), c->err, c->environment);
	gateway_watch(o->app.gateway, on_wake, o);
	if (timeout_ms > 0)
		timer_set_in(loop_sched(o->app.loop), &o->timer, timeout_ms, on_timeout, o);
}

/* ---- servers ---- */

static bool in_scope(int scope, size_t i)
{
	return scope == SCOPE_ALL || (size_t)scope == i;
}

bool oneshot_find_server(struct oneshot *o, const char *name, int *scope)
{
	struct suggestion s = suggestion_for(span_of(name));

	if (gateway_scope(o->app.gateway, span_of(name), scope))
		return true;
	for (size_t i = 0; i < o->app.config->server_count; i++)
		suggestion_offer(&s, o->app.config->servers[i].name);
	if (s.best != NULL)
		oneshot_complain(o, "there is no server \"%s\", did you mean \"%s\"?", name, s.best);
	else
		oneshot_complain(o, "there is no server \"%s\" in %s", name, o->app.config->source);
	return false;
}

bool oneshot_is_up(const struct oneshot *o, size_t server)
{
	enum backend_state state = stats_of(o, server).state;

	return state == BACKEND_READY || state == BACKEND_IDLE;
}

/*
 * It starts, or has failed and its process is not gone yet; only then it is known why. That is not told, so we look
 * again. What has failed for good is stopped, or it would have another try.
 */
static bool is_pending(struct oneshot *o, size_t i)
{
	struct backend_stats stats = stats_of(o, i);
	struct backend *b = gateway_backend(o->app.gateway, i);

	if (stats.state != BACKEND_BACKOFF)
		return stats.state == BACKEND_STARTING;
	if (stats.pid != 0)
		timer_set_in(loop_sched(o->app.loop), &o->look, LOOK_AGAIN_MS, on_wake, o);
	else
		b->ops->stop(b, BACKEND_STOP_LADDER);
	return stats.pid != 0;
}

/* The names of those that are pending go to the spinner. */
static bool are_pending(struct oneshot *o)
{
	struct buf names = { 0 };

	for (size_t i = 0; i < o->app.config->server_count; i++)
		if (is_pending(o, i))
			buf_printf(&names, "%s%s", buf_size(&names) > 0 ? ", " : "", backend_at(o, i)->conf->name);
	bool any = buf_size(&names) > 0;
	spinner_note(&o->spinner, buf_span(&names));
	buf_free(&names);
	return any;
}

bool oneshot_start(struct oneshot *o, int scope)
{
	for (size_t i = 0; i < o->app.config->server_count; i++) {
		struct backend *b = gateway_backend(o->app.gateway, i);
		if (in_scope(scope, i))
			b->ops->start(b);
	}
	spinner_start(&o->spinner, "starting");
	while (are_pending(o) && oneshot_wait(o)) {
	}
	timer_stop(loop_sched(o->app.loop), &o->look);
	spinner_stop(&o->spinner);
	return !o->interrupted;
}

static void tell_down(struct oneshot *o, size_t i)
{
	struct backend_stats stats = stats_of(o, i);
	const char *name = backend_at(o, i)->conf->name;
	const char *why = stats.last_error != NULL ? stats.last_error : backend_state_name(stats.state);

	if (stats.state == BACKEND_STARTING)
		oneshot_complain(o, "%s cannot be reached: not ready after %s", name,
		        duration_text(o->cli->options.timeout_ms).text);
	else
		oneshot_complain(o, "%s cannot be reached: %s", name, why);
}

size_t oneshot_tell_down(struct oneshot *o, int scope)
{
	struct supervisor_stats processes;
	size_t up = 0, down = 0;

	for (size_t i = 0; i < o->app.config->server_count; i++) {
		if (!in_scope(scope, i))
			continue;
		if (oneshot_is_up(o, i)) {
			up++;
			continue;
		}
		down++;
		tell_down(o, i);
	}
	supervisor_stats(o->app.supervisor, &processes);
	if (down > 0 && processes.spawned > up && o->cli->options.log_level == NULL)
		oneshot_complain(o, "--log-level info shows what they write to stderr");
	return up;
}

/* ---- stdin ---- */

static void on_stdin(void *arg, unsigned events)
{
	struct oneshot *o = arg;
	ssize_t n = recv(watch_fd(o->in), buf_reserve(&o->input, READ_BYTES), READ_BYTES, 0);

	(void)events;
	if (n > 0)
		buf_added(&o->input, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		watch_close(&o->in);
	oneshot_wake(o);
}

static bool open_stdin(struct oneshot *o)
{
	struct err e;
	int fd = pump_in(STDIN_FILENO, &e);

	if (fd < 0) {
		oneshot_complain(o, "stdin: %s", e.text);
		return false;
	}
	o->in = watch_open(o->app.loop, fd, on_stdin, o);
	watch_set(o->in, WATCH_READ);
	return true;
}

bool oneshot_read_stdin(struct oneshot *o, size_t max, struct buf *text)
{
	if (!open_stdin(o))
		return false;
	spinner_start(&o->spinner, "reading the arguments from stdin");
	while (o->in != NULL && buf_size(&o->input) <= max && oneshot_wait(o)) {
	}
	spinner_stop(&o->spinner);
	bool complete = o->in == NULL && buf_size(&o->input) <= max;
	if (buf_size(&o->input) > max)
		oneshot_complain(o, "more than %zu bytes on stdin", max);
	else if (!complete)
		oneshot_tell_cut(o);
	watch_close(&o->in);
	*text = o->input;
	o->input = (struct buf){ 0 };
	return complete;
}

/* ---- the result ---- */

/* The pump never sends anything: what can be read from it is its end. */
static void on_pipe(void *arg, unsigned events)
{
	struct oneshot *o = arg;
	char byte;

	if (events & WATCH_READ && recv(watch_fd(o->pipe), &byte, 1, 0) == 0) {
		watch_close(&o->pipe);
		oneshot_wake(o);
		return;
	}
	while (buf_size(&o->out) > 0) {
		struct span rest = buf_span(&o->out);
		ssize_t n = send(watch_fd(o->pipe), rest.p, rest.n, MSG_NOSIGNAL);
		if (n < 0)
			break; /* EAGAIN, or a broken pump, which is seen by reading */
		buf_take(&o->out, (size_t)n);
	}
	if (buf_size(&o->out) == 0)
		shutdown(watch_fd(o->pipe), SHUT_WR);
	watch_set(o->pipe, WATCH_READ | (buf_size(&o->out) > 0 ? WATCH_WRITE : 0));
}

static bool write_out(struct oneshot *o)
{
	struct err e;

	if (buf_size(&o->out) == 0)
		return true;
	int fd = pump_out(fileno(o->cli->out), &e);
	if (fd < 0) {
		oneshot_complain(o, "stdout: %s", e.text);
		return false;
	}
	o->pipe = watch_open(o->app.loop, fd, on_pipe, o);
	watch_set(o->pipe, WATCH_READ | WATCH_WRITE);
	return true;
}

/* ---- the end ---- */

static bool is_stopped(const struct oneshot *o)
{
	for (size_t i = 0; i < o->app.config->server_count; i++)
		if (stats_of(o, i).state != BACKEND_STOPPED)
			return false;
	return true;
}

/* The ladder should have come to its end by itself. */
static void on_end_time(void *arg)
{
	struct oneshot *o = arg;

	o->killed = true;
	supervisor_kill_all(o->app.supervisor);
	oneshot_wake(o);
}

static void on_swept(void *arg)
{
	struct oneshot *o = arg;

	o->swept = true;
	oneshot_wake(o);
}

static void stop_servers(struct oneshot *o)
{
	msec_t eof_ms, term_ms;

	config_longest_stop(o->app.config, &eof_ms, &term_ms);
	timer_set_in(loop_sched(o->app.loop), &o->timer, eof_ms + term_ms + STOP_SLACK_MS, on_end_time, o);
	stop_backends(o, BACKEND_STOP_LADDER);
}

_Noreturn void oneshot_end(struct oneshot *o, int code)
{
	struct loop *l = o->app.loop;

	o->ending = true;
	spinner_start(&o->spinner, "stopping");
	if (!write_out(o))
		code = CLI_INTERNAL;
	stop_servers(o);
	while (!is_stopped(o) && !o->killed)
		loop_run(l);
	supervisor_sweep(o->app.supervisor, mono_add(clock_mono(), SWEEP_MS), on_swept, o);
	while (!o->swept)
		loop_run(l);
	spinner_stop(&o->spinner);
	while (o->pipe != NULL && !o->hurried)
		loop_run(l);
	if (o->pipe != NULL && code == CLI_OK)
		code = CLI_FAILED; /* somebody did not want to wait for the reader of stdout */
	app_exit(&o->app, code, mono_add(clock_mono(), LOG_MS));
}
