#include "backend/http_private.h"
#include "json/write.h"

/*
 * News of resources and tasks that somebody wants to hear of. A legacy server is told by resources/subscribe, in each
 * of its sessions anew; a modern one by what subscriptions/listen asks for, so that nothing needs a word of its own.
 */

bool http_wants_by_listening(const struct http_backend *b, enum wanted_kind kind)
{
	const struct backend_hello *hello = &b->handshake.hello;

	return b->way == HTTP_WAY_MODERN && (kind == WANTED_TASK ? hello->tasks_extension : hello->subscribe);
}

void http_said(void *arg, enum wanted_kind kind, struct span text, bool agreed)
{
	struct http_backend *b = arg;

	b->base.events->agreed(b->base.arg, b->link->session, kind, text, agreed);
}

static bool has_session(const struct http_backend *b)
{
	return b->way != HTTP_WAY_MODERN || b->second_is_up;
}

static void tell(struct http_backend *b, struct span uri, bool wanted)
{
	struct buf params = { 0 };
	struct json_writer w = json_writer(&params);

	json_open(&w, '{');
	json_member_raw(&w, "uri", uri);
	json_close(&w, '}');
	uint64_t id = http_request(
	        b, wanted ? METHOD_RESOURCES_SUBSCRIBE : METHOD_RESOURCES_UNSUBSCRIBE, buf_span(&params), false);
	if (wanted)
		wanted_asked(&b->wanted, WANTED_RESOURCE, uri, id);
	buf_free(&params);
}

void http_tell_wanted(struct http_backend *b)
{
	bool by_session = !http_wants_by_listening(b, WANTED_RESOURCE) && has_session(b);

	wanted_each(thing, &b->wanted) if (thing->kind == WANTED_RESOURCE && by_session)
	        tell(b, wanted_text(thing), true);
	if (b->way != HTTP_WAY_MODERN)
		wanted_refuse(&b->wanted, WANTED_TASK, http_said, b);
}

static void renew(void *arg)
{
	struct http_backend *b = arg;

	if (b->life.state == LIFE_READY && b->way == HTTP_WAY_MODERN)
		http_news_renew(b);
}

void http_want_updates(struct http_backend *b, enum wanted_kind kind, struct span text, bool wanted, bool say)
{
	if (!wanted_set(&b->wanted, kind, text, wanted) && wanted)
		return;
	b->life.held = wanted_any(&b->wanted);
	if (b->life.state != LIFE_READY) {
		if (wanted)
			http_step(b, LIFE_EV_WANT);
		return;
	}
	if (http_wants_by_listening(b, kind))
		post_set(loop_sched(b->loop), &b->renew_post, renew, b);
	else if (kind == WANTED_RESOURCE && say && has_session(b) && !b->healing)
		tell(b, text, wanted);
	http_arm(b, life_idle_at(&b->life));
}

/* --- a client's own word of it, which a modern server does not know --- */

bool http_answers_itself(const struct http_backend *b, const struct http_trip *t)
{
	return t->method == METHOD_RESOURCES_SUBSCRIBE && http_wants_by_listening(b, WANTED_RESOURCE);
}

static void answer_now(void *arg)
{
	struct http_trip *t = arg;
	struct buf json = { 0 };
	struct message_fault fault;
	struct message m;

	buf_printf(&json, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}", (unsigned long long)t->id);
	t->modern = false;
	if (t->call != NULL && message_parse(buf_span(&json), 8, &m, &fault))
		http_end_call(t, END_RESULT, OUTCOME_KNOWN, &m);
	buf_free(&json);
	http_trip_end(t);
}

/* The listening begins when the gateway says what it wants, which it does with this answer. */
void http_answer_itself(struct http_trip *t)
{
	list_append(&t->b->trips, &t->node);
	timer_set_in(loop_sched(t->b->loop), &t->timer, 0, answer_now, t);
}
