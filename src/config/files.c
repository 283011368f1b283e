#include "config/files.h"

static struct stat look_at(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st : (struct stat){ 0 };
}

void config_files_add(struct config_files *files, const char *path)
{
	if (files == NULL || files->count == CONFIG_FILES_MAX)
		return;
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->items[i].path, path) == 0)
			return; /* what it was first counts for all */
	files->items[files->count++] = (struct config_file){
		.path = arena_copy(&files->arena, span_of(path)).p,
		.was = look_at(path),
	};
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

bool config_files_are_fresh(const struct config_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		struct stat now = look_at(files->items[i].path);
		if (!same_file(&files->items[i].was, &now))
			return false;
	}
	return true;
}

void config_files_free(struct config_files *files)
{
	arena_free(&files->arena);
	*files = (struct config_files){ 0 };
}
