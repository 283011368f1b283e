#include "cli/options.h"

#include <stddef.h>
#include <string.h>

#include "base/duration.h"
#include "config/config.h"
#include "config/suggest.h"

/* Puts the value into the member; false when it has not the form that is asked for. */
typedef bool set_option(void *member, const char *value);

static bool set_flag(void *member, const char *value)
{
	(void)value;
	*(bool *)member = true;
	return true;
}

static bool set_text(void *member, const char *value)
{
	*(const char **)member = value;
	return value[0] != '\0';
}

static bool set_optional(void *member, const char *value)
{
	*(const char **)member = value;
	return true;
}

static bool set_duration(void *member, const char *value)
{
	msec_t ms;

	*(const char **)member = value;
	return duration_parse(span_of(value), &ms);
}

static bool set_ms(void *member, const char *value)
{
	return duration_parse(span_of(value), member);
}

static bool set_levels(void *member, const char *value)
{
	*(const char **)member = value;
	return config_log_levels_are_valid(span_of(value));
}

static bool set_format(void *member, const char *value)
{
	*(const char **)member = value;
	return strcmp(value, "text") == 0 || strcmp(value, "json") == 0;
}

#define AT(what) offsetof(struct cli_options, what)

/* clang-format off */
static const struct option {
	const char *name;
	const char *value; /* what it wants; NULL: it is a flag; in brackets: may be left out */
	unsigned group;    /* 0: of every command */
	set_option *set;
	size_t at;
	const char *help;
} options[] = {
	{ "--config",       "FILE",          CLI_TAKES_CONFIG,  set_text,     AT(config),       "read the configuration from FILE" },
	{ "--grace-period", "DURATION",      CLI_TAKES_GRACE,   set_duration, AT(grace_period), "the pod's terminationGracePeriodSeconds, such as 30s" },
	{ "--deployment",   "FILE",          CLI_TAKES_DEPLOYMENT, set_text,  AT(deployment),   "look for lifecycle mistakes in rendered Kubernetes manifests; \"-\" is stdin" },
	{ "--http",         "[ADDR:PORT]",   CLI_TAKES_HTTP,    set_optional, AT(http),         "serve over HTTP instead of stdin and stdout; 127.0.0.1:8080" },
	{ "--insecure",     NULL,            CLI_TAKES_HTTP,    set_flag,     AT(insecure),     "allow an address that is not loopback, without TLS" },
	{ "--admin",        "[ADDR:PORT]",   CLI_TAKES_ADMIN,   set_optional, AT(admin),        "the admin port; 127.0.0.1:9902; \"off\" for none" },
	{ "--log-level",    "LEVEL",         CLI_TAKES_LOG,     set_levels,   AT(log_level),    "error, warn, info, debug, trace, or module=level,..." },
	{ "--log-format",   "text|json",     CLI_TAKES_LOG,     set_format,   AT(log_format),   "one line of text or one JSON object per event" },
	{ "--timeout",      "DURATION",      CLI_TAKES_TIMEOUT, set_ms,       AT(timeout_ms),   "give up after this long" },
	{ "--wait",         NULL,            CLI_TAKES_DRAIN,   set_flag,     AT(wait),         "wait until lame-duck is over and no call is in flight" },
	{ "--hook",         NULL,            CLI_TAKES_DRAIN,   set_flag,     AT(hook),         "this is a preStop hook: the grace period begins now" },
	{ "--cancel",       NULL,            CLI_TAKES_DRAIN,   set_flag,     AT(cancel),       "go back to serving as before" },
	{ "--ca",           "FILE",          CLI_TAKES_TLS,     set_text,     AT(ca),           "over TLS: who may vouch for the gateway" },
	{ "--cert",         "FILE",          CLI_TAKES_TLS,     set_text,     AT(cert),         "over TLS: the certificate to show" },
	{ "--key",          "FILE",          CLI_TAKES_TLS,     set_text,     AT(key),          "over TLS: its key" },
	{ "--json",         NULL,            CLI_TAKES_JSON,    set_flag,     AT(json),         "print JSON also to a terminal" },
	{ "--help",         NULL,            0,                 set_flag,     AT(help),         "print this and exit" },
};
/* clang-format on */

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static bool is_taken(const struct option *option, unsigned groups)
{
	return option->group == 0 || (option->group & groups) != 0;
}

static const struct option *find_option(struct span name, unsigned groups)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (is_taken(&options[i], groups) && span_eq(name, span_of(options[i].name)))
			return &options[i];
	return NULL;
}

static bool refuse_unknown(struct span name, unsigned groups, struct err *e)
{
	struct suggestion s = suggestion_for(name);

	if (find_option(name, ~0u) != NULL)
		return err_set(e, "%.*s is no option of this command", SPAN_ARG(name));
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (is_taken(&options[i], groups))
			suggestion_offer(&s, options[i].name);
	if (s.best != NULL)
		return err_set(e, "unknown option %.*s, did you mean %s?", SPAN_ARG(name), s.best);
	return err_set(e, "unknown option %.*s", SPAN_ARG(name));
}

/* The value of an option that stands without `=`: the next word, unless that is an option itself ("-" is none). NULL:
 * none. */
static const char *next_value(int *at, int argc, char **argv)
{
	if (*at + 1 == argc || (argv[*at + 1][0] == '-' && argv[*at + 1][1] != '\0'))
		return NULL;
	return argv[++*at];
}

static bool parse_option(struct cli_options *o, unsigned groups, int *at, int argc, char **argv, struct err *e)
{
	struct span word = span_of(strcmp(argv[*at], "-h") == 0 ? "--help" : argv[*at]);
	size_t equals = span_find(word, '=');
	struct span name = span_cut(word, equals);
	const struct option *option = find_option(name, groups);
	const char *value = equals < word.n ? word.p + equals + 1 : NULL;

	if (option == NULL)
		return refuse_unknown(name, groups, e);
	if (option->value == NULL && value != NULL)
		return err_set(e, "%s takes no value", option->name);
	if (option->value != NULL && value == NULL)
		value = next_value(at, argc, argv);
	if (option->value != NULL && value == NULL && option->value[0] != '[')
		return err_set(e, "%s wants a value: %s", option->name, option->value);
	if (!option->set((char *)o + option->at, value != NULL ? value : ""))
		return err_set(e, "%s wants %s, not \"%s\"", option->name, option->value, value);
	return true;
}

bool cli_options_parse(struct cli_options *o, unsigned groups, int *argc, char **argv, struct err *e)
{
	bool ended = false;
	int operands = 0;

	for (int i = 0; i < *argc; i++) {
		if (ended || argv[i][0] != '-' || argv[i][1] == '\0')
			argv[operands++] = argv[i];
		else if (strcmp(argv[i], "--") == 0)
			ended = true;
		else if (!parse_option(o, groups, &i, *argc, argv, e))
			return false;
	}
	*argc = operands;
	return true;
}

void cli_options_help(unsigned groups, FILE *out)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &options[i];
		const char *value = option->value != NULL ? option->value : "";
		if (is_taken(option, groups))
			fprintf(out, "  %s %-*s  %s\n", option->name, (int)(26 - strlen(option->name)), value,
			        option->help);
	}
}
