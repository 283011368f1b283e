#include "front/guard.h"

/* "example.org:8080" -> "example.org", "[::1]:80" -> "[::1]" */
static struct span without_port(struct span authority)
{
	if (authority.n > 0 && authority.p[0] == '[')
		return span_cut(authority, span_find(authority, ']') + 1);
	return span_cut(authority, span_find(authority, ':'));
}

/* 127.0.0.0/8 (RFC 1122, 3.2.1.3): digits and dots only, or "127.0.0.1.example.org" would be one. */
static bool is_loopback_number(struct span host)
{
	if (!span_starts(host, SPAN("127.")))
		return false;
	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'))
			return false;
	return true;
}

static bool is_loopback_name(struct span host)
{
	static const char *const names[] = { "localhost", "[::1]", "::1" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq_nocase(host, span_of(names[i])))
			return true;
	return is_loopback_number(host);
}

bool guard_is_loopback(struct span address)
{
	return is_loopback_name(without_port(address));
}

static bool is_listed(const char *const *list, struct span value)
{
	for (; *list != NULL; list++)
		if (span_eq_nocase(span_of(*list), value) || span_eq(span_of(*list), SPAN("*")))
			return true;
	return false;
}

static bool host_is_allowed(const struct guard_conf *conf, struct span host)
{
	struct span name = without_port(host);

	if (conf->hosts != NULL)
		return is_listed(conf->hosts, name);
	return !conf->loopback || is_loopback_name(name);
}

static bool origin_is_allowed(const struct guard_conf *conf, struct span origin)
{
	if (conf->origins != NULL)
		return is_listed(conf->origins, origin);
	struct span rest = origin;
	if (!conf->loopback)
		return false;
	if (span_starts(rest, SPAN("http://")))
		rest = span_skip(rest, 7);
	else if (span_starts(rest, SPAN("https://")))
		rest = span_skip(rest, 8);
	else
		return false;
	return is_loopback_name(without_port(rest));
}

int guard_check(const struct guard_conf *conf, const struct request_head *head)
{
	unsigned origins = head_count(head, SPAN("origin"));

	if (span_is_set(head->host) && !host_is_allowed(conf, head->host))
		return 403;
	if (origins > 1)
		return 403;
	if (origins == 1 && !origin_is_allowed(conf, head_get(head, SPAN("origin"))))
		return 403;
	return 0;
}
