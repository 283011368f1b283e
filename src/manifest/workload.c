#include "manifest/workload.h"

#include "base/cstr.h"
#include "base/duration.h"

#define MAIN_PORT 8080
#define ADMIN_PORT 9902
#define GRACE_DEFAULT_MS 30000

static const struct kind {
	const char *name, *template;
} kinds[KIND_COUNT] = {
	[KIND_DEPLOYMENT] = { "Deployment", "spec.template" },
	[KIND_STATEFUL_SET] = { "StatefulSet", "spec.template" },
	[KIND_DAEMON_SET] = { "DaemonSet", "spec.template" },
	[KIND_POD] = { "Pod", "" },
};

static size_t count_documents(const struct yaml_node *first)
{
	size_t n = 0;

	for (const struct yaml_node *d = first; d != NULL; d = d->next) {
		n++;
		for (const struct yaml_node *item = yaml_items(yaml_child(d, "items")); item != NULL; item = item->next)
			n++;
	}
	return n;
}

struct documents documents_of(struct arena *a, const struct yaml_node *first)
{
	struct documents all = { .items = ARENA_ARRAY(a, const struct yaml_node *, count_documents(first) + 1) };

	for (const struct yaml_node *d = first; d != NULL; d = d->next) {
		all.items[all.count++] = d;
		for (const struct yaml_node *item = yaml_items(yaml_child(d, "items")); item != NULL; item = item->next)
			all.items[all.count++] = item;
	}
	return all;
}

struct span base_name(struct span path)
{
	struct span part = path;

	while (span_find(part, '/') < part.n)
		part = span_skip(part, span_find(part, '/') + 1);
	return part;
}

static bool contains(struct span text, struct span what)
{
	return text.n > 0 && memmem(text.p, text.n, what.p, what.n) != NULL;
}

const struct yaml_node *workload_env(const struct workload *w, const char *name)
{
	const struct yaml_node *found = NULL;

	for (const struct yaml_node *e = yaml_items(yaml_child(w->container, "env")); e != NULL; e = e->next)
		if (yaml_is(yaml_child(e, "name"), name))
			found = e; /* the last one counts */
	return found;
}

struct span workload_variable(const struct workload *w, const char *name)
{
	return yaml_text(yaml_child(workload_env(w, name), "value"));
}

/* --- the command line ----------------------------------------------------------------------------------------------
 */

/* A walk over the words of command and args. */
struct words {
	const struct yaml_node *next, *then;
};

static const struct yaml_node *next_word(struct words *words)
{
	if (words->next == NULL) {
		words->next = words->then;
		words->then = NULL;
	}
	const struct yaml_node *word = words->next;
	if (word != NULL)
		words->next = word->next;
	return word;
}

static bool is_shell(struct span program)
{
	static const char *const shells[] = { "sh", "bash", "ash", "dash", "busybox", NULL };

	for (size_t i = 0; shells[i] != NULL; i++)
		if (span_eq(base_name(program), span_of(shells[i])))
			return true;
	return false;
}

/* "$(NAME)" is filled in from `env` by the kubelet. */
static struct span filled(const struct workload *w, struct span value)
{
	char name[128];

	if (!span_starts(value, SPAN("$(")) || value.n < 4 || value.p[value.n - 1] != ')' || value.n > sizeof(name))
		return value;
	struct span inner = { value.p + 2, value.n - 3 };
	memcpy(name, inner.p, inner.n);
	name[inner.n] = '\0';
	struct span found = workload_variable(w, name);
	return span_is_set(found) ? found : value;
}

static void read_address(struct listening *l, struct span value, const struct yaml_node *at)
{
	size_t colon = value.n;
	uint64_t port;

	l->on = true;
	l->at = at;
	if (span_eq(value, SPAN("off"))) {
		l->on = false;
		return;
	}
	while (colon > 0 && value.p[colon - 1] != ':')
		colon--;
	struct span host = span_cut(value, colon > 0 ? colon - 1 : 0);
	l->loopback = value.n == 0 || span_starts(host, SPAN("127.")) || span_eq(host, SPAN("localhost")) ||
	              span_eq(host, SPAN("[::1]"));
	if (colon > 0 && span_to_u64(span_skip(value, colon), 65535, &port))
		l->port = (int64_t)port;
	else if (value.n > 0)
		l->port = 0;
}

/* The value of an option: behind "=", or the next word unless that is an option. */
static struct span option_value(const struct workload *w, struct words *words, struct span word)
{
	size_t equals = span_find(word, '=');

	if (equals < word.n)
		return filled(w, span_skip(word, equals + 1));
	struct words ahead = *words;
	struct span next = yaml_text(next_word(&ahead));
	if (next.n == 0 || next.p[0] == '-')
		return SPAN("");
	*words = ahead;
	return filled(w, next);
}

static void read_options(struct workload *w, struct words *words)
{
	struct start *s = &w->start;
	const struct yaml_node *at;

	while ((at = next_word(words)) != NULL) {
		struct span word = yaml_text(at), name = span_cut(word, span_find(word, '='));
		if (span_eq(name, SPAN("--http"))) {
			read_address(&s->main, option_value(w, words, word), at);
		} else if (span_eq(name, SPAN("--admin"))) {
			read_address(&s->admin, option_value(w, words, word), at);
		} else if (span_eq(name, SPAN("--config"))) {
			s->config = option_value(w, words, word);
		} else if (span_eq(name, SPAN("--grace-period"))) {
			s->grace = option_value(w, words, word);
			s->grace_at = at;
		} else if (span_eq(name, SPAN("--insecure"))) {
			s->insecure = true;
		}
	}
}

/* Passes over what stands before Sluice, an init say. False when the image decides, or a shell. */
static bool find_program(struct workload *w, struct words *words)
{
	const struct yaml_node *command = yaml_items(yaml_child(w->container, "command")), *word;

	words->next = command;
	words->then = yaml_items(yaml_child(w->container, "args"));
	if (command == NULL)
		return words->then != NULL;
	if (is_shell(yaml_text(command))) {
		while ((word = next_word(words)) != NULL)
			w->start.shell = word;
		return false;
	}
	while ((word = next_word(words)) != NULL)
		if (span_eq(base_name(yaml_text(word)), SPAN("sluice")))
			return true;
	return false;
}

static void read_start(struct workload *w)
{
	struct start *s = &w->start;
	struct words words;

	s->main.port = MAIN_PORT;
	s->admin = (struct listening){ .port = ADMIN_PORT };
	if (find_program(w, &words)) {
		s->known = true;
		s->command = yaml_text(next_word(&words));
		read_options(w, &words);
		/* The admin port comes with --http, on loopback unless something else is said. */
		if (s->admin.at == NULL)
			s->admin.on = s->admin.loopback = s->main.on;
	}
	s->main.known = s->admin.known = s->known;
	if (!span_is_set(s->config))
		s->config = workload_variable(w, "MCP_CONFIG_PATH");
}

/* --- the container -------------------------------------------------------------------------------------------------
 */

static bool is_named(const struct yaml_node *container)
{
	struct span image = base_name(yaml_text(yaml_child(container, "image")));
	const struct yaml_node *word = yaml_items(yaml_child(container, "command"));

	for (; word != NULL; word = word->next)
		if (span_eq(base_name(yaml_text(word)), SPAN("sluice")))
			return true;
	return contains(yaml_text(yaml_child(container, "name")), SPAN("sluice")) ||
	       contains(span_cut(image, span_find(image, ':')), SPAN("sluice"));
}

/* It starts some other program, in an image of Sluice's, say. A script may be anything. */
static bool is_foreign(const struct workload *w)
{
	return yaml_items(yaml_child(w->container, "command")) != NULL && !w->start.known && w->start.shell == NULL &&
	       !contains(yaml_text(yaml_child(w->container, "name")), SPAN("sluice"));
}

/* The command of a container that runs Sluice; not when it is one that comes and goes, such as `sluice list`. */
static bool is_gateway(struct workload *w, const struct yaml_node *container)
{
	if (!is_named(container))
		return false;
	w->container = container;
	w->start = (struct start){ 0 };
	read_start(w);
	if (is_foreign(w))
		return false;
	return !w->start.known || span_eq(w->start.command, SPAN("serve")) ||
	       span_starts(w->start.command, SPAN("-")) || w->start.command.n == 0;
}

static bool find_container(struct workload *w)
{
	const struct yaml_node *item;

	for (item = yaml_items(yaml_child(w->spec, "containers")); item != NULL; item = item->next)
		if (is_gateway(w, item))
			return true;
	for (item = yaml_items(yaml_child(w->spec, "initContainers")); item != NULL; item = item->next)
		if (is_gateway(w, item)) {
			w->sidecar = yaml_is(yaml_child(item, "restartPolicy"), "Always");
			w->init = !w->sidecar;
			return true;
		}
	return false;
}

/* --- hook and probes -----------------------------------------------------------------------------------------------
 */

/* "sleep 5", anywhere in a script */
static msec_t sleep_in(struct span script)
{
	msec_t ms;

	for (size_t i = 0; i + 6 < script.n; i++) {
		struct span rest = span_skip(script, i);
		if (!span_starts(rest, SPAN("sleep ")))
			continue;
		rest = span_skip(rest, 6);
		size_t n = 0;
		while (n < rest.n && ((rest.p[n] >= '0' && rest.p[n] <= '9') || rest.p[n] == '.' || rest.p[n] == 's' ||
		                             rest.p[n] == 'm'))
			n++;
		if (duration_parse(span_cut(rest, n), &ms))
			return ms;
	}
	return 0;
}

static void read_exec(struct hook *h)
{
	const struct yaml_node *program = yaml_items(yaml_child(h->at, "command"));
	struct span name = base_name(yaml_text(program));
	bool has_drain = false;

	if (program == NULL)
		return;
	h->foreign = !span_eq(name, SPAN("sluice"));
	for (const struct yaml_node *word = program->next; word != NULL; word = word->next) {
		struct span text = yaml_text(word);
		msec_t ms;
		has_drain = has_drain || yaml_is(word, "drain") || contains(text, SPAN("sluice drain"));
		h->tells = h->tells || contains(text, SPAN("--hook"));
		if (span_eq(name, SPAN("sleep")) && text.n > 0 && duration_parse(text, &ms))
			h->takes_ms = ms;
		else if (h->takes_ms == 0)
			h->takes_ms = sleep_in(text);
	}
	h->drains = has_drain;
}

static void read_http_hook(struct hook *h)
{
	struct span path = yaml_text(yaml_child(h->at, "path"));

	h->drains = span_starts(path, SPAN("/drain"));
	h->tells = h->drains && contains(path, SPAN("hook=1"));
}

static void read_hook(struct workload *w)
{
	const struct yaml_node *hook = yaml_at(w->container, "lifecycle.preStop"), *at;
	struct hook *h = &w->hook;
	int64_t seconds;

	if ((at = yaml_child(hook, "sleep")) != NULL) {
		*h = (struct hook){ .kind = HOOK_SLEEP, .at = at };
		if (yaml_int(yaml_child(at, "seconds"), &seconds) && seconds > 0 && seconds < DURATION_MAX_MS / 1000)
			h->takes_ms = seconds * 1000;
	} else if ((at = yaml_child(hook, "httpGet")) != NULL) {
		*h = (struct hook){ .kind = HOOK_HTTP, .at = at };
		read_http_hook(h);
	} else if ((at = yaml_child(hook, "exec")) != NULL) {
		*h = (struct hook){ .kind = HOOK_EXEC, .at = at };
		read_exec(h);
	} else if (hook != NULL) {
		*h = (struct hook){ .kind = HOOK_OTHER, .at = hook };
	}
}

static int64_t number_or(const struct yaml_node *node, int64_t otherwise)
{
	int64_t value;

	return yaml_int(node, &value) && value >= 0 && value < INT32_MAX ? value : otherwise;
}

int64_t workload_port(const struct workload *w, const struct yaml_node *port)
{
	int64_t number;

	if (yaml_int(port, &number))
		return number;
	for (const struct yaml_node *p = yaml_items(yaml_child(w->container, "ports")); p != NULL; p = p->next)
		if (port != NULL && span_eq(yaml_text(yaml_child(p, "name")), yaml_text(port)))
			return number_or(yaml_child(p, "containerPort"), 0);
	return 0;
}

static void read_probe(struct workload *w, struct probe *p, const char *name)
{
	static const struct {
		const char *key;
		enum probe_kind kind;
	} handlers[] = { { "httpGet", PROBE_HTTP }, { "exec", PROBE_EXEC }, { "tcpSocket", PROBE_TCP },
		{ "grpc", PROBE_GRPC } };

	*p = (struct probe){ .name = name, .at = yaml_child(w->container, name) };
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]) && p->handler == NULL; i++) {
		p->handler = yaml_child(p->at, handlers[i].key);
		p->kind = p->handler != NULL ? handlers[i].kind : PROBE_NONE;
	}
	p->path = yaml_text(yaml_child(p->handler, "path"));
	p->path = span_cut(p->path, span_find(p->path, '?'));
	p->port = workload_port(w, yaml_child(p->handler, "port"));
	p->period = number_or(yaml_child(p->at, "periodSeconds"), 10);
	p->timeout = number_or(yaml_child(p->at, "timeoutSeconds"), 1);
	p->failures = number_or(yaml_child(p->at, "failureThreshold"), 3);
	p->initial_delay = number_or(yaml_child(p->at, "initialDelaySeconds"), 0);
}

/* --- the rest ------------------------------------------------------------------------------------------------------
 */

static const struct yaml_node *find_scaler(const struct workload *w, const struct documents *all)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct yaml_node *target = yaml_at(all->items[i], "spec.scaleTargetRef");
		if (yaml_is(yaml_child(all->items[i], "kind"), "HorizontalPodAutoscaler") &&
		        yaml_is(yaml_child(target, "kind"), kinds[w->kind].name) &&
		        span_eq(yaml_text(yaml_child(target, "name")),
		                yaml_text(yaml_at(w->document, "metadata.name"))))
			return all->items[i];
	}
	return NULL;
}

static void read_replicas(struct workload *w, const struct documents *all)
{
	w->least = w->most = 1;
	if (w->kind == KIND_DAEMON_SET)
		w->least = w->most = ANY_NUMBER;
	if (w->kind == KIND_DAEMON_SET || w->kind == KIND_POD)
		return;
	w->least = w->most = number_or(yaml_at(w->document, "spec.replicas"), 1);
	w->scaler = find_scaler(w, all);
	if (w->scaler != NULL) {
		w->least = number_or(yaml_at(w->scaler, "spec.minReplicas"), 1);
		w->most = number_or(yaml_at(w->scaler, "spec.maxReplicas"), w->least);
	}
}

static void read_grace(struct workload *w)
{
	const struct yaml_node *grace = yaml_child(w->spec, "terminationGracePeriodSeconds");
	int64_t seconds;

	w->grace_at = grace != NULL ? grace : w->spec;
	w->grace_ms = GRACE_DEFAULT_MS;
	if (yaml_int(grace, &seconds) && seconds >= 0)
		w->grace_ms = seconds < DURATION_MAX_MS / 1000 ? seconds * 1000 : DURATION_MAX_MS;
}

bool workload_selected(const struct workload *w, const struct yaml_node *match_labels)
{
	const struct yaml_node *labels = yaml_at(w->template, "metadata.labels");

	if (match_labels == NULL || match_labels->first == NULL)
		return false;
	for (const struct yaml_node *l = match_labels->first; l != NULL; l = l->next)
		if (l->key.p == NULL || !span_eq(yaml_text(yaml_child(labels, l->key.p)), yaml_text(l)))
			return false;
	return true;
}

bool workload_is_bare(const struct workload *w)
{
	static const char *const variants[] = { "runner", "node", "python", "debian", "uv" };
	struct span image = base_name(yaml_text(yaml_child(w->container, "image")));
	struct span name = span_cut(image, span_find(image, '@'));
	size_t colon = span_find(name, ':');

	if (!span_eq(span_cut(name, colon), SPAN("sluice")) || (colon == name.n && name.n < image.n))
		return false;
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		if (contains(name, span_of(variants[i])))
			return false;
	return true;
}

/* What a chart makes for a moment only: the pods of its tests, and of its hooks. */
static bool is_passing(const struct yaml_node *document)
{
	return yaml_child(yaml_at(document, "metadata.annotations"), "helm.sh/hook") != NULL;
}

bool workload_read(struct workload *w, const struct documents *all, const struct yaml_node *document)
{
	static const char *const probes[PROBE_COUNT] = { "startupProbe", "readinessProbe", "livenessProbe" };
	unsigned kind = 0;

	while (kind < KIND_COUNT && !yaml_is(yaml_child(document, "kind"), kinds[kind].name))
		kind++;
	if (kind == KIND_COUNT || is_passing(document))
		return false;
	*w = (struct workload){ .kind = (enum workload_kind)kind, .document = document };
	w->template = kind == KIND_POD ? document : yaml_at(document, kinds[kind].template);
	w->spec = yaml_child(w->template, "spec");
	if (!find_container(w))
		return false;
	read_replicas(w, all);
	read_grace(w);
	read_hook(w);
	for (unsigned i = 0; i < PROBE_COUNT; i++)
		read_probe(w, &w->probes[i], probes[i]);
	return true;
}
