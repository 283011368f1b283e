/* sluice check: is the configuration right, and what will happen when the pod is stopped? */
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/mem.h"
#include "cli/check_deployment.h"
#include "cli/cli.h"

static const char *idle_text(const struct backend_conf *s, struct duration_text *room)
{
	switch (s->idle) {
	case IDLE_ADAPTIVE:
		return "adaptive";
	case IDLE_NEVER:
		return "never";
	case IDLE_FIXED:
		*room = duration_text(s->idle_ms);
		return room->text;
	}
	return "";
}

static int name_width(const struct config *config)
{
	size_t width = strlen("server");

	for (size_t i = 0; i < config->server_count; i++)
		if (strlen(config->servers[i].name) > width)
			width = strlen(config->servers[i].name);
	return (int)width;
}

/* What a server is: its program, or the origin of its URL. The rest of both may hold secrets. */
static struct span what_it_is(const struct backend_conf *s)
{
	if (s->url == NULL)
		return span_of(s->argv[0]);
	struct span url = span_of(s->url);
	size_t host = span_find(url, '/') + 2;
	struct span rest = span_skip(url, host);
	size_t path = span_find(rest, '/'), query = span_find(rest, '?');
	return span_cut(url, host + (path < query ? path : query));
}

static void print_servers(const struct config *config, FILE *out)
{
	static const char *const startups[] = {
		[STARTUP_REQUIRED] = "required", [STARTUP_EAGER] = "eager", [STARTUP_LAZY] = "lazy"
	};
	int width = name_width(config);

	if (config->server_count == 0)
		return;
	fprintf(out, "\n  %-*s  %-8s  %-8s  %-7s  %-9s  %s\n", width, "server", "startup", "idle", "request", "stop",
	        "command or URL");
	for (size_t i = 0; i < config->server_count; i++) {
		const struct backend_conf *s = &config->servers[i];
		struct duration_text idle;
		char stop[64];
		snprintf(stop, sizeof(stop), "%s+%s", duration_text(s->stop_eof_ms).text,
		        duration_text(s->stop_term_ms).text);
		fprintf(out, "  %-*s  %-8s  %-8s  %-7s  %-9s  %.*s\n", width, s->name, startups[s->startup],
		        idle_text(s, &idle), duration_text(s->request_timeout_ms).text, stop, SPAN_ARG(what_it_is(s)));
	}
}

static void print_plan(const struct config *config, FILE *out)
{
	struct buf text = { 0 };
	msec_t eof_ms, term_ms;

	config_longest_stop(config, &eof_ms, &term_ms);
	struct budget budget = budget_at(&config->lifecycle, eof_ms, term_ms, (mono_t){ 0 });
	budget_print(&budget, &config->lifecycle, &text);
	fprintf(out, "\n%.*s", SPAN_ARG(buf_span(&text)));
	buf_free(&text);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_verdict(const struct cli *c, const struct config *config, const struct config_messages *messages)
{
	size_t errors = messages->count[CONFIG_ERROR], warnings = messages->count[CONFIG_WARNING];
	bool colour = cli_wants_colour(c->out, c->environment);
	const char *end = colour ? "\033[0m" : "";

	if (config != NULL)
		fprintf(c->out, "%s%s: ok%s, %zu server%s", colour ? "\033[32m" : "", config->source, end,
		        config->server_count, plural(config->server_count));
	else
		fprintf(c->out, "%s%zu error%s%s", colour ? "\033[31m" : "", errors, plural(errors), end);
	if (warnings > 0)
		fprintf(c->out, ", %zu warning%s", warnings, plural(warnings));
	fputc('\n', c->out);
}

/* Without the variables that would win over the file: a pod gets others than this shell has. From malloc. */
static const char **without_ours(const char *const *environment)
{
	size_t n = 0, kept = 0;

	while (environment != NULL && environment[n] != NULL)
		n++;
	const char **rest = mem_zalloc((n + 1) * sizeof(*rest));
	for (size_t i = 0; i < n; i++)
		if (!span_starts(span_of(environment[i]), SPAN("MCP_")))
			rest[kept++] = environment[i];
	return rest;
}

/* With --config the servers.json that the pods will have is checked first, and taken into account. */
static int check_manifests(const struct cli *c)
{
	const char **environment = without_ours(c->environment);
	struct config_sources from = { .file = c->options.config, .environment = environment };
	struct config_messages messages = { 0 };
	struct config *config = from.file != NULL ? config_load(&from, &messages, NULL) : NULL;
	int code = CLI_CONFIG;

	cli_print_messages(&messages, c->out, c->environment);
	if (from.file != NULL)
		print_verdict(c, config, &messages);
	if (from.file == NULL || config != NULL)
		code = check_deployment(c, config);
	config_messages_free(&messages);
	config_free(&config);
	free(environment);
	return code;
}

int cli_check(const struct cli *c)
{
	if (c->options.deployment != NULL)
		return check_manifests(c);
	struct config_sources from = cli_config_sources(c);
	struct config_messages messages = { 0 };
	struct config *config = config_load(&from, &messages, NULL);
	int code = config != NULL ? CLI_OK : CLI_CONFIG;

	cli_print_messages(&messages, c->out, c->environment);
	print_verdict(c, config, &messages);
	if (config != NULL) {
		print_servers(config, c->out);
		print_plan(config, c->out);
	}
	config_messages_free(&messages);
	config_free(&config);
	return code;
}
