#include "net/http_client.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/http_client_private.h"

/* Waiting fetches and idle connections */

void http_client_wait(struct http_client *c, struct http_fetch *f, bool first)
{
	list_append(first ? c->waiting.next : &c->waiting, &f->node);
	f->waits = true;
	c->waiting_count++;
}

void http_client_wait_no_more(struct http_client *c, struct http_fetch *f)
{
	list_unlink(&f->node);
	c->waiting_count -= f->waits;
	f->waits = false;
}

/* A connection that has just been made is used as it is: what is wrong with it is the answer to a request, or a server
 * that closes whatever it accepts would be connected to for ever. */
static bool is_good(struct http_client_conn *l)
{
	bool is_new = !l->used && l->idle_since.ms == loop_now(l->client->loop).ms;

	return is_new || http_client_conn_is_alive(l);
}

/* The one that was used last. Those that have gone meanwhile are closed on the way. */
static struct http_client_conn *take_idle(struct http_client *c)
{
	while (!list_is_empty(&c->idle)) {
		struct http_client_conn *l = list_entry(c->idle.prev, struct http_client_conn, node);
		if (is_good(l))
			return l;
		http_client_conn_happens(l, LINK_CLOSE);
	}
	return NULL;
}

static void make_more(struct http_client *c)
{
	while (c->making < c->waiting_count && c->count < c->conf.max_connections)
		http_client_conn_new(c);
}

void http_client_serve(struct http_client *c)
{
	struct http_client_conn *l;

	while (!list_is_empty(&c->waiting) && (l = take_idle(c)) != NULL) {
		struct http_fetch *f = list_entry(list_first(&c->waiting), struct http_fetch, node);
		http_client_wait_no_more(c, f);
		c->reused += l->used;
		l->fetch = f;
		http_client_conn_happens(l, LINK_TAKE);
	}
	make_more(c);
}

/* They are taken out before the first of them hears of it, for it may begin again. */
static void refuse_first(struct http_client *c, size_t n)
{
	for (; n > 0; n--) {
		struct http_fetch *f = list_entry(list_first(&c->waiting), struct http_fetch, node);
		http_client_wait_no_more(c, f);
		list_append(&c->refused, &f->node);
		post_set(loop_sched(c->loop), &f->post, http_fetch_unreachable, f);
	}
}

/* When nothing leads there, all who wait hear of it; else the one who has waited longest, if one was made for him. */
void http_client_not_made(struct http_client *c, const char *sentence)
{
	log_debug(&c->log, "http_unreachable", "no connection could be made", F_STR("origin", c->name),
	        F_STR("error", sentence));
	resolve_doubt(c->resolver, c->hop.host);
	snprintf(c->sentence, sizeof(c->sentence), "%s", sentence);
	refuse_first(c, c->count == 0 ? c->waiting_count : c->waiting_count > c->making ? 1 : 0);
	make_more(c);
}

void http_client_suspect(struct http_client *c)
{
	for (struct list *node; (node = list_first(&c->idle)) != NULL;)
		http_client_conn_happens(list_entry(node, struct http_client_conn, node), LINK_CLOSE);
}

static void age(void *arg)
{
	struct http_client *c = arg;
	mono_t now = loop_now(c->loop);

	for (struct list *node; (node = list_first(&c->idle)) != NULL;) {
		struct http_client_conn *l = list_entry(node, struct http_client_conn, node);
		if (!mono_past(mono_add(l->idle_since, c->conf.idle_connection_ms), now))
			break;
		http_client_conn_happens(l, LINK_CLOSE);
	}
	http_client_count_age(c);
}

/* The timer may ring early, for one that is not idle any more: moving it would cost more. */
void http_client_count_age(struct http_client *c)
{
	if (timer_is_set(&c->timer) || list_is_empty(&c->idle))
		return;
	const struct http_client_conn *oldest = list_entry(list_first(&c->idle), struct http_client_conn, node);
	timer_set(loop_sched(c->loop), &c->timer, mono_add(oldest->idle_since, c->conf.idle_connection_ms), age, c);
}

/* The client */

/* "user:password", percent-decoded, in base64 (RFC 7617). */
static void put_credentials(struct buf *out, struct span userinfo)
{
	struct buf plain = { 0 };

	for (size_t i = 0; i < userinfo.n; i++) {
		char digits[3] = { 0 };
		if (userinfo.p[i] != '%') {
			buf_add_char(&plain, userinfo.p[i]);
			continue;
		}
		memcpy(digits, userinfo.p + i + 1, 2); /* the URL's parser has seen to it that they are there */
		buf_add_char(&plain, (char)strtol(digits, NULL, 16));
		i += 2;
	}
	buf_add(out, SPAN("Proxy-Authorization: Basic "));
	size_t size = (buf_size(&plain) + 2) / 3 * 4;
	EVP_EncodeBlock((unsigned char *)buf_reserve(out, size + 1), (const unsigned char *)buf_span(&plain).p,
	        (int)buf_size(&plain));
	buf_added(out, size);
	buf_add(out, SPAN("\r\n"));
	buf_free(&plain);
}

static void put_connect(struct http_client *c, const struct url *proxy)
{
	struct buf *out = &c->connect;

	c->tunnels = true;
	buf_printf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", c->name, c->name);
	if (span_is_set(proxy->userinfo))
		put_credentials(out, proxy->userinfo);
	buf_add(out, SPAN("\r\n"));
}

/* What each request begins and goes on with. */
static void put_fixed(struct http_client *c, const struct http_client_conf *conf)
{
	bool is_absolute = conf->proxy != NULL && !c->secure;
	size_t n = 0;

	if (is_absolute) {
		buf_add(&c->fixed, SPAN("http://"));
		url_put_authority(&c->fixed, &conf->origin, false);
		n = buf_size(&c->fixed);
	}
	buf_add(&c->fixed, SPAN(" HTTP/1.1\r\nHost: "));
	url_put_authority(&c->fixed, &conf->origin, false);
	buf_add(&c->fixed, SPAN("\r\n"));
	if (is_absolute && span_is_set(conf->proxy->userinfo))
		put_credentials(&c->fixed, conf->proxy->userinfo);
	c->absolute = span_cut(buf_span(&c->fixed), n);
	c->line = span_skip(buf_span(&c->fixed), n);
}

static char *name_of(const struct url *origin)
{
	struct buf text = { 0 };

	url_put_authority(&text, origin, true);
	char *name = span_dup(buf_span(&text));
	buf_free(&text);
	return name;
}

static void set_hop(struct http_client *c, const struct url *hop)
{
	buf_add(&c->text, hop->host);
	c->hop = (struct url){ .host = buf_span(&c->text), .is_v6 = hop->is_v6, .port = hop->port };
}

struct http_client *http_client_new(
        struct loop *l, struct resolver *r, const struct http_client_conf *conf, const struct logger *lg, struct err *e)
{
	if (conf->origin.secure && conf->tls == NULL) {
		err_set(e, "https needs a TLS context");
		return NULL;
	}
	if (conf->proxy != NULL && conf->proxy->secure) {
		err_set(e, "a proxy is spoken to over http:// only");
		return NULL;
	}
	assert(conf->max_connections > 0);
	struct http_client *c = NEW(struct http_client);
	c->loop = l;
	c->resolver = r;
	c->conf = *conf;
	c->log = *lg;
	c->secure = conf->origin.secure;
	c->conf.tls = c->secure ? tls_context_ref(conf->tls) : NULL;
	c->name = name_of(&conf->origin);
	c->tls_name = span_dup(span_is_set(conf->tls_name) ? conf->tls_name : conf->origin.host);
	set_hop(c, conf->proxy != NULL ? conf->proxy : &conf->origin);
	put_fixed(c, conf);
	if (c->secure && conf->proxy != NULL)
		put_connect(c, conf->proxy);
	list_init(&c->idle);
	list_init(&c->others);
	list_init(&c->waiting);
	list_init(&c->refused);
	return c;
}

void http_client_free(struct http_client **cp)
{
	struct http_client *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	for (struct list *node; (node = list_first(&c->waiting)) != NULL;)
		http_fetch_drop(list_entry(node, struct http_fetch, node));
	for (struct list *node; (node = list_first(&c->refused)) != NULL;)
		http_fetch_drop(list_entry(node, struct http_fetch, node));
	http_client_suspect(c);
	for (struct list *node; (node = list_first(&c->others)) != NULL;) {
		struct http_client_conn *l = list_entry(node, struct http_client_conn, node);
		if (l->fetch != NULL)
			http_fetch_cancel(l->fetch);
		else
			http_client_conn_happens(l, LINK_CLOSE);
	}
	timer_stop(loop_sched(c->loop), &c->timer);
	tls_context_unref(&c->conf.tls);
	buf_free(&c->text);
	buf_free(&c->fixed);
	buf_free(&c->connect);
	free(c->name);
	free(c->tls_name);
	free(c);
}

void http_client_renew(struct http_client *c)
{
	http_client_suspect(c);
	list_each (node, &c->others) {
		struct http_client_conn *l = list_entry(node, struct http_client_conn, node);
		l->is_old = true;
		if (l->fetch == NULL)
			http_client_conn_happens(l, LINK_CLOSE);
	}
	make_more(c);
}

void http_client_stats(const struct http_client *c, struct http_client_stats *stats)
{
	*stats = (struct http_client_stats){
		.connections = c->count,
		.idle = c->idle_count,
		.connecting = c->making,
		.waiting = c->waiting_count,
		.opened = c->opened,
		.reused = c->reused,
		.fetches = c->fetches,
		.retried = c->retried,
	};
}
