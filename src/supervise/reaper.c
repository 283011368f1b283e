#include "supervise/reaper.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/span.h"

#define LIST_MAX (4 * 1024 * 1024)
#define ENVIRON_MAX (4 * 1024 * 1024)
#define PID_MAX_LIMIT (4 * 1024 * 1024) /* proc_sys_kernel(5) */

/* Reads a file of /proc, by pid: false when the process is gone, or not ours to read. */
static bool read_proc(pid_t pid, const char *name, size_t max, char **text, size_t *n)
{
	char path[64];
	struct err e = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fd_read_file(path, max, text, n, &e);
}

static bool parse_pid(struct span s, pid_t *pid)
{
	uint64_t number;

	if (!span_to_u64(s, PID_MAX_LIMIT, &number))
		return false;
	*pid = (pid_t)number;
	return true;
}

static void add(struct reaper *r, pid_t pid)
{
	if (r->n == r->room) {
		r->room = r->room > 0 ? r->room * 2 : 64;
		r->pids = mem_realloc(r->pids, r->room * sizeof(*r->pids));
	}
	r->pids[r->n++] = pid;
}

/* "12 345 6789 " */
static bool add_children_of(struct reaper *r, pid_t task)
{
	char path[64], *text;
	struct span rest, part;
	struct err e = { 0 };
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)task);
	if (!fd_read_file(path, LIST_MAX, &text, &rest.n, &e))
		return false;
	rest.p = text;
	while (span_next(&rest, ' ', &part))
		if (parse_pid(part, &pid))
			add(r, pid);
	free(text);
	return true;
}

/* Calls `each` for every entry that is a number. */
static void each_number_in(const char *path, struct reaper *r, void (*each)(struct reaper *r, pid_t number))
{
	DIR *dir = opendir(path);
	pid_t pid;

	if (dir == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (parse_pid(span_of(entry->d_name), &pid))
			each(r, pid);
	closedir(dir);
}

static void list_by_task(struct reaper *r, pid_t task)
{
	add_children_of(r, task);
}

/* "12 (a name, with ) in it) S 1 ...": the parent is the second field after the last parenthesis (proc_pid_stat(5)). */
static pid_t parent_in_stat(const char *text)
{
	const char *end = strrchr(text, ')');
	struct span rest = span_skip(span_of(end), strlen(") S "));
	pid_t parent = 0;

	return parse_pid(span_cut(rest, span_find(rest, ' ')), &parent) ? parent : -1;
}

static void list_by_stat(struct reaper *r, pid_t pid)
{
	char *text;
	size_t n;

	if (!read_proc(pid, "stat", 4096, &text, &n))
		return;
	if (parent_in_stat(text) == getpid())
		add(r, pid);
	free(text);
}

void reaper_list(struct reaper *r)
{
	r->n = 0;
	if (!r->proc_is_ours)
		return;
	if (r->has_children_file)
		each_number_in("/proc/self/task", r, list_by_task);
	else
		each_number_in("/proc", r, list_by_stat);
}

static bool is_proc_ours(void)
{
	char text[32] = "";
	pid_t pid;
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	return n > 0 && parse_pid(span_of(text), &pid) && pid == getpid();
}

bool reaper_init(struct reaper *r, struct err *e)
{
	*r = (struct reaper){ .proc_is_ours = is_proc_ours() };
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return err_sys(e, "become the subreaper of our descendants");
	r->has_children_file = r->proc_is_ours && add_children_of(r, getpid()); /* CONFIG_PROC_CHILDREN */
	return true;
}

void reaper_clear(struct reaper *r)
{
	free(r->pids);
	*r = (struct reaper){ 0 };
}

bool reaper_reap(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == pid;
}

pid_t reaper_peek(void)
{
	siginfo_t info = { 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? info.si_pid : 0;
}

bool reaper_is_alone(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

bool reaper_tag(pid_t pid, char tag[REAPER_TAG_MAX])
{
	char *text;
	struct span rest, entry;
	bool found = false;

	if (!read_proc(pid, "environ", ENVIRON_MAX, &text, &rest.n))
		return false;
	rest.p = text;
	while (!found && span_next(&rest, '\0', &entry))
		if (span_starts(entry, SPAN(REAPER_TAG_NAME "="))) {
			entry = span_skip(entry, sizeof(REAPER_TAG_NAME));
			found = entry.n < REAPER_TAG_MAX;
			snprintf(tag, REAPER_TAG_MAX, "%.*s", SPAN_ARG(entry));
		}
	free(text);
	return found;
}

void reaper_name(pid_t pid, char name[16])
{
	char *text;
	size_t n;

	snprintf(name, 16, "?");
	if (!read_proc(pid, "comm", 64, &text, &n))
		return;
	snprintf(name, 16, "%.*s", SPAN_ARG(span_cut(span_of(text), span_find(span_of(text), '\n'))));
	free(text);
}
