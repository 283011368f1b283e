#include "loop/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

static msec_t cpu_ms(void)
{
	struct timespec used = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (msec_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* /proc/self/statm: pages of virtual memory, and of what is resident (proc_pid_statm(5)). */
static void read_memory(struct usage *u)
{
	AUTO_FD int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char text[128], *next;
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	text[n > 0 ? n : 0] = '\0';
	u->virtual_bytes = strtoull(text, &next, 10) * page;
	u->resident_bytes = strtoull(next, NULL, 10) * page;
}

static uint64_t count_entries(const char *path)
{
	DIR *folder = opendir(path);
	uint64_t n = 0;

	if (folder == NULL)
		return 0;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		n += entry->d_name[0] != '.';
	closedir(folder);
	return n;
}

/* Since Linux 6.2 the size of /proc/self/fd is the number of descriptors, without a walk over thousands of them. The
 * walk sees its own. */
static uint64_t open_fds(void)
{
	struct stat st;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return (uint64_t)st.st_size;
	uint64_t n = count_entries("/proc/self/fd");
	return n > 0 ? n - 1 : 0;
}

void usage_read(struct usage *u)
{
	struct rlimit limit = { 0 };

	*u = (struct usage){ .cpu_ms = cpu_ms(), .open_fds = open_fds(), .threads = count_entries("/proc/self/task") };
	read_memory(u);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		u->max_fds = limit.rlim_cur;
}
