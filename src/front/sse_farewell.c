#include "front/sse_farewell.h"

#include <stdlib.h>

#include "base/mem.h"

struct leaving {
	struct list node;
	mono_t until;
	size_t n;
	char token[];
};

struct sse_farewell {
	struct gateway *gw;
	struct sched *sched;
	msec_t wait_ms;
	struct list all; /* the first to be ended first */
	unsigned count;
	struct timer timer;
};

struct sse_farewell *sse_farewell_new(struct gateway *gw, struct sched *sched, msec_t wait_ms)
{
	struct sse_farewell *f = NEW(struct sse_farewell);

	*f = (struct sse_farewell){ .gw = gw, .sched = sched, .wait_ms = wait_ms };
	list_init(&f->all);
	return f;
}

void sse_farewell_free(struct sse_farewell **fp)
{
	struct sse_farewell *f = *fp;

	if (f == NULL)
		return;
	*fp = NULL;
	list_each (node, &f->all)
		free(list_entry(node, struct leaving, node));
	timer_stop(f->sched, &f->timer);
	free(f);
}

/* A call that runs on without its client does not keep a session. */
static void end_first(struct sse_farewell *f)
{
	struct leaving *l = list_entry(list_take_first(&f->all), struct leaving, node);
	struct session *session = gateway_session(f->gw, (struct span){ l->token, l->n });

	if (session != NULL && list_is_empty(&session->pushes))
		gateway_session_end(f->gw, &session);
	f->count--;
	free(l);
}

static void on_time(void *arg)
{
	struct sse_farewell *f = arg;

	while (!list_is_empty(&f->all)) {
		mono_t until = list_entry(list_first(&f->all), struct leaving, node)->until;
		if (!mono_past(until, f->sched->now)) {
			timer_set(f->sched, &f->timer, until, on_time, f);
			return;
		}
		end_first(f);
	}
}

void sse_farewell_to(struct sse_farewell *f, const struct session *session)
{
	struct leaving *l = mem_alloc(sizeof(*l) + session->token.n);

	*l = (struct leaving){ .until = mono_add(f->sched->now, f->wait_ms), .n = session->token.n };
	memcpy(l->token, session->token.p, l->n);
	list_append(&f->all, &l->node);
	if (f->count++ == FAREWELLS_MAX)
		end_first(f);
	if (!timer_is_set(&f->timer))
		timer_set(f->sched, &f->timer, l->until, on_time, f);
}
