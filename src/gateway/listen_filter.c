#include "gateway/listen_filter.h"

#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "mcp/task.h"

#define MEMBER_RESOURCES "resourceSubscriptions"
#define MEMBER_TASKS "taskIds"

const struct listen_topic_row listen_topics[LISTEN_TOPICS] = {
	{ LISTEN_TOOLS, "toolsListChanged", { LIST_TOOLS }, 1 },
	{ LISTEN_PROMPTS, "promptsListChanged", { LIST_PROMPTS }, 1 },
	{ LISTEN_RESOURCES, "resourcesListChanged", { LIST_RESOURCES, LIST_TEMPLATES }, 2 },
};

/* ---- the filter ---- */

static struct span filter_of(const struct message *m)
{
	return span_is_set(m->params) ? json_member(m->params, "notifications") : SPAN_NONE;
}

static bool is_list_of_strings(struct span array)
{
	struct span item;

	if (!span_is_set(array))
		return true;
	if (json_type_of(array) != JSON_ARRAY)
		return false;
	for (struct json_walk w = json_walk(array); json_next(&w, NULL, &item);)
		if (json_type_of(item) != JSON_STRING)
			return false;
	return true;
}

const char *listen_filter_fault(const struct message *m)
{
	struct span filter = filter_of(m);

	if (json_type_of(filter) != JSON_OBJECT)
		return "params.notifications must be an object";
	for (size_t i = 0; i < LISTEN_TOPICS; i++) {
		enum json_type type = json_type_of(json_member(filter, listen_topics[i].member));
		if (type != JSON_TRUE && type != JSON_FALSE && type != JSON_NONE)
			return "the members of params.notifications that end in ListChanged must be booleans";
	}
	if (!is_list_of_strings(json_member(filter, MEMBER_RESOURCES)))
		return "params.notifications." MEMBER_RESOURCES " must be an array of strings";
	if (!is_list_of_strings(json_member(filter, MEMBER_TASKS)))
		return "params.notifications." MEMBER_TASKS " must be an array of strings";
	return NULL;
}

bool listen_filter_lacks_extension(const struct message *m)
{
	struct span ids = json_member(filter_of(m), MEMBER_TASKS), id;
	struct json_walk w = json_walk(ids);

	return span_is_set(ids) && json_next(&w, NULL, &id) && !task_extension_in(meta_read(m->meta).capabilities);
}

/* Only what discover shows can be had. */
static unsigned topics_had(const struct gateway *gw, int scope)
{
	struct backend_hello all = offered(gw, scope);

	return (all.tools ? LISTEN_TOOLS : 0) | (all.prompts ? LISTEN_PROMPTS : 0) |
	       (all.resources ? LISTEN_RESOURCES : 0);
}

static unsigned topics_wanted(struct span filter)
{
	unsigned wanted = 0;

	for (size_t i = 0; i < LISTEN_TOPICS; i++)
		if (json_type_of(json_member(filter, listen_topics[i].member)) == JSON_TRUE)
			wanted |= listen_topics[i].topic;
	return wanted;
}

/* ---- the servers ---- */

/* Each resource that a server tells of, at the first one that may have it. */
static void ask_for_resource(struct listen *l, struct span uri, size_t *servers)
{
	struct gateway *gw = l->gw;

	if (subscribe_servers(gw, l->scope, uri, servers) > 0)
		subscribe_add(gw->slots[servers[0]], WANTED_RESOURCE, &l->subscriber, 0, uri, true);
}

static void ask_for_task(struct listen *l, struct span id)
{
	struct span local;
	struct slot *slot = tasks_slot(l->gw, l->scope, id, &local);

	if (slot != NULL && (!slot->greeted || slot->hello.tasks_extension))
		subscribe_add(slot, WANTED_TASK, &l->subscriber, 0, local, true);
}

void listen_filter_ask(struct listen *l, const struct message *m)
{
	struct span filter = filter_of(m), uris = json_member(filter, MEMBER_RESOURCES),
	            ids = json_member(filter, MEMBER_TASKS), item;
	size_t *servers = mem_alloc((l->gw->slot_count + 1) * sizeof(*servers));
	struct buf text = { 0 };

	l->topics = topics_wanted(filter) & topics_had(l->gw, l->scope);
	for (struct json_walk w = json_walk(uris); span_is_set(uris) && json_next(&w, NULL, &item); buf_reset(&text))
		ask_for_resource(l, json_decode(item, buf_reserve(&text, item.n)), servers);
	for (struct json_walk w = json_walk(ids); span_is_set(ids) && json_next(&w, NULL, &item); buf_reset(&text))
		ask_for_task(l, json_decode(item, buf_reserve(&text, item.n)));
	buf_free(&text);
	free(servers);
}

bool listen_filter_is_settled(const struct listen *l)
{
	list_each (node, &l->subscriber.all)
		if (subscription_agreement(node) == AGREEMENT_NONE)
			return false;
	return true;
}

void listen_filter_settle(struct listen *l)
{
	list_each (node, &l->subscriber.all)
		if (subscription_agreement(node) != AGREEMENT_YES)
			subscribe_remove(l->gw, &l->subscriber, subscription_name(node));
}

/* ---- the acknowledgement ---- */

static void put_task_id(const struct listen *l, struct json_writer *w, const struct resource_name *name)
{
	struct buf text = { 0 };

	if (tasks_have_prefix(l->gw, l->scope))
		buf_printf(&text, "%.*s__", SPAN_ARG(name->server));
	buf_add(&text, name->uri);
	json_text(w, buf_span(&text));
	buf_free(&text);
}

static void put_things(const struct listen *l, struct json_writer *w, const char *member, enum wanted_kind kind)
{
	bool any = false;

	list_each (node, &l->subscriber.all) {
		const struct resource_name *name = subscription_name(node);
		if (name->kind != kind)
			continue;
		if (!any) {
			json_key(w, member);
			json_open(w, '[');
		}
		any = true;
		if (kind == WANTED_TASK)
			put_task_id(l, w, name);
		else
			json_text(w, name->uri);
	}
	if (any)
		json_close(w, ']');
}

void listen_filter_put(const struct listen *l, struct json_writer *w)
{
	for (size_t i = 0; i < LISTEN_TOPICS; i++)
		if (l->topics & listen_topics[i].topic)
			json_member_bool(w, listen_topics[i].member, true);
	put_things(l, w, MEMBER_RESOURCES, WANTED_RESOURCE);
	put_things(l, w, MEMBER_TASKS, WANTED_TASK);
}
