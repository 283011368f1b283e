#include "front/admin.h"

#include "front/metrics_text.h"
#include "front/respond.h"
#include "front/status_html.h"
#include "front/status_page.h"

#define ALLOW SPAN("GET")

static void look(struct status *s, const struct metrics_source *from)
{
	struct http_server_stats main = { 0 };

	if (from->main != NULL)
		http_server_stats(from->main, &main);
	status_look(s, from->probes, main.late_connections);
}

static void answer_page(const struct status *s, struct http_exchange *ex)
{
	struct headers h = { 0 };
	struct buf body = { 0 };

	headers_add(&h, "Content-Type", SPAN("text/html; charset=utf-8"));
	headers_add(&h, "Content-Security-Policy", span_of(status_html_policy));
	headers_add(&h, "X-Content-Type-Options", SPAN("nosniff"));
	headers_add(&h, "Referrer-Policy", SPAN("no-referrer"));
	headers_add(&h, "Cache-Control", SPAN("no-store"));
	headers_add(&h, "Vary", SPAN("Accept"));
	status_page_put(s, &body);
	exchange_reply(ex, 200, h.at, h.n, buf_span(&body));
	buf_free(&body);
}

static void answer_status(const struct metrics_source *from, struct http_exchange *ex, const struct http_request *req)
{
	struct status s;
	struct buf body = { 0 };

	look(&s, from);
	if (status_wants_page(req->head)) {
		answer_page(&s, ex);
	} else {
		status_put_json(&s, &body);
		respond(ex, req, 200, TYPE_JSON, buf_span(&body));
	}
	buf_free(&body);
	status_clear(&s);
}

static void answer_metrics(const struct metrics_source *from, struct http_exchange *ex, const struct http_request *req)
{
	struct buf body = { 0 };

	metrics_put(from, &body);
	respond(ex, req, 200, METRICS_TYPE, buf_span(&body));
	buf_free(&body);
}

bool admin_is_path(struct span path)
{
	return span_eq(path, SPAN("/status")) || span_eq(path, SPAN("/metrics"));
}

void admin_request(const struct metrics_source *from, struct http_exchange *ex, const struct http_request *req)
{
	if (!span_eq(req->head->method, SPAN("GET")))
		respond_not_allowed(ex, req, ALLOW);
	else if (span_eq(req->head->path, SPAN("/status")))
		answer_status(from, ex, req);
	else
		answer_metrics(from, ex, req);
}
