#include "front/listen_stream.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/event_stream.h"
#include "front/reply_modern.h"
#include "front/respond.h"

struct listen_stream {
	struct gateway *gw;
	struct sched *sched;
	struct http_exchange *ex;
	struct listen *listen;
	struct timer silence;
};

static void stream_free(struct listen_stream *s)
{
	timer_stop(s->sched, &s->silence);
	free(s);
}

static void on_silence(void *arg)
{
	struct listen_stream *s = arg;

	event_stream_comment(s->ex);
	timer_set_in(s->sched, &s->silence, EVENT_COMMENT_MS, on_silence, s);
}

static void on_opened(void *arg, const struct pieces *json)
{
	struct listen_stream *s = arg;

	event_stream_send(s->ex, json);
}

static void on_message(void *arg, const struct pieces *json)
{
	struct listen_stream *s = arg;

	if (event_stream_is_slow(s->ex))
		gateway_count_dropped(s->gw);
	else
		event_stream_send(s->ex, json);
}

static void on_ended(void *arg, const struct pieces *json)
{
	struct listen_stream *s = arg;

	event_stream_send(s->ex, json);
	exchange_end(s->ex);
	stream_free(s);
}

static void on_client_gone(void *arg)
{
	struct listen_stream *s = arg;

	gateway_unlisten(s->listen);
	stream_free(s);
}

/* What is wrong with the request itself is an answer like others; what was never accepted has a status of its own. */
static void respond_refusal(
        struct http_exchange *ex, const struct http_request *req, enum end_reason why, struct span error)
{
	struct pieces json = pieces_of(error);
	int status = why == END_REFUSED ? reply_modern_status(METHOD_LISTEN, why, &json) : end_reason_http_status(why);

	respond(ex, req, status, TYPE_JSON, error);
}

void listen_stream_open(struct gateway *gw, struct sched *sched, int scope, struct http_exchange *ex,
        const struct http_request *req, const struct message *m)
{
	static const struct listen_port port = { .opened = on_opened, .message = on_message, .ended = on_ended };
	struct listen_stream *s = NEW(struct listen_stream);
	struct buf error = { 0 };
	enum end_reason why = END_OVERLOADED;
	struct refusal refusal = { &why, &error };

	*s = (struct listen_stream){ .gw = gw, .sched = sched, .ex = ex };
	s->listen = gateway_listen(gw, NULL, scope, m, &port, s, &refusal);
	if (s->listen == NULL) {
		respond_refusal(ex, req, why, buf_span(&error));
		buf_free(&error);
		free(s);
		return;
	}
	event_stream_open(ex, head_get(req->head, SPAN("origin")));
	timer_set_in(sched, &s->silence, EVENT_COMMENT_MS, on_silence, s);
	exchange_on_gone(ex, on_client_gone, s);
	exchange_forever(ex);
}
