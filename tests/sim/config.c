/*
 * The configuration: drawn, made into a gateway, and later changed while that runs.
 */
#include "backend/isolated.h"
#include "backend/stdio.h"
#include "scenario.h"

static struct backend_conf draw_server(struct world *w, size_t i)
{
	static const char *const names[SERVERS_MAX] = { "s0", "s1", "s2" };
	static const char *const argv[] = { "server", NULL };
	static const enum startup startups[] = { STARTUP_REQUIRED, STARTUP_EAGER, STARTUP_LAZY };
	static const enum isolation isolations[] = { ISOLATION_SHARED, ISOLATION_SHARED, ISOLATION_SHARED,
		ISOLATION_LEASE, ISOLATION_SESSION };
	static const enum idle_rule rules[] = { IDLE_ADAPTIVE, IDLE_NEVER, IDLE_FIXED };

	return (struct backend_conf){
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
		.isolation = isolations[below(w, 5)],
		.max_processes = 1 + (unsigned)below(w, 3),
		.max_in_flight = 1 + below(w, 20),
		.max_message_bytes = 4096,
		.max_depth = 64,
	};
}

static struct lifecycle_conf draw_lifecycle(struct world *w)
{
	return (struct lifecycle_conf){
		.grace_ms = (msec_t)(chance(w, 35) ? below(w, 5000) : 1000 + below(w, 30000)),
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

static void note_longest_stop(struct scenario *sc)
{
	msec_t longest_ms = -1;

	sc->longest_eof_ms = sc->longest_term_ms = 0;
	for (size_t i = 0; i < sc->server_count; i++) {
		if (stop_ms(&sc->servers[i]) <= longest_ms)
			continue;
		longest_ms = stop_ms(&sc->servers[i]);
		sc->longest_eof_ms = sc->servers[i].stop_eof_ms;
		sc->longest_term_ms = sc->servers[i].stop_term_ms;
	}
}

static struct gateway_conf gateway_conf(const struct scenario *sc)
{
	return (struct gateway_conf){
		.servers = sc->servers,
		.server_count = sc->server_count,
		.prefixed = true,
		.page_items = 100,
		.max_in_flight = 30,
		.max_in_flight_per_session = 15,
		.version = "sim",
	};
}

static struct backend *make_stdio(
        struct scenario *sc, const struct backend_conf *conf, const struct backend_events *events, void *arg)
{
	struct logger silent = { 0 };

	return stdio_backend_new(world_loop(sc->world), world_supervisor(sc->world), conf, events, arg, &silent,
	        world_random(sc->world));
}

static struct backend *make_member(void *arg, const struct backend_conf *conf, const struct backend_for *whom,
        const struct backend_events *events, void *events_arg)
{
	struct backend *b = make_stdio(arg, conf, events, events_arg);

	stdio_backend_dedicate(b, whom);
	return b;
}

static struct backend *make_backend(struct scenario *sc, size_t i)
{
	const struct isolated_maker maker = { .make = make_member, .arg = sc };
	const struct backend_conf *conf = gateway_backend_conf(sc->gw, i);
	void *arg = gateway_backend_arg(sc->gw, i);
	struct logger silent = { 0 };

	if (conf->isolation == ISOLATION_SESSION)
		return isolated_backend_new(
		        world_sched(sc->world), conf, &maker, &gateway_backend_events, arg, &silent);
	return make_stdio(sc, conf, &gateway_backend_events, arg);
}

static void attach_backends(struct scenario *sc)
{
	for (size_t i = 0; i < sc->server_count; i++)
		if (gateway_backend(sc->gw, i) == NULL)
			gateway_attach(sc->gw, i, make_backend(sc, i));
}

void config_make(struct scenario *sc, const struct lifecycle_ops *ops)
{
	struct err e;
	static const struct session_conf sessions = { .idle_timeout_ms = 3600000, .max = 100, .required = true };
	struct sched *sched = world_sched(sc->world);
	struct logger silent = { 0 };

	sc->server_count = 1 + below(sc->world, SERVERS_MAX);
	for (size_t i = 0; i < sc->server_count; i++)
		sc->servers[i] = draw_server(sc->world, i);
	sc->lifecycle_conf = draw_lifecycle(sc->world);
	note_longest_stop(sc);
	struct gateway_conf conf = gateway_conf(sc);
	sc->keys = key_ring_new(NULL, 0, &e);
	REQUIRE(sc, sc->keys != NULL);
	sc->sessions = sessions_new(&sessions, sc->keys, sched, sc->seed);
	sc->gw = gateway_new(&conf, sched, sc->sessions, &silent);
	for (size_t i = 0; i < SESSIONS; i++)
		sc->session[i] = session_create_local(
		        sc->sessions, &(struct session_info){ .capabilities = i < 2 ? CLIENT_SAMPLING : 0 });
	attach_backends(sc);
	sc->lifecycle = lifecycle_new(
	        &sc->lifecycle_conf, sc->longest_eof_ms, sc->longest_term_ms, sc->gw, sched, ops, sc, &silent);
}

/* Some stay as they are, some get other times or become another program, some go, some come; in another order. */
static void redraw_servers(struct scenario *sc)
{
	static const char *const other_argv[] = { "server", "--other", NULL };
	struct world *w = sc->world;
	struct backend_conf all[SERVERS_MAX];
	size_t first = below(w, SERVERS_MAX);

	for (size_t i = 0; i < SERVERS_MAX; i++)
		all[i] = draw_server(w, i);
	for (size_t i = 0; i < sc->server_count; i++)
		if (chance(w, 60))
			all[sc->servers[i].name[1] - '0'] = sc->servers[i];
	sc->server_count = 0;
	for (size_t i = 0; i < SERVERS_MAX; i++) {
		if (chance(w, 30))
			continue;
		struct backend_conf *server = &sc->servers[sc->server_count++];
		*server = all[(first + i) % SERVERS_MAX];
		if (chance(w, 20))
			server->argv = other_argv;
	}
}

static void change_servers(struct scenario *sc)
{
	struct reload_counts counts;

	redraw_servers(sc);
	struct gateway_conf conf = gateway_conf(sc);
	gateway_reload(sc->gw, &conf, &counts);
	attach_backends(sc);
	gateway_start(sc->gw);
	world_tell(sc->world, "%u servers come, %u go, %u change, %u of them by another process", counts.added,
	        counts.removed, counts.changed, counts.replaced);
}

/* Nobody changes servers while it drains. The lifecycle knows by itself when it is too late. */
void config_change(struct scenario *sc)
{
	struct lifecycle_conf lifecycle_conf = draw_lifecycle(sc->world);

	if (lifecycle_phase(sc->lifecycle) < PHASE_STARTING_HELD)
		change_servers(sc);
	if (!sc->stopping) {
		sc->lifecycle_conf = lifecycle_conf;
		note_longest_stop(sc);
	}
	lifecycle_reconfigure(sc->lifecycle, &lifecycle_conf, sc->longest_eof_ms, sc->longest_term_ms);
}
