#include <errno.h>
#include <unistd.h>

#include "backend/salvage.h"
#include "backend/stdio_private.h"
#include "json/write.h"

#define READ_BYTES 65536       /* once per turn: others first */
#define STDERR_READ_BYTES 8192 /* the same */
#define SHOWN_BYTES 200        /* of a line that is not a message */
#define CHANGED_EVERY_MS 200   /* lists are asked for anew at most so often */

/* --- messages --- */

static void drop(struct stdio *s, const char *why)
{
	s->dropped++;
	log_debug(&s->log, "backend_message_dropped", why);
}

static void end_call(struct stdio *s, struct backend_call *call, enum end_reason why, const struct message *answer)
{
	stdio_call_left(s, call, answer != NULL);
	call->sink->ended(call, why, answer != NULL ? OUTCOME_KNOWN : OUTCOME_UNKNOWN, answer);
}

/* The call of which a raw id or token is ours; NULL: none, or none any more. */
static struct backend_call *find_call(const struct stdio *s, struct span raw)
{
	int64_t id;

	return json_to_i64(raw, &id) && id > 0 ? pending_find(&s->pending, (uint64_t)id) : NULL;
}

static bool is_own_answer(struct stdio *s, uint64_t id, const struct message *m)
{
	return stdio_first_answer(s, id, m) || stdio_listen_answer(s, id, m) ||
	       handshake_answer(&s->handshake, id, m, stdio_now(s)) ||
	       wanted_answered(&s->wanted, id, m->kind == MESSAGE_RESULT, stdio_said, s);
}

static void on_answer(struct stdio *s, const struct message *m)
{
	struct backend_call *call = find_call(s, m->id);
	int64_t id = 0;

	if (call != NULL && call->unsent == NULL) {
		end_call(s, call, m->kind == MESSAGE_RESULT ? END_RESULT : END_SERVER_ERROR, m);
		return;
	}
	if (!json_to_i64(m->id, &id) || id <= 0 || !is_own_answer(s, (uint64_t)id, m))
		drop(s, "an answer that nobody waits for");
}

static void tell_lost_asks(void *arg)
{
	struct stdio *s = arg;

	for (uint64_t id; (id = open_asks_take_lost(&s->asks)) != 0;)
		s->base.events->ask_ended(s->base.arg, id);
}

void stdio_lose_asks(struct stdio *s)
{
	open_asks_lose(&s->asks);
	post_set(loop_sched(s->loop), &s->asks_post, tell_lost_asks, s);
}

static void answer_ask(struct stdio *s, const struct message *m, bool ping)
{
	struct buf answer = { 0 };

	if (ping)
		rpc_put_result(&answer, m->id, SPAN("{}"));
	else
		rpc_put_error(&answer, m->id, RPC_INTERNAL_ERROR, SPAN("too many requests without an answer"));
	stdio_send(s, buf_span(&answer));
	buf_free(&answer);
}

static void on_request(struct stdio *s, const struct message *m)
{
	bool ping = m->method_id == METHOD_PING;

	if (!stdio_is_talking(s)) {
		drop(s, "a request while it is being ended");
		return;
	}
	if (s->handshake.modern && s->probe == PROBE_OFF) { /* it would not know what to do with an answer */
		drop(s, "a request of a modern server");
		return;
	}
	struct open_ask *ask = ping ? NULL : open_asks_add(&s->asks, m->id);
	if (ask == NULL)
		answer_ask(s, m, ping);
	else
		s->base.events->ask(s->base.arg, &(struct backend_ask){ .id = ask->id, .link = s->link }, m);
}

/* A server takes a request of its own back. */
static void on_cancelled(struct stdio *s, const struct message *m)
{
	struct open_ask *ask = span_is_set(m->request_id) ? open_asks_find_own(&s->asks, m->request_id) : NULL;

	if (ask == NULL && stdio_listen_taken_back(s, m))
		return;
	if (ask == NULL) {
		drop(s, "a cancel of nothing that is open");
		return;
	}
	uint64_t id = ask->id;
	open_asks_remove(&s->asks, ask);
	s->base.events->ask_ended(s->base.arg, id);
}

static void on_progress(struct stdio *s, const struct message *m)
{
	struct backend_call *call = find_call(s, m->token);

	if (call != NULL && call->wants_progress)
		call->sink->progress(call, m);
	else if (call == NULL) /* of a task that has begun with an answer, perhaps */
		s->base.events->notification(s->base.arg, s->link, m);
	else
		drop(s, "progress of a call that wants none");
}

static void ask_for_changed(void *arg)
{
	struct stdio *s = arg;
	unsigned changed = s->changed;

	s->changed = 0;
	s->asked_at = stdio_now(s);
	for (int kind = 0; kind < LIST_KINDS; kind++)
		if (changed & 1u << kind)
			handshake_changed(&s->handshake, (enum list_kind)kind, s->asked_at);
}

/* A server may well announce a change at each of our requests for the list: not faster than that, then. */
static void on_list_changed(struct stdio *s, enum method method)
{
	mono_t at = mono_max(stdio_now(s), mono_add(s->asked_at, CHANGED_EVERY_MS));

	for (int kind = 0; kind < LIST_KINDS; kind++)
		if (list_changed_method((enum list_kind)kind) == method)
			s->changed |= 1u << kind;
	if (!timer_is_set(&s->changed_timer))
		timer_set(loop_sched(s->loop), &s->changed_timer, at, ask_for_changed, s);
}

static void on_notification(struct stdio *s, const struct message *m)
{
	switch (m->method_id) {
	case METHOD_PROGRESS:
		on_progress(s, m);
		return;
	case METHOD_TOOLS_CHANGED:
	case METHOD_RESOURCES_CHANGED:
	case METHOD_PROMPTS_CHANGED:
		on_list_changed(s, m->method_id);
		return;
	case METHOD_CANCELLED:
		on_cancelled(s, m);
		return;
	case METHOD_ACKNOWLEDGED:
		stdio_listen_acknowledged(s, m);
		return;
	case METHOD_MESSAGE:
	case METHOD_RESOURCE_UPDATED:
	case METHOD_ELICITATION_COMPLETE:
	case METHOD_TASK_STATUS:
	case METHOD_TASK_NEWS:
		s->base.events->notification(s->base.arg, s->link, m);
		return;
	default:
		drop(s, "a notification that nobody wants");
	}
}

static void on_message(struct stdio *s, const struct message *m)
{
	switch (m->kind) {
	case MESSAGE_RESULT:
	case MESSAGE_ERROR:
		on_answer(s, m);
		return;
	case MESSAGE_REQUEST:
		on_request(s, m);
		return;
	case MESSAGE_NOTIFICATION:
		on_notification(s, m);
		return;
	}
}

/* --- lines --- */

static void complain(struct stdio *s, const char *event, const char *msg, const char *fault, const struct line *line)
{
	s->dropped++;
	if (!rate_allows(&s->complaints, stdio_now(s)))
		return;
	log_warn(&s->log, event, msg, F_STR("fault", fault), F_SPAN("line", span_cut(line->text, SHOWN_BYTES)),
	        F_INT("bytes", line->size), F_INT("more", rate_take_suppressed(&s->complaints)));
}

/* The line cannot be read, but perhaps whose answer it is: that call ends now. */
static void end_salvaged(struct stdio *s, struct span first, struct span last, enum end_reason why)
{
	uint64_t id = 0;
	struct backend_call *call = salvage_id(first, last, &id) ? pending_find(&s->pending, id) : NULL;

	if (call != NULL && call->unsent == NULL)
		end_call(s, call, why, NULL);
}

static bool is_batch(const struct stdio *s, struct span text)
{
	return revision_has_batches(s->handshake.hello.revision) && span_starts(text, SPAN("[")) &&
	       json_scan(text, s->base.conf->max_depth, NULL, NULL, &(struct json_fault){ 0 });
}

static void on_text(struct stdio *s, const struct line *line, struct span text)
{
	struct message_fault fault;
	struct message m;

	if (message_parse(text, s->base.conf->max_depth, &m, &fault)) {
		on_message(s, &m);
		return;
	}
	complain(s, "backend_bad_line", "the server wrote a line that is not a message", fault.sentence, line);
	end_salvaged(s, text, text, END_BAD_ANSWER);
}

/* A byte order mark in front of it is passed over (RFC 8259, 8.1): some libraries begin all that they write with one. */
static struct span without_mark(struct span text)
{
	const struct span mark = SPAN("\xEF\xBB\xBF");

	return span_starts(text, mark) ? span_skip(text, mark.n) : text;
}

static void on_line(struct stdio *s, const struct line *line)
{
	struct span text = without_mark(line->text), item;

	if (!is_batch(s, text)) {
		on_text(s, line, text);
		return;
	}
	struct json_walk w = json_walk(text);
	while (json_next(&w, NULL, &item))
		on_text(s, line, item);
}

static void on_long_line(struct stdio *s, const struct line *line)
{
	complain(s, "backend_long_line", "the server wrote a line that is longer than the limit", "too long", line);
	end_salvaged(s, line->text, line->last, END_MESSAGE_TOO_LARGE);
}

static void on_got(struct stdio *s, enum lines_got got, const struct line *line)
{
	if (got == LINES_LINE)
		on_line(s, line);
	else if (got == LINES_TOO_LONG)
		on_long_line(s, line);
}

static void stdout_ended(struct stdio *s)
{
	struct line line;

	on_got(s, lines_end(&s->lines, &line), &line);
	if (s->out == NULL)
		return;
	watch_close(&s->out);
	bool another = stdio_ends_at_discover(s);
	if (stdio_is_talking(s)) {
		standing_explain(&s->standing, "closed its stdout");
		s->pipe_broke = true;
	}
	if (!another)
		stdio_step(s, LIFE_EV_MUTE);
	if (s->child != NULL)
		child_output_ended(s->child);
}

/* Errors that pass; anything else is the end. */
static bool try_again(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

void stdio_on_stdout(void *arg, unsigned events)
{
	struct stdio *s = arg;
	char bytes[READ_BYTES];
	struct line line;
	enum lines_got got;
	ssize_t n = read(watch_fd(s->out), bytes, sizeof(bytes));

	(void)events;
	if (try_again(n))
		return;
	if (n <= 0) {
		stdout_ended(s);
		return;
	}
	struct span rest = { bytes, (size_t)n };
	while (s->out != NULL && (got = lines_next(&s->lines, &rest, &line)) != LINES_MORE)
		on_got(s, got, &line);
}

void stdio_on_stderr(void *arg, unsigned events)
{
	struct stdio *s = arg;
	char bytes[STDERR_READ_BYTES];
	ssize_t n = read(watch_fd(s->err), bytes, sizeof(bytes));

	(void)events;
	if (try_again(n))
		return;
	if (n > 0)
		stderr_log_feed(&s->stderr_log, (struct span){ bytes, (size_t)n }, stdio_now(s));
	else
		watch_close(&s->err);
}
