/*
 * The options of all commands: one table, from which come the parsing, the help and the suggestion for a mistyped one.
 * Long options with `--name value` or `--name=value`; they may stand before, between and after the operands; `--` ends
 * them; -h is --help.
 */
#ifndef SLUICE_CLI_OPTIONS_H
#define SLUICE_CLI_OPTIONS_H

#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"

/* Which command takes which. */
enum cli_option_group {
	CLI_TAKES_CONFIG = 1,       /* --config */
	CLI_TAKES_GRACE = 2,        /* --grace-period */
	CLI_TAKES_LOG = 4,          /* --log-level, --log-format */
	CLI_TAKES_HTTP = 8,         /* --http, --insecure */
	CLI_TAKES_ADMIN = 16,       /* --admin */
	CLI_TAKES_JSON = 32,        /* --json */
	CLI_TAKES_TIMEOUT = 64,     /* --timeout */
	CLI_TAKES_DRAIN = 128,      /* --wait, --hook, --cancel */
	CLI_TAKES_DEPLOYMENT = 256, /* --deployment */
	CLI_TAKES_TLS = 4096        /* --ca, --cert, --key */
};

/* Texts are those of argv; NULL: not given. Checked for their form. */
struct cli_options {
	const char *config, *grace_period, *log_level, *log_format;
	const char *deployment;
	const char *http, *admin; /* "": given without an address */
	const char *ca, *cert, *key;
	bool insecure, json, wait, hook, cancel, help;
	msec_t timeout_ms; /* 0: not given */
};

/* Takes the options out of argv, whose operands move to its front; *argc becomes their number. `groups` are taken. */
bool cli_options_parse(struct cli_options *o, unsigned groups, int *argc, char **argv, struct err *e);

/* A line for each option of the groups. */
void cli_options_help(unsigned groups, FILE *out);

#endif
