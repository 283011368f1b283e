#include "backend/http_private.h"

/*
 * HTTP+SSE, the transport of 2024-11-05: a GET opens the one stream, whose first event says where to POST. All that the
 * server has to say comes on that stream, the answers to POSTs as well; its end is the end of the session.
 */

void legacy_sse_open(struct http_backend *b)
{
	struct pieces nothing = { .n = 0 };

	buf_free(&b->endpoint);
	b->sse = http_trip_new(b, TRIP_SSE, &nothing);
	http_trip_start(b->sse);
}

/* What goes to the URL of the configuration, with its headers, must not go elsewhere because that one says so. */
static bool take_endpoint(struct http_backend *b, struct span reference, struct err *e)
{
	struct buf text = { 0 };
	struct url url;
	bool good = url_resolve(&b->site->url, reference, &text, &url, e);

	if (good && !url_same_origin(&b->site->url, &url))
		good = err_set(e, "the server wants messages to go to another origin than its own");
	if (good)
		url_put_target(&b->endpoint, &url);
	buf_free(&text);
	return good;
}

void legacy_sse_event(struct http_trip *t, const struct sse_event *event)
{
	struct http_backend *b = t->b;
	struct err e;

	if (span_eq(event->type, SPAN("message"))) {
		if (event->data.n > 0)
			http_on_text(t, event->data);
		return;
	}
	if (!span_eq(event->type, SPAN("endpoint")) || buf_size(&b->endpoint) > 0 || !http_is_talking(b))
		return;
	if (take_endpoint(b, event->data, &e))
		handshake_start(&b->handshake);
	else
		http_start_failed(b, e.text);
}

static void explain_end(struct http_backend *b, const struct http_trip *t, const char *sentence)
{
	if (t->body == BODY_EVENTS)
		standing_explain(&b->standing, "ended its event stream");
	else if (t->status != 0 && b->post_status != 0)
		standing_explain(&b->standing,
		        "takes no POST (HTTP %d), and has no event stream at this path (HTTP %d)", b->post_status,
		        t->status);
	else if (t->status != 0)
		standing_explain(&b->standing, "has no event stream at this path: %s (HTTP %d)", sentence, t->status);
	else
		standing_explain(&b->standing, "%s", sentence);
}

void legacy_sse_over(struct http_trip *t, const char *sentence)
{
	struct http_backend *b = t->b;

	if (http_is_talking(b)) {
		explain_end(b, t, sentence);
		if (t->body != BODY_EVENTS && b->base.conf->http_type == HTTP_TYPE_AUTO)
			b->site->way = HTTP_WAY_UNKNOWN;
	}
	http_trip_end(t);
	if (b->life.state == LIFE_STARTING) {
		http_start_failed(b, NULL);
	} else if (b->life.state == LIFE_READY) {
		log_info(&b->log, "backend_lost", "the server's event stream has ended",
		        F_STR("error", b->standing.why), F_INT("in_flight", b->life.in_flight));
		http_step(b, LIFE_EV_MUTE);
	}
}
