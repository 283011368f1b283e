#include "backend/http_private.h"

/* --- the head --- */

static struct span media_type(const struct response_head *head)
{
	struct span value = response_get(head, SPAN("Content-Type"));

	return span_trim(span_cut(value, span_find(value, ';')));
}

static enum trip_body kind_of(const struct response_head *head)
{
	struct span type = media_type(head);

	if (span_eq_nocase(type, SPAN("application/json")))
		return BODY_JSON;
	if (span_eq_nocase(type, SPAN("text/event-stream")) && head->status / 100 == 2)
		return BODY_EVENTS;
	return BODY_OTHER;
}

static void on_head(void *arg, const struct response_head *head)
{
	struct http_trip *t = arg;

	t->status = head->status;
	t->body = kind_of(head);
	t->whole = head->has_length;
	t->length = head->content_length;
	if (head->status / 100 == 2 && t->method == METHOD_INITIALIZE)
		http_session_got(t->b, response_get(head, SPAN("Mcp-Session-Id")));
	if (t->role == TRIP_NEWS)
		http_news_head(t);
}

/* --- the body --- */

static void too_large(struct http_trip *t)
{
	struct http_backend *b = t->b;

	http_complain(b, "backend_large_answer", "the server sent a message that is larger than the limit", "too large",
	        SPAN(""));
	http_fetch_cancel(&t->fetch);
	if (t->call != NULL)
		http_end_call(t, END_MESSAGE_TOO_LARGE, OUTCOME_UNKNOWN, NULL);
	http_trip_ended(t, FETCH_BAD_ANSWER, true, "sent a message that is larger than the limit");
}

static void keep_excerpt(struct http_trip *t, struct span bytes)
{
	size_t room = HTTP_EXCERPT_MAX - buf_size(&t->excerpt);

	buf_add(&t->excerpt, span_cut(bytes, room));
}

/* For a body that is not what its Content-Type says, or breaks off: the trip's end tells. */
static void not_json(struct http_trip *t, struct span bytes)
{
	keep_excerpt(t, bytes);
	t->body = BODY_OTHER;
}

static void feed_texts(struct http_trip *t, struct span bytes)
{
	size_t max = t->b->base.conf->max_message_bytes;
	struct span text;

	while (!t->over) {
		switch (json_texts_next(&t->texts, &bytes, max, &text)) {
		case JSON_TEXTS_MORE:
			return;
		case JSON_TEXTS_TEXT:
			http_on_text(t, text);
			continue;
		case JSON_TEXTS_TOO_LARGE:
			too_large(t);
			return;
		case JSON_TEXTS_GARBAGE:
			not_json(t, bytes);
			return;
		}
	}
}

/* Nearly always the whole body comes in one piece, and is one text: it need not be looked through for its end. */
static void on_json(struct http_trip *t, struct span bytes)
{
	bool first = buf_size(&t->texts.text) == 0 && !json_texts_is_open(&t->texts);

	if (t->whole && t->length == bytes.n && first && bytes.n <= t->b->base.conf->max_message_bytes &&
	        http_on_whole(t, bytes))
		return;
	feed_texts(t, bytes);
}

static void on_event(struct http_trip *t, const struct sse_event *event)
{
	if (t->role == TRIP_SSE)
		legacy_sse_event(t, event);
	else if (event->data.n > 0 && span_eq(event->type, SPAN("message")))
		http_on_text(t, event->data);
}

static void on_events(struct http_trip *t, struct span bytes)
{
	size_t max = t->b->base.conf->max_message_bytes;
	struct sse_event event;
	enum sse_verdict verdict;

	while (!t->over && (verdict = sse_next(&t->sse, &bytes, max, &event)) != SSE_MORE) {
		if (verdict == SSE_TOO_LARGE) {
			too_large(t);
			return;
		}
		on_event(t, &event);
	}
}

static void on_body(void *arg, struct span bytes)
{
	struct http_trip *t = arg;

	switch (t->body) {
	case BODY_JSON:
		on_json(t, bytes);
		return;
	case BODY_EVENTS:
		on_events(t, bytes);
		return;
	case BODY_NONE:
	case BODY_OTHER:
		keep_excerpt(t, bytes);
		return;
	}
}

static void on_ended(void *arg, enum fetch_end why, bool sent, const char *sentence)
{
	http_trip_ended(arg, why, sent, sentence);
}

const struct http_fetch_events http_trip_events = { .head = on_head, .body = on_body, .ended = on_ended };
