/*
 * An error is a sentence for people in the caller's struct, outermost context first: "server github: cwd: /x: no such
 * directory". No allocation on the error path. A function that can fail returns false and fills `e`.
 */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#include <stdbool.h>

#define ERR_TEXT_MAX 512

struct err {
	char text[ERR_TEXT_MAX]; /* cut at the end when too long; always NUL-terminated */
	int sys;                 /* errno of the system call behind it, or 0 */
};

/* Each returns false, so that `return err_set(...)` reads well. */
bool err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, then ": " and the text of errno, which is kept in `sys`. */
bool err_sys(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts context and ": " in front of what is there. */
bool err_wrap(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
