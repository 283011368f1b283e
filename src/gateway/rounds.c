#include "gateway/rounds.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "json/write.h"

/* Something that the server asks for. */
struct input {
	struct list node;
	struct span key; /* raw, without quotes, in `bytes` */
	struct buf answer;
	bool answered;
	char bytes[];
};

struct rounds {
	unsigned count; /* so far */
	struct list inputs;
	unsigned missing; /* of them, without an answer */
	struct buf state; /* raw JSON; empty: the server gave none */
	struct buf text;  /* the request, as the server knows it */
	struct timer pause;
};

static struct input *input_at(struct list *node)
{
	return list_entry(node, struct input, node);
}

/* ---- what is kept ---- */

/* One over HTTP may speak both kinds of revision; over stdio what it has said of itself counts. */
static bool may_be_modern(const struct slot *slot)
{
	if (slot->conf->kind == BACKEND_HTTP)
		return true;
	return slot->conf->kind == BACKEND_STDIO && (!slot->greeted || revision_is_modern(slot->hello.revision));
}

static bool may_have_rounds(const struct call *c)
{
	return !call_is_modern(c) && may_be_modern(c->slot) &&
	       (c->method == METHOD_TOOLS_CALL || c->method == METHOD_PROMPTS_GET ||
	               c->method == METHOD_RESOURCES_READ);
}

void rounds_keep(struct call *c, const struct message *m, struct splice name)
{
	if (!may_have_rounds(c) || c->rounds != NULL)
		return;
	struct pieces text = pieces_splice(m->text, &name, 1);
	c->rounds = NEW(struct rounds);
	list_init(&c->rounds->inputs);
	pieces_put(&c->rounds->text, &text);
}

static void forget_inputs(struct rounds *r)
{
	list_each (node, &r->inputs) {
		struct input *input = input_at(node);
		list_unlink(&input->node);
		buf_free(&input->answer);
		free(input);
	}
	r->missing = 0;
}

void rounds_free(struct call *c)
{
	struct rounds *r = c->rounds;

	if (r == NULL)
		return;
	c->rounds = NULL;
	timer_stop(c->gw->sched, &r->pause);
	forget_inputs(r);
	buf_free(&r->state);
	buf_free(&r->text);
	free(r);
}

/* ---- the end, when an answer cannot be had ---- */

static void give_up(struct call *c, const char *sentence, struct span what)
{
	struct buf text = { 0 };

	buf_printf(&text, "%s%.*s", sentence, SPAN_ARG(what));
	asks_call_left(c);
	call_give_up(c, buf_span(&text));
	buf_free(&text);
}

void rounds_lost(struct call *c)
{
	give_up(c, "the client has left before it has answered what the server needs", SPAN(""));
}

/* ---- the next leg ---- */

static void put_next(const struct rounds *r, const struct message *first, struct buf *out)
{
	struct buf members = { 0 };
	char between = '{';

	if (!list_is_empty(&r->inputs)) {
		buf_add(&members, SPAN("\"inputResponses\":"));
		list_each (node, &r->inputs) {
			buf_add_char(&members, between);
			between = ',';
			buf_add_char(&members, '"');
			buf_add(&members, input_at(node)->key);
			buf_add(&members, SPAN("\":"));
			buf_add(&members, buf_span(&input_at(node)->answer));
		}
		buf_add(&members, SPAN("},"));
	}
	if (buf_size(&r->state) > 0) {
		buf_add(&members, SPAN("\"requestState\":"));
		buf_add(&members, buf_span(&r->state));
		buf_add_char(&members, ',');
	}
	const struct splice insert = { { first->params.p + 1, 0 }, buf_span(&members) };
	struct pieces text = pieces_splice(first->text, &insert, 1);
	pieces_put(out, &text);
	buf_free(&members);
}

static struct message parsed(struct span text)
{
	struct message_fault fault;
	struct message m;
	bool ok = message_parse(text, JSON_DEPTH_MAX, &m, &fault);

	assert(ok); /* it is what we were given, and what we have put into it was parsed before */
	return m;
}

static void send_again(struct call *c)
{
	struct rounds *r = c->rounds;
	struct message first = parsed(buf_span(&r->text));
	struct buf text = { 0 };

	put_next(r, &first, &text);
	forget_inputs(r);
	struct message next = parsed(buf_span(&text));
	call_send(c, c->slot, &next, (struct splice){ .out = SPAN_NONE });
	buf_free(&text);
}

/* In this very turn it may have been cut, and ends with the next post. */
static void on_pause_over(void *arg)
{
	struct call *c = arg;

	if (c->state == CALL_ASKING)
		send_again(c);
}

/* ---- one round ---- */

bool rounds_are_needed(const struct call *c, const struct message *answer)
{
	return c->rounds != NULL && c->at.modern && answer->kind == MESSAGE_RESULT &&
	       json_type_of(answer->result) == JSON_OBJECT &&
	       json_string_is(json_member(answer->result, "resultType"), SPAN("input_required"));
}

static struct input *input_new(struct rounds *r, struct span key)
{
	struct input *input = mem_zalloc(sizeof(*input) + key.n);

	memcpy(input->bytes, key.p, key.n);
	input->key = (struct span){ input->bytes, key.n };
	list_append(&r->inputs, &input->node);
	r->missing++;
	return input;
}

static bool ask_one(struct call *c, struct span key, struct span request)
{
	char name[64];
	struct span raw = json_type_of(request) == JSON_OBJECT ? json_member(request, "method") : SPAN_NONE;
	struct span params = json_type_of(request) == JSON_OBJECT ? json_member(request, "params") : SPAN_NONE;

	if (json_type_of(raw) != JSON_STRING || raw.n > sizeof(name))
		return false;
	enum method method = method_parse(json_decode(raw, name));
	return asks_put(c, method, params, input_new(c->rounds, key));
}

static void ask_all(struct call *c, struct span requests)
{
	struct span key, request;
	unsigned n = 0;

	for (struct json_walk w = json_walk(requests); json_next(&w, &key, &request);) {
		if (n++ < ROUND_INPUTS_MAX && ask_one(c, key, request))
			continue;
		give_up(c, "the server needs something that this client cannot be asked for: ", key);
		return;
	}
	call_rearm(c);
}

void rounds_begin(struct call *c, const struct message *answer)
{
	struct rounds *r = c->rounds;
	struct span requests = json_member(answer->result, "inputRequests");
	struct span state = json_member(answer->result, "requestState");

	buf_reset(&r->state);
	if (json_type_of(state) == JSON_STRING)
		buf_add(&r->state, state);
	call_step(c, CALL_EV_INPUT);
	call_rearm(c);
	if (++r->count > ROUNDS_MAX) {
		give_up(c, "the server asks again and again", SPAN(""));
		return;
	}
	if (json_type_of(requests) == JSON_OBJECT)
		ask_all(c, requests);
	if (c->state == CALL_ASKING && r->missing == 0)
		timer_set_in(c->gw->sched, &r->pause, ROUNDS_PAUSE_MS, on_pause_over, c);
}

void rounds_answered(struct call *c, struct input *input, const struct message *m)
{
	struct rounds *r = c->rounds;

	if (m->kind != MESSAGE_RESULT || json_type_of(m->result) != JSON_OBJECT) {
		give_up(c, "the client has not answered what the server needs: ", input->key);
		return;
	}
	input->answered = true;
	buf_add(&input->answer, m->result);
	if (--r->missing == 0)
		send_again(c);
}
