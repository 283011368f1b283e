/*
 * What a program says of itself when it is asked for help: its subcommands, flags and arguments, read from the text
 * that it writes for people. There is no standard for such texts, so this knows the habits of those who make most of
 * them (argparse, click, cobra, clap, getopt with GNU's style, git, npm, docker, kubectl, BusyBox, manual pages) and
 * goes by what they have in common: headings, indentation, a gap of two spaces before a description.
 *
 * It is a guess, and used like one: what is not understood is left out, and nothing that stands in the text can do more
 * than give a name and a description to something. Pure and bounded; everything lies in the caller's arena.
 */
#ifndef SLUICE_BACKEND_HELP_TEXT_H
#define SLUICE_BACKEND_HELP_TEXT_H

#include "base/arena.h"

#define HELP_BYTES_MAX 262144    /* of a text; the rest is not looked at */
#define HELP_LINES_MAX 5000      /* likewise */
#define HELP_LINE_MAX 2000       /* bytes of a line, likewise */
#define HELP_FLAGS_MAX 200       /* of a command */
#define HELP_COMMANDS_MAX 300    /* below a command */
#define HELP_CHOICES_MAX 64      /* of a flag */
#define HELP_NAME_MAX 64         /* bytes */
#define HELP_DESCRIPTION_MAX 600 /* bytes */

enum help_type { HELP_TEXT, HELP_BOOLEAN, HELP_INTEGER, HELP_NUMBER };

struct help_flag {
	struct help_flag *next;
	struct span name;     /* without dashes: "output", or "o" when there is no long form */
	struct span flag;     /* "--output", "-o" */
	struct span negative; /* what says no: "--no-color"; not set: nothing does */
	struct span value;    /* what its value is called: "FILE"; not set: it takes none */
	struct span description;
	struct span *choices; /* the only values there are; none: any */
	size_t choice_count;
	enum help_type type; /* of the value; a flag without one is HELP_BOOLEAN */
	bool joined;         /* the text shows that --flag=VALUE is understood, though it begins with one dash only */
	bool optional;       /* the value may be left out */
	bool repeated;       /* may come more than once, with another value each time */
	bool on;             /* a boolean that is on unless one says no */
};

struct help_command {
	struct help_command *next;
	struct span name, description;
};

struct help_argument {
	struct help_argument *next;
	struct span name, description;
};

struct help_text {
	struct span description;         /* the first paragraph that tells what it does; not set: none */
	struct span usage;               /* without "usage:", on one line; not set: none */
	struct span arguments;           /* of the usage, what is no flag: "SOURCE... DEST"; not set: none */
	struct help_flag *flags;         /* without those for help and version */
	struct help_command *commands;   /* without those for help and completion */
	struct help_argument *described; /* arguments that the text describes */
	size_t flag_count, command_count;
};

/* `program`: its name, which some write before each of their subcommands. */
void help_text_read(struct arena *a, struct span text, struct span program, struct help_text *out);

/* There was something in it that looks like a help text. */
static inline bool help_text_is_known(const struct help_text *h)
{
	return span_is_set(h->usage) || h->flags != NULL || h->commands != NULL;
}

#endif
