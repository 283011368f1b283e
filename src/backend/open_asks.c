#include "backend/open_asks.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static struct open_ask *at(struct list *node)
{
	return list_entry(node, struct open_ask, node);
}

void open_asks_init(struct open_asks *a)
{
	*a = (struct open_asks){ 0 };
	list_init(&a->open);
	list_init(&a->lost);
}

static void free_all(struct list *all)
{
	for (struct list *node; (node = list_take_first(all)) != NULL;)
		free(at(node));
}

void open_asks_clear(struct open_asks *a)
{
	free_all(&a->open);
	free_all(&a->lost);
	a->count = 0;
}

struct open_ask *open_asks_add(struct open_asks *a, struct span own_id)
{
	if (a->count == OPEN_ASKS_MAX)
		return NULL;
	struct open_ask *ask = mem_alloc(sizeof(*ask) + own_id.n);
	*ask = (struct open_ask){ .id = ++a->last_id, .size = own_id.n };
	memcpy(ask->own_id, own_id.p, own_id.n);
	list_append(&a->open, &ask->node);
	a->count++;
	return ask;
}

struct open_ask *open_asks_find(const struct open_asks *a, uint64_t id)
{
	list_each (node, &a->open)
		if (at(node)->id == id)
			return at(node);
	return NULL;
}

struct open_ask *open_asks_find_own(const struct open_asks *a, struct span own_id)
{
	list_each (node, &a->open)
		if (span_eq(open_ask_own_id(at(node)), own_id))
			return at(node);
	return NULL;
}

void open_asks_remove(struct open_asks *a, struct open_ask *ask)
{
	assert(a->count > 0);
	a->count--;
	list_unlink(&ask->node);
	free(ask);
}

void open_asks_lose(struct open_asks *a)
{
	for (struct list *node; (node = list_take_first(&a->open)) != NULL;)
		list_append(&a->lost, node);
	a->count = 0;
}

uint64_t open_asks_take_lost(struct open_asks *a)
{
	struct list *node = list_take_first(&a->lost);
	uint64_t id = node != NULL ? at(node)->id : 0;

	if (node != NULL)
		free(at(node));
	return id;
}

void open_ask_put_answer(struct buf *out, const struct open_ask *ask, const struct pieces *outcome)
{
	buf_add(out, SPAN("{\"jsonrpc\":\"2.0\",\"id\":"));
	buf_add(out, open_ask_own_id(ask));
	buf_add_char(out, ',');
	pieces_put_line(out, outcome);
	buf_add_char(out, '}');
}
