#include "net/http_client_private.h"

#define READ_BYTES 65536
#define PROXY_READ_BYTES 4096
#define INTERIM_MAX 16
#define READS_AT_THE_END 64 /* of what came before the connection was lost */

enum progress {
	MORE,   /* what there is was used */
	PAUSED, /* the fetch wants no more now */
	WHOLE,  /* the answer is */
	LEFT,   /* the fetch has left this connection, or the connection has ended: nothing here is ours any more */
};

void http_client_read_begin(struct http_client_conn *l)
{
	l->scanned = 0;
	l->interim = 0;
	l->begun = l->has_head = false;
	l->left = 0;
	l->chunked = (struct chunked){ 0 };
}

/* Heads */

static enum progress bad_answer(struct http_client_conn *l, const char *sentence)
{
	http_client_conn_fail(l, FETCH_BAD_ANSWER, "%s", sentence);
	return LEFT;
}

static enum progress take_head(struct http_client_conn *l, const struct response_head *head)
{
	struct http_fetch *f = l->fetch;

	l->has_head = true;
	l->keep_alive = head->keep_alive;
	l->body = response_body(head, f->is_head);
	l->left = head->content_length;
	http_fetch_got_head(f);
	f->events->head(f->arg, head);
	return l->fetch == f ? MORE : LEFT;
}

static enum progress read_head(struct http_client_conn *l, struct span *rest)
{
	struct response_head head;
	size_t used;

	while (!l->has_head && rest->n > 0) {
		switch (response_head_parse(*rest, l->client->conf.max_head_bytes, &l->scanned, &head, &used)) {
		case HEAD_MORE:
			return MORE;
		case HEAD_BAD:
			return bad_answer(l, head.sentence);
		case HEAD_DONE:
			break;
		}
		*rest = span_skip(*rest, used);
		l->scanned = 0;
		if (head.status >= 200)
			return take_head(l, &head);
		if (head.status == 101)
			return bad_answer(l, "the server changes the protocol without being asked");
		if (++l->interim > INTERIM_MAX)
			return bad_answer(l, "the server says 1xx again and again");
	}
	return MORE;
}

/* Bodies */

static enum progress give(struct http_client_conn *l, struct span bytes)
{
	struct http_fetch *f = l->fetch;

	if (bytes.n > 0)
		f->events->body(f->arg, bytes);
	return l->fetch == f ? MORE : LEFT;
}

static enum progress read_length(struct http_client_conn *l, struct span *rest)
{
	struct span part = l->left < rest->n ? span_cut(*rest, (size_t)l->left) : *rest;

	*rest = span_skip(*rest, part.n);
	l->left -= part.n;
	if (give(l, part) == LEFT)
		return LEFT;
	if (l->left > 0)
		return MORE;
	return l->fetch->paused ? PAUSED : WHOLE;
}

static enum progress read_chunked(struct http_client_conn *l, struct span *rest)
{
	struct span data;

	while (!l->fetch->paused) {
		switch (chunked_next(&l->chunked, rest, &data)) {
		case CHUNKED_MORE:
			return MORE;
		case CHUNKED_BAD:
			return bad_answer(l, "the answer's body is not chunked as it should be");
		case CHUNKED_DONE:
			return WHOLE;
		case CHUNKED_DATA:
			break;
		}
		if (give(l, data) == LEFT)
			return LEFT;
	}
	return PAUSED;
}

static enum progress read_to_the_end(struct http_client_conn *l, struct span *rest)
{
	struct span part = *rest;

	*rest = span_skip(*rest, part.n);
	return give(l, part);
}

static enum progress read_answer(struct http_client_conn *l, struct span *rest)
{
	if (!l->has_head) {
		enum progress progress = read_head(l, rest);
		if (progress != MORE || !l->has_head)
			return progress;
	}
	if (l->fetch->paused)
		return PAUSED;
	switch (l->body) {
	case RESPONSE_NO_BODY:
		return WHOLE;
	case RESPONSE_LENGTH:
		return read_length(l, rest);
	case RESPONSE_CHUNKED:
		return read_chunked(l, rest);
	case RESPONSE_UNTIL_CLOSE:
		return read_to_the_end(l, rest);
	}
	return MORE;
}

/* The end of an answer: `garbage` came behind it. */
static void finish(struct http_client_conn *l, bool garbage)
{
	struct http_fetch *f = l->fetch;
	bool keep = l->keep_alive && !garbage && l->body != RESPONSE_UNTIL_CLOSE && conn_queued(&l->conn) == 0 &&
	            l->conn.state == CONN_OPEN && !l->conn.ended && !l->is_old;

	l->fetch = NULL;
	l->used = true;
	f->conn = NULL;
	buf_free(&l->in);
	http_client_conn_happens(l, keep ? LINK_KEEP : LINK_CLOSE);
	if (!keep)
		http_client_serve(l->client);
	http_fetch_end(f, FETCH_DONE, "the answer is whole");
}

/* Works on what was kept and what has come: in place if nothing was kept. False: the answer is over for this
 * connection. */
static bool work(struct http_client_conn *l, struct span fresh)
{
	bool kept = buf_size(&l->in) > 0;

	if (kept)
		buf_add(&l->in, fresh);
	struct span rest = kept ? buf_span(&l->in) : fresh;
	enum progress progress = read_answer(l, &rest);
	if (progress == LEFT)
		return false;
	if (progress == WHOLE) {
		finish(l, rest.n > 0);
		return false;
	}
	if (kept)
		buf_take(&l->in, buf_size(&l->in) - rest.n);
	else
		buf_add(&l->in, rest);
	if (l->has_head && fresh.n > 0)
		http_fetch_got_some(l->fetch);
	http_client_conn_pause(l);
	return true;
}

static void lost(struct http_client_conn *l, const char *how)
{
	const char *when = !l->begun      ? "before it answered"
	                   : !l->has_head ? "in the head of its answer"
	                                  : "in the middle of its answer";

	http_client_conn_fail(l, FETCH_LOST, "%s %s", how, when);
}

/* The server has closed its side. A body that ends so is whole only when TLS tells that it was the server. */
static void ended(struct http_client_conn *l)
{
	if (l->has_head && l->body == RESPONSE_UNTIL_CLOSE && !conn_is_cut(&l->conn))
		finish(l, false);
	else
		lost(l, "the server closed the connection");
}

static void failed(struct http_client_conn *l)
{
	const char *error = conn_error(&l->conn);

	lost(l, error[0] != '\0' ? error : "the connection was reset");
}

/* One read. False when there is nothing more to do. */
static bool read_some(struct http_client_conn *l)
{
	char bytes[READ_BYTES];
	size_t n;

	switch (conn_read(&l->conn, bytes, sizeof(bytes), &n)) {
	case CONN_BLOCKED:
		return false;
	case CONN_END:
		ended(l);
		return false;
	case CONN_FAILED:
		failed(l);
		return false;
	case CONN_OK:
		break;
	}
	l->begun = true;
	return work(l, (struct span){ bytes, n });
}

void http_client_read(struct http_client_conn *l)
{
	(void)read_some(l);
}

void http_client_read_kept(struct http_client_conn *l)
{
	(void)work(l, SPAN(""));
}

void http_client_read_rest(struct http_client_conn *l)
{
	bool more = buf_size(&l->in) == 0 || work(l, SPAN(""));

	for (int reads = 0; more && !l->fetch->paused && reads < READS_AT_THE_END; reads++)
		more = read_some(l);
	if (l->state == LINK_BUSY)
		http_client_conn_fail(l, FETCH_LOST, "%s",
		        l->conn.state == CONN_LINGERING ? "the server did not take the request in time"
		                                        : "the connection was reset");
}

/* The proxy's answer to CONNECT: without a body when it is 2xx, and else the connection goes. */
static void take_proxy_answer(struct http_client_conn *l, const struct response_head *head, bool garbage)
{
	const char *name = l->client->name;

	if (head->status < 200 || head->status > 299)
		http_client_conn_fail(l, FETCH_UNREACHABLE, "the proxy refused a tunnel to %s: %d %.*s", name,
		        head->status, SPAN_ARG(head->reason));
	else if (garbage || conn_queued(&l->conn) > 0)
		http_client_conn_fail(l, FETCH_UNREACHABLE, "the proxy said more than it should about %s", name);
	else {
		buf_free(&l->in);
		l->scanned = 0;
		http_client_conn_happens(l, LINK_SECURE);
	}
}

void http_client_read_proxy(struct http_client_conn *l)
{
	struct http_client *c = l->client;
	struct response_head head;
	size_t n, used;
	enum conn_io io = conn_read(&l->conn, buf_reserve(&l->in, PROXY_READ_BYTES), PROXY_READ_BYTES, &n);

	buf_added(&l->in, n);
	if (io == CONN_BLOCKED)
		return;
	if (io != CONN_OK) {
		http_client_conn_fail(l, FETCH_UNREACHABLE, "the proxy closed the connection to %s", c->name);
		return;
	}
	switch (response_head_parse(buf_span(&l->in), c->conf.max_head_bytes, &l->scanned, &head, &used)) {
	case HEAD_MORE:
		break;
	case HEAD_BAD:
		http_client_conn_fail(l, FETCH_UNREACHABLE, "the proxy: %s", head.sentence);
		break;
	case HEAD_DONE:
		take_proxy_answer(l, &head, used < buf_size(&l->in));
		break;
	}
}
