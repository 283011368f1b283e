#include "unit.h"

#include "load.h"

#define URL_SERVER(members) "{\"mcpServers\":{\"a\":{\"url\":\"https://h.example/mcp?x=${X:-1}\"" members "}}}"

static void test_a_server_behind_a_url_has_what_it_needs(void **state)
{
	static const char *const variables[] = { "TOKEN=s3cret", "HTTPS_PROXY=http://p:3128", "NO_PROXY=.local", NULL };
	struct loaded l = load_text(URL_SERVER(",\"headers\":{\"Authorization\":\"Bearer ${TOKEN}\",\"X-Empty\":\"\"},"
	                                       "\"tls\":{\"serverName\":\"other\"}"),
	        variables);

	(void)state;
	assert_loaded(&l);
	const struct backend_conf *s = &l.config->servers[0];
	assert_int_equal(s->kind, BACKEND_HTTP);
	assert_int_equal(s->http_type, HTTP_TYPE_AUTO);
	assert_string_equal(s->url, "https://h.example/mcp?x=1");
	assert_string_equal(s->headers[0], "Authorization");
	assert_string_equal(s->headers[1], "Bearer s3cret");
	assert_string_equal(s->headers[2], "X-Empty");
	assert_string_equal(s->headers[3], "");
	assert_null(s->headers[4]);
	assert_non_null(s->tls);
	assert_string_equal(s->tls_name, "other");
	assert_int_equal(s->isolation, ISOLATION_SESSION);
	assert_string_equal(s->https_proxy, "http://p:3128");
	assert_string_equal(s->proxy_spared, ".local");
	assert_null(s->http_proxy);
	assert_null(s->argv);
	unload(&l);
}

static void test_the_types_of_a_url(void **state)
{
	static const struct {
		const char *json;
		enum http_type type;
	} rows[] = {
		{ URL_SERVER(""), HTTP_TYPE_AUTO },
		{ URL_SERVER(",\"type\":\"auto\""), HTTP_TYPE_AUTO },
		{ URL_SERVER(",\"type\":\"http\""), HTTP_TYPE_STREAMABLE },
		{ URL_SERVER(",\"type\":\"streamable-http\""), HTTP_TYPE_STREAMABLE },
		{ URL_SERVER(",\"type\":\"streamableHttp\""), HTTP_TYPE_STREAMABLE },
		{ URL_SERVER(",\"type\":\"sse\""), HTTP_TYPE_SSE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loaded l = load_text(rows[i].json, NULL);
		assert_loaded(&l);
		assert_int_equal(l.config->servers[0].http_type, rows[i].type);
		assert_string_equal(messages_of(&l), "");
		unload(&l);
	}
}

static void test_what_only_a_process_needs_is_told_to_be_of_no_use(void **state)
{
	struct loaded l = load_text(URL_SERVER(",\"args\":[\"x\"],\"cwd\":\"/\""), NULL);

	(void)state;
	assert_loaded(&l);
	assert_non_null(strstr(messages_of(&l), "mcpServers.a.args: is of no use"));
	assert_non_null(strstr(messages_of(&l), "mcpServers.a.cwd: is of no use"));
	unload(&l);
}

static void test_a_secret_in_a_header_is_never_told(void **state)
{
	static const char *const variables[] = { "TOKEN=s3cret\n", NULL };
	struct loaded l = load_text(URL_SERVER(",\"headers\":{\"Authorization\":\"Bearer ${TOKEN}\"}"), variables);

	(void)state;
	assert_null(l.config);
	assert_null(strstr(messages_of(&l), "s3cret"));
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_server_behind_a_url_has_what_it_needs),
		cmocka_unit_test(test_the_types_of_a_url),
		cmocka_unit_test(test_what_only_a_process_needs_is_told_to_be_of_no_use),
		cmocka_unit_test(test_a_secret_in_a_header_is_never_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
