#include "unit.h"

#include "run.h"

/* clang-format off */
static const struct row {
	const char *words[WORDS_MAX];
	int code;
	const char *out, *err; /* a part of what is printed; NULL: nothing is */
} rows[] = {
	{ { NULL },                          CLI_USAGE, NULL, "Usage: sluice COMMAND" },
	{ { "version" },                     CLI_OK,    "sluice " SLUICE_VERSION "\n", NULL },
	{ { "--version" },                   CLI_OK,    "sluice " SLUICE_VERSION "\n", NULL },
	{ { "help" },                        CLI_OK,    "check the configuration", NULL },
	{ { "--help" },                      CLI_OK,    "Usage: sluice COMMAND", NULL },
	{ { "-h" },                          CLI_OK,    "Usage: sluice COMMAND", NULL },
	{ { "help", "check" },               CLI_OK,    "--grace-period DURATION", NULL },
	{ { "check", "--help" },             CLI_OK,    "Usage: sluice check [OPTION]...\n", NULL },
	{ { "check", "-h" },                 CLI_OK,    "Usage: sluice check [OPTION]...\n", NULL },
	{ { "help", "chekc" },               CLI_USAGE, NULL, "unknown command \"chekc\", did you mean \"check\"?" },
	{ { "help", "check", "version" },    CLI_USAGE, NULL, "sluice help: there is nothing to do with \"version\"" },
	{ { "chekc" },                       CLI_USAGE, NULL, "unknown command \"chekc\", did you mean \"check\"?" },
	{ { "xyzzy" },                       CLI_USAGE, NULL, "unknown command \"xyzzy\"\n" },
	{ { "" },                            CLI_USAGE, NULL, "unknown command \"\"" },
	{ { "check", "--confg", "x" },       CLI_USAGE, NULL, "unknown option --confg, did you mean --config?" },
	{ { "check", "--http" },             CLI_USAGE, NULL, "--http is no option of this command" },
	{ { "check", "file.json" },          CLI_USAGE, NULL, "there is nothing to do with \"file.json\"" },
	{ { "check", "--config" },           CLI_USAGE, NULL, "--config wants a value: FILE\nTry \"sluice help check\"." },
	{ { "version", "--config", "x" },    CLI_USAGE, NULL, "sluice version: --config is no option of this command" },
};
/* clang-format on */

static void check_stream(const struct row *row, const char *printed, const char *wanted)
{
	if (wanted != NULL)
		assert_contains(printed, wanted);
	else if (printed[0] != '\0')
		fail_msg("sluice %s prints \"%s\"", row->words[0], printed);
}

static void test_each_command_line_has_its_output_and_exit_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ran r = run(rows[i].words, NULL);
		check_stream(&rows[i], r.out, rows[i].out);
		check_stream(&rows[i], r.err, rows[i].err);
		assert_int_equal(r.code, rows[i].code);
		ran_clear(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_command_line_has_its_output_and_exit_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
