/*
 * Tells that files may have changed. It only ever says "look again": some time after the last sign of a change, so that
 * a change in several steps is seen once, and whole.
 *
 * What is watched are the folders that the files are in, by inotify, because files are replaced rather than written: by
 * editors, which rename a new one over the old one, and by Kubernetes, where the file is a symbolic link into `..data`,
 * which itself is replaced. So what a file's own link leads over is watched too. Links in the path that one was given
 * are not. Events of other names in those folders count for nothing.
 */
#ifndef SLUICE_LOOP_FILE_WATCH_H
#define SLUICE_LOOP_FILE_WATCH_H

#include "loop/loop.h"

#define FILE_WATCH_QUIET_MS 200      /* after the last sign */
#define FILE_WATCH_MOST_MS 2000      /* after the first one */
#define FILE_WATCH_MAX ((size_t)512) /* names, of files and links */

struct file_watch;

struct file_watch *file_watch_new(struct loop *l, void (*look)(void *arg), void *arg, struct err *e);
void file_watch_free(struct file_watch **w);

/*
 * These files, and no others any more; they need not exist. To be called again after each look, for links may lead
 * elsewhere then. False and a sentence when one cannot be watched, or there are too many: the others are.
 */
bool file_watch_set(struct file_watch *w, const char *const *files, size_t n, struct err *e);

/* As if there had been a sign. */
void file_watch_poke(struct file_watch *w);

#endif
