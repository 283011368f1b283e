/*
 * The rules of the check, shared by their sources and nobody else: each source is a table of rules about one thing.
 * They look at one workload at a time and report what they find; docs/lifecycle.md lists them.
 */
#ifndef SLUICE_MANIFEST_RULES_H
#define SLUICE_MANIFEST_RULES_H

#include "manifest/findings.h"
#include "manifest/settings.h"

struct check {
	const struct workload *w;
	const struct documents *all;
	const struct config_messages *messages; /* about its configuration */
	struct findings *findings;
	struct arena *arena;
};

extern const struct rule start_rules[];   /* rules_start.c: the command line, environment, configuration */
extern const struct rule grace_rules[];   /* rules_grace.c: the budget */
extern const struct rule hook_rules[];    /* rules_hook.c: preStop, and the stop signal */
extern const struct rule probe_rules[];   /* rules_probe.c */
extern const struct rule rollout_rules[]; /* rules_rollout.c: replicas, strategy, disruption budgets, scaling */
extern const struct rule pod_rules[];     /* rules_pod.c: what else is in the pod */
extern const struct rule service_rules[]; /* rules_service.c */

/* See findings_add. */
void found(struct check *c, const struct rule *rule, const struct yaml_node *at, const char *below, const char *detail,
        ...) __attribute__((format(printf, 5, 6)));

/* The node, or where it is missing. */
void found_child(struct check *c, const struct rule *rule, const struct yaml_node *in, const char *key,
        const char *detail, ...) __attribute__((format(printf, 5, 6)));

/* Is that a Service, and does one of its ports lead to that port of the workload's container? */
bool service_leads_to(const struct workload *w, const struct yaml_node *object, int64_t port);

/* What the process believes it has after SIGTERM, and what it really has: see rules_grace.c. */
struct grace {
	bool known;                 /* what it is told */
	const char *teller;         /* "MCP_GRACE_PERIOD" */
	const struct yaml_node *at; /* where it is told; NULL: nowhere in the manifest */
	msec_t told_ms, planned_ms; /* without and with lifecycle.preStop subtracted */
	msec_t left_ms;             /* by the kubelet, after the hook */
};

struct grace grace_of(const struct workload *w);

/* The plan that follows: with the less of both. */
struct lifecycle_conf plan_conf(const struct workload *w);

#endif
