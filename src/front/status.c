#include "front/status.h"

#include <stdlib.h>

#include "base/mem.h"
#include "json/write.h"

void status_look(struct status *s, const struct probes *p, uint64_t late_connections)
{
	*s = (struct status){
		.version = p->version,
		.health = probes_health(p),
		.uptime_ms = mono_diff(loop_now(p->loop), p->started),
		.ready = lifecycle_is_ready(p->lifecycle),
		.counts = gateway_counts(p->gw),
		.late_connections = late_connections,
		.calls = mem_alloc(STATUS_ROWS_MAX * sizeof(*s->calls)),
		.sessions = mem_alloc(STATUS_ROWS_MAX * sizeof(*s->sessions)),
	};
	gateway_state(p->gw, &s->state);
	lifecycle_view(p->lifecycle, &s->life);
	s->call_count = gateway_calls(p->gw, s->calls, STATUS_ROWS_MAX);
	s->session_count = gateway_sessions(p->gw, s->sessions, STATUS_ROWS_MAX);
	s->server_count = s->state.configured;
	s->servers = mem_alloc(s->server_count * sizeof(*s->servers));
	for (size_t i = 0; i < s->server_count; i++)
		gateway_server(p->gw, i, &s->servers[i]);
}

void status_clear(struct status *s)
{
	free(s->servers);
	free(s->calls);
	free(s->sessions);
}

uint64_t status_ended(const struct server_counts *c)
{
	uint64_t n = 0;

	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		n += c->ended[why];
	return n;
}

static void put_count(struct json_writer *w, const char *key, uint64_t n)
{
	json_member_int(w, key, (int64_t)n);
}

static void put_optional(struct json_writer *w, const char *key, const char *text)
{
	if (text != NULL)
		json_member_text(w, key, span_of(text));
}

static void put_server(struct json_writer *w, const struct server_view *v)
{
	json_open(w, '{');
	json_member_text(w, "name", span_of(v->name));
	json_member_text(w, "state", span_of(backend_state_name(v->stats.state)));
	json_member_int(w, "state_ms", v->state_ms);
	json_member_text(w, "startup", span_of(v->startup));
	put_optional(w, "transport", v->transport);
	json_member_int(w, "pid", v->stats.pid);
	json_member_int(w, "processes", v->stats.processes);
	json_member_int(w, "in_flight", v->stats.in_flight);
	put_count(w, "calls", status_ended(v->counts));
	put_count(w, "errors", v->counts->ended[END_SERVER_ERROR]);
	put_count(w, "cut", v->counts->not_sent + v->counts->unknown);
	put_count(w, "starts", v->stats.starts);
	put_count(w, "restarts", v->stats.restarts);
	json_member_int(w, "failures", v->stats.failures);
	put_optional(w, "last_error", v->stats.last_error);
	json_close(w, '}');
}

static void put_counts(struct json_writer *w, const struct ledger_counts *c)
{
	json_key(w, "calls");
	json_open(w, '{');
	put_count(w, "accepted", c->accepted);
	put_count(w, "refused", c->refused);
	put_count(w, "not_sent", c->not_sent);
	put_count(w, "unknown", c->unknown);
	json_key(w, "ended");
	json_open(w, '{');
	for (enum end_reason why = 0; why < END_REASON_COUNT; why++)
		put_count(w, end_reason_name(why), c->ended[why]);
	json_close(w, '}');
	json_close(w, '}');
}

static const char *span_state(const struct timeline_span *s)
{
	return s->over ? "over" : s->begun ? "now" : "planned";
}

static void put_timeline(struct json_writer *w, const struct lifecycle_view *life)
{
	const struct timeline *t = &life->timeline;

	json_key(w, "shutdown");
	json_open(w, '{');
	json_member_bool(w, "begun", t->begun);
	put_optional(w, "reason", life->reason);
	if (t->begun)
		json_member_int(w, "elapsed_ms", t->elapsed_ms);
	json_member_int(w, "end_ms", t->end_ms);
	json_member_int(w, "killed_ms", t->killed_ms);
	json_key(w, "phases");
	json_open(w, '[');
	for (enum timeline_step i = 0; i < TIMELINE_STEP_COUNT; i++) {
		json_open(w, '{');
		json_member_text(w, "phase", span_of(timeline_step_name(i)));
		json_member_int(w, "from_ms", t->spans[i].from_ms);
		json_member_int(w, "to_ms", t->spans[i].to_ms);
		json_member_text(w, "state", span_of(span_state(&t->spans[i])));
		json_close(w, '}');
	}
	json_close(w, ']');
	json_close(w, '}');
}

static void put_call(struct json_writer *w, const struct call_view *v)
{
	json_open(w, '{');
	json_member_text(w, "method", span_of(v->method));
	json_member_text(w, "name", span_of(v->name));
	put_optional(w, "backend", v->server);
	json_member_text(w, "client", span_of(v->client));
	json_member_int(w, "age_ms", v->age_ms);
	json_close(w, '}');
}

static void put_session(struct json_writer *w, const struct session_view *v)
{
	json_open(w, '{');
	json_member_text(w, "client", span_of(v->client));
	json_member_text(w, "client_version", span_of(v->client_version));
	json_member_text(w, "revision", v->revision);
	json_member_int(w, "calls", v->calls);
	json_member_int(w, "streams", v->streams);
	json_member_int(w, "unused_ms", v->unused_ms);
	json_close(w, '}');
}

static void put_lists(struct json_writer *w, const struct status *s)
{
	json_key(w, "backends");
	json_open(w, '[');
	for (size_t i = 0; i < s->server_count; i++)
		put_server(w, &s->servers[i]);
	json_close(w, ']');
	json_key(w, "calls_in_flight");
	json_open(w, '[');
	for (size_t i = 0; i < s->call_count; i++)
		put_call(w, &s->calls[i]);
	json_close(w, ']');
	json_key(w, "session_list");
	json_open(w, '[');
	for (size_t i = 0; i < s->session_count; i++)
		put_session(w, &s->sessions[i]);
	json_close(w, ']');
}

void status_put_json(const struct status *s, struct buf *out)
{
	struct json_writer w = json_writer(out);

	json_open(&w, '{');
	json_member_text(&w, "version", span_of(s->version));
	json_member_text(&w, "status", span_of(s->health));
	json_member_text(&w, "phase", span_of(s->life.phase));
	json_member_int(&w, "phase_ms", s->life.phase_ms);
	json_member_bool(&w, "ready", s->ready);
	json_member_int(&w, "uptime_ms", s->uptime_ms);
	json_member_int(&w, "sessions", s->state.sessions);
	json_member_int(&w, "in_flight", s->state.in_flight);
	json_member_int(&w, "parked", s->state.parked);
	json_member_int(&w, "streams", s->state.streams);
	json_member_int(&w, "listens", s->state.listens);
	put_count(&w, "late_connections", s->late_connections);
	put_counts(&w, s->counts);
	put_timeline(&w, &s->life);
	put_lists(&w, s);
	json_close(&w, '}');
	buf_add_char(out, '\n');
}

static bool contains(struct span text, struct span word)
{
	for (size_t i = 0; i + word.n <= text.n; i++)
		if (span_same_nocase(span_cut(span_skip(text, i), word.n), word))
			return true;
	return false;
}

bool status_wants_page(const struct request_head *head)
{
	struct span accept = head_get(head, SPAN("accept"));

	return contains(accept, SPAN("text/html")) && !contains(accept, SPAN("application/json"));
}
