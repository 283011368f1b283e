/* The Services and Ingresses in front of it. */
#include "base/duration.h"
#include "manifest/rules.h"

#define COMMENT_S 15            /* between the comments on a quiet stream */
#define NLB_MS ((msec_t)120000) /* for so long a network load balancer sends traffic to a pod that is gone */

static bool is_service(const struct workload *w, const struct yaml_node *object)
{
	return yaml_is(yaml_child(object, "kind"), "Service") && workload_selected(w, yaml_at(object, "spec.selector"));
}

/* The next Service that selects the pods; *at is where to go on. */
static const struct yaml_node *next_service(const struct check *c, size_t *at)
{
	while (*at < c->all->count) {
		const struct yaml_node *object = c->all->items[(*at)++];
		if (is_service(c->w, object))
			return object;
	}
	return NULL;
}

/* The container's port that a Service's port leads to; 0: there is none of that name. */
static int64_t target_of(const struct workload *w, const struct yaml_node *port)
{
	const struct yaml_node *target = yaml_child(port, "targetPort");

	return workload_port(w, target != NULL ? target : yaml_child(port, "port"));
}

bool service_leads_to(const struct workload *w, const struct yaml_node *object, int64_t port)
{
	const struct yaml_node *p = is_service(w, object) ? yaml_items(yaml_at(object, "spec.ports")) : NULL;

	while (p != NULL && target_of(w, p) != port)
		p = p->next;
	return p != NULL;
}

/* Of a Service for clients: metrics are wanted of pods that are not ready, too. */
static void not_ready(struct check *c, const struct rule *rule)
{
	const struct yaml_node *service, *at;

	for (size_t i = 0; (service = next_service(c, &i)) != NULL;)
		if (yaml_is_true(at = yaml_at(service, "spec.publishNotReadyAddresses")) &&
		        service_leads_to(c->w, service, c->w->start.main.port))
			found(c, rule, at, NULL, "publishNotReadyAddresses: true");
}

static void lost_port(struct check *c, const struct rule *rule)
{
	const struct start *s = &c->w->start;
	const struct yaml_node *service;

	for (size_t i = 0; (service = next_service(c, &i)) != NULL;)
		for (const struct yaml_node *p = yaml_items(yaml_at(service, "spec.ports")); p != NULL; p = p->next) {
			int64_t target = target_of(c->w, p);
			if (target == 0 || (s->known && target != s->main.port && target != s->admin.port))
				found_child(c, rule, p, "targetPort", "%.*s",
				        SPAN_ARG(span_cut(yaml_text(yaml_child(p, "targetPort")), 40)));
		}
}

static bool is_public(const struct yaml_node *service)
{
	const struct yaml_node *type = yaml_at(service, "spec.type");

	return yaml_is(type, "LoadBalancer") || yaml_is(type, "NodePort");
}

static void admin_in_public(struct check *c, const struct rule *rule)
{
	const struct yaml_node *service;

	for (size_t i = 0; (service = next_service(c, &i)) != NULL;)
		for (const struct yaml_node *p = yaml_items(yaml_at(service, "spec.ports")); p != NULL; p = p->next)
			if (is_public(service) && target_of(c->w, p) == c->w->start.admin.port)
				found(c, rule, p, NULL, "the admin port in a Service of type %.*s",
				        SPAN_ARG(span_cut(yaml_text(yaml_at(service, "spec.type")), 20)));
}

/* Does a network load balancer of AWS come with it? */
static const struct yaml_node *nlb_of(const struct yaml_node *service)
{
	const struct yaml_node *annotations = yaml_at(service, "metadata.annotations");
	const struct yaml_node *type = yaml_child(annotations, "service.beta.kubernetes.io/aws-load-balancer-type");

	return yaml_is(type, "nlb") || yaml_is(type, "external") || yaml_is(type, "nlb-ip") ? type : NULL;
}

static void slow_balancer(struct check *c, const struct rule *rule)
{
	const struct yaml_node *service, *at;
	msec_t most = c->w->config->lifecycle.lame_duck_max_ms + c->w->hook.takes_ms;

	for (size_t i = 0; (service = next_service(c, &i)) != NULL;)
		if (is_public(service) && (at = nlb_of(service)) != NULL && c->w->config_seen && most < NLB_MS)
			found(c, rule, at, NULL, "lame-duck ends after %s", seconds_text(most).text);
}

/* Does it lead to a Service of that name? Of the first backend of each path. */
static bool is_ingress_for(const struct yaml_node *object, struct span service)
{
	const struct yaml_node *r = yaml_items(yaml_at(object, "spec.rules"));

	if (!yaml_is(yaml_child(object, "kind"), "Ingress") || service.n == 0)
		return false;
	if (span_eq(yaml_text(yaml_at(object, "spec.defaultBackend.service.name")), service))
		return true;
	for (; r != NULL; r = r->next)
		for (const struct yaml_node *p = yaml_items(yaml_at(r, "http.paths")); p != NULL; p = p->next)
			if (span_eq(yaml_text(yaml_at(p, "backend.service.name")), service))
				return true;
	return false;
}

/* An annotation of each Ingress in front of it: one of ingress-nginx, the controller that most have. */
static void each_annotation(
        struct check *c, const struct rule *rule, const char *name, bool (*is_wrong)(const struct yaml_node *value))
{
	const struct yaml_node *service, *at;

	for (size_t i = 0; (service = next_service(c, &i)) != NULL;)
		for (size_t n = 0; n < c->all->count; n++)
			if (is_ingress_for(c->all->items[n], yaml_text(yaml_at(service, "metadata.name"))) &&
			        is_wrong(at = yaml_child(yaml_at(c->all->items[n], "metadata.annotations"), name)))
				found(c, rule, at, NULL, "%.*s", SPAN_ARG(span_cut(yaml_text(at), 20)));
}

static bool is_on(const struct yaml_node *value)
{
	return yaml_is(value, "on");
}

static void buffered(struct check *c, const struct rule *rule)
{
	each_annotation(c, rule, "nginx.ingress.kubernetes.io/proxy-buffering", is_on);
}

static bool is_short(const struct yaml_node *value)
{
	struct span text = yaml_text(value);
	uint64_t seconds;

	return text.n > 0 && span_to_u64(text, UINT32_MAX, &seconds) && seconds <= COMMENT_S;
}

static void impatient(struct check *c, const struct rule *rule)
{
	each_annotation(c, rule, "nginx.ingress.kubernetes.io/proxy-read-timeout", is_short);
}

const struct rule service_rules[] = {
	{ "publish-not-ready", SEVERITY_WARNING, not_ready,
	        "Pods get traffic before they are ready, and go on getting it until they are gone.",
	        "publishNotReadyAddresses: false, or nothing" },
	{ "service-port", SEVERITY_ERROR, lost_port, "Nobody listens at that port of the pods.",
	        "targetPort: http, with {name: http, containerPort: 8080} among the container's ports" },
	{ "service-admin", SEVERITY_WARNING, admin_in_public,
	        "Who can reach the admin port can drain the pods and read what they do.",
	        "a Service of type ClusterIP for the admin port, or none" },
	{ "slow-balancer", SEVERITY_WARNING, slow_balancer,
	        "A network load balancer sends traffic for two minutes after a pod was taken out, and late requests get 503.",
	        "lameDuck.min 130s, lameDuck.max 150s, and a grace period of 180 s in both places" },
	{ "ingress-buffering", SEVERITY_WARNING, buffered,
	        "Events of a stream reach the client when the buffer is full, not when they happen.",
	        "proxy-buffering: \"off\", or nothing" },
	{ "ingress-timeout", SEVERITY_WARNING, impatient,
	        "The ingress cuts streams that are quiet: Sluice sends a comment every 15 s.",
	        "a proxy-read-timeout well above 15" },
	{ 0 },
};
