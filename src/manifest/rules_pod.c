/* What else is in the pod: its image, its rights, its neighbours. */
#include "manifest/rules.h"

/* The container's word, or else the pod's. */
static const struct yaml_node *security(const struct workload *w, const char *key)
{
	const struct yaml_node *own = yaml_child(yaml_child(w->container, "securityContext"), key);

	return own != NULL ? own : yaml_child(yaml_child(w->spec, "securityContext"), key);
}

static void image_tag(struct check *c, const struct rule *rule)
{
	const struct yaml_node *at = yaml_child(c->w->container, "image");
	struct span image = yaml_text(at), name = base_name(image);
	size_t colon = span_find(name, ':');

	if (image.n == 0 || span_find(image, '@') < image.n)
		return;
	if (colon == name.n || span_eq(span_skip(name, colon + 1), SPAN("latest")))
		found(c, rule, at, NULL, "%.*s", SPAN_ARG(span_cut(image, 100)));
}

static void root(struct check *c, const struct rule *rule)
{
	const struct yaml_node *user = security(c->w, "runAsUser"), *non_root = security(c->w, "runAsNonRoot");

	if (yaml_is(user, "0"))
		found(c, rule, user, NULL, "runAsUser: 0");
	else if (yaml_is_false(non_root))
		found(c, rule, non_root, NULL, "runAsNonRoot: false");
}

static void privileged(struct check *c, const struct rule *rule)
{
	const struct yaml_node *at = security(c->w, "privileged");

	if (yaml_is_true(at))
		found(c, rule, at, NULL, "privileged: true");
}

static bool drops_all(const struct workload *w)
{
	const struct yaml_node *item = yaml_items(yaml_at(security(w, "capabilities"), "drop"));

	for (; item != NULL; item = item->next)
		if (yaml_is(item, "ALL"))
			return true;
	return false;
}

static void restricted(struct check *c, const struct rule *rule)
{
	const struct workload *w = c->w;
	const struct yaml_node *seccomp = yaml_child(security(w, "seccompProfile"), "type");
	struct buf lacks = { 0 };

	if (!yaml_is_true(security(w, "runAsNonRoot")))
		buf_add(&lacks, SPAN(", runAsNonRoot: true"));
	if (!yaml_is_false(security(w, "allowPrivilegeEscalation")))
		buf_add(&lacks, SPAN(", allowPrivilegeEscalation: false"));
	if (!yaml_is_true(security(w, "readOnlyRootFilesystem")))
		buf_add(&lacks, SPAN(", readOnlyRootFilesystem: true"));
	if (!drops_all(w))
		buf_add(&lacks, SPAN(", capabilities: {drop: [ALL]}"));
	if (!yaml_is(seccomp, "RuntimeDefault") && !yaml_is(seccomp, "Localhost"))
		buf_add(&lacks, SPAN(", seccompProfile: {type: RuntimeDefault}"));
	if (buf_size(&lacks) > 0)
		found_child(c, rule, w->container, "securityContext", "without %.*s",
		        SPAN_ARG(span_skip(buf_span(&lacks), 2)));
	buf_free(&lacks);
}

static void host_network(struct check *c, const struct rule *rule)
{
	const struct yaml_node *at = yaml_child(c->w->spec, "hostNetwork");

	if (yaml_is_true(at))
		found(c, rule, at, NULL, "hostNetwork: true");
}

static void host_port(struct check *c, const struct rule *rule)
{
	for (const struct yaml_node *p = yaml_items(yaml_child(c->w->container, "ports")); p != NULL; p = p->next) {
		const struct yaml_node *at = yaml_child(p, "hostPort");
		if (at != NULL && !yaml_is(at, "0"))
			found(c, rule, at, NULL, "%.*s", SPAN_ARG(yaml_text(at)));
	}
}

static void shared_processes(struct check *c, const struct rule *rule)
{
	static const char *const keys[] = { "shareProcessNamespace", "hostPID" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct yaml_node *at = yaml_child(c->w->spec, keys[i]);
		if (yaml_is_true(at))
			found(c, rule, at, NULL, "%s: true", keys[i]);
	}
}

static void init_container(struct check *c, const struct rule *rule)
{
	if (c->w->init)
		found_child(c, rule, c->w->container, "restartPolicy", "none");
}

static void sidecar_hook(struct check *c, const struct rule *rule)
{
	if (c->w->sidecar && c->w->hook.drains)
		found(c, rule, c->w->hook.at, NULL, "a hook that drains");
}

static void sidecar_grace(struct check *c, const struct rule *rule)
{
	if (c->w->sidecar && c->w->config_seen && c->w->config->lifecycle.lame_duck_min_ms > 0)
		found(c, rule, c->w->container, NULL, "lameDuck.min is not 0");
}

/* A proxy through which all of the pod's traffic goes. */
static bool is_proxy(const struct yaml_node *container)
{
	static const char *const names[] = { "istio-proxy", "linkerd-proxy", "envoy", "envoy-proxy", "kuma-sidecar",
		"consul-dataplane" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (yaml_is(yaml_child(container, "name"), names[i]))
			return true;
	return false;
}

static void mesh(struct check *c, const struct rule *rule)
{
	const struct yaml_node *item = yaml_items(yaml_child(c->w->spec, "containers"));

	for (; item != NULL; item = item->next)
		if (is_proxy(item) && !c->w->sidecar)
			found_child(c, rule, item, "name", "%.*s", SPAN_ARG(yaml_text(yaml_child(item, "name"))));
}

static void token(struct check *c, const struct rule *rule)
{
	if (!yaml_is_false(yaml_child(c->w->spec, "automountServiceAccountToken")))
		found_child(c, rule, c->w->spec, "automountServiceAccountToken", "not false");
}

static void memory(struct check *c, const struct rule *rule)
{
	if (yaml_at(c->w->container, "resources.limits.memory") == NULL)
		found_child(c, rule, c->w->container, "resources.limits.memory", "none");
}

static void cpu(struct check *c, const struct rule *rule)
{
	const struct yaml_node *at = yaml_at(c->w->container, "resources.limits.cpu");

	if (at != NULL)
		found(c, rule, at, NULL, "%.*s", SPAN_ARG(span_cut(yaml_text(at), 40)));
}

/* Is one of its volumes a place to write to? */
static bool has_room(const struct workload *w)
{
	static const char *const kinds[] = { "emptyDir", "persistentVolumeClaim", "ephemeral", "hostPath" };

	for (const struct yaml_node *v = yaml_items(yaml_child(w->spec, "volumes")); v != NULL; v = v->next)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (yaml_child(v, kinds[i]) != NULL)
				return true;
	return false;
}

static void no_room(struct check *c, const struct rule *rule)
{
	if (c->w->runner != NULL && yaml_is_true(security(c->w, "readOnlyRootFilesystem")) && !has_room(c->w))
		found_child(c, rule, c->w->spec, "volumes", "%s, and no volume to write to", c->w->runner);
}

static void last_words(struct check *c, const struct rule *rule)
{
	if (!yaml_is(yaml_child(c->w->container, "terminationMessagePolicy"), "FallbackToLogsOnError"))
		found_child(c, rule, c->w->container, "terminationMessagePolicy", "not FallbackToLogsOnError");
}

const struct rule pod_rules[] = {
	{ "image-tag", SEVERITY_WARNING, image_tag,
	        "Nobody knows what runs, and a pod that is started anew may run something else than its neighbours.",
	        "a version or, better, a digest" },
	{ "root", SEVERITY_WARNING, root, "Neither Sluice nor its servers need to be root.",
	        "runAsNonRoot: true, runAsUser: 65532" },
	{ "privileged", SEVERITY_ERROR, privileged, "Every server that Sluice starts could do anything to the node.",
	        "privileged: false" },
	{ "restricted", SEVERITY_ADVICE, restricted,
	        "Servers are other people's programs, and the pod security standard \"restricted\" costs nothing.",
	        "these keys in the securityContext of the container or the pod" },
	{ "host-network", SEVERITY_WARNING, host_network,
	        "The next pod cannot have the same ports on the same node while the old one still drains.",
	        "no hostNetwork, and a Service" },
	{ "host-port", SEVERITY_WARNING, host_port,
	        "The next pod cannot be on the same node while the old one still drains.",
	        "no hostPort, and a Service" },
	{ "shared-processes", SEVERITY_ADVICE, shared_processes,
	        "It works, but servers see the other containers' processes, and no kernel kills them when Sluice is killed.",
	        "nothing, unless it is meant" },
	{ "init-container", SEVERITY_ERROR, init_container,
	        "The pod waits for an init container to end, and Sluice does not end.",
	        "restartPolicy: Always, which makes it a sidecar" },
	{ "sidecar-hook", SEVERITY_ERROR, sidecar_hook,
	        "Hooks of sidecars run at once, so Sluice would refuse calls of the main container, which is stopped first.",
	        "no hook: SIGTERM comes to a sidecar when the main containers have ended" },
	{ "sidecar-lame-duck", SEVERITY_ADVICE, sidecar_grace,
	        "A sidecar is stopped when its clients are gone, and has what they left of the grace period.",
	        "\"lameDuck\": {\"min\": \"0s\", \"max\": \"0s\"} in servers.json" },
	{ "mesh-sidecar", SEVERITY_WARNING, mesh,
	        "An ordinary container is stopped at the same moment as Sluice, and takes the connections along.",
	        "the mesh's native sidecars (initContainers with restartPolicy: Always)" },
	{ "service-account-token", SEVERITY_ADVICE, token,
	        "Every server that Sluice starts can read the token, and Sluice has no use for it.",
	        "automountServiceAccountToken: false" },
	{ "memory-limit", SEVERITY_ADVICE, memory,
	        "A server that leaks takes the node's memory, and the kernel chooses whom to kill.",
	        "a limit with room for all servers" },
	{ "cpu-limit", SEVERITY_ADVICE, cpu, "A container that is throttled drains more slowly than the plan says.",
	        "a request, and no limit" },
	{ "no-room", SEVERITY_WARNING, no_room,
	        "What runners such as npx and uvx fetch goes to HOME and /tmp, and nothing can be written there.",
	        "an emptyDir for /tmp, another for HOME, and env HOME" },
	{ "last-words", SEVERITY_ADVICE, last_words,
	        "Sluice writes its last line to the termination log, but one that crashes cannot.",
	        "terminationMessagePolicy: FallbackToLogsOnError" },
	{ 0 },
};
