/* The budget: what the process is told of the grace period, what it really has, and what fits into it. */
#include "base/duration.h"
#include "manifest/rules.h"

#define LEAST_MS ((msec_t)2000) /* that the kubelet leaves in any case */

static msec_t less(msec_t a, msec_t b)
{
	return a < b ? a : b;
}

/* What stands in the manifest about it: a flag wins over a variable, as in the process. */
static struct span grace_text(const struct workload *w, const struct yaml_node **at, const char **teller)
{
	const struct yaml_node *entry = workload_env(w, "MCP_GRACE_PERIOD");

	if (w->start.grace_at != NULL) {
		*at = w->start.grace_at;
		*teller = "--grace-period";
		return w->start.grace;
	}
	*at = yaml_child(entry, "value");
	*teller = "MCP_GRACE_PERIOD";
	if (*at == NULL)
		*at = entry;
	return yaml_text(yaml_child(entry, "value"));
}

struct grace grace_of(const struct workload *w)
{
	const struct lifecycle_conf *conf = &w->config->lifecycle;
	struct grace g = { .told_ms = conf->grace_ms };
	struct span text = grace_text(w, &g.at, &g.teller);

	g.left_ms = w->grace_ms - less(w->hook.tells ? 0 : w->hook.takes_ms, w->grace_ms);
	if (g.left_ms < LEAST_MS)
		g.left_ms = LEAST_MS;
	if (g.at != NULL) {
		g.known = text.n > 0 && duration_parse(text, &g.told_ms);
	} else {
		g.known = w->config_seen;
		g.teller = "its configuration";
	}
	g.planned_ms = g.told_ms - less(conf->pre_stop_ms, g.told_ms);
	return g;
}

struct lifecycle_conf plan_conf(const struct workload *w)
{
	struct lifecycle_conf conf = w->config->lifecycle;
	struct grace g = grace_of(w);

	conf.grace_ms = g.known ? less(g.planned_ms, g.left_ms) : g.left_ms;
	conf.pre_stop_ms = 0;
	return conf;
}

static struct budget plan_of(const struct workload *w, struct lifecycle_conf *conf)
{
	msec_t eof_ms, term_ms;

	*conf = plan_conf(w);
	config_longest_stop(w->config, &eof_ms, &term_ms);
	return budget_at(conf, eof_ms, term_ms, (mono_t){ 0 });
}

/* Where the number is that makes the plan so short, or where it is missing. */
static void found_in_grace(struct check *c, const struct rule *rule, const char *detail)
{
	struct grace g = grace_of(c->w);

	if (g.at != NULL && g.known && g.planned_ms < g.left_ms)
		found(c, rule, g.at, NULL, "%s", detail);
	else
		found_child(c, rule, c->w->spec, "terminationGracePeriodSeconds", "%s", detail);
}

static void zero(struct check *c, const struct rule *rule)
{
	if (c->w->grace_ms == 0)
		found(c, rule, c->w->grace_at, NULL, "0");
}

static void unreadable(struct check *c, const struct rule *rule)
{
	const struct yaml_node *at;
	const char *teller;
	struct span text = grace_text(c->w, &at, &teller);
	msec_t ms;

	if (span_is_set(text) && !span_starts(text, SPAN("$(")) && !duration_parse(text, &ms))
		found(c, rule, at, NULL, "%s is \"%.*s\"", teller, SPAN_ARG(span_cut(text, 40)));
}

/* Longer than the pod's own by more than a hook explains. */
static void longer(struct check *c, const struct rule *rule)
{
	struct grace g = grace_of(c->w);

	if (g.known && g.planned_ms > c->w->grace_ms)
		found(c, rule, g.at != NULL ? g.at : c->w->grace_at, NULL, "%s says %s, the pod has %s", g.teller,
		        seconds_text(g.told_ms).text, seconds_text(c->w->grace_ms).text);
}

static void hook_not_subtracted(struct check *c, const struct rule *rule)
{
	struct grace g = grace_of(c->w);

	if (g.known && g.planned_ms <= c->w->grace_ms && g.planned_ms > g.left_ms)
		found(c, rule, c->w->hook.at, NULL, "%s plans with %s after SIGTERM, the hook leaves %s", g.teller,
		        seconds_text(g.planned_ms).text, seconds_text(g.left_ms).text);
}

static void shorter(struct check *c, const struct rule *rule)
{
	struct grace g = grace_of(c->w);

	if (g.known && g.planned_ms < g.left_ms && c->w->grace_ms > 0 && !c->w->sidecar)
		found(c, rule, g.at != NULL ? g.at : c->w->grace_at, NULL, "planned are %s of %s",
		        seconds_text(g.planned_ms).text, seconds_text(g.left_ms).text);
}

static void not_told(struct check *c, const struct rule *rule)
{
	struct grace g = grace_of(c->w);

	if (g.at == NULL && !g.known && c->w->grace_ms != g.told_ms)
		found_child(c, rule, c->w->container, "env", "the pod has %s, the default is %s",
		        seconds_text(c->w->grace_ms).text, seconds_text(g.told_ms).text);
}

static void clipped(struct check *c, const struct rule *rule, enum budget_clip clip, const char *before)
{
	struct lifecycle_conf conf;
	struct budget b = plan_of(c->w, &conf);

	if ((b.clipped & clip) != 0)
		found_in_grace(c, rule, arena_printf(c->arena, "%s %s", before, seconds_text(conf.grace_ms).text));
}

static void lame_duck(struct check *c, const struct rule *rule)
{
	clipped(c, rule, CLIP_LAME_DUCK, "lame-duck leaves no time for calls in");
}

static void stop(struct check *c, const struct rule *rule)
{
	clipped(c, rule, CLIP_STOP, "the servers' stop times are more than half of");
}

static void margin(struct check *c, const struct rule *rule)
{
	clipped(c, rule, CLIP_MARGIN, "the margin is more than a quarter of");
}

static void calls(struct check *c, const struct rule *rule)
{
	struct lifecycle_conf conf;
	struct budget b = plan_of(c->w, &conf);
	msec_t longest = 0, room = mono_diff(b.stop, b.lame_duck_end);

	for (size_t i = 0; i < c->w->config->server_count; i++)
		if (c->w->config->servers[i].request_timeout_ms > longest)
			longest = c->w->config->servers[i].request_timeout_ms;
	if (room < longest && (b.clipped & CLIP_LAME_DUCK) == 0)
		found_in_grace(c, rule,
		        arena_printf(c->arena, "after lame-duck there are %s for calls, which may take %s",
		                seconds_text(room).text, seconds_text(longest).text));
}

const struct rule grace_rules[] = {
	{ "grace-zero", SEVERITY_ERROR, zero,
	        "Without a grace period the kubelet kills the pod at once, and every call in flight is lost.",
	        "terminationGracePeriodSeconds: 60" },
	{ "grace-unreadable", SEVERITY_ERROR, unreadable,
	        "Sluice refuses to start with a grace period that is no duration.", "a number and s, such as \"60s\"" },
	{ "grace-longer", SEVERITY_ERROR, longer,
	        "Sluice plans with more time than the kubelet gives, so SIGKILL comes in the midst of its drain.",
	        "one value for terminationGracePeriodSeconds and MCP_GRACE_PERIOD" },
	{ "hook-not-subtracted", SEVERITY_ERROR, hook_not_subtracted,
	        "The time of a preStop hook counts against the grace period, and Sluice does not know of it.",
	        "lifecycle.preStop with the hook's time in servers.json, or MCP_GRACE_PERIOD with it subtracted" },
	{ "grace-shorter", SEVERITY_ADVICE, shorter,
	        "Sluice stops earlier than it has to, which is right only where nodes cap the grace period.",
	        "one value for terminationGracePeriodSeconds and MCP_GRACE_PERIOD" },
	{ "grace-not-told", SEVERITY_WARNING, not_told,
	        "The pod's grace period cannot be read from inside, so Sluice takes its default unless servers.json says "
	        "another.",
	        "env MCP_GRACE_PERIOD with the value of terminationGracePeriodSeconds" },
	{ "grace-lame-duck", SEVERITY_WARNING, lame_duck,
	        "Lame-duck lasts until the servers must be stopped, so calls that began in it are cut.",
	        "a terminationGracePeriodSeconds of hook + lameDuck.max + the longest call + stop times + margin" },
	{ "grace-stop", SEVERITY_WARNING, stop,
	        "Servers get less time to stop than is configured, and are killed sooner.",
	        "a longer terminationGracePeriodSeconds, or shorter stop times" },
	{ "grace-margin", SEVERITY_WARNING, margin,
	        "Less is kept free for the last words and for the kubelet than is configured.",
	        "a longer terminationGracePeriodSeconds" },
	{ "grace-calls", SEVERITY_ADVICE, calls,
	        "A call may take as long as requestTimeout, and one that is still in flight then is cut with an error.",
	        "a terminationGracePeriodSeconds that is longer by the difference, or a shorter requestTimeout" },
	{ 0 },
};
