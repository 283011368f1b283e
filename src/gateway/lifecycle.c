#include "gateway/lifecycle.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* Together they stay below the 2 s between SIGTERM and SIGKILL of a client that has started us as its command. */
#define HURRY_MS 1000    /* what calls in flight get after a second signal */
#define FAST_STOP_MS 750 /* then: SIGKILL after 500 ms, reaping, sweeping, the last bytes for slow readers */

struct lifecycle {
	struct lifecycle_conf conf;
	struct gateway *gw;
	struct sched *sched;
	const struct lifecycle_ops *ops;
	void *arg;
	struct logger log;
	enum phase phase;
	mono_t entered[PHASE_COUNT]; /* the first of its twins; MONO_NEVER: not yet */
	mono_t phase_since;
	bool started;
	const char *reason; /* of the stop; NULL: there is none */
	struct budget budget;
	msec_t longest_eof_ms, longest_term_ms;
	mono_t lame_duck_since, hook; /* MONO_NEVER: not now; no hook has told when the grace period began */
	struct list waits;            /* struct drain_wait */
	unsigned wait_count;
	struct ledger_counts at_signal;
	bool asked;           /* to stop, by a signal or the end of stdin */
	bool left;            /* nothing that comes now changes anything */
	bool forced, hurried; /* hurried: there was a second signal */
	struct timer start_deadline, lame_duck, stop, end;
	struct post check_post;
};

static void step(struct lifecycle *l, enum phase_event event);

struct lifecycle *lifecycle_new(const struct lifecycle_conf *conf, msec_t longest_eof_ms, msec_t longest_term_ms,
        struct gateway *gw, struct sched *sched, const struct lifecycle_ops *ops, void *arg, const struct logger *lg)
{
	struct lifecycle *l = NEW(struct lifecycle);

	*l = (struct lifecycle){
		.conf = *conf,
		.longest_eof_ms = longest_eof_ms,
		.longest_term_ms = longest_term_ms,
		.gw = gw,
		.sched = sched,
		.ops = ops,
		.arg = arg,
		.log = *lg,
		.lame_duck_since = MONO_NEVER,
		.hook = MONO_NEVER,
		.phase_since = sched->now,
	};
	for (enum phase p = 0; p < PHASE_COUNT; p++)
		l->entered[p] = MONO_NEVER;
	list_init(&l->waits);
	return l;
}

void lifecycle_free(struct lifecycle **lp)
{
	struct lifecycle *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	struct timer *const timers[] = { &l->start_deadline, &l->lame_duck, &l->stop, &l->end };
	assert(list_is_empty(&l->waits));
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
		timer_stop(l->sched, timers[i]);
	post_cancel(&l->check_post);
	gateway_watch(l->gw, NULL, NULL);
	free(l);
}

/* ---- lame-duck, and who waits for its end ---- */

/* The budget of a stop at `signal`, with what has gone before it. */
static struct budget budget_of_stop(const struct lifecycle *l, mono_t signal)
{
	const struct budget_start start = {
		.t0 = mono_min(l->hook, signal),
		.signal = signal,
		.lame_duck = mono_min(l->lame_duck_since, signal),
		.hook = mono_past(l->hook, signal),
	};

	return budget_from(&l->conf, l->longest_eof_ms, l->longest_term_ms, &start);
}

static bool is_lame_duck(const struct lifecycle *l)
{
	return l->phase == PHASE_LAME_DUCK || l->phase == PHASE_LAME_DUCK_HELD;
}

/* When `min` has passed and no request was read for `quiet`, at the latest at its latest point. */
static mono_t lame_duck_over(const struct lifecycle *l)
{
	bool held = l->phase == PHASE_LAME_DUCK_HELD;
	mono_t least = held ? mono_add(l->lame_duck_since, l->conf.lame_duck_min_ms) : l->budget.lame_duck_min;
	mono_t most = held ? mono_add(l->lame_duck_since, l->conf.lame_duck_max_ms) : l->budget.lame_duck_end;
	mono_t quiet = mono_add(l->ops->last_request(l->arg), l->conf.lame_duck_quiet_ms);

	return mono_min(mono_max(quiet, least), most);
}

bool lifecycle_is_drained(const struct lifecycle *l)
{
	struct gateway_state state;

	if (l->phase < PHASE_STARTING_HELD || (is_lame_duck(l) && !mono_past(lame_duck_over(l), l->sched->now)))
		return false;
	gateway_state(l->gw, &state);
	return state.in_flight == 0 && state.parked == 0;
}

static void wait_over(struct drain_wait *w)
{
	lifecycle_wait_cancel(w);
	w->done(w->arg);
}

static void on_held(void *arg);

/* Tells those who wait when there is something to tell, or sees to it that the question is asked again. None keeps the
 * process from leaving. */
static void check_waits(struct lifecycle *l)
{
	bool over = l->phase < PHASE_STARTING_HELD || l->phase == PHASE_EXITING;

	if (list_is_empty(&l->waits))
		return;
	if (over || lifecycle_is_drained(l))
		list_each (node, &l->waits)
			wait_over(list_entry(node, struct drain_wait, node));
	else if (l->phase == PHASE_LAME_DUCK_HELD && !mono_past(lame_duck_over(l), l->sched->now))
		timer_set(l->sched, &l->lame_duck, lame_duck_over(l), on_held, l);
}

static void on_held(void *arg)
{
	check_waits(arg);
}

static void on_wait_timeout(void *arg)
{
	wait_over(arg);
}

/* ---- the conditions of the present phase: looked at whenever something may have changed ---- */

static void check(void *arg)
{
	struct lifecycle *l = arg;
	struct gateway_state state;

	gateway_state(l->gw, &state);
	switch (l->phase) {
	case PHASE_STARTING:
	case PHASE_STARTING_HELD:
		if (state.required_up && state.tried)
			step(l, PHASE_EV_STARTED);
		break;
	case PHASE_DRAINING:
	case PHASE_HURRYING:
		if (state.in_flight == 0 && state.parked == 0)
			step(l, PHASE_EV_CALLS_DONE);
		break;
	case PHASE_STOPPING_BACKENDS:
		if (state.backends_stopped)
			step(l, PHASE_EV_BACKENDS_DONE);
		break;
	default:
		break;
	}
	check_waits(l);
}

static void on_stop_time(void *arg)
{
	step(arg, PHASE_EV_STOP_TIME);
}

static void on_start_deadline(void *arg)
{
	struct lifecycle *l = arg;

	if (l->reason == NULL && !l->started)
		l->reason = "fatal";
	step(l, PHASE_EV_START_DEADLINE);
}

static void on_end_time(void *arg)
{
	step(arg, PHASE_EV_END_TIME);
}

static void on_lame_duck(void *arg)
{
	struct lifecycle *l = arg;
	mono_t over = lame_duck_over(l);

	if (mono_past(over, l->sched->now))
		step(l, PHASE_EV_LAME_DUCK_OVER);
	else
		timer_set(l->sched, &l->lame_duck, over, on_lame_duck, l);
}

/* ---- the actions ---- */

static void do_set_budget(struct lifecycle *l)
{
	l->budget = budget_of_stop(l, mono_min(l->sched->now, l->ops->signalled(l->arg)));
	l->ops->arm_backstop(l->arg, l->budget.backstop);
	l->at_signal = *gateway_counts(l->gw);
	gateway_limit_stop(l->gw, l->budget.stop_eof_ms, l->budget.stop_term_ms);
	timer_set(l->sched, &l->stop, l->budget.stop, on_stop_time, l);
	timer_set(l->sched, &l->end, l->budget.end, on_end_time, l);
	log_info(&l->log, "shutdown_started", "stopping within the budget", F_STR("reason", l->reason),
	        F_MS("lame_duck_end_ms", mono_diff(l->budget.lame_duck_end, l->budget.t0)),
	        F_MS("stop_ms", mono_diff(l->budget.stop, l->budget.t0)),
	        F_MS("end_ms", mono_diff(l->budget.end, l->budget.t0)));
}

static void do_announce(struct lifecycle *l)
{
	l->lame_duck_since = mono_min(l->lame_duck_since, l->sched->now);
	l->ops->announce(l->arg, true);
	gateway_end_pushes(l->gw, is_lame_duck(l) ? l->conf.lame_duck_min_ms / 2 : 0);
}

static void do_unannounce(struct lifecycle *l)
{
	timer_stop(l->sched, &l->lame_duck);
	l->lame_duck_since = l->hook = MONO_NEVER;
	l->entered[PHASE_LAME_DUCK] = l->entered[PHASE_LAME_DUCK_HELD] = MONO_NEVER;
	l->ops->announce(l->arg, false);
	gateway_keep_pushes(l->gw);
}

static void do_refuse_new(struct lifecycle *l)
{
	timer_stop(l->sched, &l->lame_duck);
	gateway_refuse_new(l->gw);
	gateway_cut_orphans(l->gw);
	l->ops->end_resting(l->arg);
}

static void do_stop_unready(struct lifecycle *l)
{
	gateway_stop_unready(l->gw);
}

/* From `stop` on nobody waits for calls any more. */
static void hurry_end(struct lifecycle *l, mono_t stop)
{
	msec_t spare_ms = mono_diff(l->budget.backstop, l->budget.end);

	l->budget.end = mono_min(l->budget.end, mono_add(stop, FAST_STOP_MS));
	l->budget.backstop = mono_add(l->budget.end, spare_ms);
	l->ops->arm_backstop(l->arg, l->budget.backstop);
	timer_set(l->sched, &l->end, l->budget.end, on_end_time, l);
}

static void do_hurry_calls(struct lifecycle *l)
{
	mono_t stop = mono_add(l->sched->now, HURRY_MS);

	l->budget.stop = mono_min(l->budget.stop, stop);
	timer_set(l->sched, &l->stop, l->budget.stop, on_stop_time, l);
	hurry_end(l, stop);
}

static void do_hurry_end(struct lifecycle *l)
{
	hurry_end(l, l->sched->now);
}

static void do_cut_calls(struct lifecycle *l)
{
	struct gateway_state state;

	gateway_state(l->gw, &state);
	l->forced = l->forced || state.in_flight > 0;
	gateway_cut_calls(l->gw);
}

static void do_stop_backends(struct lifecycle *l)
{
	gateway_stop_backends(l->gw, BACKEND_STOP_LADDER);
}

static void do_stop_fast(struct lifecycle *l)
{
	gateway_stop_backends(l->gw, BACKEND_STOP_FAST);
}

static void do_kill_backends(struct lifecycle *l)
{
	gateway_stop_backends(l->gw, BACKEND_STOP_KILL);
	l->ops->kill_backends(l->arg);
}

/* Streams that were opened since the first ones ended were held until now. */
static void do_close_fronts(struct lifecycle *l)
{
	gateway_end_pushes(l->gw, 0);
	l->ops->close_fronts(l->arg, l->budget.end);
}

static void do_exit(struct lifecycle *l)
{
	l->left = true;
	l->ops->exit(l->arg);
}

static void do_forced(struct lifecycle *l)
{
	l->forced = true;
}

static void do_arm_lame_duck(struct lifecycle *l)
{
	timer_set(l->sched, &l->lame_duck, l->budget.lame_duck_min, on_lame_duck, l);
}

static void perform(struct lifecycle *l, unsigned actions)
{
	static void (*const todo[])(struct lifecycle *) = {
		do_forced,
		do_set_budget,
		do_announce,
		do_unannounce,
		do_arm_lame_duck,
		do_refuse_new,
		do_stop_unready,
		do_hurry_calls,
		do_hurry_end,
		do_cut_calls,
		do_stop_backends,
		do_stop_fast,
		do_kill_backends,
		do_close_fronts,
		do_exit,
	};

	for (unsigned bit = 0; bit < sizeof(todo) / sizeof(todo[0]); bit++)
		if (actions & 1u << bit)
			todo[bit](l);
}

/* They look the same from outside. */
static bool are_twins(enum phase a, enum phase b)
{
	return span_eq(span_of(phase_name(a)), span_of(phase_name(b)));
}

static void enter(struct lifecycle *l, enum phase next, enum phase_event event)
{
	log_info(&l->log, "phase", "the phase changes", F_STR("from", phase_name(l->phase)),
	        F_STR("to", phase_name(next)), F_STR("why", phase_event_name(event)));
	l->phase_since = l->sched->now;
	for (enum phase p = 0; p < PHASE_COUNT; p++)
		if (are_twins(p, next))
			l->entered[p] = l->sched->now;
}

/* The one place where the phase changes. */
static void step(struct lifecycle *l, enum phase_event event)
{
	if (l->left)
		return;
	struct phase_step s = phase_next(l->phase, event);
	if (!are_twins(s.next, l->phase))
		enter(l, s.next, event);
	l->phase = s.next;
	l->started = l->started || event == PHASE_EV_STARTED;
	perform(l, s.actions);
	l->ops->phase(l->arg);
	gateway_changed(l->gw);
}

/* ---- the outside ---- */

/* What a signal would mean now; at the signal itself `shutdown_started` tells what it does mean. */
static void log_plan(const struct lifecycle *l)
{
	mono_t now = l->sched->now;
	struct budget b = budget_at(&l->conf, l->longest_eof_ms, l->longest_term_ms, now);

	log_info(&l->log, "shutdown_plan", "how a stop will go",
	        F_MS("lame_duck_end_ms", mono_diff(b.lame_duck_end, now)), F_MS("stop_ms", mono_diff(b.stop, now)),
	        F_MS("end_ms", mono_diff(b.end, now)), F_MS("killed_ms", mono_diff(b.killed, now)));
	for (unsigned clip = CLIP_MARGIN; clip <= CLIP_PRE_STOP; clip <<= 1)
		if (b.clipped & clip)
			log_warn(&l->log, "shutdown_plan_clipped", budget_clip_sentence(clip));
}

void lifecycle_reconfigure(
        struct lifecycle *l, const struct lifecycle_conf *conf, msec_t longest_eof_ms, msec_t longest_term_ms)
{
	if (l->reason != NULL)
		return;
	l->conf = *conf;
	l->longest_eof_ms = longest_eof_ms;
	l->longest_term_ms = longest_term_ms;
	log_plan(l);
	gateway_changed(l->gw);
}

void lifecycle_start(struct lifecycle *l)
{
	log_plan(l);
	gateway_watch(l->gw, check, l);
	gateway_start(l->gw);
	if (l->conf.start_deadline_ms > 0)
		timer_set_in(l->sched, &l->start_deadline, l->conf.start_deadline_ms, on_start_deadline, l);
}

void lifecycle_stop(struct lifecycle *l, enum stop_signal what)
{
	static const struct {
		const char *name;
		enum phase_event first;
	} rows[] = {
		[STOP_TERM] = { "SIGTERM", PHASE_EV_SIGTERM },
		[STOP_TERM_ALONE] = { "SIGTERM", PHASE_EV_SIGINT },
		[STOP_INT] = { "SIGINT", PHASE_EV_SIGINT },
		[STOP_STDIN_EOF] = { "stdin_eof", PHASE_EV_STDIN_EOF },
		[STOP_QUIT] = { "SIGQUIT", PHASE_EV_NOW },
	};
	enum phase_event event = rows[what].first;

	if (l->reason == NULL)
		l->reason = rows[what].name;
	if (l->asked && what != STOP_STDIN_EOF && what != STOP_QUIT)
		event = l->hurried ? PHASE_EV_NOW : PHASE_EV_AGAIN;
	l->asked = true;
	l->hurried = l->hurried || event == PHASE_EV_AGAIN;
	step(l, event);
}

void lifecycle_drain(struct lifecycle *l, bool hook)
{
	log_info(&l->log, "drain", "asked to drain", F_BOOL("hook", hook), F_STR("phase", phase_name(l->phase)));
	if (hook && l->reason == NULL)
		l->hook = mono_min(l->hook, l->sched->now);
	step(l, PHASE_EV_DRAIN);
}

bool lifecycle_drain_cancel(struct lifecycle *l)
{
	if (l->reason != NULL)
		return false;
	log_info(&l->log, "drain_cancelled", "asked to go on as before", F_STR("phase", phase_name(l->phase)));
	step(l, PHASE_EV_DRAIN_CANCEL);
	return true;
}

void lifecycle_drain_state(const struct lifecycle *l, struct drain_state *out)
{
	bool begun = l->reason != NULL || l->hook.ms != MONO_NEVER.ms;
	mono_t now = l->sched->now;
	mono_t end = l->reason != NULL ? l->budget.end : budget_of_stop(l, now).end;
	struct gateway_state state;

	gateway_state(l->gw, &state);
	*out = (struct drain_state){
		.drained = lifecycle_is_drained(l),
		.in_flight = state.in_flight,
		.since_ms = l->lame_duck_since.ms != MONO_NEVER.ms ? mono_diff(now, l->lame_duck_since) : -1,
		.left_ms = begun ? mono_diff(end, now) : -1,
	};
}

/* A hook is let go at the point STOP of a signal that had come with it: what it waits for is not to eat up what the
 * signal behind it needs. */
static mono_t hook_must_end(const struct lifecycle *l)
{
	bool waits_for_signal = l->reason == NULL && l->hook.ms != MONO_NEVER.ms;

	return waits_for_signal ? budget_of_stop(l, l->hook).stop : MONO_NEVER;
}

bool lifecycle_wait(struct lifecycle *l, struct drain_wait *w, msec_t timeout_ms, void (*done)(void *arg), void *arg)
{
	mono_t until = mono_add(l->sched->now, timeout_ms < 0 ? l->conf.lame_duck_max_ms : timeout_ms);

	if (l->wait_count == DRAIN_WAITS_MAX)
		return false;
	*w = (struct drain_wait){ .lifecycle = l, .done = done, .arg = arg };
	list_append(&l->waits, &w->node);
	l->wait_count++;
	timer_set(l->sched, &w->timeout, mono_min(until, hook_must_end(l)), on_wait_timeout, w);
	post_set(l->sched, &l->check_post, check, l);
	return true;
}

void lifecycle_wait_cancel(struct drain_wait *w)
{
	if (!list_is_linked(&w->node))
		return;
	list_unlink(&w->node);
	timer_stop(w->lifecycle->sched, &w->timeout);
	w->lifecycle->wait_count--;
}

void lifecycle_fronts_done(struct lifecycle *l)
{
	step(l, PHASE_EV_FRONTS_DONE);
}

enum phase lifecycle_phase(const struct lifecycle *l)
{
	return l->phase;
}

void lifecycle_view(const struct lifecycle *l, struct lifecycle_view *view)
{
	static const enum phase steps[TIMELINE_STEP_COUNT] = { PHASE_LAME_DUCK, PHASE_DRAINING, PHASE_STOPPING_BACKENDS,
		PHASE_EXITING };
	mono_t now = l->sched->now, entered[TIMELINE_STEP_COUNT];
	bool begun = l->reason != NULL || l->hook.ms != MONO_NEVER.ms;
	struct budget plan = l->reason != NULL ? l->budget : budget_of_stop(l, now);

	for (unsigned i = 0; i < TIMELINE_STEP_COUNT; i++)
		entered[i] = l->entered[steps[i]];
	*view = (struct lifecycle_view){
		.phase = phase_name(l->phase),
		.reason = l->reason,
		.phase_ms = mono_diff(now, l->phase_since),
	};
	timeline_make(&view->timeline, &plan, begun, entered, now);
}

bool lifecycle_is_started(const struct lifecycle *l)
{
	return l->started;
}

bool lifecycle_is_ready(const struct lifecycle *l)
{
	struct gateway_state state;

	if (is_lame_duck(l))
		return l->conf.ready_while_draining;
	if (l->phase != PHASE_READY)
		return false;
	gateway_state(l->gw, &state);
	return !state.lost_required;
}

/* Calls whose outcome is known: their server answered, or we did in its place. */
static uint64_t completed(const struct ledger_counts *c)
{
	uint64_t ended = 0;

	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		ended += c->ended[why];
	return ended - c->not_sent - c->unknown;
}

void lifecycle_summary(const struct lifecycle *l, struct lifecycle_summary *out)
{
	const struct ledger_counts *now = gateway_counts(l->gw), *then = &l->at_signal;

	*out = (struct lifecycle_summary){
		.reason = l->reason,
		.elapsed_ms = mono_diff(l->sched->now, l->budget.t0),
		.budget_ms = mono_diff(l->budget.end, l->budget.t0),
		.completed = completed(now) - completed(then),
		.aborted = now->unknown - then->unknown,
		.refused = now->refused - then->refused + now->not_sent - then->not_sent,
		.forced = l->forced,
	};
}
