/* Replicas, how they are replaced, and what may take them away. */
#include "manifest/rules.h"

static bool is_replicated(const struct workload *w)
{
	return w->kind == KIND_DEPLOYMENT || w->kind == KIND_STATEFUL_SET;
}

/* A number or a percentage of the replicas, rounded as Kubernetes does. False: neither. */
static bool read_share(const struct yaml_node *node, int64_t of, bool up, int64_t *out)
{
	struct span text = yaml_text(node);
	uint64_t percent;

	if (yaml_int(node, out))
		return *out >= 0 && *out <= ANY_NUMBER;
	if (text.n < 2 || text.p[text.n - 1] != '%' || !span_to_u64(span_cut(text, text.n - 1), 1000, &percent))
		return false;
	*out = (of * (int64_t)percent + (up ? 99 : 0)) / 100;
	return true;
}

struct rolling {
	int64_t unavailable, surge; /* of the least number of replicas */
	const struct yaml_node *at;
};

/* False: it is no rolling update of a Deployment, or what stands there is not understood. */
static bool rolling_of(const struct workload *w, struct rolling *r)
{
	const struct yaml_node *strategy = yaml_at(w->document, "spec.strategy");
	const struct yaml_node *unavailable = yaml_at(strategy, "rollingUpdate.maxUnavailable");
	const struct yaml_node *surge = yaml_at(strategy, "rollingUpdate.maxSurge");

	if (w->kind != KIND_DEPLOYMENT || yaml_is(yaml_child(strategy, "type"), "Recreate"))
		return false;
	r->at = unavailable;
	r->unavailable = w->least / 4;
	r->surge = (w->least + 3) / 4;
	return (unavailable == NULL || read_share(unavailable, w->least, false, &r->unavailable)) &&
	       (surge == NULL || read_share(surge, w->least, true, &r->surge));
}

static void recreate(struct check *c, const struct rule *rule)
{
	const struct yaml_node *type = yaml_at(c->w->document, "spec.strategy.type");

	if (c->w->kind == KIND_DEPLOYMENT && yaml_is(type, "Recreate"))
		found(c, rule, type, NULL, "Recreate");
}

static void unavailable(struct check *c, const struct rule *rule)
{
	struct rolling r;

	if (rolling_of(c->w, &r) && r.unavailable > 0)
		found(c, rule, r.at != NULL ? r.at : yaml_child(c->w->document, "spec"),
		        r.at != NULL ? NULL : "strategy.rollingUpdate.maxUnavailable", "%lld of %lld may be missing",
		        (long long)r.unavailable, (long long)c->w->least);
}

static bool is_zero(const struct yaml_node *node)
{
	return yaml_is(node, "0") || yaml_is(node, "0%");
}

static void stuck(struct check *c, const struct rule *rule)
{
	const struct yaml_node *rolling = yaml_at(c->w->document, "spec.strategy.rollingUpdate");

	if (c->w->kind == KIND_DEPLOYMENT && is_zero(yaml_child(rolling, "maxUnavailable")) &&
	        is_zero(yaml_child(rolling, "maxSurge")))
		found(c, rule, rolling, NULL, "maxUnavailable and maxSurge are both 0");
}

static void one_replica(struct check *c, const struct rule *rule)
{
	if (is_replicated(c->w) && c->w->most == 1 && c->w->config_seen &&
	        !c->w->config->lifecycle.ready_while_draining)
		found_child(c, rule, yaml_child(c->w->document, "spec"), "replicas",
		        "one replica, and lifecycle.readyWhileDraining is not true");
}

static void session_keys(struct check *c, const struct rule *rule)
{
	if (c->w->most > 1 && c->w->config_seen && !c->w->session_keys)
		found_child(c, rule, c->w->kind == KIND_POD ? c->w->document : yaml_child(c->w->document, "spec"),
		        c->w->kind == KIND_DAEMON_SET ? "template" : "replicas", "no session.keys in servers.json");
}

static void session_keys_one(struct check *c, const struct rule *rule)
{
	if (c->w->most <= 1 && c->w->kind != KIND_POD && c->w->config_seen && !c->w->session_keys)
		found_child(c, rule, yaml_child(c->w->document, "spec"), "replicas", "no session.keys in servers.json");
}

static void min_ready(struct check *c, const struct rule *rule)
{
	const struct yaml_node *spec = yaml_child(c->w->document, "spec");
	int64_t seconds;

	if (is_replicated(c->w) && (!yaml_int(yaml_child(spec, "minReadySeconds"), &seconds) || seconds == 0))
		found_child(c, rule, spec, "minReadySeconds", "0");
}

static void progress(struct check *c, const struct rule *rule)
{
	const struct yaml_node *at = yaml_at(c->w->document, "spec.progressDeadlineSeconds");
	const struct probe *p = &c->w->probes[PROBE_STARTUP];
	int64_t deadline, patience = p->initial_delay + p->period * p->failures;

	if (yaml_int(at, &deadline) && p->at != NULL && deadline <= patience)
		found(c, rule, at, NULL, "%lld s, and a start may take %lld s", (long long)deadline,
		        (long long)patience);
}

static void scaled_and_fixed(struct check *c, const struct rule *rule)
{
	const struct yaml_node *replicas = yaml_at(c->w->document, "spec.replicas");

	if (c->w->scaler != NULL && replicas != NULL)
		found(c, rule, replicas, NULL, "%.*s", SPAN_ARG(yaml_text(replicas)));
}

static void scale_in(struct check *c, const struct rule *rule)
{
	if (c->w->scaler != NULL && yaml_items(yaml_at(c->w->scaler, "spec.behavior.scaleDown.policies")) == NULL)
		found_child(c, rule, c->w->scaler, "spec.behavior.scaleDown.policies", "none");
}

/* Is that a disruption budget for this workload? */
static bool is_budget(const struct workload *w, const struct yaml_node *object)
{
	return yaml_is(yaml_child(object, "kind"), "PodDisruptionBudget") &&
	       workload_selected(w, yaml_at(object, "spec.selector.matchLabels"));
}

static void budget_blocks(struct check *c, const struct rule *rule)
{
	int64_t n;

	for (size_t i = 0; i < c->all->count; i++) {
		const struct yaml_node *spec = yaml_child(c->all->items[i], "spec");
		const struct yaml_node *least = yaml_child(spec, "minAvailable"),
		                       *most = yaml_child(spec, "maxUnavailable");
		if (!is_budget(c->w, c->all->items[i]) || c->w->least == ANY_NUMBER)
			continue;
		if (read_share(least, c->w->least, true, &n) && n >= c->w->least)
			found(c, rule, least, NULL, "%.*s of %lld must stay", SPAN_ARG(yaml_text(least)),
			        (long long)c->w->least);
		else if (is_zero(most))
			found(c, rule, most, NULL, "none of %lld may go", (long long)c->w->least);
	}
}

static void budget_of_unready(struct check *c, const struct rule *rule)
{
	for (size_t i = 0; i < c->all->count; i++) {
		const struct yaml_node *spec = yaml_child(c->all->items[i], "spec");
		if (is_budget(c->w, c->all->items[i]) &&
		        !yaml_is(yaml_child(spec, "unhealthyPodEvictionPolicy"), "AlwaysAllow"))
			found_child(c, rule, spec, "unhealthyPodEvictionPolicy", "not AlwaysAllow");
	}
}

static void spread(struct check *c, const struct rule *rule)
{
	if (is_replicated(c->w) && c->w->least > 1 &&
	        yaml_items(yaml_child(c->w->spec, "topologySpreadConstraints")) == NULL &&
	        yaml_at(c->w->spec, "affinity.podAntiAffinity") == NULL)
		found(c, rule, c->w->spec, "topologySpreadConstraints", "%lld replicas may all be on one node",
		        (long long)c->w->least);
}

static void daemon_surge(struct check *c, const struct rule *rule)
{
	const struct yaml_node *update = yaml_at(c->w->document, "spec.updateStrategy.rollingUpdate");
	const struct yaml_node *surge = yaml_child(update, "maxSurge");

	if (c->w->kind == KIND_DAEMON_SET && (surge == NULL || is_zero(surge)))
		found_child(c, rule, yaml_child(c->w->document, "spec"), "updateStrategy.rollingUpdate.maxSurge", "0");
}

static void bare_pod(struct check *c, const struct rule *rule)
{
	if (c->w->kind == KIND_POD && yaml_at(c->w->document, "metadata.ownerReferences") == NULL)
		found_child(c, rule, c->w->document, "kind", "Pod");
}

const struct rule rollout_rules[] = {
	{ "strategy-recreate", SEVERITY_WARNING, recreate,
	        "All old pods are gone before a new one starts, so nobody serves meanwhile.",
	        "strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}" },
	{ "max-unavailable", SEVERITY_WARNING, unavailable,
	        "An old pod may go before a new one is ready; without the key it is a quarter of the replicas.",
	        "maxUnavailable: 0, maxSurge: 1" },
	{ "rollout-stuck", SEVERITY_ERROR, stuck,
	        "The API server refuses an update that may neither add nor remove a pod.", "maxSurge: 1" },
	{ "one-replica", SEVERITY_WARNING, one_replica,
	        "When the only pod drains, proxies send no traffic to it any more, and there is no other one yet.",
	        "\"readyWhileDraining\": true in lifecycle of servers.json, or two replicas" },
	{ "session-keys", SEVERITY_ERROR, session_keys,
	        "Each replica seals sessions with a key of its own, so a client gets 404 from every other one.",
	        "session.keys in servers.json, with a secret from ${file:...} of a mounted Secret" },
	{ "session-keys-one", SEVERITY_ADVICE, session_keys_one,
	        "Sessions end with the pod, so every rollout makes all clients begin anew.",
	        "session.keys in servers.json, with a secret from ${file:...} of a mounted Secret" },
	{ "min-ready", SEVERITY_ADVICE, min_ready,
	        "A rollout takes the next old pod away with the first successful probe of the new one.",
	        "minReadySeconds: 5" },
	{ "progress-deadline", SEVERITY_WARNING, progress,
	        "The rollout counts as failed while a pod is still allowed to start.",
	        "a progressDeadlineSeconds that is longer than the startup probe" },
	{ "scaled-and-fixed", SEVERITY_WARNING, scaled_and_fixed,
	        "Each time the manifest is applied the autoscaler's number is lost, and pods are stopped.",
	        "no replicas in a workload that a HorizontalPodAutoscaler scales" },
	{ "scale-in", SEVERITY_ADVICE, scale_in,
	        "An autoscaler may stop all pods but the least number at once, and their clients come back as a herd.",
	        "behavior: {scaleDown: {policies: [{type: Pods, value: 1, periodSeconds: 60}]}}" },
	{ "budget-blocks", SEVERITY_ERROR, budget_blocks,
	        "With that no node can ever be drained that has one of these pods.",
	        "maxUnavailable: 1, and no PodDisruptionBudget for a single replica" },
	{ "budget-unready", SEVERITY_ADVICE, budget_of_unready,
	        "Pods that are not ready count as available when a node is drained, and may hold it up.",
	        "unhealthyPodEvictionPolicy: AlwaysAllow" },
	{ "spread", SEVERITY_ADVICE, spread, "Together they go when that node goes.",
	        "topologySpreadConstraints by kubernetes.io/hostname, with whenUnsatisfiable: ScheduleAnyway" },
	{ "daemon-surge", SEVERITY_ADVICE, daemon_surge, "On each node the old pod is gone before the new one starts.",
	        "updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}" },
	{ "bare-pod", SEVERITY_ADVICE, bare_pod, "Nobody replaces a pod whose node goes, and nothing rolls it out.",
	        "kind: Deployment" },
	{ 0 },
};
