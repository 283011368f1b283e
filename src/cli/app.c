#include "cli/app.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/command_line.h"
#include "backend/isolated.h"
#include "backend/stdio.h"
#include "backend/streamable_http.h"
#include "base/fd.h"
#include "base/leave.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/signals.h"
#include "supervise/spawn.h"

#define HTTP_SESSIONS_MAX 1024 /* at one server behind a URL, when each client session has its own */

struct logger app_logger(const struct app *app, const char *module)
{
	return (struct logger){ .log = app->log, .module = module };
}

void app_flush(struct app *app, mono_t deadline)
{
	if (app->log != NULL)
		log_finish(app->log, deadline);
}

_Noreturn void app_exit(struct app *app, int code, mono_t deadline)
{
	app_flush(app, deadline);
	process_leave(code);
}

/* ---- log ---- */

/* The format must be known before the configuration is: its faults are logged in it. */
static enum log_format early_format(const struct config_sources *from)
{
	static const struct span name = { "MCP_LOG_FORMAT=", 15 };
	struct span format = span_of(from->log_format);

	for (const char *const *at = from->environment; format.p == NULL && *at != NULL; at++)
		if (span_starts(span_of(*at), name))
			format = span_skip(span_of(*at), name.n);
	return span_eq(format, SPAN("json")) ? LOG_JSON : LOG_TEXT;
}

void app_log_messages(const struct app *app, const struct config_messages *messages)
{
	static const struct {
		enum log_level level;
		const char *event;
	} rows[CONFIG_KIND_COUNT] = {
		[CONFIG_ERROR] = { LOG_ERROR, "config_error" },
		[CONFIG_WARNING] = { LOG_WARN, "config_warning" },
		[CONFIG_INFO] = { LOG_INFO, "config_info" },
	};

	struct logger lg = app_logger(app, "config");

	for (const struct config_message *m = messages->first; m != NULL; m = m->next)
		LOG_AT(&lg, rows[m->kind].level, rows[m->kind].event, m->sentence, F_STR("path", m->path),
		        F_STR("file", m->source), F_INT("line", m->line), F_INT("column", m->column));
}

static void note_fault(struct app *app, const struct config_messages *messages)
{
	const struct config_message *m = messages->first;

	while (m != NULL && m->kind != CONFIG_ERROR)
		m = m->next;
	if (m != NULL)
		err_set(&app->fault, "configuration: %s%s%s", m->path != NULL ? m->path : "",
		        m->path != NULL ? ": " : "", m->sentence);
}

static void on_log_writable(void *arg, unsigned events)
{
	struct app *app = arg;

	(void)events;
	log_flush(app->log);
}

/* A dup, because a watch owns its descriptor. */
static void watch_log(struct app *app)
{
	int fd = log_wait_fd(app->log);

	if (fd < 0 || (fd = dup(fd)) < 0)
		return;
	app->log_watch = watch_open(app->loop, fd, on_log_writable, app);
	watch_set(app->log_watch, WATCH_READ);
}

void app_set_log_levels(struct app *app, const struct config *config)
{
	struct err e;
	bool known = log_set_levels(app->log, span_of(config->log_level), &e);

	assert(known); /* checked with the configuration */
}

static void set_log(struct app *app)
{
	log_set_format(app->log, app->config->log_format);
	app_set_log_levels(app, app->config);
}

static bool load(struct app *app, const struct config_sources *from)
{
	struct config_messages messages = { 0 };

	app->log = log_open(STDERR_FILENO, early_format(from));
	app->config = config_load(from, &messages, &app->files);
	if (app->config != NULL)
		set_log(app);
	app_log_messages(app, &messages);
	note_fault(app, &messages);
	config_messages_free(&messages);
	return app->config != NULL;
}

/* ---- gateway and backends ---- */

static uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}

static struct gateway_conf gateway_conf_of(const struct config *c)
{
	return (struct gateway_conf){
		.servers = c->servers,
		.server_count = c->server_count,
		.prefixed = !c->namespace_never,
		.page_items = c->limits.page_items,
		.max_in_flight = c->limits.max_in_flight,
		.max_in_flight_per_session = c->limits.max_in_flight_per_session,
		.version = SLUICE_VERSION,
		.fail_on_required_loss = c->lifecycle.fail_on_required_loss,
	};
}

static bool make_gateway(struct app *app, struct err *e)
{
	const struct config *c = app->config;
	const struct gateway_conf conf = gateway_conf_of(c);
	struct sched *sched = loop_sched(app->loop);
	struct logger lg = app_logger(app, "gateway");

	app->keys = key_ring_new(c->session.keys, c->session.key_count, e);
	if (app->keys == NULL)
		return false;
	struct sessions *sessions = sessions_new(&c->session.conf, app->keys, sched, random_u64());
	app->gateway = gateway_new(&conf, sched, sessions, &lg);
	return true;
}

static struct backend *make_plain(
        struct app *app, const struct backend_conf *conf, const struct backend_events *events, void *arg)
{
	struct logger lg = app_logger(app, "backend");

	switch (conf->kind) {
	case BACKEND_STDIO:
		return stdio_backend_new(app->loop, app->supervisor, conf, events, arg, &lg, random_u64());
	case BACKEND_COMMAND:
		return command_line_new(app->loop, app->supervisor, conf, events, arg, &lg, random_u64());
	case BACKEND_HTTP:
		return streamable_http_new(&app->sites, conf, events, arg, &lg, random_u64());
	}
	abort();
}

static struct backend *make_member(void *arg, const struct backend_conf *conf, const struct backend_for *whom,
        const struct backend_events *events, void *events_arg)
{
	struct backend *b = make_plain(arg, conf, events, events_arg);

	if (conf->kind == BACKEND_HTTP)
		streamable_http_dedicate(b, whom);
	else
		stdio_backend_dedicate(b, whom);
	return b;
}

static struct backend *make_backend(struct app *app, const struct backend_conf *conf, void *arg)
{
	const bool http = conf->kind == BACKEND_HTTP;
	const struct isolated_maker maker = {
		.make = make_member,
		.arg = app,
		.max = http ? HTTP_SESSIONS_MAX : 0,
		.needs_none = http ? streamable_http_stands_alone : NULL,
	};
	struct logger lg = app_logger(app, "backend");

	if (conf->isolation == ISOLATION_SESSION && conf->kind != BACKEND_COMMAND)
		return isolated_backend_new(loop_sched(app->loop), conf, &maker, &gateway_backend_events, arg, &lg);
	return make_plain(app, conf, &gateway_backend_events, arg);
}

/* For those that have none yet. */
static void make_backends(struct app *app, size_t server_count)
{
	for (size_t i = 0; i < server_count; i++) {
		if (gateway_backend(app->gateway, i) != NULL)
			continue;
		const struct backend_conf *conf = gateway_backend_conf(app->gateway, i);
		gateway_attach(app->gateway, i, make_backend(app, conf, gateway_backend_arg(app->gateway, i)));
	}
}

static void on_signal(void *arg, int signo, int pid)
{
	struct app *app = arg;
	struct logger lg = app_logger(app, "main");

	if (signo == SIGCHLD) {
		supervisor_sigchld(app->supervisor);
		return;
	}
	log_info(&lg, "signal", "a signal came", F_STR("name", strsignal(signo)), F_INT("signo", signo),
	        F_INT("from_pid", pid));
	app->signal(app->signal_arg, signo, pid);
}

/* As many descriptors as we may have; children get what we were given. */
static bool raise_limits(struct app *app, struct err *e)
{
	rlim_t soft;

	if (!limits_raise_fds(&soft, e))
		return false;
	supervisor_set_child_fds(app->supervisor, soft);
	return true;
}

static bool make_parts(struct app *app, struct err *e)
{
	struct logger lg = app_logger(app, "supervise"), of_loop = app_logger(app, "loop");
	sigset_t set;

	signals_ours(&set);
	app->loop = loop_new(e);
	if (app->loop == NULL)
		return false;
	loop_tell_stalls(app->loop, &of_loop);
	watch_log(app);
	app->resolver = resolver_new(app->loop, NULL);
	http_sites_init(&app->sites, app->loop, app->resolver);
	app->supervisor = supervisor_new(app->loop, &lg, e);
	if (app->supervisor == NULL || !loop_signals(app->loop, &set, on_signal, app, e))
		return false;
	if (!raise_limits(app, e) || !make_gateway(app, e))
		return false;
	make_backends(app, app->config->server_count);
	app->live = app->config;
	return true;
}

static int start(struct app *app)
{
	if (make_parts(app, &app->fault))
		return CLI_OK;
	struct logger lg = app_logger(app, "main");
	log_error(&lg, "start_failed", "cannot start", F_ERR(&app->fault));
	return CLI_INTERNAL;
}

void app_set_servers(struct app *app, const struct config *config, struct reload_counts *counts)
{
	const struct gateway_conf conf = gateway_conf_of(config);

	gateway_reload(app->gateway, &conf, counts);
	make_backends(app, config->server_count);
	gateway_start(app->gateway);
}

void app_put_config(struct app *app, struct config *config)
{
	if (app->live != app->config)
		config_free(&app->live);
	app->live = config;
}

int app_open(
        struct app *app, const struct config_sources *from, void (*signal)(void *arg, int signo, int pid), void *arg)
{
	*app = (struct app){ .signal = signal, .signal_arg = arg };
	return load(app, from) ? start(app) : CLI_CONFIG;
}

int app_open_loaded(struct app *app, struct config **config, void (*signal)(void *arg, int signo, int pid), void *arg)
{
	*app = (struct app){ .config = *config, .signal = signal, .signal_arg = arg };
	*config = NULL;
	app->log = log_open(STDERR_FILENO, app->config->log_format);
	set_log(app);
	return start(app);
}
