#include "gateway/elicitations.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

struct elicitation {
	struct list node;
	void *whom;
	size_t size;
	char key[];
};

static struct elicitation *at(struct list *node)
{
	return list_entry(node, struct elicitation, node);
}

static void drop(struct elicitations *e, struct elicitation *one)
{
	map_remove(&e->by_key, (struct span){ one->key, one->size });
	list_unlink(&one->node);
	free(one);
}

void elicitations_init(struct elicitations *e)
{
	*e = (struct elicitations){ 0 };
	list_init(&e->all);
}

void elicitations_clear(struct elicitations *e)
{
	list_each (node, &e->all)
		drop(e, at(node));
	map_free(&e->by_key);
}

/* A server's name has no slash. */
static void put_key(struct buf *out, struct span server, struct span id)
{
	buf_add(out, server);
	buf_add_char(out, '/');
	buf_add(out, id);
}

static struct elicitation *find(const struct elicitations *e, struct span server, struct span id)
{
	struct buf key = { 0 };

	put_key(&key, server, id);
	struct elicitation *one = map_get(&e->by_key, buf_span(&key));
	buf_free(&key);
	return one;
}

void elicitations_add(struct elicitations *e, struct span server, struct span id, void *whom)
{
	struct elicitation *one = find(e, server, id);

	if (one != NULL)
		drop(e, one);
	else if (e->by_key.count == ELICITATIONS_MAX)
		drop(e, at(list_first(&e->all)));
	size_t size = server.n + 1 + id.n;
	one = mem_zalloc(sizeof(*one) + size);
	one->whom = whom;
	one->size = size;
	struct buf key = { .mem = one->key, .cap = size };
	put_key(&key, server, id);
	list_append(&e->all, &one->node);
	map_put(&e->by_key, (struct span){ one->key, size }, one);
}

void *elicitations_find(const struct elicitations *e, struct span server, struct span id)
{
	const struct elicitation *one = find(e, server, id);

	return one != NULL ? one->whom : NULL;
}

void elicitations_forget(struct elicitations *e, const void *whom)
{
	list_each (node, &e->all)
		if (at(node)->whom == whom)
			drop(e, at(node));
}
