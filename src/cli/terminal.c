#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "config/environment.h"

#define WIDTH_USUAL 80
#define WIDTH_MAX 10000

bool terminal_is(FILE *f)
{
	int fd = fileno(f);

	return fd >= 0 && isatty(fd);
}

unsigned terminal_width(FILE *f, const char *const *environment)
{
	struct winsize window;
	uint64_t columns;
	int fd = fileno(f);

	if (fd >= 0 && ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
		return window.ws_col;
	if (span_to_u64(span_of(environment_get(environment, SPAN("COLUMNS"))), WIDTH_MAX, &columns) && columns > 0)
		return (unsigned)columns;
	return WIDTH_USUAL;
}
