/*
 * Shared by the files that read help texts: help_clean.c (bytes to lines), help_flag.c (one flag), help_usage.c (the
 * usage line), help_command.c (a line of a list of subcommands) and help_text.c, which puts them together.
 */
#ifndef SLUICE_BACKEND_HELP_PRIVATE_H
#define SLUICE_BACKEND_HELP_PRIVATE_H

#include "backend/help_text.h"

/*
 * The text as a plain terminal would show it: no escape sequences, no overstriking, no control characters, tabs as
 * spaces (two at least, as a tab between two words is a gap), frames as spaces and their titles as headings.
 */
struct span help_clean(struct arena *a, struct span raw);

/*
 * One flag, from a text that begins with its dash: spellings, value, and what follows as the beginning of its
 * description. False: it is none.
 */
bool help_flag_read(struct arena *a, struct span text, struct help_flag *f);

/* What the whole description says about it: its choices, that it may be repeated, its default. */
void help_flag_refine(struct arena *a, struct help_flag *f);

/* Flags in brackets, as in "[-x] [--depth N] [-q | --quiet]": each is given to `found`, which copies it. */
void help_usage_flags(struct arena *a, struct span text, void (*found)(void *arg, struct help_flag *f), void *arg);

/* What is no flag in a usage line; not set: nothing. */
struct span help_usage_arguments(struct arena *a, struct span usage);

/*
 * A line of a list of commands, without its indentation: each that it names is given to `found`, with its description
 * or an empty one. `plain`: the lines before had names only. Returns how many there were.
 */
size_t help_commands_read(struct span line, struct span program, bool plain,
        void (*found)(void *arg, struct span name, struct span description), void *arg);

/* Could be the name of a subcommand. */
bool help_is_command(struct span word);

/* The end of a bracket, quote or brace that opens at `at`, behind its closing one; s.n when there is none. */
size_t help_group_end(struct span s, size_t at);

/* The next token at depth 0, at most up to a gap of two spaces; *rest becomes what follows it. */
bool help_next_token(struct span *rest, struct span *token);

/* Where a gap of two spaces begins, or s.n. */
size_t help_gap(struct span s);

/* "FILE", "<file>", "[file]", "{a,b}": stands for something. */
bool help_is_placeholder(struct span token);

bool help_contains(struct span text, const char *what); /* ASCII case does not matter */
struct span help_cut(struct span s, size_t most);       /* between two characters */

#endif
