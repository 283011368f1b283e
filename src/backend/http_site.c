#include "backend/http_site.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/proxy.h"

#define SPARE_CONNECTIONS 256 /* beside those of calls: streams of news, answers, cancellations */
#define MAX_WAITING 65536     /* of requests; the calls among them have bounds of their own */

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

static void connect_site(struct http_site *site, struct loop *l, struct resolver *r, const struct backend_conf *conf,
        const struct logger *lg)
{
	bool use = false;
	struct url proxy;

	if (!url_parse(span_of(site->text), &site->url, &site->fault) || !find_proxy(site, conf, &use, &proxy))
		return;
	url_put_target(&site->target, &site->url);
	struct http_client_conf client = { HTTP_CLIENT_DEFAULTS };
	client.origin = site->url;
	client.proxy = use ? &proxy : NULL;
	client.tls = site->tls;
	client.tls_name = span_of(conf->tls_name);
	client.max_connections = conf->max_in_flight + SPARE_CONNECTIONS;
	client.max_waiting = MAX_WAITING;
	site->client = http_client_new(l, r, &client, lg, &site->fault);
}

struct http_site *http_site_new(
        struct loop *l, struct resolver *r, const struct backend_conf *conf, const struct logger *lg)
{
	struct http_site *site = NEW(struct http_site);

	site->users = 1;
	site->text = span_dup(span_of(conf->url));
	site->way = conf->http_type == HTTP_TYPE_SSE ? HTTP_WAY_SSE : HTTP_WAY_UNKNOWN;
	connect_site(site, l, r, conf, lg);
	return site;
}

struct http_site *http_site_hold(struct http_site *site)
{
	site->users++;
	return site;
}

void http_site_release(struct http_site **sp)
{
	struct http_site *site = *sp;

	*sp = NULL;
	if (--site->users > 0)
		return;
	http_client_free(&site->client);
	buf_free(&site->target);
	free(site->text);
	free(site);
}
