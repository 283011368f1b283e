#include "backend/pending.h"

#include <assert.h>

void pending_init(struct pending *p, struct sched *sched)
{
	*p = (struct pending){ .sched = sched };
	list_init(&p->calls);
	list_init(&p->ending);
}

void pending_clear(struct pending *p)
{
	assert(list_is_empty(&p->calls));
	post_cancel(&p->post);
	map_free(&p->by_id);
}

void pending_add(struct pending *p, struct backend_call *call)
{
	call->id = pending_next_id(p);
	map_put_u64(&p->by_id, call->id, call);
	list_append(&p->calls, &call->node);
}

struct backend_call *pending_find(const struct pending *p, uint64_t id)
{
	return map_get_u64(&p->by_id, id);
}

void pending_forget(struct pending *p, struct backend_call *call)
{
	if (pending_is_in_flight(call))
		map_remove_u64(&p->by_id, call->id);
	call->id = 0;
	list_unlink(&call->node);
}

static void tell(void *arg)
{
	struct pending *p = arg;

	for (struct list *node; (node = list_take_first(&p->ending)) != NULL;) {
		struct backend_call *call = list_entry(node, struct backend_call, node);
		call->sink->ended(call, call->why, call->outcome, NULL);
	}
}

void pending_end_later(struct pending *p, struct backend_call *call, enum end_reason why, enum outcome outcome)
{
	assert(!pending_is_in_flight(call));
	call->why = why;
	call->outcome = outcome;
	list_append(&p->ending, &call->node);
	post_set(p->sched, &p->post, tell, p);
}
