/*
 * Is somebody looking, and how wide is the window?
 */
#ifndef SLUICE_CLI_TERMINAL_H
#define SLUICE_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

bool terminal_is(FILE *f);

/* In columns: of the window, else by COLUMNS, else 80. */
unsigned terminal_width(FILE *f, const char *const *environment);

#endif
