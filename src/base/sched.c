#include "base/sched.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

void sched_init(struct sched *s, mono_t now)
{
	*s = (struct sched){ .now = now };
	list_init(&s->posts);
}

void sched_clear(struct sched *s)
{
	free(s->heap);
	s->heap = NULL;
	s->count = s->room = 0;
}

static bool before(const struct timer *a, const struct timer *b)
{
	return a->at.ms != b->at.ms ? a->at.ms < b->at.ms : a->order < b->order;
}

static void place(struct sched *s, struct timer *t, size_t index)
{
	s->heap[index - 1] = t;
	t->index = index;
}

static void sift_up(struct sched *s, struct timer *t, size_t at)
{
	while (at > 1 && before(t, s->heap[at / 2 - 1])) {
		place(s, s->heap[at / 2 - 1], at);
		at /= 2;
	}
	place(s, t, at);
}

static void sift_down(struct sched *s, struct timer *t, size_t at)
{
	for (size_t child; (child = at * 2) <= s->count; at = child) {
		if (child < s->count && before(s->heap[child], s->heap[child - 1]))
			child++;
		if (!before(s->heap[child - 1], t))
			break;
		place(s, s->heap[child - 1], at);
	}
	place(s, t, at);
}

void timer_stop(struct sched *s, struct timer *t)
{
	size_t at = t->index;

	if (at == 0)
		return;
	t->index = 0;
	struct timer *last = s->heap[--s->count];
	if (last == t)
		return;
	if (at > 1 && before(last, s->heap[at / 2 - 1]))
		sift_up(s, last, at);
	else
		sift_down(s, last, at);
}

static void tell(struct sched *s)
{
	if (s->wanted != NULL)
		s->wanted(s);
}

void timer_set_named(struct sched *s, struct timer *t, mono_t at, void (*fire)(void *arg), void *arg, const char *name)
{
	timer_stop(s, t);
	if (at.ms == MONO_NEVER.ms)
		return;
	if (s->count == s->room) {
		s->room = s->room > 0 ? s->room * 2 : 64;
		s->heap = mem_realloc(s->heap, s->room * sizeof(struct timer *));
	}
	*t = (struct timer){ .at = at, .order = s->order++, .fire = fire, .arg = arg, .name = name };
	sift_up(s, t, ++s->count);
	if (t->index == 1)
		tell(s);
}

void post_set_named(struct sched *s, struct post *p, void (*run)(void *arg), void *arg, const char *name)
{
	if (list_is_linked(&p->node))
		return;
	bool first = list_is_empty(&s->posts);
	p->run = run;
	p->arg = arg;
	p->name = name;
	list_append(&s->posts, &p->node);
	if (first)
		tell(s);
}

void post_cancel(struct post *p)
{
	list_unlink(&p->node);
}

static void call(struct sched *s, void (*callback)(void *arg), void *arg, const char *name)
{
	sched_begin(s, name);
	callback(arg);
	sched_end(s, name);
}

mono_t sched_first(const struct sched *s)
{
	return s->count > 0 ? s->heap[0]->at : MONO_NEVER;
}

void sched_run_timers(struct sched *s, mono_t now)
{
	uint64_t until = s->order; /* a timer set by a callback waits for the next turn, or a loop of them would starve
	                              all else */

	s->now = now;
	while (s->count > 0 && mono_past(s->heap[0]->at, now) && s->heap[0]->order < until) {
		struct timer *t = s->heap[0];
		timer_stop(s, t);
		call(s, t->fire, t->arg, t->name);
	}
}

void sched_run_posts(struct sched *s)
{
	struct list batch;

	list_move_all(&s->posts, &batch);
	for (struct list *node; (node = list_take_first(&batch)) != NULL;) {
		struct post *p = list_entry(node, struct post, node);
		call(s, p->run, p->arg, p->name);
	}
}
