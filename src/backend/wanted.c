#include "backend/wanted.h"

#include <stdlib.h>

#include "base/mem.h"
#include "json/scan.h"
#include "json/write.h"

#define LIST_MEMBER_TASKS "taskIds"
#define LIST_MEMBER_RESOURCES "resourceSubscriptions"

void wanted_init(struct wanted *w)
{
	*w = (struct wanted){ 0 };
	list_init(&w->all);
}

static struct span key_of(const struct wanted_thing *thing)
{
	return (struct span){ thing->key, thing->size };
}

static void put_key(struct buf *out, enum wanted_kind kind, struct span text)
{
	buf_add_char(out, kind == WANTED_TASK ? 't' : 'r');
	buf_add(out, text);
}

static struct wanted_thing *find(const struct wanted *w, enum wanted_kind kind, struct span text)
{
	struct buf key = { 0 };

	put_key(&key, kind, text);
	struct wanted_thing *thing = map_get(&w->by_key, buf_span(&key));
	buf_free(&key);
	return thing;
}

static void drop(struct wanted *w, struct wanted_thing *thing)
{
	map_remove(&w->by_key, key_of(thing));
	list_unlink(&thing->node);
	free(thing);
}

void wanted_clear(struct wanted *w)
{
	list_each (node, &w->all)
		drop(w, list_entry(node, struct wanted_thing, node));
	map_free(&w->by_key);
}

static void add(struct wanted *w, enum wanted_kind kind, struct span text)
{
	struct wanted_thing *thing = mem_zalloc(sizeof(*thing) + 1 + text.n);
	struct buf key = { .mem = thing->key, .cap = 1 + text.n };

	put_key(&key, kind, text);
	thing->kind = kind;
	thing->size = 1 + text.n;
	list_append(&w->all, &thing->node);
	map_put(&w->by_key, key_of(thing), thing);
}

bool wanted_set(struct wanted *w, enum wanted_kind kind, struct span text, bool wanted)
{
	struct wanted_thing *thing = find(w, kind, text);

	if ((thing != NULL) == wanted)
		return false;
	if (wanted)
		add(w, kind, text);
	else
		drop(w, thing);
	return true;
}

/* ---- listening ---- */

static bool has_news(const struct backend_hello *hello, enum wanted_kind kind)
{
	return kind == WANTED_TASK ? hello->tasks_extension : hello->subscribe;
}

/* The member is there only if it is not empty. */
static bool put_things(struct json_writer *to, const char *member, enum wanted_kind kind, const struct wanted *w)
{
	bool any = false;

	wanted_each(thing, w)
	{
		if (thing->kind != kind)
			continue;
		if (!any) {
			json_key(to, member);
			json_open(to, '[');
		}
		any = true;
		json_raw(to, wanted_text(thing));
	}
	if (any)
		json_close(to, ']');
	return any;
}

bool wanted_put_listen(struct buf *out, const struct backend_hello *hello, bool lists, const struct wanted *w)
{
	struct json_writer to = json_writer(out);
	bool any = lists && (hello->tools || hello->prompts || hello->resources);

	json_open(&to, '{');
	json_key(&to, "notifications");
	json_open(&to, '{');
	json_member_bool(&to, "toolsListChanged", lists && hello->tools);
	json_member_bool(&to, "promptsListChanged", lists && hello->prompts);
	json_member_bool(&to, "resourcesListChanged", lists && hello->resources);
	if (has_news(hello, WANTED_RESOURCE))
		any |= put_things(&to, LIST_MEMBER_RESOURCES, WANTED_RESOURCE, w);
	if (has_news(hello, WANTED_TASK))
		any |= put_things(&to, LIST_MEMBER_TASKS, WANTED_TASK, w);
	json_close(&to, '}');
	json_close(&to, '}');
	return any;
}

void wanted_listening(struct wanted *w, const struct backend_hello *hello, uint64_t id)
{
	wanted_each(thing, w) if (has_news(hello, thing->kind)) thing->asked = id;
}

void wanted_refuse(struct wanted *w, enum wanted_kind kind, wanted_said *said, void *arg)
{
	wanted_each(thing, w) if (thing->kind == kind) said(arg, kind, wanted_text(thing), false);
}

/* Servers may write a text otherwise than it was given to them. */
static void mark_listed(struct wanted *w, enum wanted_kind kind, struct span array)
{
	struct buf plain = { 0 }, text = { 0 };
	struct span item;

	if (json_type_of(array) != JSON_ARRAY)
		return;
	for (struct json_walk walk = json_walk(array); json_next(&walk, NULL, &item);) {
		if (json_type_of(item) != JSON_STRING)
			continue;
		buf_reset(&plain);
		buf_reset(&text);
		json_put_string(&text, json_decode(item, buf_reserve(&plain, item.n)));
		struct wanted_thing *thing = find(w, kind, buf_span(&text));
		if (thing != NULL)
			thing->listed = true;
	}
	buf_free(&plain);
	buf_free(&text);
}

void wanted_acknowledged(struct wanted *w, uint64_t id, struct span params, wanted_said *said, void *arg)
{
	struct span honoured = json_type_of(params) == JSON_OBJECT ? json_member(params, "notifications") : SPAN_NONE;
	bool says = json_type_of(honoured) == JSON_OBJECT;

	wanted_each(thing, w) thing->listed = !says;
	if (says) {
		mark_listed(w, WANTED_RESOURCE, json_member(honoured, LIST_MEMBER_RESOURCES));
		mark_listed(w, WANTED_TASK, json_member(honoured, LIST_MEMBER_TASKS));
	}
	wanted_each(thing, w) if (thing->asked == id) said(arg, thing->kind, wanted_text(thing), thing->listed);
}

void wanted_asked(struct wanted *w, enum wanted_kind kind, struct span text, uint64_t id)
{
	struct wanted_thing *thing = find(w, kind, text);

	if (thing != NULL)
		thing->asked = id;
}

bool wanted_answered(struct wanted *w, uint64_t id, bool agreed, wanted_said *said, void *arg)
{
	bool any = false;

	wanted_each(thing, w)
	{
		if (thing->asked != id)
			continue;
		any = true;
		thing->asked = 0;
		said(arg, thing->kind, wanted_text(thing), agreed);
	}
	return any;
}
