/*
 * The simulation: many shutdowns, each another. A scenario is drawn from a seed: servers with tempers, clients that
 * call, cancel and leave, signals, drains and other configurations at any moment, budgets long and short, a loop that
 * stalls. What must hold, always (checks.c):
 *
 *	- each accepted call ends exactly once, with its own answer or an error that interface.md names, and is counted,
 *also in the last line;
 *	- a modern client's call ends when it leaves, and its listen with a word when the fronts close;
 *	- a request is refused only while draining or overloaded; no process is started once it drains;
 *	- what a server asks comes to the client for whose call it asks, and only that one's answer arrives, once;
 *	- phases only go on, but for a drain that is cancelled;
 *	- each process has an owner, and when the gateway leaves, none is left that it did not at least kill;
 *	- streams for news end on the way out only, and before the fronts close; those that stay are not ended by us;
 *	- no call is in flight at STOP, and at END it is gone.
 *
 * A failure prints its seed. `sim SEED` runs that one and tells what happens; SIM_SEEDS sets how many are run.
 */
#include "scenario.h"

#define DEFAULT_SEEDS 20000

/* ---- the outside of the lifecycle ---- */

static void on_announce(void *arg, bool on)
{
	(void)arg;
	(void)on;
}

static mono_t on_last_request(void *arg)
{
	const struct scenario *sc = arg;

	return sc->last_request;
}

static void on_fronts_closed(void *arg)
{
	struct scenario *sc = arg;

	lifecycle_fronts_done(sc->lifecycle);
}

static void on_close_fronts(void *arg, mono_t deadline)
{
	struct scenario *sc = arg;

	sc->fronts_close = true;
	mono_t at = mono_add(world_sched(sc->world)->now, (msec_t)below(sc->world, 1000));

	streams_close(sc);
	timer_set(world_sched(sc->world), &sc->fronts, mono_min(at, deadline), on_fronts_closed, sc);
}

static void on_kill(void *arg)
{
	struct scenario *sc = arg;

	world_kill_all(sc->world);
}

static mono_t on_signalled(void *arg)
{
	const struct scenario *sc = arg;

	return sc->signal_sent;
}

static void on_arm_backstop(void *arg, mono_t at)
{
	struct scenario *sc = arg;

	if (!sc->stopping)
		check_stop_begins(sc);
	sc->backstop = at;
	check_backstop(sc);
}

static void on_phase(void *arg)
{
	(void)arg;
}

static void on_leave(void *arg)
{
	struct scenario *sc = arg;

	REQUIRE(sc, !sc->exited);
	world_tell(sc->world, "exit");
	sc->exited = true;
	sc->exit_at = world_sched(sc->world)->now;
}

static void on_end_resting(void *arg)
{
	(void)arg;
}

static const struct lifecycle_ops ops = {
	.announce = on_announce,
	.end_resting = on_end_resting,
	.last_request = on_last_request,
	.close_fronts = on_close_fronts,
	.kill_backends = on_kill,
	.signalled = on_signalled,
	.arm_backstop = on_arm_backstop,
	.phase = on_phase,
	.exit = on_leave,
};

/* ---- a scenario ---- */

static void draw(struct scenario *sc)
{
	struct world *w = sc->world;

	config_make(sc, &ops);
	msec_t within_ms = orders_plan(sc) + 5000;
	clients_plan(sc, within_ms);
	listens_plan(sc, within_ms);
	streams_plan(sc, within_ms);
	if (chance(w, 30))
		world_stall(w, 1 + (unsigned)below(w, 4), 1 + (unsigned)below(w, 10));
	world_on_spawn(w, check_spawn, sc);
}

static bool is_over(void *arg)
{
	struct scenario *sc = arg;

	check_turn(sc);
	return sc->exited;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* What a run of many scenarios has seen, so that one that sees too little is noticed. */
struct totals {
	uint64_t ended[END_REASON_COUNT], refused, processes, stalled, held, hurried;
	struct ask_counts asks;
	uint64_t hearing, updates;
};

static void add_totals(struct totals *t, const struct scenario *sc)
{
	const struct ledger_counts *counts = gateway_counts(sc->gw);

	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		t->ended[why] += counts->ended[why];
	t->refused += counts->refused;
	t->asks.delivered += counts->asks.delivered;
	t->asks.refused += counts->asks.refused;
	t->asks.answered += counts->asks.answered;
	t->asks.stray_answers += counts->asks.stray_answers;
	t->processes += world_spawned(sc->world);
	t->stalled += world_stalled_ms(sc->world) > 0;
	t->hearing += sc->hearing;
	t->updates += sc->updates;
	t->held += sc->held;
	t->hurried += sc->hurried;
}

static void print_totals(const struct totals *t, uint64_t seeds)
{
	printf("%llu scenarios, of which %llu drained before the signal, %llu were hurried, %llu stalled; %llu processes\n",
	        (unsigned long long)seeds, (unsigned long long)t->held, (unsigned long long)t->hurried,
	        (unsigned long long)t->stalled, (unsigned long long)t->processes);
	printf("calls: refused %llu", (unsigned long long)t->refused);
	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		printf(", %s %llu", end_reason_name(why), (unsigned long long)t->ended[why]);
	printf("\nasks: %llu delivered, %llu refused, %llu answered, %llu stray answers\n",
	        (unsigned long long)t->asks.delivered, (unsigned long long)t->asks.refused,
	        (unsigned long long)t->asks.answered, (unsigned long long)t->asks.stray_answers);
	printf("listens: %llu were promised updates, %llu updates told\n", (unsigned long long)t->hearing,
	        (unsigned long long)t->updates);
}

static void run(uint64_t seed, bool verbose, struct totals *totals)
{
	struct scenario sc = { .world = world_new(seed), .seed = seed };
	struct sched *sched = world_sched(sc.world);

	sc.signal_sent = sc.hook = sc.backstop = MONO_NEVER;
	sc.last_request = sched->now;
	world_set_verbose(sc.world, verbose);
	draw(&sc);
	lifecycle_start(sc.lifecycle);
	bool over = world_run(sc.world, mono_add(sched->now, 120000), is_over, &sc);
	REQUIRE(&sc, over);
	world_run(sc.world, sched->now, never, NULL); /* the turn in which it leaves */
	check_end(&sc);
	add_totals(totals, &sc);
	clients_stop(&sc);
	answers_stop(&sc);
	listens_stop(&sc);
	streams_stop(&sc);
	orders_stop(&sc);
	timer_stop(sched, &sc.fronts);
	lifecycle_free(&sc.lifecycle);
	world_run(sc.world, mono_add(sched->now, 60000), never, NULL); /* zombies are reaped */
	gateway_free(&sc.gw);
	key_ring_free(&sc.keys);
	world_free(&sc.world);
}

int main(int argc, char **argv)
{
	const char *wanted = getenv("SIM_SEEDS");
	uint64_t seeds = wanted != NULL ? strtoull(wanted, NULL, 10) : DEFAULT_SEEDS;

	struct totals totals = { 0 };

	if (argc > 1) {
		run(strtoull(argv[1], NULL, 10), true, &totals);
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (uint64_t seed = 1; seed <= seeds; seed++)
		run(seed, false, &totals);
	print_totals(&totals, seeds);
	return 0;
}
