/*
 * What must hold of every run. The deadlines are reckoned here once more, from interface.md and not from budget.c.
 */
#include "gateway/gateway_private.h"
#include "scenario.h"

static msec_t least(msec_t a, msec_t b)
{
	return a < b ? a : b;
}

/* G: what the grace period, less what a preStop hook takes of it, leaves from the signal on; the kubelet gives 2 s. */
static msec_t grace_ms(const struct scenario *sc, mono_t signal)
{
	const struct lifecycle_conf *conf = &sc->lifecycle_conf;
	msec_t taken_ms = sc->hook.ms <= signal.ms ? mono_diff(signal, sc->hook) : conf->pre_stop_ms;
	msec_t left_ms = conf->grace_ms - taken_ms;

	return taken_ms > 0 && left_ms < 2000 ? 2000 : left_ms;
}

void check_stop_begins(struct scenario *sc)
{
	mono_t signal = mono_min(world_sched(sc->world)->now, sc->signal_sent);
	msec_t grace = grace_ms(sc, signal);
	msec_t end_ms = grace - least(sc->lifecycle_conf.margin_ms, grace / 4);
	msec_t stopping_ms = least(sc->longest_eof_ms + sc->longest_term_ms + 500, end_ms / 2);
	struct gateway_state state;

	gateway_state(sc->gw, &state);
	sc->due = state.in_flight;
	sc->stopping = true;
	sc->deadlines = (struct deadlines){
		.t0 = mono_min(signal, sc->hook),
		.stop = mono_add(signal, end_ms - stopping_ms),
		.end = mono_add(signal, end_ms),
		.killed = mono_add(signal, grace),
	};
}

/* By force only when we ought to be gone, and before the kubelet does it. */
void check_backstop(const struct scenario *sc)
{
	REQUIRE(sc, sc->backstop.ms >= sc->deadlines.end.ms && sc->backstop.ms <= sc->deadlines.killed.ms);
}

/* A second signal: calls get 1 s more, if there can be any, and all else 750 ms behind it. */
void check_hurried(struct scenario *sc)
{
	mono_t now = world_sched(sc->world)->now;
	bool calls = lifecycle_phase(sc->lifecycle) < PHASE_STOPPING_BACKENDS;

	if (!sc->hurried && calls)
		sc->deadlines.stop = mono_min(sc->deadlines.stop, mono_add(now, 1000));
	if (!sc->hurried)
		sc->deadlines.end = mono_min(sc->deadlines.end, mono_add(now, calls ? 1750 : 750));
	sc->hurried = true;
}

/* No new process once it drains. */
void check_spawn(void *arg)
{
	struct scenario *sc = arg;

	REQUIRE(sc, lifecycle_phase(sc->lifecycle) < PHASE_DRAINING);
}

/* Phases go on and never back, but for a drain that is cancelled before there was a signal. */
static void check_phase(struct scenario *sc)
{
	enum phase phase = lifecycle_phase(sc->lifecycle);

	REQUIRE(sc, phase >= sc->phase || (sc->cancelled && !sc->stopping));
	REQUIRE(sc, !sc->stopping || phase >= PHASE_LAME_DUCK);
	sc->phase = phase;
	sc->held = sc->held || phase == PHASE_STARTING_HELD || phase == PHASE_LAME_DUCK_HELD;
	sc->cancelled = false;
}

/*
 * While draining, only calls whose clients wait go on. Servers are stopped when no call is in flight, and at STOP none
 * is; at END we are gone.
 */
static void check_deadlines(struct scenario *sc, const struct lifecycle_summary *sum)
{
	mono_t now = world_sched(sc->world)->now;
	struct gateway_state state;

	gateway_state(sc->gw, &state);
	REQUIRE(sc, state.in_flight == sc->waiting || sc->phase < PHASE_DRAINING);
	REQUIRE(sc, state.in_flight == 0 || sc->phase < PHASE_STOPPING_BACKENDS);
	REQUIRE(sc, state.in_flight == 0 || !mono_past(sc->deadlines.stop, now));
	REQUIRE(sc, sc->phase >= PHASE_STOPPING_BACKENDS || !mono_past(sc->deadlines.stop, now));
	REQUIRE(sc, sc->exited || !mono_past(sc->deadlines.end, now));
	REQUIRE(sc, sum->budget_ms == mono_diff(sc->deadlines.end, sc->deadlines.t0));
	REQUIRE(sc, sum->elapsed_ms == mono_diff(now, sc->deadlines.t0));
}

/* Who waits is told at once: that it is drained, that it is called off, or that the time is up. */
static void check_waits(struct scenario *sc)
{
	mono_t now = world_sched(sc->world)->now;

	for (unsigned i = 0; i < sc->order_count; i++) {
		if (!sc->orders[i].waits)
			continue;
		REQUIRE(sc, !mono_past(sc->orders[i].until, now));
		REQUIRE(sc, sc->phase >= PHASE_STARTING_HELD && !lifecycle_is_drained(sc->lifecycle));
	}
}

/* Each process has one owner, who stops it when it is time to. */
static void check_owned(void *arg, int pid)
{
	struct scenario *sc = arg;
	unsigned owners = 0, parts = 0;

	slots_each (slot, sc->gw) {
		struct backend_stats stats;
		slot->backend->ops->stats(slot->backend, &stats);
		parts += slot->conf->isolation == ISOLATION_SESSION ? stats.processes : 0;
		if (stats.pid != pid)
			continue;
		owners++;
		REQUIRE(sc, sc->phase < PHASE_STOPPING_BACKENDS || stats.state == BACKEND_STOPPING);
	}
	REQUIRE(sc, owners == 1 || (owners == 0 && parts > 0));
}

/* A server that is gone from the configuration is stopped when its calls are done, and not before. */
static void check_leaving(const struct scenario *sc)
{
	slots_each (slot, sc->gw) {
		struct backend_stats stats;
		slot->backend->ops->stats(slot->backend, &stats);
		REQUIRE(sc, !slot->leaving || slot->users == 0 || stats.state != BACKEND_STOPPING ||
		                    sc->phase >= PHASE_DRAINING);
		REQUIRE(sc, !slot->leaving || slot->users > 0 || stats.state == BACKEND_STOPPING || stats.pid == 0);
	}
}

void check_turn(struct scenario *sc)
{
	struct lifecycle_summary sum;
	struct gateway_state state;

	lifecycle_summary(sc->lifecycle, &sum);
	gateway_state(sc->gw, &state);
	REQUIRE(sc, sc->stopping == (sum.reason != NULL));
	REQUIRE(sc, state.in_flight <= sc->waiting + sc->detached);
	check_phase(sc);
	if (sc->stopping)
		check_deadlines(sc, &sum);
	check_waits(sc);
	check_leaving(sc);
	world_each_alive(sc->world, check_owned, sc);
}

void check_end(const struct scenario *sc)
{
	struct lifecycle_summary sum;

	lifecycle_summary(sc->lifecycle, &sum);
	REQUIRE(sc, sc->exited && world_alive(sc->world) == 0);
	REQUIRE(sc, sc->exit_at.ms <= sc->deadlines.end.ms || world_stalled_ms(sc->world) > 0);
	clients_check(sc);
	/* Of a call whose client left, only the gateway knows which it is. */
	REQUIRE(sc, sum.completed + sum.aborted + sum.refused == sc->due);
	REQUIRE(sc, sum.completed >= sc->completed && sum.aborted >= sc->aborted && sum.refused >= sc->refused);
	REQUIRE(sc, !sc->hurried || sum.forced || sc->phase == PHASE_EXITING);
}
