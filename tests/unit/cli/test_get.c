/* What URLs are taken, and what is an answer. The exchange itself is a system test's. */
#include "unit.h"

#include "cli/get.h"

static void test_urls(void **state)
{
	static const struct {
		const char *text, *host, *path, *name; /* NULL: not under TLS */
	} rows[] = {
		{ "http://127.0.0.1:8080/health", "127.0.0.1:8080", "/health", NULL },
		{ "http://127.0.0.1", "127.0.0.1:80", "/", NULL },
		{ "http://localhost/a/b?c=d#e", "127.0.0.1:80", "/a/b?c=d", NULL },
		{ "http://127.0.0.1:1?q=/", "127.0.0.1:1", "?q=/", NULL },
		{ "http://[::1]:9902/x", "[::1]:9902", "/x", NULL },
		{ "http://[::1]/x", "[::1]:80", "/x", NULL },
		{ "http://:8080/x", "127.0.0.1:8080", "/x", NULL },
		{ "https://[::1]/x", "[::1]:443", "/x", "[::1]" },
		{ "https://localhost:8443/x", "127.0.0.1:8443", "/x", "localhost" },
		{ "https://:8443/x", "127.0.0.1:8443", "/x", "127.0.0.1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct get_url url;
		struct err e;
		if (!get_url_parse(&url, span_of(rows[i].text), &e))
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_string_equal(url.host, rows[i].host);
		assert_span_is(url.path, span_of(rows[i].path));
		assert_int_equal(url.tls, rows[i].name != NULL);
		if (url.tls)
			assert_string_equal(url.name, rows[i].name);
	}
}

static void test_urls_that_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"nonsense",
		"http://",
		"http:///path",
		"https://",
		"ftp://127.0.0.1/",
		"HTTP//127.0.0.1",
		"http://name.example/",
		"http://user@127.0.0.1/",
		"http://127.0.0.1:99999/",
		"http://127.0.0.1:80:80/",
		"http://127.0.0.1/a b",
		"http://127.0.0.1/a\r\nHost: b",
		"http://127.0.0.1/\xc3\xa9",
		"http://1111111111111111111111111111111111111111111111111111111111111111111111/",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct get_url url;
		struct err e = { 0 };
		if (get_url_parse(&url, span_of(texts[i]), &e))
			fail_msg("taken: %s", texts[i]);
		assert_true(e.text[0] != '\0');
	}
}

static void test_answers(void **state)
{
	static const struct {
		const char *text;
		int status; /* 0: not an answer */
		const char *body;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi" },
		{ "HTTP/1.0 503\r\n\r\n", 503, "" },
		{ "HTTP/1.1 404 Not Found\r\nX: y\r\n\r\nuntil the end", 404, "until the end" },
		{ "HTTP/1.1 200 OK\r\ncontent-LENGTH:  3 \r\n\r\nhi!", 200, "hi!" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", 0, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi", 0, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", 0, NULL },
		{ "HTTP/1.1 20\r\n\r\n", 0, NULL },
		{ "HTTP/1.1 099 What\r\n\r\n", 0, NULL },
		{ "HTTP/1.1", 0, NULL },
		{ "SSH-2.0-OpenSSH\r\n\r\n", 0, NULL },
		{ "", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span text = span_of(rows[i].text);
		struct err e = { 0 };
		int status = 0;
		size_t head;
		bool ok = get_read_answer(text, &status, &head, &e);
		if (ok != (rows[i].status != 0))
			fail_msg("%s", rows[i].text);
		if (!ok) {
			assert_true(e.text[0] != '\0');
			continue;
		}
		assert_int_equal(status, rows[i].status);
		assert_span_is(span_skip(text, head), span_of(rows[i].body));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_urls_that_are_refused),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
