#include "unit.h"

#include <stdio.h>

#include "http/url.h"

#define TEXT(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static void test_a_url_falls_into_its_parts(void **state)
{
	static const struct {
		struct span text;
		bool secure, is_v6;
		const char *host;
		unsigned port;
		const char *userinfo, *path, *query;
	} rows[] = {
		/* clang-format off */
		{ TEXT("http://a"),                     false, false, "a", 80, NULL, "/", NULL },
		{ TEXT("https://a"),                    true, false, "a", 443, NULL, "/", NULL },
		{ TEXT("HTTPS://Example.org:8443/mcp"), true, false, "Example.org", 8443, NULL, "/mcp", NULL },
		{ TEXT("http://a:/"),                   false, false, "a", 80, NULL, "/", NULL },
		{ TEXT("http://a?q"),                   false, false, "a", 80, NULL, "/", "q" },
		{ TEXT("http://a/?"),                   false, false, "a", 80, NULL, "/", "" },
		{ TEXT("http://a/b%20c//d?e?f/g"),      false, false, "a", 80, NULL, "/b%20c//d", "e?f/g" },
		{ TEXT("http://127.0.0.1:1/"),          false, false, "127.0.0.1", 1, NULL, "/", NULL },
		{ TEXT("http://[::1]"),                 false, true, "::1", 80, NULL, "/", NULL },
		{ TEXT("http://[fe80::1.2.3.4]:99/x"),  false, true, "fe80::1.2.3.4", 99, NULL, "/x", NULL },
		{ TEXT("http://u:p@a:1/"),              false, false, "a", 1, "u:p", "/", NULL },
		{ TEXT("http://u@x:p@a"),               false, false, "a", 80, "u@x:p", "/", NULL },
		{ TEXT("http://a/@b:c"),                false, false, "a", 80, NULL, "/@b:c", NULL },
		/* clang-format on */
	};
	struct url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (!url_parse(rows[i].text, &u, &e))
			fail_msg("%.*s: %s", SPAN_ARG(rows[i].text), e.text);
		assert_int_equal(u.secure, rows[i].secure);
		assert_int_equal(u.is_v6, rows[i].is_v6);
		assert_span_is(u.host, span_of(rows[i].host));
		assert_int_equal(u.port, rows[i].port);
		assert_int_equal(span_is_set(u.userinfo), rows[i].userinfo != NULL);
		assert_span_is(u.userinfo, span_of(rows[i].userinfo));
		assert_span_is(u.path, span_of(rows[i].path));
		assert_int_equal(span_is_set(u.query), rows[i].query != NULL);
		assert_span_is(u.query, span_of(rows[i].query));
	}
}

static void test_what_is_not_such_a_url(void **state)
{
	static const struct {
		struct span text;
		const char *sentence; /* the end of it */
	} rows[] = {
		{ TEXT(""), "http:// or https://" },
		{ TEXT("http"), "http:// or https://" },
		{ TEXT("http:"), "http:// or https://" },
		{ TEXT("http:/a"), "http:// or https://" },
		{ TEXT("ftp://a"), "http:// or https://" },
		{ TEXT("a/b"), "http:// or https://" },
		{ TEXT(" http://a"), "http:// or https://" },
		{ TEXT("http://"), "host or port is not valid" },
		{ TEXT("http:///x"), "host or port is not valid" },
		{ TEXT("http://:80"), "host or port is not valid" },
		{ TEXT("http://a:b"), "host or port is not valid" },
		{ TEXT("http://a:65536"), "host or port is not valid" },
		{ TEXT("http://a:-1"), "host or port is not valid" },
		{ TEXT("http://a:1:2"), "host or port is not valid" },
		{ TEXT("http://::1"), "host or port is not valid" },
		{ TEXT("http://[::1"), "host or port is not valid" },
		{ TEXT("http://[]"), "host or port is not valid" },
		{ TEXT("http://[::1]x"), "host or port is not valid" },
		{ TEXT("http://[::1%25eth0]"), "host or port is not valid" },
		{ TEXT("http://a b"), "host or port is not valid" },
		{ TEXT("http://a\\b"), "host or port is not valid" },
		{ TEXT("http://a%2eb"), "host or port is not valid" },
		{ TEXT("http://a\0b"), "host or port is not valid" },
		{ TEXT("http://a:0"), "port is 0" },
		{ TEXT("http://u%@a"), "user information is not valid" },
		{ TEXT("http://u v@a"), "user information is not valid" },
		{ TEXT("http://a/#x"), "which is not for servers" },
		{ TEXT("http://a#x"), "which is not for servers" },
		{ TEXT("http://a/ b"), "path or query is not valid" },
		{ TEXT("http://a/%2"), "path or query is not valid" },
		{ TEXT("http://a/b\r\nX: y"), "path or query is not valid" },
		{ TEXT("http://a/\xc3\xa4"), "path or query is not valid" },
	};
	struct url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (url_parse(rows[i].text, &u, &e))
			fail_msg("%.*s was taken", SPAN_ARG(rows[i].text));
		struct span said = span_of(e.text), wanted = span_of(rows[i].sentence);
		if (said.n < wanted.n || !span_eq(span_skip(said, said.n - wanted.n), wanted))
			fail_msg("%.*s: %s", SPAN_ARG(rows[i].text), e.text);
	}
}

static void test_a_reference_is_seen_from_its_base(void **state)
{
	static const struct {
		const char *reference, *whole;
	} rows[] = {
		{ "http://x/y", "http://x/y" },
		{ "//x/y", "https://x/y" },
		{ "/messages?session=1", "https://h:8/messages?session=1" },
		{ "messages?session=1", "https://h:8/a/b/messages?session=1" },
		{ "", "https://h:8/a/b/c?q" },
		{ "?x", "https://h:8/a/b/c?x" },
		{ "./x", "https://h:8/a/b/x" },
		{ ".", "https://h:8/a/b/" },
		{ "..", "https://h:8/a/" },
		{ "../x", "https://h:8/a/x" },
		{ "../../../../x", "https://h:8/x" },
		{ "/x/../y/./z/..", "https://h:8/y/" },
		{ "x:y", NULL },
		{ "javascript:x", NULL },
		{ "x#y", NULL },
		{ "//user name@h/", NULL },
		{ "/a b", NULL },
	};
	struct url base, u;
	struct buf text = { 0 };
	struct err e;

	(void)state;
	assert_true(url_parse(SPAN("https://h:8/a/b/c?q"), &base, &e));
	for (size_t i = 0; i < ROWS(rows); i++) {
		bool taken = url_resolve(&base, span_of(rows[i].reference), &text, &u, &e);
		if (taken != (rows[i].whole != NULL))
			fail_msg("\"%s\": %s", rows[i].reference, taken ? "was taken" : e.text);
		if (taken)
			assert_span_is(buf_span(&text), span_of(rows[i].whole));
	}
	buf_free(&text);
}

static void test_an_authority_and_a_target_are_written(void **state)
{
	static const struct {
		const char *url, *authority, *with_port, *target;
	} rows[] = {
		{ "http://a", "a", "a:80", "/" },
		{ "https://a:443/x?", "a", "a:443", "/x?" },
		{ "https://a:80?y", "a:80", "a:80", "/?y" },
		{ "http://[::1]:8080/x?y", "[::1]:8080", "[::1]:8080", "/x?y" },
	};
	struct url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct buf out = { 0 };
		assert_true(url_parse(span_of(rows[i].url), &u, &e));
		url_put_authority(&out, &u, false);
		assert_span_is(buf_span(&out), span_of(rows[i].authority));
		buf_reset(&out);
		url_put_authority(&out, &u, true);
		assert_span_is(buf_span(&out), span_of(rows[i].with_port));
		buf_reset(&out);
		url_put_target(&out, &u);
		assert_span_is(buf_span(&out), span_of(rows[i].target));
		buf_free(&out);
	}
}

static void test_origins_are_compared_by_what_they_mean(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "http://a/x", "http://A:80/y?z", true },
		{ "https://a", "https://a:443", true },
		{ "http://a", "https://a", false },
		{ "http://a:443", "https://a", false },
		{ "http://a", "http://a.", false },
		{ "http://a", "http://b", false },
		{ "http://u@a", "http://a", true },
	};
	struct url a, b;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_true(url_parse(span_of(rows[i].a), &a, &e));
		assert_true(url_parse(span_of(rows[i].b), &b, &e));
		assert_int_equal(url_same_origin(&a, &b), rows[i].same);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_url_falls_into_its_parts),
		cmocka_unit_test(test_what_is_not_such_a_url),
		cmocka_unit_test(test_a_reference_is_seen_from_its_base),
		cmocka_unit_test(test_an_authority_and_a_target_are_written),
		cmocka_unit_test(test_origins_are_compared_by_what_they_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
