/*
 * The files that a configuration is made from: its own and those of its ${file:...}, each with what it was when it was
 * read. So one can tell which files to watch, also when the configuration was refused (a Secret that is not there yet),
 * and whether one of them was changed since: a mount of Kubernetes is swapped as a whole, and one file of the old and
 * one of the new would make a configuration that nobody has written.
 */
#ifndef SLUICE_CONFIG_FILES_H
#define SLUICE_CONFIG_FILES_H

#include <sys/stat.h>

#include "base/arena.h"

#define CONFIG_FILES_MAX 256 /* that are kept; those beyond are not looked after */

struct config_file {
	const char *path;
	struct stat was; /* zeroes: it was not there */
};

/* A zeroed struct is an empty list. */
struct config_files {
	struct arena arena;
	struct config_file items[CONFIG_FILES_MAX];
	size_t count;
};

/* Before it is read. `files` may be NULL: nobody wants to know. */
void config_files_add(struct config_files *files, const char *path);

/* Each is still what it was. */
bool config_files_are_fresh(const struct config_files *files);

void config_files_free(struct config_files *files);

#endif
