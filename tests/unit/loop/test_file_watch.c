#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/file_watch.h"

#define MAX_PATH 128
#define PATIENCE_MS 20000

struct place {
	struct loop *loop;
	struct file_watch *watch;
	struct timer late;
	char folder[40];
	int looks;
};

static void on_look(void *arg)
{
	struct place *p = arg;

	p->looks++;
	loop_stop(p->loop);
}

static const char *in(const struct place *p, const char *name)
{
	static char paths[4][MAX_PATH];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, MAX_PATH, "%s/%s", p->folder, name);
	return path;
}

static void write_file(const struct place *p, const char *name)
{
	FILE *f = fopen(in(p, name), "we");

	assert_true(f != NULL && fputs("x", f) >= 0 && fclose(f) == 0);
}

/* A version of a mounted ConfigMap: a folder with the file in it. */
static void make_version(const struct place *p, const char *version)
{
	char name[60];

	assert_int_equal(mkdir(in(p, version), 0755), 0);
	snprintf(name, sizeof(name), "%s/file", version);
	write_file(p, name);
}

static void swap_data(const struct place *p, const char *version)
{
	assert_int_equal(symlink(version, in(p, "..data_tmp")), 0);
	assert_int_equal(rename(in(p, "..data_tmp"), in(p, "..data")), 0);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct err e;

	snprintf(p->folder, sizeof(p->folder), "/tmp/sluice-test-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	p->loop = loop_new(&e);
	p->watch = file_watch_new(p->loop, on_look, p, &e);
	assert_non_null(p->watch);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "file", "other", "new", "..data", "..data_tmp", "..1/file", "..2/file",
		"real/file", "..1", "..2", "real" };
	struct place *p = *state;

	file_watch_free(&p->watch);
	assert_null(p->watch);
	timer_stop(loop_sched(p->loop), &p->late);
	loop_free(&p->loop);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove(in(p, names[i]));
	assert_int_equal(rmdir(p->folder), 0);
	free(p);
	return 0;
}

static void watch_file(struct place *p, const char *name)
{
	const char *const files[] = { in(p, name) };
	struct err e = { 0 };

	if (!file_watch_set(p->watch, files, 1, &e))
		fail_msg("%s", e.text);
}

static void on_late(void *arg)
{
	loop_stop(((struct place *)arg)->loop);
}

/* Runs until there was a look, or for that long. */
static void run_for(struct place *p, msec_t ms)
{
	timer_set(loop_sched(p->loop), &p->late, mono_add(clock_mono(), ms), on_late, p);
	loop_run(p->loop);
}

static void expect_look(struct place *p)
{
	int before = p->looks;

	run_for(p, PATIENCE_MS);
	assert_int_equal(p->looks, before + 1);
}

static void expect_none(struct place *p)
{
	int before = p->looks;

	run_for(p, 3 * FILE_WATCH_QUIET_MS);
	assert_int_equal(p->looks, before);
}

static void test_a_file_that_is_written_replaced_removed_or_made_is_looked_at(void **state)
{
	struct place *p = *state;

	write_file(p, "file");
	watch_file(p, "file");
	expect_none(p);
	write_file(p, "file");
	expect_look(p);
	write_file(p, "new");
	expect_none(p);
	assert_int_equal(rename(in(p, "new"), in(p, "file")), 0);
	expect_look(p);
	remove(in(p, "file"));
	expect_look(p);
	write_file(p, "file");
	expect_look(p);
	assert_int_equal(chmod(in(p, "file"), 0600), 0);
	expect_look(p);
}

static void test_other_files_of_the_folder_are_nothing_to_it(void **state)
{
	struct place *p = *state;

	write_file(p, "file");
	watch_file(p, "file");
	write_file(p, "other");
	expect_none(p);
	watch_file(p, "other");
	write_file(p, "file");
	expect_none(p);
	write_file(p, "other");
	expect_look(p);
}

static void test_a_swap_of_data_is_looked_at_each_time(void **state)
{
	struct place *p = *state;

	make_version(p, "..1");
	swap_data(p, "..1");
	assert_int_equal(symlink("..data/file", in(p, "file")), 0);
	watch_file(p, "file");
	make_version(p, "..2");
	expect_none(p);
	swap_data(p, "..2");
	expect_look(p);
	watch_file(p, "file");
	swap_data(p, "..1");
	expect_look(p);
}

static void test_where_a_link_leads_is_watched_too(void **state)
{
	struct place *p = *state;

	make_version(p, "real");
	assert_int_equal(symlink(in(p, "real/file"), in(p, "file")), 0);
	watch_file(p, "file");
	write_file(p, "real/file");
	expect_look(p);
}

static void test_a_link_to_itself_ends(void **state)
{
	struct place *p = *state;

	assert_int_equal(symlink("file", in(p, "file")), 0);
	watch_file(p, "file");
	remove(in(p, "file"));
	expect_look(p);
}

static void test_many_signs_make_one_look(void **state)
{
	struct place *p = *state;

	watch_file(p, "file");
	for (int i = 0; i < 200; i++)
		write_file(p, "file");
	expect_look(p);
	expect_none(p);
}

static void write_on(void *arg)
{
	struct place *p = arg;

	write_file(p, "file");
	timer_set_in(loop_sched(p->loop), &p->late, FILE_WATCH_QUIET_MS / 4, write_on, p);
}

static void test_a_look_is_not_put_off_for_ever(void **state)
{
	struct place *p = *state;

	watch_file(p, "file");
	write_on(p);
	loop_run(p->loop);
	assert_int_equal(p->looks, 1);
}

static void test_what_cannot_be_watched_is_told_and_the_rest_is_watched(void **state)
{
	struct place *p = *state;
	const char *const files[] = { "/nowhere/file", in(p, "file") };
	struct err e = { 0 };

	assert_false(file_watch_set(p->watch, files, 2, &e));
	assert_non_null(strstr(e.text, "/nowhere"));
	write_file(p, "file");
	expect_look(p);
}

static void test_the_number_of_names_is_bounded(void **state)
{
	struct place *p = *state;
	const char *files[FILE_WATCH_MAX + 1];
	struct err e = { 0 };

	for (size_t i = 0; i <= FILE_WATCH_MAX; i++)
		files[i] = in(p, "file");
	assert_false(file_watch_set(p->watch, files, FILE_WATCH_MAX + 1, &e));
	assert_true(file_watch_set(p->watch, files, FILE_WATCH_MAX, &e));
}

static void test_a_poke_is_a_sign(void **state)
{
	struct place *p = *state;

	file_watch_poke(p->watch);
	expect_look(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_a_file_that_is_written_replaced_removed_or_made_is_looked_at),
		TEST(test_other_files_of_the_folder_are_nothing_to_it),
		TEST(test_a_swap_of_data_is_looked_at_each_time),
		TEST(test_where_a_link_leads_is_watched_too),
		TEST(test_a_link_to_itself_ends),
		TEST(test_many_signs_make_one_look),
		TEST(test_a_look_is_not_put_off_for_ever),
		TEST(test_what_cannot_be_watched_is_told_and_the_rest_is_watched),
		TEST(test_the_number_of_names_is_bounded),
		TEST(test_a_poke_is_a_sign),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
