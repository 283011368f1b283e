#include "cli/ask.h"

#include <assert.h>

#include "cli/terminal.h"
#include "cli/text.h"
#include "json/write.h"

#define ID SPAN("1")

struct ask {
	struct oneshot *o;
	struct buf *answer;
	enum end_reason why;
	bool ended;
};

/* ---- what the server tells ---- */

/* 3/10 reading the files */
static void show_progress(struct oneshot *o, const struct message *m)
{
	struct buf note = { 0 }, room = { 0 };
	struct span progress = json_member(m->params, "progress"), total = json_member(m->params, "total");

	if (json_type_of(progress) == JSON_NUMBER)
		buf_add(&note, progress);
	if (json_type_of(total) == JSON_NUMBER)
		buf_printf(&note, "/%.*s", SPAN_ARG(total));
	buf_printf(&note, " %.*s", SPAN_ARG(text_of_member(&room, m->params, "message")));
	spinner_note(&o->spinner, buf_span(&note));
	buf_free(&note);
	buf_free(&room);
}

/* On a terminal only: a script has no use for them. */
static void show_log(struct oneshot *o, const struct message *m)
{
	struct buf level = { 0 }, data = { 0 };

	if (terminal_is(o->cli->err)) {
		struct span name = text_of_member(&level, m->params, "level");
		struct span text = text_of_json(&data, json_member(m->params, "data"));
		oneshot_complain(o, "%.*s: %.*s", SPAN_ARG(name), SPAN_ARG(text));
	}
	buf_free(&level);
	buf_free(&data);
}

static void on_message(void *arg, const struct pieces *json)
{
	struct ask *ask = arg;
	struct oneshot *o = ask->o;
	struct buf text = { 0 };
	struct message m;
	struct message_fault fault;

	pieces_put(&text, json);
	if (message_parse(buf_span(&text), JSON_DEPTH_MAX, &m, &fault)) {
		if (m.method_id == METHOD_PROGRESS)
			show_progress(o, &m);
		else if (m.method_id == METHOD_MESSAGE)
			show_log(o, &m);
	}
	buf_free(&text);
}

static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct ask *ask = arg;

	ask->ended = true;
	ask->why = why;
	pieces_put(ask->answer, json);
	oneshot_wake(ask->o);
}

static const struct reply_port port = { .message = on_message, .ended = on_ended };

/* ---- what we say ---- */

/* The text stays the caller's: the message is made of spans into it. */
static struct message parse(const struct buf *text)
{
	struct message m;
	struct message_fault fault;
	bool ok = message_parse(buf_span(text), JSON_DEPTH_MAX, &m, &fault);

	assert(ok); /* we have written it, and its arguments were checked */
	return m;
}

static struct session *open_session(struct oneshot *o)
{
	struct buf text = { 0 }, answer = { 0 };

	buf_printf(&text,
	        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%.*s\","
	        "\"capabilities\":{},\"clientInfo\":{\"name\":\"sluice-%s\",\"version\":\"%s\"}}}",
	        SPAN_ARG(revision_name(REVISION_NEWEST_LEGACY)), o->command, SLUICE_VERSION);
	struct message m = parse(&text);
	enum end_reason why;
	struct session *session = gateway_initialize(o->app.gateway, SCOPE_ALL, &m, true, &answer, &why);
	assert(session != NULL);
	buf_free(&text);
	buf_free(&answer);
	return session;
}

static void put_request(struct buf *out, struct span tool, struct span arguments)
{
	struct json_writer w = json_writer(out);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_raw(&w, "id", ID);
	json_member_text(&w, "method", method_name(METHOD_TOOLS_CALL));
	json_key(&w, "params");
	json_open(&w, '{');
	json_member_text(&w, "name", tool);
	json_member_raw(&w, "arguments", arguments);
	json_key(&w, "_meta");
	json_open(&w, '{');
	json_member_raw(&w, "progressToken", ID);
	json_close(&w, '}');
	json_close(&w, '}');
	json_close(&w, '}');
}

static void cancel(struct oneshot *o, struct session *session)
{
	struct buf text = { 0 };

	buf_add(&text,
	        SPAN("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}"));
	struct message m = parse(&text);
	gateway_notify(o->app.gateway, session, &m);
	buf_free(&text);
}

enum end_reason ask_tool(struct oneshot *o, int scope, struct span tool, struct span arguments, struct buf *answer)
{
	struct ask ask = { .o = o, .answer = answer };
	struct session *session = open_session(o);
	struct buf text = { 0 };

	put_request(&text, tool, arguments);
	struct message m = parse(&text);
	struct refusal refusal = { &ask.why, answer };
	ask.ended = gateway_submit(o->app.gateway, session, scope, &m, &port, &ask, &refusal) == NULL;
	buf_free(&text);
	while (!ask.ended && oneshot_wait(o)) {
	}
	if (!ask.ended)
		cancel(o, session);
	while (!ask.ended)
		loop_run(o->app.loop);
	return ask.why;
}
