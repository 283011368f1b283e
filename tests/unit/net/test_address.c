#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/address.h"

static void test_addresses_are_read_and_shown(void **state)
{
	static const struct {
		const char *text, *shown;
		bool loopback;
	} rows[] = {
		{ "127.0.0.1:8080", "127.0.0.1:8080", true },
		{ "127.1.2.3:1", "127.1.2.3:1", true },
		{ "0.0.0.0:0", "0.0.0.0:0", false },
		{ "192.0.2.1:65535", "192.0.2.1:65535", false },
		{ "localhost:80", "127.0.0.1:80", true },
		{ ":8080", "[::]:8080", false },
		{ "[::1]:0", "[::1]:0", true },
		{ "[::]:80", "[::]:80", false },
		{ "[2001:db8::1]:443", "[2001:db8::1]:443", false },
		{ "[::ffff:127.0.0.1]:5", "127.0.0.1:5", true },
		{ "[::ffff:192.0.2.1]:5", "192.0.2.1:5", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;
		struct err e;
		char shown[ADDRESS_TEXT_MAX];
		if (!address_parse(span_of(rows[i].text), &a, &e))
			fail_msg("%s", e.text);
		address_format(&a, shown);
		assert_string_equal(shown, rows[i].shown);
		assert_int_equal(address_is_loopback(&a), rows[i].loopback);
	}
}

static void test_what_is_no_address_is_refused(void **state)
{
	static const char *const rows[] = { "", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http",
		"127.0.0.1:-1", "::1:8080", "[::1]", "[::1", "[]:80", "[127.0.0.1]:80", "example.org:80", "127.0.0:80",
		"1111:2222:3333:4444:5555:6666:7777:8888:80",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]:80" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;
		struct err e;
		if (address_parse(span_of(rows[i]), &a, &e))
			fail_msg("\"%s\" was taken", rows[i]);
	}
}

static void test_the_longest_address_fits(void **state)
{
	struct address a;
	struct err e;
	char shown[ADDRESS_TEXT_MAX];

	(void)state;
	assert_true(address_parse(SPAN("[1111:2222:3333:4444:5555:6666:7777:8888]:65535"), &a, &e));
	address_format(&a, shown);
	assert_string_equal(shown, "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_are_read_and_shown),
		cmocka_unit_test(test_what_is_no_address_is_refused),
		cmocka_unit_test(test_the_longest_address_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
