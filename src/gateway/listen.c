#include "gateway/listen.h"

#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"

static const struct topic_row {
	enum listen_topic topic;
	const char *member;
	enum list_kind kinds[2]; /* whose changes it tells; one or two */
	unsigned count;
} topics[] = {
	{ LISTEN_TOOLS, "toolsListChanged", { LIST_TOOLS }, 1 },
	{ LISTEN_PROMPTS, "promptsListChanged", { LIST_PROMPTS }, 1 },
	{ LISTEN_RESOURCES, "resourcesListChanged", { LIST_RESOURCES, LIST_TEMPLATES }, 2 },
};
#define TOPICS (sizeof(topics) / sizeof(topics[0]))

static struct listen *listen_at(struct list *node)
{
	return list_entry(node, struct listen, node);
}

static void listen_free(struct listen *l)
{
	list_unlink(&l->node);
	l->gw->listen_count--;
	subscribe_leave(l->gw, &l->subscriber);
	post_cancel(&l->post);
	timer_stop(l->gw->sched, &l->goodbye);
	free(l);
}

/* ---- what is said ---- */

static struct json_writer open_text(struct listen *l)
{
	buf_reset(&l->gw->scratch);
	return json_writer(&l->gw->scratch);
}

static void put_meta(const struct listen *l, struct json_writer *w, bool with_server)
{
	json_key(w, "_meta");
	json_open(w, '{');
	json_member_raw(w, META_SUBSCRIPTION, l->id);
	if (with_server)
		json_member_raw(w, META_SERVER, buf_span(&l->gw->server_info));
	json_close(w, '}');
}

/* A notification, up to the end of its `_meta`; its params and itself are to be closed. */
static struct json_writer open_notification(struct listen *l, enum method method)
{
	struct json_writer w = open_text(l);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_text(&w, "method", method_name(method));
	json_key(&w, "params");
	json_open(&w, '{');
	put_meta(l, &w, false);
	return w;
}

static struct pieces close_notification(struct listen *l, struct json_writer *w)
{
	json_close(w, '}');
	json_close(w, '}');
	return pieces_of(buf_span(&l->gw->scratch));
}

static void put_resources(const struct listen *l, struct json_writer *w)
{
	if (l->subscriber.count == 0)
		return;
	json_key(w, "resourceSubscriptions");
	json_open(w, '[');
	list_each (node, &l->subscriber.all)
		json_text(w, subscription_uri(node));
	json_close(w, ']');
}

static void acknowledge(struct listen *l)
{
	struct json_writer w = open_notification(l, METHOD_ACKNOWLEDGED);

	post_cancel(&l->post);
	l->acknowledged = true;
	json_key(&w, "notifications");
	json_open(&w, '{');
	for (size_t i = 0; i < TOPICS; i++)
		if (l->topics & topics[i].topic)
			json_member_bool(&w, topics[i].member, true);
	put_resources(l, &w);
	json_close(&w, '}');
	struct pieces json = close_notification(l, &w);
	l->port->opened(l->arg, &json);
}

static void on_posted(void *arg)
{
	acknowledge(arg);
}

void listen_end(struct listen *l)
{
	if (!l->acknowledged)
		acknowledge(l);
	struct json_writer w = open_text(l);
	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_raw(&w, "id", l->id);
	json_key(&w, "result");
	json_open(&w, '{');
	json_member_text(&w, "resultType", SPAN("complete"));
	put_meta(l, &w, true);
	json_close(&w, '}');
	json_close(&w, '}');
	struct pieces json = pieces_of(buf_span(&l->gw->scratch));
	l->port->ended(l->arg, &json);
	listen_free(l);
}

/* ---- what is asked for ---- */

/* What is wrong with the filter, or NULL. A topic of which we know nothing is not for us to refuse. */
static const char *read_filter(const struct message *m, unsigned *wanted)
{
	struct span filter = span_is_set(m->params) ? json_member(m->params, "notifications") : SPAN_NONE;

	*wanted = 0;
	if (json_type_of(filter) != JSON_OBJECT)
		return "params.notifications must be an object";
	for (size_t i = 0; i < TOPICS; i++) {
		enum json_type type = json_type_of(json_member(filter, topics[i].member));
		if (type == JSON_TRUE)
			*wanted |= topics[i].topic;
		else if (type != JSON_FALSE && type != JSON_NONE)
			return "the members of params.notifications that end in ListChanged must be booleans";
	}
	struct span uris = json_member(filter, "resourceSubscriptions"), uri;
	if (span_is_set(uris) && json_type_of(uris) != JSON_ARRAY)
		return "params.notifications.resourceSubscriptions must be an array";
	for (struct json_walk w = json_walk(uris); span_is_set(uris) && json_next(&w, NULL, &uri);)
		if (json_type_of(uri) != JSON_STRING)
			return "params.notifications.resourceSubscriptions must be an array of strings";
	return NULL;
}

/* Each that a server tells of, at the first one that may have it. */
static void subscribe_one(struct listen *l, struct span raw, size_t *servers)
{
	struct gateway *gw = l->gw;
	struct buf text = { 0 };
	struct span uri = json_decode(raw, buf_reserve(&text, raw.n));

	if (subscribe_servers(gw, l->scope, uri, servers) > 0)
		subscribe_add(gw->slots[servers[0]], &l->subscriber, 0, uri, true);
	buf_free(&text);
}

static void subscribe_all(struct listen *l, const struct message *m)
{
	struct span uris = json_member(json_member(m->params, "notifications"), "resourceSubscriptions"), uri;
	size_t *servers = mem_alloc((l->gw->slot_count + 1) * sizeof(*servers));

	for (struct json_walk w = json_walk(uris); span_is_set(uris) && json_next(&w, NULL, &uri);)
		subscribe_one(l, uri, servers);
	free(servers);
}

/* Only what discover shows can be had. */
static unsigned had(const struct gateway *gw, int scope)
{
	struct backend_hello all = offered(gw, scope);

	return (all.tools ? LISTEN_TOOLS : 0) | (all.prompts ? LISTEN_PROMPTS : 0) |
	       (all.resources ? LISTEN_RESOURCES : 0);
}

static bool is_full(const struct gateway *gw, const struct session *local)
{
	unsigned own = 0;

	if (local != NULL)
		list_each (node, &gw->listens)
			own += listen_at(node)->local == local;
	return gw->listen_count >= LISTENS_MAX || own >= LISTENS_PER_SESSION_MAX;
}

static struct listen *listen_new(struct gateway *gw, struct session *local, int scope, const struct message *m)
{
	struct listen *l = mem_zalloc(sizeof(*l) + m->id.n);

	memcpy(l->bytes, m->id.p, m->id.n);
	l->id = (struct span){ l->bytes, m->id.n };
	l->gw = gw;
	l->local = local;
	l->scope = scope;
	l->serial = gw->counts.listens++;
	subscriber_init(&l->subscriber);
	l->subscriber.is_stream = true;
	list_append(&gw->listens, &l->node);
	gw->listen_count++;
	return l;
}

/* Accepted and answered in one, by the acknowledgement or the error. */
static void count(struct gateway *gw, enum end_reason why)
{
	gw->counts.accepted++;
	gw->counts.ended[why]++;
}

struct listen *gateway_listen(struct gateway *gw, struct session *local, int scope, const struct message *m,
        const struct listen_port *port, void *arg, const struct refusal *refusal)
{
	unsigned wanted;

	if (gw->refusing || is_full(gw, local)) {
		*refusal->why = gw->refusing ? END_DRAINING : END_OVERLOADED;
		gateway_refuse(gw, m->id, *refusal->why, refusal->json);
		return NULL;
	}
	const char *fault = read_filter(m, &wanted);
	if (fault != NULL) {
		*refusal->why = END_REFUSED;
		count(gw, END_REFUSED);
		rpc_put_error(refusal->json, m->id, RPC_INVALID_PARAMS, span_of(fault));
		return NULL;
	}
	count(gw, END_RESULT);
	struct listen *l = listen_new(gw, local, scope, m);
	l->topics = wanted & had(gw, scope);
	subscribe_all(l, m);
	l->port = port;
	l->arg = arg;
	post_set(gw->sched, &l->post, on_posted, l);
	return l;
}

void gateway_unlisten(struct listen *l)
{
	listen_free(l);
}

bool listens_cancel(struct gateway *gw, const struct session *local, struct span id)
{
	list_each (node, &gw->listens) {
		struct listen *l = listen_at(node);
		if (l->local != local || !span_eq(l->id, id))
			continue;
		listen_free(l);
		return true;
	}
	return false;
}

/* ---- news and the end ---- */

static void tell_topic(struct listen *l, const struct topic_row *row)
{
	for (unsigned i = 0; i < row->count; i++) {
		if (!news_concern(l->gw, l->scope, row->kinds[i]))
			continue;
		struct json_writer w = open_notification(l, list_changed_method(row->kinds[i]));
		struct pieces json = close_notification(l, &w);
		l->port->message(l->arg, &json);
	}
}

void listen_updated(struct listen *l, struct span uri)
{
	if (!l->acknowledged)
		return;
	struct json_writer w = open_notification(l, METHOD_RESOURCE_UPDATED);
	json_member_raw(&w, "uri", uri);
	struct pieces json = close_notification(l, &w);
	l->port->message(l->arg, &json);
}

void listens_changed(struct gateway *gw)
{
	list_each (node, &gw->listens) {
		struct listen *l = listen_at(node);
		for (size_t i = 0; i < TOPICS && l->acknowledged; i++)
			if (l->topics & topics[i].topic)
				tell_topic(l, &topics[i]);
	}
}

static void on_goodbye(void *arg)
{
	listen_end(arg);
}

/* Serial numbers times the golden ratio fall evenly over a circle, however many there are. */
static msec_t moment_of(const struct listen *l, msec_t over_ms)
{
	return (msec_t)((l->serial * UINT64_C(0x9E3779B97F4A7C15) >> 32) * (uint64_t)over_ms >> 32);
}

void listens_end(struct gateway *gw, msec_t over_ms)
{
	list_each (node, &gw->listens) {
		struct listen *l = listen_at(node);
		if (over_ms > 0)
			timer_set_in(gw->sched, &l->goodbye, moment_of(l, over_ms), on_goodbye, l);
		else
			listen_end(l);
	}
}

void listens_keep(struct gateway *gw)
{
	list_each (node, &gw->listens)
		timer_stop(gw->sched, &listen_at(node)->goodbye);
}

void listens_forget(struct gateway *gw)
{
	list_each (node, &gw->listens)
		listen_free(listen_at(node));
}
