#include "cli/check_deployment.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "manifest/deployment.h"

static void print_findings(const struct cli *c, const char *name, const struct findings *findings)
{
	static const char *const colours[SEVERITY_COUNT] = {
		[SEVERITY_ERROR] = "\033[31m", [SEVERITY_WARNING] = "\033[33m", [SEVERITY_ADVICE] = "\033[2m"
	};
	bool colour = cli_wants_colour(c->out, c->environment);
	size_t all = 0, printed = 0;

	for (unsigned i = 0; i < SEVERITY_COUNT; i++)
		all += findings->count[i];
	for (const struct finding *f = findings->first; f != NULL; f = f->next, printed++) {
		struct buf text = { 0 };
		finding_print(f, name, &text);
		fprintf(c->out, "%s%.*s%s", colour ? colours[f->rule->severity] : "", SPAN_ARG(buf_span(&text)),
		        colour ? "\033[0m" : "");
		buf_free(&text);
	}
	if (all > printed)
		fprintf(c->out, "... and %zu more\n", all - printed);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_verdict(const struct cli *c, const char *name, const struct deployment *d)
{
	const size_t *count = d->findings.count;

	fprintf(c->out, "%s: %s: %zu error%s, %zu warning%s, %zu with advice\n", name,
	        count[SEVERITY_ERROR] == 0 ? "ok" : "not ok", count[SEVERITY_ERROR], plural(count[SEVERITY_ERROR]),
	        count[SEVERITY_WARNING], plural(count[SEVERITY_WARNING]), count[SEVERITY_ADVICE]);
}

static void print_plans(const struct cli *c, const struct planned *planned)
{
	for (const struct planned *p = planned; p != NULL; p = p->next) {
		struct buf text = { 0 };
		struct budget budget = budget_at(&p->conf, p->stop_eof_ms, p->stop_term_ms, (mono_t){ 0 });
		budget_print(&budget, &p->conf, &text);
		fprintf(c->out, "\n%s\n%.*s", p->subject, SPAN_ARG(buf_span(&text)));
		buf_free(&text);
	}
}

static int check_text(const struct cli *c, const char *name, struct span text, const struct config *config)
{
	struct deployment d = { 0 };
	struct err e;
	int code = CLI_CONFIG;

	if (deployment_check(text, config, &d, &e)) {
		print_findings(c, name, &d.findings);
		print_verdict(c, name, &d);
		print_plans(c, d.planned);
		code = d.findings.count[SEVERITY_ERROR] == 0 ? CLI_OK : CLI_CONFIG;
	} else {
		fprintf(c->out, "%s: %s\n", name, e.text);
	}
	deployment_free(&d);
	return code;
}

int check_deployment(const struct cli *c, const struct config *config)
{
	bool from_stdin = strcmp(c->options.deployment, "-") == 0;
	const char *name = from_stdin ? "stdin" : c->options.deployment;
	struct err e;
	char *text;
	size_t n;

	if (from_stdin ? !fd_read_all(STDIN_FILENO, YAML_MAX_BYTES, &text, &n, &e)
	               : !fd_read_file(name, YAML_MAX_BYTES, &text, &n, &e)) {
		fprintf(c->out, "%s%s%s\n", from_stdin ? name : "", from_stdin ? ": " : "", e.text);
		return CLI_CONFIG;
	}
	int code = check_text(c, name, (struct span){ text, n }, config);
	free(text);
	return code;
}
