#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "supervise/child_private.h"

#define SCAN_GAP_MS 5       /* a storm of SIGCHLD costs no more scans than this allows */
#define SCAN_AGAIN_MS 1000  /* the list of children is best effort: look once more after things have calmed down */
#define LOOKS_MAX 4         /* for the tag of a stranger: an environment is empty for a moment during exec */
#define LOOK_AGAIN_MS 10    /* after the first look; then ten times as long */
#define ORPHAN_TERM_MS 1000 /* from SIGTERM to SIGKILL for the orphan of a child that is long gone */

/* A child of ours that we did not start: re-parented to us when its parent ended. Freed when it is reaped. */
struct stranger {
	pid_t pid;
	char tag[REAPER_TAG_MAX]; /* "": not known */
	int looks;
	mono_t look_at; /* not before */
	bool termed, killed;
	mono_t termed_at;
};

static void scan_due(void *arg);

static void scan_in(struct supervisor *s, msec_t ms)
{
	mono_t at = mono_add(loop_now(s->loop), ms);

	if (timer_is_set(&s->scan_timer))
		at = mono_min(at, s->scan_timer.at);
	timer_set(loop_sched(s->loop), &s->scan_timer, at, scan_due, s);
}

/* Strangers */

static struct stranger *stranger_of(struct supervisor *s, pid_t pid)
{
	struct stranger *st = map_get_u64(&s->strangers, (uint64_t)pid);

	if (st == NULL) {
		st = NEW(struct stranger);
		st->pid = pid;
		map_put_u64(&s->strangers, (uint64_t)pid, st);
	}
	return st;
}

static void forget_stranger(struct supervisor *s, pid_t pid)
{
	free(map_remove_u64(&s->strangers, (uint64_t)pid));
}

static struct child *child_in_session(struct supervisor *s, pid_t session)
{
	list_each (node, &s->children) {
		struct child *c = list_entry(node, struct child, node);
		if (c->pid == session)
			return c;
	}
	return NULL;
}

static struct child *child_with_tag(struct supervisor *s, const char *tag)
{
	list_each (node, &s->children) {
		struct child *c = list_entry(node, struct child, node);
		if (strcmp(c->tag, tag) == 0)
			return c;
	}
	return NULL;
}

/* Not at each scan: in a storm of them all looks would fall into one moment. */
static void look_later(struct supervisor *s, struct stranger *st)
{
	msec_t wait_ms = LOOK_AGAIN_MS;

	for (int i = 1; i < st->looks; i++)
		wait_ms *= 10;
	st->look_at = mono_add(loop_now(s->loop), wait_ms);
	scan_in(s, wait_ms);
}

/* Whose orphan it is: by its environment, else by its session, whose number is not used again while it has members. */
static void identify(struct supervisor *s, struct stranger *st)
{
	if (st->tag[0] != '\0' || st->looks == LOOKS_MAX || !mono_past(st->look_at, loop_now(s->loop)))
		return;
	if (reaper_tag(st->pid, st->tag))
		return;
	struct child *c = child_in_session(s, getsid(st->pid));
	if (c != NULL)
		memcpy(st->tag, c->tag, sizeof(st->tag));
	else if (++st->looks < LOOKS_MAX)
		look_later(s, st);
}

static void signal_stranger(struct supervisor *s, const struct stranger *st, int signo, bool again)
{
	char name[16];

	kill(st->pid, signo);
	if (again)
		return;
	reaper_name(st->pid, name);
	log_info(&s->log, signo == SIGKILL ? "orphan_killed" : "orphan_stopped",
	        signo == SIGKILL ? "an orphan gets SIGKILL" : "an orphan gets SIGTERM", F_INT("pid", st->pid),
	        F_STR("name", name), F_STR("child", st->tag));
}

static void term_stranger(struct supervisor *s, struct stranger *st)
{
	signal_stranger(s, st, SIGTERM, false);
	st->termed = true;
	st->termed_at = loop_now(s->loop);
}

static void kill_stranger(struct supervisor *s, struct stranger *st)
{
	signal_stranger(s, st, SIGKILL, st->killed);
	st->killed = true;
}

/* SIGTERM once, SIGKILL when its time is up. For who is left when its child is long gone. */
static void stop_stranger(struct supervisor *s, struct stranger *st)
{
	if (!st->termed)
		term_stranger(s, st);
	else if (mono_past(mono_add(st->termed_at, ORPHAN_TERM_MS), loop_now(s->loop)))
		kill_stranger(s, st);
	scan_in(s, SCAN_AGAIN_MS);
}

/* Whether its leader's group got a SIGTERM that was meant for it, too: many take a second one for "at once". */
static bool is_in_group(const struct stranger *st, const struct child *c)
{
	return getpgid(st->pid) == c->pid;
}

/*
 * The orphan of a living child is left alone, so is a process of no child (somebody's `kubectl exec`) until the end.
 * When the child has ended its orphans get SIGTERM; when the child's time is up and it is swept, SIGKILL.
 */
static void judge(struct supervisor *s, struct stranger *st)
{
	identify(s, st);
	struct child *c = child_with_tag(s, st->tag);
	if (c != NULL)
		c->orphans++;
	if (s->sweeping || (c != NULL && c->state == LADDER_GONE))
		kill_stranger(s, st);
	else if (c != NULL && c->state == LADDER_EXITED && !st->termed && !is_in_group(st, c))
		term_stranger(s, st);
	else if (c == NULL && st->tag[0] != '\0')
		stop_stranger(s, st);
}

/* The scan */

static void reaped_stranger(struct supervisor *s, pid_t pid)
{
	log_debug(&s->log, "orphan_reaped", "an orphan has ended", F_INT("pid", pid));
	s->stats.orphans_reaped++;
	forget_stranger(s, pid);
}

static void scan_listed(struct supervisor *s)
{
	reaper_list(&s->reaper);
	for (size_t i = 0; i < s->reaper.n; i++) {
		pid_t pid = s->reaper.pids[i];
		if (map_get_u64(&s->by_pid, (uint64_t)pid) != NULL)
			continue;
		if (reaper_reap(pid))
			reaped_stranger(s, pid);
		else
			judge(s, stranger_of(s, pid));
	}
}

/* Without a /proc of ours: whoever has ended, until one of our own stands in front, which is kept by its own life. */
static void scan_blind(struct supervisor *s)
{
	for (pid_t pid; (pid = reaper_peek()) != 0 && map_get_u64(&s->by_pid, (uint64_t)pid) == NULL;)
		if (reaper_reap(pid))
			reaped_stranger(s, pid);
}

void supervisor_scan(struct supervisor *s)
{
	s->scanned = loop_now(s->loop);
	list_each (counted, &s->children)
		list_entry(counted, struct child, node)->orphans = 0;
	if (s->reaper.proc_is_ours)
		scan_listed(s);
	else
		scan_blind(s);
	list_each (told, &s->children)
		child_scanned(list_entry(told, struct child, node));
}

static void scan_due(void *arg)
{
	struct supervisor *s = arg;

	supervisor_scan(s);
	if (s->look_again)
		scan_in(s, SCAN_AGAIN_MS);
	s->look_again = false;
}

/* Many ends may hide behind one SIGCHLD, and many SIGCHLD behind one look. */
void supervisor_sigchld(struct supervisor *s)
{
	msec_t since = mono_diff(loop_now(s->loop), s->scanned);

	s->look_again = true;
	scan_in(s, since < SCAN_GAP_MS ? SCAN_GAP_MS - since : 0);
}

/* The end */

static void log_left(struct supervisor *s)
{
	char name[16];

	reaper_list(&s->reaper);
	for (size_t i = 0; i < s->reaper.n; i++) {
		reaper_name(s->reaper.pids[i], name);
		log_error(&s->log, "process_left", "a process cannot be ended", F_INT("pid", s->reaper.pids[i]),
		        F_STR("name", name));
	}
}

/* With an outer /proc nobody can be named; as the init of a pid namespace everybody in it is ours. */
static void kill_unseen(const struct supervisor *s)
{
	if (!s->reaper.proc_is_ours && getpid() == 1)
		kill(-1, SIGKILL);
}

static void sweep_step(void *arg)
{
	struct supervisor *s = arg;
	bool late = mono_past(s->sweep_deadline, loop_now(s->loop));

	supervisor_kill_all(s);
	kill_unseen(s);
	supervisor_scan(s);
	bool clean = list_is_empty(&s->children) && reaper_is_alone();
	if (!clean && !late) {
		s->sweep_wait_ms = sweep_next_wait(s->sweep_wait_ms);
		timer_set_in(loop_sched(s->loop), &s->sweep_timer, s->sweep_wait_ms, sweep_step, s);
		return;
	}
	if (!clean)
		log_left(s);
	timer_stop(loop_sched(s->loop), &s->scan_timer);
	s->swept(s->swept_arg);
}

void supervisor_sweep(struct supervisor *s, mono_t deadline, void (*done)(void *arg), void *arg)
{
	assert(!s->sweeping);
	s->sweeping = true;
	s->sweep_deadline = deadline;
	s->swept = done;
	s->swept_arg = arg;
	timer_set_in(loop_sched(s->loop), &s->sweep_timer, 0, sweep_step, s);
}

void supervisor_kill_all(struct supervisor *s)
{
	list_each (node, &s->children)
		child_stop(list_entry(node, struct child, node), CHILD_STOP_KILL);
}

/* The supervisor */

struct supervisor *supervisor_new(struct loop *l, const struct logger *lg, struct err *e)
{
	struct supervisor *s = NEW(struct supervisor);

	s->loop = l;
	s->log = *lg;
	list_init(&s->children);
	if (!spawner_init(&s->spawner, e) || !reaper_init(&s->reaper, e)) {
		spawner_clear(&s->spawner);
		free(s);
		return NULL;
	}
	s->groups.proc_is_ours = s->reaper.proc_is_ours;
	if (!s->reaper.proc_is_ours)
		log_warn(&s->log, "foreign_proc", "/proc shows another pid namespace: orphans cannot be told apart");
	return s;
}

void supervisor_set_child_fds(struct supervisor *s, unsigned long soft)
{
	s->spawner.soft_fds = soft;
}

const struct groups *supervisor_groups(const struct supervisor *s)
{
	return &s->groups;
}

void supervisor_stats(const struct supervisor *s, struct supervisor_stats *stats)
{
	*stats = s->stats;
}

const struct histogram *supervisor_ended(const struct supervisor *s, enum stop_step step)
{
	assert(step < STOP_STEP_COUNT);
	return &s->ended[step];
}

void supervisor_free(struct supervisor **sp)
{
	struct supervisor *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	assert(list_is_empty(&s->children));
	timer_stop(loop_sched(s->loop), &s->scan_timer);
	timer_stop(loop_sched(s->loop), &s->sweep_timer);
	for (size_t i = 0; i < s->strangers.size; i++)
		free(s->strangers.slots[i].value);
	map_free(&s->strangers);
	map_free(&s->by_pid);
	reaper_clear(&s->reaper);
	spawner_clear(&s->spawner);
	free(s);
}
