/*
 * sluice serve: the gateway, over stdio or over HTTP, from its start to its last line.
 */
#include <unistd.h>

#include "base/fd.h"
#include "base/leave.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/last_words.h"
#include "cli/ports.h"
#include "cli/reload.h"
#include "cli/service.h"
#include "front/http_front.h"
#include "front/stdio_front.h"
#include "supervise/backstop.h"

#define SWEEP_MS 500
#define FLUSH_MS 1000
#define START_SPARE_MS 10000 /* the 5 s that eager servers have, and as much again */
#define REPLAY_PART 16       /* of limits.maxBufferedBytes, for what was sent and may be asked for again */

struct serve {
	struct app app;
	const struct cli_options *options;
	struct logger log;
	struct lifecycle *lifecycle;
	struct reload *reload;
	struct service *service; /* NULL: no service manager wants to know */
	struct ports ports;
	struct backstop *backstop;
	struct http_front *http;   /* main and admin port; the admin port also in stdio mode */
	struct stdio_front *stdio; /* NULL over HTTP */
	unsigned fronts_open;
	mono_t fronts_deadline;
	bool swept;
	void (*then)(struct serve *s); /* after the sweep; NULL: it has not begun */
	bool stopping;
	struct supervisor_stats at_stop; /* counts when the first request to stop came */
	uint64_t late_at_stop;           /* connections that came after a /drain before it */
};

/* ---- what the lifecycle asks for ---- */

static void on_announce(void *arg, bool on)
{
	struct serve *s = arg;

	http_front_announce(s->http, on);
	if (!on)
		reload_resume(s->reload);
}

static void on_end_resting(void *arg)
{
	struct serve *s = arg;

	http_front_end_resting(s->http);
}

static mono_t on_last_request(void *arg)
{
	struct serve *s = arg;

	return http_front_last_request(s->http);
}

static void on_front_closed(void *arg)
{
	struct serve *s = arg;

	if (--s->fronts_open == 0)
		lifecycle_fronts_done(s->lifecycle);
}

static void on_kill_backends(void *arg)
{
	struct serve *s = arg;

	supervisor_kill_all(s->app.supervisor);
}

static mono_t on_signalled(void *arg)
{
	const struct serve *s = arg;

	return backstop_signalled(s->backstop);
}

static void on_arm_backstop(void *arg, mono_t at)
{
	struct serve *s = arg;

	backstop_arm(s->backstop, at);
}

/* What takes a while at the end gets half of the time that is left before the process is ended by force. */
static mono_t in_time(const struct serve *s, msec_t most_ms)
{
	mono_t now = clock_mono();
	msec_t half_ms = s->backstop != NULL ? mono_diff(backstop_at(s->backstop), now) / 2 : most_ms;

	return mono_add(now, half_ms < most_ms ? half_ms : most_ms);
}

/* Whoever is left of the servers' families goes before the fronts do: nothing comes after those. */
static void on_swept(void *arg)
{
	struct serve *s = arg;

	s->swept = true;
	s->then(s);
}

static void sweep_then(struct serve *s, void (*then)(struct serve *s))
{
	bool begun = s->then != NULL;

	s->then = then;
	if (s->swept)
		then(s);
	else if (!begun)
		supervisor_sweep(s->app.supervisor, in_time(s, SWEEP_MS), on_swept, s);
}

static void close_fronts(struct serve *s)
{
	s->fronts_open = s->stdio != NULL ? 2 : 1;
	if (s->stdio != NULL)
		stdio_front_close(s->stdio, s->fronts_deadline, on_front_closed, s);
	http_front_close(s->http, s->fronts_deadline, on_front_closed, s);
}

static void on_close_fronts(void *arg, mono_t deadline)
{
	struct serve *s = arg;

	s->fronts_deadline = deadline;
	sweep_then(s, close_fronts);
}

static void end_loop(struct serve *s)
{
	loop_stop(s->app.loop);
}

static void on_exit_now(void *arg)
{
	sweep_then(arg, end_loop);
}

static void on_phase(void *arg)
{
	struct serve *s = arg;

	service_phase_changed(s->service);
}

static const struct lifecycle_ops lifecycle_ops = {
	.announce = on_announce,
	.end_resting = on_end_resting,
	.last_request = on_last_request,
	.close_fronts = on_close_fronts,
	.kill_backends = on_kill_backends,
	.signalled = on_signalled,
	.arm_backstop = on_arm_backstop,
	.phase = on_phase,
	.exit = on_exit_now,
};

/* The last line is about the stop, not about the idle servers and failed starts of the weeks before it. */
static void stop(struct serve *s, enum stop_signal what)
{
	if (!s->stopping) {
		supervisor_stats(s->app.supervisor, &s->at_stop);
		s->late_at_stop = http_front_late_connections(s->http);
	}
	s->stopping = true;
	lifecycle_stop(s->lifecycle, what);
}

static void on_stdin_eof(void *arg)
{
	struct serve *s = arg;

	stop(s, STOP_STDIN_EOF);
}

static void on_signal(void *arg, int signo, int pid)
{
	struct serve *s = arg;

	(void)pid;
	if (signo == SIGHUP) {
		reload_ask(s->reload);
		return;
	}
	if (s->stdio != NULL && stdio_front_is_hung_up(s->stdio))
		on_stdin_eof(s); /* that was the first request, and this is the second */
	enum stop_signal term = s->options->http != NULL ? STOP_TERM : STOP_TERM_ALONE;
	stop(s, signo == SIGTERM ? term : signo == SIGINT ? STOP_INT : STOP_QUIT);
}

/* ---- start ---- */

static bool open_stdio(struct serve *s, struct err *e)
{
	const struct stdio_front_conf conf = {
		.in = STDIN_FILENO,
		.out = STDOUT_FILENO,
		.max_line_bytes = s->app.config->http.server.max_body_bytes,
		.max_depth = s->app.config->limits.max_depth,
	};
	struct logger lg = app_logger(&s->app, "stdio");

	s->stdio = stdio_front_new(s->app.loop, &conf, s->app.gateway, on_stdin_eof, s, &lg, e);
	return s->stdio != NULL;
}

static void make_lifecycle(struct serve *s)
{
	const struct config *c = s->app.config;
	struct logger lg = app_logger(&s->app, "lifecycle");
	msec_t eof_ms, term_ms;

	config_longest_stop(c, &eof_ms, &term_ms);
	s->lifecycle = lifecycle_new(
	        &c->lifecycle, eof_ms, term_ms, s->app.gateway, loop_sched(s->app.loop), &lifecycle_ops, s, &lg);
}

static bool start_backstop(struct serve *s, struct err *e)
{
	const struct lifecycle_conf *conf = &s->app.config->lifecycle;

	s->backstop = backstop_start(
	        &(struct backstop_conf){
	                .limit_ms = budget_backstop_ms(conf),
	                .last_words = last_words_open(conf->termination_log),
	                .log = app_logger(&s->app, "backstop"),
	                .loop = s->app.loop,
	                .groups = supervisor_groups(s->app.supervisor),
	        },
	        e);
	return s->backstop != NULL;
}

/* For the metrics. */
static void on_facts(void *arg, struct process_facts *facts)
{
	const struct serve *s = arg;
	struct supervisor_stats stats;

	supervisor_stats(s->app.supervisor, &stats);
	*facts = (struct process_facts){
		.processes = stats.children,
		.started = stats.spawned,
		.orphans_reaped = stats.orphans_reaped,
		.end_count = STOP_STEP_COUNT,
	};
	for (enum stop_step step = 0; step < STOP_STEP_COUNT; step++) {
		facts->ends[step].step = stop_step_name(step);
		facts->ends[step].took = supervisor_ended(s->app.supervisor, step);
	}
	http_sites_stats(&s->app.sites, &facts->http);
}

static void make_http_front(struct serve *s)
{
	const struct config *c = s->app.config;
	const struct http_front_conf conf = {
		.server = c->http.server,
		.allowed_hosts = c->http.allowed_hosts,
		.allowed_origins = c->http.allowed_origins,
		.base_path = c->http.base_path,
		.session_required = c->session.conf.required,
		.max_sessions = c->session.conf.max,
		.replay = { .stream_bytes = c->session.replay_bytes,
		        .total_bytes = c->limits.max_buffered_bytes / REPLAY_PART,
		        .time_ms = c->session.replay_time_ms },
		.max_depth = c->limits.max_depth,
		.max_in_flight = c->limits.max_in_flight,
		.version = SLUICE_VERSION,
	};
	struct logger lg = app_logger(&s->app, "http");

	s->http = http_front_new(s->app.loop, &conf, s->app.gateway, s->lifecycle, &lg);
	http_front_set_facts(s->http, on_facts, s);
}

/* Probes answer before any backend is started. */
static bool open_fronts(struct serve *s, struct err *e)
{
	make_http_front(s);
	if (!ports_listen(&s->ports, s->http, s->app.config->http.tls, &s->log, e))
		return false;
	return s->options->http != NULL || open_stdio(s, e);
}

/* Until its own deadline, or as long as the first attempt of a server may take that readiness waits for. After that it
 * is for the service manager to judge. */
static msec_t start_limit(const struct config *c)
{
	msec_t longest_ms = 0;

	if (c->lifecycle.start_deadline_ms > 0)
		return c->lifecycle.start_deadline_ms + START_SPARE_MS;
	for (size_t i = 0; i < c->server_count; i++)
		if (c->servers[i].startup == STARTUP_REQUIRED && c->servers[i].startup_timeout_ms > longest_ms)
			longest_ms = c->servers[i].startup_timeout_ms;
	return longest_ms + START_SPARE_MS;
}

static void open_service(struct serve *s, const struct service_manager *manager)
{
	const struct service_conf conf = {
		.loop = s->app.loop,
		.gw = s->app.gateway,
		.lifecycle = s->lifecycle,
		.backstop = s->backstop,
		.log = app_logger(&s->app, "service"),
		.start_limit_ms = start_limit(s->app.config),
	};

	s->service = service_new(manager, &conf);
}

/* ---- the end ---- */

static int exit_code(const struct serve *s, const struct lifecycle_summary *sum, const struct supervisor_stats *stats)
{
	if (span_eq(span_of(sum->reason), SPAN("fatal")))
		return CLI_UNAVAILABLE;
	bool cut = sum->aborted > 0 || stats->killed > 0;
	return s->app.live->lifecycle.strict_exit && cut ? CLI_CUT : CLI_OK;
}

static int say_last_words(const struct serve *s)
{
	struct lifecycle_summary sum;
	struct supervisor_stats stats;

	uint64_t undelivered = http_front_undelivered(s->http);
	if (s->stdio != NULL)
		undelivered += stdio_front_undelivered(s->stdio);
	lifecycle_summary(s->lifecycle, &sum);
	sum.completed -= undelivered < sum.completed ? undelivered : sum.completed;
	sum.aborted += undelivered;
	supervisor_stats(s->app.supervisor, &stats);
	stats.stopped -= s->at_stop.stopped;
	stats.killed -= s->at_stop.killed;
	const struct last_words words = {
		.reason = sum.reason,
		.elapsed_ms = sum.elapsed_ms,
		.budget_ms = sum.budget_ms,
		.completed = sum.completed,
		.aborted = sum.aborted,
		.refused = sum.refused,
		.late_connections = http_front_late_connections(s->http) - s->late_at_stop,
		.backends_stopped = stats.stopped,
		.backends_killed = stats.killed,
		.orphans_reaped = stats.orphans_reaped,
		.forced = sum.forced,
		.exit_code = exit_code(s, &sum, &stats),
	};
	AUTO_FD int file = backstop_take_last_words(s->backstop);
	last_words_say(&words, &s->log, file);
	return words.exit_code;
}

static int say_not_started(const struct serve *s, int code)
{
	const struct config *c = s->app.config;
	const struct last_words words = { .reason = "fatal", .exit_code = code, .error = s->app.fault.text };
	AUTO_FD int file = last_words_open(c != NULL ? c->lifecycle.termination_log : NULL);
	struct logger lg = app_logger(&s->app, "main");

	last_words_say(&words, &lg, file);
	return code;
}

static int fail_to_start(struct serve *s, int code)
{
	log_error(&s->log, "start_failed", "cannot start", F_ERR(&s->app.fault));
	return say_not_started(s, code);
}

static int serve(struct serve *s, const struct config_sources *sources, const struct service_manager *manager)
{
	int failed = app_open(&s->app, sources, on_signal, s);

	if (failed != 0)
		return say_not_started(s, failed);
	s->log = app_logger(&s->app, "main");
	s->app.fault = s->ports.misfit;
	if (s->app.fault.text[0] != '\0')
		return fail_to_start(s, CLI_UNAVAILABLE);
	if (!ports_are_safe(&s->ports, s->app.config->http.tls, &s->app.fault))
		return fail_to_start(s, CLI_USAGE);
	make_lifecycle(s);
	if (!start_backstop(s, &s->app.fault) || !open_fronts(s, &s->app.fault))
		return fail_to_start(s, CLI_UNAVAILABLE);
	open_service(s, manager);
	s->reload = reload_new(&s->app, sources,
	        &(struct reload_parts){
	                .lifecycle = s->lifecycle, .backstop = s->backstop, .http = s->http, .service = s->service });
	lifecycle_start(s->lifecycle);
	loop_run(s->app.loop);
	return say_last_words(s);
}

int cli_serve(const struct cli *c)
{
	struct serve s = { .options = &c->options };
	struct config_sources sources = cli_config_sources(c);
	struct err e;

	if (!ports_are_addresses(s.options, &e)) {
		fprintf(c->err, "sluice serve: %s\n", e.text);
		return CLI_USAGE;
	}
	struct service_manager manager = service_manager_find(c->environment);
	ports_find(&s.ports, s.options, c->environment);
	int code = serve(&s, &sources, &manager);
	app_flush(&s.app, in_time(&s, FLUSH_MS));
	if (s.http != NULL)
		http_front_leave(s.http);
	process_leave(code);
}
