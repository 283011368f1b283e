/*
 * Modern clients that listen for news: acknowledged first, and at the end told that it is over, unless they have left.
 */
#include "scenario.h"

static bool has(const struct pieces *json, const char *part)
{
	struct buf text = { 0 };

	pieces_put(&text, json);
	bool found = memmem(buf_span(&text).p, buf_size(&text), part, strlen(part)) != NULL;
	buf_free(&text);
	return found;
}

static bool names(const struct client_listen *l, const struct pieces *json)
{
	char id[64];

	snprintf(id, sizeof(id), "\"" META_SUBSCRIPTION "\":\"l%d\"", l->id);
	return has(json, id);
}

static void on_opened(void *arg, const struct pieces *json)
{
	struct client_listen *l = arg;

	REQUIRE(l->scenario, !l->opened && !l->ended && !l->left && names(l, json));
	l->opened = true;
	l->hears = has(json, "\"resourceSubscriptions\":[\"u:1\"]");
	l->scenario->hearing += l->hears;
	REQUIRE(l->scenario, l->wants || !l->hears);
}

static void on_message(void *arg, const struct pieces *json)
{
	struct client_listen *l = arg;

	REQUIRE(l->scenario, l->opened && !l->ended && !l->left && names(l, json));
	REQUIRE(l->scenario, l->hears || !has(json, "notifications/resources/updated"));
	l->scenario->updates += has(json, "notifications/resources/updated");
}

static void on_ended(void *arg, const struct pieces *json)
{
	struct client_listen *l = arg;

	REQUIRE(l->scenario, l->opened && !l->ended && !l->left && names(l, json));
	world_tell(l->scenario->world, "listen %d ends", l->id);
	l->ended = true;
}

static const struct listen_port port = { .opened = on_opened, .message = on_message, .ended = on_ended };

static void on_leave(void *arg)
{
	struct client_listen *l = arg;

	if (l->ended || l->scenario->exited)
		return;
	world_tell(l->scenario->world, "the client of listen %d leaves", l->id);
	l->left = true;
	gateway_unlisten(l->listen);
}

/* Like a call, but that it is over with the acknowledgement. */
static void count(struct client_listen *l)
{
	struct scenario *sc = l->scenario;

	REQUIRE(sc, l->accepted || lifecycle_phase(sc->lifecycle) >= PHASE_DRAINING);
	sc->due += sc->stopping;
	sc->completed += sc->stopping && l->accepted;
	sc->refused += sc->stopping && !l->accepted;
}

static void on_make(void *arg)
{
	struct client_listen *l = arg;
	struct scenario *sc = l->scenario;
	struct buf text = { 0 }, error = { 0 };
	enum end_reason why = END_REASON_COUNT;
	struct refusal refusal = { &why, &error };
	struct message_fault fault;
	struct message m;

	if (sc->exited)
		return;
	sc->last_request = world_sched(sc->world)->now;
	l->wants = chance(sc->world, 50);
	buf_printf(&text,
	        "{\"jsonrpc\":\"2.0\",\"id\":\"l%d\",\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":"
	        "{\"toolsListChanged\":true,\"resourcesListChanged\":%s,\"resourceSubscriptions\":[%s]}}}",
	        l->id, chance(sc->world, 50) ? "true" : "false", l->wants ? "\"u:1\"" : "");
	bool parsed = message_parse(buf_span(&text), 64, &m, &fault);
	REQUIRE(sc, parsed);
	l->listen = gateway_listen(sc->gw, NULL, SCOPE_ALL, &m, &port, l, &refusal);
	l->accepted = l->listen != NULL;
	count(l);
	if (l->accepted && chance(sc->world, 40))
		event_set(sc->world, &l->leave, (msec_t)below(sc->world, 3000), on_leave, l);
	buf_free(&text);
	buf_free(&error);
}

void listens_plan(struct scenario *sc, msec_t within_ms)
{
	for (int i = 0; i < LISTENS; i++) {
		struct client_listen *l = &sc->listens[i];
		*l = (struct client_listen){ .scenario = sc, .id = i };
		event_set(sc->world, &l->make, (msec_t)below(sc->world, (uint64_t)within_ms), on_make, l);
	}
}

void listens_stop(struct scenario *sc)
{
	for (int i = 0; i < LISTENS; i++) {
		event_stop(&sc->listens[i].make);
		event_stop(&sc->listens[i].leave);
	}
}

unsigned listens_check(const struct scenario *sc)
{
	unsigned accepted = 0;

	for (int i = 0; i < LISTENS; i++) {
		const struct client_listen *l = &sc->listens[i];
		accepted += l->accepted;
		REQUIRE(sc, !l->ended || l->accepted);
		REQUIRE(sc, !sc->fronts_close || !l->accepted || l->left || l->ended);
	}
	return accepted;
}
