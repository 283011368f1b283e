#include "manifest/deployment.h"

#include <stdarg.h>
#include <stdio.h>

#include "manifest/rules.h"

#define DETAIL_MAX 256

static const struct rule nothing_rules[] = {
	{ "nothing-to-check", SEVERITY_ERROR, NULL,
	        "No Deployment, StatefulSet, DaemonSet or Pod in this file has a container that runs Sluice, known by its "
	        "name, image or command.",
	        "the output of `helm template` or `kubectl kustomize`" },
	{ 0 },
};

static const struct rule *const tables[] = { nothing_rules, start_rules, grace_rules, hook_rules, probe_rules,
	rollout_rules, pod_rules, service_rules };

#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

static void report(struct check *c, const struct rule *rule, const struct yaml_node *at, const char *below,
        const char *detail, va_list ap)
{
	char text[DETAIL_MAX];

	vsnprintf(text, sizeof(text), detail, ap);
	findings_add(c->findings, rule, at, below, text);
}

void found(struct check *c, const struct rule *rule, const struct yaml_node *at, const char *below, const char *detail,
        ...)
{
	va_list ap;

	va_start(ap, detail);
	report(c, rule, at, below, detail, ap);
	va_end(ap);
}

void found_child(
        struct check *c, const struct rule *rule, const struct yaml_node *in, const char *key, const char *detail, ...)
{
	const struct yaml_node *child = yaml_at(in, key);
	va_list ap;

	va_start(ap, detail);
	report(c, rule, child != NULL ? child : in, child != NULL ? NULL : key, detail, ap);
	va_end(ap);
}

void deployment_each_rule(void (*visit)(void *arg, const struct rule *rule), void *arg)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		for (const struct rule *rule = tables[i]; rule->name != NULL; rule++)
			visit(arg, rule);
}

static void run_rule(void *arg, const struct rule *rule)
{
	if (rule->check != NULL)
		rule->check(arg, rule);
}

static void add_plan(struct deployment *d, const struct workload *w)
{
	struct planned **at = &d->planned, *p = ARENA_NEW(&d->findings.arena, struct planned);

	p->subject = manifest_subject(&d->findings.arena, w->document);
	p->conf = plan_conf(w);
	config_longest_stop(w->config, &p->stop_eof_ms, &p->stop_term_ms);
	while (*at != NULL)
		at = &(*at)->next;
	*at = p;
}

static void check_workload(
        struct deployment *d, struct workload *w, const struct documents *all, const struct config *config)
{
	struct config_messages messages = { 0 };
	struct arena scratch = { 0 };
	struct config *own;

	settings_read(w, all, config, &own, &messages);
	struct check c = { .w = w, .all = all, .messages = &messages, .findings = &d->findings, .arena = &scratch };
	deployment_each_rule(run_rule, &c);
	add_plan(d, w);
	config_free(&own);
	config_messages_free(&messages);
	arena_free(&scratch);
}

bool deployment_check(struct span text, const struct config *config, struct deployment *d, struct err *e)
{
	static const struct yaml_node nothing = { .kind = YAML_MAP, .line = 1, .column = 1 };
	const struct yaml_node *documents;
	struct arena trees = { 0 };
	struct workload w;
	struct documents all = { 0 };
	bool good = yaml_parse(&trees, text, &documents, e);

	if (good)
		all = documents_of(&trees, documents);
	if (all.count > DOCUMENTS_MAX)
		good = err_set(e, "there are more than %d objects in it", DOCUMENTS_MAX);
	if (good) {
		for (size_t i = 0; i < all.count; i++)
			if (workload_read(&w, &all, all.items[i]))
				check_workload(d, &w, &all, config);
		if (d->planned == NULL)
			findings_add(&d->findings, nothing_rules, documents != NULL ? documents : &nothing, NULL,
			        "nothing was checked");
	}
	arena_free(&trees);
	return good;
}

void deployment_free(struct deployment *d)
{
	findings_free(&d->findings);
	d->planned = NULL;
}
