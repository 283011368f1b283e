#include "unit.h"

#include "front/guard.h"

static const char *const app_hosts[] = { "gateway.example", NULL };
static const char *const app_origins[] = { "https://app.example", NULL };
static const char *const any_origin[] = { "*", NULL };

static const struct guard_conf at_loopback = { .loopback = true };
static const struct guard_conf at_large = { .loopback = false };
static const struct guard_conf listed = { .hosts = app_hosts, .origins = app_origins };
static const struct guard_conf open_to_all = { .origins = any_origin };

static int check(const struct guard_conf *conf, const char *host, const char *origin)
{
	struct request_head head = { .host = span_of(host) };

	if (origin != NULL)
		head.fields[head.field_count++] = (struct head_field){ SPAN("Origin"), span_of(origin) };
	return guard_check(conf, &head);
}

static void test_hosts_and_origins(void **state)
{
	static const struct {
		const struct guard_conf *conf;
		const char *host, *origin;
		int status;
	} rows[] = {
		{ &at_loopback, "127.0.0.1:8080", NULL, 0 },
		{ &at_loopback, "localhost", NULL, 0 },
		{ &at_loopback, "LOCALHOST:1", NULL, 0 },
		{ &at_loopback, "[::1]:8080", NULL, 0 },
		{ &at_loopback, "127.1.2.3", NULL, 0 },
		{ &at_loopback, "evil.example", NULL, 403 },
		{ &at_loopback, "localhost.evil.example", NULL, 403 },
		{ &at_loopback, "127.0.0.1.evil.example", NULL, 403 },
		{ &at_loopback, "localhost", "http://localhost:3000", 0 },
		{ &at_loopback, "localhost", "https://127.0.0.1", 0 },
		{ &at_loopback, "localhost", "http://[::1]:5", 0 },
		{ &at_loopback, "localhost", "http://evil.example", 403 },
		{ &at_loopback, "localhost", "http://localhost.evil.example", 403 },
		{ &at_loopback, "localhost", "null", 403 },
		{ &at_loopback, "localhost", "file://localhost", 403 },
		{ &at_large, "anything.example", NULL, 0 },
		{ &at_large, "anything.example", "https://anything.example", 403 },
		{ &listed, "gateway.example:443", "https://app.example", 0 },
		{ &listed, "gateway.example", "https://app.example:444", 403 },
		{ &listed, "other.example", NULL, 403 },
		{ &listed, "localhost", NULL, 403 },
		{ &open_to_all, "x", "https://whatever.example", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (check(rows[i].conf, rows[i].host, rows[i].origin) != rows[i].status)
			fail_msg("Host %s, Origin %s: wanted %d", rows[i].host,
			        rows[i].origin ? rows[i].origin : "(none)", rows[i].status);
}

static void test_two_origins_are_refused(void **state)
{
	struct request_head head = { .host = SPAN("localhost"), .field_count = 2 };

	(void)state;
	head.fields[0] = head.fields[1] = (struct head_field){ SPAN("origin"), SPAN("http://localhost") };
	assert_int_equal(guard_check(&at_loopback, &head), 403);
}

static void test_loopback_addresses(void **state)
{
	(void)state;
	assert_true(guard_is_loopback(SPAN("127.0.0.1:8080")));
	assert_true(guard_is_loopback(SPAN("[::1]:0")));
	assert_true(guard_is_loopback(SPAN("localhost:80")));
	assert_false(guard_is_loopback(SPAN("0.0.0.0:8080")));
	assert_false(guard_is_loopback(SPAN(":8080")));
	assert_false(guard_is_loopback(SPAN("[::]:8080")));
	assert_false(guard_is_loopback(SPAN("192.0.2.1:80")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_and_origins),
		cmocka_unit_test(test_two_origins_are_refused),
		cmocka_unit_test(test_loopback_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
