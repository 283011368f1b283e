#include "gateway/subscriptions.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

#define PARTS_MAX 64 /* of a URI, for which it is asked whether somebody subscribes to all below */

/* A resource that somebody wants to hear of. */
struct resource {
	struct list node;
	struct list subscriptions;
	struct resource_name name; /* in `key` */
	enum agreement agreement;
	size_t size;
	char key[]; /* server, kind, session, uri */
};

struct subscription {
	struct list in_resource, in_subscriber;
	struct resource *resource;
	struct subscriber *who;
};

void subscriptions_init(struct subscriptions *s)
{
	*s = (struct subscriptions){ 0 };
	list_init(&s->all);
}

void subscriptions_clear(struct subscriptions *s)
{
	assert(s->by_key.count == 0);
	map_free(&s->by_key);
}

void subscriber_init(struct subscriber *who)
{
	*who = (struct subscriber){ 0 };
	list_init(&who->all);
}

static struct subscription *in_resource(struct list *node)
{
	return list_entry(node, struct subscription, in_resource);
}

static struct subscription *in_subscriber(struct list *node)
{
	return list_entry(node, struct subscription, in_subscriber);
}

/* A server's name has neither a line feed nor a tab. */
static void put_key(struct buf *out, const struct resource_name *name)
{
	buf_add(out, name->server);
	buf_add_char(out, name->kind == WANTED_TASK ? '\t' : '\n');
	buf_add(out, (struct span){ (const char *)&name->session, sizeof(name->session) });
	buf_add(out, name->uri);
}

static struct resource *find(const struct subscriptions *s, const struct resource_name *name)
{
	struct buf key = { 0 };

	put_key(&key, name);
	struct resource *r = map_get(&s->by_key, buf_span(&key));
	buf_free(&key);
	return r;
}

static struct resource *add(struct subscriptions *s, const struct resource_name *name)
{
	size_t size = name->server.n + 1 + sizeof(name->session) + name->uri.n;
	struct resource *r = mem_zalloc(sizeof(*r) + size);
	struct buf key = { .mem = r->key, .cap = size };

	put_key(&key, name);
	r->size = size;
	r->name = (struct resource_name){
		.server = { r->key, name->server.n },
		.session = name->session,
		.uri = { r->key + size - name->uri.n, name->uri.n },
		.kind = name->kind,
	};
	list_init(&r->subscriptions);
	list_append(&s->all, &r->node);
	map_put(&s->by_key, (struct span){ r->key, size }, r);
	return r;
}

static struct subscription *find_of(const struct resource *r, const struct subscriber *who)
{
	list_each (node, &r->subscriptions)
		if (in_resource(node)->who == who)
			return in_resource(node);
	return NULL;
}

bool subscriptions_add(struct subscriptions *s, struct subscriber *who, const struct resource_name *name, bool *first)
{
	struct resource *r = find(s, name);

	*first = r == NULL;
	if (r != NULL && find_of(r, who) != NULL)
		return true;
	if (who->count == SUBSCRIPTIONS_MAX || name->uri.n > SUBSCRIPTION_URI_MAX)
		return false;
	if (r == NULL)
		r = add(s, name);
	struct subscription *one = NEW(struct subscription);
	one->resource = r;
	one->who = who;
	list_append(&r->subscriptions, &one->in_resource);
	list_append(&who->all, &one->in_subscriber);
	who->count++;
	return true;
}

bool subscriptions_have(const struct subscriptions *s, const struct resource_name *name)
{
	return find(s, name) != NULL;
}

void subscriptions_agree(struct subscriptions *s, const struct resource_name *name, bool yes)
{
	struct resource *r = find(s, name);

	if (r != NULL)
		r->agreement = yes ? AGREEMENT_YES : AGREEMENT_NO;
}

enum agreement subscriptions_agreement(const struct subscriptions *s, const struct resource_name *name)
{
	const struct resource *r = find(s, name);

	return r != NULL ? r->agreement : AGREEMENT_NONE;
}

bool subscriptions_remove(struct subscriptions *s, struct subscriber *who, const struct resource_name *name, bool *last)
{
	struct resource *r = find(s, name);
	struct subscription *one = r != NULL ? find_of(r, who) : NULL;

	*last = false;
	if (one == NULL)
		return false;
	list_unlink(&one->in_resource);
	list_unlink(&one->in_subscriber);
	free(one);
	who->count--;
	*last = list_is_empty(&r->subscriptions);
	if (*last) {
		map_remove(&s->by_key, (struct span){ r->key, r->size });
		list_unlink(&r->node);
		free(r);
	}
	return true;
}

bool subscriber_first(const struct subscriber *who, struct span uri, struct resource_name *name)
{
	list_each (node, &who->all) {
		const struct resource *r = in_subscriber(node)->resource;
		if (span_is_set(uri) && !span_eq(uri, r->name.uri))
			continue;
		*name = r->name;
		return true;
	}
	return false;
}

static const struct resource *resource_at(const struct list *node)
{
	return list_entry((struct list *)(uintptr_t)node, struct subscription, in_subscriber)->resource;
}

const struct resource_name *subscription_name(const struct list *node)
{
	return &resource_at(node)->name;
}

enum agreement subscription_agreement(const struct list *node)
{
	return resource_at(node)->agreement;
}

void subscriptions_each(const struct subscriptions *s, struct span server,
        void (*see)(void *arg, const struct resource_name *name), void *arg)
{
	list_each (node, &s->all) {
		const struct resource *r = list_entry(node, struct resource, node);
		if (span_eq(r->name.server, server))
			see(arg, &r->name);
	}
}

struct telling {
	struct subscriptions *s;
	void (*tell)(void *arg, struct subscriber *who);
	void *arg;
};

static void tell_all(const struct telling *t, const struct resource_name *name)
{
	const struct resource *r = find(t->s, name);

	if (r == NULL)
		return;
	list_each (node, &r->subscriptions) {
		struct subscriber *who = in_resource(node)->who;
		if (who->told == t->s->updates)
			continue;
		who->told = t->s->updates;
		t->tell(t->arg, who);
	}
}

static bool ends_a_part(char c)
{
	return c == '/' || c == '?' || c == '#';
}

/* What it is a part of ends before or behind a slash, or where the query or the fragment begins. */
void subscriptions_update(struct subscriptions *s, const struct resource_name *name,
        void (*tell)(void *arg, struct subscriber *who), void *arg)
{
	const struct telling t = { s, tell, arg };
	struct resource_name part = *name;
	unsigned parts = 0;

	if (s->by_key.count == 0)
		return;
	s->updates++;
	tell_all(&t, name);
	if (name->kind == WANTED_TASK)
		return;
	for (size_t i = 1; i < name->uri.n && i < SUBSCRIPTION_URI_MAX && parts < PARTS_MAX; i++) {
		if (!ends_a_part(name->uri.p[i]))
			continue;
		parts++;
		part.uri = span_cut(name->uri, i);
		tell_all(&t, &part);
		part.uri = span_cut(name->uri, i + 1);
		if (part.uri.n < name->uri.n)
			tell_all(&t, &part);
	}
}
