#include <assert.h>
#include <time.h>

#include "base/clock.h"
#include "net/http_conn.h"

#define PARTS_AT_ONCE 16

/* Heads */

static struct span date_field(struct http_server *s)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm utc;

	if (s->date_second != (int64_t)now) {
		s->date_second = (int64_t)now;
		gmtime_r(&now, &utc);
		strftime(s->date, sizeof(s->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
	}
	return span_of(s->date);
}

/* RFC 9110, 6.4.1 */
static bool has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

static void put_field(struct buf *text, const char *name, struct span value)
{
	assert(span_find(value, '\n') == value.n && span_find(value, '\r') == value.n);
	buf_add(text, span_of(name));
	buf_add(text, SPAN(": "));
	buf_add(text, value);
	buf_add(text, SPAN("\r\n"));
}

static struct buf *begin_head(struct http_server *s, int status, const struct http_header *headers, unsigned n)
{
	struct buf *text = &s->text;

	buf_reset(text);
	buf_add(text, SPAN("HTTP/1.1 "));
	buf_add_u64(text, (uint64_t)status);
	buf_add_char(text, ' ');
	buf_add(text, span_of(status_phrase(status)));
	buf_add(text, SPAN("\r\n"));
	buf_add(text, date_field(s));
	for (unsigned i = 0; i < n; i++)
		if (span_is_set(headers[i].value))
			put_field(text, headers[i].name, headers[i].value);
	return text;
}

static void end_head(struct http_conn *c, bool closing)
{
	struct http_exchange *ex = &c->exchange;
	struct buf *text = &c->server->text;
	bool last = !ex->keep_alive || ((c->server->announced || c->conn.ended) && http_request_is_last(c));

	ex->closing = closing || last;
	if (ex->closing)
		buf_add(text, SPAN("Connection: close\r\n"));
	else if (ex->plain)
		buf_add(text, SPAN("Connection: keep-alive\r\n"));
	buf_add(text, SPAN("\r\n"));
}

/* Whole answers */

static size_t parts_size(const struct span *parts, unsigned n)
{
	size_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += parts[i].n;
	return size;
}

/* One write, now; but answers to pipelined requests are collected and leave together. */
static void put_whole(struct http_conn *c, const struct span *parts, unsigned n)
{
	struct http_server *s = c->server;
	struct span all[PARTS_AT_ONCE] = { buf_span(&s->text) };
	bool more_to_come = s->pumping == c && s->rest.n > 0;

	if (more_to_come || n >= PARTS_AT_ONCE) {
		conn_queue(&c->conn, all, 1);
		conn_queue(&c->conn, parts, n);
		return;
	}
	if (n > 0)
		memcpy(all + 1, parts, n * sizeof(*parts));
	conn_send(&c->conn, all, n + 1);
}

static void answer(struct http_conn *c, int status, const struct http_header *headers, unsigned n,
        const struct span *parts, unsigned part_count, bool closing)
{
	struct buf *text = begin_head(c->server, status, headers, n);

	if (has_body(status)) {
		buf_add(text, SPAN("Content-Length: "));
		buf_add_u64(text, parts_size(parts, part_count));
		buf_add(text, SPAN("\r\n"));
	}
	end_head(c, closing);
	put_whole(c, parts, c->exchange.head_only || !has_body(status) ? 0 : part_count);
	http_conn_answered(c);
}

void http_answer_refusal(struct http_conn *c, int status, const char *sentence, bool closing)
{
	const struct http_header headers[] = {
		{ "Content-Type", SPAN("text/plain; charset=utf-8") },
		{ "Retry-After", status == 503 ? SPAN("1") : SPAN_NONE },
	};
	const struct span parts[] = { span_of(sentence), SPAN("\n") };

	answer(c, status, headers, 2, parts, 2, closing);
}

void http_answer_continue(struct http_conn *c)
{
	const struct span text = SPAN("HTTP/1.1 100 Continue\r\n\r\n");

	conn_send(&c->conn, &text, 1);
}

#define UNSERVED(length, sentence)                         \
	SPAN("HTTP/1.1 503 Service Unavailable\r\n"        \
	     "Content-Type: text/plain; charset=utf-8\r\n" \
	     "Retry-After: 1\r\n"                          \
	     "Content-Length: " length "\r\n"              \
	     "Connection: close\r\n"                       \
	     "\r\n" sentence "\r\n")

struct span http_answer_overloaded(void)
{
	return UNSERVED("31", "too many connections are open");
}

struct span http_answer_leaving(void)
{
	return UNSERVED("25", "the gateway has stopped");
}

struct span http_answer_plain(void)
{
	return SPAN("HTTP/1.1 400 Bad Request\r\n"
	            "Content-Type: text/plain; charset=utf-8\r\n"
	            "Content-Length: 40\r\n"
	            "Connection: close\r\n"
	            "\r\n"
	            "this port speaks HTTPS, not plain HTTP\r\n");
}

void exchange_reply_parts(struct http_exchange *ex, int status, const struct http_header *headers, unsigned n,
        const struct span *parts, unsigned part_count)
{
	struct http_conn *c = http_conn_of(ex);

	assert(ex->active && !ex->streaming);
	if (ex->lost)
		http_conn_release(c);
	else
		answer(c, status, headers, n, parts, part_count, false);
}

void exchange_reply(
        struct http_exchange *ex, int status, const struct http_header *headers, unsigned n, struct span body)
{
	exchange_reply_parts(ex, status, headers, n, &body, 1);
}

/* Streams */

void exchange_stream(struct http_exchange *ex, int status, const struct http_header *headers, unsigned n)
{
	struct http_conn *c = http_conn_of(ex);

	assert(ex->active && !ex->streaming);
	ex->streaming = true;
	if (ex->lost)
		return;
	struct buf *text = begin_head(c->server, status, headers, n);
	if (!ex->plain)
		buf_add(text, SPAN("Transfer-Encoding: chunked\r\n"));
	end_head(c, ex->plain);
	const struct span head = buf_span(text);
	conn_queue(&c->conn, &head, 1);
}

void exchange_send(struct http_exchange *ex, const struct span *parts, unsigned n)
{
	struct http_conn *c = http_conn_of(ex);
	size_t size = parts_size(parts, n);
	const struct span line_end = SPAN("\r\n");

	assert(ex->active && ex->streaming);
	if (ex->lost || ex->head_only || size == 0)
		return;
	if (ex->plain) {
		conn_queue(&c->conn, parts, n);
		return;
	}
	buf_reset(&c->server->text);
	chunked_put_head(&c->server->text, size);
	const struct span head = buf_span(&c->server->text);
	conn_queue(&c->conn, &head, 1);
	conn_queue(&c->conn, parts, n);
	conn_queue(&c->conn, &line_end, 1);
}

void exchange_end(struct http_exchange *ex)
{
	struct http_conn *c = http_conn_of(ex);
	const struct span last = CHUNKED_END;

	assert(ex->active && ex->streaming);
	if (ex->lost) {
		http_conn_release(c);
		return;
	}
	if (!ex->plain && !ex->head_only)
		conn_queue(&c->conn, &last, 1);
	http_conn_answered(c);
}

/* The client's side */

static void tell_late(void *arg)
{
	struct http_conn *c = arg;
	struct http_exchange *ex = &c->exchange;

	void (*gone)(void *) = ex->gone;
	void *gone_arg = ex->gone_arg;
	http_conn_release(c);
	gone(gone_arg);
}

void exchange_on_gone(struct http_exchange *ex, void (*gone)(void *arg), void *arg)
{
	struct http_conn *c = http_conn_of(ex);

	assert(ex->active);
	ex->gone = gone;
	ex->gone_arg = arg;
	if (ex->lost)
		post_set(loop_sched(c->conn.loop), &c->again, tell_late, c);
}

void exchange_on_half_closed(struct http_exchange *ex, void (*half_closed)(void *arg), void *arg)
{
	struct http_conn *c = http_conn_of(ex);

	assert(ex->active);
	ex->half_closed = half_closed;
	ex->half_closed_arg = arg;
	if (half_closed != NULL && !ex->lost && (c->conn.ended || c->hung_up))
		http_conn_look_again(c);
}

void exchange_forever(struct http_exchange *ex)
{
	ex->forever = true;
	exchange_heed_fin(ex);
}

void exchange_heed_fin(struct http_exchange *ex)
{
	struct http_conn *c = http_conn_of(ex);

	assert(ex->active);
	ex->heeds_fin = true;
	if (!ex->lost && (c->conn.ended || c->hung_up))
		http_conn_look_again(c);
}

void exchange_belongs_to(struct http_exchange *ex, uint64_t owner)
{
	assert(ex->active);
	http_conn_of(ex)->owner = owner;
}

size_t exchange_waiting(const struct http_exchange *ex)
{
	const struct http_conn *c = list_entry(ex, struct http_conn, exchange);

	return ex->lost ? 0 : conn_queued(&c->conn);
}
