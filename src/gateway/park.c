#include "gateway/park.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "gateway/park_token.h"
#include "json/write.h"

#define PURPOSE SPAN("park")
#define STATE_PREFIX "sluice." /* of our requestStates: what has it and cannot be opened is no server's */
#define STATE_MAX 512

struct question {
	struct list node;
	uint64_t id; /* the backend's */
	enum method method;
	unsigned key; /* "r1" is 1 */
	size_t size;
	char text[]; /* {"method":...,"params":...} */
};

struct park {
	struct call *call;
	uint64_t number;
	uint32_t turn;
	unsigned char digest[PARK_DIGEST_BYTES];
	struct list questions; /* without an answer, in their order */
	unsigned count, last_key;
	struct timer siblings;
};

static struct question *question_at(struct list *node)
{
	return list_entry(node, struct question, node);
}

/* ---- what is asked ---- */

static bool may_be_parked(const struct call *c)
{
	return c->method == METHOD_TOOLS_CALL || c->method == METHOD_PROMPTS_GET || c->method == METHOD_RESOURCES_READ;
}

/* As the server wrote it, but for the id by which legacy revisions follow up on a page. */
static void put_params(struct buf *out, struct span params)
{
	struct span key, value;
	char between = '{';

	for (struct json_walk w = json_walk(params); json_next(&w, &key, &value);) {
		if (span_eq(key, SPAN("elicitationId")))
			continue;
		buf_add_char(out, between);
		between = ',';
		buf_add_char(out, '"');
		buf_add(out, key);
		buf_add(out, SPAN("\":"));
		buf_add(out, value);
	}
	buf_add(out, between == '{' ? SPAN("{}") : SPAN("}"));
}

static void put_question(struct buf *out, const struct message *m)
{
	buf_add(out, SPAN("{\"method\":"));
	buf_add(out, m->method);
	if (span_is_set(m->params)) {
		buf_add(out, SPAN(",\"params\":"));
		put_params(out, m->params);
	}
	buf_add_char(out, '}');
}

static void add_question(struct park *p, const struct backend_ask *ask, const struct message *m)
{
	struct buf text = { 0 };

	put_question(&text, m);
	struct question *q = mem_zalloc(sizeof(*q) + buf_size(&text));
	q->id = ask->id;
	q->method = m->method_id;
	q->key = ++p->last_key;
	q->size = buf_size(&text);
	memcpy(q->text, buf_span(&text).p, q->size);
	list_append(&p->questions, &q->node);
	p->count++;
	buf_free(&text);
}

static void forget(struct park *p, struct question *q)
{
	list_unlink(&q->node);
	p->count--;
	free(q);
}

/* ---- to the server ---- */

static void answer(struct slot *slot, uint64_t id, struct span member, struct span value)
{
	struct pieces outcome = pieces_of(member);

	pieces_append(&outcome, value);
	slot->backend->ops->answer(slot->backend, id, &outcome);
}

/* Nobody will answer it: in the words that each kind of question has for that. */
static void answer_with_nothing(struct slot *slot, const struct question *q)
{
	if (q->method == METHOD_ELICITATION)
		answer(slot, q->id, SPAN("\"result\":"), SPAN("{\"action\":\"cancel\"}"));
	else if (q->method == METHOD_SAMPLING)
		answer(slot, q->id, SPAN("\"error\":"), SPAN("{\"code\":-1,\"message\":\"nobody has answered\"}"));
	else
		answer(slot, q->id, SPAN("\"error\":"), SPAN("{\"code\":-32603,\"message\":\"nobody has answered\"}"));
}

/* ---- to the client ---- */

static void put_state(const struct park *p, struct buf *out)
{
	struct gateway *gw = p->call->gw;
	struct park_claims claims = {
		.process = gw->parks.process,
		.park = p->number,
		.turn = p->turn,
		.expires_ms = clock_wall_ms() + mono_diff(p->call->deadline, gw->sched->now),
	};
	struct buf plain = { 0 };

	memcpy(claims.digest, p->digest, PARK_DIGEST_BYTES);
	park_token_encode(&claims, &plain);
	buf_add(out, SPAN(STATE_PREFIX));
	seal(sessions_keys(gw->sessions), PURPOSE, buf_span(&plain), out);
	buf_free(&plain);
}

static void put_key(struct buf *out, unsigned key)
{
	buf_printf(out, "r%u", key);
}

static void put_input_required(const struct park *p, struct buf *out)
{
	struct json_writer w = json_writer(out);
	struct buf text = { 0 };

	json_open(&w, '{');
	json_member_text(&w, "resultType", SPAN("input_required"));
	json_key(&w, "inputRequests");
	json_open(&w, '{');
	list_each (node, &p->questions) {
		const struct question *q = question_at(node);
		buf_reset(&text);
		put_key(&text, q->key);
		json_key_span(&w, buf_span(&text));
		json_raw(&w, (struct span){ q->text, q->size });
	}
	json_close(&w, '}');
	buf_reset(&text);
	put_state(p, &text);
	json_member_text(&w, "requestState", buf_span(&text));
	json_key(&w, "_meta");
	json_open(&w, '{');
	json_member_raw(&w, META_SERVER, buf_span(&p->call->gw->server_info));
	json_close(&w, '}');
	json_close(&w, '}');
	buf_free(&text);
}

/* The client's request ends with what is asked. */
static void turn_over(struct park *p)
{
	struct buf result = { 0 }, json = { 0 };

	assert(p->call->state == CALL_AT_BACKEND);
	p->turn++;
	put_input_required(p, &result);
	rpc_put_result(&json, p->call->id, buf_span(&result));
	call_park(p->call, buf_span(&json));
	buf_free(&result);
	buf_free(&json);
}

/* In this very turn it may have been cut, and ends with the next post. */
static void on_siblings(void *arg)
{
	struct park *p = arg;

	if (p->call->state == CALL_AT_BACKEND)
		turn_over(p);
}

/* ---- its life ---- */

static struct park *park_new(struct call *c)
{
	struct parks *all = &c->gw->parks;
	struct park *p = NEW(struct park);

	if (all->process == 0)
		random_bytes(&all->process, sizeof(all->process));
	*p = (struct park){ .call = c, .number = ++all->last_number };
	memcpy(p->digest, c->digest, PARK_DIGEST_BYTES);
	list_init(&p->questions);
	map_put_u64(&all->by_number, p->number, p);
	c->park = p;
	return p;
}

bool park_ask(struct call *c, const struct backend_ask *ask, const struct message *m, int *code, const char **why)
{
	struct gateway *gw = c->gw;

	*code = RPC_INTERNAL_ERROR;
	if (!may_be_parked(c)) {
		*code = RPC_INVALID_PARAMS;
		*why = "the server asks something during a request in which a modern client cannot be asked";
	} else if (gw->refusing) {
		*why = "the gateway is shutting down";
	} else if (sessions_keys(gw->sessions) == NULL || (c->park == NULL && gw->parks.by_number.count >= PARKS_MAX) ||
	           (c->park != NULL && c->park->count == PARK_QUESTIONS_MAX)) {
		*why = "too much is asked at once";
	} else {
		struct park *p = c->park != NULL ? c->park : park_new(c);
		add_question(p, ask, m);
		gw->counts.asks.delivered++;
		if (c->state == CALL_AT_BACKEND && !timer_is_set(&p->siblings))
			timer_set_in(gw->sched, &p->siblings, PARK_SIBLINGS_MS, on_siblings, p);
		return true;
	}
	return false;
}

bool park_ask_ended(struct call *c, uint64_t id)
{
	struct park *p = c->park;

	if (p == NULL)
		return false;
	list_each (node, &p->questions) {
		if (question_at(node)->id != id)
			continue;
		forget(p, question_at(node));
		if (p->count == 0)
			timer_stop(c->gw->sched, &p->siblings);
		return true;
	}
	return false;
}

static void answer_the_rest(struct park *p)
{
	list_each (node, &p->questions) {
		answer_with_nothing(p->call->slot, question_at(node));
		forget(p, question_at(node));
	}
	timer_stop(p->call->gw->sched, &p->siblings);
}

static void park_free(struct call *c)
{
	answer_the_rest(c->park);
	map_remove_u64(&c->gw->parks.by_number, c->park->number);
	free(c->park);
	c->park = NULL;
}

/* One whose client is to come back keeps its number. */
void park_leave(struct call *c)
{
	if (c->park == NULL)
		return;
	if (c->state == CALL_PARKED || c->state == CALL_KEPT)
		answer_the_rest(c->park);
	else
		park_free(c);
}

/* ---- the retry ---- */

static struct span state_of(const struct message *m, char room[STATE_MAX])
{
	struct span state = json_type_of(m->params) == JSON_OBJECT ? json_member(m->params, "requestState") : SPAN_NONE;

	return json_type_of(state) == JSON_STRING && state.n <= STATE_MAX ? json_decode(state, room) : SPAN_NONE;
}

bool park_is_retry(const struct message *m)
{
	char room[STATE_MAX];

	return span_starts(state_of(m, room), SPAN(STATE_PREFIX));
}

static struct park *redeem(struct gateway *gw, const struct message *m)
{
	unsigned char digest[PARK_DIGEST_BYTES];
	struct park_claims claims;
	struct buf plain = { 0 };
	char room[STATE_MAX];
	struct span token = span_skip(state_of(m, room), sizeof(STATE_PREFIX) - 1);
	struct key_ring *keys = sessions_keys(gw->sessions);
	bool ours = keys != NULL && unseal(keys, PURPOSE, token, &plain) &&
	            park_token_decode(buf_span(&plain), &claims) && claims.process == gw->parks.process &&
	            claims.expires_ms > clock_wall_ms();

	buf_free(&plain);
	struct park *p = ours ? map_get_u64(&gw->parks.by_number, claims.park) : NULL;
	if (p == NULL || p->turn != claims.turn)
		return NULL;
	call_digest(m, digest);
	bool same =
	        memcmp(digest, p->digest, sizeof(digest)) == 0 && memcmp(digest, claims.digest, sizeof(digest)) == 0;
	bool waits = p->call->state == CALL_PARKED || p->call->state == CALL_KEPT;
	return same && waits ? p : NULL;
}

static struct span answer_to(struct span responses, const struct question *q)
{
	char key[16];
	struct buf text = { .mem = key, .cap = sizeof(key) };

	put_key(&text, q->key);
	buf_add_char(&text, '\0');
	return json_type_of(responses) == JSON_OBJECT ? json_member(responses, key) : SPAN_NONE;
}

/* An answer that is no object is refused, and nothing has happened. */
static bool are_objects(const struct park *p, struct span responses)
{
	list_each (node, &p->questions) {
		struct span value = answer_to(responses, question_at(node));
		if (span_is_set(value) && json_type_of(value) != JSON_OBJECT)
			return false;
	}
	return true;
}

static void pass_answers(struct park *p, struct span responses)
{
	list_each (node, &p->questions) {
		struct question *q = question_at(node);
		struct span value = answer_to(responses, q);
		if (!span_is_set(value))
			continue;
		p->call->gw->counts.asks.answered++;
		answer(p->call->slot, q->id, SPAN("\"result\":"), value);
		forget(p, q);
	}
}

struct call *park_resume(struct gateway *gw, struct session *session, int scope, const struct message *m,
        const struct request_meta *meta, const struct reply_port *port, void *arg, const char **fault)
{
	struct park *p = redeem(gw, m);
	struct span responses = json_member(m->params, "inputResponses");

	*fault = "requestState is not valid or has expired";
	if (p == NULL || p->call->scope != scope)
		return NULL;
	*fault = "each of params.inputResponses must be an object";
	if (!are_objects(p, responses))
		return NULL;
	p->turn++;
	call_resume(p->call, session, m, meta, port, arg);
	pass_answers(p, responses);
	if (p->count > 0)
		timer_set(gw->sched, &p->siblings, gw->sched->now, on_siblings, p);
	return p->call;
}
