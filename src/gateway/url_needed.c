#include "gateway/url_needed.h"

#include "gateway/gateway_private.h"
#include "mcp/bridge.h"

#define PURPOSE SPAN("redo")

/* ---- what the server wants ---- */

static bool is_page(struct span entry)
{
	return json_type_of(entry) == JSON_OBJECT && json_type_of(json_member(entry, "url")) == JSON_STRING &&
	       json_type_of(json_member(entry, "message")) == JSON_STRING &&
	       json_string_is(json_member(entry, "mode"), SPAN("url"));
}

/* The array of pages; not set: the error says something else, or nothing that can be passed on. */
static struct span pages_of(const struct message *answer)
{
	struct span data, pages = SPAN_NONE, entry;
	unsigned n = 0;
	int64_t code;

	if (answer->kind != MESSAGE_ERROR || !json_to_i64(json_member(answer->error, "code"), &code) ||
	        code != RPC_URL_NEEDED)
		return SPAN_NONE;
	data = json_member(answer->error, "data");
	if (json_type_of(data) == JSON_OBJECT)
		pages = json_member(data, "elicitations");
	for (struct json_walk w = json_walk(json_type_of(pages) == JSON_ARRAY ? pages : SPAN("[]"));
	        json_next(&w, NULL, &entry); n++)
		if (!is_page(entry))
			return SPAN_NONE;
	return n > 0 ? pages : SPAN_NONE;
}

/* ---- modern clients ---- */

static uint64_t *word_of(struct redos *r, uint64_t number, uint64_t *bit)
{
	*bit = UINT64_C(1) << number % 64;
	return &r->open[number % REDOS_MAX / 64];
}

static uint64_t redo_open(struct redos *r)
{
	uint64_t bit, *word = word_of(r, ++r->last, &bit);

	*word |= bit;
	return r->last;
}

/* False: it is closed already, or forgotten. */
static bool redo_close(struct redos *r, uint64_t number)
{
	uint64_t bit, *word = word_of(r, number, &bit);
	bool open = number <= r->last && r->last - number < REDOS_MAX && (*word & bit) != 0;

	if (open)
		*word &= ~bit;
	return open;
}

static void put_state(struct call *c, struct buf *out)
{
	struct park_claims claims = { .park = redo_open(&c->gw->redos) };

	memcpy(claims.digest, c->digest, PARK_DIGEST_BYTES);
	request_state_put(c->gw, PURPOSE, &claims, c->slot->conf->max_request_timeout_ms, out);
}

static void put_question(struct json_writer *w, unsigned n, struct span page)
{
	struct buf text = { 0 };

	buf_printf(&text, "u%u", n);
	json_key_span(w, buf_span(&text));
	buf_reset(&text);
	input_required_put_question(&text, SPAN("\"elicitation/create\""), page);
	json_raw(w, buf_span(&text));
	buf_free(&text);
}

static void put_input_required(struct call *c, struct span pages)
{
	struct buf result = { 0 }, state = { 0 };
	struct json_writer w = json_writer(&result);
	struct span page;
	unsigned n = 0;

	input_required_open(&w);
	for (struct json_walk walk = json_walk(pages); json_next(&walk, NULL, &page);)
		put_question(&w, ++n, page);
	put_state(c, &state);
	input_required_close(&w, c->gw, buf_span(&state));
	rpc_put_result(&c->answer, c->id, buf_span(&result));
	buf_free(&result);
	buf_free(&state);
}

static bool may_ask(const struct call *c)
{
	return c->method == METHOD_TOOLS_CALL || c->method == METHOD_PROMPTS_GET || c->method == METHOD_RESOURCES_READ;
}

static bool answer_modern(struct call *c, struct span pages, enum end_reason *why)
{
	if (c->at.modern || !may_ask(c))
		return false;
	if (!(c->client.capabilities & CLIENT_ELICITATION_URL)) {
		c->lacked |= CLIENT_ELICITATION_URL;
		lacking_put_error(c);
		*why = END_REFUSED;
		return true;
	}
	if (c->gw->refusing || !request_state_can(c->gw)) /* nobody could take the retry */
		return false;
	put_input_required(c, pages);
	*why = END_RESULT;
	return true;
}

/* ---- ... and their retries ---- */

static bool is_declined(struct span answer)
{
	return !json_string_is(json_member(answer, "action"), SPAN("accept"));
}

enum redo url_needed_redeem(struct gateway *gw, const struct message *m, const char **fault)
{
	struct park_claims claims;
	struct span responses = m->input_responses, answer;
	bool declined = false;

	*fault = "params.inputResponses must be an object, and each answer in it";
	if (span_is_set(responses) && json_type_of(responses) != JSON_OBJECT)
		return REDO_REFUSED;
	for (struct json_walk w = json_walk(span_is_set(responses) ? responses : SPAN("{}"));
	        json_next(&w, NULL, &answer);) {
		if (json_type_of(answer) != JSON_OBJECT)
			return REDO_REFUSED;
		declined = declined || is_declined(answer);
	}
	*fault = REQUEST_STATE_FAULT;
	if (!request_state_open(gw, PURPOSE, m, &claims) || !redo_close(&gw->redos, claims.park))
		return REDO_REFUSED;
	*fault = "the client has not agreed to open the page that the server needs";
	return declined ? REDO_DECLINED : REDO_RUNS;
}

/* ---- legacy clients ---- */

static void put_sentence(struct buf *out, struct span pages)
{
	const char *keys[] = { "message", "url" };
	struct span page;

	buf_add(out, SPAN("The server needs something that is done at a page first, and to be called again then."));
	for (struct json_walk w = json_walk(pages); json_next(&w, NULL, &page);)
		for (unsigned i = 0; i < 2; i++) {
			struct span raw = json_member(page, keys[i]);
			struct buf text = { 0 };
			buf_add_char(out, i == 0 ? '\n' : ' ');
			buf_add(out, json_decode(raw, buf_reserve(&text, raw.n)));
			buf_free(&text);
		}
}

static void put_tool_result(struct call *c, struct span pages)
{
	struct buf text = { 0 }, result = { 0 };
	struct json_writer w = json_writer(&result);

	put_sentence(&text, pages);
	rpc_write_tool_text(&w, buf_span(&text), true);
	rpc_put_result(&c->answer, c->id, buf_span(&result));
	buf_free(&text);
	buf_free(&result);
}

static void put_page(struct call *c, struct buf *out, struct span page)
{
	char room[SLOT_PREFIX_MAX];
	struct splice splice = asks_elicitation_begun(c->slot, c->session, page, room);
	struct pieces text = pieces_splice(page, &splice, 1);

	pieces_put(out, &text);
}

/* The word that the page is done with comes by the same id later. */
static void put_error(struct call *c, const struct message *answer, struct span pages)
{
	struct buf array = { 0 };
	struct span page;
	char between = '[';

	for (struct json_walk w = json_walk(pages); json_next(&w, NULL, &page); between = ',') {
		buf_add_char(&array, between);
		put_page(c, &array, page);
	}
	buf_add_char(&array, ']');
	const struct splice splices[] = { { answer->id, c->id }, { pages, buf_span(&array) } };
	struct pieces text = pieces_splice(answer->text, splices, 2);
	pieces_put(&c->answer, &text);
	buf_free(&array);
}

static bool answer_legacy(struct call *c, const struct message *answer, struct span pages, enum end_reason *why)
{
	unsigned able = client_capabilities_of(c->client.revision, c->client.capabilities);

	if (c->at.modern)
		return false;
	if ((able & CLIENT_ELICITATION_URL) && c->session != NULL) {
		put_error(c, answer, pages);
		return true;
	}
	if (c->method != METHOD_TOOLS_CALL)
		return false;
	put_tool_result(c, pages);
	*why = END_RESULT;
	return true;
}

bool url_needed_answers(struct call *c, const struct message *answer, enum end_reason *why)
{
	struct span pages = pages_of(answer);

	if (!span_is_set(pages))
		return false;
	return call_is_modern(c) ? answer_modern(c, pages, why) : answer_legacy(c, answer, pages, why);
}
