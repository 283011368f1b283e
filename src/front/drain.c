#include "front/drain.h"

#include <stdlib.h>

#include "base/duration.h"
#include "base/mem.h"
#include "front/respond.h"
#include "json/write.h"

#define ALLOW SPAN("GET, POST")

/* What the query asks for. */
struct asked {
	bool hook, wait, cancel;
	msec_t timeout_ms; /* -1: not said */
};

/* An exchange whose answer waits for the end of the drain. It owns itself. */
struct waiter {
	struct drain_wait wait;
	struct lifecycle *lifecycle;
	struct http_exchange *ex;
};

/* ---- the answer ---- */

static void put_answer(struct buf *out, const struct lifecycle *l)
{
	struct json_writer w = json_writer(out);
	struct drain_state state;

	lifecycle_drain_state(l, &state);
	json_open(&w, '{');
	json_member_text(&w, "phase", span_of(phase_name(lifecycle_phase(l))));
	json_member_bool(&w, "drained", state.drained);
	json_member_int(&w, "in_flight", state.in_flight);
	if (state.since_ms >= 0)
		json_member_int(&w, "since_ms", state.since_ms);
	if (state.left_ms >= 0)
		json_member_int(&w, "budget_left_ms", state.left_ms);
	json_close(&w, '}');
	buf_add_char(out, '\n');
}

static void answer(struct http_exchange *ex, int status, const struct lifecycle *l)
{
	const struct http_header type = { "Content-Type", SPAN(TYPE_JSON) };
	struct buf body = { 0 };

	put_answer(&body, l);
	exchange_reply(ex, status, &type, 1, buf_span(&body));
	buf_free(&body);
}

static void refuse(struct http_exchange *ex, const struct http_request *req, int status, const char *sentence)
{
	respond(ex, req, status, "text/plain; charset=utf-8", span_of(sentence));
}

static void on_done(void *arg)
{
	struct waiter *w = arg;

	answer(w->ex, 200, w->lifecycle);
	free(w);
}

static void on_client_gone(void *arg)
{
	struct waiter *w = arg;

	lifecycle_wait_cancel(&w->wait);
	free(w);
}

static void wait_for_end(
        const struct probes *p, struct http_exchange *ex, const struct http_request *req, msec_t timeout_ms)
{
	struct waiter *w = NEW(struct waiter);

	*w = (struct waiter){ .lifecycle = p->lifecycle, .ex = ex };
	if (lifecycle_wait(p->lifecycle, &w->wait, timeout_ms, on_done, w)) {
		exchange_on_gone(ex, on_client_gone, w);
		return;
	}
	free(w);
	refuse(ex, req, 503, "draining, but too many wait for its end already\n");
}

/* ---- the question ---- */

static bool read_flag(struct span value, bool *flag)
{
	*flag = span_eq(value, SPAN("1"));
	return *flag || span_eq(value, SPAN("0"));
}

static bool read_parameter(struct asked *a, struct span name, struct span value)
{
	if (span_eq(name, SPAN("hook")))
		return read_flag(value, &a->hook);
	if (span_eq(name, SPAN("wait")))
		return read_flag(value, &a->wait);
	if (span_eq(name, SPAN("cancel")))
		return read_flag(value, &a->cancel);
	return span_eq(name, SPAN("timeout")) && duration_parse(value, &a->timeout_ms);
}

/* False: *fault is the parameter that is not understood. Of one that is given twice the last counts. */
static bool read_query(struct span query, struct asked *a, struct span *fault)
{
	*a = (struct asked){ .timeout_ms = -1 };
	while (span_next(&query, '&', fault)) {
		size_t equals = span_find(*fault, '=');
		if (fault->n > 0 && !read_parameter(a, span_cut(*fault, equals), span_skip(*fault, equals + 1)))
			return false;
	}
	*fault = a->cancel ? SPAN("cancel") : SPAN("timeout"); /* the opposite of all others; of waiting only */
	return a->cancel ? !a->hook && !a->wait && a->timeout_ms < 0 : a->wait || a->timeout_ms < 0;
}

static void refuse_query(struct http_exchange *ex, const struct http_request *req, struct span fault)
{
	struct buf body = { 0 };

	buf_printf(&body, "not understood: %.*s; there are hook=1, wait=1 (with timeout=DURATION), or cancel=1 alone\n",
	        SPAN_ARG(fault));
	respond(ex, req, 400, "text/plain; charset=utf-8", buf_span(&body));
	buf_free(&body);
}

static void cancel(const struct probes *p, struct http_exchange *ex)
{
	answer(ex, lifecycle_drain_cancel(p->lifecycle) ? 200 : 409, p->lifecycle);
}

static void begin(
        const struct probes *p, struct http_exchange *ex, const struct http_request *req, const struct asked *a)
{
	lifecycle_drain(p->lifecycle, a->hook);
	if (a->wait)
		wait_for_end(p, ex, req, a->timeout_ms);
	else
		answer(ex, 200, p->lifecycle);
}

static void drain(const struct probes *p, struct http_exchange *ex, const struct http_request *req)
{
	struct asked a;
	struct span fault;

	if (req->body.n > 0)
		refuse(ex, req, 400, "what is asked for goes into the query, not into a body\n");
	else if (!read_query(req->head->query, &a, &fault))
		refuse_query(ex, req, fault);
	else if (a.cancel)
		cancel(p, ex);
	else
		begin(p, ex, req, &a);
}

bool drain_is_path(struct span path)
{
	return span_eq(path, SPAN("/drain"));
}

void drain_request(const struct probes *p, struct http_exchange *ex, const struct http_request *req)
{
	struct span method = req->head->method;
	bool meant = span_eq(head_get(req->head, SPAN("sluice-drain")), SPAN("1"));

	if (!span_eq(method, SPAN("POST")) && !span_eq(method, SPAN("GET")))
		respond_not_allowed(ex, req, ALLOW);
	else if (span_eq(method, SPAN("GET")) && !meant)
		refuse(ex, req, 403, "a GET on /drain needs the header Sluice-Drain: 1\n");
	else
		drain(p, ex, req);
}
