#include "front/news_stream.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/event_stream.h"

struct news_stream {
	struct gateway *gw;
	struct sched *sched;
	struct http_exchange *ex;
	struct push push;
	struct timer silence;
};

static void stream_free(struct news_stream *s)
{
	gateway_push_close(&s->push);
	timer_stop(s->sched, &s->silence);
	free(s);
}

static void on_silence(void *arg)
{
	struct news_stream *s = arg;

	event_stream_comment(s->ex);
	timer_set_in(s->sched, &s->silence, EVENT_COMMENT_MS, on_silence, s);
}

static void on_push(void *arg, const struct pieces *json)
{
	struct news_stream *s = arg;

	if (event_stream_is_slow(s->ex))
		gateway_count_dropped(s->gw);
	else
		event_stream_send(s->ex, json);
}

/* The official clients open a stream that ended again after `retry`, and give up after two failures. */
static void on_push_end(void *arg)
{
	struct news_stream *s = arg;

	exchange_send(s->ex, &SPAN("retry: 1000\n\n"), 1);
	exchange_end(s->ex);
	stream_free(s);
}

static void on_client_gone(void *arg)
{
	stream_free(arg);
}

static const struct push_port push_port = { .message = on_push, .end = on_push_end };

void news_stream_open(struct gateway *gw, struct sched *sched, struct session *session, int scope,
        struct http_exchange *ex, const struct http_request *req)
{
	struct news_stream *s = NEW(struct news_stream);

	*s = (struct news_stream){ .gw = gw, .sched = sched, .ex = ex };
	s->push = (struct push){ .scope = scope, .port = &push_port, .arg = s };
	event_stream_open(ex, head_get(req->head, SPAN("origin")));
	exchange_forever(ex);
	exchange_on_gone(ex, on_client_gone, s);
	event_stream_comment(ex);
	timer_set_in(sched, &s->silence, EVENT_COMMENT_MS, on_silence, s);
	gateway_push_open(gw, session, &s->push);
}
