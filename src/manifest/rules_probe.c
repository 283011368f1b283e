/* Probes: what is asked, where, how often. */
#include "base/duration.h"
#include "manifest/rules.h"

#define EAGER_S 5           /* eager servers hold /startupz for so long at most */
#define REACTION_S 15       /* until an unready pod is out, without being thought slow */
#define LIVENESS_LEAST_S 20 /* of silence, before somebody is killed for it */

static bool is_path(const struct probe *p, const char *path)
{
	return p->kind == PROBE_HTTP && span_eq(p->path, span_of(path));
}

static bool is_known_path(const struct probe *p)
{
	return is_path(p, "/livez") || is_path(p, "/readyz") || is_path(p, "/startupz") || is_path(p, "/health");
}

static void missing(struct check *c, const struct rule *rule, unsigned which)
{
	const struct probe *p = &c->w->probes[which];

	if (p->at == NULL && !c->w->init)
		found(c, rule, c->w->container, p->name, "there is none");
}

static void no_startup(struct check *c, const struct rule *rule)
{
	missing(c, rule, PROBE_STARTUP);
}

/* A sidecar that serves its own pod need not be ready for others. */
static void no_readiness(struct check *c, const struct rule *rule)
{
	if (!c->w->sidecar)
		missing(c, rule, PROBE_READINESS);
}

static void no_liveness(struct check *c, const struct rule *rule)
{
	missing(c, rule, PROBE_LIVENESS);
}

/* Calls `is_wrong` for each probe over HTTP, and reports the part of its handler that is named. */
static void each_http(struct check *c, const struct rule *rule, const char *part,
        bool (*is_wrong)(const struct workload *w, const struct probe *p))
{
	for (unsigned i = 0; i < PROBE_COUNT; i++) {
		const struct probe *p = &c->w->probes[i];
		if (p->kind == PROBE_HTTP && is_wrong(c->w, p))
			found_child(c, rule, p->handler, part, "%.*s",
			        SPAN_ARG(span_cut(yaml_text(yaml_child(p->handler, part)), 60)));
	}
}

static bool is_lost(const struct workload *w, const struct probe *p)
{
	return p->port == 0 || (w->start.known && p->port != w->start.main.port && p->port != w->start.admin.port);
}

static void wrong_port(struct check *c, const struct rule *rule)
{
	each_http(c, rule, "port", is_lost);
}

static bool is_main(const struct workload *w, const struct probe *p)
{
	return p->port != 0 && p->port == w->start.main.port && (!w->start.admin.known || w->start.admin.on);
}

static void main_port(struct check *c, const struct rule *rule)
{
	each_http(c, rule, "port", is_main);
}

static bool is_strange(const struct workload *w, const struct probe *p)
{
	(void)w;
	return !is_known_path(p);
}

static void wrong_path(struct check *c, const struct rule *rule)
{
	each_http(c, rule, "path", is_strange);
}

/* With TLS the admin port has it too, unless it is on loopback or meant to be plain. */
static bool speaks_otherwise(const struct workload *w, const struct probe *p)
{
	bool https = yaml_is(yaml_child(p->handler, "scheme"), "HTTPS");
	bool admin = p->port == w->start.admin.port && (w->start.insecure || w->start.admin.loopback);

	return w->config_seen && w->start.known && https != (w->tls && !admin);
}

static void scheme(struct check *c, const struct rule *rule)
{
	each_http(c, rule, "scheme", speaks_otherwise);
}

static void liveness_path(struct check *c, const struct rule *rule)
{
	const struct probe *p = &c->w->probes[PROBE_LIVENESS];

	if (is_path(p, "/readyz") || is_path(p, "/health") || is_path(p, "/startupz"))
		found_child(c, rule, p->handler, "path", "%.*s", SPAN_ARG(p->path));
}

static void readiness_path(struct check *c, const struct rule *rule)
{
	const struct probe *p = &c->w->probes[PROBE_READINESS];

	if (is_path(p, "/livez") || is_path(p, "/startupz"))
		found_child(c, rule, p->handler, "path", "%.*s", SPAN_ARG(p->path));
}

static void startup_path(struct check *c, const struct rule *rule)
{
	const struct probe *p = &c->w->probes[PROBE_STARTUP];

	if (is_path(p, "/livez"))
		found_child(c, rule, p->handler, "path", "%.*s", SPAN_ARG(p->path));
}

/* How long the kubelet waits before it gives a start up. */
static int64_t patience_s(const struct probe *p)
{
	return p->initial_delay + p->period * p->failures;
}

static void startup_short(struct check *c, const struct rule *rule)
{
	const struct probe *p = &c->w->probes[PROBE_STARTUP];
	msec_t needed = (msec_t)EAGER_S * 1000;
	const char *who = "eager servers";

	for (size_t i = 0; i < c->w->config->server_count; i++) {
		const struct backend_conf *s = &c->w->config->servers[i];
		if (s->startup == STARTUP_REQUIRED && s->startup_timeout_ms > needed) {
			needed = s->startup_timeout_ms;
			who = s->name;
		}
	}
	if (p->at != NULL && patience_s(p) < (needed + 999) / 1000)
		found_child(c, rule, p->at, "failureThreshold", "it ends after %lld s, %s may take %s",
		        (long long)patience_s(p), who, seconds_text(needed).text);
}

static void readiness_slow(struct check *c, const struct rule *rule)
{
	const struct probe *p = &c->w->probes[PROBE_READINESS];
	int64_t reaction = p->period * p->failures + p->timeout;

	if (p->at != NULL && reaction > REACTION_S)
		found_child(c, rule, p->at, "failureThreshold", "up to %lld s", (long long)reaction);
}

static void liveness_tight(struct check *c, const struct rule *rule)
{
	const struct probe *p = &c->w->probes[PROBE_LIVENESS];
	int64_t silence = p->period * p->failures;

	if (p->at != NULL && silence < LIVENESS_LEAST_S)
		found_child(c, rule, p->at, "failureThreshold", "after %lld s", (long long)silence);
}

static void liveness_grace(struct check *c, const struct rule *rule)
{
	const struct probe *p = &c->w->probes[PROBE_LIVENESS];

	if (p->at != NULL && yaml_child(p->at, "terminationGracePeriodSeconds") == NULL)
		found(c, rule, p->at, "terminationGracePeriodSeconds", "none");
}

static void readiness_grace(struct check *c, const struct rule *rule)
{
	const struct probe *p = &c->w->probes[PROBE_READINESS];
	const struct yaml_node *at = yaml_child(p->at, "terminationGracePeriodSeconds");

	if (at != NULL)
		found(c, rule, at, NULL, "%.*s", SPAN_ARG(yaml_text(at)));
}

static void success(struct check *c, const struct rule *rule)
{
	for (unsigned i = 0; i < PROBE_COUNT; i++) {
		const struct yaml_node *at = yaml_child(c->w->probes[i].at, "successThreshold");
		if (i != PROBE_READINESS && at != NULL && !yaml_is(at, "1"))
			found(c, rule, at, NULL, "%.*s", SPAN_ARG(yaml_text(at)));
	}
}

static void by_program(struct check *c, const struct rule *rule)
{
	for (unsigned i = 0; i < PROBE_COUNT; i++)
		if (c->w->probes[i].kind == PROBE_EXEC)
			found(c, rule, c->w->probes[i].handler, NULL, "%s", c->w->probes[i].name);
}

static void by_missing_program(struct check *c, const struct rule *rule)
{
	for (unsigned i = 0; i < PROBE_COUNT; i++) {
		const struct probe *p = &c->w->probes[i];
		struct span program = yaml_text(yaml_items(yaml_child(p->handler, "command")));
		if (p->kind == PROBE_EXEC && workload_is_bare(c->w) && !span_eq(base_name(program), SPAN("sluice")))
			found_child(c, rule, p->handler, "command", "%.*s", SPAN_ARG(span_cut(program, 60)));
	}
}

static void by_socket(struct check *c, const struct rule *rule)
{
	for (unsigned i = 0; i < PROBE_COUNT; i++)
		if (c->w->probes[i].kind == PROBE_TCP)
			found(c, rule, c->w->probes[i].handler, NULL, "%s", c->w->probes[i].name);
}

static void by_grpc(struct check *c, const struct rule *rule)
{
	for (unsigned i = 0; i < PROBE_COUNT; i++)
		if (c->w->probes[i].kind == PROBE_GRPC)
			found(c, rule, c->w->probes[i].handler, NULL, "%s", c->w->probes[i].name);
}

const struct rule probe_rules[] = {
	{ "readiness-missing", SEVERITY_ERROR, no_readiness,
	        "A pod without a readiness probe gets traffic before its servers are up, and a rollout goes on too early.",
	        "readinessProbe: {httpGet: {path: /readyz, port: admin}, periodSeconds: 5, failureThreshold: 1}" },
	{ "startup-missing", SEVERITY_WARNING, no_startup,
	        "Without a startup probe nobody gives up a start that hangs, for /livez says 200 from the beginning.",
	        "startupProbe: {httpGet: {path: /startupz, port: admin}, periodSeconds: 2, failureThreshold: 60}" },
	{ "liveness-missing", SEVERITY_ADVICE, no_liveness, "Nobody restarts a process that hangs.",
	        "livenessProbe: {httpGet: {path: /livez, port: admin}, periodSeconds: 10, failureThreshold: 3}" },
	{ "probe-port", SEVERITY_ERROR, wrong_port, "Sluice does not listen at that port, so the probe never succeeds.",
	        "port: admin, with {name: admin, containerPort: 9902} among the ports" },
	{ "probe-main-port", SEVERITY_WARNING, main_port,
	        "On the main port a probe competes with clients for connections, and TLS or a NetworkPolicy may stop it.",
	        "port: admin" },
	{ "probe-path", SEVERITY_ERROR, wrong_path,
	        "There is nothing at that path but a 404, so the probe never succeeds.",
	        "/startupz, /readyz and /livez" },
	{ "probe-scheme", SEVERITY_ERROR, scheme, "The probe and the port do not both speak TLS.",
	        "port: admin, or the scheme that http.tls makes necessary" },
	{ "liveness-path", SEVERITY_ERROR, liveness_path,
	        "It says 503 while the gateway starts or drains, and the kubelet kills the container for it.",
	        "path: /livez" },
	{ "readiness-path", SEVERITY_ERROR, readiness_path,
	        "It says 200 also while the gateway drains, so traffic goes on coming.", "path: /readyz" },
	{ "startup-path", SEVERITY_WARNING, startup_path,
	        "It says 200 from the first moment, so the probe says nothing.", "path: /startupz" },
	{ "startup-short", SEVERITY_WARNING, startup_short,
	        "The kubelet kills the container while a server is still allowed to start, again and again.",
	        "a failureThreshold with which failureThreshold x periodSeconds is longer than every startupTimeout" },
	{ "readiness-slow", SEVERITY_ADVICE, readiness_slow,
	        "So long it takes until a load balancer that goes by readiness hears of a drain.",
	        "periodSeconds: 5, failureThreshold: 1" },
	{ "liveness-tight", SEVERITY_WARNING, liveness_tight,
	        "A node that is busy for a moment restarts the pod, with all its calls.",
	        "periodSeconds: 10, failureThreshold: 3" },
	{ "liveness-grace", SEVERITY_ADVICE, liveness_grace,
	        "A process that hangs need not be given the whole grace period before it is killed.",
	        "terminationGracePeriodSeconds: 10 in the liveness probe" },
	{ "readiness-grace", SEVERITY_ERROR, readiness_grace,
	        "The API server refuses a grace period in a readiness probe, which kills nobody.", "nothing there" },
	{ "probe-success", SEVERITY_ERROR, success,
	        "The API server refuses a successThreshold other than 1 in startup and liveness probes.",
	        "successThreshold: 1, or nothing" },
	{ "probe-exec", SEVERITY_WARNING, by_program,
	        "A probe that runs a program starts a process in the container each time.",
	        "httpGet with port: admin" },
	{ "probe-program", SEVERITY_ERROR, by_missing_program, "The image of Sluice has no other program.",
	        "httpGet with port: admin" },
	{ "probe-tcp", SEVERITY_WARNING, by_socket,
	        "A port that can be connected to is neither ready nor alive: it is open from the first moment to the last.",
	        "httpGet with port: admin" },
	{ "probe-grpc", SEVERITY_ERROR, by_grpc, "Sluice does not speak gRPC, so the probe never succeeds.",
	        "httpGet with port: admin" },
	{ 0 },
};
