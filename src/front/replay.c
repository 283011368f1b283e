#include "front/replay.h"

#include <assert.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "crypto/base64.h"
#include "crypto/seal.h"

struct event {
	struct list in_stream, in_all;
	struct replay_stream *stream;
	uint64_t seq;
	bool last;
	size_t n;
	char bytes[];
};

struct replay_stream {
	struct replay *keeper;
	uint64_t name, session;
	uint64_t seq;                   /* of the next event; 0 is the one without data */
	struct buf call;                /* base64url */
	struct list events;             /* the oldest first */
	size_t bytes;                   /* of them */
	bool primed;                    /* the id of event 0 was given out */
	const struct replay_port *port; /* NULL: it is finished */
	void *arg;
	struct list in_finished;
	mono_t until;
};

struct replay {
	struct replay_conf conf;
	struct sched *sched;
	struct map streams;   /* by name */
	struct list all;      /* events of all streams, the oldest first */
	size_t bytes;         /* of events and streams */
	struct list finished; /* streams, the first to be forgotten first */
	struct timer timer;
	struct buf text; /* an id */
};

struct replay *replay_new(const struct replay_conf *conf, struct sched *sched)
{
	struct replay *r = NEW(struct replay);

	r->conf = *conf;
	r->sched = sched;
	list_init(&r->all);
	list_init(&r->finished);
	return r;
}

static size_t cost(const struct event *e)
{
	return sizeof(*e) + e->n;
}

static void forget(struct event *e)
{
	e->stream->bytes -= cost(e);
	e->stream->keeper->bytes -= cost(e);
	list_unlink(&e->in_stream);
	list_unlink(&e->in_all);
	free(e);
}

static void stream_free(struct replay_stream *s)
{
	list_each (node, &s->events)
		forget(list_entry(node, struct event, in_stream));
	list_unlink(&s->in_finished);
	map_remove_u64(&s->keeper->streams, s->name);
	s->keeper->bytes -= sizeof(*s);
	buf_free(&s->call);
	free(s);
}

/* Live streams are their senders' to drop before. */
void replay_free(struct replay **rp)
{
	struct replay *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	list_each (node, &r->finished)
		stream_free(list_entry(node, struct replay_stream, in_finished));
	assert(r->streams.count == 0);
	timer_stop(r->sched, &r->timer);
	map_free(&r->streams);
	buf_free(&r->text);
	free(r);
}

struct replay_stream *replay_open(
        struct replay *r, uint64_t session, struct span call, const struct replay_port *port, void *arg)
{
	bool keeps = r->conf.stream_bytes > 0 && r->conf.total_bytes > 0 && r->conf.time_ms > 0;

	if (!keeps || call.n > EVENT_CALL_MAX)
		return NULL;
	struct replay_stream *s = NEW(struct replay_stream);
	s->keeper = r;
	s->session = session;
	s->seq = 1;
	s->port = port;
	s->arg = arg;
	list_init(&s->events);
	base64url_encode(call, &s->call);
	do
		random_bytes(&s->name, sizeof(s->name));
	while (map_get_u64(&r->streams, s->name) != NULL);
	map_put_u64(&r->streams, s->name, s);
	r->bytes += sizeof(*s);
	return s;
}

/* ---- events ---- */

static struct span id_text(const struct replay_stream *s, uint64_t seq, bool last)
{
	struct buf *text = &s->keeper->text;

	buf_reset(text);
	event_id_put(text, &(struct event_id){ s->name, seq, last, buf_span(&s->call) });
	return buf_span(text);
}

struct span replay_first_id(struct replay_stream *s)
{
	s->primed = true;
	return id_text(s, 0, false);
}

bool replay_has_ids(const struct replay_stream *s)
{
	return s->primed || s->seq > 1;
}

static struct event *oldest_of(struct list *events, bool of_stream)
{
	struct list *node = list_first(events);

	return of_stream ? list_entry(node, struct event, in_stream) : list_entry(node, struct event, in_all);
}

/* A finished stream of which nothing is left is of no use. */
static void forget_oldest(struct replay *r)
{
	struct event *e = oldest_of(&r->all, false);
	struct replay_stream *s = e->stream;

	forget(e);
	if (list_is_linked(&s->in_finished) && list_is_empty(&s->events))
		stream_free(s);
}

static void keep(struct replay_stream *s, struct event *e)
{
	struct replay *r = s->keeper;

	list_append(&s->events, &e->in_stream);
	list_append(&r->all, &e->in_all);
	s->bytes += cost(e);
	r->bytes += cost(e);
	while (s->bytes > r->conf.stream_bytes && oldest_of(&s->events, true) != e)
		forget(oldest_of(&s->events, true));
	while (r->bytes > r->conf.total_bytes && !list_is_empty(&r->all))
		forget_oldest(r);
}

struct span replay_put(struct replay_stream *s, const struct pieces *json, bool last)
{
	uint64_t seq = s->seq++;

	if (sizeof(struct event) + json->size <= s->keeper->conf.total_bytes) {
		struct event *e = mem_alloc(sizeof(*e) + json->size);
		*e = (struct event){ .stream = s, .seq = seq, .last = last };
		for (unsigned i = 0; i < json->n; i++) {
			if (json->at[i].n > 0)
				memcpy(e->bytes + e->n, json->at[i].p, json->at[i].n);
			e->n += json->at[i].n;
		}
		keep(s, e);
	}
	return id_text(s, seq, last);
}

/* ---- the end of a stream ---- */

static void on_time(void *arg)
{
	struct replay *r = arg;

	while (!list_is_empty(&r->finished)) {
		struct replay_stream *s = list_entry(list_first(&r->finished), struct replay_stream, in_finished);
		if (!mono_past(s->until, r->sched->now)) {
			timer_set(r->sched, &r->timer, s->until, on_time, r);
			return;
		}
		stream_free(s);
	}
}

void replay_finish(struct replay_stream **sp)
{
	struct replay_stream *s = *sp;
	struct replay *r = s->keeper;

	*sp = NULL;
	s->port = NULL;
	s->until = mono_add(r->sched->now, r->conf.time_ms);
	list_append(&r->finished, &s->in_finished);
	if (list_is_empty(&s->events))
		stream_free(s);
	else if (!timer_is_set(&r->timer))
		timer_set(r->sched, &r->timer, s->until, on_time, r);
}

void replay_drop(struct replay_stream **sp)
{
	struct replay_stream *s = *sp;

	*sp = NULL;
	if (s != NULL)
		stream_free(s);
}

/* ---- coming back ---- */

struct replay_stream *replay_find(struct replay *r, uint64_t session, uint64_t stream)
{
	struct replay_stream *s = map_get_u64(&r->streams, stream);

	return s != NULL && s->session == session ? s : NULL;
}

bool replay_is_live(const struct replay_stream *s)
{
	return s->port != NULL;
}

void replay_resume(struct replay_stream *s, struct http_exchange *ex, const struct http_request *req, uint64_t seq)
{
	s->port->resume(s->arg, ex, req, seq);
}

bool replay_each_after(struct replay_stream *s, uint64_t seq,
        void (*each)(void *arg, struct span id, const struct pieces *json), void *arg)
{
	bool any = false;

	list_each (node, &s->events) {
		const struct event *e = list_entry(node, struct event, in_stream);
		if (e->seq <= seq)
			continue;
		any = true;
		if (each == NULL)
			break;
		struct pieces json = pieces_of((struct span){ e->bytes, e->n });
		each(arg, id_text(s, e->seq, e->last), &json);
	}
	return any;
}

msec_t replay_time_ms(const struct replay *r)
{
	return r->conf.time_ms;
}

size_t replay_bytes(const struct replay *r)
{
	return r->bytes;
}
