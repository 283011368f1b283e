#include "world.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "server.h"
#include "supervise/ladder.h"

#define FIRST_FD 100000
#define FDS_MAX 256
#define PIPE_BYTES 2048 /* small, so that writers meet a full one */

struct fake_pipe {
	struct buf data;
	bool writer_gone, reader_gone;
	unsigned ends; /* open ends on our side */
};

struct watch {
	struct list node;
	struct world *world;
	int fd;
	unsigned mask;
	bool closed;
	void (*ready)(void *arg, unsigned events);
	void *arg;
};

struct grave {
	struct list node;
	void *object;
	void (*bury)(void *object);
};

struct loop {
	struct sched sched; /* first: world_of_sched relies on nothing else, loop_sched returns it */
};

struct child {
	struct list node;
	struct world *world;
	const struct child_conf *conf;
	const struct child_events *events;
	void *arg;
	void (*close_stdin)(void *arg);
	enum ladder_state state;
	struct timer timer;
	struct event exit;
	struct post stdin_post, gone_post;
	struct child_exit how;
	msec_t eof_ms, term_ms;
	struct server *server; /* what runs in it */
	struct fake_pipe in, out, err;
	int pid;
	bool alive, output_ended;
	bool family; /* it has left a process in its group that has its stdout */
	struct timer family_leaves;
};

struct world {
	struct loop loop;
	struct sched outside;
	unsigned stalls, stall_percent; /* left; of the turns */
	msec_t stalled_ms;
	void (*spawning)(void *arg);
	void *spawning_arg;
	uint64_t random;
	struct list watches, children, graves;
	struct fake_pipe *fds[FDS_MAX]; /* by fd - FIRST_FD; NULL: free */
	unsigned alive, spawned;
	bool verbose;
};

/* read and writev are replaced for the whole program, so they must find the world without being told. */
static struct world *the_world;

/* ---- chance and talk ---- */

uint64_t world_random(struct world *w)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint64_t below(struct world *w, uint64_t n)
{
	return world_random(w) % n;
}

bool chance(struct world *w, unsigned percent)
{
	return below(w, 100) < percent;
}

void world_tell(struct world *w, const char *format, ...)
{
	va_list ap;

	if (!w->verbose)
		return;
	printf("%8lld  ", (long long)w->outside.now.ms);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

void world_set_verbose(struct world *w, bool on)
{
	w->verbose = on;
}

/* ---- descriptors ---- */

static int fd_new(struct world *w, struct fake_pipe *p)
{
	for (int i = 0; i < FDS_MAX; i++) {
		if (w->fds[i] != NULL)
			continue;
		w->fds[i] = p;
		p->ends++;
		return FIRST_FD + i;
	}
	abort();
}

static struct fake_pipe *pipe_of(struct world *w, int fd)
{
	assert(fd >= FIRST_FD && fd < FIRST_FD + FDS_MAX && w->fds[fd - FIRST_FD] != NULL);
	return w->fds[fd - FIRST_FD];
}

ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n)
{
	struct fake_pipe *p = pipe_of(the_world, fd);
	size_t have = buf_size(&p->data);

	if (have == 0 && p->writer_gone)
		return 0;
	if (have == 0) {
		errno = EAGAIN;
		return -1;
	}
	/* cut anywhere: framing must not mind */
	n = 1 + below(the_world, n < have ? n : have);
	memcpy(to, buf_span(&p->data).p, n);
	buf_take(&p->data, n);
	return (ssize_t)n;
}

ssize_t __wrap_writev(int fd, const struct iovec *iov, int count);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int count)
{
	struct fake_pipe *p = pipe_of(the_world, fd);
	size_t done = 0;

	if (p->reader_gone) {
		errno = EPIPE;
		return -1;
	}
	for (int i = 0; i < count && buf_size(&p->data) < PIPE_BYTES; i++) {
		size_t room = PIPE_BYTES - buf_size(&p->data);
		size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;
		buf_add(&p->data, (struct span){ iov[i].iov_base, n });
		done += n;
	}
	if (done > 0)
		return (ssize_t)done;
	errno = EAGAIN;
	return -1;
}

/* ---- loop/loop.h ---- */

struct sched *loop_sched(struct loop *l)
{
	return &l->sched;
}

struct watch *watch_open_at(
        struct loop *l, int fd, void (*ready)(void *arg, unsigned events), void *arg, const char *name, int line)
{
	struct watch *w = NEW(struct watch);

	(void)name;
	(void)line;
	*w = (struct watch){ .world = list_entry(l, struct world, loop), .fd = fd, .ready = ready, .arg = arg };
	list_append(&w->world->watches, &w->node);
	return w;
}

void watch_set(struct watch *w, unsigned events)
{
	w->mask = events;
}

int watch_fd(const struct watch *w)
{
	return w->fd;
}

void watch_close(struct watch **wp)
{
	struct watch *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	struct fake_pipe *p = pipe_of(w->world, w->fd);
	p->writer_gone = p->reader_gone = true; /* each of our pipes has one end on either side */
	p->ends--;
	w->world->fds[w->fd - FIRST_FD] = NULL;
	w->closed = true; /* freed by the turn: it may be the one in the callback */
}

void loop_bury(struct loop *l, void *object, void (*bury)(void *object))
{
	struct grave *g = NEW(struct grave);

	g->object = object;
	g->bury = bury;
	list_append(&list_entry(l, struct world, loop)->graves, &g->node);
}

/* ---- supervise/child.h: a process that does not exist, on the real ladder ---- */

static void child_event(struct child *c, enum ladder_event event);

static void on_ladder_timer(void *arg)
{
	child_event(arg, LADDER_EV_TIME);
}

static void arm(struct child *c, msec_t in_ms)
{
	timer_set_in(&c->world->loop.sched, &c->timer, in_ms, on_ladder_timer, c);
}

static void on_close_stdin(void *arg)
{
	struct child *c = arg;

	c->close_stdin(c->arg);
}

static void on_exited(void *arg)
{
	struct child *c = arg;

	child_event(c, LADDER_EV_EXIT);
	c->events->exited(c->arg, &c->how);
	if (c->output_ended)
		child_event(c, LADDER_EV_OUTPUT_END);
}

static void close_output(struct child *c)
{
	c->out.writer_gone = c->err.writer_gone = true;
}

static void on_family_leaves(void *arg)
{
	struct child *c = arg;

	world_tell(c->world, "the family of pid %d ends", c->pid);
	c->family = false;
	c->world->alive--;
	close_output(c);
}

static void family_die(struct child *c)
{
	if (!c->family)
		return;
	timer_stop(&c->world->outside, &c->family_leaves);
	on_family_leaves(c);
}

static void family_term(struct child *c)
{
	struct world *w = c->world;

	if (c->family && chance(w, 50))
		timer_set_in(&w->outside, &c->family_leaves, (msec_t)below(w, 1500), on_family_leaves, c);
}

/* That it has ended may be heard before its output ends, or a little later. */
static void die(struct child *c, bool signaled, int code)
{
	struct world *w = c->world;

	if (!c->alive)
		return;
	c->alive = false;
	c->how.signaled = signaled;
	c->how.code = code;
	world_tell(w, "pid %d ends: %s %d", c->pid, signaled ? "signal" : "code", code);
	server_end(&c->server);
	c->in.reader_gone = true;
	c->family = !c->how.killed && chance(w, 8);
	if (!c->family) {
		w->alive--;
		close_output(c);
	}
	event_set(w, &c->exit, chance(w, 70) ? 0 : (msec_t)below(w, 5), on_exited, c);
}

static void on_gone(void *arg)
{
	struct child *c = arg;

	c->events->gone(c->arg, &c->how);
	list_unlink(&c->node);
	assert(!timer_is_set(&c->timer) && !c->family);
	buf_free(&c->in.data);
	buf_free(&c->out.data);
	buf_free(&c->err.data);
	loop_bury(&c->world->loop, c, free);
}

static void arm_fast(struct child *c, enum ladder_state from)
{
	mono_t at = mono_add(c->world->loop.sched.now, 500);

	if (from != LADDER_EOF_SENT && timer_is_set(&c->timer))
		at = mono_min(at, c->timer.at);
	timer_set(&c->world->loop.sched, &c->timer, at, on_ladder_timer, c);
}

static void group_term(struct child *c)
{
	if (c->alive)
		server_term(c->server);
	family_term(c);
}

static void group_kill(struct child *c)
{
	c->how.killed = c->how.killed || c->alive;
	die(c, true, 9);
	family_die(c);
}

static void perform(struct child *c, unsigned actions, enum ladder_state from)
{
	if (actions & LADDER_DO_CLOSE_STDIN)
		post_set(&c->world->loop.sched, &c->stdin_post, on_close_stdin, c);
	if (actions & LADDER_DO_TERM_GROUP)
		group_term(c);
	if (actions & LADDER_DO_KILL_GROUP)
		group_kill(c);
	if (actions & LADDER_DO_ARM_EOF)
		arm(c, c->eof_ms);
	if (actions & LADDER_DO_ARM_TERM)
		arm(c, c->term_ms);
	if (actions & LADDER_DO_ARM_FAST)
		arm_fast(c, from);
	if (actions & LADDER_DO_ARM_KILL)
		arm(c, 500);
	if (actions & LADDER_DO_ARM_OUTPUT)
		arm(c, c->conf->output_ms);
	if (actions & LADDER_DO_DISARM)
		timer_stop(&c->world->loop.sched, &c->timer);
	if (actions & LADDER_DO_TELL_GONE)
		post_set(&c->world->loop.sched, &c->gone_post, on_gone, c);
}

static void child_event(struct child *c, enum ladder_event event)
{
	struct ladder_step step = ladder_next(c->state, event);
	enum ladder_state from = c->state;

	c->state = step.next;
	perform(c, step.actions, from);
}

struct child *child_spawn(struct supervisor *s, const struct child_conf *conf, const struct child_events *events,
        void *arg, int *in, int *out, int *err, struct err *e)
{
	struct world *w = (struct world *)(void *)s;

	if (w->spawning != NULL)
		w->spawning(w->spawning_arg);
	if (chance(w, 5)) {
		errno = EAGAIN;
		err_sys(e, "clone");
		return NULL;
	}
	struct child *c = NEW(struct child);
	*c = (struct child){ .world = w, .conf = conf, .events = events, .arg = arg, .alive = true };
	c->eof_ms = conf->stop_eof_ms;
	c->term_ms = conf->stop_term_ms;
	c->pid = 1000 + (int)++w->spawned;
	c->server = server_new(w, c);
	list_append(&w->children, &c->node);
	w->alive++;
	*in = fd_new(w, &c->in);
	*out = fd_new(w, &c->out);
	*err = fd_new(w, &c->err);
	world_tell(w, "pid %d starts: %s", c->pid, conf->name);
	return c;
}

void child_stop(struct child *c, enum child_stop how)
{
	static const enum ladder_event events[] = {
		[CHILD_STOP_LADDER] = LADDER_EV_STOP,
		[CHILD_STOP_FAST] = LADDER_EV_STOP_FAST,
		[CHILD_STOP_KILL] = LADDER_EV_KILL,
	};

	c->how.asked = c->how.asked || c->alive;
	child_event(c, events[how]);
}

void child_limit_stop(struct child *c, msec_t eof_ms, msec_t term_ms)
{
	c->eof_ms = eof_ms < c->eof_ms ? eof_ms : c->eof_ms;
	c->term_ms = term_ms < c->term_ms ? term_ms : c->term_ms;
}

void child_set_stop(struct child *c, msec_t eof_ms, msec_t term_ms)
{
	c->eof_ms = eof_ms;
	c->term_ms = term_ms;
}

void child_on_close_stdin(struct child *c, void (*close_stdin)(void *arg))
{
	c->close_stdin = close_stdin;
}

void child_output_ended(struct child *c)
{
	c->output_ended = true;
	if (c->state == LADDER_EXITED)
		child_event(c, LADDER_EV_OUTPUT_END);
}

int child_pid(const struct child *c)
{
	return c->pid;
}

/* ---- what a simulated server can do (server.h) ---- */

void process_write(struct child *c, struct span text)
{
	if (c->alive)
		buf_add(&c->out.data, text);
}

void process_exit(struct child *c, int code)
{
	die(c, false, code);
}

void process_die_of(struct child *c, int signo)
{
	die(c, true, signo);
}

/* ---- turns ---- */

static void feed_servers(struct world *w)
{
	list_each (node, &w->children) {
		struct child *c = list_entry(node, struct child, node);
		if (!c->alive)
			continue;
		size_t n = buf_size(&c->in.data);
		if (server_is_deaf(c->server))
			continue;
		if (n > 0) {
			server_input(c->server, buf_span(&c->in.data));
			if (buf_size(&c->in.data) > 0)
				buf_take(&c->in.data, n);
		}
		if (c->alive && c->in.writer_gone)
			server_eof(c->server);
	}
}

static unsigned events_of(struct world *w, const struct watch *watch)
{
	struct fake_pipe *p = pipe_of(w, watch->fd);
	unsigned events = 0;

	if (buf_size(&p->data) > 0 || p->writer_gone)
		events |= WATCH_READ;
	if (buf_size(&p->data) < PIPE_BYTES || p->reader_gone)
		events |= WATCH_WRITE;
	return events & watch->mask;
}

static bool tell_watches(struct world *w)
{
	bool any = false;

	list_each (node, &w->watches) {
		struct watch *watch = list_entry(node, struct watch, node);
		unsigned events = watch->closed ? 0 : events_of(w, watch);
		if (events == 0)
			continue;
		any = true;
		watch->ready(watch->arg, events);
	}
	return any;
}

static void clean_up(struct world *w)
{
	list_each (node, &w->watches) {
		struct watch *watch = list_entry(node, struct watch, node);
		if (!watch->closed)
			continue;
		list_unlink(node);
		free(watch);
	}
	for (struct list *node; (node = list_take_first(&w->graves)) != NULL;) {
		struct grave *g = list_entry(node, struct grave, node);
		g->bury(g->object);
		free(g);
	}
}

/* All that is there is read, and what that leads to, until nothing moves any more. */
static void settle(struct world *w)
{
	bool busy = true;

	for (unsigned rounds = 0; busy; rounds++) {
		assert(rounds < 100000); /* nothing may keep the loop busy for ever */
		while (!list_is_empty(&w->loop.sched.posts))
			sched_run_posts(&w->loop.sched);
		feed_servers(w);
		busy = tell_watches(w) || !list_is_empty(&w->loop.sched.posts);
		clean_up(w);
	}
}

/*
 * One turn; and more at the same point in time while timers are due, for one that a callback sets to a point that has
 * passed waits for the next turn (sched.c), with those behind it.
 */
static void turn(struct world *w)
{
	struct sched *s = &w->loop.sched;

	s->now = w->outside.now;
	settle(w);
	for (unsigned rounds = 0; mono_past(sched_first(s), s->now); rounds++) {
		assert(rounds < 1000); /* nor may a timer that is always due */
		sched_run_timers(s, s->now);
		settle(w);
	}
}

static void pass_outside(struct world *w, mono_t until)
{
	for (mono_t next; mono_past(next = sched_first(&w->outside), until);)
		sched_run_timers(&w->outside, mono_max(w->outside.now, next));
	w->outside.now = mono_max(w->outside.now, until);
}

static void maybe_stall(struct world *w)
{
	if (w->stalls == 0 || !chance(w, w->stall_percent))
		return;
	msec_t ms = chance(w, 50) ? (msec_t)below(w, 300) : (msec_t)below(w, 5000);
	w->stalls--;
	w->stalled_ms += ms;
	world_tell(w, "the loop stalls for %lld ms", (long long)ms);
	pass_outside(w, mono_add(w->outside.now, ms));
}

bool world_run(struct world *w, mono_t until, bool (*done)(void *arg), void *arg)
{
	for (;;) {
		turn(w);
		if (done(arg))
			return true;
		mono_t next = mono_min(sched_first(&w->loop.sched), sched_first(&w->outside));
		if (next.ms > until.ms)
			return false;
		pass_outside(w, next);
		maybe_stall(w);
	}
}

void world_stall(struct world *w, unsigned times, unsigned percent)
{
	w->stalls = times;
	w->stall_percent = percent;
}

msec_t world_stalled_ms(const struct world *w)
{
	return w->stalled_ms;
}

static void on_event_due(void *arg)
{
	struct event *e = arg;

	e->came = e->world->outside.now;
	post_set(&e->world->loop.sched, &e->post, e->meet, e->arg);
}

void event_set(struct world *w, struct event *e, msec_t in_ms, void (*meet)(void *arg), void *arg)
{
	e->world = w;
	e->meet = meet;
	e->arg = arg;
	timer_set_in(&w->outside, &e->timer, in_ms, on_event_due, e);
}

void event_stop(struct event *e)
{
	if (e->world == NULL)
		return;
	timer_stop(&e->world->outside, &e->timer);
	post_cancel(&e->post);
}

struct world *world_new(uint64_t seed)
{
	struct world *w = NEW(struct world);

	w->random = seed * 0x9e3779b97f4a7c15u + 1;
	sched_init(&w->loop.sched, (mono_t){ 1000000 });
	sched_init(&w->outside, w->loop.sched.now);
	list_init(&w->watches);
	list_init(&w->children);
	list_init(&w->graves);
	the_world = w;
	return w;
}

void world_free(struct world **wp)
{
	struct world *w = *wp;

	*wp = NULL;
	turn(w);
	assert(w->loop.sched.count == 0 && w->outside.count == 0);
	assert(list_is_empty(&w->watches) && list_is_empty(&w->children));
	sched_clear(&w->loop.sched);
	sched_clear(&w->outside);
	the_world = NULL;
	free(w);
}

struct sched *world_sched(struct world *w)
{
	return &w->loop.sched;
}

struct sched *world_outside(struct world *w)
{
	return &w->outside;
}

struct loop *world_loop(struct world *w)
{
	return &w->loop;
}

struct supervisor *world_supervisor(struct world *w)
{
	return (struct supervisor *)(void *)w;
}

unsigned world_alive(const struct world *w)
{
	return w->alive;
}

unsigned world_spawned(const struct world *w)
{
	return w->spawned;
}

void world_on_spawn(struct world *w, void (*spawned)(void *arg), void *arg)
{
	w->spawning = spawned;
	w->spawning_arg = arg;
}

void world_each_alive(struct world *w, void (*see)(void *arg, int pid), void *arg)
{
	list_each (node, &w->children) {
		struct child *c = list_entry(node, struct child, node);
		if (c->alive)
			see(arg, c->pid);
	}
}

void world_term_all(struct world *w)
{
	list_each (node, &w->children)
		group_term(list_entry(node, struct child, node));
}

void world_kill_all(struct world *w)
{
	list_each (node, &w->children)
		group_kill(list_entry(node, struct child, node));
}
