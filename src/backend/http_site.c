#include "backend/http_site.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/proxy.h"

#define SPARE_CONNECTIONS 2048 /* beside those of calls: a stream of news per session, answers, cancellations */
#define MAX_WAITING 65536      /* of requests; the calls among them have bounds of their own */

const char *http_way_name(enum http_way way)
{
	static const char *const names[] = { "unknown", "streamable HTTP, modern", "streamable HTTP", "HTTP+SSE" };

	assert(way < sizeof(names) / sizeof(names[0]));
	return names[way];
}

static bool find_proxy(struct http_site *site, const struct backend_conf *conf, bool *use, struct url *proxy)
{
	const struct proxy_conf all = {
		.http = span_of(conf->http_proxy),
		.https = span_of(conf->https_proxy),
		.none = span_of(conf->proxy_spared),
	};

	return proxy_for(&all, &site->url, use, proxy, &site->fault);
}

static void connect_site(struct http_site *site, const struct logger *lg)
{
	const struct backend_conf *conf = site->conf;
	bool use = false;
	struct url proxy;

	if (!url_parse(span_of(conf->url), &site->url, &site->fault) || !find_proxy(site, conf, &use, &proxy))
		return;
	url_put_target(&site->target, &site->url);
	struct http_client_conf client = { HTTP_CLIENT_DEFAULTS };
	client.origin = site->url;
	client.proxy = use ? &proxy : NULL;
	client.tls = conf->tls;
	client.tls_name = span_of(conf->tls_name);
	client.max_connections = conf->max_in_flight + SPARE_CONNECTIONS;
	client.max_waiting = MAX_WAITING;
	site->client = http_client_new(site->sites->loop, site->sites->resolver, &client, lg, &site->fault);
}

void http_sites_init(struct http_sites *sites, struct loop *l, struct resolver *r)
{
	*sites = (struct http_sites){ .loop = l, .resolver = r };
	list_init(&sites->all);
}

static struct http_site *site_new(struct http_sites *sites, const struct backend_conf *conf, const struct logger *lg)
{
	struct http_site *site = NEW(struct http_site);

	site->sites = sites;
	site->conf = backend_conf_copy(conf);
	site->way = conf->http_type == HTTP_TYPE_SSE ? HTTP_WAY_SSE : HTTP_WAY_UNKNOWN;
	struct logger own = *lg;
	own.about = F_STR("backend", site->conf->name);
	connect_site(site, &own);
	list_append(&sites->all, &site->node);
	return site;
}

static bool is_site_of(const struct http_site *site, const struct backend_conf *conf)
{
	return strcmp(site->conf->name, conf->name) == 0 && backend_conf_compare(site->conf, conf) != BACKEND_REPLACED;
}

struct http_site *http_site_of(struct http_sites *sites, const struct backend_conf *conf, const struct logger *lg)
{
	struct http_site *site = NULL;

	list_each (node, &sites->all)
		if (site == NULL && is_site_of(list_entry(node, struct http_site, node), conf))
			site = list_entry(node, struct http_site, node);
	if (site == NULL)
		site = site_new(sites, conf, lg);
	site->users++;
	return site;
}

static void add_counts(struct http_client_stats *sum, const struct http_client_stats *more)
{
	sum->opened += more->opened;
	sum->reused += more->reused;
	sum->fetches += more->fetches;
	sum->retried += more->retried;
}

void http_sites_stats(const struct http_sites *sites, struct http_client_stats *sum)
{
	*sum = sites->gone;
	list_each (node, &sites->all) {
		const struct http_site *site = list_entry(node, struct http_site, node);
		struct http_client_stats more;
		if (site->client == NULL)
			continue;
		http_client_stats(site->client, &more);
		add_counts(sum, &more);
		sum->connections += more.connections;
		sum->idle += more.idle;
		sum->connecting += more.connecting;
		sum->waiting += more.waiting;
	}
}

static void close_client(struct http_site *site)
{
	struct http_client_stats last;

	if (site->client == NULL)
		return;
	http_client_stats(site->client, &last);
	add_counts(&site->sites->gone, &last);
	http_client_free(&site->client);
}

void http_site_release(struct http_site **sp)
{
	struct http_site *site = *sp;

	*sp = NULL;
	if (--site->users > 0)
		return;
	list_unlink(&site->node);
	close_client(site);
	buf_free(&site->target);
	param_tools_clear(&site->params);
	backend_conf_free(&site->conf);
	free(site);
}
