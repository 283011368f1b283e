/*
 * The last word of a call to its client: a server's answer in the words of the client's revision, what stands in the
 * place of one that the client could make nothing of, and answers of the gateway's own.
 */
#include "gateway/gateway_private.h"
#include "mcp/bridge.h"
#include "mcp/older.h"
#include "mcp/structured.h"

/* The error of a call that has no answer, in the gateway's scratch. */
static struct span end_text(struct call *c)
{
	struct buf *out = &c->gw->scratch;

	buf_reset(out);
	rpc_put_end(out, c->id,
	        &(struct rpc_end){ .why = c->why,
	                .outcome = c->outcome,
	                .backend = c->slot != NULL ? span_of(c->slot->conf->name) : SPAN_NONE,
	                .safe_to_repeat = c->safe_to_repeat });
	return buf_span(out);
}

static struct bridge_asked asked_by(const struct call *c)
{
	return (struct bridge_asked){ c->method, c->uri, buf_span(&c->gw->server_info) };
}

/* A server's answer with the client's id, and as the client's revision wants it. */
static struct pieces passed_on(struct call *c, const struct message *answer)
{
	struct bridge_asked asked = asked_by(c);
	bool down = c->at.modern && !call_is_modern(c);
	struct bridge b = { .n = 0 };
	struct span old;

	buf_reset(&c->gw->scratch);
	if (call_is_modern(c))
		bridge_to_modern(&b, answer, c->at.modern, &asked, &c->gw->scratch);
	else if (down)
		bridge_to_legacy(&b, answer, &asked, &c->gw->scratch);
	struct span structured = down && c->method == METHOD_TOOLS_CALL ? structured_odd(answer) : SPAN_NONE;
	if (older_content(c->method, answer, c->client.revision, structured, &old, &c->answer))
		b.splices[b.n++] = (struct splice){ .out = old, .in = buf_span(&c->answer) };
	b.splices[b.n++] = (struct splice){ .out = answer->id, .in = c->id };
	b.n += tasks_put_prefixes(c, answer, b.splices + b.n);
	return pieces_splice(answer->text, b.splices, b.n);
}

struct pieces call_last_word(struct call *c, const struct message *answer)
{
	if (answer != NULL)
		return passed_on(c, answer);
	return pieces_of(buf_size(&c->answer) > 0 ? buf_span(&c->answer) : end_text(c));
}

const struct message *call_explained(struct call *c, const struct message *answer)
{
	if (c->port == NULL || answer == NULL)
		return answer;
	if (lacking_explains(c, answer)) {
		lacking_put_error(c);
		c->why = END_REFUSED;
		return NULL;
	}
	return url_needed_answers(c, answer, &c->why) ? NULL : answer;
}

void call_answer(struct call *c, struct span result)
{
	struct bridge_asked asked = asked_by(c);
	struct buf stamped = { 0 };

	if (call_is_modern(c))
		bridge_put_result(&stamped, &asked, result);
	rpc_put_result(&c->answer, c->id, call_is_modern(c) ? buf_span(&stamped) : result);
	buf_free(&stamped);
	call_end_with(c, CALL_EV_ANSWER, END_RESULT, OUTCOME_KNOWN);
}

void call_fail(struct call *c, int code, struct span sentence)
{
	rpc_put_error(&c->answer, c->id, code, sentence);
	call_end_with(c, CALL_EV_ANSWER, END_REFUSED, OUTCOME_KNOWN);
}

void call_give_up(struct call *c, struct span sentence)
{
	struct buf result = { 0 };
	struct json_writer w = json_writer(&result);

	if (c->method != METHOD_TOOLS_CALL) {
		call_fail(c, RPC_INTERNAL_ERROR, sentence);
		return;
	}
	rpc_write_tool_text(&w, sentence, true);
	call_answer(c, buf_span(&result));
	buf_free(&result);
}

void call_fail_not_found(struct call *c)
{
	bridge_put_not_found(&c->answer, c->id, c->uri, call_is_modern(c));
	call_end_with(c, CALL_EV_ANSWER, END_REFUSED, OUTCOME_KNOWN);
}
