#include "backend/http_private.h"
#include "json/write.h"

#define TRIES_MAX 3   /* of a call that did not get there */
#define RESUMES_MAX 3 /* in a row that did not succeed */
#define RESUME_LEAST_MS 100
#define LINGER_MS 1000 /* for a stream to end by itself, when its answer has come */
#define UNWELL_MAX 3   /* answers in a row, from which on the server counts as down */

void http_end_call(struct http_trip *t, enum end_reason why, enum outcome outcome, const struct message *answer)
{
	struct backend_call *call = t->call;

	t->call = NULL;
	t->answered = true;
	call->trip = NULL;
	call->modern = t->modern;
	if (t->body == BODY_EVENTS && http_fetch_is_active(&t->fetch))
		http_fetch_extend(&t->fetch, LINGER_MS);
	http_call_left(t->b, call, answer != NULL);
	call->sink->ended(call, why, outcome, answer);
}

/* --- its state of health --- */

static bool is_up(const struct http_backend *b)
{
	return b->life.state == LIFE_READY && !b->healing;
}

static void out_of_reach(struct http_backend *b, const char *sentence)
{
	if (!is_up(b))
		return;
	standing_explain(&b->standing, "%s", sentence);
	log_info(&b->log, "backend_lost", "the server cannot be reached", F_STR("error", b->standing.why),
	        F_INT("in_flight", b->life.in_flight));
	http_step(b, LIFE_EV_EXIT);
}

static void count_unwell(struct http_backend *b)
{
	if (++b->unwell < UNWELL_MAX || !is_up(b))
		return;
	log_warn(&b->log, "backend_unwell", "the server has failed several times in a row and is given a rest",
	        F_STR("error", b->standing.why));
	http_step(b, LIFE_EV_EXIT);
}

/* --- calls --- */

/* The trip is over with the call. */
static void fail_call(struct http_trip *t, enum end_reason why, enum outcome outcome, const char *sentence, bool unwell)
{
	struct http_backend *b = t->b;

	if (t->status >= 300)
		standing_explain(&b->standing, "%s (HTTP %d)", sentence, t->status);
	else
		standing_explain(&b->standing, "%s", sentence);
	http_complain(b, "backend_call_failed", "a call got no answer from the server", b->standing.why,
	        buf_span(&t->excerpt));
	http_end_call(t, why, outcome, NULL);
	http_trip_end(t);
	if (unwell)
		count_unwell(b);
}

static void make_fresh(struct http_trip *t)
{
	sse_reader_clear(&t->sse);
	json_texts_clear(&t->texts);
	buf_free(&t->excerpt);
	t->resuming = false;
}

/* Nothing of it was taken: it waits for the server to be there again. */
static void wait_again(struct http_trip *t, const char *sentence)
{
	struct http_backend *b = t->b;

	if (life_refuses(&b->life) || ++t->tries > TRIES_MAX) {
		fail_call(t, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT, sentence, false);
		out_of_reach(b, sentence);
		return;
	}
	make_fresh(t);
	http_trip_hold(t);
	out_of_reach(b, sentence);
}

/* B5: it was refused because of the session, and so it was not looked at. */
static void wait_for_session(struct http_trip *t)
{
	struct http_backend *b = t->b;
	bool is_old = t->session != b->session.serial;

	if (t->tries++ > 0 && !is_old) {
		fail_call(t, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT, "loses our session again and again", true);
		return;
	}
	make_fresh(t);
	http_trip_hold(t);
	if (!is_old)
		http_session_lost(b);
	else if (is_up(b))
		http_release(b);
}

/* Not every server says 404; those made after the SDK's examples say 400, and that it is about the session. */
static bool is_session_lost(const struct http_trip *t)
{
	const struct http_backend *b = t->b;
	struct span text = buf_span(&t->excerpt);

	if (t->modern || b->way == HTTP_WAY_SSE || (t->session == b->session.serial && buf_size(&b->session.id) == 0))
		return false;
	if (t->status == 404)
		return true;
	for (size_t i = 0; t->status == 400 && i + 7 <= text.n; i++)
		if (span_eq_nocase((struct span){ text.p + i, 7 }, SPAN("session")))
			return true;
	return false;
}

/* A refusal that says why, though not to whom: the error is the call's. */
static bool tell_refusal(struct http_trip *t)
{
	struct buf json = { 0 };
	struct message_fault fault;
	struct message m;

	if (!message_parse(buf_span(&t->excerpt), t->b->base.conf->max_depth, &m, &fault) || m.kind != MESSAGE_ERROR)
		return false;
	struct json_writer w = json_writer(&json);
	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_int(&w, "id", (int64_t)t->id);
	json_member_raw(&w, "error", m.error);
	json_close(&w, '}');
	bool is_message = message_parse(buf_span(&json), t->b->base.conf->max_depth, &m, &fault);
	if (is_message)
		http_end_call(t, END_SERVER_ERROR, OUTCOME_KNOWN, &m);
	buf_free(&json);
	if (is_message)
		http_trip_end(t);
	return is_message;
}

/* A modern server knows what it is asked, and says whose error it is; this one has become another kind of server. */
static bool has_changed(const struct http_trip *t)
{
	return t->modern && t->tries == 0 && t->b->base.conf->http_type != HTTP_TYPE_SSE &&
	       (t->status == 400 || t->status == 404 || t->status == 405);
}

static void find_out_again(struct http_trip *t)
{
	t->b->site->way = HTTP_WAY_UNKNOWN;
	wait_again(t, "has become another kind of server");
}

static void call_refused(struct http_trip *t)
{
	const struct http_verdict *v = http_verdict(t->status);

	if (has_changed(t)) {
		find_out_again(t);
		return;
	}
	if (is_session_lost(t)) {
		wait_for_session(t);
		return;
	}
	if (t->status >= 400 && v->why == END_BAD_ANSWER && tell_refusal(t))
		return;
	fail_call(t, v->why, v->outcome, v->sentence, v->unwell);
}

/* --- streams that break off --- */

static void resume(void *arg)
{
	http_trip_start(arg);
}

static bool may_resume(const struct http_trip *t)
{
	return !t->modern && t->b->way == HTTP_WAY_LEGACY && is_up(t->b) && buf_size(&t->sse.id) > 0 &&
	       t->session == t->b->session.serial && t->tries < RESUMES_MAX;
}

/* Goes on where the stream broke off, after the time that the server wants. */
static void resume_later(struct http_trip *t)
{
	struct buf id = t->sse.id;
	msec_t wait = t->sse.retry_ms > 0 ? (msec_t)t->sse.retry_ms : HTTP_RETRY_MS;

	buf_reset(&t->resumed_at);
	buf_add(&t->resumed_at, buf_span(&id));
	t->sse.id = (struct buf){ 0 };
	make_fresh(t);
	t->sse.id = id;
	t->sse.retry_ms = (uint64_t)wait;
	t->resuming = true;
	t->tries++;
	timer_set_in(loop_sched(t->b->loop), &t->timer, wait < RESUME_LEAST_MS ? RESUME_LEAST_MS : wait, resume, t);
}

/* A server may hang up as often as it likes, to be asked again (2025-11-25), as long as that leads somewhere. */
static bool came_further(const struct http_trip *t)
{
	return t->resuming && t->status / 100 == 2 && !span_eq(buf_span(&t->sse.id), buf_span(&t->resumed_at));
}

static void stream_broke(struct http_trip *t, const char *sentence)
{
	if (came_further(t))
		t->tries = 0;
	if (may_resume(t))
		resume_later(t);
	else
		fail_call(t, END_BACKEND_EXITED, OUTCOME_UNKNOWN, sentence, false);
}

static void wait_for_tools(struct http_trip *t)
{
	struct http_backend *b = t->b;

	t->tries++;
	make_fresh(t);
	http_trip_hold(t);
	http_relist(b);
}

static void call_done(struct http_trip *t)
{
	if (t->mismatch && t->tries == 0) {
		wait_for_tools(t);
		return;
	}
	if (t->resuming && t->status / 100 != 2) {
		stream_broke(t, "does not go on with a stream that broke off");
		return;
	}
	if (t->body == BODY_EVENTS) {
		stream_broke(t, "ended its stream without an answer");
		return;
	}
	if (t->status / 100 == 2 && t->b->way == HTTP_WAY_SSE)
		return; /* the answer comes on the stream */
	if (t->status / 100 == 2 && json_texts_is_open(&t->texts))
		fail_call(t, END_BAD_ANSWER, OUTCOME_UNKNOWN, "ended its answer in the middle", false);
	else if (t->status / 100 == 2 && t->body == BODY_OTHER && buf_size(&t->excerpt) > 0)
		fail_call(
		        t, END_BAD_ANSWER, OUTCOME_UNKNOWN, "answered with something else than JSON or events", false);
	else
		call_refused(t);
}

static void call_ended(struct http_trip *t, enum fetch_end why, bool sent, const char *sentence)
{
	if (why != FETCH_DONE && why != FETCH_OVERLOADED && why != FETCH_INVALID && !sent) {
		wait_again(t, sentence);
		return;
	}
	switch (why) {
	case FETCH_DONE:
		call_done(t);
		return;
	case FETCH_INVALID:
		fail_call(t, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT, sentence, false);
		return;
	case FETCH_OVERLOADED:
		fail_call(t, END_OVERLOADED, OUTCOME_NOT_SENT, sentence, false);
		return;
	case FETCH_TIMEOUT:
		fail_call(t, END_BACKEND_TIMEOUT, OUTCOME_UNKNOWN, sentence, true);
		return;
	case FETCH_BAD_ANSWER:
		fail_call(t, END_BAD_ANSWER, OUTCOME_UNKNOWN, sentence, false);
		return;
	default:
		stream_broke(t, sentence);
	}
}

/* --- all others --- */

/* A sentence about the end of a trip that had no answer. */
static const char *reason(const struct http_trip *t, enum fetch_end why, const char *sentence)
{
	return why == FETCH_DONE ? http_verdict(t->status)->sentence : sentence;
}

static void note_ended(struct http_trip *t, enum fetch_end why)
{
	struct http_backend *b = t->b;
	bool was_gate = b->gate == t;
	bool lost = why == FETCH_DONE && t->session == b->session.serial && is_session_lost(t);

	http_trip_end(t);
	if (was_gate)
		http_gate_opens(b);
	if (lost)
		http_session_lost(b);
}

static void own_ended(struct http_trip *t, enum fetch_end why, const char *sentence)
{
	struct http_backend *b = t->b;
	bool waits = !t->answered && why == FETCH_DONE && t->status / 100 == 2 && b->way == HTTP_WAY_SSE;
	bool lost = !t->answered && why == FETCH_DONE && t->session == b->session.serial && is_session_lost(t);

	if (waits)
		return;
	if (!t->answered)
		http_own_failed(t, why, reason(t, why, sentence));
	http_trip_end(t);
	if (lost)
		http_session_lost(b);
}

static void role_ended(struct http_trip *t, enum fetch_end why, bool sent, const char *sentence)
{
	switch (t->role) {
	case TRIP_CALL:
		if (t->call != NULL)
			call_ended(t, why, sent, sentence);
		else
			http_trip_end(t);
		return;
	case TRIP_OWN:
		own_ended(t, why, sentence);
		return;
	case TRIP_NOTE:
		note_ended(t, why);
		return;
	case TRIP_NEWS:
		http_news_over(t, why);
		return;
	case TRIP_SSE:
		legacy_sse_over(t, reason(t, why, sentence));
		return;
	case TRIP_BYE:
		http_trip_end(t);
		http_bye_is_over(t->b);
		return;
	}
}

void http_trip_ended(struct http_trip *t, enum fetch_end why, bool sent, const char *sentence)
{
	struct http_backend *b = t->b;

	if (t->over)
		return;
	role_ended(t, why, sent, sentence);
	http_close_on(b);
}
