#include <assert.h>

#include "net/http_conn.h"

void http_request_refuse(struct http_conn *c, int status, const char *sentence)
{
	log_debug(&c->server->log, "request_refused", "the request is not served", F_STR("peer", c->peer),
	        F_INT("status", status), F_STR("reason", sentence));
	c->exchange = (struct http_exchange){ 0 };
	http_answer_refusal(c, status, sentence, true);
}

/* Heads */

/* The request in s->head is whole; s->rest is what follows it. */
static void deliver(struct http_conn *c, struct span body)
{
	struct http_server *s = c->server;
	struct http_request request = { .head = &s->head, .body = body, .peer = c->peer };

	c->stage = STAGE_BUSY;
	c->deadline = MONO_NEVER;
	c->exchange.active = true;
	s->handler.request(s->handler.arg, &c->exchange, &request);
}

static void meet_exchange(struct http_conn *c, const struct request_head *head)
{
	struct http_server *s = c->server;

	s->requests++;
	c->used = true;
	c->begun = false;
	c->exchange = (struct http_exchange){
		.head_only = span_eq(head->method, SPAN("HEAD")),
		.keep_alive = head->keep_alive,
		.plain = head->minor == 0,
	};
}

/* 0, or the status that refuses the request in s->head. */
static int check_head(struct http_server *s, const char **sentence)
{
	*sentence = "the request's body is too large";
	if (s->head.content_length > s->conf.max_body_bytes)
		return 413;
	*sentence = "too much is waiting here";
	if (!http_server_has_room(s, (size_t)s->head.content_length))
		return 503;
	int status = s->handler.head != NULL ? s->handler.head(s->handler.arg, &s->head) : 0;
	*sentence = status_phrase(status);
	return status;
}

static void begin_body(struct http_conn *c, size_t head_size)
{
	struct http_server *s = c->server;
	bool none_here = s->rest.n == head_size;

	c->stage = STAGE_BODY;
	c->head_size = head_size;
	c->need = 0;
	http_conn_set_deadline(c, http_conn_in(c, s->conf.body_timeout_ms));
	if (!s->head.chunked) {
		c->need = head_size + (size_t)s->head.content_length;
	} else {
		c->chunked = (struct chunked){ 0 };
		buf_add(&c->body, span_cut(s->rest, head_size));
		s->rest = span_skip(s->rest, head_size);
	}
	if (s->head.expects_continue && none_here)
		http_answer_continue(c);
}

static void take_head(struct http_conn *c, size_t head_size)
{
	struct http_server *s = c->server;
	const char *sentence;

	meet_exchange(c, &s->head);
	int status = check_head(s, &sentence);
	struct span behind = span_skip(s->rest, head_size);
	bool whole = !s->head.chunked && s->head.content_length <= behind.n;
	if (status == 0 && !whole) {
		begin_body(c, head_size);
		return;
	}
	struct span body = span_cut(behind, (size_t)s->head.content_length);
	s->rest = span_skip(behind, body.n);
	if (status == 0)
		deliver(c, body);
	else
		http_answer_refusal(c, status, sentence, !whole);
}

static bool read_head(struct http_conn *c)
{
	struct http_server *s = c->server;
	size_t head_size;

	if (s->rest.n == 0)
		return false;
	switch (request_head_parse(s->rest, s->conf.max_header_bytes, &c->scanned, &s->head, &head_size)) {
	case HEAD_MORE:
		return false;
	case HEAD_BAD:
		http_request_refuse(c, s->head.status, s->head.sentence);
		break;
	case HEAD_DONE:
		c->scanned = 0;
		take_head(c, head_size);
		break;
	}
	return true;
}

/* Its spans are gone since the body began; the text is here still. */
static void read_head_again(struct http_conn *c, struct span text)
{
	struct http_server *s = c->server;
	size_t scanned = 0, used = 0;
	enum head_verdict verdict = request_head_parse(text, s->conf.max_header_bytes, &scanned, &s->head, &used);

	assert(verdict == HEAD_DONE && used == c->head_size);
}

static bool read_body(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct span whole = span_cut(s->rest, c->need);

	if (whole.n < c->need)
		return false;
	read_head_again(c, whole);
	s->rest = span_skip(s->rest, whole.n);
	deliver(c, span_skip(whole, c->head_size));
	return true;
}

static void deliver_chunked(struct http_conn *c)
{
	struct span text = buf_span(&c->body);

	read_head_again(c, text);
	deliver(c, span_skip(text, c->head_size));
	buf_free(&c->body);
}

static bool read_chunked_body(struct http_conn *c)
{
	struct http_server *s = c->server;

	for (;;) {
		struct span data;
		switch (chunked_next(&c->chunked, &s->rest, &data)) {
		case CHUNKED_MORE:
			return false;
		case CHUNKED_BAD:
			http_request_refuse(c, 400, "the request's body is not chunked as it should be");
			return true;
		case CHUNKED_DONE:
			deliver_chunked(c);
			return true;
		case CHUNKED_DATA:
			break;
		}
		if (buf_size(&c->body) - c->head_size + data.n > s->conf.max_body_bytes) {
			http_request_refuse(c, 413, "the request's body is too large");
			return true;
		}
		buf_add(&c->body, data);
	}
}

/* One step through s->rest; false when there is nothing to do now. */
bool http_request_step(struct http_conn *c)
{
	switch (c->stage) {
	case STAGE_HEAD:
		return !http_conn_is_our_turn(c) && read_head(c);
	case STAGE_BODY:
		return c->need > 0 ? read_body(c) : read_chunked_body(c);
	case STAGE_BUSY:
		return false;
	case STAGE_OVER:
		c->server->rest = SPAN("");
		return false;
	}
	return false;
}

static bool is_whole_request(struct span text, size_t max_header_bytes)
{
	struct request_head head;
	struct chunked chunked = { 0 };
	struct span data;
	size_t scanned = 0, used;
	enum chunked_verdict verdict;

	if (text.n == 0 || request_head_parse(text, max_header_bytes, &scanned, &head, &used) != HEAD_DONE)
		return false;
	text = span_skip(text, used);
	if (!head.chunked)
		return head.content_length <= text.n;
	do
		verdict = chunked_next(&chunked, &text, &data);
	while (verdict == CHUNKED_DATA);
	return verdict == CHUNKED_DONE;
}

bool http_request_is_last(const struct http_conn *c)
{
	struct http_server *s = c->server;

	return !is_whole_request(s->pumping == c ? s->rest : buf_span(&c->in), s->conf.max_header_bytes);
}
