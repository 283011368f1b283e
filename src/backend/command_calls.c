#include <assert.h>
#include <stdlib.h>

#include "backend/command_answer.h"
#include "backend/command_private.h"
#include "base/mem.h"

#define KEEP_BYTES ((size_t)1 << 20) /* of the output, in the answer */
#define KEEP_ERR_BYTES 8192
#define BYTES_PER_BYTE 8 /* a byte may become six as JSON, and there is something around it */

static void job_free(struct job *j)
{
	list_unlink(&j->node);
	arena_free(&j->arena);
	buf_free(&j->answer);
	free(j);
}

/* The client's name with its prefix left out, or another one in its place. */
static struct span read_name(struct arena *a, const struct message *m, struct splice name)
{
	struct buf raw = { 0 };

	if (json_type_of(m->name) != JSON_STRING)
		return SPAN_NONE;
	if (span_is_set(name.out)) {
		buf_add(&raw, span_between(m->name.p, name.out.p));
		buf_add(&raw, name.in);
		buf_add(&raw, span_between(span_end(name.out), span_end(m->name)));
	} else {
		buf_add(&raw, m->name);
	}
	struct span decoded = json_decode(buf_span(&raw), arena_alloc(a, buf_size(&raw) + 1));
	decoded = arena_copy(a, decoded);
	buf_free(&raw);
	return decoded;
}

static struct job *job_new(struct command *c, struct backend_call *call, const struct message *m, struct splice name)
{
	struct job *j = NEW(struct job);

	j->owner = c;
	j->call = call;
	j->bytes = m->text.n;
	j->name = read_name(&j->arena, m, name);
	if (span_is_set(m->arguments))
		j->arguments = arena_copy(&j->arena, m->arguments);
	return j;
}

/* The call is out of our hands; its end is the caller's to tell. */
static void leave(struct job *j, bool answered)
{
	struct command *c = j->owner;

	pending_forget(&c->pending, j->call);
	j->call = NULL;
	life_call_ends(&c->life, command_now(c), answered);
}

static void end_later(struct job *j, enum end_reason why, enum outcome outcome)
{
	struct command *c = j->owner;
	struct backend_call *call = j->call;

	leave(j, false);
	pending_end_later(&c->pending, call, why, outcome);
}

/* --- answers --- */

static void tell_answer(struct job *j)
{
	struct backend_call *call = j->call;
	struct message m;
	struct message_fault fault;
	bool parsed = message_parse(buf_span(&j->answer), j->owner->base.conf->max_depth, &m, &fault);

	assert(parsed); /* we wrote it */
	leave(j, true);
	call->sink->ended(call, m.kind == MESSAGE_RESULT ? END_RESULT : END_SERVER_ERROR, OUTCOME_KNOWN, &m);
}

static void tell_answers(void *arg)
{
	struct command *c = arg;

	for (struct list *node; (node = list_take_first(&c->answered)) != NULL;) {
		struct job *j = list_entry(node, struct job, node);
		tell_answer(j);
		job_free(j);
	}
}

/* What is in the job's answer is told later in this turn. */
static void answer_later(struct job *j)
{
	struct command *c = j->owner;

	list_append(&c->answered, &j->node);
	post_set(loop_sched(c->loop), &c->answer_post, tell_answers, c);
}

/* --- runs --- */

static void launch(struct command *c);

/* It has ended, but not on its own. */
static bool was_stopped(const struct run_result *r)
{
	return r->how.asked && !r->flooded;
}

static void run_done(void *arg, const struct run_result *result)
{
	struct job *j = arg;
	struct command *c = j->owner;

	j->run = NULL;
	list_unlink(&j->node);
	c->processes--;
	if (j->call != NULL && was_stopped(result)) {
		end_later(j, END_BACKEND_EXITED, OUTCOME_UNKNOWN);
	} else if (j->call != NULL) {
		command_answer_run(&j->answer, j->call->id, result);
		tell_answer(j);
	}
	job_free(j);
	launch(c);
	command_settle(c);
}

static size_t keep_bytes(const struct backend_conf *conf)
{
	size_t most = conf->max_message_bytes / BYTES_PER_BYTE;

	return most < KEEP_BYTES ? most : KEEP_BYTES;
}

static void start(struct job *j)
{
	struct command *c = j->owner;
	struct child_conf child = c->child_conf;
	struct err e;

	child.argv = j->argv;
	const struct run_conf conf = {
		.child = &child,
		.keep_bytes = keep_bytes(c->base.conf),
		.keep_err_bytes = KEEP_ERR_BYTES,
		.flood_bytes = c->base.conf->max_message_bytes,
	};
	j->run = run_start(c->loop, c->supervisor, &conf, run_done, j, &e);
	if (j->run != NULL) {
		list_append(&c->running, &j->node);
		c->processes++;
		return;
	}
	log_warn(&c->log, "command_not_started", "the program could not be started", F_ERR(&e));
	standing_explain(&c->standing, "%s", e.text);
	end_later(j, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
	job_free(j);
}

/* Who is next gets a free place. */
static void launch(struct command *c)
{
	while (c->life.state == LIFE_READY && !c->life.last && c->processes < c->base.conf->max_processes) {
		struct list *node = list_take_first(&c->waiting);
		if (node == NULL)
			return;
		struct job *j = list_entry(node, struct job, node);
		c->waiting_bytes -= j->bytes;
		start(j);
	}
}

/* What the program will be given; false: the job has its answer already. */
static bool prepare(struct job *j)
{
	struct command *c = j->owner;
	const struct command_tool *tool = map_get(&c->by_name, j->name);
	struct err e;

	if (tool == NULL) {
		command_answer_error(&j->answer, j->call->id, RPC_INVALID_PARAMS, "unknown tool");
		return false;
	}
	j->argv = command_tool_argv(&j->arena, tool, c->base.conf->argv, j->arguments, &e);
	if (j->argv == NULL)
		command_answer_fault(&j->answer, j->call->id, e.text);
	return j->argv != NULL;
}

static void wait_for_turn(struct job *j)
{
	list_append(&j->owner->waiting, &j->node);
	j->owner->waiting_bytes += j->bytes;
}

void command_flush(struct command *c)
{
	struct list held;

	list_move_all(&c->waiting, &held);
	c->waiting_bytes = 0;
	list_each (node, &held) {
		struct job *j = list_entry(node, struct job, node);
		list_unlink(&j->node);
		if (prepare(j))
			wait_for_turn(j);
		else
			answer_later(j);
	}
	launch(c);
}

/* --- what comes from the gateway --- */

static bool is_full(const struct command *c, const struct message *m)
{
	const struct backend_conf *conf = c->base.conf;

	return pending_count(&c->pending) >= conf->max_in_flight ||
	       (c->waiting_bytes > 0 && c->waiting_bytes + m->text.n > conf->max_message_bytes);
}

static void begin(struct job *j)
{
	struct command *c = j->owner;
	bool ready = c->life.state == LIFE_READY;

	if (ready && !prepare(j)) {
		answer_later(j);
		return;
	}
	wait_for_turn(j);
	if (ready)
		launch(c);
	else
		command_step(c, LIFE_EV_WANT);
}

void command_submit(struct command *c, struct backend_call *call, const struct message *m, struct splice name)
{
	assert(m->kind == MESSAGE_REQUEST && !list_is_linked(&call->node));
	if (life_refuses(&c->life) || c->life.last) {
		pending_end_later(&c->pending, call, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
		return;
	}
	if (is_full(c, m)) {
		pending_end_later(&c->pending, call, END_OVERLOADED, OUTCOME_NOT_SENT);
		return;
	}
	pending_add(&c->pending, call);
	call->link = &c->link;
	life_call_begins(&c->life, command_now(c));
	struct job *j = job_new(c, call, m, name);
	if (m->method_id == METHOD_TOOLS_CALL) {
		begin(j);
		return;
	}
	command_answer_error(&j->answer, call->id, RPC_METHOD_NOT_FOUND, "method not found");
	answer_later(j);
}

static struct job *find_in(struct list *jobs, const struct backend_call *call)
{
	list_each (node, jobs) {
		struct job *j = list_entry(node, struct job, node);
		if (j->call == call)
			return j;
	}
	return NULL;
}

static struct job *find_job(struct command *c, const struct backend_call *call)
{
	struct list *const lists[] = { &c->running, &c->waiting, &c->answered };
	struct job *j = NULL;

	for (size_t i = 0; i < 3 && j == NULL; i++)
		j = find_in(lists[i], call);
	return j;
}

enum outcome command_cancel(struct command *c, struct backend_call *call)
{
	if (!pending_is_in_flight(call)) { /* its end was due in this very turn */
		pending_forget(&c->pending, call);
		return call->outcome;
	}
	struct job *j = find_job(c, call);
	assert(j != NULL);
	bool waits = j->run == NULL && j->answer.mem == NULL;
	leave(j, false);
	if (j->run != NULL) {
		run_stop(j->run, CHILD_STOP_LADDER);
		return OUTCOME_UNKNOWN;
	}
	c->waiting_bytes -= waits ? j->bytes : 0;
	job_free(j);
	return OUTCOME_NOT_SENT;
}

void command_fail_waiting(struct command *c)
{
	for (struct list *node; (node = list_take_first(&c->waiting)) != NULL;) {
		struct job *j = list_entry(node, struct job, node);
		end_later(j, END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT);
		job_free(j);
	}
	c->waiting_bytes = 0;
}

void command_more_room(struct command *c)
{
	launch(c);
}

void command_stop_runs(struct command *c, enum child_stop how)
{
	list_each (node, &c->running)
		run_stop(list_entry(node, struct job, node)->run, how);
}

/* Answers that are due are told to nobody any more: the gateway has let go of their calls. */
void command_clear_calls(struct command *c)
{
	assert(list_is_empty(&c->waiting) && list_is_empty(&c->running));
	for (struct list *node; (node = list_take_first(&c->answered)) != NULL;) {
		struct job *j = list_entry(node, struct job, node);
		pending_forget(&c->pending, j->call);
		job_free(j);
	}
	post_cancel(&c->answer_post);
	pending_clear(&c->pending);
}
