/*
 * Clients: each call is made, maybe cancelled, maybe left; it must get its own answer, once.
 */
#include <string.h>

#include "mcp/rewrite.h"
#include "scenario.h"

static void on_message(void *arg, const struct pieces *json)
{
	struct client_call *c = arg;
	struct message_fault fault;
	struct buf text = { 0 };
	struct message m;

	REQUIRE(c->scenario, c->ends == 0 && !c->left);
	pieces_put(&text, json);
	bool parsed = message_parse(buf_span(&text), 64, &m, &fault);
	REQUIRE(c->scenario, parsed);
	REQUIRE(c->scenario, m.kind == MESSAGE_NOTIFICATION || (m.kind == MESSAGE_REQUEST && !c->modern));
	if (m.kind == MESSAGE_REQUEST)
		answers_asked(c, &m);
	buf_free(&text);
}

static bool contains(struct span text, const char *what)
{
	return memmem(text.p, text.n, what, strlen(what)) != NULL;
}

/* By the outcome that it tells. */
static void count_end(struct scenario *sc, struct span text)
{
	bool unknown = contains(text, "\"outcome\":\"unknown\""), not_sent = contains(text, "\"outcome\":\"not_sent\"");

	sc->aborted += sc->stopping && unknown;
	sc->refused += sc->stopping && not_sent;
	sc->completed += sc->stopping && !unknown && !not_sent;
}

/* The last word is what interface.md says, and this call's and no other's. */
static void check_last_word(const struct client_call *c, enum end_reason why, const struct pieces *json)
{
	struct buf text = { 0 };
	char id[32], echo[32], reason[64];

	pieces_put(&text, json);
	snprintf(id, sizeof(id), "\"id\":\"%d\"", c->id);
	snprintf(echo, sizeof(echo), "\"call\":%d}", c->number);
	snprintf(reason, sizeof(reason), "\"reason\":\"%s\"", end_reason_name(why));
	REQUIRE(c->scenario, contains(buf_span(&text), id));
	if (why == END_RESULT && !contains(buf_span(&text), "input_required"))
		REQUIRE(c->scenario, !contains(buf_span(&text), "\"call\":") || contains(buf_span(&text), echo));
	else if (why == END_RESULT)
		REQUIRE(c->scenario, c->able);
	else if (why == END_SERVER_ERROR || why == END_REFUSED)
		REQUIRE(c->scenario, contains(buf_span(&text), "\"error\":"));
	else
		REQUIRE(c->scenario, contains(buf_span(&text), "-32603") && contains(buf_span(&text), reason));
	count_end(c->scenario, buf_span(&text));
	buf_free(&text);
}

static void on_make(void *arg);

/* The answers to what is asked, each with the number of the call for which the server asks, and the requestState. */
static void put_answers(struct client_call *c, struct span result)
{
	struct span key, value;

	buf_printf(&c->state, "\"inputResponses\":{");
	for (struct json_walk w = json_walk(json_member(result, "inputRequests")); json_next(&w, &key, &value);) {
		struct span number = json_member(json_member(value, "params"), "call");
		if (span_is_set(number)) /* else it is nonsense that a server says */
			buf_printf(&c->state, "\"%.*s\":{\"call\":%.*s},", SPAN_ARG(key), SPAN_ARG(number));
		else
			buf_printf(&c->state, "\"%.*s\":{},", SPAN_ARG(key));
	}
	buf_printf(&c->state, "\"more\":{}},\"requestState\":%.*s", SPAN_ARG(json_member(result, "requestState")));
}

/* A modern client comes back with what it was asked for, or never. */
static void retry_later(const struct client_call *first, struct span result)
{
	struct scenario *sc = first->scenario;

	if (sc->call_count == CALLS_MAX + RETRIES_MAX || chance(sc->world, 25))
		return;
	int id = (int)sc->call_count++;
	struct client_call *c = &sc->calls[id];
	*c = (struct client_call){ .scenario = sc, .id = id, .number = first->number, .until = first->until };
	snprintf(c->server, sizeof(c->server), "%s", first->server);
	put_answers(c, result);
	event_set(sc->world, &c->make, (msec_t)below(sc->world, chance(sc->world, 80) ? 1000 : 15000), on_make, c);
}

/* A result that says that something is asked for goes to modern clients only, to those that can be asked. */
static void look_for_state(const struct client_call *c, const struct pieces *json)
{
	struct message_fault fault;
	struct buf text = { 0 };
	struct message m;

	pieces_put(&text, json);
	bool parsed = message_parse(buf_span(&text), 64, &m, &fault);
	REQUIRE(c->scenario, parsed);
	struct span state = m.kind == MESSAGE_RESULT ? json_member(m.result, "requestState") : SPAN_NONE;
	REQUIRE(c->scenario, !span_is_set(state) || (c->modern && c->able));
	if (span_is_set(state))
		retry_later(c, m.result);
	buf_free(&text);
}

static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct client_call *c = arg;
	struct scenario *sc = c->scenario;

	REQUIRE(sc, c->ends == 0 && !c->left);
	world_tell(sc->world, "call %d ended: %s", c->id, end_reason_name(why));
	check_last_word(c, why, json);
	look_for_state(c, json);
	REQUIRE(sc, world_sched(sc->world)->now.ms <= c->until.ms || world_stalled_ms(sc->world) > 0);
	c->ends++;
	c->why = why;
	c->call = NULL;
	sc->waiting--;
}

#define MODERN_META "\"" META_VERSION "\":\"2026-07-28\",\"" META_CAPABILITIES "\":"

static const struct reply_port port = { .message = on_message, .ended = on_ended };

static const char *draw_meta(struct client_call *c)
{
	if (!chance(c->scenario->world, 30))
		return "";
	c->able = chance(c->scenario->world, 60);
	return c->able ? MODERN_META "{\"sampling\":{}}," : MODERN_META "{},";
}

/* No call waits for ever: progress lengthens its time, up to a point, and a list waits for a start only so long. */
static void put_retry(struct client_call *c, struct buf *text)
{
	c->able = true;
	buf_printf(text,
	        "{\"jsonrpc\":\"2.0\",\"id\":\"%d\",\"method\":\"tools/call\",\"params\":{\"name\":\"%s__t\","
	        "\"arguments\":{\"call\":%d},%.*s,\"_meta\":{" MODERN_META "{\"sampling\":{}}}}}",
	        c->id, c->server, c->number, SPAN_ARG(buf_span(&c->state)));
	if (mono_past(c->until, world_sched(c->scenario->world)->now))
		c->until = world_sched(c->scenario->world)->now;
}

static void put_request(struct client_call *c, struct buf *text)
{
	if (buf_size(&c->state) > 0) {
		put_retry(c, text);
		return;
	}
	struct scenario *sc = c->scenario;
	struct world *w = sc->world;
	size_t n = sc->server_count, at = n == 0 || chance(w, 5) ? n : below(w, n);
	const char *server = at < n ? sc->servers[at].name : "nobody";
	msec_t most_ms = at < n ? sc->servers[at].max_request_timeout_ms : 0;

	c->until = mono_add(world_sched(w)->now, most_ms > FIRST_TRY_WAIT_MS ? most_ms : FIRST_TRY_WAIT_MS);
	if (chance(w, 10))
		buf_printf(text, "{\"jsonrpc\":\"2.0\",\"id\":\"%d\",\"method\":\"tools/list\"}", c->id);
	else if (chance(w, 5))
		buf_printf(text, "{\"jsonrpc\":\"2.0\",\"id\":\"%d\",\"method\":\"ping\"}", c->id);
	else
		buf_printf(text,
		        "{\"jsonrpc\":\"2.0\",\"id\":\"%d\",\"method\":\"tools/call\",\"params\":{\"name\":\"%s__t\","
		        "\"arguments\":{\"call\":%d},\"_meta\":{%s\"progressToken\":\"p%d\"}}}",
		        c->id, server, c->id, draw_meta(c), c->id);
	snprintf(c->server, sizeof(c->server), "%s", server);
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

	if (c->call == NULL || c->scenario->exited)
		return;
	if (!c->modern && chance(c->scenario->world, 50)) {
		cancel(c, c->scenario->session[c->id % SESSIONS]);
		return;
	}
	world_tell(c->scenario->world, "the client of call %d leaves", c->id);
	c->left = true;
	c->scenario->detached += !c->modern;
	gateway_client_gone(c->call);
	c->call = NULL;
	c->scenario->waiting--;
}

/* Only new requests are refused, and only while draining. */
static void check_refusal(struct client_call *c, enum end_reason why)
{
	struct scenario *sc = c->scenario;
	bool draining = lifecycle_phase(sc->lifecycle) >= PHASE_DRAINING;

	REQUIRE(sc, why == (draining ? END_DRAINING : END_OVERLOADED));
	sc->refused += sc->stopping;
}

static struct call *submit(struct client_call *c, const struct message *m, const struct refusal *refusal)
{
	struct scenario *sc = c->scenario;
	struct request_meta meta = meta_read(m->meta);

	c->modern = span_is_set(meta.version);
	if (c->modern)
		return gateway_submit_modern(sc->gw, NULL, SCOPE_ALL, m, &meta, &port, c, refusal);
	return gateway_submit(sc->gw, sc->session[c->id % SESSIONS], SCOPE_ALL, m, &port, c, refusal);
}

static void on_make(void *arg)
{
	struct client_call *c = arg;
	struct scenario *sc = c->scenario;
	struct buf text = { 0 }, error = { 0 };
	enum end_reason why = END_REASON_COUNT;
	struct refusal refusal = { &why, &error };
	struct message_fault fault;
	struct message m;

	if (sc->exited)
		return;
	sc->last_request = world_sched(sc->world)->now;
	put_request(c, &text);
	bool parsed = message_parse(buf_span(&text), 64, &m, &fault);
	REQUIRE(sc, parsed);
	c->call = submit(c, &m, &refusal);
	c->accepted = c->call != NULL;
	sc->waiting += c->accepted;
	sc->due += sc->stopping;
	REQUIRE(sc, c->ends == 0 && c->accepted == (buf_size(&error) == 0));
	if (!c->accepted)
		check_refusal(c, why);
	world_tell(sc->world, "call %d: %s%.*s", c->id, c->accepted ? "" : "refused ", SPAN_ARG(buf_span(&text)));
	if (c->accepted && chance(sc->world, 20))
		event_set(sc->world, &c->change, (msec_t)below(sc->world, 3000), on_change, c);
	buf_free(&text);
	buf_free(&error);
}

void clients_plan(struct scenario *sc, msec_t within_ms)
{
	sc->call_count = (unsigned)below(sc->world, CALLS_MAX + 1);
	for (unsigned i = 0; i < sc->call_count; i++) {
		struct client_call *c = &sc->calls[i];
		*c = (struct client_call){ .scenario = sc, .id = (int)i, .number = (int)i };
		event_set(sc->world, &c->make, (msec_t)below(sc->world, (uint64_t)within_ms), on_make, c);
	}
}

void clients_stop(struct scenario *sc)
{
	for (unsigned i = 0; i < sc->call_count; i++) {
		event_stop(&sc->calls[i].make);
		event_stop(&sc->calls[i].change);
		buf_free(&sc->calls[i].state);
	}
}

/* Each accepted call has ended once, and the ledger says so: as the client saw it, unless it had left. */
void clients_check(const struct scenario *sc)
{
	const struct ledger_counts *counts = gateway_counts(sc->gw);
	uint64_t seen[END_REASON_COUNT] = { 0 }, accepted = 0, left = 0;

	seen[END_RESULT] = accepted = listens_check(sc); /* an acknowledgement counts as an answer */
	for (unsigned i = 0; i < sc->call_count; i++) {
		const struct client_call *c = &sc->calls[i];
		accepted += c->accepted;
		left += c->left;
		REQUIRE(sc, c->ends == (c->accepted && !c->left ? 1 : 0));
		if (c->ends == 1)
			seen[c->why]++;
	}
	REQUIRE(sc, counts->accepted == accepted);
	for (enum end_reason why = 0; why < END_REASON_COUNT; why++) {
		REQUIRE(sc, counts->ended[why] >= seen[why]);
		accepted -= counts->ended[why];
		left -= counts->ended[why] - seen[why];
	}
	REQUIRE(sc, accepted == 0 && left == 0);
}
