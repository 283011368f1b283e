#include "supervise/child.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "supervise/child_private.h"

#define FAST_MS 500       /* from SIGTERM to SIGKILL in a fast stop */
#define KILL_AGAIN_MS 500 /* a process stuck in the kernel */
#define SWEEP_MS 1000     /* for the orphans of one child: they get SIGKILL again and again until none is left */
#define SWEEP_WAIT_MAX_MS 20

static void child_step(struct child *c, enum ladder_event event);

static struct sched *sched_of(struct child *c)
{
	return loop_sched(c->supervisor->loop);
}

/* The end */

static void child_free(struct child *c)
{
	struct sched *sched = sched_of(c);

	timer_stop(sched, &c->step_timer);
	timer_stop(sched, &c->sweep_timer);
	post_cancel(&c->stdin_post);
	watch_close(&c->exit_watch);
	list_unlink(&c->node);
	c->supervisor->stats.children--;
	free(c);
}

msec_t sweep_next_wait(msec_t wait_ms)
{
	return wait_ms == 0 ? 1 : wait_ms * 2 < SWEEP_WAIT_MAX_MS ? wait_ms * 2 : SWEEP_WAIT_MAX_MS;
}

/* Each round kills a generation of orphans, and the next one is re-parented to us. */
static void sweep_round(void *arg)
{
	struct child *c = arg;

	supervisor_scan(c->supervisor);
	if (c->orphans > 0 && !mono_past(c->sweep_end, loop_now(c->supervisor->loop))) {
		c->sweep_wait_ms = sweep_next_wait(c->sweep_wait_ms);
		timer_set_in(sched_of(c), &c->sweep_timer, c->sweep_wait_ms, sweep_round, c);
		return;
	}
	if (c->orphans > 0)
		log_warn(&c->log, "orphans_left", "processes that it left do not die", F_INT("orphans", c->orphans));
	c->events->gone(c->arg, &c->how);
	child_free(c);
}

static void start_sweep(struct child *c)
{
	c->sweep_end = mono_add(loop_now(c->supervisor->loop), SWEEP_MS);
	timer_set_in(sched_of(c), &c->sweep_timer, 0, sweep_round, c);
}

/* The ladder's actions */

static void signal_group(struct child *c, int signo)
{
	int failed = kill(-c->pid, signo);

	assert(failed == 0 || errno == EPERM); /* not ESRCH: the leader is not reaped, its zombie keeps the group */
	if (failed != 0)
		log_warn(&c->log, "signal_refused", "may not signal its process group", F_INT("signal", signo));
}

static void post_close_stdin(void *arg)
{
	struct child *c = arg;

	if (c->close_stdin != NULL)
		c->close_stdin(c->arg);
}

static void time_is_up(void *arg)
{
	child_step(arg, LADDER_EV_TIME);
}

static void arm(struct child *c, msec_t ms)
{
	timer_set_in(sched_of(c), &c->step_timer, ms, time_is_up, c);
}

static void arm_fast(struct child *c, enum ladder_state from)
{
	mono_t at = mono_add(loop_now(c->supervisor->loop), FAST_MS);

	if (from != LADDER_EOF_SENT && timer_is_set(&c->step_timer))
		at = mono_min(at, c->step_timer.at);
	timer_set(sched_of(c), &c->step_timer, at, time_is_up, c);
}

static void reap(struct child *c)
{
	groups_remove(&c->supervisor->groups, c->pid);
	bool reaped = reaper_reap(c->pid);

	assert(reaped); /* it has been a zombie since EXIT */
	map_remove_u64(&c->supervisor->by_pid, (uint64_t)c->pid);
	watch_close(&c->exit_watch);
}

static void arm_timer(struct child *c, unsigned actions, enum ladder_state from)
{
	if (actions & LADDER_DO_ARM_EOF)
		arm(c, c->eof_ms);
	if (actions & LADDER_DO_ARM_TERM)
		arm(c, c->term_ms);
	if (actions & LADDER_DO_ARM_FAST)
		arm_fast(c, from);
	if (actions & LADDER_DO_ARM_KILL)
		arm(c, KILL_AGAIN_MS);
	if (actions & LADDER_DO_ARM_OUTPUT)
		arm(c, c->output_ms);
	if (actions & LADDER_DO_DISARM)
		timer_stop(sched_of(c), &c->step_timer);
}

static void perform(struct child *c, unsigned actions, enum ladder_state from)
{
	if (actions & LADDER_DO_CLOSE_STDIN)
		post_set(sched_of(c), &c->stdin_post, post_close_stdin, c);
	if (actions & LADDER_DO_TERM_GROUP)
		signal_group(c, SIGTERM);
	if (actions & LADDER_DO_KILL_GROUP)
		signal_group(c, SIGKILL);
	if (actions & LADDER_DO_REAP)
		reap(c);
	arm_timer(c, actions, from);
	if (actions & LADDER_DO_TELL_GONE)
		start_sweep(c);
	if (actions & LADDER_DO_COUNT_KILLED)
		c->kill_sent = true;
}

static void child_step(struct child *c, enum ladder_event event)
{
	struct ladder_step step = ladder_next(c->state, event);
	enum ladder_state from = c->state;

	c->state = step.next;
	if (from != step.next)
		log_debug(&c->log, "child_step", "the child's life goes on", F_STR("from", ladder_state_name(from)),
		        F_STR("to", ladder_state_name(step.next)), F_STR("on", ladder_event_name(event)),
		        F_INT("pid", c->pid));
	if (step.actions & LADDER_DO_COUNT_KILLED)
		log_warn(&c->log, "child_killed", "the process does not leave and gets SIGKILL", F_INT("pid", c->pid));
	perform(c, step.actions, from);
}

/* The process has ended */

static bool has_ended(const struct child *c, siginfo_t *info)
{
	*info = (siginfo_t){ 0 };
	int failed = waitid(P_PID, (id_t)c->pid, info, WEXITED | WNOHANG | WNOWAIT);

	assert(failed == 0); /* nobody else reaps it */
	return info->si_pid == c->pid;
}

const char *stop_step_name(enum stop_step step)
{
	static const char *const names[] = {
#define X(symbol, name) [STOP_STEP_##symbol] = (name),
		STOP_STEPS(X)
#undef X
	};

	assert(step < STOP_STEP_COUNT);
	return names[step];
}

/* Ended by a signal that is not ours: it was about to, and the end of its output was seen before its own. */
static bool was_struck(const struct child *c)
{
	return c->how.signaled &&
	       ((c->state == LADDER_EOF_SENT) || (c->state == LADDER_TERM_SENT && c->how.code != SIGTERM));
}

static void count_end(struct child *c)
{
	static const enum stop_step steps[] = {
		[LADDER_RUNNING] = STOP_STEP_NONE,
		[LADDER_EOF_SENT] = STOP_STEP_EOF,
		[LADDER_TERM_SENT] = STOP_STEP_TERM,
		[LADDER_KILL_SENT] = STOP_STEP_KILL,
	};
	enum stop_step step = c->how.asked && !was_struck(c) ? steps[c->state] : STOP_STEP_NONE;
	msec_t took_ms = step != STOP_STEP_NONE ? mono_diff(loop_now(c->supervisor->loop), c->asked_at) : 0;

	histogram_add(&c->supervisor->ended[step], took_ms);
	c->supervisor->stats.killed += c->how.killed;
	c->supervisor->stats.stopped += c->how.asked && !c->how.killed;
}

static bool read_exit(struct child *c)
{
	siginfo_t info;

	if (!has_ended(c, &info))
		return false;
	c->how.signaled = info.si_code != CLD_EXITED;
	c->how.code = info.si_status;
	c->how.killed = c->kill_sent && c->how.signaled && info.si_status == SIGKILL;
	count_end(c);
	return true;
}

static void exit_seen(void *arg, unsigned events)
{
	struct child *c = arg;

	(void)events;
	if (!read_exit(c))
		return;
	watch_set(c->exit_watch, 0); /* stays readable as long as the zombie is kept */
	log_info(&c->log, "child_exited", c->how.asked ? "the process has ended" : "the process has ended on its own",
	        F_INT("pid", c->pid), F_INT(c->how.signaled ? "signal" : "code", c->how.code));
	child_step(c, LADDER_EV_EXIT);
	c->events->exited(c->arg, &c->how);
	supervisor_scan(c->supervisor);
	if (c->supervisor->sweeping)
		child_step(c, LADDER_EV_KILL);
}

/* "The end of the output" is that of the whole family: who got SIGTERM at the exit may use the time, too. */
void child_scanned(struct child *c)
{
	if (c->state == LADDER_EXITED && c->output_ended && c->orphans == 0)
		child_step(c, LADDER_EV_OUTPUT_END);
}

void child_output_ended(struct child *c)
{
	c->output_ended = true;
	child_scanned(c);
}

/* The beginning */

static const char *const *environment(const char *const *env, const char *tag)
{
	size_t n = 0;

	while (env[n] != NULL)
		n++;
	const char **all = mem_alloc((n + 2) * sizeof(*all));
	all[0] = tag;
	for (size_t i = 0; i <= n; i++)
		all[i + 1] = env[i];
	return all;
}

static bool start(
        struct supervisor *s, const struct child_conf *conf, struct child *c, struct spawned *p, struct err *e)
{
	char entry[sizeof(REAPER_TAG_NAME) + REAPER_TAG_MAX];

	snprintf(c->tag, sizeof(c->tag), "%.32s.%" PRIu64, conf->name, ++s->serial);
	snprintf(entry, sizeof(entry), REAPER_TAG_NAME "=%s", c->tag);
	const char *const *env = environment(conf->env, entry);
	const struct spawn_conf how = { conf->argv, env, conf->cwd, conf->no_stdin };
	bool fine = spawn(&s->spawner, &how, p, e);
	free((void *)(uintptr_t)env);
	return fine;
}

/* Without a watch its life could not be followed. */
static bool watch_exit(struct child *c, struct spawned *p, struct err *e)
{
	c->exit_watch = watch_open(c->supervisor->loop, p->pidfd, exit_seen, c);
	if (c->exit_watch != NULL) {
		watch_set(c->exit_watch, WATCH_READ);
		return true;
	}
	err_sys(e, "watch the process");
	siginfo_t info;
	kill(-p->pid, SIGKILL);
	waitid(P_PID, (id_t)p->pid, &info, WEXITED);
	fd_close(&p->pidfd);
	fd_close(&p->in);
	fd_close(&p->out);
	fd_close(&p->err);
	return false;
}

bool child_check(const struct child_conf *conf, struct err *e)
{
	return spawn_check(&(struct spawn_conf){ conf->argv, conf->env, conf->cwd, conf->no_stdin }, e);
}

struct child *child_spawn(struct supervisor *s, const struct child_conf *conf, const struct child_events *events,
        void *arg, int *in, int *out, int *err, struct err *e)
{
	struct child *c = NEW(struct child);
	struct spawned p;

	assert(!s->sweeping);
	*c = (struct child){ .supervisor = s, .log = s->log, .events = events, .arg = arg };
	if (!start(s, conf, c, &p, e) || !watch_exit(c, &p, e)) {
		free(c);
		return NULL;
	}
	c->pid = p.pid;
	groups_add(&s->groups, c->pid);
	c->eof_ms = conf->stop_eof_ms;
	c->term_ms = conf->stop_term_ms;
	c->output_ms = conf->output_ms;
	c->log.about = F_STR("child", c->tag);
	list_append(&s->children, &c->node);
	map_put_u64(&s->by_pid, (uint64_t)c->pid, c);
	s->stats.children++;
	s->stats.spawned++;
	*in = p.in;
	*out = p.out;
	*err = p.err;
	log_info(&c->log, "child_started", "a process was started", F_INT("pid", c->pid),
	        F_STR("command", conf->argv[0]));
	return c;
}

void child_stop(struct child *c, enum child_stop how)
{
	static const enum ladder_event events[] = {
		[CHILD_STOP_LADDER] = LADDER_EV_STOP,
		[CHILD_STOP_FAST] = LADDER_EV_STOP_FAST,
		[CHILD_STOP_KILL] = LADDER_EV_KILL,
	};

	bool alive = c->state < LADDER_EXITED && !has_ended(c, &(siginfo_t){ 0 });

	if (alive && !c->how.asked)
		c->asked_at = loop_now(c->supervisor->loop);
	c->how.asked |= alive;
	child_step(c, events[how]);
}

void child_limit_stop(struct child *c, msec_t eof_ms, msec_t term_ms)
{
	c->eof_ms = eof_ms < c->eof_ms ? eof_ms : c->eof_ms;
	c->term_ms = term_ms < c->term_ms ? term_ms : c->term_ms;
}

void child_set_stop(struct child *c, msec_t eof_ms, msec_t term_ms)
{
	c->eof_ms = eof_ms;
	c->term_ms = term_ms;
}

void child_on_close_stdin(struct child *c, void (*close_stdin)(void *arg))
{
	c->close_stdin = close_stdin;
}

int child_pid(const struct child *c)
{
	return c->pid;
}
