#include "unit.h"

#include "config/suggest.h"

static const char *const known[] = { "command", "args", "env", "inheritEnv", "cwd", "startup", "startupTimeout",
	"requestTimeout", "maxRequestTimeout", "idleTimeout", "cli" };

static const char *suggest(const char *wrong)
{
	struct suggestion s = suggestion_for(span_of(wrong));

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		suggestion_offer(&s, known[i]);
	return s.best;
}

static void test_the_nearest_word_is_suggested(void **state)
{
	/* clang-format off */
	static const struct { const char *wrong, *best; } rows[] = {
		{ "comand",          "command" },        { "commnad",         "command" },
		{ "COMMAND",         "command" },        { "arg",             "args" },
		{ "startup_timeout", "startupTimeout" }, { "requestTimout",   "requestTimeout" },
		{ "request-timeout", "requestTimeout" }, { "maxRequestTime",  "maxRequestTimeout" },
		{ "evn",             "env" },            { "environment",     NULL },
		{ "x",               NULL },             { "",                NULL },
		{ "a very long key that nobody could have meant for anything", NULL },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *best = suggest(rows[i].wrong);
		if (best != rows[i].best && (best == NULL || rows[i].best == NULL || strcmp(best, rows[i].best) != 0))
			fail_msg("%s: %s", rows[i].wrong, best != NULL ? best : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_nearest_word_is_suggested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
