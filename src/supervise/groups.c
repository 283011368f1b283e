#include "supervise/groups.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"

static void replace(struct groups *g, pid_t from, pid_t to)
{
	for (size_t i = 0; i < GROUPS_MAX; i++)
		if (atomic_load(&g->leader[i]) == from) {
			atomic_store(&g->leader[i], to);
			return;
		}
}

void groups_add(struct groups *g, pid_t leader)
{
	replace(g, 0, leader);
}

void groups_remove(struct groups *g, pid_t leader)
{
	replace(g, leader, 0);
}

/* An escapee has left its group, and may lead one of its own. */
static void kill_listed(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

/* "12 345 6789 ", in pieces: main may hold the lock of malloc for ever. Orphans are given to the main thread. */
static void kill_children(void)
{
	char path[64], text[1024];
	pid_t pid = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	for (ssize_t n; fd >= 0 && (n = read(fd, text, sizeof(text))) > 0;)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (pid > 0)
				kill_listed(pid);
			pid = 0;
		}
}

unsigned groups_kill(const struct groups *g)
{
	unsigned killed = 0;

	for (size_t i = 0; i < GROUPS_MAX; i++) {
		pid_t leader = atomic_load(&g->leader[i]);
		killed += leader != 0 && kill(-leader, SIGKILL) == 0;
	}
	if (g->proc_is_ours)
		kill_children();
	return killed;
}
