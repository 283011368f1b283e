#include "gateway/listen.h"

#include <stdlib.h>

#include "base/mem.h"
#include "gateway/gateway_private.h"
#include "gateway/listen_filter.h"
#include "mcp/task.h"

#define WAIT_MS 5000 /* for servers that do not say whether they agree */

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
	timer_stop(l->gw->sched, &l->patience);
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

static void acknowledge(struct listen *l)
{
	post_cancel(&l->post);
	timer_stop(l->gw->sched, &l->patience);
	listen_filter_settle(l);
	l->acknowledged = true;
	struct json_writer w = open_notification(l, METHOD_ACKNOWLEDGED);
	json_key(&w, "notifications");
	json_open(&w, '{');
	listen_filter_put(l, &w);
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

static void put_refusal(struct gateway *gw, const struct message *m, const char *fault, struct buf *out)
{
	count(gw, END_REFUSED);
	if (fault != NULL)
		rpc_put_error(out, m->id, RPC_INVALID_PARAMS, span_of(fault));
	else
		tasks_put_lack(out, m->id);
}

struct listen *gateway_listen(struct gateway *gw, struct session *local, int scope, const struct message *m,
        const struct listen_port *port, void *arg, const struct refusal *refusal)
{
	if (gw->refusing || is_full(gw, local)) {
		*refusal->why = gw->refusing ? END_DRAINING : END_OVERLOADED;
		gateway_refuse(gw, m->id, *refusal->why, refusal->json);
		return NULL;
	}
	const char *fault = listen_filter_fault(m);
	if (fault != NULL || listen_filter_lacks_extension(m)) {
		*refusal->why = END_REFUSED;
		put_refusal(gw, m, fault, refusal->json);
		return NULL;
	}
	count(gw, END_RESULT);
	struct listen *l = listen_new(gw, local, scope, m);
	l->port = port;
	l->arg = arg;
	listen_filter_ask(l, m);
	if (listen_filter_is_settled(l))
		post_set(gw->sched, &l->post, on_posted, l);
	else
		timer_set_in(gw->sched, &l->patience, WAIT_MS, on_posted, l);
	return l;
}

static void settle(void *arg)
{
	struct gateway *gw = arg;

	list_each (node, &gw->listens) {
		struct listen *l = listen_at(node);
		if (!l->acknowledged && listen_filter_is_settled(l))
			post_set(gw->sched, &l->post, on_posted, l);
	}
}

void listens_settle_soon(struct gateway *gw)
{
	post_set(gw->sched, &gw->listens_post, settle, gw);
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

static void tell_topic(struct listen *l, const struct listen_topic_row *row)
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

static bool is_empty(struct span object)
{
	struct json_walk w = json_walk(object);
	struct span value;

	return !json_next(&w, NULL, &value);
}

/* The listen that it belongs to, instead of the one at the server, if that is named; the text is in the scratch. */
static struct splice subscription_splice(const struct listen *l, const struct message *m)
{
	struct buf *text = &l->gw->scratch;
	bool has_meta = json_type_of(m->meta) == JSON_OBJECT;
	struct span old = meta_read(m->meta).subscription;

	if (span_is_set(old))
		return (struct splice){ .out = old, .in = l->id };
	buf_reset(text);
	buf_printf(text, "%s\"" META_SUBSCRIPTION "\":%.*s%s", has_meta ? "" : "\"_meta\":{", SPAN_ARG(l->id),
	        has_meta ? "" : "}");
	if (!has_meta || !is_empty(m->meta))
		buf_add_char(text, ',');
	return (struct splice){ .out = { (has_meta ? m->meta.p : m->params.p) + 1, 0 }, .in = buf_span(text) };
}

void listen_task_news(struct listen *l, const struct slot *slot, const struct message *m)
{
	if (!l->acknowledged || (span_is_set(m->meta) && json_type_of(m->meta) != JSON_OBJECT))
		return;
	const struct splice splices[] = {
		tasks_id_splice(slot, l->scope, m->task_id),
		subscription_splice(l, m),
	};
	struct pieces json = pieces_splice(m->text, splices, 2);
	l->port->message(l->arg, &json);
}

void listens_changed(struct gateway *gw)
{
	list_each (node, &gw->listens) {
		struct listen *l = listen_at(node);
		for (size_t i = 0; i < LISTEN_TOPICS && l->acknowledged; i++)
			if (l->topics & listen_topics[i].topic)
				tell_topic(l, &listen_topics[i]);
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
