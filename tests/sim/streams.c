/*
 * Open streams: those for news end when the gateway is about to stop, those that are a client's only channel stay until
 * the fronts close; any client may leave before.
 */
#include "scenario.h"

static void on_message(void *arg, const struct pieces *json)
{
	const struct stream *s = arg;

	(void)json;
	REQUIRE(s->scenario, s->open);
}

static bool is_on_the_way_out(const struct scenario *sc)
{
	enum phase phase = lifecycle_phase(sc->lifecycle);

	return phase != PHASE_STARTING && phase != PHASE_READY;
}

static void on_end(void *arg)
{
	struct stream *s = arg;

	world_tell(s->scenario->world, "a stream is ended");
	REQUIRE(s->scenario, s->open && !s->push.stays && is_on_the_way_out(s->scenario));
	s->open = false;
}

static const struct push_port port = { .message = on_message, .end = on_end };

static void close_stream(struct stream *s)
{
	if (s->open)
		gateway_push_close(&s->push);
	s->open = false;
}

static void on_leave(void *arg)
{
	struct stream *s = arg;

	world_tell(s->scenario->world, "the client of a stream leaves");
	close_stream(s);
}

static void on_open(void *arg)
{
	struct stream *s = arg;
	struct scenario *sc = s->scenario;

	if (sc->exited || sc->fronts_close)
		return;
	world_tell(sc->world, "a stream is opened%s", s->push.stays ? ", to stay" : "");
	s->open = true;
	gateway_push_open(sc->gw, sc->session[below(sc->world, SESSIONS)], &s->push);
	if (chance(sc->world, 30))
		event_set(sc->world, &s->leave, (msec_t)below(sc->world, 5000), on_leave, s);
}

void streams_plan(struct scenario *sc, msec_t within_ms)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		struct stream *s = &sc->streams[i];
		*s = (struct stream){ .scenario = sc };
		s->push = (struct push){ .scope = SCOPE_ALL, .stays = chance(sc->world, 30), .port = &port, .arg = s };
		event_set(sc->world, &s->make, (msec_t)below(sc->world, (uint64_t)within_ms), on_open, s);
	}
}

void streams_close(struct scenario *sc)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		REQUIRE(sc, !sc->streams[i].open || sc->streams[i].push.stays);
		close_stream(&sc->streams[i]);
	}
}

void streams_stop(struct scenario *sc)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		event_stop(&sc->streams[i].make);
		event_stop(&sc->streams[i].leave);
		close_stream(&sc->streams[i]);
	}
}
