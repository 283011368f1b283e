#include "front/admin.h"

#include "front/respond.h"
#include "json/write.h"

#define ALLOW SPAN("GET")

static void put_backend(struct json_writer *w, const struct gateway *gw, size_t i)
{
	const struct backend *b = gateway_backend(gw, i);
	struct backend_stats s;

	b->ops->stats(b, &s);
	json_open(w, '{');
	json_member_text(w, "name", span_of(b->conf->name));
	json_member_text(w, "state", span_of(backend_state_name(s.state)));
	json_member_int(w, "pid", s.pid);
	json_member_int(w, "processes", s.processes);
	json_member_int(w, "in_flight", s.in_flight);
	json_member_int(w, "starts", (int64_t)s.starts);
	json_member_int(w, "restarts", (int64_t)s.restarts);
	json_member_int(w, "failures", s.failures);
	if (s.last_error != NULL)
		json_member_text(w, "last_error", span_of(s.last_error));
	json_close(w, '}');
}

static void put_calls(struct json_writer *w, const struct ledger_counts *c)
{
	json_key(w, "calls");
	json_open(w, '{');
	json_member_int(w, "accepted", (int64_t)c->accepted);
	json_member_int(w, "refused", (int64_t)c->refused);
	json_member_int(w, "not_sent", (int64_t)c->not_sent);
	json_member_int(w, "unknown", (int64_t)c->unknown);
	json_key(w, "ended");
	json_open(w, '{');
	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		json_member_int(w, end_reason_name(why), (int64_t)c->ended[why]);
	json_close(w, '}');
	json_close(w, '}');
}

static void answer_status(const struct probes *p, struct http_exchange *ex, const struct http_request *req)
{
	struct gateway_state state;
	struct buf body = { 0 };
	struct json_writer w = json_writer(&body);

	gateway_state(p->gw, &state);
	json_open(&w, '{');
	json_member_text(&w, "version", span_of(p->version));
	json_member_text(&w, "status", span_of(probes_health(p)));
	json_member_text(&w, "phase", span_of(phase_name(lifecycle_phase(p->lifecycle))));
	json_member_bool(&w, "ready", lifecycle_is_ready(p->lifecycle));
	json_member_int(&w, "sessions", state.sessions);
	json_member_int(&w, "in_flight", state.in_flight);
	put_calls(&w, gateway_counts(p->gw));
	json_key(&w, "backends");
	json_open(&w, '[');
	for (size_t i = 0; i < state.configured; i++)
		put_backend(&w, p->gw, i);
	json_close(&w, ']');
	json_close(&w, '}');
	buf_add_char(&body, '\n');
	respond(ex, req, 200, "application/json", buf_span(&body));
	buf_free(&body);
}

static void put_metric(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP sluice_%s %s\n# TYPE sluice_%s %s\n", name, help, name, type);
}

static void put_phases(struct buf *out, enum phase now)
{
	static const char *const names[] = { "starting", "ready", "lame_duck", "draining", "stopping_backends",
		"exiting" };

	put_metric(out, "phase", "gauge", "1 for the phase that the gateway is in.");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		buf_printf(out, "sluice_phase{phase=\"%s\"} %d\n", names[i],
		        span_eq(span_of(names[i]), span_of(phase_name(now))));
}

static void put_gauges(struct buf *out, const struct gateway *gw, const struct gateway_state *s)
{
	put_metric(out, "calls_in_flight", "gauge", "Calls accepted and not ended.");
	buf_printf(out, "sluice_calls_in_flight %u\n", s->in_flight);
	put_metric(out, "sessions", "gauge", "Client sessions in memory.");
	buf_printf(out, "sluice_sessions %u\n", s->sessions);
	put_metric(out, "backends_connected", "gauge", "Servers that are up.");
	buf_printf(out, "sluice_backends_connected %u\n", s->connected);
	put_metric(out, "degraded", "gauge", "1 while a server that is not lazy was tried and is not up.");
	buf_printf(out, "sluice_degraded %d\n", s->lost_required || gateway_is_degraded(gw));
}

static void put_call_counts(struct buf *out, const struct ledger_counts *c)
{
	put_metric(out, "calls_accepted_total", "counter", "Calls that were accepted; each ends once.");
	buf_printf(out, "sluice_calls_accepted_total %llu\n", (unsigned long long)c->accepted);
	put_metric(out, "calls_total", "counter", "Calls that ended, by how.");
	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		buf_printf(out, "sluice_calls_total{end=\"%s\"} %llu\n", end_reason_name(why),
		        (unsigned long long)c->ended[why]);
	put_metric(
	        out, "calls_cut_total", "counter", "Calls that ended without an answer of their server, by outcome.");
	buf_printf(out, "sluice_calls_cut_total{outcome=\"%s\"} %llu\n", outcome_name(OUTCOME_NOT_SENT),
	        (unsigned long long)c->not_sent);
	buf_printf(out, "sluice_calls_cut_total{outcome=\"%s\"} %llu\n", outcome_name(OUTCOME_UNKNOWN),
	        (unsigned long long)c->unknown);
	put_metric(out, "calls_refused_total", "counter", "Requests that were not accepted.");
	buf_printf(out, "sluice_calls_refused_total %llu\n", (unsigned long long)c->refused);
}

static void put_total(struct buf *out, const char *name, const char *help, uint64_t value)
{
	put_metric(out, name, "counter", help);
	buf_printf(out, "sluice_%s %llu\n", name, (unsigned long long)value);
}

static void put_asks(struct buf *out, const struct ask_counts *c)
{
	put_total(out, "server_requests_delivered_total", "Requests of servers that were shown to a client.",
	        c->delivered);
	put_total(
	        out, "server_requests_refused_total", "Requests of servers that no client could be asked.", c->refused);
	put_total(
	        out, "server_requests_answered_total", "Requests of servers that a client has answered.", c->answered);
	put_total(out, "stray_answers_total", "Answers of clients to nothing that they were asked.", c->stray_answers);
}

static void put_reloads(struct buf *out, const struct ledger_counts *c)
{
	put_metric(out, "config_reloads_total", "counter",
	        "Times that the configuration was read again, by what came of it.");
	for (enum reload_result result = 0; result < RELOAD_RESULT_COUNT; result++)
		buf_printf(out, "sluice_config_reloads_total{result=\"%s\"} %llu\n", reload_result_name(result),
		        (unsigned long long)c->reloads[result]);
}

static void put_backends(struct buf *out, const struct gateway *gw, size_t n)
{
	put_metric(out, "backend_restarts_total", "counter", "Starts after a death or a failed start.");
	for (size_t i = 0; i < n; i++) {
		const struct backend *b = gateway_backend(gw, i);
		struct backend_stats s;
		b->ops->stats(b, &s);
		buf_printf(out, "sluice_backend_restarts_total{backend=\"%s\"} %llu\n", b->conf->name,
		        (unsigned long long)s.restarts);
	}
}

/* What goes wrong in ourselves. */
static void put_process(struct buf *out, const struct probes *p)
{
	put_metric(out, "loop_stalls_total", "counter", "Callbacks that held up all others for more than 250 ms.");
	buf_printf(out, "sluice_loop_stalls_total %llu\n", (unsigned long long)loop_stalls(p->loop));
	put_metric(out, "log_dropped_lines_total", "counter", "Log lines lost because nobody read them in time.");
	buf_printf(out, "sluice_log_dropped_lines_total %llu\n",
	        p->log != NULL ? (unsigned long long)log_dropped(p->log) : 0);
}

static void answer_metrics(
        const struct probes *p, uint64_t late_connections, struct http_exchange *ex, const struct http_request *req)
{
	struct gateway_state state;
	struct buf body = { 0 };

	gateway_state(p->gw, &state);
	put_phases(&body, lifecycle_phase(p->lifecycle));
	put_gauges(&body, p->gw, &state);
	put_call_counts(&body, gateway_counts(p->gw));
	put_metric(&body, "late_connections_total", "counter", "Connections accepted in lame-duck and after it.");
	buf_printf(&body, "sluice_late_connections_total %llu\n", (unsigned long long)late_connections);
	put_asks(&body, &gateway_counts(p->gw)->asks);
	put_reloads(&body, gateway_counts(p->gw));
	put_backends(&body, p->gw, state.configured);
	put_process(&body, p);
	put_metric(&body, "build_info", "gauge", "The version, as a label.");
	buf_printf(&body, "sluice_build_info{version=\"%s\"} 1\n", p->version);
	respond(ex, req, 200, "text/plain; version=0.0.4; charset=utf-8", buf_span(&body));
	buf_free(&body);
}

bool admin_is_path(struct span path)
{
	return span_eq(path, SPAN("/status")) || span_eq(path, SPAN("/metrics"));
}

void admin_request(
        const struct probes *p, uint64_t late_connections, struct http_exchange *ex, const struct http_request *req)
{
	if (!span_eq(req->head->method, SPAN("GET")))
		respond_not_allowed(ex, req, ALLOW);
	else if (span_eq(req->head->path, SPAN("/status")))
		answer_status(p, ex, req);
	else
		answer_metrics(p, late_connections, ex, req);
}
