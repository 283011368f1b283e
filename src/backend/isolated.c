#include "backend/isolated.h"

#include <assert.h>
#include <stdlib.h>

#include "backend/pending.h"
#include "backend/probe.h"
#include "base/mem.h"

#define LOGGED_EVERY_MS 10000 /* that there are too many */

/* A number of ours for what a member asks: the member's own number, then the member's for it. */
#define ASK_BITS 40
#define NUMBER_MAX ((1u << 24) - 1)

struct member {
	struct backend_link link;
	struct backend_for whom;
	struct isolated *owner;
	struct backend *backend;
	uint64_t number;
	struct list node;
	size_t wanted;            /* resources whose updates its client wants */
	bool leaving;             /* nobody finds it any more; it ends with its last call */
	bool stopped;             /* it is to be freed */
	struct backend_conf conf; /* while it is leaving */
};

struct isolated {
	struct backend base; /* first */
	struct sched *sched;
	struct isolated_maker maker;
	struct logger log;
	struct member *main;
	unsigned main_failures; /* to start, in a row */
	struct list members;    /* the main one is not among them */
	size_t count, leaving;
	struct map by_session, by_number; /* those that are not leaving; all, and the main one */
	uint64_t last_number;
	struct pending refused; /* calls that no member has taken */
	struct post sweep_post;
	bool started;        /* the main one was: it is in use from the first member on, and so are its lists */
	bool last, stopping; /* no member begins any more; all of it stops */
	bool main_stopped, told;
	struct probe_known known;
	struct buf level; /* the params of the last logging/setLevel */
	mono_t full_logged;
	msec_t eof_limit_ms, term_limit_ms; /* -1: none */
	uint64_t starts, restarts, dropped; /* of those that are gone */
};

static struct isolated *isolated_of(struct backend *b)
{
	return (struct isolated *)(void *)b;
}

static struct member *member_at(struct list *node)
{
	return list_entry(node, struct member, node);
}

static struct member *member_of(const struct backend_link *link)
{
	return (struct member *)(void *)((char *)(uintptr_t)link - offsetof(struct member, link));
}

static bool is_main(const struct member *m)
{
	return m == m->owner->main;
}

static unsigned in_flight(const struct member *m)
{
	struct backend_stats stats;

	m->backend->ops->stats(m->backend, &stats);
	return stats.in_flight;
}

/* ---- beginning and end of a member ---- */

static const struct backend_events member_events;

static uint64_t free_number(struct isolated *s)
{
	do
		s->last_number = s->last_number % NUMBER_MAX + 1;
	while (map_get_u64(&s->by_number, s->last_number) != NULL);
	return s->last_number;
}

static struct member *member_new(struct isolated *s, uint64_t session, unsigned capabilities, bool legacy, bool lists)
{
	struct member *m = NEW(struct member);

	*m = (struct member){ .owner = s, .link.session = session, .number = free_number(s) };
	m->whom = (struct backend_for){
		.link = &m->link,
		.capabilities = capabilities,
		.without_lists = !lists,
		.legacy = legacy,
		.known = &s->known,
	};
	map_put_u64(&s->by_number, m->number, m);
	m->backend = s->maker.make(s->maker.arg, s->base.conf, &m->whom, &member_events, m);
	return m;
}

static size_t most(const struct isolated *s)
{
	return s->maker.max > 0 ? s->maker.max : s->base.conf->max_processes;
}

/* Those that are leaving do not count, but they are bounded too, or ending sessions would be a way to start more. */
static bool is_full(const struct isolated *s)
{
	return s->count - s->leaving >= most(s) || s->count >= 2 * most(s);
}

static void log_full(struct isolated *s)
{
	if (s->full_logged.ms != MONO_NEVER.ms && mono_diff(s->sched->now, s->full_logged) < LOGGED_EVERY_MS)
		return;
	log_warn(&s->log, "backend_full", "as many clients as there may be have a process of this server",
	        F_INT("max", most(s)));
	s->full_logged = s->sched->now;
}

static void start(struct backend *b);

static struct member *add(struct isolated *s, uint64_t session, unsigned capabilities, bool legacy)
{
	if (s->last || s->stopping)
		return NULL;
	if (is_full(s)) {
		log_full(s);
		return NULL;
	}
	struct member *m = member_new(s, session, capabilities, legacy, false);
	if (!s->started)
		start(&s->base);
	if (s->eof_limit_ms >= 0)
		m->backend->ops->limit_stop(m->backend, s->eof_limit_ms, s->term_limit_ms);
	list_append(&s->members, &m->node);
	s->count++;
	if (session != 0)
		map_put_u64(&s->by_session, session, m);
	return m;
}

/* The main one finds that out for all, and goes on to try: a crowd of clients does not, each by itself. */
static bool is_hopeless(const struct isolated *s)
{
	return s->main_failures >= LIFE_HOPELESS;
}

static struct member *find(const struct isolated *s, uint64_t session, unsigned capabilities, bool legacy)
{
	if (session != 0)
		return map_get_u64(&s->by_session, session);
	list_each (node, &s->members) {
		struct member *m = member_at(node);
		if (m->link.session == 0 && m->whom.capabilities == capabilities && m->whom.legacy == legacy &&
		        !m->leaving)
			return m;
	}
	return NULL;
}

/* NULL: there can be none. */
static struct member *member_for(struct isolated *s, const struct backend_client *client, enum method method)
{
	bool lasting = method == METHOD_RESOURCES_SUBSCRIBE;

	if (client == NULL)
		return s->main;
	if (!lasting && s->maker.needs_none != NULL && s->maker.needs_none(s->main->backend, client))
		return s->main;
	unsigned capabilities = client_capabilities_of(client->revision, client->capabilities);
	if (client->session == 0 && s->base.conf->roots != NULL)
		capabilities |= CLIENT_ROOTS;
	bool legacy = revision_is_legacy(client->revision);
	struct member *m = find(s, client->session, capabilities, legacy);
	return m != NULL || is_hopeless(s) ? m : add(s, client->session, capabilities, legacy);
}

static msec_t less(msec_t ms, msec_t limit_ms)
{
	return limit_ms >= 0 && limit_ms < ms ? limit_ms : ms;
}

/* It ends as soon as nothing is in flight there. */
static void take_leaving_conf(struct member *m)
{
	const struct isolated *s = m->owner;

	m->conf = *s->base.conf;
	m->conf.idle = IDLE_FIXED;
	m->conf.idle_ms = 0;
	m->conf.stop_eof_ms = less(m->conf.stop_eof_ms, s->eof_limit_ms);
	m->conf.stop_term_ms = less(m->conf.stop_term_ms, s->term_limit_ms);
	m->backend->ops->configure(m->backend, &m->conf);
}

/* Nobody finds it any more. */
static void withdraw(struct member *m)
{
	if (m->leaving)
		return;
	m->leaving = true;
	m->owner->leaving++;
	if (m->link.session != 0)
		map_remove_u64(&m->owner->by_session, m->link.session);
}

static void leave(struct member *m)
{
	withdraw(m);
	if (in_flight(m) > 0)
		take_leaving_conf(m);
	else
		m->backend->ops->stop(m->backend, BACKEND_STOP_LADDER);
}

static void member_free(struct member *m)
{
	map_remove_u64(&m->owner->by_number, m->number);
	m->backend->ops->free(m->backend);
	free(m);
}

static void keep_counts(struct isolated *s, const struct member *m)
{
	struct backend_stats stats;

	m->backend->ops->stats(m->backend, &stats);
	s->starts += stats.starts;
	s->restarts += stats.restarts;
	s->dropped += stats.dropped;
}

static void tell_stopped(struct isolated *s)
{
	if (!s->main_stopped || s->count > 0 || s->told)
		return;
	s->told = true;
	s->base.events->state(s->base.arg, BACKEND_STOPPED, "asked to stop", 0);
}

static void sweep(void *arg)
{
	struct isolated *s = arg;

	list_each (node, &s->members) {
		struct member *m = member_at(node);
		if (!m->stopped)
			continue;
		keep_counts(s, m);
		list_unlink(&m->node);
		s->count--;
		s->leaving--;
		member_free(m);
	}
	tell_stopped(s);
}

/* ---- what comes up ---- */

static void on_main_state(struct isolated *s, enum backend_state now, const char *why, unsigned failures)
{
	s->main_failures = failures;
	if (now != BACKEND_STOPPED) {
		s->base.events->state(s->base.arg, now, why, failures);
		return;
	}
	s->main_stopped = true;
	if (s->count > 0)
		s->base.events->state(s->base.arg, BACKEND_STOPPING, why, failures);
	tell_stopped(s);
}

static void on_member_state(struct member *m, enum backend_state now)
{
	struct isolated *s = m->owner;

	if (now == BACKEND_STOPPED) {
		withdraw(m);
		m->stopped = true;
		post_set(s->sched, &s->sweep_post, sweep, s);
	} else if (now == BACKEND_READY && buf_size(&s->level) > 0) {
		m->backend->ops->tell(m->backend, METHOD_SET_LEVEL, buf_span(&s->level));
	} else if ((now == BACKEND_IDLE || now == BACKEND_BACKOFF) && in_flight(m) == 0 && m->wanted == 0) {
		leave(m);
	}
}

static void on_state(void *arg, enum backend_state now, const char *why, unsigned failures)
{
	struct member *m = arg;

	if (is_main(m))
		on_main_state(m->owner, now, why, failures);
	else
		on_member_state(m, now);
}

static void on_hello(void *arg, const struct backend_hello *hello)
{
	struct member *m = arg;

	if (is_main(m))
		m->owner->base.events->hello(m->owner->base.arg, hello);
}

static void on_list(void *arg, enum list_kind kind, struct item_list *list)
{
	struct member *m = arg;

	if (is_main(m))
		m->owner->base.events->list(m->owner->base.arg, kind, list);
	else
		item_list_free(list);
}

static void on_notification(void *arg, const struct backend_link *from, const struct message *message)
{
	struct isolated *s = ((struct member *)arg)->owner;

	s->base.events->notification(s->base.arg, from, message);
}

static void on_agreed(void *arg, uint64_t session, enum wanted_kind kind, struct span text, bool yes)
{
	struct isolated *s = ((struct member *)arg)->owner;

	s->base.events->agreed(s->base.arg, session, kind, text, yes);
}

static uint64_t number_of(const struct member *m, uint64_t ask)
{
	return m->number << ASK_BITS | (ask & (((uint64_t)1 << ASK_BITS) - 1));
}

static void on_ask(void *arg, const struct backend_ask *ask, const struct message *message)
{
	struct member *m = arg;
	struct backend_ask ours = *ask;

	ours.id = number_of(m, ask->id);
	m->owner->base.events->ask(m->owner->base.arg, &ours, message);
}

static void on_ask_ended(void *arg, uint64_t id)
{
	struct member *m = arg;

	m->owner->base.events->ask_ended(m->owner->base.arg, number_of(m, id));
}

static const struct backend_events member_events = {
	.state = on_state,
	.hello = on_hello,
	.list = on_list,
	.notification = on_notification,
	.agreed = on_agreed,
	.ask = on_ask,
	.ask_ended = on_ask_ended,
};

/* ---- what goes down ---- */

static void start(struct backend *b)
{
	struct isolated *s = isolated_of(b);

	s->started = true;
	s->main->backend->ops->start(s->main->backend);
}

static void submit(struct backend *b, struct backend_call *call, const struct message *m, struct splice name)
{
	struct isolated *s = isolated_of(b);
	struct member *member = member_for(s, call->client, m->method_id);
	bool is_down = s->last || s->stopping || is_hopeless(s);

	if (member == NULL) {
		call->link = NULL;
		pending_end_later(
		        &s->refused, call, is_down ? END_BACKEND_UNAVAILABLE : END_OVERLOADED, OUTCOME_NOT_SENT);
		return;
	}
	call->link = &member->link;
	member->backend->ops->submit(member->backend, call, m, name);
}

static enum outcome cancel(struct backend *b, struct backend_call *call, struct span reason)
{
	struct isolated *s = isolated_of(b);

	if (call->link == NULL) {
		pending_forget(&s->refused, call);
		return call->outcome;
	}
	struct backend *inner = member_of(call->link)->backend;
	return inner->ops->cancel(inner, call, reason);
}

static void answer(struct backend *b, uint64_t ask, const struct pieces *outcome)
{
	const struct member *m = map_get_u64(&isolated_of(b)->by_number, ask >> ASK_BITS);

	if (m != NULL)
		m->backend->ops->answer(m->backend, ask & (((uint64_t)1 << ASK_BITS) - 1), outcome);
}

static void end_session(struct backend *b, uint64_t session)
{
	struct member *m = session != 0 ? map_get_u64(&isolated_of(b)->by_session, session) : NULL;

	if (m != NULL)
		leave(m);
}

static void tell(struct backend *b, enum method method, struct span params)
{
	struct isolated *s = isolated_of(b);

	if (method == METHOD_SET_LEVEL) {
		buf_free(&s->level);
		buf_add(&s->level, params);
	}
	s->main->backend->ops->tell(s->main->backend, method, params);
	list_each (node, &s->members)
		member_at(node)->backend->ops->tell(member_at(node)->backend, method, params);
}

static void notify(struct backend *b, uint64_t session, enum method method, struct span params)
{
	const struct member *m = map_get_u64(&isolated_of(b)->by_session, session);

	if (m != NULL)
		m->backend->ops->notify(m->backend, session, method, params);
}

static void want_updates(
        struct backend *b, uint64_t session, enum wanted_kind kind, struct span text, bool wanted, bool tell)
{
	struct isolated *s = isolated_of(b);
	struct member *m = session == 0 ? s->main : map_get_u64(&s->by_session, session);

	if (m == NULL || m->backend->ops->want_updates == NULL)
		return;
	if (wanted)
		m->wanted++;
	else if (m->wanted > 0)
		m->wanted--;
	m->backend->ops->want_updates(m->backend, session, kind, text, wanted, tell);
}

static void stop(struct backend *b, enum backend_stop how)
{
	struct isolated *s = isolated_of(b);

	s->stopping = true;
	s->main->backend->ops->stop(s->main->backend, how);
	list_each (node, &s->members)
		member_at(node)->backend->ops->stop(member_at(node)->backend, how);
}

static void no_more(struct backend *b)
{
	struct isolated *s = isolated_of(b);

	s->last = true;
	s->main->backend->ops->no_more(s->main->backend);
	list_each (node, &s->members)
		member_at(node)->backend->ops->no_more(member_at(node)->backend);
}

static void limit_stop(struct backend *b, msec_t eof_ms, msec_t term_ms)
{
	struct isolated *s = isolated_of(b);

	s->eof_limit_ms = s->eof_limit_ms < 0 ? eof_ms : less(s->eof_limit_ms, eof_ms);
	s->term_limit_ms = s->term_limit_ms < 0 ? term_ms : less(s->term_limit_ms, term_ms);
	s->main->backend->ops->limit_stop(s->main->backend, eof_ms, term_ms);
	list_each (node, &s->members)
		member_at(node)->backend->ops->limit_stop(member_at(node)->backend, eof_ms, term_ms);
}

static void configure(struct backend *b, const struct backend_conf *conf)
{
	struct isolated *s = isolated_of(b);

	s->base.conf = conf;
	s->log.about = F_STR("backend", conf->name);
	s->main->backend->ops->configure(s->main->backend, conf);
	list_each (node, &s->members) {
		struct member *m = member_at(node);
		if (m->leaving)
			take_leaving_conf(m);
		else
			m->backend->ops->configure(m->backend, conf);
	}
}

static void stats(const struct backend *b, struct backend_stats *stats)
{
	const struct isolated *s = (const struct isolated *)(const void *)b;

	s->main->backend->ops->stats(s->main->backend, stats);
	stats->starts += s->starts;
	stats->restarts += s->restarts;
	stats->dropped += s->dropped;
	list_each (node, &s->members) {
		struct backend_stats more;
		const struct backend *inner = member_at(node)->backend;
		inner->ops->stats(inner, &more);
		stats->in_flight += more.in_flight;
		stats->processes += more.processes;
		stats->starts += more.starts;
		stats->restarts += more.restarts;
		stats->dropped += more.dropped;
	}
}

static void free_backend(struct backend *b)
{
	struct isolated *s = isolated_of(b);

	assert(s->main_stopped && s->count == 0);
	post_cancel(&s->sweep_post);
	member_free(s->main);
	map_free(&s->by_session);
	map_free(&s->by_number);
	pending_clear(&s->refused);
	buf_free(&s->level);
	free(s);
}

static const struct backend_ops ops = {
	.start = start,
	.submit = submit,
	.cancel = cancel,
	.answer = answer,
	.end_session = end_session,
	.tell = tell,
	.notify = notify,
	.want_updates = want_updates,
	.stop = stop,
	.no_more = no_more,
	.limit_stop = limit_stop,
	.configure = configure,
	.stats = stats,
	.free = free_backend,
};

struct backend *isolated_backend_new(struct sched *sched, const struct backend_conf *conf,
        const struct isolated_maker *maker, const struct backend_events *events, void *arg, const struct logger *lg)
{
	struct isolated *s = NEW(struct isolated);

	*s = (struct isolated){
		.base = { .ops = &ops, .conf = conf, .events = events, .arg = arg },
		.sched = sched,
		.maker = *maker,
		.log = *lg,
		.full_logged = MONO_NEVER,
		.eof_limit_ms = -1,
		.term_limit_ms = -1,
	};
	s->log.about = F_STR("backend", conf->name);
	list_init(&s->members);
	pending_init(&s->refused, sched);
	s->main = member_new(s, 0, backend_shared_capabilities(conf), false, true);
	return &s->base;
}
