/*
 * The main program of a fuzz target in ordinary builds: runs it on every file of the directories that are named, whole
 * and, when the file is small, cut off at every length. Inputs are copied to memory of exactly their size, so that
 * ASan sees a read beyond the end.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "fuzz.h"

#define INPUT_MAX ((size_t)16 << 20)
#define CUT_MAX 4096 /* above it only the whole file is run */

static void run(const char *text, size_t n)
{
	uint8_t *copy = malloc(n);

	if (n != 0 && copy == NULL)
		abort();
	if (n != 0)
		memcpy(copy, text, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static bool run_file(const char *path)
{
	char *text;
	size_t n;
	struct err e;

	if (!fd_read_file(path, INPUT_MAX, &text, &n, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return false;
	}
	run(text, n);
	for (size_t cut = 0; n <= CUT_MAX && cut < n; cut++)
		run(text, cut);
	free(text);
	return true;
}

static bool run_directory(const char *path, unsigned *files)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool ok = true;

	if (dir == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	while (ok && (entry = readdir(dir)) != NULL) {
		char file[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		ok = run_file(file);
		++*files;
	}
	closedir(dir);
	return ok;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		unsigned files = 0;

		if (!run_directory(argv[i], &files))
			return 1;
		if (files == 0) {
			fprintf(stderr, "%s: no inputs\n", argv[i]);
			return 1;
		}
		printf("%u inputs from %s\n", files, argv[i]);
	}
	return 0;
}
