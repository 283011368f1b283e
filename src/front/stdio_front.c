#include "front/stdio_front.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "loop/pump.h"
#include "mcp/modern.h"

#define READ_BYTES 65536
#define WAITING_MAX ((size_t)256 * 1024) /* beyond: messages that are no answers are dropped, and stdin is not read */

struct stdio_front {
	struct loop *loop;
	struct stdio_front_conf conf;
	struct gateway *gw;
	struct logger log;
	struct session *session; /* NULL before initialize */
	struct session *modern;  /* of what is asked in the modern revision; NULL before the first such request */
	struct push push;
	struct watch *in, *out; /* our ends of the pumps; NULL: closed */
	struct buf line;        /* the part of a line that has come */
	struct buf waiting;     /* to be written */
	struct buf owed;        /* where in the output each server's answer in `waiting` ends: one uint64_t each */
	uint64_t written;       /* bytes of the output that are not waiting any more */
	bool skipping;          /* the rest of a line that is too long */
	bool ended;             /* stdin is at its end, or stdout is broken */
	struct post flush;
	struct timer deadline;
	void (*eof)(void *arg);
	void *eof_arg;
	void (*closed)(void *arg); /* NULL: not closing */
	void *closed_arg;
};

static void end_input(struct stdio_front *f)
{
	watch_close(&f->in);
	if (f->ended)
		return;
	f->ended = true;
	f->eof(f->eof_arg);
}

/* ---- stdout ---- */

static void say_closed(struct stdio_front *f)
{
	void (*closed)(void *) = f->closed;

	timer_stop(loop_sched(f->loop), &f->deadline);
	watch_close(&f->out);
	f->closed = NULL;
	if (closed != NULL)
		closed(f->closed_arg);
}

static void set_watches(struct stdio_front *f)
{
	bool full = buf_size(&f->waiting) > WAITING_MAX;

	if (f->out != NULL)
		watch_set(f->out, WATCH_READ | (buf_size(&f->waiting) > 0 ? WATCH_WRITE : 0));
	if (f->in != NULL)
		watch_set(f->in, full ? 0 : WATCH_READ);
}

static void forget_written(struct stdio_front *f)
{
	uint64_t end;

	while (buf_size(&f->owed) > 0) {
		memcpy(&end, buf_span(&f->owed).p, sizeof(end));
		if (end > f->written)
			return;
		buf_take(&f->owed, sizeof(end));
	}
}

static void flush(void *arg)
{
	struct stdio_front *f = arg;

	while (f->out != NULL && buf_size(&f->waiting) > 0) {
		struct span rest = buf_span(&f->waiting);
		ssize_t n = send(watch_fd(f->out), rest.p, rest.n, MSG_NOSIGNAL);
		if (n < 0)
			break; /* EAGAIN, or a broken pump, which is seen by reading */
		buf_take(&f->waiting, (size_t)n);
		f->written += (uint64_t)n;
		forget_written(f);
	}
	if (f->closed != NULL && f->out != NULL && buf_size(&f->waiting) == 0)
		shutdown(watch_fd(f->out), SHUT_WR);
	set_watches(f);
}

/* The pump for stdout never sends anything: what can be read from it is its end. */
static void on_out(void *arg, unsigned events)
{
	struct stdio_front *f = arg;
	char byte;

	if (events & WATCH_READ && recv(watch_fd(f->out), &byte, 1, 0) == 0) {
		say_closed(f);
		end_input(f);
		return;
	}
	flush(f);
}

static void write_line(struct stdio_front *f, const struct pieces *json)
{
	if (f->out == NULL)
		return;
	pieces_put_line(&f->waiting, json);
	buf_add_char(&f->waiting, '\n');
	post_set(loop_sched(f->loop), &f->flush, flush, f);
}

static void write_error(struct stdio_front *f, struct span id, int code, const char *sentence)
{
	struct buf error = { 0 };

	rpc_put_error(&error, id, code, span_of(sentence));
	struct pieces json = pieces_of(buf_span(&error));
	write_line(f, &json);
	buf_free(&error);
}

/* ---- what comes from the gateway ---- */

static void on_message(void *arg, const struct pieces *json)
{
	struct stdio_front *f = arg;

	if (buf_size(&f->waiting) > WAITING_MAX)
		gateway_count_dropped(f->gw);
	else
		write_line(f, json);
}

/* A call that its server has answered is not completed before its client has the answer. */
static void owe(struct stdio_front *f)
{
	uint64_t end = f->written + buf_size(&f->waiting);

	buf_add(&f->owed, (struct span){ (const char *)&end, sizeof(end) });
}

/* MCP 2025-11-25, Cancellation: a cancelled request is not answered. */
static void on_ended(void *arg, enum end_reason why, const struct pieces *json)
{
	if (why != END_CANCELLED)
		write_line(arg, json);
	if (why == END_RESULT || why == END_SERVER_ERROR)
		owe(arg);
}

static void on_push_end(void *arg)
{
	(void)arg;
}

static void on_listen_opened(void *arg, const struct pieces *json)
{
	write_line(arg, json);
}

static void on_listen_ended(void *arg, const struct pieces *json)
{
	write_line(arg, json);
}

static const struct listen_port listen_port = {
	.opened = on_listen_opened,
	.message = on_message,
	.ended = on_listen_ended,
};
static const struct reply_port reply_port = { .message = on_message, .ended = on_ended };
static const struct push_port push_port = { .message = on_message, .end = on_push_end };

/* ---- stdin ---- */

static void take_initialize(struct stdio_front *f, const struct message *m)
{
	struct buf answer = { 0 };
	enum end_reason why;

	if (f->session != NULL) {
		write_error(f, m->id, RPC_INVALID_REQUEST, "the session is initialized already");
		return;
	}
	f->session = gateway_initialize(f->gw, SCOPE_ALL, m, true, &answer, &why);
	struct pieces json = pieces_of(buf_span(&answer));
	write_line(f, &json);
	buf_free(&answer);
	if (f->session == NULL)
		return;
	f->push = (struct push){ .scope = SCOPE_ALL, .port = &push_port, .arg = f };
	gateway_push_open(f->gw, f->session, &f->push);
}

static void take_request(struct stdio_front *f, const struct message *m)
{
	struct buf error = { 0 };
	enum end_reason why;
	struct refusal refusal = { &why, &error };

	if (gateway_submit(f->gw, f->session, SCOPE_ALL, m, &reply_port, f, &refusal) == NULL) {
		struct pieces json = pieces_of(buf_span(&error));
		write_line(f, &json);
	}
	buf_free(&error);
}

static void submit_modern(struct stdio_front *f, const struct message *m, const struct request_meta *meta)
{
	struct buf error = { 0 };
	enum end_reason why;
	struct refusal refusal = { &why, &error };
	bool accepted;

	if (f->modern == NULL)
		f->modern = gateway_local_session(f->gw);
	if (m->method_id == METHOD_LISTEN)
		accepted = gateway_listen(f->gw, f->modern, SCOPE_ALL, m, &listen_port, f, &refusal) != NULL;
	else
		accepted =
		        gateway_submit_modern(f->gw, f->modern, SCOPE_ALL, m, meta, &reply_port, f, &refusal) != NULL;
	if (!accepted) {
		struct pieces json = pieces_of(buf_span(&error));
		write_line(f, &json);
	}
	buf_free(&error);
}

static void take_modern(struct stdio_front *f, const struct message *m, const struct request_meta *meta)
{
	struct modern_fault fault;
	struct buf error = { 0 };

	if (modern_check(m, meta, NULL, &fault)) {
		submit_modern(f, m, meta);
		return;
	}
	modern_put_fault(&error, m->id, &fault, meta);
	struct pieces json = pieces_of(buf_span(&error));
	write_line(f, &json);
	buf_free(&error);
}

/* That of a modern client need not say of which revision it is. */
static void take_notification(struct stdio_front *f, const struct message *m)
{
	gateway_notify(f->gw, f->session, m);
	gateway_notify(f->gw, f->modern, m);
}

/* Each message tells by itself of which revision it is: one process may see both. */
static void take_text(struct stdio_front *f, struct span text)
{
	struct message_fault fault;
	struct modern_fault wrong;
	struct message m;
	enum era era;

	if (!message_parse(text, f->conf.max_depth, &m, &fault)) {
		write_error(f, fault.id, fault.code, fault.sentence);
		return;
	}
	struct request_meta meta = meta_read(m.meta);
	modern_classify(&m, &meta, SPAN_NONE, &era, &wrong);
	if (m.kind == MESSAGE_NOTIFICATION)
		take_notification(f, &m);
	else if (m.kind == MESSAGE_REQUEST && era == ERA_MODERN)
		take_modern(f, &m, &meta);
	else if (m.kind == MESSAGE_REQUEST && m.method_id == METHOD_INITIALIZE)
		take_initialize(f, &m);
	else if (m.kind == MESSAGE_REQUEST)
		take_request(f, &m);
	else
		gateway_answer(f->gw, f->session, &m);
}

/* Revision 2025-03-26 allows a line to be a batch; each message of it is answered by itself. */
static void take_batch(struct stdio_front *f, struct span array)
{
	struct json_found found;
	struct json_fault fault;
	struct span item;

	if (!json_scan(array, f->conf.max_depth, NULL, &found, &fault)) {
		write_error(f, SPAN_NONE, RPC_PARSE_ERROR, fault.sentence);
		return;
	}
	for (struct json_walk w = json_walk(array); json_next(&w, NULL, &item);)
		take_text(f, item);
}

static void take_line(struct stdio_front *f, struct span line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	line = span_trim(line);
	if (line.n == 0)
		return;
	bool batches = f->session != NULL && revision_has_batches(f->session->info.revision);
	if (line.p[0] == '[' && batches)
		take_batch(f, line);
	else
		take_text(f, line);
}

/* Keeps a part of a line for later, unless it has become too long. */
static void keep_part(struct stdio_front *f, struct span part)
{
	if (f->skipping)
		return;
	if (buf_size(&f->line) + part.n <= f->conf.max_line_bytes) {
		buf_add(&f->line, part);
		return;
	}
	f->skipping = true;
	buf_free(&f->line);
	write_error(f, SPAN_NONE, RPC_INVALID_REQUEST, "the message is longer than http.maxBodyBytes");
}

static void end_line(struct stdio_front *f)
{
	if (!f->skipping)
		take_line(f, buf_span(&f->line));
	f->skipping = false;
	buf_free(&f->line);
}

static void take_bytes(struct stdio_front *f, struct span bytes)
{
	for (size_t at; (at = span_find(bytes, '\n')) < bytes.n; bytes = span_skip(bytes, at + 1)) {
		keep_part(f, span_cut(bytes, at));
		end_line(f);
	}
	keep_part(f, bytes);
}

static void on_in(void *arg, unsigned events)
{
	struct stdio_front *f = arg;
	char bytes[READ_BYTES];

	(void)events;
	ssize_t n = recv(watch_fd(f->in), bytes, sizeof(bytes), 0);
	if (n > 0) {
		take_bytes(f, (struct span){ bytes, (size_t)n });
		set_watches(f);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		end_line(f); /* the last line may lack its line feed */
		end_input(f);
	}
}

/* ---- life ---- */

struct stdio_front *stdio_front_new(struct loop *l, const struct stdio_front_conf *conf, struct gateway *gw,
        void (*eof)(void *arg), void *arg, const struct logger *lg, struct err *e)
{
	AUTO_FD int in = pump_in(conf->in, e);
	AUTO_FD int out = in >= 0 ? pump_out(conf->out, e) : -1;

	if (in < 0 || out < 0)
		return NULL;
	struct stdio_front *f = NEW(struct stdio_front);
	*f = (struct stdio_front){ .loop = l, .conf = *conf, .gw = gw, .log = *lg, .eof = eof, .eof_arg = arg };
	f->in = watch_open(l, fd_take(&in), on_in, f);
	f->out = watch_open(l, fd_take(&out), on_out, f);
	set_watches(f);
	return f;
}

void stdio_front_free(struct stdio_front **fp)
{
	struct stdio_front *f = *fp;

	if (f == NULL)
		return;
	*fp = NULL;
	if (f->session != NULL)
		gateway_push_close(&f->push);
	timer_stop(loop_sched(f->loop), &f->deadline);
	post_cancel(&f->flush);
	watch_close(&f->in);
	watch_close(&f->out);
	buf_free(&f->line);
	buf_free(&f->waiting);
	buf_free(&f->owed);
	free(f);
}

bool stdio_front_is_hung_up(const struct stdio_front *f)
{
	struct pollfd in = { .fd = f->conf.in, .events = POLLRDHUP };

	return f->ended || (poll(&in, 1, 0) > 0 && (in.revents & (POLLRDHUP | POLLHUP)));
}

uint64_t stdio_front_undelivered(const struct stdio_front *f)
{
	return buf_size(&f->owed) / sizeof(uint64_t);
}

static void on_deadline(void *arg)
{
	say_closed(arg);
}

void stdio_front_close(struct stdio_front *f, mono_t deadline, void (*done)(void *arg), void *arg)
{
	f->closed = done;
	f->closed_arg = arg;
	f->ended = true;
	watch_close(&f->in);
	timer_set(loop_sched(f->loop), &f->deadline, f->out != NULL ? deadline : loop_now(f->loop), on_deadline, f);
	post_set(loop_sched(f->loop), &f->flush, flush, f);
}
