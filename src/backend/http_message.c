#include "backend/http_private.h"

#define SHOWN_BYTES 200
#define CHANGED_EVERY_MS 200 /* lists are asked for anew at most so often */

static void drop(struct http_backend *b, const char *why)
{
	b->dropped++;
	log_debug(&b->log, "backend_message_dropped", why);
}

void http_complain(struct http_backend *b, const char *event, const char *msg, const char *fault, struct span text)
{
	if (!rate_allows(&b->complaints, http_now(b)))
		return;
	log_warn(&b->log, event, msg, F_STR("fault", fault), F_SPAN("text", span_cut(text, SHOWN_BYTES)),
	        F_INT("more", rate_take_suppressed(&b->complaints)));
}

/* --- answers --- */

static struct http_trip *find_trip(const struct http_backend *b, uint64_t id)
{
	struct backend_call *call = pending_find(&b->pending, id);

	if (call != NULL)
		return call->trip != NULL && !call->trip->held ? call->trip : NULL;
	list_each (node, &b->trips) {
		struct http_trip *t = list_entry(node, struct http_trip, node);
		if (t->id == id && !t->answered)
			return t;
	}
	return NULL;
}

static void deliver(struct http_trip *t, const struct message *m)
{
	t->b->unwell = 0;
	switch (t->role) {
	case TRIP_CALL:
		if (t->call != NULL)
			http_end_call(t, m->kind == MESSAGE_RESULT ? END_RESULT : END_SERVER_ERROR, OUTCOME_KNOWN, m);
		break;
	case TRIP_OWN:
		t->answered = true;
		http_own_answered(t, m);
		break;
	default:
		t->answered = true;
		break;
	}
}

/* The body of a refusal: what it says counts when it says whose it is; the status of a lost session counts anyway. */
static bool is_for_the_end(const struct http_trip *t, bool ours)
{
	bool lost = t->status == 404 && !t->modern && buf_size(&t->b->session.id) > 0;

	return t->status >= 400 && (lost || !ours);
}

/* Once, and only by who has the list. */
static bool is_mismatch(const struct http_trip *t, const struct message *m)
{
	int64_t code;

	return t->modern && t->call != NULL && t->method == METHOD_TOOLS_CALL && !t->mismatch && t->tries == 0 &&
	       !t->b->handshake.without_lists && m->kind == MESSAGE_ERROR &&
	       json_to_i64(json_member(m->error, "code"), &code) && code == RPC_HEADER_MISMATCH;
}

static void on_answer(struct http_trip *from, const struct message *m)
{
	int64_t id = 0;
	bool readable = json_to_i64(m->id, &id) && id > 0;
	bool ours = readable && (uint64_t)id == from->id && !from->answered;
	struct http_trip *t = ours ? from : NULL;

	from->mismatch = from->mismatch || (ours && is_mismatch(from, m));
	if (is_for_the_end(from, ours) || (ours && from->mismatch && from->tries == 0)) {
		buf_reset(&from->excerpt);
		buf_add(&from->excerpt, span_cut(m->text, HTTP_EXCERPT_MAX));
		return;
	}
	if (t == NULL && readable)
		t = find_trip(from->b, (uint64_t)id);
	if (t == NULL) {
		drop(from->b, "an answer that nobody waits for");
		return;
	}
	deliver(t, m);
	if (t != from && !http_fetch_is_active(&t->fetch))
		http_trip_end(t);
}

/* --- notifications --- */

static void on_progress(struct http_backend *b, const struct message *m)
{
	int64_t id;
	struct backend_call *call =
	        json_to_i64(m->token, &id) && id > 0 ? pending_find(&b->pending, (uint64_t)id) : NULL;

	if (call != NULL && call->wants_progress)
		call->sink->progress(call, m);
	else if (call == NULL) /* of a task that has begun with an answer, perhaps */
		b->base.events->notification(b->base.arg, b->link, m);
	else
		drop(b, "progress of a call that wants none");
}

static void ask_for_changed(void *arg)
{
	struct http_backend *b = arg;
	unsigned changed = b->changed;

	b->changed = 0;
	b->asked_at = http_now(b);
	for (int kind = 0; kind < LIST_KINDS; kind++)
		if (changed & 1u << kind)
			handshake_changed(&b->handshake, (enum list_kind)kind, b->asked_at);
}

static void on_list_changed(struct http_backend *b, enum method method)
{
	mono_t at = mono_max(http_now(b), mono_add(b->asked_at, CHANGED_EVERY_MS));

	for (int kind = 0; kind < LIST_KINDS; kind++)
		if (list_changed_method((enum list_kind)kind) == method)
			b->changed |= 1u << kind;
	if (!timer_is_set(&b->changed_timer))
		timer_set(loop_sched(b->loop), &b->changed_timer, at, ask_for_changed, b);
}

/* A log message on a call's own stream belongs to that call; on any other, to who can be meant. */
static void on_log_message(struct http_trip *t, const struct message *m)
{
	struct http_backend *b = t->b;

	if (t->call != NULL && t->call->sink->notification != NULL)
		t->call->sink->notification(t->call, m);
	else
		b->base.events->notification(b->base.arg, b->link, m);
}

static void on_notification(struct http_trip *t, const struct message *m)
{
	struct http_backend *b = t->b;

	switch (m->method_id) {
	case METHOD_PROGRESS:
		on_progress(b, m);
		return;
	case METHOD_TOOLS_CHANGED:
	case METHOD_RESOURCES_CHANGED:
	case METHOD_PROMPTS_CHANGED:
		on_list_changed(b, m->method_id);
		return;
	case METHOD_MESSAGE:
		on_log_message(t, m);
		return;
	case METHOD_RESOURCE_UPDATED:
	case METHOD_ELICITATION_COMPLETE:
	case METHOD_TASK_STATUS:
	case METHOD_TASK_NEWS:
		b->base.events->notification(b->base.arg, b->link, m);
		return;
	case METHOD_CANCELLED:
		http_ask_taken_back(b, m);
		return;
	case METHOD_ACKNOWLEDGED:
		http_news_acknowledged(t, m);
		return;
	default:
		drop(b, "a notification that nobody wants");
	}
}

static void on_message(struct http_trip *t, const struct message *m)
{
	switch (m->kind) {
	case MESSAGE_RESULT:
	case MESSAGE_ERROR:
		on_answer(t, m);
		return;
	case MESSAGE_REQUEST:
		http_ask_came(t, m);
		return;
	case MESSAGE_NOTIFICATION:
		on_notification(t, m);
		return;
	}
}

/* --- texts --- */

static bool is_batch(const struct http_trip *t, struct span text)
{
	const struct http_backend *b = t->b;

	return !t->modern && text.n > 0 && text.p[0] == '[' && revision_has_batches(b->session.revision) &&
	       json_scan(text, b->base.conf->max_depth, NULL, NULL, &(struct json_fault){ 0 });
}

/* What is no message ends the call whose stream it is on; a refusal may well have another body. */
static void on_bad_text(struct http_trip *t, struct span text, const char *fault)
{
	if (t->status >= 400) {
		buf_reset(&t->excerpt);
		buf_add(&t->excerpt, span_cut(text, HTTP_EXCERPT_MAX));
		return;
	}
	t->b->dropped++;
	http_complain(t->b, "backend_bad_answer", "the server sent something that is not a message", fault, text);
	if (t->call != NULL)
		http_end_call(t, END_BAD_ANSWER, OUTCOME_UNKNOWN, NULL);
}

static void on_single(struct http_trip *t, struct span text)
{
	struct message_fault fault;
	struct message m;

	if (message_parse(text, t->b->base.conf->max_depth, &m, &fault))
		on_message(t, &m);
	else
		on_bad_text(t, text, fault.sentence);
}

void http_on_text(struct http_trip *t, struct span text)
{
	struct span item;

	if (!is_batch(t, text)) {
		on_single(t, text);
		return;
	}
	struct json_walk w = json_walk(text);
	while (!t->over && json_next(&w, NULL, &item))
		on_single(t, item);
}

bool http_on_whole(struct http_trip *t, struct span body)
{
	struct message_fault fault;
	struct message m;

	if (!message_parse(body, t->b->base.conf->max_depth, &m, &fault))
		return false;
	on_message(t, &m);
	return true;
}
