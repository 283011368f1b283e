/*
 * Looks for lifecycle mistakes in rendered Kubernetes manifests: every workload that runs Sluice is read, and every
 * rule looks at it. Pure: nothing but the text is read.
 */
#ifndef SLUICE_MANIFEST_DEPLOYMENT_H
#define SLUICE_MANIFEST_DEPLOYMENT_H

#include "config/config.h"
#include "manifest/findings.h"

/* One workload that was looked at, with the plan that its process will have. */
struct planned {
	const char *subject; /* "Deployment/sluice" */
	struct lifecycle_conf conf;
	msec_t stop_eof_ms, stop_term_ms;
	struct planned *next;
};

/* Zeroes, then what the check has found. */
struct deployment {
	struct findings findings; /* its arena holds the plans too */
	struct planned *planned;  /* NULL: no workload in it runs Sluice, which is an error among the findings */
};

/*
 * `config`, unless NULL, is the configuration that the pods will have; else one is looked for in the manifests. False:
 * it is no YAML.
 */
bool deployment_check(struct span text, const struct config *config, struct deployment *d, struct err *e);
void deployment_free(struct deployment *d);

/* All rules, table by table; `visit` gets each. For the manual, and for tests. */
void deployment_each_rule(void (*visit)(void *arg, const struct rule *rule), void *arg);

#endif
