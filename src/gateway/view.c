/*
 * What is shown to people and to metrics of servers, calls and sessions. Nothing here changes anything.
 */
#include <stdio.h>

#include "gateway/gateway_private.h"

static const char *startup_name(enum startup startup)
{
	static const char *const names[] = {
		[STARTUP_REQUIRED] = "required",
		[STARTUP_EAGER] = "eager",
		[STARTUP_LAZY] = "lazy",
	};

	return names[startup];
}

/* A server whose process was replaced goes on with its counts, and what of it still leaves counts on. */
static void add_before(const struct slot *slot, struct backend_stats *sum)
{
	sum->starts += slot->counts->starts;
	sum->restarts += slot->counts->restarts;
	sum->dropped += slot->counts->dropped;
	list_each (node, &slot->gw->leaving) {
		const struct slot *before = list_entry(node, struct slot, in_leaving);
		struct backend_stats stats;
		if (before->counts != slot->counts)
			continue;
		before->backend->ops->stats(before->backend, &stats);
		sum->in_flight += stats.in_flight;
		sum->starts += stats.starts;
		sum->restarts += stats.restarts;
		sum->dropped += stats.dropped;
	}
}

void gateway_server(const struct gateway *gw, size_t i, struct server_view *view)
{
	const struct slot *slot = gw->slots[i];

	*view = (struct server_view){
		.name = slot->conf->name,
		.startup = startup_name(slot->conf->startup),
		.state_ms = mono_diff(gw->sched->now, slot->state_since),
		.counts = slot->counts,
	};
	slot->backend->ops->stats(slot->backend, &view->stats);
	view->transport = view->stats.transport;
	add_before(slot, &view->stats);
}

static void set_client(char *text, const struct call *c)
{
	if (span_is_set(c->client.info))
		session_set_text(text, json_member(c->client.info, "name"));
	else
		snprintf(text, SESSION_NAME_MAX + 1, "%s", c->session != NULL ? c->session->info.client_name : "");
}

size_t gateway_calls(const struct gateway *gw, struct call_view *views, size_t max)
{
	size_t n = 0;

	list_each (node, &gw->calls) {
		const struct call *c = list_entry(node, struct call, in_gateway);
		if (n == max || c->state == CALL_PARKED)
			continue;
		views[n] = (struct call_view){
			.method = call_method(c),
			.server = c->slot != NULL ? c->slot->conf->name : NULL,
			.age_ms = mono_diff(gw->sched->now, c->began),
		};
		text_set(views[n].name, VIEW_TEXT_MAX, span_is_set(c->name) ? c->name : c->uri);
		set_client(views[n].client, c);
		n++;
	}
	return n;
}

static unsigned count_streams(const struct session *s)
{
	unsigned n = 0;

	list_each (node, &s->pushes)
		n++;
	return n;
}

size_t gateway_sessions(const struct gateway *gw, struct session_view *views, size_t max)
{
	const struct list *all = sessions_all(gw->sessions);
	size_t n = 0;

	for (const struct list *node = all->prev; node != all && n < max; node = node->prev) {
		const struct session *s = list_entry(node, struct session, node);
		views[n++] = (struct session_view){
			.client = s->info.client_name,
			.client_version = s->info.client_version,
			.revision = revision_name(s->info.revision),
			.calls = s->call_count,
			.streams = count_streams(s),
			.unused_ms = mono_diff(gw->sched->now, s->used),
		};
	}
	return n;
}
