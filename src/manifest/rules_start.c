/* How the process is started: its command line, its environment, its configuration. */
#include "manifest/rules.h"

static void no_http(struct check *c, const struct rule *rule)
{
	const struct start *s = &c->w->start;

	if (s->known && !s->main.on)
		found_child(c, rule, c->w->container, "args", "serve without --http");
}

/* With other containers in the pod it may be there for them alone; not when a Service leads to it. */
static bool is_for_the_world(const struct check *c)
{
	const struct yaml_node *first = yaml_items(yaml_child(c->w->spec, "containers"));

	if (!c->w->sidecar && first != NULL && first->next == NULL)
		return true;
	for (size_t i = 0; i < c->all->count; i++)
		if (service_leads_to(c->w, c->all->items[i], c->w->start.main.port))
			return true;
	return false;
}

static void main_loopback(struct check *c, const struct rule *rule)
{
	const struct listening *l = &c->w->start.main;

	if (l->known && l->on && l->loopback && is_for_the_world(c))
		found(c, rule, l->at, NULL, "%.*s", SPAN_ARG(yaml_text(l->at)));
}

static bool asks_admin(const struct workload *w)
{
	for (unsigned i = 0; i < PROBE_COUNT; i++)
		if (w->probes[i].kind == PROBE_HTTP && w->probes[i].port == w->start.admin.port)
			return true;
	return false;
}

static void admin_loopback(struct check *c, const struct rule *rule)
{
	const struct listening *l = &c->w->start.admin;

	if (l->known && l->on && l->loopback && asks_admin(c->w))
		found_child(c, rule, c->w->container, "args", "the admin port is at 127.0.0.1");
}

static void admin_off(struct check *c, const struct rule *rule)
{
	const struct listening *l = &c->w->start.admin;

	if (l->known && l->at != NULL && !l->on)
		found(c, rule, l->at, NULL, "--admin off");
}

static bool is_open(const struct listening *l)
{
	return l->on && !l->loopback;
}

static void insecure(struct check *c, const struct rule *rule)
{
	const struct start *s = &c->w->start;

	if (s->known && c->w->config_seen && !c->w->tls && !s->insecure && (is_open(&s->main) || is_open(&s->admin)))
		found_child(c, rule, c->w->container, "args", "no --insecure");
}

/* `sh -c "sluice ..."`: a shell keeps SIGTERM for itself unless it is replaced. */
static void shell(struct check *c, const struct rule *rule)
{
	const struct yaml_node *at = c->w->start.shell;
	struct span script = yaml_text(at);

	if (at != NULL && (script.n == 0 || memmem(script.p, script.n, "exec ", 5) == NULL))
		found(c, rule, at, NULL, "%.*s", SPAN_ARG(span_cut(script, 60)));
}

static void shell_is_missing(struct check *c, const struct rule *rule)
{
	if (c->w->start.shell != NULL && workload_is_bare(c->w))
		found_child(c, rule, c->w->container, "command", "%.*s",
		        SPAN_ARG(yaml_text(yaml_items(yaml_child(c->w->container, "command")))));
}

static void env_type(struct check *c, const struct rule *rule)
{
	const struct yaml_node *e = yaml_items(yaml_child(c->w->container, "env"));
	int64_t number;

	for (; e != NULL; e = e->next) {
		const struct yaml_node *value = yaml_child(e, "value");
		if (yaml_int(value, &number) || yaml_is_true(value) || yaml_is_false(value))
			found(c, rule, value, NULL, "%.*s is a number or a boolean",
			        SPAN_ARG(span_cut(yaml_text(yaml_child(e, "name")), 60)));
	}
}

static void config_fault(struct check *c, const struct rule *rule)
{
	for (const struct config_message *m = c->messages->first; m != NULL; m = m->next)
		if (m->kind == CONFIG_ERROR)
			found(c, rule, c->w->config_at, NULL, "%s%s%s", m->path != NULL ? m->path : "",
			        m->path != NULL ? ": " : "", m->sentence);
}

static void config_unseen(struct check *c, const struct rule *rule)
{
	if (!c->w->config_seen && c->w->config_at == NULL)
		found(c, rule, c->w->container, NULL, "its servers.json is not in this file");
}

/* A file that is mounted by subPath stays what it was when the pod was started. */
static void sub_path(struct check *c, const struct rule *rule)
{
	const struct yaml_node *m = yaml_items(yaml_child(c->w->container, "volumeMounts"));
	struct span config = c->w->start.config;

	for (; m != NULL; m = m->next) {
		const struct yaml_node *at = yaml_child(m, "subPath");
		struct span path = yaml_text(yaml_child(m, "mountPath"));
		if (at != NULL && config.n > 0 && path.n > 0 && span_starts(config, path))
			found(c, rule, at, NULL, "%.*s", SPAN_ARG(span_cut(config, 100)));
	}
}

static void server_program(struct check *c, const struct rule *rule)
{
	if (c->w->runner != NULL && workload_is_bare(c->w))
		found_child(c, rule, c->w->container, "image", "a server needs %s", c->w->runner);
}

const struct rule start_rules[] = {
	{ "start-stdio", SEVERITY_ERROR, no_http,
	        "Without --http Sluice speaks on stdin, which has ended before it starts in a pod, so it leaves at once.",
	        "args: [serve, --http, \":8080\", --admin, \":9902\", --insecure, ...]" },
	{ "start-loopback", SEVERITY_ERROR, main_loopback,
	        "At a loopback address nobody outside of the pod can reach it, a Service included.", "--http :8080" },
	{ "admin-loopback", SEVERITY_ERROR, admin_loopback,
	        "The kubelet's probes come from the node to the pod's address, where nobody listens, and all of them fail.",
	        "--admin :9902" },
	{ "admin-off", SEVERITY_WARNING, admin_off,
	        "Without an admin port there are neither metrics nor /drain, and probes share the port of the clients.",
	        "--admin :9902" },
	{ "start-insecure", SEVERITY_ERROR, insecure,
	        "Sluice refuses an address beyond loopback without TLS, unless it is said that this is meant.",
	        "--insecure, with a NetworkPolicy or a mesh around it" },
	{ "start-shell", SEVERITY_ERROR, shell,
	        "A shell that starts Sluice gets SIGTERM in its place and does not pass it on.",
	        "command: [/sluice], or exec in front of it in the script" },
	{ "start-no-shell", SEVERITY_ERROR, shell_is_missing, "The image of Sluice has no shell.",
	        "command: [/sluice], args: [serve, ...]" },
	{ "env-type", SEVERITY_ERROR, env_type, "The API server refuses the value of a variable that is no text.",
	        "quotes around the value" },
	{ "config-fault", SEVERITY_ERROR, config_fault, "Sluice does not start with a configuration that has faults.",
	        "what `sluice check --config` accepts" },
	{ "config-unseen", SEVERITY_ADVICE, config_unseen,
	        "Defaults were assumed for the lifecycle and for the servers.",
	        "`sluice check --deployment FILE --config servers.json`, to check both together" },
	{ "config-subpath", SEVERITY_WARNING, sub_path,
	        "A file that is mounted by subPath never changes, so a new configuration waits for new pods.",
	        "a mount of the whole volume, without subPath" },
	{ "server-program", SEVERITY_WARNING, server_program,
	        "The image of Sluice has no program but Sluice, so this server cannot be started.",
	        "the image with runners, or the server in a container of its own, over HTTP" },
	{ 0 },
};
