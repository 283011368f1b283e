#include "unit.h"

#include "net/proxy.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static void test_who_is_spared(void **state)
{
	static const struct {
		const char *none, *host;
		unsigned port;
		bool spared;
	} rows[] = {
		{ "", "a.example", 80, false },
		{ "*", "a.example", 80, true },
		{ "b,*", "a.example", 80, true },
		{ "a.example", "a.example", 80, true },
		{ "A.Example", "a.eXAMPLE", 80, true },
		{ "a.example", "a.example.", 80, true },
		{ "example", "a.example", 80, true },
		{ ".example", "a.example", 80, true },
		{ ".example", "example", 80, true },
		{ "*.example", "a.example", 80, true },
		{ "ample", "a.example", 80, false },
		{ "a.example", "example", 80, false },
		{ "x, example ,y", "a.example", 80, true },
		{ "x example y", "a.example", 80, true },
		{ ",, ,", "a.example", 80, false },
		{ ".", "a.example", 80, false },
		{ "a.example:80", "a.example", 80, true },
		{ "a.example:81", "a.example", 80, false },
		{ "a.example:x", "a.example", 80, false },
		{ "127.0.0.1", "127.0.0.1", 80, true },
		{ "127.0.0.1:80", "127.0.0.1", 80, true },
		{ "127.0.0.1:81", "127.0.0.1", 80, false },
		{ "0.0.1", "127.0.0.1", 80, false },
		{ "10.0.0.0/8", "10.255.0.1", 80, true },
		{ "10.0.0.0/8", "11.0.0.1", 80, false },
		{ "10.0.0.0/0", "11.0.0.1", 80, true },
		{ "10.0.0.128/25", "10.0.0.129", 80, true },
		{ "10.0.0.128/25", "10.0.0.127", 80, false },
		{ "10.0.0.0/33", "10.0.0.0", 80, false },
		{ "10.0.0.0/x", "10.0.0.0", 80, false },
		{ "10.0.0.0/8", "ten.example", 80, false },
		{ "::1", "::1", 80, true },
		{ "[::1]", "::1", 80, true },
		{ "[::1]:80", "::1", 80, true },
		{ "[::1]:81", "::1", 80, false },
		{ "[::1", "::1", 80, false },
		{ "fd00::/8", "fd12:3456::1", 80, true },
		{ "fd00::/8", "fe80::1", 80, false },
		{ "0.0.0.0/0", "::1", 80, false },
		{ "127.0.0.0/8", "::ffff:127.0.0.1", 80, true },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		if (proxy_is_spared(span_of(rows[i].none), span_of(rows[i].host), rows[i].port) != rows[i].spared)
			fail_msg("\"%s\" and %s:%u", rows[i].none, rows[i].host, rows[i].port);
}

static void test_which_proxy_leads_to_an_origin(void **state)
{
	static const struct {
		const char *http, *https, *origin, *proxy; /* NULL: none */
		unsigned port;
	} rows[] = {
		{ NULL, NULL, "http://a/", NULL, 0 },
		{ "", "", "http://a/", NULL, 0 },
		{ "http://p:3128", NULL, "http://a/", "p", 3128 },
		{ "http://p:3128", NULL, "https://a/", NULL, 0 },
		{ NULL, "http://p:3128", "https://a/", "p", 3128 },
		{ NULL, "http://p:3128", "http://a/", NULL, 0 },
		{ "p:3128", NULL, "http://a/", "p", 3128 },
		{ "p", NULL, "http://a/", "p", 80 },
		{ " http://[::1]:1/ ", NULL, "http://a/", "::1", 1 },
		{ "http://u:w@p:3128", NULL, "http://a/", "p", 3128 },
		{ "http://p:3128", "http://p:3128", "http://spared.example/", NULL, 0 },
		{ "http://p:3128", "http://p:3128", "https://x.spared.example/", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct proxy_conf conf = { span_of(rows[i].http), span_of(rows[i].https),
			SPAN("spared.example") };
		struct url origin, proxy;
		bool use;
		struct err e;
		assert_true(url_parse(span_of(rows[i].origin), &origin, &e));
		if (!proxy_for(&conf, &origin, &use, &proxy, &e))
			fail_msg("row %zu: %s", i, e.text);
		assert_int_equal(use, rows[i].proxy != NULL);
		if (!use)
			continue;
		assert_span_is(proxy.host, span_of(rows[i].proxy));
		assert_int_equal(proxy.port, rows[i].port);
	}
}

static void test_a_proxy_that_cannot_be_is_named(void **state)
{
	static const char *const rows[] = { "socks5://p:1080", "https://p:3128", "http://", "p:x", "a b" };

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct proxy_conf conf = { .http = span_of(rows[i]) };
		struct url origin, proxy;
		bool use;
		struct err e;
		assert_true(url_parse(SPAN("http://a"), &origin, &e));
		assert_false(proxy_for(&conf, &origin, &use, &proxy, &e));
		assert_non_null(strstr(e.text, "HTTP_PROXY: "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_spared),
		cmocka_unit_test(test_which_proxy_leads_to_an_origin),
		cmocka_unit_test(test_a_proxy_that_cannot_be_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
