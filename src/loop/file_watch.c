#include "loop/file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/mem.h"

#define LINKS_MAX 8 /* that are followed from one file */
#define FOLDER_EVENTS                                                                                        \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | \
	        IN_MOVE_SELF | IN_ONLYDIR)

/* A name in a folder. */
struct place {
	int folder; /* as inotify numbers it */
	struct span name;
};

struct places {
	struct arena arena;
	struct place *items;
	size_t count;
};

struct file_watch {
	struct loop *loop;
	struct watch *events;
	struct places places;
	void (*look)(void *arg);
	void *arg;
	struct timer timer;
	mono_t latest; /* the look that is due may not be put off beyond this */
};

/* ---- signs ---- */

static void on_time(void *arg)
{
	struct file_watch *w = arg;

	w->look(w->arg);
}

void file_watch_poke(struct file_watch *w)
{
	struct sched *s = loop_sched(w->loop);

	if (!timer_is_set(&w->timer))
		w->latest = mono_add(s->now, FILE_WATCH_MOST_MS);
	timer_set(s, &w->timer, mono_min(mono_add(s->now, FILE_WATCH_QUIET_MS), w->latest), on_time, w);
}

static bool is_watched(const struct file_watch *w, int folder, struct span name)
{
	for (size_t i = 0; i < w->places.count; i++)
		if (w->places.items[i].folder == folder && span_eq(w->places.items[i].name, name))
			return true;
	return false;
}

/* An event without a name is about a folder itself, or tells that some were lost. */
static bool is_sign(const struct file_watch *w, const struct inotify_event *event)
{
	if (event->mask & IN_IGNORED)
		return false;
	return event->len == 0 || is_watched(w, event->wd, span_of(event->name));
}

static void on_events(void *arg, unsigned events)
{
	struct file_watch *w = arg;
	_Alignas(struct inotify_event) char bytes[sizeof(struct inotify_event) + NAME_MAX + 1];
	bool changed = false;
	ssize_t n;

	(void)events;
	while ((n = read(watch_fd(w->events), bytes, sizeof(bytes))) > 0)
		for (char *at = bytes; at < bytes + n;) {
			const struct inotify_event *event = (const struct inotify_event *)(void *)at;
			changed |= is_sign(w, event);
			at += sizeof(*event) + event->len;
		}
	if (changed)
		file_watch_poke(w);
}

/* ---- places ---- */

static struct span folder_of(struct span path)
{
	size_t end = path.n;

	while (end > 0 && path.p[end - 1] != '/')
		end--;
	return span_cut(path, end);
}

static bool add_place(struct file_watch *w, struct places *places, struct span path, struct err *e)
{
	struct span folder = folder_of(path), name = span_skip(path, folder.n);
	const char *text = folder.n > 0 ? arena_copy(&places->arena, folder).p : ".";

	if (places->count == FILE_WATCH_MAX)
		return err_set(e, "more than %zu files", FILE_WATCH_MAX);
	int number = inotify_add_watch(watch_fd(w->events), text, FOLDER_EVENTS);
	if (number < 0)
		return err_sys(e, "%s", text);
	places->items[places->count++] = (struct place){ number, arena_copy(&places->arena, name) };
	return true;
}

/* What is written in a link; not set: it is none. */
static struct span read_link(struct arena *a, struct span path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path.p, target, sizeof(target));

	return n > 0 && (size_t)n < sizeof(target) ? arena_copy(a, (struct span){ target, (size_t)n }) : SPAN_NONE;
}

static struct span join(struct arena *a, struct span folder, struct span name)
{
	return span_of(arena_printf(a, "%.*s%.*s", SPAN_ARG(folder), SPAN_ARG(name)));
}

/* The file, then where its link leads to, and so on. A link to `..data/name` hangs on `..data` in its own folder, too.
 */
static bool add_file(struct file_watch *w, struct places *places, const char *file, struct err *e)
{
	struct arena *a = &places->arena;
	struct span path = span_of(file);
	bool fine = add_place(w, places, path, e);

	for (int links = 0; fine && links < LINKS_MAX; links++) {
		struct span target = read_link(a, path), folder = folder_of(path);
		if (!span_is_set(target))
			break;
		size_t slash = span_find(target, '/');
		if (slash > 0 && slash < target.n)
			fine = add_place(w, places, join(a, folder, span_cut(target, slash)), e);
		path = slash == 0 ? target : join(a, folder, target);
		fine = fine && add_place(w, places, path, e);
	}
	return fine;
}

static bool has_folder(const struct places *places, int folder)
{
	for (size_t i = 0; i < places->count; i++)
		if (places->items[i].folder == folder)
			return true;
	return false;
}

/* A folder that is left more than once is gone the first time, which inotify only remarks upon. */
static void leave_folders(struct file_watch *w, const struct places *now)
{
	for (size_t i = 0; i < w->places.count; i++)
		if (!has_folder(now, w->places.items[i].folder))
			inotify_rm_watch(watch_fd(w->events), w->places.items[i].folder);
}

bool file_watch_set(struct file_watch *w, const char *const *files, size_t n, struct err *e)
{
	struct places now = { 0 };
	bool fine = true;

	now.items = ARENA_ARRAY(&now.arena, struct place, FILE_WATCH_MAX);
	for (size_t i = 0; i < n; i++) {
		struct err fault;
		if (!add_file(w, &now, files[i], fine ? e : &fault))
			fine = false;
	}
	leave_folders(w, &now);
	arena_free(&w->places.arena);
	w->places = now;
	return fine;
}

/* ---- life ---- */

struct file_watch *file_watch_new(struct loop *l, void (*look)(void *arg), void *arg, struct err *e)
{
	AUTO_FD int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0) {
		err_sys(e, "inotify");
		return NULL;
	}
	struct file_watch *w = NEW(struct file_watch);
	*w = (struct file_watch){ .loop = l, .look = look, .arg = arg };
	w->events = watch_open(l, fd, on_events, w);
	if (w->events == NULL) {
		err_sys(e, "watch inotify");
		free(w);
		return NULL;
	}
	fd_take(&fd);
	watch_set(w->events, WATCH_READ);
	return w;
}

void file_watch_free(struct file_watch **wp)
{
	struct file_watch *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	timer_stop(loop_sched(w->loop), &w->timer);
	watch_close(&w->events);
	arena_free(&w->places.arena);
	free(w);
}
