/*
 * One line on a terminal that tells what takes so long. It shows itself after a moment, so that quick work leaves no
 * trace, and wipes itself out at the end. On anything but a terminal it does nothing. The owner embeds it; the cursor
 * is left at the start of the line, so that a line of the log that comes meanwhile covers it.
 */
#ifndef SLUICE_CLI_SPINNER_H
#define SLUICE_CLI_SPINNER_H

#include <stdio.h>

#include "base/buf.h"
#include "base/sched.h"

struct spinner {
	FILE *to;
	const char *const *environment;
	struct sched *sched;
	bool on, shown;
	unsigned frame;
	mono_t since;
	struct timer timer;
	struct buf what, note;
};

void spinner_init(struct spinner *s, struct sched *sched, FILE *to, const char *const *environment);

/* Begins to spin with this text. */
void spinner_start(struct spinner *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* News from the work, shown behind the text from the next turn on, until there are others. */
void spinner_note(struct spinner *s, struct span note);

/* Wipes it out for the moment, so that something else can be printed. */
void spinner_wipe(struct spinner *s);

/* The end of it: nothing is shown any more, and no memory held. */
void spinner_stop(struct spinner *s);

#endif
