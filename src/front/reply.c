#include "front/reply.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/event_stream.h"
#include "front/respond.h"

struct part { /* one request */
	struct reply *reply;
	struct call *call; /* NULL: ended, or never made */
};

struct reply {
	struct gateway *gw;
	struct sched *sched;
	struct http_exchange *ex;
	char *origin; /* for CORS; NULL without one */
	bool streaming, batch;
	unsigned due;         /* answers to come */
	struct buf collected; /* of a batch: answers so far, each ended by a line feed */
	struct timer silence;
	unsigned count;
	struct part parts[];
};

static void reply_free(struct reply *r)
{
	timer_stop(r->sched, &r->silence);
	buf_free(&r->collected);
	free(r->origin);
	free(r);
}

/* Answers of a batch that came before the stream began. */
static void send_collected(struct reply *r)
{
	struct span rest = buf_span(&r->collected), line;

	while (span_next(&rest, '\n', &line)) {
		struct pieces json = pieces_of(line);
		if (line.n > 0)
			event_stream_send(r->ex, &json);
	}
	buf_free(&r->collected);
}

static void become_stream(struct reply *r)
{
	if (r->streaming)
		return;
	r->streaming = true;
	event_stream_open(r->ex, span_of(r->origin));
	send_collected(r);
}

static void on_silence(void *arg)
{
	struct reply *r = arg;

	become_stream(r);
	event_stream_comment(r->ex);
	timer_set_in(r->sched, &r->silence, EVENT_COMMENT_MS, on_silence, r);
}

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

static void take_answer(struct reply *r, const struct pieces *json)
{
	if (r->streaming) {
		event_stream_send(r->ex, json);
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
	if (r->streaming)
		exchange_end(r->ex);
	else if (r->batch)
		send_array(r);
	reply_free(r);
}

static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	struct part *p = arg;
	struct reply *r = p->reply;

	(void)why;
	p->call = NULL;
	r->due--;
	take_answer(r, json);
	finish_if_done(r);
}

static void on_message(void *arg, const struct pieces *json)
{
	struct reply *r = ((struct part *)arg)->reply;

	if (event_stream_is_slow(r->ex)) {
		gateway_count_dropped(r->gw);
		return;
	}
	become_stream(r);
	event_stream_send(r->ex, json);
	timer_set_in(r->sched, &r->silence, EVENT_COMMENT_MS, on_silence, r);
}

const struct reply_port reply_port = { .message = on_message, .ended = on_ended };

static void on_client_gone(void *arg)
{
	struct reply *r = arg;

	for (unsigned i = 0; i < r->count; i++)
		if (r->parts[i].call != NULL)
			gateway_client_gone(r->parts[i].call);
	reply_free(r);
}

struct reply *reply_new(struct gateway *gw, struct sched *sched, struct http_exchange *ex,
        const struct http_request *req, unsigned count, bool batch)
{
	struct reply *r = mem_zalloc(sizeof(*r) + count * sizeof(r->parts[0]));

	r->gw = gw;
	r->sched = sched;
	r->ex = ex;
	r->origin = span_dup(head_get(req->head, SPAN("origin")));
	r->count = count;
	r->batch = batch;
	for (unsigned i = 0; i < count; i++)
		r->parts[i].reply = r;
	exchange_on_gone(ex, on_client_gone, r);
	timer_set_in(sched, &r->silence, EVENT_COMMENT_MS, on_silence, r);
	return r;
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

	take_answer(r, &whole);
}

bool reply_submitted(struct reply **rp)
{
	struct reply *r = *rp;

	*rp = NULL;
	if (r->due > 0)
		return true;
	exchange_on_gone(r->ex, NULL, NULL);
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
	exchange_on_gone(r->ex, NULL, NULL);
	reply_free(r);
}
