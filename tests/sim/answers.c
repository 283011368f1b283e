/*
 * What servers ask of clients: it must be the client for whose call they ask, and only its answers may arrive. Clients
 * answer late, never, twice, or it is somebody else who does.
 */
#include "scenario.h"

static void on_answer(void *arg)
{
	const struct client_answer *a = arg;
	struct scenario *sc = a->scenario;
	struct message_fault fault;
	struct message m;
	char text[160];

	if (sc->exited)
		return;
	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"call\":%d}}", a->id, a->number);
	bool parsed = message_parse(span_of(text), 64, &m, &fault);
	REQUIRE(sc, parsed);
	world_tell(sc->world, "session %u answers: %s", a->session, text);
	gateway_answer(sc->gw, sc->session[a->session], &m);
}

static void answer_later(struct scenario *sc, unsigned session, int number, struct span id)
{
	if (sc->answer_count == ANSWERS_MAX)
		return;
	struct client_answer *a = &sc->answers[sc->answer_count++];
	*a = (struct client_answer){ .scenario = sc, .session = session, .number = number };
	snprintf(a->id, sizeof(a->id), "%.*s", SPAN_ARG(id));
	event_set(sc->world, &a->event, (msec_t)below(sc->world, chance(sc->world, 80) ? 500 : 15000), on_answer, a);
}

/*
 * The server means the client of the call whose number it tells. Only of a call that has ended meanwhile it cannot be
 * known any more whether the server still asks for it.
 */
static void check_client(const struct client_call *c, int64_t number)
{
	const struct scenario *sc = c->scenario;

	REQUIRE(sc, number >= 0 && number < (int64_t)sc->call_count);
	const struct client_call *meant = &sc->calls[number];
	REQUIRE(sc, meant->ends > 0 || meant->left || meant->id % SESSIONS == c->id % SESSIONS);
}

void answers_asked(const struct client_call *c, const struct message *m)
{
	struct scenario *sc = c->scenario;
	struct world *w = sc->world;
	unsigned session = (unsigned)(c->id % SESSIONS);
	int64_t number = -1;

	if (!json_to_i64(json_member(m->params, "call"), &number)) /* nonsense that a server says */
		return;
	check_client(c, number);
	if (chance(w, 15))
		answer_later(sc, (session + 1) % SESSIONS, -1, m->id);
	if (chance(w, 80))
		answer_later(sc, session, (int)number, m->id);
	if (chance(w, 15))
		answer_later(sc, session, (int)number, m->id);
}

void answers_stop(struct scenario *sc)
{
	for (unsigned i = 0; i < sc->answer_count; i++)
		event_stop(&sc->answers[i].event);
}
