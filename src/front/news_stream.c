#include "front/news_stream.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/event_stream.h"

struct news_stream {
	struct gateway *gw;
	struct sched *sched;
	struct http_exchange *ex; /* NULL: the client is away and may come back */
	struct push push;
	struct replay_stream *kept; /* NULL: its events have no ids */
	msec_t kept_ms;             /* for a client that is away */
	struct timer silence, away;
};

static void stream_free(struct news_stream *s)
{
	gateway_push_close(&s->push);
	timer_stop(s->sched, &s->silence);
	timer_stop(s->sched, &s->away);
	replay_drop(&s->kept);
	free(s);
}

static void on_silence(void *arg)
{
	struct news_stream *s = arg;

	event_stream_comment(s->ex);
	timer_set_in(s->sched, &s->silence, EVENT_COMMENT_MS, on_silence, s);
}

/* ---- what the gateway brings ---- */

static void on_push(void *arg, const struct pieces *json)
{
	struct news_stream *s = arg;

	if (s->ex != NULL && event_stream_drops(s->ex, json)) {
		gateway_count_dropped(s->gw);
		return;
	}
	struct span id = s->kept != NULL ? replay_put(s->kept, json, false) : SPAN_NONE;
	if (s->ex != NULL)
		event_stream_send_id(s->ex, id, json);
}

/* The official clients open a stream that ended again after `retry`, and give up after two failures. */
static void on_push_end(void *arg)
{
	struct news_stream *s = arg;

	if (s->ex != NULL) {
		exchange_send(s->ex, &SPAN("retry: " EVENT_RETRY "\n\n"), 1);
		exchange_end(s->ex);
	}
	stream_free(s);
}

static const struct push_port push_port = { .message = on_push, .end = on_push_end };

/* ---- the client leaves, and may come back ---- */

static void on_away(void *arg)
{
	stream_free(arg);
}

static void on_client_gone(void *arg)
{
	struct news_stream *s = arg;

	s->ex = NULL;
	timer_stop(s->sched, &s->silence);
	if (s->kept != NULL && replay_has_ids(s->kept))
		timer_set_in(s->sched, &s->away, s->kept_ms, on_away, s);
	else
		stream_free(s);
}

static void attach(struct news_stream *s, struct http_exchange *ex, const struct http_request *req)
{
	s->ex = ex;
	event_stream_open(ex, head_get(req->head, SPAN("origin")));
	exchange_forever(ex);
	exchange_on_gone(ex, on_client_gone, s);
	event_stream_comment(ex);
	timer_set_in(s->sched, &s->silence, EVENT_COMMENT_MS, on_silence, s);
}

static void send_again(void *arg, struct span id, const struct pieces *json)
{
	event_stream_send_id(arg, id, json);
}

static void on_resume(void *arg, struct http_exchange *ex, const struct http_request *req, uint64_t seq)
{
	struct news_stream *s = arg;

	if (s->ex != NULL) {
		exchange_on_gone(s->ex, NULL, NULL);
		exchange_end(s->ex);
	}
	timer_stop(s->sched, &s->away);
	attach(s, ex, req);
	replay_each_after(s->kept, seq, send_again, ex);
}

static const struct replay_port replay_port = { .resume = on_resume };

/* ---- opening ---- */

static struct news_stream *news_of(struct list *node)
{
	struct push *p = list_entry(node, struct push, node);

	return p->port == &push_port ? p->arg : NULL;
}

bool news_stream_is_open(const struct session *session)
{
	list_each (node, &session->pushes) {
		const struct news_stream *s = news_of(node);
		if (s == NULL || s->ex != NULL)
			return true;
	}
	return false;
}

static void forget_others(struct session *session)
{
	list_each (node, &session->pushes) {
		struct news_stream *s = news_of(node);
		if (s != NULL && s->ex == NULL)
			stream_free(s);
	}
}

void news_stream_open(struct gateway *gw, struct sched *sched, struct replay *replay, struct session *session,
        int scope, struct http_exchange *ex, const struct http_request *req)
{
	struct news_stream *s = NEW(struct news_stream);

	forget_others(session);
	*s = (struct news_stream){ .gw = gw, .sched = sched };
	s->kept = replay_open(replay, session->nonce, SPAN_NONE, &replay_port, s);
	s->kept_ms = replay_time_ms(replay);
	s->push = (struct push){ .scope = scope, .port = &push_port, .arg = s };
	attach(s, ex, req);
	if (s->kept != NULL && session->info.revision >= REVISION_2025_11_25)
		event_stream_prime(ex, replay_first_id(s->kept));
	gateway_push_open(gw, session, &s->push);
}
