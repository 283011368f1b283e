#include "loop/resolve.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/map.h"
#include "base/mem.h"
#include "loop/work.h"

#define FRESH_MS 30000  /* an answer */
#define STALE_MS 60000  /* ... and beyond that, while it is looked up again */
#define FAILED_MS 1000  /* a failure; and the least time between two look-ups of a name */
#define NAMES_MAX 256   /* kept */
#define LOOK_UPS_MAX 32 /* at a time; the rest waits in order */

struct resolve_entry {
	struct resolver *resolver;
	struct list node;        /* in resolver->entries, those used last at the end */
	struct list queued;      /* in resolver->queued, while it waits for a thread */
	struct list queries;     /* of those who wait */
	struct look_up *look_up; /* under way */
	struct resolve_answer answer;
	bool has_answer, is_numeric;
	mono_t fresh_until, usable_until; /* beyond the latter it is not given before a new look-up has failed */
	mono_t looked_up_at;
	size_t size;
	char name[RESOLVE_NAME_MAX + 1];
};

/* What a thread works on: it outlives its resolver if it must. */
struct look_up {
	struct resolve_entry *entry; /* NULL: nobody is interested any more */
	resolve_look_up *run;
	struct resolve_answer answer;
	char name[RESOLVE_NAME_MAX + 1];
};

struct resolver {
	struct loop *loop;
	resolve_look_up *look_up;
	struct map by_name;
	struct list entries, queued;
	size_t count, running;
};

/* Answers */

static void add_address(struct resolve_answer *a, const void *address, size_t size)
{
	if (a->count < RESOLVE_ADDRESSES_MAX && size <= sizeof(a->addresses[0]))
		memcpy(&a->addresses[a->count++], address, size);
}

static void add_v4(struct resolve_answer *a, struct in_addr address)
{
	const struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = address };

	add_address(a, &in, sizeof(in));
}

static void add_v6(struct resolve_answer *a, struct in6_addr address)
{
	const struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_addr = address };

	add_address(a, &in, sizeof(in));
}

static bool is_localhost(struct span name)
{
	struct span tail = SPAN("localhost");

	if (name.n > tail.n && name.p[name.n - tail.n - 1] == '.')
		name = span_skip(name, name.n - tail.n);
	return span_eq_nocase(name, tail);
}

/* A name whose last label is a number is none (URL standard, "ends in a number"): getaddrinfo would read it in ways
 * that nobody means, such as 1.2 for 1.0.0.2. */
static bool ends_in_number(struct span name)
{
	while (name.n > 0 && name.p[name.n - 1] >= '0' && name.p[name.n - 1] <= '9')
		name.n--;
	return name.n == 0 || name.p[name.n - 1] == '.';
}

/* What can be said without asking anybody. */
static bool answer_by_itself(const char *name, struct resolve_answer *a)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, name, &v4) == 1) {
		add_v4(a, v4);
	} else if (inet_pton(AF_INET6, name, &v6) == 1) {
		add_v6(a, v6);
	} else if (is_localhost(span_of(name))) {
		add_v6(a, in6addr_loopback);
		add_v4(a, (struct in_addr){ htonl(INADDR_LOOPBACK) });
	} else if (strchr(name, ':') != NULL || ends_in_number(span_of(name))) {
		snprintf(a->error, sizeof(a->error), "this is not a valid address");
	} else {
		return false;
	}
	return true;
}

/* Takes from `list` the first that is of the family, or of any but it. */
static const struct addrinfo *take(const struct addrinfo **list, int family, bool same)
{
	while (*list != NULL && ((*list)->ai_family == family) != same)
		*list = (*list)->ai_next;
	const struct addrinfo *taken = *list;
	if (taken != NULL)
		*list = taken->ai_next;
	return taken;
}

/* The order is the system's choice within each family. */
void resolve_add_by_turns(struct resolve_answer *a, const struct addrinfo *all)
{
	const struct addrinfo *one = all, *other = all, *next;
	const int family = all->ai_family;

	do {
		next = take(&one, family, true);
		if (next != NULL)
			add_address(a, next->ai_addr, next->ai_addrlen);
		next = take(&other, family, false);
		if (next != NULL)
			add_address(a, next->ai_addr, next->ai_addrlen);
	} while (one != NULL || other != NULL);
}

/* In a thread. */
static void ask_system(const char *name, struct resolve_answer *a)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *all = NULL;
	int failed = getaddrinfo(name, NULL, &hints, &all);

	if (failed == 0) {
		resolve_add_by_turns(a, all);
		freeaddrinfo(all);
		return;
	}
	a->is_gone = failed == EAI_NONAME || failed == EAI_NODATA;
	snprintf(a->error, sizeof(a->error), "%s", gai_strerror(failed));
}

/* Looking up */

static void tell(struct resolve_query *q, const struct resolve_answer *answer)
{
	list_unlink(&q->node);
	post_cancel(&q->post);
	q->entry = NULL;
	q->done(q->arg, answer);
}

static void tell_all(struct resolve_entry *n)
{
	struct list queries;

	list_move_all(&n->queries, &queries);
	for (struct list *node; (node = list_first(&queries)) != NULL;)
		tell(list_entry(node, struct resolve_query, node), &n->answer);
}

/* An answer that failed takes the place of a good one only if the name is gone. */
static void take_answer(struct resolve_entry *n, const struct resolve_answer *a)
{
	mono_t now = loop_now(n->resolver->loop);
	bool good = a->count > 0, keep = !good && !a->is_gone && n->has_answer && n->answer.count > 0;

	n->looked_up_at = now;
	n->fresh_until = mono_add(now, good ? FRESH_MS : FAILED_MS);
	n->usable_until = mono_add(n->fresh_until, good || keep ? STALE_MS : 0);
	if (!keep)
		n->answer = *a;
	n->has_answer = true;
}

static void start_queued(struct resolver *r);

static void looked_up(void *arg)
{
	struct look_up *l = arg;
	struct resolve_entry *n = l->entry;

	if (n != NULL) {
		n->look_up = NULL;
		n->resolver->running--;
		take_answer(n, &l->answer);
		start_queued(n->resolver);
		tell_all(n);
	}
	free(l);
}

static void run_look_up(void *arg)
{
	struct look_up *l = arg;

	l->run(l->name, &l->answer);
}

static void tell_later(struct resolve_query *q);

/* Without a thread that is the answer. */
static void fail(struct resolve_entry *n, const char *error)
{
	struct resolve_answer a = { .count = 0 };

	snprintf(a.error, sizeof(a.error), "%.*s", (int)sizeof(a.error) - 1, error);
	take_answer(n, &a);
	list_each (node, &n->queries)
		tell_later(list_entry(node, struct resolve_query, node));
}

static void start_look_up(struct resolve_entry *n)
{
	struct resolver *r = n->resolver;
	struct look_up *l = NEW(struct look_up);
	struct err e;

	l->entry = n;
	l->run = r->look_up;
	memcpy(l->name, n->name, sizeof(l->name));
	if (!work_start(r->loop, run_look_up, looked_up, l, &e)) {
		free(l);
		fail(n, e.text);
		return;
	}
	n->look_up = l;
	r->running++;
}

static void start_queued(struct resolver *r)
{
	struct list *node;

	while (r->running < LOOK_UPS_MAX && (node = list_take_first(&r->queued)) != NULL)
		start_look_up(list_entry(node, struct resolve_entry, queued));
}

static void look_up(struct resolve_entry *n)
{
	if (n->look_up != NULL || list_is_linked(&n->queued))
		return;
	list_append(&n->resolver->queued, &n->queued);
	start_queued(n->resolver);
}

/* Names */

static void forget(struct resolve_entry *n)
{
	struct resolver *r = n->resolver;

	if (n->look_up != NULL) {
		n->look_up->entry = NULL;
		r->running--;
	}
	map_remove(&r->by_name, (struct span){ n->name, n->size });
	list_unlink(&n->node);
	list_unlink(&n->queued);
	r->count--;
	free(n);
}

static void make_room(struct resolver *r)
{
	list_each (node, &r->entries) {
		struct resolve_entry *n = list_entry(node, struct resolve_entry, node);
		if (n->look_up == NULL && !list_is_linked(&n->queued) && list_is_empty(&n->queries)) {
			forget(n);
			return;
		}
	}
}

static struct resolve_entry *new_entry(struct resolver *r, struct span name)
{
	struct resolve_answer a = { .count = 0 };

	if (r->count == NAMES_MAX)
		make_room(r);
	if (r->count == NAMES_MAX)
		return NULL;
	struct resolve_entry *n = NEW(struct resolve_entry);
	n->resolver = r;
	n->size = name.n;
	for (size_t i = 0; i < name.n; i++)
		n->name[i] = ascii_lower(name.p[i]);
	list_init(&n->queries);
	map_put(&r->by_name, (struct span){ n->name, n->size }, n);
	r->count++;
	n->is_numeric = answer_by_itself(n->name, &a);
	if (n->is_numeric)
		take_answer(n, &a);
	return n;
}

static struct resolve_entry *find(struct resolver *r, struct span name)
{
	char lower[RESOLVE_NAME_MAX + 1];

	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	return map_get(&r->by_name, (struct span){ lower, name.n });
}

/* NULL when there cannot be one. */
static struct resolve_entry *entry_of(struct resolver *r, struct span name)
{
	if (name.n == 0 || name.n > RESOLVE_NAME_MAX || span_find(name, '\0') < name.n)
		return NULL;
	struct resolve_entry *n = find(r, name);
	if (n == NULL)
		n = new_entry(r, name);
	if (n != NULL) {
		list_unlink(&n->node);
		list_append(&r->entries, &n->node);
	}
	return n;
}

/* Asking */

static void answer_query(void *arg)
{
	struct resolve_query *q = arg;
	static const struct resolve_answer none = { .error = "the name is not valid, or there are too many" };

	tell(q, q->entry != NULL ? &q->entry->answer : &none);
}

static void tell_later(struct resolve_query *q)
{
	post_set(loop_sched(q->loop), &q->post, answer_query, q);
}

void resolve_start(struct resolver *r, struct resolve_query *q, struct span name,
        void (*done)(void *arg, const struct resolve_answer *answer), void *arg)
{
	mono_t now = loop_now(r->loop);
	struct resolve_entry *n = entry_of(r, name);

	assert(!list_is_linked(&q->node) && !list_is_linked(&q->post.node));
	*q = (struct resolve_query){ .loop = r->loop, .entry = n, .done = done, .arg = arg };
	if (n != NULL)
		list_append(&n->queries, &q->node);
	bool is_fresh = n == NULL || n->is_numeric || (n->has_answer && !mono_past(n->fresh_until, now));
	if (is_fresh || (n->has_answer && !mono_past(n->usable_until, now)))
		tell_later(q);
	if (!is_fresh)
		look_up(n);
}

void resolve_cancel(struct resolve_query *q)
{
	list_unlink(&q->node);
	post_cancel(&q->post);
	q->entry = NULL;
}

void resolve_doubt(struct resolver *r, struct span name)
{
	mono_t now = loop_now(r->loop);
	struct resolve_entry *n = name.n <= RESOLVE_NAME_MAX ? find(r, name) : NULL;

	if (n == NULL || !n->has_answer || mono_diff(now, n->looked_up_at) < FAILED_MS)
		return;
	n->fresh_until = n->usable_until = now;
}

/* The resolver */

struct resolver *resolver_new(struct loop *l, resolve_look_up *look_up_by)
{
	struct resolver *r = NEW(struct resolver);

	r->loop = l;
	r->look_up = look_up_by != NULL ? look_up_by : ask_system;
	list_init(&r->entries);
	list_init(&r->queued);
	return r;
}

void resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	for (struct list *node; (node = list_first(&r->entries)) != NULL;) {
		struct resolve_entry *n = list_entry(node, struct resolve_entry, node);
		assert(list_is_empty(&n->queries));
		forget(n);
	}
	map_free(&r->by_name);
	free(r);
}
