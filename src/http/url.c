#include "http/url.h"

#include "http/grammar.h"

#define HTTP_PORT 80
#define HTTPS_PORT 443
#define HOST_MAX 253

/* The authority */

static bool take_v6(struct span text, struct authority *a, struct span *rest)
{
	size_t end = span_find(text, ']');

	a->is_v6 = true;
	a->host = span_skip(span_cut(text, end), 1);
	*rest = span_skip(text, end + 1);
	for (size_t i = 0; i < a->host.n; i++)
		if (!char_is(a->host.p[i], CHAR_HEX) && a->host.p[i] != ':' && a->host.p[i] != '.')
			return false;
	return a->host.n >= 2 && end < text.n;
}

static bool take_name(struct span text, struct authority *a, struct span *rest)
{
	a->host = span_cut(text, span_find(text, ':'));
	*rest = span_skip(text, a->host.n);
	return a->host.n > 0 && span_is(a->host, CHAR_HOST);
}

bool authority_parse(struct span text, struct authority *a)
{
	struct span rest;

	*a = (struct authority){ .port = SPAN_NONE };
	if (!(span_starts(text, SPAN("[")) ? take_v6(text, a, &rest) : take_name(text, a, &rest)))
		return false;
	if (rest.n == 0)
		return true;
	a->port = span_skip(rest, 1);
	return rest.p[0] == ':' && (a->port.n == 0 || span_to_u64(a->port, 65535, &a->port_number));
}

bool url_has_bad_escape(struct span text)
{
	for (size_t at = span_find(text, '%'); at < text.n; at += 3 + span_find(span_skip(text, at + 3), '%'))
		if (at + 2 >= text.n || !char_is(text.p[at + 1], CHAR_HEX) || !char_is(text.p[at + 2], CHAR_HEX))
			return true;
	return false;
}

/* Whole URLs */

static bool take_scheme(struct span *text, struct url *u)
{
	size_t colon = span_find(*text, ':');
	struct span name = span_cut(*text, colon);

	u->secure = span_eq_nocase(name, SPAN("https"));
	*text = span_skip(*text, colon);
	if ((!u->secure && !span_eq_nocase(name, SPAN("http"))) || !span_starts(*text, SPAN("://")))
		return false;
	*text = span_skip(*text, 3);
	return true;
}

static unsigned own_port(bool secure)
{
	return secure ? HTTPS_PORT : HTTP_PORT;
}

/* User information ends at the last "@", which a host cannot hold. */
static bool take_authority(struct span text, struct url *u, struct err *e)
{
	struct authority a;
	size_t at = text.n;

	while (at > 0 && text.p[at - 1] != '@')
		at--;
	u->userinfo = at > 0 ? span_cut(text, at - 1) : SPAN_NONE;
	if (!span_is(u->userinfo, CHAR_TARGET) || url_has_bad_escape(u->userinfo))
		return err_set(e, "the URL's user information is not valid");
	if (!authority_parse(span_skip(text, at), &a) || a.host.n > HOST_MAX)
		return err_set(e, "the URL's host or port is not valid");
	u->host = a.host;
	u->is_v6 = a.is_v6;
	u->port = a.port.n > 0 ? (unsigned)a.port_number : own_port(u->secure);
	return u->port > 0 || err_set(e, "the URL's port is 0");
}

static bool take_target(struct span text, struct url *u, struct err *e)
{
	size_t mark = span_find(text, '?');

	if (span_find(text, '#') < text.n)
		return err_set(e, "the URL has a fragment (\"#...\"), which is not for servers");
	if (!span_is(text, CHAR_TARGET) || url_has_bad_escape(text))
		return err_set(e, "the URL's path or query is not valid");
	u->path = mark > 0 ? span_cut(text, mark) : SPAN("/");
	u->query = mark < text.n ? span_skip(text, mark + 1) : SPAN_NONE;
	return true;
}

static bool take_rest(struct span text, struct url *u, struct err *e)
{
	size_t end = 0;

	while (end < text.n && text.p[end] != '/' && text.p[end] != '?' && text.p[end] != '#')
		end++;
	return take_authority(span_cut(text, end), u, e) && take_target(span_skip(text, end), u, e);
}

bool url_parse(struct span text, struct url *u, struct err *e)
{
	*u = (struct url){ .userinfo = SPAN_NONE };
	if (!take_scheme(&text, u))
		return err_set(e, "the URL does not begin with http:// or https://");
	return take_rest(text, u, e);
}

bool url_parse_lenient(struct span text, struct url *u, struct err *e)
{
	bool has_scheme = memmem(text.p, text.n, "://", 3) != NULL;

	*u = (struct url){ .userinfo = SPAN_NONE };
	return has_scheme ? url_parse(text, u, e) : take_rest(text, u, e);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->secure == b->secure && a->port == b->port && a->is_v6 == b->is_v6 && span_eq_nocase(a->host, b->host);
}

/* Writing */

void url_put_authority(struct buf *out, const struct url *u, bool with_port)
{
	if (u->is_v6)
		buf_add_char(out, '[');
	buf_add(out, u->host);
	if (u->is_v6)
		buf_add_char(out, ']');
	if (!with_port && u->port == own_port(u->secure))
		return;
	buf_add_char(out, ':');
	buf_add_u64(out, u->port);
}

void url_put_target(struct buf *out, const struct url *u)
{
	buf_add(out, u->path);
	if (!span_is_set(u->query))
		return;
	buf_add_char(out, '?');
	buf_add(out, u->query);
}

/* References (RFC 3986, 5.2) */

static void put_scheme(struct buf *out, const struct url *u)
{
	buf_add(out, u->secure ? SPAN("https:") : SPAN("http:"));
}

static void put_origin(struct buf *out, const struct url *u)
{
	put_scheme(out, u);
	buf_add(out, SPAN("//"));
	url_put_authority(out, u, false);
}

/* A colon before any slash or question mark ends a scheme. */
static bool has_scheme(struct span reference)
{
	for (size_t i = 0; i < reference.n; i++) {
		if (reference.p[i] == ':')
			return i > 0;
		if (!char_is(reference.p[i], CHAR_TOKEN))
			return false;
	}
	return false;
}

static void drop_segment(struct buf *out, size_t begin)
{
	struct span text = buf_span(out);
	size_t n = text.n;

	while (n > begin && text.p[n - 1] != '/')
		n--;
	if (n > begin)
		out->to -= text.n - (n - 1);
}

/* Appends the path's segments, without "." and with ".." taken at their word (5.2.4). `begin`: where the path begins
 * in `out`; its last segment has no slash behind it. */
static void put_segments(struct buf *out, size_t begin, struct span path)
{
	struct span segment;

	while (span_next(&path, '/', &segment)) {
		bool last = !span_is_set(path), up = span_eq(segment, SPAN("..")), stay = span_eq(segment, SPAN("."));
		if (up)
			drop_segment(out, begin);
		if (!up && !stay) {
			buf_add_char(out, '/');
			buf_add(out, segment);
		} else if (last)
			buf_add_char(out, '/');
	}
}

static struct span folder_of(struct span path)
{
	while (path.n > 0 && path.p[path.n - 1] != '/')
		path.n--;
	return span_cut(path, path.n > 0 ? path.n - 1 : 0);
}

static void put_relative(struct buf *out, const struct url *base, struct span reference)
{
	size_t mark = span_find(reference, '?'), begin;
	struct span path = span_cut(reference, mark);

	put_origin(out, base);
	begin = buf_size(out);
	if (path.n == 0) {
		buf_add(out, base->path);
	} else if (path.p[0] == '/') {
		put_segments(out, begin, span_skip(path, 1));
	} else {
		struct span folder = folder_of(base->path);
		if (folder.n > 0)
			put_segments(out, begin, span_skip(folder, 1));
		put_segments(out, begin, path);
	}
	buf_add(out, span_skip(reference, mark));
	if (reference.n == 0 && span_is_set(base->query)) {
		buf_add_char(out, '?');
		buf_add(out, base->query);
	}
}

bool url_resolve(const struct url *base, struct span reference, struct buf *text, struct url *u, struct err *e)
{
	buf_reset(text);
	if (has_scheme(reference)) {
		buf_add(text, reference);
	} else if (span_starts(reference, SPAN("//"))) {
		put_scheme(text, base);
		buf_add(text, reference);
	} else {
		put_relative(text, base, reference);
	}
	return url_parse(buf_span(text), u, e);
}
