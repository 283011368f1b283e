#include "front/reply.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/event_stream.h"
#include "front/respond.h"

#define AWAY_LOOK_MS 5000 /* while the gateway drains a client is waited for so long; official ones need 3 s */
#define LEAVING_LOOK_MS 1000

struct part { /* one request */
	struct reply *reply;
	struct call *call; /* NULL: ended, or never made */
};

struct reply {
	struct gateway *gw;
	struct sched *sched;
	struct http_exchange *ex; /* NULL: the client is away and may come back */
	char *origin;             /* for CORS; NULL without one */
	bool streaming, batch;
	struct replay *replay;      /* where the stream will be kept; NULL: nowhere */
	uint64_t session;           /* by its nonce */
	bool primes;                /* the client knows what an event without data is */
	struct replay_stream *kept; /* NULL: it has no ids */
	unsigned due;               /* answers to come */
	struct buf collected;       /* of a batch: answers so far, each ended by a line feed */
	struct timer silence, away, leaving;
	unsigned count;
	struct part parts[];
};

static void reply_free(struct reply *r)
{
	timer_stop(r->sched, &r->silence);
	timer_stop(r->sched, &r->away);
	timer_stop(r->sched, &r->leaving);
	replay_drop(&r->kept);
	buf_free(&r->collected);
	free(r->origin);
	free(r);
}

/* ---- the stream ---- */

static void on_resume(void *arg, struct http_exchange *ex, const struct http_request *req, uint64_t seq);

static const struct replay_port replay_port = { .resume = on_resume };

/* One message; to be kept, or lost, when the client is away. */
static void send_event(struct reply *r, const struct pieces *json, bool last)
{
	struct span id = r->kept != NULL ? replay_put(r->kept, json, last) : SPAN_NONE;

	if (r->ex != NULL)
		event_stream_send_id(r->ex, id, json);
}

/* Answers of a batch that came before the stream began. */
static void send_collected(struct reply *r)
{
	struct span rest = buf_span(&r->collected), line;

	while (span_next(&rest, '\n', &line)) {
		struct pieces json = pieces_of(line);
		if (line.n > 0)
			send_event(r, &json, false);
	}
	buf_free(&r->collected);
}

static void on_silence(void *arg);

static void arm_silence(struct reply *r)
{
	timer_set_in(r->sched, &r->silence, EVENT_COMMENT_MS, on_silence, r);
}

static void become_stream(struct reply *r)
{
	if (r->streaming)
		return;
	r->streaming = true;
	if (r->replay != NULL && r->parts[0].call != NULL)
		r->kept = replay_open(r->replay, r->session, call_id(r->parts[0].call), &replay_port, r);
	event_stream_open(r->ex, span_of(r->origin));
	if (r->kept != NULL && r->primes)
		event_stream_prime(r->ex, replay_first_id(r->kept));
	send_collected(r);
}

static void on_silence(void *arg)
{
	struct reply *r = arg;

	become_stream(r);
	event_stream_comment(r->ex);
	arm_silence(r);
}

/* ---- answers ---- */

static void send_json(struct reply *r, const struct span *parts, unsigned n)
{
	struct headers h = { 0 };

	headers_add(&h, "Content-Type", SPAN(TYPE_JSON));
	headers_add_cors(&h, span_of(r->origin));
	exchange_reply_parts(r->ex, 200, h.at, h.n, parts, n);
}

static void send_array(struct reply *r)
{
	struct span text = buf_span(&r->collected);
	const struct span parts[] = { SPAN("["), span_cut(text, text.n - 1), SPAN("]") };

	for (char *at = r->collected.mem; at < span_end(text) - 1; at++)
		if (*at == '\n')
			*at = ',';
	send_json(r, parts, 3);
}

static void take_answer(struct reply *r, const struct pieces *json, bool last)
{
	if (r->streaming) {
		send_event(r, json, last);
	} else if (r->batch) {
		pieces_put_line(&r->collected, json);
		buf_add_char(&r->collected, '\n');
	} else {
		send_json(r, json->at, json->n);
	}
}

static void finish_if_done(struct reply *r)
{
	if (r->due > 0)
		return;
	if (r->streaming && r->ex != NULL)
		exchange_end(r->ex);
	else if (r->batch && !r->streaming)
		send_array(r);
	if (r->kept != NULL)
		replay_finish(&r->kept);
	reply_free(r);
}

static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct part *p = arg;
	struct reply *r = p->reply;

	(void)why;
	p->call = NULL;
	r->due--;
	take_answer(r, json, r->due == 0);
	finish_if_done(r);
}

static void on_message(void *arg, const struct pieces *json)
{
	struct reply *r = ((struct part *)arg)->reply;

	if (r->ex != NULL && event_stream_drops(r->ex, json)) {
		gateway_count_dropped(r->gw);
		return;
	}
	become_stream(r);
	send_event(r, json, false);
	if (r->ex != NULL)
		arm_silence(r);
}

const struct reply_port reply_port = { .message = on_message, .ended = on_ended };

/* ---- the client leaves, and may come back ---- */

static void give_up(struct reply *r)
{
	for (unsigned i = 0; i < r->count; i++)
		if (r->parts[i].call != NULL)
			gateway_client_gone(r->parts[i].call);
	reply_free(r);
}

/* A call may run on and be fetched later, but it does not hold up the end of the process for a client that stays away.
 */
static void on_away(void *arg)
{
	struct reply *r = arg;

	if (gateway_is_refusing(r->gw))
		give_up(r);
	else
		timer_set_in(r->sched, &r->away, AWAY_LOOK_MS, on_away, r);
}

static void on_client_gone(void *arg)
{
	struct reply *r = arg;

	r->ex = NULL;
	timer_stop(r->sched, &r->silence);
	timer_stop(r->sched, &r->leaving);
	if (r->kept != NULL && replay_has_ids(r->kept))
		timer_set_in(r->sched, &r->away, AWAY_LOOK_MS, on_away, r);
	else
		give_up(r);
}

/*
 * A client that has closed its half may be gone, or may still read. While the gateway drains that has to be known at
 * once: bytes for one that is gone come back as a reset. Nobody comes back to such a stream.
 */
static void on_leaving(void *arg)
{
	struct reply *r = arg;

	if (!gateway_is_refusing(r->gw)) {
		timer_set_in(r->sched, &r->leaving, LEAVING_LOOK_MS, on_leaving, r);
		return;
	}
	r->replay = NULL;
	become_stream(r);
	event_stream_comment(r->ex);
}

static void attach(struct reply *r, struct http_exchange *ex)
{
	r->ex = ex;
	exchange_on_gone(ex, on_client_gone, r);
	exchange_on_half_closed(ex, on_leaving, r);
	arm_silence(r);
}

/* The exchange is somebody else's again. */
static void let_go(struct reply *r)
{
	exchange_on_gone(r->ex, NULL, NULL);
	exchange_on_half_closed(r->ex, NULL, NULL);
}

static void send_again(void *arg, struct span id, const struct pieces *json)
{
	event_stream_send_id(arg, id, json);
}

/* The connection that it had, if any, is one that the client has given up. */
static void on_resume(void *arg, struct http_exchange *ex, const struct http_request *req, uint64_t seq)
{
	struct reply *r = arg;

	if (r->ex != NULL) {
		let_go(r);
		exchange_end(r->ex);
	}
	timer_stop(r->sched, &r->away);
	timer_stop(r->sched, &r->leaving);
	event_stream_open(ex, head_get(req->head, SPAN("origin")));
	attach(r, ex);
	if (!replay_each_after(r->kept, seq, send_again, ex))
		event_stream_comment(ex);
}

/* ---- making ---- */

struct reply *reply_new(struct gateway *gw, struct sched *sched, struct http_exchange *ex,
        const struct http_request *req, unsigned count, bool batch)
{
	struct reply *r = mem_zalloc(sizeof(*r) + count * sizeof(r->parts[0]));

	r->gw = gw;
	r->sched = sched;
	r->origin = span_dup(head_get(req->head, SPAN("origin")));
	r->count = count;
	r->batch = batch;
	for (unsigned i = 0; i < count; i++)
		r->parts[i].reply = r;
	attach(r, ex);
	return r;
}

void reply_keep(struct reply *r, struct replay *replay, const struct session *session)
{
	if (session == NULL || !span_is_set(session->token))
		return;
	r->replay = replay;
	r->session = session->nonce;
	r->primes = session->info.revision >= REVISION_2025_11_25;
}

void *reply_part(struct reply *r, unsigned i)
{
	return &r->parts[i];
}

void reply_expect(struct reply *r, unsigned i, struct call *call)
{
	r->parts[i].call = call;
	r->due++;
}

void reply_add(struct reply *r, struct span json)
{
	struct pieces whole = pieces_of(json);

	take_answer(r, &whole, false);
}

bool reply_submitted(struct reply **rp)
{
	struct reply *r = *rp;

	*rp = NULL;
	if (r->due > 0)
		return true;
	let_go(r);
	bool answered = buf_size(&r->collected) > 0;
	if (answered)
		send_array(r);
	reply_free(r);
	return answered;
}

void reply_cancel(struct reply **rp)
{
	struct reply *r = *rp;

	*rp = NULL;
	let_go(r);
	reply_free(r);
}
