#include "gateway/known_tasks.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

static struct known_task *task_at(struct list *node)
{
	return list_entry(node, struct known_task, node);
}

void known_tasks_init(struct known_tasks *k)
{
	*k = (struct known_tasks){ 0 };
	list_init(&k->all);
}

void known_tasks_end_progress(struct known_tasks *k, struct known_task *task)
{
	if (span_is_set(task->number_key))
		map_remove(&k->by_number, task->number_key);
	task->number_key = task->token = SPAN_NONE;
}

static void drop(struct known_tasks *k, struct known_task *task)
{
	known_tasks_end_progress(k, task);
	map_remove(&k->by_id, task->id_key);
	list_unlink(&task->node);
	free(task);
}

void known_tasks_clear(struct known_tasks *k)
{
	list_each (node, &k->all)
		drop(k, task_at(node));
	map_free(&k->by_id);
	map_free(&k->by_number);
}

/* A server's name has no line feed. */
static void put_key(struct buf *out, const struct task_place *place, struct span what)
{
	buf_add(out, place->server);
	buf_add_char(out, '\n');
	buf_add(out, (struct span){ (const char *)&place->part, sizeof(place->part) });
	buf_add(out, what);
}

static struct span bytes_of(const uint64_t *number)
{
	return (struct span){ (const char *)number, sizeof(*number) };
}

static struct known_task *find(const struct map *map, const struct task_place *place, struct span what)
{
	struct buf key = { 0 };

	put_key(&key, place, what);
	struct known_task *task = map_get(map, buf_span(&key));
	buf_free(&key);
	return task;
}

/* Takes the next bytes of the task's own. */
static struct span keep(char **at, struct span text)
{
	struct span kept = { *at, text.n };

	memcpy(*at, text.p, text.n);
	*at += text.n;
	return kept;
}

static struct known_task *task_new(
        const struct task_place *place, struct span id, const uint64_t *number, struct span token)
{
	bool has_token = span_is_set(token);
	struct buf id_key = { 0 }, number_key = { 0 };

	put_key(&id_key, place, id);
	put_key(&number_key, place, bytes_of(number));
	struct known_task *task =
	        mem_zalloc(sizeof(*task) + buf_size(&id_key) + buf_size(&number_key) + (has_token ? token.n : 0));
	char *at = task->bytes;
	task->id_key = keep(&at, buf_span(&id_key));
	if (has_token) {
		task->number_key = keep(&at, buf_span(&number_key));
		task->token = keep(&at, token);
	}
	buf_free(&id_key);
	buf_free(&number_key);
	return task;
}

/* One of these may be left from a process that has ended since. */
static void make_room(struct known_tasks *k, const struct task_place *place, struct span id, uint64_t number)
{
	struct known_task *same = find(&k->by_id, place, id), *other = find(&k->by_number, place, bytes_of(&number));

	if (other != NULL)
		known_tasks_end_progress(k, other);
	if (same != NULL)
		drop(k, same);
	else if (k->by_id.count == KNOWN_TASKS_MAX)
		drop(k, task_at(list_first(&k->all)));
}

void known_tasks_add(struct known_tasks *k, const struct task_place *place, struct span id, void *owner, mono_t until,
        uint64_t number, struct span token)
{
	if (id.n > KNOWN_TASK_TEXT_MAX)
		return;
	make_room(k, place, id, number);
	struct known_task *task = task_new(place, id, &number, token.n <= KNOWN_TASK_TEXT_MAX ? token : SPAN_NONE);
	task->owner = owner;
	task->until = until;
	list_append(&k->all, &task->node);
	map_put(&k->by_id, task->id_key, task);
	if (span_is_set(task->number_key))
		map_put(&k->by_number, task->number_key, task);
}

/* Unless its time is over. */
static struct known_task *living(struct known_tasks *k, struct known_task *task, mono_t now)
{
	if (task == NULL || mono_diff(task->until, now) > 0)
		return task;
	drop(k, task);
	return NULL;
}

void known_tasks_renumbered(struct known_tasks *k, struct span server)
{
	list_each (node, &k->all) {
		struct known_task *task = task_at(node);
		if (span_starts(task->id_key, server) && task->id_key.p[server.n] == '\n')
			known_tasks_end_progress(k, task);
	}
}

struct known_task *known_tasks_find(struct known_tasks *k, const struct task_place *place, struct span id, mono_t now)
{
	return living(k, find(&k->by_id, place, id), now);
}

struct known_task *known_tasks_find_number(
        struct known_tasks *k, const struct task_place *place, uint64_t number, mono_t now)
{
	return living(k, find(&k->by_number, place, bytes_of(&number)), now);
}

void known_tasks_forget(struct known_tasks *k, const void *owner)
{
	list_each (node, &k->all)
		if (task_at(node)->owner == owner)
			drop(k, task_at(node));
}
