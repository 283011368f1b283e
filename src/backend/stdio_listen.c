#include "backend/stdio_private.h"
#include "mcp/meta.h"

/*
 * News of a modern server: they come while it answers one subscriptions/listen, which asks for changes of its lists and
 * for news of the resources and tasks that somebody wants to hear of. When that changes, another one is sent, and the
 * old one taken back once the new one is acknowledged, so that nothing is missed between the two. A new process is
 * asked anew. That makes resources/subscribe, which a modern server does not know, a request that is answered here.
 */

#define RETRY_MS 1000 /* after the server has ended it */
#define RETRY_MOST_MS 30000

void stdio_said(void *arg, enum wanted_kind kind, struct span text, bool agreed)
{
	struct stdio *s = arg;

	s->base.events->agreed(s->base.arg, s->link->session, kind, text, agreed);
}

void stdio_listen(struct stdio *s)
{
	struct buf params = { 0 };

	if (wanted_put_listen(&params, &s->handshake.hello, !s->handshake.without_lists, &s->wanted))
		s->listen.id = stdio_request(s, METHOD_LISTEN, buf_span(&params));
	wanted_listening(&s->wanted, &s->handshake.hello, s->listen.id);
	if (!s->handshake.hello.subscribe)
		wanted_refuse(&s->wanted, WANTED_RESOURCE, stdio_said, s);
	if (!s->handshake.hello.tasks_extension)
		wanted_refuse(&s->wanted, WANTED_TASK, stdio_said, s);
	buf_free(&params);
}

static void end(struct stdio *s, uint64_t *id)
{
	if (*id != 0)
		stdio_cancel(s, *id, SPAN_NONE);
	*id = 0;
}

static void renew(void *arg)
{
	struct stdio *s = arg;

	if (s->life.state != LIFE_READY || !s->handshake.modern)
		return;
	timer_stop(loop_sched(s->loop), &s->listen.timer);
	if (s->listen.old != 0) {
		end(s, &s->listen.id); /* not acknowledged yet */
	} else {
		s->listen.old = s->listen.id;
		s->listen.id = 0;
	}
	stdio_listen(s);
	if (s->listen.id == 0)
		end(s, &s->listen.old);
}

void stdio_listen_renew_soon(struct stdio *s)
{
	post_set(loop_sched(s->loop), &s->listen.post, renew, s);
}

void stdio_listen_stop(struct stdio *s)
{
	timer_stop(loop_sched(s->loop), &s->listen.timer);
	post_cancel(&s->listen.post);
	s->listen = (struct stdio_listen){ .id = 0 };
}

static msec_t wait_ms(unsigned failures)
{
	msec_t wait = RETRY_MS;

	for (unsigned i = 1; i < failures && wait < RETRY_MOST_MS; i++)
		wait *= 2;
	return wait < RETRY_MOST_MS ? wait : RETRY_MOST_MS;
}

/* By its answer, or taken back. Who answers with an error has no such thing. */
static bool has_ended(struct stdio *s, uint64_t id, bool refused)
{
	if (id == 0 || (id != s->listen.id && id != s->listen.old))
		return false;
	if (id == s->listen.old) {
		s->listen.old = 0;
		return true;
	}
	s->listen.id = s->listen.old;
	s->listen.old = 0;
	if (refused)
		wanted_answered(&s->wanted, id, false, stdio_said, s);
	if (!refused && s->listen.id == 0 && s->life.state == LIFE_READY)
		timer_set_in(loop_sched(s->loop), &s->listen.timer, wait_ms(++s->listen.failures), renew, s);
	return true;
}

bool stdio_listen_answer(struct stdio *s, uint64_t id, const struct message *m)
{
	return has_ended(s, id, m->kind == MESSAGE_ERROR);
}

bool stdio_listen_taken_back(struct stdio *s, const struct message *m)
{
	int64_t id;

	return json_to_i64(m->request_id, &id) && id > 0 && has_ended(s, (uint64_t)id, false);
}

/* The id of the request, which some servers make a text of. */
static uint64_t subscription_of(const struct message *m)
{
	struct span id = meta_read(m->meta).subscription;
	int64_t n;

	if (json_type_of(id) == JSON_STRING)
		id = span_cut(span_skip(id, 1), id.n - 2);
	return json_to_i64(id, &n) && n > 0 ? (uint64_t)n : 0;
}

void stdio_listen_acknowledged(struct stdio *s, const struct message *m)
{
	if (s->listen.id == 0 || subscription_of(m) != s->listen.id)
		return;
	s->listen.failures = 0;
	end(s, &s->listen.old);
	wanted_acknowledged(&s->wanted, s->listen.id, m->params, stdio_said, s);
}

/* --- a client's own word of it --- */

bool stdio_answers_itself(const struct stdio *s, enum method method)
{
	return method == METHOD_RESOURCES_SUBSCRIBE && s->handshake.modern && s->handshake.hello.subscribe;
}

/* The listening begins when the gateway says what it wants, which it does with this answer. */
static void answer_aside(void *arg)
{
	struct stdio *s = arg;
	struct message_fault fault;
	struct message m;

	for (struct backend_call *call; (call = outbox_first_aside(&s->outbox)) != NULL;) {
		struct buf json = { 0 };
		buf_printf(&json, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}", (unsigned long long)call->id);
		call->modern = false;
		stdio_call_left(s, call, true);
		if (message_parse(buf_span(&json), JSON_DEPTH_MAX, &m, &fault))
			call->sink->ended(call, END_RESULT, OUTCOME_KNOWN, &m);
		buf_free(&json);
	}
}

void stdio_answer_aside_soon(struct stdio *s)
{
	post_set(loop_sched(s->loop), &s->aside_post, answer_aside, s);
}
