/*
 * The command line: a table of commands. Each is a function that gets its options and operands, writes its result to
 * `out` and what went wrong to `err`, and returns the exit code. stdout carries the result, or the protocol, and
 * nothing else.
 */
#ifndef SLUICE_CLI_CLI_H
#define SLUICE_CLI_CLI_H

#include "cli/options.h"
#include "config/config.h"

#define CLI_ADMIN_ADDRESS "127.0.0.1:9902" /* of the admin port, when nothing else is said */

/* interface.md, section 1; the numbers from 64 on are those of sysexits.h */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,       /* `call`: the tool said so; `healthcheck`: not healthy; `drain`: not drained in time */
	CLI_USAGE = 64,       /* the command line is wrong */
	CLI_UNAVAILABLE = 69, /* could not start, or a server cannot be reached */
	CLI_INTERNAL = 70,
	CLI_CUT = 75,   /* strictExit, and something was cut */
	CLI_CONFIG = 78 /* the configuration is wrong */
};

/* One run of a command. */
struct cli {
	struct cli_options options;
	int argc; /* operands, within the command's bounds */
	char **argv;
	const char *const *environment;
	FILE *out, *err;
};

/* Finds the command, parses its options and runs it; returns the exit code. */
int cli_run(int argc, char **argv, const char *const *environment, FILE *out, FILE *err);

/* The commands, one file each. */
int cli_serve(const struct cli *c);
int cli_check(const struct cli *c);
int cli_list(const struct cli *c);
int cli_call(const struct cli *c);
int cli_doctor(const struct cli *c);
int cli_status(const struct cli *c);
int cli_drain(const struct cli *c);
int cli_healthcheck(const struct cli *c);

/* For commands: where the configuration comes from, and what its reading had to say, a line for each message. */
struct config_sources cli_config_sources(const struct cli *c);
void cli_print_messages(const struct config_messages *messages, FILE *to, const char *const *environment);

/* Is `to` a terminal that wants colour? (no-color.org, and TERM=dumb) */
bool cli_wants_colour(FILE *to, const char *const *environment);

#endif
