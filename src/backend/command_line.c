#include "backend/command_line.h"

#include <assert.h>
#include <stdlib.h>

#include "backend/command_private.h"
#include "base/mem.h"

static struct command *command_of(struct backend *b)
{
	return (struct command *)(void *)b;
}

static void start(struct backend *b)
{
	command_step(command_of(b), LIFE_EV_WANT);
}

static void submit(struct backend *b, struct backend_call *call, const struct message *m, struct splice name)
{
	command_submit(command_of(b), call, m, name);
}

static enum outcome cancel(struct backend *b, struct backend_call *call, struct span reason)
{
	(void)reason;
	return command_cancel(command_of(b), call);
}

/* A program asks nobody anything, keeps nothing for a client, and is not told a log level. */
static void answer(struct backend *b, uint64_t ask, const struct pieces *outcome)
{
	(void)b;
	(void)ask;
	(void)outcome;
}

static void notify(struct backend *b, uint64_t session, enum method method, struct span params)
{
	(void)b;
	(void)session;
	(void)method;
	(void)params;
}

static void end_session(struct backend *b, uint64_t session)
{
	(void)b;
	(void)session;
}

static void tell(struct backend *b, enum method method, struct span params)
{
	(void)b;
	(void)method;
	(void)params;
}

static void stop(struct backend *b, enum backend_stop how)
{
	command_step(command_of(b), backend_stop_event(how));
}

/* Every call needs a process of its own, and so does each help text that is not read yet. */
static void no_more(struct backend *b)
{
	struct command *c = command_of(b);

	command_step(c, LIFE_EV_NO_MORE);
	command_fail_waiting(c);
	if (c->life.state == LIFE_STARTING) {
		standing_explain(&c->standing, "asked to stop before its tools were found");
		command_step(c, LIFE_EV_REFUSED);
	}
}

static void limit_stop(struct backend *b, msec_t eof_ms, msec_t term_ms)
{
	struct command *c = command_of(b);

	(void)eof_ms;
	c->child_conf.stop_term_ms = term_ms < c->child_conf.stop_term_ms ? term_ms : c->child_conf.stop_term_ms;
	discovery_limit_stop(&c->discovery, term_ms);
	list_each (node, &c->running)
		run_limit_stop(list_entry(node, struct job, node)->run, term_ms);
}

static void take_conf(struct command *c, const struct backend_conf *conf)
{
	c->base.conf = conf;
	c->log.about = F_STR("backend", conf->name);
	c->child_conf = (struct child_conf){
		.name = conf->name,
		.argv = conf->argv,
		.env = conf->env,
		.cwd = conf->cwd,
		.no_stdin = true,
		.stop_term_ms = conf->stop_term_ms,
	};
	c->life.conf = (struct life_conf){
		.startup_timeout_ms = conf->startup_timeout_ms,
		.idle = IDLE_NEVER,
	};
}

static void configure(struct backend *b, const struct backend_conf *conf)
{
	struct command *c = command_of(b);

	take_conf(c, conf);
	discovery_configure(&c->discovery, conf, &c->child_conf);
	list_each (node, &c->running)
		run_set_stop(list_entry(node, struct job, node)->run, conf->stop_term_ms);
	command_more_room(c);
}

static int first_pid(const struct command *c)
{
	const struct list *first = list_first(&c->running);

	return first != NULL ? run_pid(list_entry(first, const struct job, node)->run) : 0;
}

static void stats(const struct backend *b, struct backend_stats *stats)
{
	const struct command *c = (const struct command *)(const void *)b;

	*stats = (struct backend_stats){
		.state = life_shown(c->life.state),
		.in_flight = c->life.in_flight,
		.failures = c->life.failures,
		.starts = c->starts,
		.restarts = c->restarts,
		.pid = first_pid(c),
		.last_error = c->standing.why[0] != '\0' ? c->standing.why : NULL,
	};
}

static void free_backend(struct backend *b)
{
	struct command *c = command_of(b);

	assert(life_shown(c->life.state) == BACKEND_STOPPED);
	timer_stop(loop_sched(c->loop), &c->timer);
	standing_clear(&c->standing);
	post_cancel(&c->gone_post);
	discovery_clear(&c->discovery);
	command_clear_calls(c);
	map_free(&c->by_name);
	command_tools_clear(&c->tools);
	loop_bury(c->loop, c, free);
}

static bool ends_are_due(const struct backend *b)
{
	const struct command *c = (const struct command *)(const void *)b;

	return !list_is_empty(&c->pending.ending) || !list_is_empty(&c->answered);
}

static const struct backend_ops ops = {
	.start = start,
	.submit = submit,
	.cancel = cancel,
	.answer = answer,
	.end_session = end_session,
	.notify = notify,
	.tell = tell,
	.stop = stop,
	.no_more = no_more,
	.limit_stop = limit_stop,
	.configure = configure,
	.stats = stats,
	.free = free_backend,
};

struct backend *command_line_new(struct loop *l, struct supervisor *supervisor, const struct backend_conf *conf,
        const struct backend_events *events, void *arg, const struct logger *lg, uint64_t seed)
{
	struct command *c = NEW(struct command);

	c->base = (struct backend){ .ops = &ops, .conf = conf, .events = events, .arg = arg };
	c->loop = l;
	c->supervisor = supervisor;
	c->log = *lg;
	c->random = seed;
	list_init(&c->waiting);
	list_init(&c->running);
	list_init(&c->answered);
	life_init(&c->life, &(struct life_conf){ 0 });
	standing_init(&c->standing, &c->base, &c->life, loop_sched(l), &c->log, ends_are_due);
	take_conf(c, conf);
	pending_init(&c->pending, loop_sched(l));
	discovery_init(&c->discovery, l, supervisor, &c->log, command_found, c);
	return &c->base;
}
