/*
 * Signals first, then three open descriptors, then the command: see ARCHITECTURE.md.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/leave.h"
#include "cli/cli.h"
#include "cli/signals.h"

/* Blocked for ever and in every thread: they are read from a signalfd. One that comes before that is not lost. */
static void block_signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2 }; /* errors say it; or nothing is meant */
	sigset_t set;

	signals_ours(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

/* Or the first descriptor that we open would take the place of stdin, stdout or stderr. */
static void open_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	block_signals();
	open_standard_fds();
	int code = cli_run(argc, argv, (const char *const *)environ, stdout, stderr);
	fflush(stdout);
	process_leave(code);
}
