/* sluice doctor: connects to one server and tells how it is, and what clients will get from it. */
#include <assert.h>
#include <stdlib.h>

#include "cli/diagnosis.h"
#include "cli/listing.h"
#include "cli/oneshot.h"
#include "cli/terminal.h"

#define QUESTIONS 5 /* whose answers are timed */
#define PATIENCE_MS 2000

/* One question to the server itself, beside the gateway's calls. */
struct question {
	struct backend_call call;
	struct oneshot *o;
	bool ended, answered;
};

static void on_progress(struct backend_call *call, const struct message *m)
{
	(void)call;
	(void)m;
}

static void on_ended(struct backend_call *call, enum end_reason why, enum outcome outcome, const struct message *m)
{
	struct question *q = list_entry(call, struct question, call);

	(void)why;
	(void)outcome;
	q->ended = true;
	q->answered = m != NULL;
	oneshot_wake(q->o);
}

static void on_patience(void *arg)
{
	oneshot_wake(arg);
}

/* How long the server takes for a message that means no work; 0: it did not answer. */
static int64_t time_question(struct oneshot *o, struct backend *b, const struct message *m)
{
	static const struct backend_sink sink = { on_progress, on_progress, on_ended };
	struct question q = { .call.sink = &sink, .o = o };
	struct timer patience = { 0 };
	struct sched *s = loop_sched(o->app.loop);
	mono_t until = mono_add(loop_now(o->app.loop), PATIENCE_MS);
	int64_t start = clock_mono_us();

	b->ops->submit(b, &q.call, m, (struct splice){ .out = SPAN_NONE });
	timer_set(s, &patience, until, on_patience, o);
	while (!q.ended && !mono_past(until, loop_now(o->app.loop)) && oneshot_wait(o)) {
	}
	timer_stop(s, &patience);
	if (!q.ended)
		b->ops->cancel(b, &q.call, SPAN_NONE);
	return q.answered ? clock_mono_us() - start : 0;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* A ping, or what a modern server has in its place. */
static void time_answers(struct oneshot *o, struct backend *b, struct diagnosis *d)
{
	struct span text = revision_is_modern(d->hello->revision)
	                           ? SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}")
	                           : SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	int64_t times[QUESTIONS];
	struct message m;
	struct message_fault fault;
	unsigned n = 0;

	bool parsed = message_parse(text, JSON_DEPTH_MAX, &m, &fault);
	assert(parsed);
	while (n < QUESTIONS && (times[n] = time_question(o, b, &m)) > 0)
		n++;
	if (n < QUESTIONS)
		return;
	qsort(times, QUESTIONS, sizeof(times[0]), by_size);
	d->answer_us[0] = times[0];
	d->answer_us[1] = times[QUESTIONS / 2];
	d->answer_us[2] = times[QUESTIONS - 1];
}

static void examine(struct oneshot *o, size_t server, mono_t start, struct diagnosis *d)
{
	struct backend *b = gateway_backend(o->app.gateway, server);
	struct backend_stats stats;

	b->ops->stats(b, &stats);
	*d = (struct diagnosis){
		.conf = b->conf,
		.transport = stats.transport,
		.hello = gateway_hello(o->app.gateway, server),
		.ready_ms = mono_diff(loop_now(o->app.loop), start),
	};
	if (!oneshot_is_up(o, server))
		d->fault = stats.last_error != NULL ? stats.last_error : backend_state_name(stats.state);
	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++)
		d->counts[kind] = catalog_count(gateway_catalog(o->app.gateway), (int)server, kind);
	if (d->fault == NULL && d->hello != NULL)
		time_answers(o, b, d);
}

static void show(struct oneshot *o, const struct diagnosis *d)
{
	const struct cli *c = o->cli;

	if (c->options.json || !terminal_is(c->out))
		diagnosis_put_json(d, &o->out);
	else
		diagnosis_put_text(
		        d, terminal_width(c->out, c->environment), cli_wants_colour(c->out, c->environment), &o->out);
}

int cli_doctor(const struct cli *c)
{
	struct diagnosis d;
	struct oneshot o;
	int scope;

	oneshot_open(&o, c, "doctor");
	mono_t start = loop_now(o.app.loop);
	if (!oneshot_find_server(&o, c->argv[0], &scope))
		oneshot_end(&o, CLI_USAGE);
	if (!oneshot_start(&o, scope)) {
		oneshot_tell_cut(&o);
		oneshot_end(&o, CLI_FAILED);
	}
	oneshot_tell_down(&o, scope);
	examine(&o, (size_t)scope, start, &d);
	show(&o, &d);
	oneshot_end(&o, d.fault == NULL ? CLI_OK : CLI_UNAVAILABLE);
}
