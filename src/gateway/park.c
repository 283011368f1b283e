#include "gateway/park.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "gateway/request_state.h"
#include "json/write.h"

#define PURPOSE SPAN("park")

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

static void add_question(struct park *p, const struct backend_ask *ask, const struct message *m)
{
	struct buf text = { 0 };

	input_required_put_question(&text, m->method, m->params);
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
	struct park_claims claims = { .park = p->number, .turn = p->turn };

	memcpy(claims.digest, p->digest, PARK_DIGEST_BYTES);
	request_state_put(gw, PURPOSE, &claims, mono_diff(p->call->deadline, gw->sched->now), out);
}

static void put_key(struct buf *out, unsigned key)
{
	buf_printf(out, "r%u", key);
}

static void put_input_required(const struct park *p, struct buf *out)
{
	struct json_writer w = json_writer(out);
	struct buf text = { 0 };

	input_required_open(&w);
	list_each (node, &p->questions) {
		const struct question *q = question_at(node);
		buf_reset(&text);
		put_key(&text, q->key);
		json_key_span(&w, buf_span(&text));
		json_raw(&w, (struct span){ q->text, q->size });
	}
	buf_reset(&text);
	put_state(p, &text);
	input_required_close(&w, p->call->gw, buf_span(&text));
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
	} else if (!request_state_can(gw) || (c->park == NULL && gw->parks.by_number.count >= PARKS_MAX) ||
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

static struct park *redeem(struct gateway *gw, const struct message *m)
{
	struct park_claims claims;
	struct park *p = request_state_open(gw, PURPOSE, m, &claims) ? map_get_u64(&gw->parks.by_number, claims.park)
	                                                             : NULL;

	if (p == NULL || p->turn != claims.turn || memcmp(claims.digest, p->digest, PARK_DIGEST_BYTES) != 0)
		return NULL;
	return p->call->state == CALL_PARKED || p->call->state == CALL_KEPT ? p : NULL;
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
	struct span responses = m->input_responses;

	*fault = REQUEST_STATE_FAULT;
	if (p == NULL || p->call->scope != scope)
		return NULL;
	*fault = "params.inputResponses must be an object, and each answer in it";
	if (span_is_set(responses) && json_type_of(responses) != JSON_OBJECT)
		return NULL;
	if (!are_objects(p, responses))
		return NULL;
	p->turn++;
	call_resume(p->call, session, m, meta, port, arg);
	pass_answers(p, responses);
	if (p->count > 0)
		timer_set(gw->sched, &p->siblings, gw->sched->now, on_siblings, p);
	return p->call;
}
