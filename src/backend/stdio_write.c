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
	if (verdict == OUTBOX_BROKEN) {
		watch_close(&s->in);
		stdio_explain(s, "closed its stdin");
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
	outbox_add(&s->outbox, outgoing_text(json));
	stdio_write_soon(s);
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
	stdio_send(s, buf_span(&json));
	buf_free(&json);
}

uint64_t stdio_request(struct stdio *s, enum method method, struct span params)
{
	uint64_t id = pending_next_id(&s->pending);

	send_message(s, id, method, params);
	return id;
}

void stdio_tell_wanted(struct stdio *s, enum method method, struct span uri)
{
	struct buf params = { 0 };
	struct json_writer w = json_writer(&params);

	json_open(&w, '{');
	json_member_raw(&w, "uri", uri);
	json_close(&w, '}');
	stdio_request(s, method, buf_span(&params));
	buf_free(&params);
}

void stdio_notify(struct stdio *s, enum method method, struct span params)
{
	send_message(s, 0, method, params);
}
