/* preStop hooks, and the signal that comes after them. */
#include "base/duration.h"
#include "manifest/rules.h"

#define LEAST_MS ((msec_t)2000)

static void other_kind(struct check *c, const struct rule *rule)
{
	if (c->w->hook.kind == HOOK_OTHER)
		found(c, rule, c->w->hook.at, NULL, "neither sleep, httpGet nor exec");
}

static void too_long(struct check *c, const struct rule *rule)
{
	const struct hook *h = &c->w->hook;

	if (h->takes_ms > 0 && h->takes_ms + LEAST_MS >= c->w->grace_ms)
		found(c, rule, h->at, NULL, "the hook takes %s of %s", seconds_text(h->takes_ms).text,
		        seconds_text(c->w->grace_ms).text);
}

static void sleeps(struct check *c, const struct rule *rule)
{
	const struct hook *h = &c->w->hook;

	if (h->takes_ms > 0 && c->w->config_seen && c->w->config->lifecycle.lame_duck_min_ms > 0)
		found(c, rule, h->at, NULL, "%s of sleep, and then lameDuck.min of %s", seconds_text(h->takes_ms).text,
		        seconds_text(c->w->config->lifecycle.lame_duck_min_ms).text);
}

static void foreign_program(struct check *c, const struct rule *rule)
{
	const struct hook *h = &c->w->hook;

	if (h->kind == HOOK_EXEC && h->foreign && workload_is_bare(c->w))
		found_child(c, rule, h->at, "command", "%.*s",
		        SPAN_ARG(span_cut(yaml_text(yaml_items(yaml_child(h->at, "command"))), 60)));
}

static void header(struct check *c, const struct rule *rule)
{
	const struct hook *h = &c->w->hook;

	if (h->kind != HOOK_HTTP || !h->drains)
		return;
	for (const struct yaml_node *x = yaml_items(yaml_child(h->at, "httpHeaders")); x != NULL; x = x->next)
		if (span_eq_nocase(yaml_text(yaml_child(x, "name")), SPAN("Sluice-Drain")) &&
		        yaml_is(yaml_child(x, "value"), "1"))
			return;
	found_child(c, rule, h->at, "httpHeaders", "no Sluice-Drain: 1");
}

static void port(struct check *c, const struct rule *rule)
{
	const struct hook *h = &c->w->hook;

	if (h->kind == HOOK_HTTP && h->drains &&
	        workload_port(c->w, yaml_child(h->at, "port")) != c->w->start.admin.port)
		found_child(c, rule, h->at, "port", "%.*s", SPAN_ARG(yaml_text(yaml_child(h->at, "port"))));
}

static void path(struct check *c, const struct rule *rule)
{
	const struct hook *h = &c->w->hook;

	if (h->kind == HOOK_HTTP && !h->drains)
		found_child(c, rule, h->at, "path", "%.*s", SPAN_ARG(yaml_text(yaml_child(h->at, "path"))));
}

static void untold(struct check *c, const struct rule *rule)
{
	const struct hook *h = &c->w->hook;

	if (h->drains && !h->tells)
		found(c, rule, h->at, NULL, "%s",
		        h->kind == HOOK_HTTP ? "/drain without hook=1" : "drain without --hook");
}

static void on_loopback(struct check *c, const struct rule *rule)
{
	const struct listening *admin = &c->w->start.admin;

	if (c->w->hook.kind == HOOK_HTTP && c->w->hook.drains && admin->known && admin->on && admin->loopback)
		found(c, rule, c->w->hook.at, NULL, "the admin port is at 127.0.0.1");
}

static void stop_signal(struct check *c, const struct rule *rule)
{
	const struct yaml_node *at = yaml_at(c->w->container, "lifecycle.stopSignal");

	if (at != NULL && !yaml_is(at, "SIGTERM"))
		found(c, rule, at, NULL, "%.*s", SPAN_ARG(yaml_text(at)));
}

const struct rule hook_rules[] = {
	{ "hook-kind", SEVERITY_ERROR, other_kind, "Kubernetes runs no such preStop hook, and SIGTERM comes at once.",
	        "no hook at all, or sleep, httpGet or exec" },
	{ "hook-too-long", SEVERITY_ERROR, too_long,
	        "When the hook is over, the kubelet leaves 2 s between SIGTERM and SIGKILL, and calls in flight are cut.",
	        "a shorter hook, or none: lame-duck is what a sleep is for" },
	{ "hook-sleep", SEVERITY_ADVICE, sleeps,
	        "A sleep and lame-duck are for the same thing, and each costs its time.",
	        "no hook, or lameDuck.min of 0 in servers.json" },
	{ "hook-program", SEVERITY_ERROR, foreign_program,
	        "The image of Sluice has no shell and no other program, so the hook fails and SIGTERM comes at once.",
	        "no hook, a sleep of Kubernetes (preStop.sleep.seconds), or command: [/sluice, drain, --hook, --wait]" },
	{ "hook-header", SEVERITY_ERROR, header,
	        "Without that header /drain refuses a GET, and the kubelet takes the refusal for success.",
	        "httpHeaders: [{name: Sluice-Drain, value: \"1\"}]" },
	{ "hook-port", SEVERITY_ERROR, port,
	        "/drain is on the admin port only; elsewhere it is 404, and the kubelet takes that for success.",
	        "port: admin" },
	{ "hook-path", SEVERITY_WARNING, path, "That request changes nothing, and Sluice does not know of the hook.",
	        "path: /drain?hook=1&wait=1" },
	{ "hook-untold", SEVERITY_WARNING, untold,
	        "Sluice must be told that the grace period began with this hook, or it plans with all of it after SIGTERM.",
	        "/drain?hook=1&wait=1, or sluice drain --hook --wait" },
	{ "hook-loopback", SEVERITY_ERROR, on_loopback,
	        "The kubelet sends the request from the node to the pod's address, where nobody listens.",
	        "--admin :9902, or an exec hook of sluice drain --hook --wait" },
	{ "stop-signal", SEVERITY_ERROR, stop_signal,
	        "Another signal than SIGTERM skips lame-duck, or the drain as well.", "no stopSignal" },
	{ 0 },
};
