#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

#include "config/environment.h"
#include "config/suggest.h"

static int print_version(const struct cli *c)
{
	fprintf(c->out, "sluice %s\n", SLUICE_VERSION);
	return CLI_OK;
}

static int print_help(const struct cli *c);

/* clang-format off */
static const struct command {
	const char *name, *operands, *summary;
	int (*run)(const struct cli *c);
	unsigned takes; /* of enum cli_option_group */
	int least, most; /* operands */
} commands[] = {
	{ "serve",       "",            "run the gateway, over stdio or, with --http, over HTTP", cli_serve,       CLI_TAKES_CONFIG | CLI_TAKES_GRACE | CLI_TAKES_LOG | CLI_TAKES_HTTP | CLI_TAKES_ADMIN, 0, 0 },
	{ "check",       "",            "check the configuration, or manifests, and print the shutdown plan", cli_check, CLI_TAKES_CONFIG | CLI_TAKES_GRACE | CLI_TAKES_DEPLOYMENT, 0, 0 },
	{ "list",        "[SERVER]",    "list what the servers offer, or what one of them does",  cli_list,        CLI_TAKES_CONFIG | CLI_TAKES_LOG | CLI_TAKES_JSON | CLI_TAKES_TIMEOUT, 0, 1 },
	{ "call",        "NAME [JSON]", "call a tool, with arguments from JSON or from stdin",    cli_call,        CLI_TAKES_CONFIG | CLI_TAKES_LOG | CLI_TAKES_JSON | CLI_TAKES_TIMEOUT, 1, 2 },
	{ "doctor",      "SERVER",      "connect to one server and tell how it is, and what clients will get", cli_doctor, CLI_TAKES_CONFIG | CLI_TAKES_LOG | CLI_TAKES_JSON | CLI_TAKES_TIMEOUT, 1, 1 },
	{ "status",      "",            "tell how the gateway at an admin port is",               cli_status,      CLI_TAKES_ADMIN | CLI_TAKES_JSON | CLI_TAKES_TLS, 0, 0 },
	{ "drain",       "",            "ask the gateway at an admin port to drain, before a stop", cli_drain,     CLI_TAKES_ADMIN | CLI_TAKES_TIMEOUT | CLI_TAKES_DRAIN | CLI_TAKES_TLS, 0, 0 },
	{ "healthcheck", "[URL]",       "exit with 0 when the URL answers well: for containers",  cli_healthcheck, CLI_TAKES_TLS, 0, 1 },
	{ "version",     "",            "print the version",                                      print_version,   0, 0, 0 },
	{ "help",        "[COMMAND]",   "print this, or what a command takes",                    print_help,      0, 0, 1 },
};
/* clang-format on */

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static int refuse_command(const char *name, FILE *err)
{
	struct suggestion s = suggestion_for(span_of(name));

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		suggestion_offer(&s, commands[i].name);
	fprintf(err, "sluice: unknown command \"%s\"", name);
	if (s.best != NULL)
		fprintf(err, ", did you mean \"%s\"?", s.best);
	fputs("\nTry \"sluice help\".\n", err);
	return CLI_USAGE;
}

static void print_commands(FILE *out)
{
	fputs("Usage: sluice COMMAND [OPTION]...\n\nA gateway between MCP clients and MCP servers.\n\n", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %s %-*s  %s\n", commands[i].name, (int)(18 - strlen(commands[i].name)),
		        commands[i].operands, commands[i].summary);
	fputs("\n\"sluice help COMMAND\" tells the options of one.\n", out);
}

static void print_command(const struct command *command, FILE *out)
{
	fprintf(out, "Usage: sluice %s [OPTION]...%s%s\n\nsluice %s: %s\n\n", command->name,
	        command->operands[0] != '\0' ? " " : "", command->operands, command->name, command->summary);
	cli_options_help(command->takes, out);
}

static int print_help(const struct cli *c)
{
	const struct command *command = c->argc > 0 ? find_command(c->argv[0]) : NULL;

	if (c->argc > 0 && command == NULL)
		return refuse_command(c->argv[0], c->err);
	if (command != NULL)
		print_command(command, c->out);
	else
		print_commands(c->out);
	return CLI_OK;
}

static int refuse_usage(const struct command *command, const char *sentence, FILE *err)
{
	fprintf(err, "sluice %s: %s\nTry \"sluice help %s\".\n", command->name, sentence, command->name);
	return CLI_USAGE;
}

static int run_command(const struct command *command, struct cli *c)
{
	struct err e;

	if (!cli_options_parse(&c->options, command->takes, &c->argc, c->argv, &e))
		return refuse_usage(command, e.text, c->err);
	if (c->options.help) {
		print_command(command, c->out);
		return CLI_OK;
	}
	if (c->argc < command->least)
		return refuse_usage(command, "something is missing", c->err);
	if (c->argc > command->most) {
		err_set(&e, "there is nothing to do with \"%s\"", c->argv[command->most]);
		return refuse_usage(command, e.text, c->err);
	}
	return command->run(c);
}

int cli_run(int argc, char **argv, const char *const *environment, FILE *out, FILE *err)
{
	struct cli c = { .argc = argc - 2, .argv = argv + 2, .environment = environment, .out = out, .err = err };

	if (argc < 2) {
		print_commands(err);
		return CLI_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	const struct command *command = find_command(name);
	return command != NULL ? run_command(command, &c) : refuse_command(name, err);
}

struct config_sources cli_config_sources(const struct cli *c)
{
	return (struct config_sources){
		.file = c->options.config,
		.grace_period = c->options.grace_period,
		.log_level = c->options.log_level,
		.log_format = c->options.log_format,
		.environment = c->environment,
	};
}

bool cli_wants_colour(FILE *to, const char *const *environment)
{
	const char *no_color = environment_get(environment, SPAN("NO_COLOR"));
	const char *term = environment_get(environment, SPAN("TERM"));
	int fd = fileno(to);

	return fd >= 0 && isatty(fd) && (no_color == NULL || no_color[0] == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

void cli_print_messages(const struct config_messages *messages, FILE *to, const char *const *environment)
{
	static const char *const colours[CONFIG_KIND_COUNT] = {
		[CONFIG_ERROR] = "\033[31m", [CONFIG_WARNING] = "\033[33m", [CONFIG_INFO] = "\033[2m"
	};
	bool colour = cli_wants_colour(to, environment);
	size_t all = 0, printed = 0;

	for (unsigned kind = 0; kind < CONFIG_KIND_COUNT; kind++)
		all += messages->count[kind];
	for (const struct config_message *m = messages->first; m != NULL; m = m->next, printed++) {
		struct buf line = { 0 };
		config_message_print(m, &line);
		fprintf(to, "%s%.*s%s\n", colour ? colours[m->kind] : "", SPAN_ARG(buf_span(&line)),
		        colour ? "\033[0m" : "");
		buf_free(&line);
	}
	if (all > printed)
		fprintf(to, "... and %zu more\n", all - printed);
}
