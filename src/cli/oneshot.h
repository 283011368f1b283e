/*
 * What `list` and `call` stand on: the gateway in this very process, with one user and no front. Only the servers that
 * are needed are started, each gets one try, and at the end all of them are stopped by the ladder.
 *
 * A command reads from top to bottom: where it has to wait it turns the loop (oneshot_wait), which comes back whenever
 * something has happened. SIGINT, SIGTERM, SIGHUP and the end of --timeout cut the work short; once the end has begun,
 * each further signal makes it faster.
 *
 * The command owns the struct, from oneshot_open to oneshot_end, which never returns.
 */
#ifndef SLUICE_CLI_ONESHOT_H
#define SLUICE_CLI_ONESHOT_H

#include "cli/app.h"
#include "cli/cli.h"
#include "cli/spinner.h"

struct oneshot {
	const struct cli *cli;
	const char *command; /* its name, for messages */
	struct app app;
	struct spinner spinner;
	struct buf out;   /* the result; oneshot_end writes it to stdout */
	bool interrupted; /* by a signal */
	bool timed_out;
	bool ending, killed, swept;
	bool hurried; /* a signal came after the end had begun */
	enum backend_stop how;
	struct timer timer; /* of --timeout, then of the end */
	struct timer look;
	struct watch *in, *pipe; /* our ends of the pumps for stdin and stdout; NULL: closed */
	struct buf input;
};

/*
 * Loads the configuration and makes the gateway; leaves the process when that fails. The log tells warnings and errors
 * only, unless the user says otherwise: what is in the file is meant for `serve`.
 */
void oneshot_open(struct oneshot *o, const struct cli *c, const char *command);

/* Turns the loop until something has happened. False: there is no more time. */
bool oneshot_wait(struct oneshot *o);
void oneshot_wake(struct oneshot *o);

/* False: there is none of that name, which is told. */
bool oneshot_find_server(struct oneshot *o, const char *name, int *scope);

/*
 * Starts the servers of the scope, and waits until each is up or has failed once. False: interrupted. When time is up,
 * those that are not up by then are down.
 */
bool oneshot_start(struct oneshot *o, int scope);
bool oneshot_is_up(const struct oneshot *o, size_t server);

/* Says on stderr which servers of the scope cannot be reached, and why. Returns how many are up. */
size_t oneshot_tell_down(struct oneshot *o, int scope);

/* Reads stdin to its end. False: interrupted, out of time, or more than `max`; which is told. */
bool oneshot_read_stdin(struct oneshot *o, size_t max, struct buf *text);

/* A line on stderr, with the command's name in front. */
void oneshot_complain(struct oneshot *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for work that was cut short: interrupted, or out of time. */
void oneshot_tell_cut(struct oneshot *o);

/* Writes the result while the servers stop, and leaves the process when all that is done. */
_Noreturn void oneshot_end(struct oneshot *o, int code);

#endif
