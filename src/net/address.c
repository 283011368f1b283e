#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static struct sockaddr_in *as_v4(struct address *a)
{
	return (struct sockaddr_in *)(void *)&a->any;
}

static struct sockaddr_in6 *as_v6(struct address *a)
{
	return (struct sockaddr_in6 *)(void *)&a->any;
}

/* "host" of "[host]:port" or "host:port"; an IPv6 address needs its brackets. */
static bool split(struct span text, struct span *host, bool *bracketed, uint64_t *port)
{
	size_t colon = text.n;

	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon == 0 || !span_to_u64(span_skip(text, colon), 65535, port))
		return false;
	*host = span_cut(text, colon - 1);
	*bracketed = host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']';
	if (*bracketed)
		*host = (struct span){ host->p + 1, host->n - 2 };
	return *bracketed || span_find(*host, ':') == host->n;
}

static bool parse_v6(const char *host, in_port_t port, struct address *a)
{
	a->size = sizeof(struct sockaddr_in6);
	as_v6(a)->sin6_family = AF_INET6;
	as_v6(a)->sin6_port = port;
	return inet_pton(AF_INET6, host, &as_v6(a)->sin6_addr) == 1;
}

static bool parse_v4(const char *host, in_port_t port, struct address *a)
{
	a->size = sizeof(struct sockaddr_in);
	as_v4(a)->sin_family = AF_INET;
	as_v4(a)->sin_port = port;
	return inet_pton(AF_INET, host, &as_v4(a)->sin_addr) == 1;
}

bool address_parse(struct span text, struct address *a, struct err *e)
{
	struct span host;
	bool bracketed;
	uint64_t port;
	char name[INET6_ADDRSTRLEN];

	*a = (struct address){ 0 };
	if (!split(text, &host, &bracketed, &port) || host.n >= sizeof(name))
		return err_set(e, "\"%.*s\" is not of the form ADDRESS:PORT", SPAN_ARG(text));
	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(host));
	in_port_t wire_port = htons((in_port_t)port);
	if (host.n == 0 && !bracketed)
		return parse_v6("::", wire_port, a);
	if (span_eq_nocase(host, SPAN("localhost")))
		return parse_v4("127.0.0.1", wire_port, a);
	if (bracketed ? parse_v6(name, wire_port, a) : parse_v4(name, wire_port, a))
		return true;
	return err_set(e, "\"%.*s\" is not a numeric address", SPAN_ARG(host));
}

void address_format(const struct address *a, char text[ADDRESS_TEXT_MAX])
{
	struct address copy = *a;
	const struct in6_addr *v6 = &as_v6(&copy)->sin6_addr;
	bool is_v4 = copy.any.ss_family == AF_INET, mapped = !is_v4 && IN6_IS_ADDR_V4MAPPED(v6);
	char name[INET6_ADDRSTRLEN] = "?";

	if (is_v4)
		inet_ntop(AF_INET, &as_v4(&copy)->sin_addr, name, sizeof(name));
	else if (mapped)
		inet_ntop(AF_INET, &v6->s6_addr[12], name, sizeof(name));
	else
		inet_ntop(AF_INET6, v6, name, sizeof(name));
	in_port_t port = is_v4 ? as_v4(&copy)->sin_port : as_v6(&copy)->sin6_port;
	snprintf(text, ADDRESS_TEXT_MAX, is_v4 || mapped ? "%s:%u" : "[%s]:%u", name, (unsigned)ntohs(port));
}

bool address_is_loopback(const struct address *a)
{
	struct address copy = *a;
	const struct in6_addr *v6 = &as_v6(&copy)->sin6_addr;

	if (copy.any.ss_family == AF_INET)
		return ntohl(as_v4(&copy)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}
