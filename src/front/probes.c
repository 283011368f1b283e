#include "front/probes.h"

#include "front/respond.h"
#include "json/write.h"

#define ALLOW SPAN("GET, HEAD")
#define TYPE_TEXT "text/plain; charset=utf-8"

static void answer(struct http_exchange *ex, const struct http_request *req, bool good, struct span body)
{
	respond(ex, req, good ? 200 : 503, TYPE_TEXT, body);
}

static void answer_live(const struct probes *p, struct http_exchange *ex, const struct http_request *req)
{
	(void)p;
	answer(ex, req, true, SPAN("ok\n"));
}

static void answer_started(const struct probes *p, struct http_exchange *ex, const struct http_request *req)
{
	struct buf body = { 0 };

	if (lifecycle_is_started(p->lifecycle))
		buf_add(&body, SPAN("ok\n"));
	else
		gateway_missing(p->gw, &body);
	answer(ex, req, lifecycle_is_started(p->lifecycle), buf_span(&body));
	buf_free(&body);
}

/* The first line of a /readyz that is not 200. */
static struct span why_not_ready(const struct probes *p)
{
	enum phase phase = lifecycle_phase(p->lifecycle);

	return phase == PHASE_READY ? SPAN("lost a required server") : span_of(phase_name(phase));
}

static void answer_ready(const struct probes *p, struct http_exchange *ex, const struct http_request *req)
{
	bool ready = lifecycle_is_ready(p->lifecycle);
	struct buf body = { 0 };

	buf_add(&body, ready ? SPAN("ok") : why_not_ready(p));
	buf_add_char(&body, '\n');
	if (!ready)
		gateway_missing(p->gw, &body);
	answer(ex, req, ready, buf_span(&body));
	buf_free(&body);
}

const char *probes_health(const struct probes *p)
{
	struct gateway_state state;

	if (!lifecycle_is_started(p->lifecycle) && lifecycle_phase(p->lifecycle) == PHASE_STARTING)
		return "starting";
	if (lifecycle_phase(p->lifecycle) != PHASE_READY)
		return "draining";
	gateway_state(p->gw, &state);
	return state.lost_required || gateway_is_degraded(p->gw) ? "degraded" : "ok";
}

static void answer_health(const struct probes *p, struct http_exchange *ex, const struct http_request *req)
{
	struct gateway_state state;
	struct buf body = { 0 };
	struct json_writer w = json_writer(&body);

	gateway_state(p->gw, &state);
	json_open(&w, '{');
	json_member_text(&w, "status", span_of(probes_health(p)));
	json_member_text(&w, "phase", span_of(phase_name(lifecycle_phase(p->lifecycle))));
	json_member_int(&w, "backends_configured", state.configured);
	json_member_int(&w, "backends_connected", state.connected);
	json_member_int(&w, "active_clients", state.sessions);
	json_member_int(&w, "tools", (int64_t)catalog_count(gateway_catalog(p->gw), SCOPE_ALL, LIST_TOOLS));
	json_member_int(&w, "in_flight", state.in_flight);
	json_member_text(&w, "version", span_of(p->version));
	json_close(&w, '}');
	buf_add_char(&body, '\n');
	respond(ex, req, lifecycle_is_ready(p->lifecycle) ? 200 : 503, "application/json", buf_span(&body));
	buf_free(&body);
}

static const struct probe {
	const char *path;
	void (*answer)(const struct probes *p, struct http_exchange *ex, const struct http_request *req);
} table[] = {
	{ "/livez", answer_live },
	{ "/readyz", answer_ready },
	{ "/startupz", answer_started },
	{ "/health", answer_health },
};

static const struct probe *find(struct span path)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (span_eq(path, span_of(table[i].path)))
			return &table[i];
	return NULL;
}

bool probes_is_path(struct span path)
{
	return find(path) != NULL;
}

bool probes_is_probe(const struct request_head *head)
{
	static const char *const agents[] = { "kube-probe/", "ELB-HealthChecker", "GoogleHC" };
	struct span agent = head_get(head, SPAN("user-agent"));

	for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
		if (span_starts(agent, span_of(agents[i])))
			return true;
	return probes_is_path(head->path);
}

void probes_request(const struct probes *p, struct http_exchange *ex, const struct http_request *req)
{
	struct span method = req->head->method;

	if (span_eq(method, SPAN("GET")) || span_eq(method, SPAN("HEAD")))
		find(req->head->path)->answer(p, ex, req);
	else
		respond_not_allowed(ex, req, ALLOW);
}
