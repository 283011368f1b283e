#include "net/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* NO_PROXY */

/* The address in 16 bytes, IPv4 as ::ffff:a.b.c.d; false when it is a name. */
static bool parse_address(struct span text, unsigned char bytes[16], unsigned *bits)
{
	char name[INET6_ADDRSTRLEN];
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (text.n >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(text));
	*bits = 128;
	if (inet_pton(AF_INET6, name, bytes) == 1)
		return true;
	*bits = 32;
	memcpy(bytes, mapped, sizeof(mapped));
	return inet_pton(AF_INET, name, bytes + 12) == 1;
}

static bool same_bits(const unsigned char a[16], const unsigned char b[16], unsigned n)
{
	unsigned whole = n / 8, rest = n % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* "10.0.0.0/8", "fd00::/8", or one address. */
static bool is_in_network(struct span entry, const unsigned char host[16])
{
	size_t slash = span_find(entry, '/');
	unsigned char network[16];
	unsigned bits;
	uint64_t prefix;

	if (!parse_address(span_cut(entry, slash), network, &bits))
		return false;
	prefix = bits;
	if (slash < entry.n && !span_to_u64(span_skip(entry, slash + 1), bits, &prefix))
		return false;
	return same_bits(host, network, 128 - bits + (unsigned)prefix);
}

/* "example.org" is the domain and all below it, ".example.org" and "*.example.org" too. */
static bool is_in_domain(struct span entry, struct span host)
{
	if (span_starts(entry, SPAN("*.")))
		entry = span_skip(entry, 1);
	if (span_starts(entry, SPAN(".")))
		entry = span_skip(entry, 1);
	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	if (entry.n == 0 || host.n < entry.n || !span_eq_nocase(span_skip(host, host.n - entry.n), entry))
		return false;
	return host.n == entry.n || host.p[host.n - entry.n - 1] == '.';
}

/* Cuts ":port" off "name:port" and "[address]:port", and the brackets; what has several colons is an address alone. */
static bool take_port(struct span *entry, uint64_t *port)
{
	size_t colon = span_find(*entry, ':');
	struct span behind = span_skip(*entry, colon + 1);
	struct authority a;

	*port = 0;
	if (span_starts(*entry, SPAN("["))) {
		if (!authority_parse(*entry, &a))
			return false;
		*entry = a.host;
		*port = a.port_number;
		return true;
	}
	if (colon == entry->n || span_find(behind, ':') < behind.n)
		return true;
	*entry = span_cut(*entry, colon);
	return span_to_u64(behind, 65535, port);
}

static bool spares(struct span entry, struct span host, const unsigned char *address, unsigned port)
{
	uint64_t only;

	if (span_eq(entry, SPAN("*")))
		return true;
	if (!take_port(&entry, &only) || (only != 0 && only != port))
		return false;
	return address != NULL ? is_in_network(entry, address) : is_in_domain(entry, host);
}

bool proxy_is_spared(struct span none, struct span host, unsigned port)
{
	unsigned char address[16];
	unsigned bits;
	bool numeric = parse_address(host, address, &bits);
	struct span rest = none, item;

	while (span_next(&rest, ',', &item)) {
		struct span words = span_trim(item), entry;
		while (span_next(&words, ' ', &entry))
			if (entry.n > 0 && spares(entry, host, numeric ? address : NULL, port))
				return true;
	}
	return false;
}

/* HTTP_PROXY and HTTPS_PROXY */

bool proxy_for(const struct proxy_conf *conf, const struct url *origin, bool *use, struct url *proxy, struct err *e)
{
	struct span text = span_trim(origin->secure ? conf->https : conf->http);
	const char *variable = origin->secure ? "HTTPS_PROXY" : "HTTP_PROXY";

	*use = text.n > 0 && !proxy_is_spared(conf->none, origin->host, origin->port);
	if (!*use)
		return true;
	if (!url_parse_lenient(text, proxy, e))
		return err_wrap(e, "%s", variable);
	return !proxy->secure || err_set(e, "%s: a proxy is spoken to over http:// only", variable);
}
