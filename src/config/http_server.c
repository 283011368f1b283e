#include "config/http_server.h"

#include "config/environment.h"
#include "http/url.h"

#define HEADERS_MAX 64
#define HEADER_BYTES_MAX 8192

const char *http_url_read(struct reading *r, const struct json_node *value)
{
	struct span text;
	struct url url;
	struct err e;

	if (!reading_expect(r, value, JSON_STRING) || !reading_text(r, value, &text))
		return NULL;
	if (!url_parse(text, &url, &e))
		reading_fault(r, value, "%s", e.text);
	else if (span_is_set(url.userinfo))
		reading_fault(r, value, "must not name a user: write an Authorization header into \"headers\"");
	else
		return text.p;
	return NULL;
}

/* RFC 9110, 5.6.2 */
static bool is_token(struct span s)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return s.n > 0;
}

/* Visible characters and bytes beyond ASCII, spaces and tabs only inside (RFC 9110, 5.5). */
static bool is_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return span_eq(span_trim(s), s) && s.n <= HEADER_BYTES_MAX;
}

/* Those that we make, that end at the next hop, or that say where a message ends. */
static bool is_ours(struct span name)
{
	static const struct span names[] = { SPAN("Accept"), SPAN("Connection"), SPAN("Host"), SPAN("Keep-Alive"),
		SPAN("Last-Event-ID"), SPAN("TE"), SPAN("Trailer"), SPAN("Transfer-Encoding"), SPAN("Upgrade"),
		SPAN("Expect"), SPAN("Accept-Encoding") };
	static const struct span families[] = { SPAN("Mcp-"), SPAN("Content-"), SPAN("Proxy-") };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq_nocase(name, names[i]))
			return true;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (span_eq_nocase(span_cut(name, families[i].n), families[i]))
			return true;
	return false;
}

static bool is_repeated(const struct json_node *object, const struct json_node *value)
{
	for (const struct json_node *other = object->first; other != value; other = other->next)
		if (span_eq_nocase(other->key, value->key))
			return true;
	return false;
}

/* Its value must not be told in a message: it may be a secret. */
static bool read_header(
        struct reading *r, const struct json_node *object, const struct json_node *value, struct span *text)
{
	if (!is_token(value->key))
		reading_fault(r, value, "not a name that an HTTP header can have");
	else if (is_ours(value->key))
		reading_fault(r, value, "is a header that Sluice makes itself");
	else if (is_repeated(object, value))
		reading_fault(r, value, "is there twice, for case makes no difference in a header's name");
	else if (!reading_expect(r, value, JSON_STRING) || !reading_text(r, value, text))
		return false;
	else if (!is_value(*text))
		reading_fault(r, value,
		        "not a value that an HTTP header can have: no line breaks, no spaces at its ends, at most "
		        "8192 bytes");
	else
		return true;
	return false;
}

const char *const *http_headers_read(struct reading *r, const struct json_node *object)
{
	size_t n = 0;

	if (!reading_expect(r, object, JSON_OBJECT))
		return NULL;
	if (object->count > HEADERS_MAX) {
		reading_fault(r, object, "has more than 64 headers");
		return NULL;
	}
	const char **headers = ARENA_ARRAY(r->arena, const char *, 2 * object->count + 1);
	for (const struct json_node *value = object->first; value != NULL; value = value->next) {
		struct span text;
		if (!read_header(r, object, value, &text))
			continue;
		headers[n++] = arena_copy(r->arena, value->key).p;
		headers[n++] = text.p;
	}
	return n > 0 ? headers : NULL;
}

/* As others read them: in small letters first. */
static const char *proxy_variable(const struct reading *r, const char *small, const char *large)
{
	const char *value = environment_get(r->environment, span_of(small));

	if (value == NULL && large != NULL)
		value = environment_get(r->environment, span_of(large));
	return value != NULL && value[0] != '\0' ? arena_copy(r->arena, span_of(value)).p : NULL;
}

void http_proxies_read(const struct reading *r, struct backend_conf *conf)
{
	conf->http_proxy = proxy_variable(r, "http_proxy", "HTTP_PROXY");
	conf->https_proxy = proxy_variable(r, "https_proxy", "HTTPS_PROXY");
	conf->proxy_spared = proxy_variable(r, "no_proxy", "NO_PROXY");
}
