#include <assert.h>

#include "backend/era_request.h"
#include "backend/stdio_private.h"
#include "json/write.h"

#define OWN_BYTES_MAX (1 << 20) /* our own messages to a server that does not read */

static void write_lines(void *arg)
{
	struct stdio *s = arg;

	if (s->in == NULL || !stdio_is_talking(s)) /* posted before it was asked to stop */
		return;
	enum outbox_verdict verdict = outbox_write(&s->outbox, watch_fd(s->in));
	s->blocked = verdict == OUTBOX_BLOCKED;
	if (verdict == OUTBOX_BROKEN && stdio_ends_at_discover(s))
		return;
	if (verdict == OUTBOX_BROKEN) {
		watch_close(&s->in);
		standing_explain(&s->standing, "closed its stdin");
		s->pipe_broke = true;
		stdio_step(s, LIFE_EV_DEAF);
		return;
	}
	watch_set(s->in, s->blocked ? WATCH_WRITE : 0);
}

void stdio_on_writable(void *arg, unsigned events)
{
	struct stdio *s = arg;

	(void)events;
	if (stdio_is_talking(s))
		write_lines(s);
	else
		stdio_close_stdin(s);
}

void stdio_write_soon(struct stdio *s)
{
	if (!s->blocked)
		post_set(loop_sched(s->loop), &s->write_post, write_lines, s);
}

void stdio_send(struct stdio *s, struct span json)
{
	if (!stdio_is_talking(s))
		return;
	if (s->outbox.own_bytes > OWN_BYTES_MAX) {
		s->dropped++;
		return;
	}
	struct outgoing *line = outgoing_text(json);
	s->said += line->n;
	outbox_add(&s->outbox, line);
	stdio_write_soon(s);
}

/* In the modern revision a request of ours is as complete as one of a client. */
static void send_complete(struct stdio *s, struct span json)
{
	struct message_fault fault;
	struct message m;
	struct buf room = { 0 }, text = { 0 };
	bool is_message = message_parse(json, JSON_DEPTH_MAX, &m, &fault);

	assert(is_message);
	struct pieces pieces = request_to_modern(&room, &m, NULL, NULL, 0);
	pieces_put(&text, &pieces);
	stdio_send(s, buf_span(&text));
	buf_free(&text);
	buf_free(&room);
}

/* `id` 0: a notification */
static void send_message(struct stdio *s, uint64_t id, enum method method, struct span params)
{
	struct buf json = { 0 };
	struct json_writer w = json_writer(&json);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	if (id != 0)
		json_member_int(&w, "id", (int64_t)id);
	json_member_text(&w, "method", method_name(method));
	if (span_is_set(params))
		json_member_raw(&w, "params", params);
	json_close(&w, '}');
	if (id != 0 && s->handshake.modern)
		send_complete(s, buf_span(&json));
	else
		stdio_send(s, buf_span(&json));
	buf_free(&json);
}

uint64_t stdio_request(struct stdio *s, enum method method, struct span params)
{
	uint64_t id = pending_next_id(&s->pending);

	send_message(s, id, method, params);
	return id;
}

void stdio_tell_wanted(struct stdio *s, enum wanted_kind kind, struct span text, bool wanted)
{
	struct buf params = { 0 };
	struct json_writer w = json_writer(&params);

	if (kind != WANTED_RESOURCE)
		return;
	json_open(&w, '{');
	json_member_raw(&w, "uri", text);
	json_close(&w, '}');
	uint64_t id =
	        stdio_request(s, wanted ? METHOD_RESOURCES_SUBSCRIBE : METHOD_RESOURCES_UNSUBSCRIBE, buf_span(&params));
	if (wanted)
		wanted_asked(&s->wanted, kind, text, id);
	buf_free(&params);
}

void stdio_notify(struct stdio *s, enum method method, struct span params)
{
	send_message(s, 0, method, params);
}

void stdio_cancel(struct stdio *s, uint64_t id, struct span reason)
{
	struct buf params = { 0 };
	struct json_writer w = json_writer(&params);

	json_open(&w, '{');
	json_member_int(&w, "requestId", (int64_t)id);
	if (json_type_of(reason) == JSON_STRING)
		json_member_raw(&w, "reason", reason);
	json_close(&w, '}');
	stdio_notify(s, METHOD_CANCELLED, buf_span(&params));
	buf_free(&params);
}
