#include "front/metrics.h"

#include <signal.h>
#include <stdlib.h>

#include "base/mem.h"
#include "front/metrics_text.h"
#include "loop/usage.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define PORTS 2

/* All counts at one moment. */
struct snapshot {
	struct gateway_state state;
	bool degraded;
	const struct ledger_counts *calls;
	const struct loop_stats *loop;
	struct usage usage;
	struct process_facts facts;
	struct server_view *servers;
	size_t server_count;
	struct http_server_stats ports[PORTS]; /* main, admin */
	uint64_t log_dropped;
	const struct metrics_source *from;
};

/* ---- metrics of one value: type, unit, name, help, value ---- */

/* clang-format off */
#define SINGLE_METRICS(X) \
	X(GAUGE,   sample,  "sluice_degraded", "1 while a server that is not lazy was tried and is not up.", s->degraded) \
	X(GAUGE,   sample,  "sluice_calls_in_flight", "Calls accepted and not ended.", s->state.in_flight) \
	X(GAUGE,   sample,  "sluice_calls_in_flight_limit", "Calls in flight beyond which others are refused.", s->from->max_in_flight) \
	X(GAUGE,   sample,  "sluice_calls_parked", "Calls at servers whose clients are to come back with what the server asks.", s->state.parked) \
	X(COUNTER, sample,  "sluice_calls_accepted_total", "Calls that were accepted; each ends once.", s->calls->accepted) \
	X(GAUGE,   sample,  "sluice_sessions", "Client sessions in memory.", s->state.sessions) \
	X(GAUGE,   sample,  "sluice_sessions_limit", "Sessions beyond which the memory of unused ones goes.", s->from->max_sessions) \
	X(GAUGE,   sample,  "sluice_streams", "Streams of legacy clients for what belongs to no call.", s->state.streams) \
	X(GAUGE,   sample,  "sluice_listens", "Streams of modern clients for what belongs to no call (subscriptions/listen).", s->state.listens) \
	X(COUNTER, sample,  "sluice_listens_opened_total", "subscriptions/listen requests that were accepted.", s->calls->listens) \
	X(COUNTER, sample,  "sluice_messages_dropped_total", "Progress, log and other messages that reached no client: nobody wanted them, or the reader was too slow.", s->calls->dropped_messages) \
	X(COUNTER, sample,  "sluice_server_requests_delivered_total", "Requests of servers that were shown to a client.", s->calls->asks.delivered) \
	X(COUNTER, sample,  "sluice_server_requests_refused_total", "Requests of servers that no client could be asked.", s->calls->asks.refused) \
	X(COUNTER, sample,  "sluice_server_requests_answered_total", "Requests of servers that a client has answered.", s->calls->asks.answered) \
	X(COUNTER, sample,  "sluice_stray_answers_total", "Answers of clients to nothing that they were asked.", s->calls->asks.stray_answers) \
	X(GAUGE,   sample,  "sluice_backends_configured", "Servers in the configuration.", s->state.configured) \
	X(GAUGE,   sample,  "sluice_backends_connected", "Servers that are up.", s->state.connected) \
	X(GAUGE,   sample,  "sluice_config_last_reload_successful", "0 when the configuration that was read last is refused, and an older one in force.", !s->calls->reload_refused) \
	X(COUNTER, sample,  "sluice_late_connections_total", "Connections to the main port accepted in lame-duck and after it.", s->ports[0].late_connections) \
	X(GAUGE,   sample,  "sluice_connections_limit", "Connections to a port beyond which others are refused.", s->from->max_connections) \
	X(GAUGE,   sample,  "sluice_buffered_bytes_limit", "Waiting bytes of a port beyond which requests are refused.", s->from->max_buffered_bytes) \
	X(GAUGE,   sample,  "sluice_replay_bytes", "Events of streams that are kept for clients whose connection breaks.", s->from->replay_bytes) \
	X(GAUGE,   sample,  "sluice_replay_bytes_limit", "Bytes of such events beyond which the oldest go.", s->from->max_replay_bytes) \
	X(GAUGE,   sample,  "sluice_child_processes", "Processes of servers that run.", s->facts.processes) \
	X(COUNTER, sample,  "sluice_child_processes_started_total", "Processes of servers that were started.", s->facts.started) \
	X(COUNTER, sample,  "sluice_orphans_reaped_total", "Processes that servers had left behind, and that have ended.", s->facts.orphans_reaped) \
	X(GAUGE,   sample,  "sluice_http_client_requests_waiting", "Requests to servers that wait for a connection.", s->facts.http.waiting) \
	X(COUNTER, sample,  "sluice_http_client_connections_opened_total", "Connections to servers that were opened.", s->facts.http.opened) \
	X(COUNTER, sample,  "sluice_http_client_connections_reused_total", "Requests to servers on a connection that was there.", s->facts.http.reused) \
	X(COUNTER, sample,  "sluice_http_client_requests_total", "Requests to servers.", s->facts.http.fetches) \
	X(COUNTER, sample,  "sluice_http_client_retries_total", "Requests to servers sent again, because a kept connection had ended.", s->facts.http.retried) \
	X(COUNTER, sample,  "sluice_loop_stalls_total", "Callbacks that held up all others for more than 250 ms.", s->loop->stalls) \
	X(COUNTER, sample,  "sluice_log_dropped_lines_total", "Log lines lost because nobody read them in time.", s->log_dropped) \
	X(GAUGE,   seconds, "process_start_time_seconds", "When the process began, in seconds since 1970.", s->from->started_ms) \
	X(COUNTER, seconds, "process_cpu_seconds_total", "Processor time of user and system, of this process alone.", s->usage.cpu_ms) \
	X(GAUGE,   sample,  "process_resident_memory_bytes", "Memory in use, of this process alone.", s->usage.resident_bytes) \
	X(GAUGE,   sample,  "process_virtual_memory_bytes", "Address space.", s->usage.virtual_bytes) \
	X(GAUGE,   sample,  "process_open_fds", "Open descriptors.", s->usage.open_fds) \
	X(GAUGE,   sample,  "process_max_fds", "Descriptors that may be open.", s->usage.max_fds) \
	X(GAUGE,   sample,  "process_threads", "Threads; one of them serves, the others wait for disks and names.", s->usage.threads)

/* ---- of each server: type, name, help, value ---- */
#define SERVER_METRICS(X) \
	X(GAUGE,   "sluice_backend_calls_in_flight", "Calls that a server has, or that wait for it.", v->stats.in_flight) \
	X(GAUGE,   "sluice_backend_processes", "Processes of a server, or sessions at it.", v->stats.processes) \
	X(GAUGE,   "sluice_backend_failed_starts", "Starts that failed in a row; from 5 on calls fail at once.", v->stats.failures) \
	X(COUNTER, "sluice_backend_starts_total", "Starts.", v->stats.starts) \
	X(COUNTER, "sluice_backend_restarts_total", "Starts after a death or a failed start.", v->stats.restarts) \
	X(COUNTER, "sluice_backend_messages_dropped_total", "Messages from a server that nobody wanted, and to it that it did not read.", v->stats.dropped) \
	X(COUNTER, "sluice_backend_requests_refused_total", "Requests of a server that no client could be asked.", v->counts->refused_asks)

/* ---- of each port: type, name, help, value ---- */
#define PORT_METRICS(X) \
	X(GAUGE,   "sluice_connections", "Connections open.", p->connections) \
	X(COUNTER, "sluice_connections_accepted_total", "Connections accepted.", p->accepted) \
	X(COUNTER, "sluice_connections_refused_total", "Connections beyond the limit, or without a descriptor for them.", p->refused) \
	X(COUNTER, "sluice_http_requests_total", "HTTP requests read.", p->requests) \
	X(COUNTER, "sluice_tls_handshake_failures_total", "TLS handshakes that came to nothing.", p->tls_failures) \
	X(GAUGE,   "sluice_buffered_bytes", "Bytes that wait to be handled or to be read.", p->buffered_bytes)
/* clang-format on */

#define BEGIN(type, name, help) metrics_family(out, (name), METRIC_##type, (help))

static void put_singles(struct buf *out, const struct snapshot *s)
{
#define X(type, unit, metric, help, value) \
	BEGIN(type, metric, help);         \
	metrics_##unit(out, (metric), NULL, 0, (value));
	SINGLE_METRICS(X)
#undef X
}

/* A sample with one label. */
static void put_by(struct buf *out, const char *name, const char *label, const char *value, uint64_t n)
{
	const struct metric_label labels[] = { { label, span_of(value) } };

	metrics_sample(out, name, labels, 1, n);
}

static void put_of_servers(struct buf *out, const struct snapshot *s)
{
#define X(type, metric, help, value)                                                                       \
	BEGIN(type, metric, help);                                                                         \
	for (const struct server_view *v = s->servers, *end = s->servers + s->server_count; v != end; v++) \
		put_by(out, (metric), "backend", v->name, (value));
	SERVER_METRICS(X)
#undef X
}

static void put_of_ports(struct buf *out, const struct snapshot *s)
{
	static const char *const names[PORTS] = { "main", "admin" };

#define X(type, metric, help, value)                                                   \
	BEGIN(type, metric, help);                                                     \
	for (const struct http_server_stats *p = s->ports; p != s->ports + PORTS; p++) \
		put_by(out, (metric), "port", names[p - s->ports], (value));
	PORT_METRICS(X)
#undef X
}

/* ---- the others, with labels of their own ---- */

static void put_phases(struct buf *out, const struct snapshot *s)
{
	static const enum phase phases[] = { PHASE_STARTING, PHASE_READY, PHASE_LAME_DUCK, PHASE_DRAINING,
		PHASE_STOPPING_BACKENDS, PHASE_EXITING };
	struct span now = span_of(phase_name(lifecycle_phase(s->from->probes->lifecycle)));

	BEGIN(GAUGE, "sluice_phase", "1 for the phase that the gateway is in.");
	for (size_t i = 0; i < COUNT_OF(phases); i++)
		put_by(out, "sluice_phase", "phase", phase_name(phases[i]),
		        span_eq(span_of(phase_name(phases[i])), now));
}

static void put_call_counts(struct buf *out, const struct snapshot *s)
{
	const struct ledger_counts *c = s->calls;

	BEGIN(COUNTER, "sluice_calls_total", "Calls that ended, by how.");
	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		put_by(out, "sluice_calls_total", "end", end_reason_name(why), c->ended[why]);
	BEGIN(COUNTER, "sluice_calls_cut_total", "Calls that ended without an answer of their server, by outcome.");
	put_by(out, "sluice_calls_cut_total", "outcome", outcome_name(OUTCOME_NOT_SENT), c->not_sent);
	put_by(out, "sluice_calls_cut_total", "outcome", outcome_name(OUTCOME_UNKNOWN), c->unknown);
	BEGIN(COUNTER, "sluice_calls_refused_total", "Requests that were not accepted, by why.");
	put_by(out, "sluice_calls_refused_total", "reason", end_reason_name(END_DRAINING), c->refused - c->overloaded);
	put_by(out, "sluice_calls_refused_total", "reason", end_reason_name(END_OVERLOADED), c->overloaded);
}

static void put_reloads(struct buf *out, const struct snapshot *s)
{
	BEGIN(COUNTER, "sluice_config_reloads_total",
	        "Times that the configuration was read again, by what came of it.");
	for (enum reload_result result = 0; result < RELOAD_RESULT_COUNT; result++)
		put_by(out, "sluice_config_reloads_total", "result", reload_result_name(result),
		        s->calls->reloads[result]);
}

static void put_of_server(struct buf *out, const char *name, const struct server_view *v, const char *label,
        const char *value, uint64_t n)
{
	const struct metric_label labels[] = { { "backend", span_of(v->name) }, { label, span_of(value) } };

	metrics_sample(out, name, labels, 2, n);
}

static void put_server_ends(struct buf *out, const struct snapshot *s)
{
	BEGIN(COUNTER, "sluice_backend_calls_total", "Calls of a server that ended, by how.");
	for (size_t i = 0; i < s->server_count; i++)
		for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
			put_of_server(out, "sluice_backend_calls_total", &s->servers[i], "end", end_reason_name(why),
			        s->servers[i].counts->ended[why]);
	BEGIN(COUNTER, "sluice_backend_calls_cut_total",
	        "Calls that ended without an answer of the server, by outcome.");
	for (size_t i = 0; i < s->server_count; i++) {
		const struct server_view *v = &s->servers[i];
		put_of_server(out, "sluice_backend_calls_cut_total", v, "outcome", outcome_name(OUTCOME_NOT_SENT),
		        v->counts->not_sent);
		put_of_server(out, "sluice_backend_calls_cut_total", v, "outcome", outcome_name(OUTCOME_UNKNOWN),
		        v->counts->unknown);
	}
}

static void put_server_states(struct buf *out, const struct snapshot *s)
{
	BEGIN(GAUGE, "sluice_backend_state", "1 for the state that a server is in.");
	for (size_t i = 0; i < s->server_count; i++)
		for (enum backend_state state = 0; state < BACKEND_STATE_COUNT; state++)
			put_of_server(out, "sluice_backend_state", &s->servers[i], "state", backend_state_name(state),
			        s->servers[i].stats.state == state);
	BEGIN(GAUGE, "sluice_backend_state_duration_seconds", "For how long a server has been in its state.");
	for (size_t i = 0; i < s->server_count; i++) {
		const struct metric_label labels[] = { { "backend", span_of(s->servers[i].name) } };
		metrics_seconds(out, "sluice_backend_state_duration_seconds", labels, 1, s->servers[i].state_ms);
	}
}

static void put_server_times(struct buf *out, const struct snapshot *s)
{
	BEGIN(HISTOGRAM, "sluice_backend_call_duration_seconds", "Calls of a server, from accepted to ended.");
	for (size_t i = 0; i < s->server_count; i++) {
		const struct metric_label labels[] = { { "backend", span_of(s->servers[i].name) } };
		metrics_histogram(
		        out, "sluice_backend_call_duration_seconds", labels, 1, &s->servers[i].counts->call_ms);
	}
	BEGIN(HISTOGRAM, "sluice_backend_start_duration_seconds", "Starts of a server that came to ready.");
	for (size_t i = 0; i < s->server_count; i++) {
		const struct metric_label labels[] = { { "backend", span_of(s->servers[i].name) } };
		metrics_histogram(
		        out, "sluice_backend_start_duration_seconds", labels, 1, &s->servers[i].counts->start_ms);
	}
}

static void put_process_ends(struct buf *out, const struct snapshot *s)
{
	const struct process_facts *f = &s->facts;

	BEGIN(COUNTER, "sluice_child_processes_ended_total",
	        "Processes of servers that ended, by the step of the stop ladder that did it.");
	for (unsigned i = 0; i < f->end_count; i++)
		put_by(out, "sluice_child_processes_ended_total", "step", f->ends[i].step,
		        histogram_count(f->ends[i].took));
	BEGIN(HISTOGRAM, "sluice_backend_stop_duration_seconds",
	        "From asking a process of a server to end to its end, by the step that did it.");
	for (unsigned i = 1; i < f->end_count; i++) {
		const struct metric_label labels[] = { { "step", span_of(f->ends[i].step) } };
		metrics_histogram(out, "sluice_backend_stop_duration_seconds", labels, 1, f->ends[i].took);
	}
}

static void put_http_client(struct buf *out, const struct snapshot *s)
{
	const struct http_client_stats *h = &s->facts.http;

	BEGIN(GAUGE, "sluice_http_client_connections", "Connections to servers.");
	put_by(out, "sluice_http_client_connections", "state", "connecting", h->connecting);
	put_by(out, "sluice_http_client_connections", "state", "idle", h->idle);
	put_by(out, "sluice_http_client_connections", "state", "active", h->connections - h->idle - h->connecting);
}

static void put_loop(struct buf *out, const struct snapshot *s)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = { { "SIGTERM", SIGTERM }, { "SIGINT", SIGINT }, { "SIGQUIT", SIGQUIT }, { "SIGHUP", SIGHUP } };

	BEGIN(COUNTER, "sluice_signals_received_total", "Signals that came.");
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		put_by(out, "sluice_signals_received_total", "signal", signals[i].name,
		        s->loop->signals[signals[i].number]);
	BEGIN(HISTOGRAM, "sluice_loop_lag_seconds", "How much too late timers were, whatever kept the process.");
	metrics_histogram(out, "sluice_loop_lag_seconds", NULL, 0, &s->loop->lag);
	BEGIN(HISTOGRAM, "sluice_loop_turn_duration_seconds",
	        "Turns of the event loop: whoever else is ready waits for it.");
	metrics_histogram(out, "sluice_loop_turn_duration_seconds", NULL, 0, &s->loop->turns);
}

static void put_build(struct buf *out, const struct snapshot *s)
{
	BEGIN(GAUGE, "sluice_build_info", "The version, as a label.");
	put_by(out, "sluice_build_info", "version", s->from->probes->version, 1);
}

/* ---- the whole ---- */

static void look_at_ports(struct snapshot *s)
{
	if (s->from->main != NULL)
		http_server_stats(s->from->main, &s->ports[0]);
	if (s->from->admin != NULL)
		http_server_stats(s->from->admin, &s->ports[1]);
}

static void look(struct snapshot *s, const struct metrics_source *from)
{
	const struct probes *p = from->probes;

	*s = (struct snapshot){
		.from = from,
		.calls = gateway_counts(p->gw),
		.loop = loop_stats(p->loop),
		.log_dropped = p->log != NULL ? log_dropped(p->log) : 0,
	};
	gateway_state(p->gw, &s->state);
	s->degraded = s->state.lost_required || gateway_is_degraded(p->gw);
	s->server_count = s->state.configured;
	s->servers = mem_zalloc(s->server_count * sizeof(*s->servers));
	for (size_t i = 0; i < s->server_count; i++)
		gateway_server(p->gw, i, &s->servers[i]);
	look_at_ports(s);
	usage_read(&s->usage);
	from->facts(from->facts_arg, &s->facts);
}

void metrics_put(const struct metrics_source *from, struct buf *out)
{
	static void (*const parts[])(struct buf * out, const struct snapshot *s) = { put_phases, put_singles,
		put_call_counts, put_of_ports, put_of_servers, put_server_states, put_server_ends, put_server_times,
		put_process_ends, put_http_client, put_reloads, put_loop, put_build };
	struct snapshot s;

	look(&s, from);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		parts[i](out, &s);
	free(s.servers);
}
