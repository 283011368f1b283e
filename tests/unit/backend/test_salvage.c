#include "unit.h"

#include "backend/salvage.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NONE UINT64_MAX

static const struct case_ {
	const char *first, *last;
	uint64_t id;
} cases[] = {
	/* clang-format off */
	/* the id comes first: whatever follows `result` is not looked at */
	{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":[1,2,\"", "...", 7 },
	{ "{\"id\":7,\"jsonrpc\":\"2.0\",\"error\":{\"code\":", "...", 7 },
	{ " { \"id\" : 7 , \"result\" : ", "...", 7 },
	{ "{\"id\":7,\"x\":true,\"result\":", "...", 7 },
	{ "{\"id\":18446744073709551614,\"result\":", "", 18446744073709551614u },
	/* ... or last */
	{ "{\"result\":{\"a\":", "\"}]},\"jsonrpc\":\"2.0\",\"id\":42}", 42 },
	{ "{\"result\":{\"a\":", "\"}]},\"id\":42}", 42 },
	{ "{\"result\":{\"a\":", "\"}]},\"id\":42,\"jsonrpc\":\"2.0\"}", 42 },
	{ "{\"jsonrpc\":\"2.0\",\"result\":{\"a\":", "\"}]},\"id\":42}", 42 },
	/* an id inside the result is another thing's */
	{ "{\"result\":{\"a\":", ",\"id\":42}}", NONE },
	{ "{\"result\":{\"a\":", "\"x\\\"id\":42}", NONE },
	{ "{\"result\":{\"a\":", "42}", NONE },
	{ "{\"result\":{\"a\":", "", NONE },
	/* ids that are none of ours */
	{ "{\"id\":\"7\",\"result\":", "", NONE },
	{ "{\"id\":-7,\"result\":", "", NONE },
	{ "{\"id\":7.0,\"result\":", "", NONE },
	{ "{\"id\":null,\"result\":", "", NONE },
	{ "{\"id\":99999999999999999999,\"result\":", "", NONE },
	{ "{\"result\":", ",\"id\":\"7\"}", NONE },
	{ "{\"result\":", ",\"id\":}", NONE },
	/* no answers */
	{ "{\"id\":7,\"method\":\"ping\",\"result\":1", ",\"id\":7}", NONE },
	{ "{\"id\":7,\"params\":{\"result\":1", ",\"id\":7}", NONE },
	{ "{\"id\":7", "", NONE },
	{ "{\"id\":7,\"resu", "", NONE },
	{ "{\"id", "", NONE },
	{ "[{\"id\":7,\"result\":1}]", ",\"id\":7}", NONE },
	{ "result", "", NONE },
	{ "{\"\\", "", NONE },
	{ "{", "}", NONE },
	{ "", "", NONE },
	/* clang-format on */
};

static void test_the_id_is_found_at_either_end_and_nowhere_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t id = NONE;
		bool found = salvage_id(span_of(cases[i].first), span_of(cases[i].last), &id);
		if (found != (cases[i].id != NONE) || (found && id != cases[i].id))
			fail_msg("%s %s: found %d, id %llu", cases[i].first, cases[i].last, found,
			        (unsigned long long)id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_id_is_found_at_either_end_and_nowhere_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
