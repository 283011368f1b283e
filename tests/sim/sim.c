/*
 * The simulation: many shutdowns, each another. A scenario is drawn from a seed: servers with tempers, clients that
 * call, cancel and leave, signals at any moment. What must hold, always:
 *
 *	- each accepted call ends exactly once, and is counted once;
 *	- when the gateway leaves, no process is left that it did not at least kill;
 *	- no process is started once it drains;
 *	- it leaves within its budget.
 *
 * A failure prints its seed. `sim SEED` runs that one and tells what happens; SIM_SEEDS sets how many are run.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/stdio.h"
#include "base/mem.h"
#include "gateway/lifecycle.h"
#include "world.h"

#define SERVERS_MAX 3
#define CALLS_MAX 40
#define SESSIONS 3
#define DEFAULT_SEEDS 20000

struct client_call {
	struct scenario *scenario;
	struct call *call; /* NULL: not made, refused, or ended */
	unsigned ends;
	bool accepted, left;
	int id;
	struct timer make, change;
};

struct scenario {
	struct world *world;
	uint64_t seed;
	struct backend_conf servers[SERVERS_MAX];
	size_t server_count;
	struct lifecycle_conf lifecycle_conf;
	struct sessions *sessions;
	struct session *session[SESSIONS];
	struct gateway *gw;
	struct lifecycle *lifecycle;
	struct client_call calls[CALLS_MAX];
	unsigned call_count;
	struct timer signals[3], fronts;
	unsigned signalled;
	mono_t stopped_at, exit_at, backstop;
	bool exited, draining;
	unsigned spawned; /* when it began to drain */
};

#define REQUIRE(sc, condition)                                                                                       \
	do {                                                                                                         \
		if (!(condition)) {                                                                                  \
			printf("seed %llu: %s:%d: not so: %s\n", (unsigned long long)(sc)->seed, __FILE__, __LINE__, \
			        #condition);                                                                         \
			exit(1);                                                                                     \
		}                                                                                                    \
	} while (0)

/* ---- clients ---- */

static void on_message(void *arg, const struct pieces *json)
{
	struct client_call *c = arg;

	(void)json;
	REQUIRE(c->scenario, c->ends == 0 && !c->left);
}

static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct client_call *c = arg;

	REQUIRE(c->scenario, json != NULL && json->size > 0);
	world_tell(c->scenario->world, "call %d ended: %s", c->id, end_reason_name(why));
	c->ends++;
	c->call = NULL;
}

static const struct reply_port port = { .message = on_message, .ended = on_ended };

static void put_request(struct client_call *c, struct buf *text)
{
	struct scenario *sc = c->scenario;
	struct world *w = sc->world;
	size_t server = chance(w, 5) ? sc->server_count : below(w, sc->server_count); /* the last one is nobody's */

	if (chance(w, 10))
		buf_printf(text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/list\"}", c->id);
	else if (chance(w, 5))
		buf_printf(text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"ping\"}", c->id);
	else
		buf_printf(text,
		        "{\"jsonrpc\":\"2.0\",\"id\":\"%d\",\"method\":\"tools/call\",\"params\":{\"name\":\"s%zu__t\","
		        "\"_meta\":{\"progressToken\":\"p%d\"}}}",
		        c->id, server, c->id);
}

static void cancel(struct client_call *c, struct session *s)
{
	struct message_fault fault;
	struct message m;
	char text[160];

	snprintf(text, sizeof(text),
	        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"%d\"}}",
	        c->id);
	bool parsed = message_parse(span_of(text), 64, &m, &fault);
	REQUIRE(c->scenario, parsed);
	world_tell(c->scenario->world, "call %d is cancelled", c->id);
	gateway_notify(c->scenario->gw, s, &m);
}

static void on_change(void *arg)
{
	struct client_call *c = arg;

	if (c->call == NULL)
		return;
	if (chance(c->scenario->world, 50)) {
		cancel(c, c->scenario->session[c->id % SESSIONS]);
		return;
	}
	world_tell(c->scenario->world, "the client of call %d leaves", c->id);
	c->left = true;
	gateway_client_gone(c->call);
	c->call = NULL;
}

static void on_make(void *arg)
{
	struct client_call *c = arg;
	struct scenario *sc = c->scenario;
	struct buf text = { 0 }, error = { 0 };
	enum end_reason why;
	struct refusal refusal = { &why, &error };
	struct message_fault fault;
	struct message m;

	put_request(c, &text);
	bool parsed = message_parse(buf_span(&text), 64, &m, &fault);
	REQUIRE(sc, parsed);
	c->call = gateway_submit(sc->gw, sc->session[c->id % SESSIONS], SCOPE_ALL, &m, &port, c, &refusal);
	c->accepted = c->call != NULL;
	REQUIRE(sc, c->ends == 0 && c->accepted == (buf_size(&error) == 0));
	world_tell(sc->world, "call %d: %s%.*s", c->id, c->accepted ? "" : "refused ", SPAN_ARG(buf_span(&text)));
	if (c->accepted && chance(sc->world, 20))
		timer_set_in(world_sched(sc->world), &c->change, (msec_t)below(sc->world, 3000), on_change, c);
	buf_free(&text);
	buf_free(&error);
}

/* ---- the outside of the lifecycle ---- */

static void on_announce(void *arg, bool on)
{
	(void)arg;
	(void)on;
}

static mono_t on_last_request(void *arg)
{
	struct scenario *sc = arg;

	return mono_add(sc->stopped_at, 300);
}

static void on_fronts_closed(void *arg)
{
	struct scenario *sc = arg;

	lifecycle_fronts_done(sc->lifecycle);
}

static void on_close_fronts(void *arg, mono_t deadline)
{
	struct scenario *sc = arg;
	mono_t at = mono_add(world_sched(sc->world)->now, (msec_t)below(sc->world, 1000));

	timer_set(world_sched(sc->world), &sc->fronts, mono_min(at, deadline), on_fronts_closed, sc);
}

static void on_kill(void *arg)
{
	struct scenario *sc = arg;

	world_kill_all(sc->world);
}

static mono_t on_signalled(void *arg)
{
	(void)arg;
	return MONO_NEVER;
}

static void on_arm_backstop(void *arg, mono_t at)
{
	struct scenario *sc = arg;

	sc->backstop = sc->backstop.ms > 0 ? mono_min(sc->backstop, at) : at;
}

static void on_leave(void *arg)
{
	struct scenario *sc = arg;

	REQUIRE(sc, !sc->exited);
	world_tell(sc->world, "exit");
	sc->exited = true;
	sc->exit_at = world_sched(sc->world)->now;
	REQUIRE(sc, sc->backstop.ms == 0 || mono_diff(sc->backstop, sc->exit_at) >= 0);
}

static const struct lifecycle_ops ops = {
	.announce = on_announce,
	.last_request = on_last_request,
	.close_fronts = on_close_fronts,
	.kill_backends = on_kill,
	.signalled = on_signalled,
	.arm_backstop = on_arm_backstop,
	.exit = on_leave,
};

static void on_signal(void *arg)
{
	struct scenario *sc = arg;
	enum stop_signal what = chance(sc->world, 60) ? STOP_TERM : chance(sc->world, 90) ? STOP_INT : STOP_QUIT;

	if (sc->exited)
		return;
	if (sc->signalled == 0 && chance(sc->world, 10))
		what = STOP_STDIN_EOF;
	world_tell(sc->world, "signal %u: %s", ++sc->signalled,
	        what == STOP_TERM   ? "TERM"
	        : what == STOP_INT  ? "INT"
	        : what == STOP_QUIT ? "QUIT"
	                            : "EOF");
	if (sc->signalled == 1)
		sc->stopped_at = world_sched(sc->world)->now;
	lifecycle_stop(sc->lifecycle, what);
}

/* ---- a scenario ---- */

static void draw_server(struct scenario *sc, size_t i)
{
	static const char *const names[SERVERS_MAX] = { "s0", "s1", "s2" };
	static const char *const argv[] = { "server", NULL };
	static const enum startup startups[] = { STARTUP_REQUIRED, STARTUP_EAGER, STARTUP_LAZY };
	static const enum idle_rule rules[] = { IDLE_ADAPTIVE, IDLE_NEVER, IDLE_FIXED };
	struct world *w = sc->world;

	sc->servers[i] = (struct backend_conf){
		.name = names[i],
		.startup = startups[below(w, 3)],
		.startup_timeout_ms = 1000 + (msec_t)below(w, 5000),
		.request_timeout_ms = 200 + (msec_t)below(w, 10000),
		.max_request_timeout_ms = 5000 + (msec_t)below(w, 20000),
		.idle = rules[below(w, 3)],
		.idle_ms = (msec_t)below(w, 2000),
		.min_idle_ms = 500,
		.max_idle_ms = 3000,
		.stop_eof_ms = (msec_t)below(w, 3000),
		.stop_term_ms = (msec_t)below(w, 3000),
		.argv = argv,
		.max_in_flight = 1 + below(w, 20),
		.max_message_bytes = 4096,
		.max_depth = 64,
	};
}

static void draw_lifecycle(struct scenario *sc)
{
	struct world *w = sc->world;

	sc->lifecycle_conf = (struct lifecycle_conf){
		.grace_ms = chance(w, 10) ? (msec_t)below(w, 1000) : 1000 + (msec_t)below(w, 30000),
		.pre_stop_ms = chance(w, 80) ? 0 : (msec_t)below(w, 10000),
		.lame_duck_min_ms = (msec_t)below(w, 6000),
		.lame_duck_quiet_ms = (msec_t)below(w, 3000),
		.lame_duck_max_ms = (msec_t)below(w, 12000),
		.margin_ms = (msec_t)below(w, 3000),
		.start_deadline_ms = chance(w, 90) ? 0 : (msec_t)below(w, 10000) + 1,
	};
}

static msec_t stop_ms(const struct backend_conf *server)
{
	return server->stop_eof_ms + server->stop_term_ms;
}

static void make_gateway(struct scenario *sc)
{
	static const struct session_conf sessions = { .idle_timeout_ms = 3600000, .max = 100, .required = true };
	struct sched *sched = world_sched(sc->world);
	struct logger silent = { 0 };
	struct gateway_conf conf = {
		.servers = sc->servers,
		.server_count = sc->server_count,
		.prefixed = true,
		.page_items = 100,
		.max_in_flight = 30,
		.max_in_flight_per_session = 15,
		.version = "sim",
	};

	sc->sessions = sessions_new(&sessions, NULL, sched, sc->seed);
	sc->gw = gateway_new(&conf, sched, sc->sessions, &silent);
	for (size_t i = 0; i < SESSIONS; i++)
		sc->session[i] = session_create_local(sc->sessions, &(struct session_info){ 0 });
	for (size_t i = 0; i < sc->server_count; i++)
		gateway_attach(sc->gw, i,
		        stdio_backend_new(world_loop(sc->world), world_supervisor(sc->world), &sc->servers[i],
		                &gateway_backend_events, gateway_backend_arg(sc->gw, i), &silent,
		                world_random(sc->world)));
	const struct backend_conf *slowest = &sc->servers[0];
	for (size_t i = 1; i < sc->server_count; i++)
		if (stop_ms(&sc->servers[i]) > stop_ms(slowest))
			slowest = &sc->servers[i];
	sc->lifecycle = lifecycle_new(
	        &sc->lifecycle_conf, slowest->stop_eof_ms, slowest->stop_term_ms, sc->gw, sched, &ops, sc, &silent);
}

static void plan(struct scenario *sc)
{
	struct world *w = sc->world;
	struct sched *sched = world_sched(w);
	msec_t at = chance(w, 20) ? (msec_t)below(w, 300) : (msec_t)below(w, 15000);

	for (size_t i = 0; i < 3; i++) {
		timer_set_in(sched, &sc->signals[i], at, on_signal, sc);
		if (!chance(w, 20))
			break;
		at += (msec_t)below(w, 4000);
	}
	sc->call_count = (unsigned)below(w, CALLS_MAX + 1);
	for (unsigned i = 0; i < sc->call_count; i++) {
		struct client_call *c = &sc->calls[i];
		*c = (struct client_call){ .scenario = sc, .id = (int)i };
		timer_set_in(sched, &c->make, (msec_t)below(w, (uint64_t)at + 5000), on_make, c);
	}
}

/* Looked at after each turn. */
static void check_spawned(struct scenario *sc)
{
	if (!sc->draining)
		sc->spawned = world_spawned(sc->world);
	sc->draining = lifecycle_phase(sc->lifecycle) >= PHASE_DRAINING;
	REQUIRE(sc, world_spawned(sc->world) == sc->spawned);
}

static bool is_over(void *arg)
{
	struct scenario *sc = arg;

	check_spawned(sc);
	return sc->exited;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* A hook may take it all, and the kubelet still gives its least. */
static msec_t longest_grace(const struct scenario *sc)
{
	const struct lifecycle_conf *conf = &sc->lifecycle_conf;

	return conf->pre_stop_ms > 0 && conf->grace_ms < KUBELET_LEAST_MS ? KUBELET_LEAST_MS : conf->grace_ms;
}

/* The budget is counted from the first signal, or from startDeadline. */
static void check_time(struct scenario *sc)
{
	struct lifecycle_summary sum;

	lifecycle_summary(sc->lifecycle, &sum);
	REQUIRE(sc, sum.reason != NULL);
	REQUIRE(sc, sum.elapsed_ms <= sum.budget_ms || span_eq(span_of(sum.reason), SPAN("SIGQUIT")));
	REQUIRE(sc, sum.budget_ms <= longest_grace(sc));
}

static void check_calls(struct scenario *sc)
{
	const struct ledger_counts *counts = gateway_counts(sc->gw);
	uint64_t ended = 0, accepted = 0;

	for (unsigned i = 0; i < sc->call_count; i++) {
		struct client_call *c = &sc->calls[i];
		timer_stop(world_sched(sc->world), &c->make);
		timer_stop(world_sched(sc->world), &c->change);
		accepted += c->accepted;
		REQUIRE(sc, c->ends == (c->accepted && !c->left ? 1 : 0));
	}
	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		ended += counts->ended[why];
	REQUIRE(sc, counts->accepted == accepted);
	REQUIRE(sc, ended == accepted);
}

/* What a run of many scenarios has seen, so that one that sees too little is noticed. */
struct totals {
	uint64_t ended[END_REASON_COUNT], refused, processes;
};

static void add_totals(struct totals *t, const struct scenario *sc)
{
	const struct ledger_counts *counts = gateway_counts(sc->gw);

	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		t->ended[why] += counts->ended[why];
	t->refused += counts->refused;
	t->processes += world_spawned(sc->world);
}

static void print_totals(const struct totals *t, uint64_t seeds)
{
	printf("%llu scenarios, %llu processes; calls: refused %llu", (unsigned long long)seeds,
	        (unsigned long long)t->processes, (unsigned long long)t->refused);
	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		printf(", %s %llu", end_reason_name(why), (unsigned long long)t->ended[why]);
	putchar('\n');
}

static void run(uint64_t seed, bool verbose, struct totals *totals)
{
	struct scenario sc = { .world = world_new(seed), .seed = seed };
	struct sched *sched = world_sched(sc.world);

	world_set_verbose(sc.world, verbose);
	sc.server_count = 1 + below(sc.world, SERVERS_MAX);
	for (size_t i = 0; i < sc.server_count; i++)
		draw_server(&sc, i);
	draw_lifecycle(&sc);
	make_gateway(&sc);
	plan(&sc);
	lifecycle_start(sc.lifecycle);
	bool over = world_run(sc.world, mono_add(sched->now, 120000), is_over, &sc);
	REQUIRE(&sc, over);
	world_run(sc.world, sched->now, never, NULL); /* the turn in which it leaves */
	check_time(&sc);
	check_calls(&sc);
	REQUIRE(&sc, world_alive(sc.world) == 0);
	add_totals(totals, &sc);
	for (size_t i = 0; i < 3; i++)
		timer_stop(sched, &sc.signals[i]);
	timer_stop(sched, &sc.fronts);
	lifecycle_free(&sc.lifecycle);
	world_run(sc.world, mono_add(sched->now, 60000), never, NULL); /* zombies are reaped */
	gateway_free(&sc.gw);
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
