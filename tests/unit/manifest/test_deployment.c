/*
 * The rules: good.yaml has nothing to complain of, and each rule finds what one small change of it does wrong. The
 * manual lists all of them.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "manifest/deployment.h"

#define REPLICAS "  replicas: 3\n"
#define GRACE "terminationGracePeriodSeconds: 60\n"
#define STARTUP \
	"          startupProbe: { httpGet: { path: /startupz, port: admin }, periodSeconds: 2, failureThreshold: 60 }\n"
#define READINESS \
	"          readinessProbe: { httpGet: { path: /readyz, port: admin }, periodSeconds: 5, failureThreshold: 1 }\n"
#define LIVENESS                                                                                                      \
	"          livenessProbe: { httpGet: { path: /livez, port: admin }, periodSeconds: 10, failureThreshold: 3, " \
	"terminationGracePeriodSeconds: 10 }\n"
#define RESOURCES "          resources: { limits: { memory: 256Mi } }\n"
#define ARGS "args: [serve, --http, \":8080\", --admin, \":9902\", --insecure, --config, /etc/sluice/servers.json]"
#define HOOK(handler) RESOURCES "          lifecycle: { preStop: { " handler " } }\n"
#define DRAIN_HEADER "httpHeaders: [{ name: Sluice-Drain, value: \"1\" }]"
#define STRATEGY "    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }\n"
#define KEYS "\"keys\": [ { \"id\": \"a\", \"secret\": \"${file:/secret/a}\" } ]"
#define CONTAINERS "      containers:\n"
#define HPA                                                                                                             \
	"---\nkind: HorizontalPodAutoscaler\nspec: { scaleTargetRef: { kind: Deployment, name: sluice }, minReplicas: " \
	"2, maxReplicas: 5, behavior: { scaleDown: { policies: [{ type: Pods, value: 1, periodSeconds: 60 }] } } }\n---\napiVersion: apps/v1\nkind: Deployment\n"

#define EDITS_MAX 6

/* What is changed in good.yaml: the first text becomes the second, wherever it stands. */
struct edit {
	const char *from, *to;
};

/* clang-format off */
static const struct row {
	const char *rule;
	struct edit edits[EDITS_MAX];
	const char *path; /* of one of the findings */
} rows[] = {
	{ "nothing-to-check", { { "kind: Deployment", "kind: Job" } }, "ConfigMap/sluice" },
	/* how it is started */
	{ "start-stdio", { { "--http, \":8080\", ", "" } }, "spec.template.spec.containers[0].args" },
	{ "start-loopback", { { "--http, \":8080\"", "--http, 127.0.0.1:8080" } }, "containers[0].args[1]" },
	{ "start-loopback", { { "--http, \":8080\"", "--http" } }, "containers[0].args[1]" },
	{ "start-loopback", { { "--http, \":8080\"", "--http" }, { CONTAINERS, CONTAINERS "        - { name: agent }\n" } }, "containers[1].args[1]" },
	{ "admin-loopback", { { "--admin, \":9902\", ", "" } }, "containers[0].args" },
	{ "admin-loopback", { { "--admin, \":9902\", ", "--admin=localhost:9902, " } }, "containers[0].args" },
	{ "admin-off", { { "--admin, \":9902\"", "--admin, \"off\"" } }, "args[3]" },
	{ "start-insecure", { { "--insecure, ", "" } }, "args" },
	{ "start-shell", { { ARGS, "command: [/bin/sh, -c, \"sluice serve --http :8080\"]" } }, "command[2]" },
	{ "start-no-shell", { { "-runners", "" }, { ARGS, "command: [/bin/sh, -c, \"exec sluice serve --http :8080\"]" } }, "command" },
	{ "env-type", { { "value: 60s", "value: 60" } }, "env[0].value" },
	{ "config-fault", { { "\"startup\": \"required\"", "\"startup\": \"soon\"" } }, "data[\"servers.json\"]" },
	{ "config-fault", { { "{ \"mcpServers\"", "{ mcpServers" } }, "data[\"servers.json\"]" },
	{ "config-unseen", { { "configMap: { name: sluice }", "secret: { secretName: sluice }" } }, "containers[0]" },
	{ "config-subpath", { { "mountPath: /etc/sluice", "mountPath: /etc/sluice/servers.json, subPath: servers.json" } }, "volumeMounts[0].subPath" },
	{ "server-program", { { "sluice:1.0.0-runners", "sluice:1.0.0" } }, "containers[0].image" },
	/* the budget */
	{ "grace-zero", { { GRACE, "terminationGracePeriodSeconds: 0\n" } }, "spec.template.spec.terminationGracePeriodSeconds" },
	{ "grace-unreadable", { { "value: 60s", "value: 60sec" } }, "env[0].value" },
	{ "grace-longer", { { GRACE, "terminationGracePeriodSeconds: 30\n" } }, "env[0].value" },
	{ "grace-longer", { { GRACE, "terminationGracePeriodSeconds: 30\n" }, { "MCP_GRACE_PERIOD", "OTHER" }, { "--insecure", "--insecure, --grace-period=1m" } }, "args[6]" },
	{ "grace-longer", { { GRACE, "terminationGracePeriodSeconds: 20\n" }, { "MCP_GRACE_PERIOD", "OTHER" } }, "spec.terminationGracePeriodSeconds" },
	{ "hook-not-subtracted", { { RESOURCES, HOOK("sleep: { seconds: 10 }") } }, "lifecycle.preStop.sleep" },
	{ "hook-not-subtracted", { { RESOURCES, HOOK("exec: { command: [sleep, \"10\"] }") } }, "lifecycle.preStop.exec" },
	{ "hook-not-subtracted", { { RESOURCES, HOOK("exec: { command: [sh, -c, \"sleep 10; true\"] }") } }, "lifecycle.preStop.exec" },
	{ "grace-shorter", { { GRACE, "terminationGracePeriodSeconds: 90\n" } }, "env[0].value" },
	{ "grace-not-told", { { "MCP_GRACE_PERIOD", "OTHER" }, { "configMap: { name: sluice }", "secret: { secretName: sluice }" } }, "env" },
	{ "grace-lame-duck", { { GRACE, "terminationGracePeriodSeconds: 12\n" }, { "60s }", "12s }" } }, "spec.terminationGracePeriodSeconds" },
	{ "grace-stop", { { GRACE, "terminationGracePeriodSeconds: 8\n" }, { "60s }", "8s }" } }, "spec.terminationGracePeriodSeconds" },
	{ "grace-stop", { { "60s }", "8s }" } }, "env[0].value" },
	{ "grace-margin", { { GRACE, "terminationGracePeriodSeconds: 6\n" }, { "60s }", "6s }" } }, "spec.terminationGracePeriodSeconds" },
	{ "grace-calls", { { "\"requestTimeout\": \"30s\"", "\"requestTimeout\": \"2m\"" } }, "spec.terminationGracePeriodSeconds" },
	/* hooks */
	{ "hook-kind", { { RESOURCES, HOOK("tcpSocket: { port: 1 }") } }, "lifecycle.preStop" },
	{ "hook-too-long", { { RESOURCES, HOOK("sleep: { seconds: 60 }") } }, "lifecycle.preStop.sleep" },
	{ "hook-sleep", { { RESOURCES, HOOK("sleep: { seconds: 5 }") } }, "lifecycle.preStop.sleep" },
	{ "hook-program", { { "-runners", "" }, { RESOURCES, HOOK("exec: { command: [/bin/sh, -c, \"sleep 5\"] }") } }, "lifecycle.preStop.exec.command" },
	{ "hook-header", { { RESOURCES, HOOK("httpGet: { path: /drain?hook=1&wait=1, port: admin }") } }, "lifecycle.preStop.httpGet.httpHeaders" },
	{ "hook-port", { { RESOURCES, HOOK("httpGet: { path: /drain?hook=1&wait=1, port: http, " DRAIN_HEADER " }") } }, "lifecycle.preStop.httpGet.port" },
	{ "hook-path", { { RESOURCES, HOOK("httpGet: { path: /readyz, port: admin }") } }, "lifecycle.preStop.httpGet.path" },
	{ "hook-untold", { { RESOURCES, HOOK("httpGet: { path: /drain?wait=1, port: admin, " DRAIN_HEADER " }") } }, "lifecycle.preStop.httpGet" },
	{ "hook-untold", { { RESOURCES, HOOK("exec: { command: [/sluice, drain, --wait] }") } }, "lifecycle.preStop.exec" },
	{ "hook-loopback", { { RESOURCES, HOOK("httpGet: { path: /drain?hook=1, port: admin, " DRAIN_HEADER " }") }, { "--admin, \":9902\", ", "" } }, "lifecycle.preStop.httpGet" },
	{ "stop-signal", { { RESOURCES, RESOURCES "          lifecycle: { stopSignal: SIGQUIT }\n" } }, "lifecycle.stopSignal" },
	/* probes */
	{ "readiness-missing", { { READINESS, "" } }, "containers[0].readinessProbe" },
	{ "startup-missing", { { STARTUP, "" } }, "containers[0].startupProbe" },
	{ "liveness-missing", { { LIVENESS, "" } }, "containers[0].livenessProbe" },
	{ "probe-port", { { "path: /readyz, port: admin", "path: /readyz, port: metrics" } }, "readinessProbe.httpGet.port" },
	{ "probe-port", { { "path: /readyz, port: admin", "path: /readyz, port: 9903" } }, "readinessProbe.httpGet.port" },
	{ "probe-main-port", { { "path: /readyz, port: admin", "path: /readyz, port: 8080" } }, "readinessProbe.httpGet.port" },
	{ "probe-path", { { "path: /readyz", "path: /ready" } }, "readinessProbe.httpGet.path" },
	{ "probe-scheme", { { "path: /readyz, port: admin", "path: /readyz, port: http, scheme: HTTPS" } }, "readinessProbe.httpGet.scheme" },
	{ "probe-scheme", { { "path: /readyz, port: admin", "path: /readyz, port: http" }, { "\"session\"", "\"http\": { \"tls\": { \"cert\": \"/c\", \"key\": \"/k\" } }, \"session\"" } }, "readinessProbe.httpGet.scheme" },
	{ "probe-scheme", { { "--insecure, ", "" }, { "\"session\"", "\"http\": { \"tls\": { \"cert\": \"/c\", \"key\": \"/k\" } }, \"session\"" } }, "livenessProbe.httpGet.scheme" },
	{ "liveness-path", { { "path: /livez", "path: /readyz" } }, "livenessProbe.httpGet.path" },
	{ "liveness-path", { { "path: /livez", "path: /health" } }, "livenessProbe.httpGet.path" },
	{ "readiness-path", { { "path: /readyz", "path: /livez" } }, "readinessProbe.httpGet.path" },
	{ "startup-path", { { "path: /startupz", "path: /livez" } }, "startupProbe.httpGet.path" },
	{ "startup-short", { { "failureThreshold: 60", "failureThreshold: 20" } }, "startupProbe.failureThreshold" },
	{ "readiness-slow", { { ", periodSeconds: 5, failureThreshold: 1", "" } }, "readinessProbe.failureThreshold" },
	{ "liveness-tight", { { "periodSeconds: 10, failureThreshold: 3", "periodSeconds: 5, failureThreshold: 1" } }, "livenessProbe.failureThreshold" },
	{ "liveness-grace", { { ", terminationGracePeriodSeconds: 10", "" } }, "livenessProbe.terminationGracePeriodSeconds" },
	{ "readiness-grace", { { "failureThreshold: 1 }", "failureThreshold: 1, terminationGracePeriodSeconds: 5 }" } }, "readinessProbe.terminationGracePeriodSeconds" },
	{ "probe-success", { { "failureThreshold: 60", "failureThreshold: 60, successThreshold: 2" } }, "startupProbe.successThreshold" },
	{ "probe-exec", { { "httpGet: { path: /livez, port: admin }", "exec: { command: [/sluice, healthcheck] }" } }, "livenessProbe.exec" },
	{ "probe-program", { { "-runners", "" }, { "httpGet: { path: /livez, port: admin }", "exec: { command: [curl, localhost] }" } }, "livenessProbe.exec.command" },
	{ "probe-tcp", { { "httpGet: { path: /readyz, port: admin }", "tcpSocket: { port: http }" } }, "readinessProbe.tcpSocket" },
	{ "probe-grpc", { { "httpGet: { path: /readyz, port: admin }", "grpc: { port: 8080 }" } }, "readinessProbe.grpc" },
	/* rollouts */
	{ "strategy-recreate", { { STRATEGY, "    type: Recreate\n" } }, "spec.strategy.type" },
	{ "max-unavailable", { { "maxUnavailable: 0", "maxUnavailable: 34%" } }, "spec.strategy.rollingUpdate.maxUnavailable" },
	{ "max-unavailable", { { REPLICAS, "  replicas: 4\n" }, { STRATEGY, "    type: RollingUpdate\n" } }, "spec.strategy.rollingUpdate.maxUnavailable" },
	{ "rollout-stuck", { { "maxSurge: 1", "maxSurge: 0%" } }, "spec.strategy.rollingUpdate" },
	{ "one-replica", { { REPLICAS, "" } }, "spec.replicas" },
	{ "session-keys", { { KEYS, "\"max\": 10" } }, "spec.replicas" },
	{ "session-keys-one", { { KEYS, "\"max\": 10" }, { REPLICAS, "  replicas: 1\n" } }, "spec.replicas" },
	{ "min-ready", { { "  minReadySeconds: 5\n", "" } }, "spec.minReadySeconds" },
	{ "progress-deadline", { { "minReadySeconds: 5", "minReadySeconds: 5\n  progressDeadlineSeconds: 120" } }, "spec.progressDeadlineSeconds" },
	{ "scaled-and-fixed", { { "---\napiVersion: apps/v1\nkind: Deployment\n", HPA } }, "spec.replicas" },
	{ "scale-in", { { "---\napiVersion: apps/v1\nkind: Deployment\n", HPA }, { ", behavior: {", ", other: {" } }, "HorizontalPodAutoscaler spec.behavior.scaleDown.policies" },
	{ "budget-blocks", { { "maxUnavailable: 1\n", "minAvailable: 3\n" } }, "spec.minAvailable" },
	{ "budget-blocks", { { "maxUnavailable: 1\n", "minAvailable: 90%\n" } }, "spec.minAvailable" },
	{ "budget-blocks", { { "maxUnavailable: 1\n", "maxUnavailable: 0\n" } }, "spec.maxUnavailable" },
	{ "budget-unready", { { "  unhealthyPodEvictionPolicy: AlwaysAllow\n", "" } }, "spec.unhealthyPodEvictionPolicy" },
	{ "spread", { { "topologySpreadConstraints:", "other:" } }, "spec.template.spec.topologySpreadConstraints" },
	{ "daemon-surge", { { "kind: Deployment", "kind: DaemonSet" } }, "spec.updateStrategy.rollingUpdate.maxSurge" },
	{ "bare-pod", { { "---\napiVersion: v1\nkind: Service\n", "---\nkind: Pod\nmetadata: { name: p }\nspec: { containers: [{ name: sluice }] }\n---\napiVersion: v1\nkind: Service\n" } }, "Pod/p kind" },
	/* pods */
	{ "image-tag", { { "sluice:1.0.0-runners", "sluice" } }, "containers[0].image" },
	{ "image-tag", { { "sluice:1.0.0-runners", "sluice:latest" } }, "containers[0].image" },
	{ "root", { { "runAsNonRoot: true", "runAsUser: 0" } }, "containers[0].securityContext.runAsUser" },
	{ "privileged", { { "runAsNonRoot: true", "privileged: true" } }, "containers[0].securityContext.privileged" },
	{ "restricted", { { "drop: [ALL]", "drop: [NET_RAW]" } }, "containers[0].securityContext" },
	{ "host-network", { { CONTAINERS, "      hostNetwork: true\n" CONTAINERS } }, "spec.template.spec.hostNetwork" },
	{ "host-port", { { "containerPort: 8080", "containerPort: 8080, hostPort: 8080" } }, "containers[0].ports[0].hostPort" },
	{ "shared-processes", { { CONTAINERS, "      shareProcessNamespace: true\n" CONTAINERS } }, "spec.template.spec.shareProcessNamespace" },
	{ "init-container", { { CONTAINERS, "      initContainers:\n" } }, "initContainers[0].restartPolicy" },
	{ "sidecar-hook", { { CONTAINERS, "      initContainers:\n" }, { RESOURCES, HOOK("exec: { command: [/sluice, drain, --hook, --wait] }") "          restartPolicy: Always\n" } }, "initContainers[0].lifecycle.preStop.exec" },
	{ "sidecar-lame-duck", { { CONTAINERS, "      initContainers:\n" }, { RESOURCES, RESOURCES "          restartPolicy: Always\n" } }, "initContainers[0]" },
	{ "mesh-sidecar", { { CONTAINERS, CONTAINERS "        - { name: istio-proxy, image: \"istio:1\" }\n" } }, "containers[0].name" },
	{ "service-account-token", { { "automountServiceAccountToken: false", "other: 1" } }, "spec.automountServiceAccountToken" },
	{ "memory-limit", { { RESOURCES, "" } }, "containers[0].resources.limits.memory" },
	{ "no-room", { { "emptyDir: {}", "secret: { secretName: x }" } }, "spec.template.spec.volumes" },
	{ "last-words", { { "terminationMessagePolicy: FallbackToLogsOnError", "terminationMessagePolicy: File" } }, "containers[0].terminationMessagePolicy" },
	{ "cpu-limit", { { "memory: 256Mi", "memory: 256Mi, cpu: 100m" } }, "containers[0].resources.limits.cpu" },
	/* services */
	{ "publish-not-ready", { { "  ports: [{ name: http, port: 80", "  publishNotReadyAddresses: true\n  ports: [{ name: http, port: 80" } }, "Service/sluice spec.publishNotReadyAddresses" },
	{ "service-port", { { "targetPort: http", "targetPort: web" } }, "spec.ports[0].targetPort" },
	{ "service-port", { { ", targetPort: http", "" } }, "spec.ports[0].targetPort" },
	{ "service-admin", { { "targetPort: http", "targetPort: admin" }, { "  ports: [{ name: http, port: 80", "  type: LoadBalancer\n  ports: [{ name: http, port: 80" } }, "spec.ports[0]" },
	{ "slow-balancer", { { "kind: Service\nmetadata: { name: sluice }", "kind: Service\nmetadata: { name: sluice, annotations: { service.beta.kubernetes.io/aws-load-balancer-type: external } }" }, { "  ports: [{ name: http, port: 80", "  type: LoadBalancer\n  ports: [{ name: http, port: 80" } }, "metadata.annotations" },
	{ "ingress-buffering", { { "proxy-buffering: \"off\"", "proxy-buffering: \"on\"" } }, "Ingress/sluice metadata.annotations" },
	{ "ingress-timeout", { { "\"3600\"", "\"15\"" } }, "Ingress/sluice metadata.annotations" },
};
/* clang-format on */

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* Changes that are right: nothing is found but advice that is named. */
static const struct row right_rows[] = {
	{ NULL, { { GRACE, "terminationGracePeriodSeconds: 60\n" } }, NULL },
	/* a hook whose time is subtracted, either way */
	{ "hook-sleep", { { RESOURCES, HOOK("sleep: { seconds: 10 }") }, { "60s }", "50s }" } }, NULL },
	{ "hook-sleep",
	        { { RESOURCES, HOOK("sleep: { seconds: 10 }") },
	                { "\"session\"", "\"lifecycle\": { \"preStop\": \"10s\" }, \"session\"" } },
	        NULL },
	/* hooks that drain */
	{ NULL, { { RESOURCES, HOOK("httpGet: { path: /drain?hook=1&wait=1, port: admin, " DRAIN_HEADER " }") } },
	        NULL },
	{ NULL, { { RESOURCES, HOOK("exec: { command: [/sluice, drain, --hook, --wait] }") } }, NULL },
	/* an init in front, an argument from the environment, a number as a port */
	{ NULL, { { "args: [serve", "command: [/tini, --, /usr/bin/sluice]\n          args: [serve" } }, NULL },
	{ NULL, { { "--insecure", "--insecure, --grace-period, $(MCP_GRACE_PERIOD)" } }, NULL },
	{ NULL, { { "targetPort: http", "targetPort: 8080" }, { "port: admin }", "port: 9902 }" } }, NULL },
	/* the image's own arguments */
	{ "config-unseen", { { ARGS, "tty: false" }, { "configMap: { name: sluice }", "emptyDir: {}" } }, NULL },
	/* a percentage that is less than one pod, an autoscaler with its workload */
	{ NULL, { { "maxUnavailable: 0", "maxUnavailable: 25%" } }, NULL },
	{ NULL, { { "---\napiVersion: apps/v1\nkind: Deployment\n", HPA }, { REPLICAS, "" } }, NULL },
	/* one replica that stays ready */
	{ NULL,
	        { { REPLICAS, "  replicas: 1\n" },
	                { "\"session\"", "\"lifecycle\": { \"ready_while_draining\": true }, \"session\"" } },
	        NULL },
	/* what a chart makes for a moment, and a list of objects as kubectl prints it */
	{ NULL,
	        { { "kind: ConfigMap",
	                "kind: Pod\nmetadata: { name: test, annotations: { helm.sh/hook: test } }\nspec: { containers: [{ name: sluice, image: \"sluice\" }] }\n---\nkind: ConfigMap" } },
	        NULL },
	/* TLS on the main port alone, and on both */
	{ NULL, { { "\"session\"", "\"http\": { \"tls\": { \"cert\": \"/c\", \"key\": \"/k\" } }, \"session\"" } },
	        NULL },
	{ NULL,
	        { { "\"session\"", "\"http\": { \"tls\": { \"cert\": \"/c\", \"key\": \"/k\" } }, \"session\"" },
	                { "--insecure, ", "" }, { "port: admin }", "port: admin, scheme: HTTPS }" } },
	        NULL },
	/* a digest alone does not tell which image it is */
	{ NULL, { { "sluice:1.0.0-runners", "sluice@sha256:0123" } }, NULL },
	/* metrics of pods that are not ready */
	{ NULL,
	        { { "targetPort: http", "targetPort: admin" },
	                { "  ports: [{ name: http, port: 80",
	                        "  publishNotReadyAddresses: true\n  ports: [{ name: http, port: 80" } },
	        NULL },
	/* a sidecar for its pod alone, which has less time than the pod */
	{ NULL,
	        { { CONTAINERS,
	                  "      containers: [{ name: agent, image: sluice, command: [curl] }]\n      initContainers:\n" },
	                { RESOURCES, RESOURCES "          restartPolicy: Always\n" }, { "--http, \":8080\"", "--http" },
	                { "  ports: [{ name: http, port: 80, targetPort: http }]", "  clusterIP: None" },
	                { "60s }", "45s }" },
	                { "\"session\"",
	                        "\"lifecycle\": { \"lameDuck\": { \"min\": 0, \"max\": \"1s\" } }, \"session\"" } },
	        NULL },
	/* variables that the pod fills in */
	{ NULL, { { "\"startup\": \"required\"", "\"startup\": \"${STARTUP:-required}\"" } }, NULL },
};

#define RIGHT_COUNT (sizeof(right_rows) / sizeof(right_rows[0]))

static int read_good(void **state)
{
	char *text;
	size_t n;
	struct err e;

	if (!fd_read_file(SOURCE_ROOT "/tests/unit/manifest/good.yaml", 1 << 20, &text, &n, &e))
		return -1;
	*state = text;
	return 0;
}

static int free_good(void **state)
{
	free(*state);
	return 0;
}

/* Every occurrence; there must be one. */
static void apply(struct buf *text, const struct edit *edit)
{
	struct buf out = { 0 };
	const char *at = buf_span(text).p, *hit;
	bool any = false;

	while ((hit = strstr(at, edit->from)) != NULL) {
		buf_add(&out, span_between(at, hit));
		buf_add(&out, span_of(edit->to));
		at = hit + strlen(edit->from);
		any = true;
	}
	if (!any)
		fail_msg("not in good.yaml: %s", edit->from);
	buf_add(&out, span_of(at));
	buf_add_char(&out, '\0');
	buf_free(text);
	*text = out;
}

struct checked {
	struct deployment d;
	struct buf text; /* the findings as they are printed, NUL-terminated */
};

static struct checked check(const char *good, const struct edit *edits)
{
	struct checked c = { 0 };
	struct buf text = { 0 };
	struct err e;

	buf_add(&text, span_of(good));
	buf_add_char(&text, '\0');
	for (unsigned i = 0; i < EDITS_MAX && edits != NULL && edits[i].from != NULL; i++)
		apply(&text, &edits[i]);
	if (!deployment_check(span_of(buf_span(&text).p), NULL, &c.d, &e))
		fail_msg("%s\n%s", e.text, buf_span(&text).p);
	for (const struct finding *f = c.d.findings.first; f != NULL; f = f->next)
		finding_print(f, "good.yaml", &c.text);
	buf_add_char(&c.text, '\0');
	buf_free(&text);
	return c;
}

static void clear(struct checked *c)
{
	deployment_free(&c->d);
	buf_free(&c->text);
}

static bool has(const struct checked *c, const struct row *row)
{
	for (const struct finding *f = c->d.findings.first; f != NULL; f = f->next) {
		char place[512];
		snprintf(place, sizeof(place), "%s %s", f->subject, f->path);
		if (strcmp(f->rule->name, row->rule) == 0 && strstr(place, row->path) != NULL && f->line > 0)
			return true;
	}
	return false;
}

static void test_each_rule_finds_what_it_is_for(void **state)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		struct checked c = check(*state, rows[i].edits);
		if (!has(&c, &rows[i]))
			fail_msg("row %zu: %s was not found at %s, but:\n%s", i, rows[i].rule, rows[i].path,
			        buf_span(&c.text).p);
		clear(&c);
	}
}

static void test_what_is_right_is_left_alone(void **state)
{
	for (size_t i = 0; i < RIGHT_COUNT; i++) {
		struct checked c = check(*state, right_rows[i].edits);
		for (const struct finding *f = c.d.findings.first; f != NULL; f = f->next)
			if (right_rows[i].rule == NULL || strcmp(f->rule->name, right_rows[i].rule) != 0)
				fail_msg("row %zu: %s", i, buf_span(&c.text).p);
		assert_non_null(c.d.planned);
		clear(&c);
	}
}

static void check_has_row(void *arg, const struct rule *rule)
{
	(void)arg;
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (strcmp(rows[i].rule, rule->name) == 0)
			return;
	fail_msg("no test of the rule %s", rule->name);
}

static void test_each_rule_has_a_test(void **state)
{
	(void)state;
	deployment_each_rule(check_has_row, NULL);
}

static void check_is_told(void *arg, const struct rule *rule)
{
	char row[512];

	snprintf(row, sizeof(row), "| `%s` | %s | %s |", rule->name, severity_name(rule->severity), rule->why);
	if (strstr(arg, row) == NULL)
		fail_msg("docs/lifecycle.md lacks the row %s", row);
}

static void test_the_manual_lists_each_rule(void **state)
{
	struct err e;
	char *text;
	size_t n;

	(void)state;
	if (!fd_read_file(SOURCE_ROOT "/docs/lifecycle.md", 1 << 20, &text, &n, &e))
		fail_msg("%s", e.text);
	deployment_each_rule(check_is_told, text);
	free(text);
}

static void test_a_finding_tells_where_what_and_what_instead(void **state)
{
	struct checked c = check(*state, (struct edit[EDITS_MAX]){ { "path: /livez", "path: /readyz" } });

	assert_string_equal(buf_span(&c.text).p,
	        "good.yaml:36:45: error: Deployment/sluice "
	        "spec.template.spec.containers[0].livenessProbe.httpGet.path: /readyz [liveness-path]\n"
	        "    It says 503 while the gateway starts or drains, and the kubelet kills the container for it.\n"
	        "    Instead: path: /livez\n");
	clear(&c);
}

static void test_the_plan_is_that_of_the_pod(void **state)
{
	struct checked c = check(*state, (struct edit[EDITS_MAX]){ { RESOURCES, HOOK("sleep: { seconds: 10 }") } });

	assert_string_equal(c.d.planned->subject, "Deployment/sluice");
	assert_int_equal(c.d.planned->conf.grace_ms, 50000);
	assert_int_equal(c.d.planned->stop_eof_ms, 2000);
	clear(&c);
}

/* The configuration that is handed over counts, not what the file has. */
static void test_a_given_configuration_is_used(void **state)
{
	struct config config = { .lifecycle = { .grace_ms = 90000, .margin_ms = 2000 } };
	struct deployment d = { 0 };
	struct err e;
	const struct row wanted = { "session-keys", { { 0 } }, "spec.replicas" };

	assert_true(deployment_check(span_of(*state), &config, &d, &e));
	assert_true(has(&(struct checked){ .d = d }, &wanted));
	deployment_free(&d);
}

static void test_a_list_of_objects_is_looked_into(void **state)
{
	static const char list[] =
	        "{\"kind\":\"List\",\"items\":[{\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"spec\":"
	        "{\"containers\":[{\"name\":\"sluice\",\"image\":\"sluice\"}]}}]}";
	struct checked c = check(list, NULL);

	(void)state;
	assert_true(span_has(buf_span(&c.text), "error: Pod/p items[0].spec.containers[0].readinessProbe: "));
	clear(&c);
}

static void test_what_is_no_yaml_is_told(void **state)
{
	struct deployment d = { 0 };
	struct err e;

	(void)state;
	assert_false(deployment_check(SPAN("a: [1\nb: 2\n"), NULL, &d, &e));
	assert_non_null(strstr(e.text, "line 2"));
	deployment_free(&d);
}

static void test_the_number_of_objects_is_bounded(void **state)
{
	struct deployment d = { 0 };
	struct buf text = { 0 };
	struct err e;

	(void)state;
	for (int i = 0; i < 2001; i++)
		buf_add(&text, SPAN("---\nkind: Service\n"));
	assert_false(deployment_check(buf_span(&text), NULL, &d, &e));
	assert_non_null(strstr(e.text, "more than 2000 objects"));
	deployment_free(&d);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_rule_finds_what_it_is_for),
		cmocka_unit_test(test_what_is_right_is_left_alone),
		cmocka_unit_test(test_each_rule_has_a_test),
		cmocka_unit_test(test_the_manual_lists_each_rule),
		cmocka_unit_test(test_a_finding_tells_where_what_and_what_instead),
		cmocka_unit_test(test_the_plan_is_that_of_the_pod),
		cmocka_unit_test(test_a_given_configuration_is_used),
		cmocka_unit_test(test_a_list_of_objects_is_looked_into),
		cmocka_unit_test(test_what_is_no_yaml_is_told),
		cmocka_unit_test(test_the_number_of_objects_is_bounded),
	};

	return cmocka_run_group_tests(tests, read_good, free_good);
}
