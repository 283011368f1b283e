/*
 * Orders: signals, the end of stdin, /drain with its hook, its wait and its cancel, at any moment and in any order.
 */
#include "scenario.h"

static const char *const names[ORDER_KINDS] = { "SIGTERM", "SIGTERM over stdio", "SIGINT", "SIGQUIT",
	"the end of stdin", "/drain", "/drain?hook=1", "/drain?cancel=1", "/drain?wait=1", "another configuration",
	"SIGTERM to all servers" };

/* A stop signal, the first or a later one. */
static void stop(struct order *o)
{
	static const enum stop_signal signals[] = {
		[ORDER_TERM] = STOP_TERM,
		[ORDER_TERM_ALONE] = STOP_TERM_ALONE,
		[ORDER_INT] = STOP_INT,
		[ORDER_QUIT] = STOP_QUIT,
		[ORDER_STDIN_EOF] = STOP_STDIN_EOF,
	};
	struct scenario *sc = o->scenario;

	if (o->kind != ORDER_STDIN_EOF)
		sc->signal_sent = mono_min(sc->signal_sent, o->event.came);
	if (sc->asked && o->kind <= ORDER_INT)
		check_hurried(sc);
	sc->asked = true;
	lifecycle_stop(sc->lifecycle, signals[o->kind]);
}

static void drain(struct order *o)
{
	struct scenario *sc = o->scenario;

	if (o->kind == ORDER_HOOK && !sc->stopping)
		sc->hook = mono_min(sc->hook, world_sched(sc->world)->now);
	lifecycle_drain(sc->lifecycle, o->kind == ORDER_HOOK);
}

static void drain_cancel(struct order *o)
{
	struct scenario *sc = o->scenario;
	bool possible = lifecycle_drain_cancel(sc->lifecycle);

	REQUIRE(sc, possible == !sc->stopping);
	if (!possible)
		return;
	sc->cancelled = true;
	if (lifecycle_phase(sc->lifecycle) < PHASE_STARTING_HELD)
		sc->hook = MONO_NEVER;
}

static void on_wait_done(void *arg)
{
	struct order *o = arg;
	struct scenario *sc = o->scenario;

	world_tell(sc->world, "a wait is over: %s", lifecycle_is_drained(sc->lifecycle) ? "drained" : "not drained");
	REQUIRE(sc, o->waits);
	o->waits = false;
}

static void on_leave(void *arg)
{
	struct order *o = arg;

	if (!o->waits)
		return;
	world_tell(o->scenario->world, "who waits gives up");
	lifecycle_wait_cancel(&o->wait);
	o->waits = false;
}

static void wait(struct order *o)
{
	struct scenario *sc = o->scenario;
	struct world *w = sc->world;
	msec_t most_ms = chance(w, 30) ? -1 : (msec_t)below(w, 8000);

	lifecycle_drain(sc->lifecycle, false); /* as the front does it */
	o->waits = lifecycle_wait(sc->lifecycle, &o->wait, most_ms, on_wait_done, o);
	REQUIRE(sc, o->waits);
	o->until = mono_add(world_sched(w)->now, most_ms < 0 ? sc->lifecycle_conf.lame_duck_max_ms : most_ms);
	if (chance(w, 20))
		event_set(w, &o->leave, (msec_t)below(w, 4000), on_leave, o);
}

static void reload(struct order *o)
{
	config_change(o->scenario);
}

static void term_all(struct order *o)
{
	world_term_all(o->scenario->world);
}

static void on_order(void *arg)
{
	static void (*const give[ORDER_KINDS])(struct order * o) = {
		[ORDER_TERM] = stop,
		[ORDER_TERM_ALONE] = stop,
		[ORDER_INT] = stop,
		[ORDER_QUIT] = stop,
		[ORDER_STDIN_EOF] = stop,
		[ORDER_DRAIN] = drain,
		[ORDER_HOOK] = drain,
		[ORDER_CANCEL] = drain_cancel,
		[ORDER_WAIT] = wait,
		[ORDER_RELOAD] = reload,
		[ORDER_TERM_ALL] = term_all,
	};
	struct order *o = arg;

	if (o->scenario->exited)
		return;
	world_tell(o->scenario->world, "%s", names[o->kind]);
	give[o->kind](o);
}

static void add(struct scenario *sc, enum order_kind kind, msec_t in_ms)
{
	struct order *o = &sc->orders[sc->order_count++];

	*o = (struct order){ .scenario = sc, .kind = kind };
	event_set(sc->world, &o->event, in_ms, on_order, o);
}

static enum order_kind draw_signal(struct world *w, bool over_stdio)
{
	return chance(w, 60) ? (over_stdio ? ORDER_TERM_ALONE : ORDER_TERM) : chance(w, 80) ? ORDER_INT : ORDER_QUIT;
}

/* Up to three signals, one of which may be the end of stdin, and in half of the scenarios up to eight other orders. */
msec_t orders_plan(struct scenario *sc)
{
	struct world *w = sc->world;
	msec_t first_ms = chance(w, 20) ? (msec_t)below(w, 300) : (msec_t)below(w, 15000);
	msec_t at_ms = first_ms;
	bool over_stdio = chance(w, 25), eof_to_come = over_stdio;
	bool with_servers = chance(w, 15); /* a whole cgroup or terminal gets it */

	if (with_servers && chance(w, 50))
		add(sc, ORDER_TERM_ALL, first_ms);
	for (unsigned i = 0; i < 3; i++) {
		bool is_eof = eof_to_come && chance(w, 50);
		add(sc, is_eof ? ORDER_STDIN_EOF : draw_signal(w, over_stdio), at_ms);
		eof_to_come = eof_to_come && !is_eof;
		if (!chance(w, 25))
			break;
		at_ms += chance(w, 30) ? 0 : (msec_t)below(w, 4000);
	}
	if (with_servers)
		add(sc, ORDER_TERM_ALL, first_ms);
	for (uint64_t n = chance(w, 50) ? below(w, 9) : 0; n > 0; n--)
		add(sc, ORDER_DRAIN + (enum order_kind)below(w, ORDER_KINDS - ORDER_DRAIN),
		        (msec_t)below(w, (uint64_t)at_ms + 3000));
	return at_ms;
}

void orders_stop(struct scenario *sc)
{
	for (unsigned i = 0; i < sc->order_count; i++) {
		REQUIRE(sc, !sc->orders[i].waits);
		event_stop(&sc->orders[i].event);
		event_stop(&sc->orders[i].leave);
	}
}
