/* Runs a command line and keeps what it prints. */
#ifndef SLUICE_TESTS_CLI_RUN_H
#define SLUICE_TESTS_CLI_RUN_H

#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

#define WORDS_MAX 12

struct ran {
	int code;
	char *out, *err; /* what went to stdout and stderr */
};

/* `words`: the command line after the program's name, NULL-terminated. */
static inline struct ran run(const char *const *words, const char *const *environment)
{
	char *argv[WORDS_MAX + 2] = { strdup("sluice") };
	size_t out_n, err_n;
	struct ran r;
	int argc = 1;

	for (; words[argc - 1] != NULL && argc <= WORDS_MAX; argc++)
		argv[argc] = strdup(words[argc - 1]);
	char *const given[WORDS_MAX + 2] = { argv[0], argv[1], argv[2], argv[3], argv[4], argv[5], argv[6], argv[7],
		argv[8], argv[9], argv[10], argv[11], argv[12] }; /* the run moves them about */
	FILE *out = open_memstream(&r.out, &out_n), *err = open_memstream(&r.err, &err_n);
	r.code = cli_run(argc, argv, environment, out, err);
	fclose(out);
	fclose(err);
	for (int i = 0; i < argc; i++)
		free(given[i]);
	return r;
}

static inline void ran_clear(struct ran *r)
{
	free(r->out);
	free(r->err);
}

static inline void assert_contains(const char *text, const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("\"%s\" is not in:\n%s", what, text);
}

#endif
