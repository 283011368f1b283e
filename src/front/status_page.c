#include "front/status_page.h"

#include "front/status_html.h"

#define AXIS 1000 /* the length of the timeline, in units of the picture */

/* ---- text ---- */

static void put(struct buf *out, const char *html)
{
	buf_add(out, span_of(html));
}

static void put_char(struct buf *out, char c)
{
	switch (c) {
	case '&':
		put(out, "&amp;");
		break;
	case '<':
		put(out, "&lt;");
		break;
	case '>':
		put(out, "&gt;");
		break;
	case '"':
		put(out, "&quot;");
		break;
	case '\'':
		put(out, "&#39;");
		break;
	default:
		buf_add_char(out, c);
	}
}

/* Somebody else's: isolated, so that its direction is its own. */
static void put_text(struct buf *out, struct span text)
{
	put(out, "<bdi>");
	for (size_t i = 0; i < text.n; i++)
		put_char(out, text.p[i]);
	put(out, "</bdi>");
}

/* "350 ms", "2.5 s", "12 min 5 s", "3 h 20 min", "5 d 3 h" */
static void put_duration(struct buf *out, msec_t ms)
{
	const long long s = ms / 1000;

	if (ms <= 0)
		put(out, "0 s");
	else if (ms < 1000)
		buf_printf(out, "%lld ms", (long long)ms);
	else if (s < 60)
		buf_printf(out, "%lld.%lld s", s, (long long)(ms % 1000 / 100));
	else if (s < 3600)
		buf_printf(out, "%lld min %lld s", s / 60, s % 60);
	else if (s < 86400)
		buf_printf(out, "%lld h %lld min", s / 3600, s % 3600 / 60);
	else
		buf_printf(out, "%lld d %lld h", s / 86400, s % 86400 / 3600);
}

static void put_state(struct buf *out, const char *state)
{
	buf_printf(out, "<b class=\"state %s\">%s</b>", state, state);
}

/* ---- table cells ---- */

static void cell(struct buf *out, struct span text)
{
	put(out, "<td>");
	put_text(out, text);
}

static void cell_number(struct buf *out, uint64_t n)
{
	buf_printf(out, "<td class=n>%llu", (unsigned long long)n);
}

static void cell_duration(struct buf *out, msec_t ms)
{
	put(out, "<td class=n>");
	put_duration(out, ms);
}

/* ---- the parts ---- */

static void put_header(struct buf *out, const struct status *s)
{
	put(out, "<header><h1>Sluice</h1>");
	put_state(out, s->life.phase);
	put(out, "<span>for ");
	put_duration(out, s->life.phase_ms);
	put(out, "</span>");
	if (!span_eq(span_of(s->health), span_of(s->life.phase)))
		buf_printf(out, "<span class=\"%s\">%s</span>", s->health, s->health);
	put(out, "<span>up ");
	put_duration(out, s->uptime_ms);
	buf_printf(out, "</span><span>version %s</span></header>", s->version);
}

static void put_figure(struct buf *out, const char *name, uint64_t n)
{
	buf_printf(out, "<div><dt>%s<dd>%llu</div>", name, (unsigned long long)n);
}

static void put_figures(struct buf *out, const struct status *s)
{
	put(out, "<section><dl>");
	put_figure(out, "sessions", s->state.sessions);
	put_figure(out, "streams", s->state.streams + s->state.listens);
	put_figure(out, "calls in flight", s->state.in_flight + s->state.parked);
	put_figure(out, "calls accepted", s->counts->accepted);
	put_figure(out, "refused", s->counts->refused);
	put_figure(out, "cut, not sent", s->counts->not_sent);
	put_figure(out, "cut, unknown", s->counts->unknown);
	put_figure(out, "late connections", s->late_connections);
	put(out, "</dl></section>");
}

static long long at_axis(const struct timeline *t, msec_t ms)
{
	return t->killed_ms > 0 ? (long long)(ms < t->killed_ms ? ms : t->killed_ms) * AXIS / t->killed_ms : 0;
}

/* What is to come is pale. */
static void put_bar(struct buf *out, const struct timeline *t, enum timeline_step step)
{
	const struct timeline_span *s = &t->spans[step];
	long long from = at_axis(t, s->from_ms), to = at_axis(t, s->to_ms);

	if (to > from)
		buf_printf(out, "<rect class=\"fill-%s%s\" x=\"%lld\" y=\"4\" width=\"%lld\" height=\"26\"/>",
		        timeline_step_name(step), t->begun && !s->begun ? " planned" : "", from, to - from);
}

static void put_mark(struct buf *out, const struct timeline *t, msec_t ms)
{
	long long x = at_axis(t, ms);

	buf_printf(out, "<text x=\"%lld\" y=\"45\" text-anchor=\"%s\">", x,
	        x == 0      ? "start"
	        : x == AXIS ? "end"
	                    : "middle");
	put_duration(out, ms);
	put(out, "</text>");
}

static void put_picture(struct buf *out, const struct timeline *t)
{
	buf_printf(out, "<svg viewBox=\"0 0 %d 50\" role=\"img\" aria-label=\"the phases of a stop\">", AXIS);
	for (enum timeline_step i = 0; i < TIMELINE_STEP_COUNT; i++)
		put_bar(out, t, i);
	put_mark(out, t, 0);
	put_mark(out, t, t->end_ms);
	put_mark(out, t, t->killed_ms);
	if (t->begun)
		buf_printf(out, "<line x1=\"%lld\" x2=\"%lld\" y1=\"0\" y2=\"34\"/>", at_axis(t, t->elapsed_ms),
		        at_axis(t, t->elapsed_ms));
	put(out, "</svg>");
}

static void put_legend(struct buf *out, const struct timeline *t)
{
	put(out, "<ul>");
	for (enum timeline_step i = 0; i < TIMELINE_STEP_COUNT; i++) {
		const struct timeline_span *s = &t->spans[i];
		const char *name = timeline_step_name(i);
		buf_printf(out, "<li%s><i class=\"fill-%s\"></i>%s <span class=soft>",
		        s->begun && !s->over ? " class=now" : "", name, name);
		put_duration(out, s->from_ms);
		put(out, " to ");
		put_duration(out, s->to_ms);
		put(out, s->begun && !s->over ? " at the latest" : "");
		put(out, "</span>");
	}
	put(out, "</ul>");
}

static void put_timeline(struct buf *out, const struct status *s)
{
	const struct timeline *t = &s->life.timeline;

	put(out, "<section><h2>");
	if (!t->begun) {
		put(out, "A stop, if it began now <small>each phase at its longest</small>");
	} else {
		buf_printf(out, "Stopping since %s, ", s->life.reason != NULL ? s->life.reason : "the preStop hook");
		put_duration(out, t->elapsed_ms);
		put(out, " ago <small>gone in ");
		put_duration(out, t->end_ms - t->elapsed_ms);
		put(out, " at the latest, SIGKILL in ");
		put_duration(out, t->killed_ms - t->elapsed_ms);
		put(out, "</small>");
	}
	put(out, "</h2>");
	put_picture(out, t);
	put_legend(out, t);
	put(out, "</section>");
}

static void put_server(struct buf *out, const struct server_view *v)
{
	const char *state = backend_state_name(v->stats.state);

	put(out, "<tr>");
	cell(out, span_of(v->name));
	buf_printf(out, "<div class=why>%s%s%s</div><td>", v->startup, v->transport != NULL ? ", " : "",
	        v->transport != NULL ? v->transport : "");
	put_state(out, state);
	cell_duration(out, v->state_ms);
	cell_number(out, v->stats.in_flight);
	cell_number(out, status_ended(v->counts));
	cell_number(out, v->counts->ended[END_SERVER_ERROR]);
	cell_number(out, v->counts->not_sent + v->counts->unknown);
	cell_number(out, v->stats.restarts);
	put(out, "<td class=why>");
	put_text(out, span_of(v->stats.last_error));
}

static void put_servers(struct buf *out, const struct status *s)
{
	buf_printf(
	        out, "<section><h2>Servers <small>%u of %u up</small></h2>", s->state.connected, s->state.configured);
	if (s->server_count > 0)
		put(out, "<table><tr><th>server<th>state<th class=n>since<th class=n>in flight<th class=n>calls"
		         "<th class=n>errors<th class=n>cut<th class=n>restarts<th>last error");
	for (size_t i = 0; i < s->server_count; i++)
		put_server(out, &s->servers[i]);
	put(out, s->server_count > 0 ? "</table></section>" : "</section>");
}

/* "12", or "100 of 230" */
static void put_shown(struct buf *out, size_t shown, size_t all)
{
	if (shown < all)
		buf_printf(out, "<small>%zu of ", shown);
	else
		put(out, "<small>");
	buf_printf(out, "%zu</small></h2>", all);
}

static void put_call(struct buf *out, const struct call_view *v)
{
	put(out, "<tr>");
	cell(out, span_of(v->name[0] != '\0' ? v->name : v->method));
	cell(out, span_of(v->server));
	cell(out, span_of(v->client));
	cell_duration(out, v->age_ms);
}

static void put_calls(struct buf *out, const struct status *s)
{
	put(out, "<section><h2>Calls in flight ");
	put_shown(out, s->call_count, s->state.in_flight);
	if (s->call_count > 0)
		put(out, "<table><tr><th>tool<th>server<th>client<th class=n>age");
	for (size_t i = 0; i < s->call_count; i++)
		put_call(out, &s->calls[i]);
	put(out, s->call_count > 0 ? "</table></section>" : "</section>");
}

static void put_session(struct buf *out, const struct session_view *v)
{
	put(out, "<tr>");
	cell(out, span_of(v->client));
	cell(out, span_of(v->client_version));
	cell(out, v->revision);
	cell_number(out, v->calls);
	cell_number(out, v->streams);
	cell_duration(out, v->unused_ms);
}

static void put_sessions(struct buf *out, const struct status *s)
{
	put(out, "<section><h2>Sessions ");
	put_shown(out, s->session_count, s->state.sessions);
	if (s->session_count > 0)
		put(out, "<table><tr><th>client<th>version<th>revision<th class=n>calls<th class=n>streams"
		         "<th class=n>last used, ago");
	for (size_t i = 0; i < s->session_count; i++)
		put_session(out, &s->sessions[i]);
	put(out, s->session_count > 0 ? "</table></section>" : "</section>");
}

void status_page_put(const struct status *s, struct buf *out)
{
	put(out, status_html_head);
	buf_printf(out, "%s · sluice", s->life.phase);
	put(out, status_html_middle);
	put(out, "<main>");
	put_header(out, s);
	put_figures(out, s);
	put_timeline(out, s);
	put_servers(out, s);
	put_calls(out, s);
	put_sessions(out, s);
	put(out, "</main>");
	put(out, status_html_tail);
}
