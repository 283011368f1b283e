#include "unit.h"

#include "cli/options.h"

#define ALL 0x1ffu
#define WORDS_MAX 8

static bool parse(
        const char *const *words, unsigned groups, struct cli_options *o, int *argc, char **argv, struct err *e)
{
	for (*argc = 0; *argc < WORDS_MAX && words[*argc] != NULL; (*argc)++)
		argv[*argc] = (char *)(uintptr_t)words[*argc]; /* only the pointers are moved */
	*o = (struct cli_options){ 0 };
	return cli_options_parse(o, groups, argc, argv, e);
}

static void assert_text(const char *got, const char *wanted)
{
	if (wanted == NULL || got == NULL)
		assert_ptr_equal(got, wanted);
	else
		assert_string_equal(got, wanted);
}

static void test_options_are_taken_and_operands_stay(void **state)
{
	/* clang-format off */
	static const struct {
		const char *words[WORDS_MAX];
		struct cli_options wanted;
		const char *operands[3];
	} rows[] = {
		{ { NULL },                                    { 0 }, { NULL } },
		{ { "a", "b" },                                { 0 }, { "a", "b" } },
		{ { "--config", "f" },                         { .config = "f" }, { NULL } },
		{ { "--config=f" },                            { .config = "f" }, { NULL } },
		{ { "--config=--odd=name" },                   { .config = "--odd=name" }, { NULL } },
		{ { "a", "--json", "b" },                      { .json = true }, { "a", "b" } },
		{ { "a", "--", "--json", "-h" },               { 0 }, { "a", "--json", "-h" } },
		{ { "-" },                                     { 0 }, { "-" } },
		{ { "--deployment", "-", "a" },                { .deployment = "-" }, { "a" } },
		{ { "-h" },                                    { .help = true }, { NULL } },
		{ { "--http", "--insecure" },                  { .http = "", .insecure = true }, { NULL } },
		{ { "--http", ":8080", "--admin" },            { .http = ":8080", .admin = "" }, { NULL } },
		{ { "--http=[::1]:0", "--admin", "off" },      { .http = "[::1]:0", .admin = "off" }, { NULL } },
		{ { "--grace-period", "1.5s", "--timeout=2" }, { .grace_period = "1.5s", .timeout_ms = 2000 }, { NULL } },
		{ { "--log-level", "warn,http=trace", "--log-format=json" },
			{ .log_level = "warn,http=trace", .log_format = "json" }, { NULL } },
		{ { "--config", "a", "--config", "b" },        { .config = "b" }, { NULL } },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cli_options *wanted = &rows[i].wanted;
		char *argv[WORDS_MAX];
		struct cli_options o;
		struct err e;
		int argc;
		if (!parse(rows[i].words, ALL, &o, &argc, argv, &e))
			fail_msg("%s: %s", rows[i].words[0], e.text);
		assert_text(o.config, wanted->config);
		assert_text(o.grace_period, wanted->grace_period);
		assert_text(o.log_level, wanted->log_level);
		assert_text(o.log_format, wanted->log_format);
		assert_text(o.deployment, wanted->deployment);
		assert_text(o.http, wanted->http);
		assert_text(o.admin, wanted->admin);
		assert_int_equal(o.insecure, wanted->insecure);
		assert_int_equal(o.json, wanted->json);
		assert_int_equal(o.help, wanted->help);
		assert_int_equal(o.timeout_ms, wanted->timeout_ms);
		for (int n = 0; n < 3; n++)
			assert_text(n < argc ? argv[n] : NULL, rows[i].operands[n]);
	}
}

static void test_what_is_not_an_option_is_refused(void **state)
{
	/* clang-format off */
	static const struct {
		const char *words[WORDS_MAX];
		unsigned groups;
		const char *sentence;
	} rows[] = {
		{ { "--confg" },                ALL,              "unknown option --confg, did you mean --config?" },
		{ { "--confg=x" },              ALL,              "unknown option --confg, did you mean --config?" },
		{ { "--xyzzy" },                ALL,              "unknown option --xyzzy" },
		{ { "-x" },                     ALL,              "unknown option -x" },
		{ { "-hx" },                    ALL,              "unknown option -hx" },
		{ { "--json" },                 CLI_TAKES_CONFIG, "--json is no option of this command" },
		{ { "--json=yes" },             ALL,              "--json takes no value" },
		{ { "--config" },               ALL,              "--config wants a value: FILE" },
		{ { "--config", "--json" },     ALL,              "--config wants a value: FILE" },
		{ { "--config=" },              ALL,              "--config wants FILE, not \"\"" },
		{ { "--grace-period", "long" }, ALL,              "--grace-period wants DURATION, not \"long\"" },
		{ { "--timeout=-1" },           ALL,              "--timeout wants DURATION, not \"-1\"" },
		{ { "--log-level", "loud" },    ALL,              "--log-level wants LEVEL, not \"loud\"" },
		{ { "--log-format", "xml" },    ALL,              "--log-format wants text|json, not \"xml\"" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *argv[WORDS_MAX];
		struct cli_options o;
		struct err e = { 0 };
		int argc;
		assert_false(parse(rows[i].words, rows[i].groups, &o, &argc, argv, &e));
		assert_string_equal(e.text, rows[i].sentence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_are_taken_and_operands_stay),
		cmocka_unit_test(test_what_is_not_an_option_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
